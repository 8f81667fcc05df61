import numpy as np
import pytest
import torch
from arviz_stats.base import array_stats
from hypothesis import given
from hypothesis import strategies as st

from etude.core.random import stream
from etude.formulas.mcmc.diagnostics import (
    autocorrelation,
    autocorrelation_time,
    autocovariance,
    ess,
    mcse,
    quantile,
    rank_normalize,
    rhat,
    split,
    summarize,
)


def autoregressive(phi, draws=1000, chains=4, seed=0):
    """A stationary AR(1) of variance 1."""
    noise = torch.randn(draws, chains, generator=stream(seed), dtype=torch.float64)
    x, spread = [noise[0]], (1 - phi**2) ** 0.5
    for step in noise[1:]:
        x.append(phi * x[-1] + spread * step)
    return torch.stack(x)


IID = autoregressive(0.0)
TIED = torch.randint(5, (333, 4), generator=stream(1)).double()
DRAWS = {
    "independent": IID,
    "AR(1), φ = 0.9": autoregressive(0.9),
    "antithetic": autoregressive(-0.7),
    "constant": torch.ones(100, 4).double(),
    "tied": TIED,
    "two values": (TIED > 1).double(),
    "four draws": IID[:4],
    "five draws": IID[:5],
    "seven draws": IID[:7],
    "apart": IID + torch.arange(4),
    "heavy tails": torch.tan(1.5 * IID.tanh()) ** 3,
}
REFERENCE = "arviz_stats"
SIZES = [("bulk", None), ("tail", 0.05), ("mean", None), ("sd", None), ("quantile", 0.25)]
ERRORS = [("mean", None), ("sd", None), ("quantile", 0.3), ("quantile", 0.05)]


def theirs(name, draws, method, **options):
    with np.errstate(invalid="ignore", divide="ignore"):
        return float(getattr(array_stats, name)(draws.T.numpy(), method=method, **options))


def same(parity, item, ours, expected):
    """A row of the table; not a number is only equal to itself."""
    if np.isnan(expected):
        assert ours.isnan(), f"{item}: {ours}, reference NaN"
        return
    expected = torch.tensor(expected, dtype=torch.float64)
    parity(item, ours, expected, reference=REFERENCE, tolerance=1e-10)


@pytest.mark.parametrize("method", ["rank", "z_scale", "folded", "split", "identity"])
def test_every_rhat_is_that_of_arviz(method, parity):
    for name, draws in DRAWS.items():
        same(parity, f"R̂ ({method}), {name}", rhat(draws, method), theirs("rhat", draws, method))


@pytest.mark.parametrize(("method", "prob"), SIZES)
def test_every_effective_size_is_that_of_arviz(method, prob, parity):
    for name, draws in DRAWS.items():
        for some in (draws, draws[:, :1]):
            item = f"ESS ({method}), {name}, {some.shape[1]} chain(s)"
            expected = theirs("ess", some, method, prob=prob)
            same(parity, item, ess(some, method, prob), expected)


@pytest.mark.parametrize(("method", "prob"), ERRORS)
def test_every_standard_error_is_that_of_arviz(method, prob, parity):
    for name, draws in DRAWS.items():
        item = f"MCSE ({method}{prob or ''}), {name}"
        same(parity, item, mcse(draws, method, prob), theirs("mcse", draws, method, prob=prob))


@given(draws=st.integers(4, 60), chains=st.integers(2, 5), phi=st.floats(-0.9, 0.99),
       levels=st.integers(0, 6), seed=st.integers(0, 99))  # fmt: skip
def test_on_any_draws_it_is_arviz(draws, chains, phi, levels, seed):
    x = autoregressive(phi, draws, chains, seed)
    x = (x * levels).round() if levels else x
    for method in ("bulk", "mean", "sd"):
        expected = theirs("ess", x, method)
        assert ess(x, method).item() == pytest.approx(expected, rel=1e-10, nan_ok=True)
    expected = theirs("ess", x, "tail", prob=0.05)
    assert ess(x, "tail").item() == pytest.approx(expected, rel=1e-10, nan_ok=True)
    expected = theirs("rhat", x, "rank")
    assert rhat(x).item() == pytest.approx(expected, rel=1e-10, nan_ok=True)


def test_the_autocovariance_is_a_sum_of_products(parity):
    x = autoregressive(0.8, 50, 3)
    centered = x - x.mean(dim=0)
    sums = [(centered[: 50 - k] * centered[k:]).sum(dim=0) / 50 for k in range(50)]
    parity("autocovariance by FFT", autocovariance(x), torch.stack(sums),
           reference="a sum of products", tolerance=1e-13)  # fmt: skip
    parity("autocorrelation by FFT", autocorrelation(x)[:, 0], array_stats.autocorr(x[:, 0].numpy()),
           reference=REFERENCE, tolerance=1e-12)  # fmt: skip


@pytest.mark.parametrize("phi", [-0.5, 0.0, 0.5, 0.9])
def test_the_effective_size_of_an_autoregression_is_the_formula(phi):
    """N (1 − φ)/(1 + φ); an antithetic chain is worth more than independent draws."""
    x = autoregressive(phi, 20_000, 8)
    assert ess(x, "mean").item() / x.numel() == pytest.approx((1 - phi) / (1 + phi), rel=0.05)
    if phi:
        assert (ess(x, "mean") > x.numel()) == (phi < 0)


def test_the_standard_error_is_the_spread_of_means():
    x = autoregressive(0.7, 400, 2000)
    spread = x.mean(dim=0).std().item()
    chain_by_chain = mcse(x[:, None]).mean().item()
    assert chain_by_chain == pytest.approx(spread, rel=0.1)


def test_geyer_stops_at_the_first_pair_that_is_not_positive():
    """ρ = 1, .5 | .2, −.1 | −.3, .1 | .9, .9: two pairs count; the sum is −1 + 2 (1.5 + .1)."""
    rho = torch.tensor([1.0, 0.5, 0.2, -0.1, -0.3, 0.1, 0.9, 0.9, 0.0]).double()
    assert autocorrelation_time(rho).item() == pytest.approx(-1 + 2 * 1.6)
    # a single negative lag does not stop it: 1, −.4 | .3, −.2 | −.2, 0
    rho = torch.tensor([1.0, -0.4, 0.3, -0.2, -0.2, 0.0, 0.9, 0.0]).double()
    assert autocorrelation_time(rho).item() == pytest.approx(-1 + 2 * 0.7)
    # a pair that rises again is cut to the one before: .6 | .2 | .5 → .2 | −1
    rho = torch.tensor([1.0, -0.4, 0.1, 0.1, 0.3, 0.2, -1.0, 0.0, 0.0]).double()
    assert autocorrelation_time(rho).item() == pytest.approx(-1 + 2 * (0.6 + 0.2 + 0.2))
    # and a last even lag above 0 counts once
    rho = torch.tensor([1.0, 0.0, 0.2, -0.5, 0.0, 0.0]).double()
    assert autocorrelation_time(rho).item() == pytest.approx(-1 + 2 * 1 + 0.2)


def test_ties_share_the_mean_of_their_ranks():
    z = rank_normalize(torch.tensor([[3.0, 1.0], [1.0, 2.0]]).double())
    expected = torch.special.ndtri((torch.tensor([4, 1.5, 3]).double() - 3 / 8) / 4.25)
    torch.testing.assert_close(z, expected[[0, 1, 1, 2]].view(2, 2))


def test_rhat_in_the_head():
    """Chains 0, 2 and 4, 6: W = 2, B = 2 · 8 = 16, R̂² = (16/2 + 1)/2."""
    x = torch.tensor([[0.0, 4.0], [2.0, 6.0]]).repeat_interleave(2, dim=0).double()
    x = torch.cat([x, x])  # any order: R̂ without halves does not care
    n, within = 8, x.var(dim=0).mean()
    between = n * x.mean(dim=0).var()
    expected = (((n - 1) * within + between) / n / within).sqrt()
    torch.testing.assert_close(rhat(x, "identity"), expected)


def test_what_rhat_sees_and_does_not_see():
    drift = IID + torch.linspace(-2, 2, 1000).double()[:, None]
    assert rhat(drift, "identity") < 1.01  # all chains drift alike
    assert rhat(drift, "split") > 1.1
    wide = IID * torch.tensor([1.0, 1.0, 1.0, 3.0]).double()
    assert rhat(wide, "z_scale") < 1.01  # means agree, spreads do not
    assert rhat(wide) > 1.1
    assert rhat(IID) < 1.01


def test_the_middle_of_an_odd_number_of_draws_goes():
    x = torch.arange(5.0)[:, None]
    assert split(x).T.tolist() == [[0.0, 1.0], [3.0, 4.0]]


@given(prob=st.floats(0.01, 0.99), draws=st.integers(4, 40), seed=st.integers(0, 9))
def test_the_quantile_is_numpys_to_the_last_bit(prob, draws, seed):
    x = torch.randn(draws, 3, generator=stream(seed), dtype=torch.float64)
    assert quantile(x, prob).item() == np.quantile(x.numpy(), prob)


def test_many_quantities_are_each_by_itself():
    x = torch.stack([autoregressive(phi, 200) for phi in (-0.5, 0.0, 0.9, 0.99)], dim=-1)
    x = x.unflatten(-1, (2, 2))
    x[3, 1, 0, 1] = torch.nan
    for function in (rhat, ess, mcse, lambda d: ess(d, "tail"), lambda d: mcse(d, "quantile", 0.1)):
        whole = function(x)
        assert whole.shape == (2, 2)
        assert whole[0, 1].isnan()
        for i, j in ((0, 0), (1, 0), (1, 1)):
            torch.testing.assert_close(whole[i, j], function(x[:, :, i, j]))
    summary = summarize(x)
    torch.testing.assert_close(summary.mean, x.mean(dim=(0, 1)), equal_nan=True)
    torch.testing.assert_close(summary.rhat, rhat(x), equal_nan=True)


def test_units_do_not_matter_and_ranks_do_not_care_for_a_bend():
    x = autoregressive(0.6)
    torch.testing.assert_close(ess(1e-18 * x, "mean"), ess(x, "mean"))
    for function in (rhat, ess, lambda d: ess(d, "tail")):
        torch.testing.assert_close(function(3 + 1e6 * x), function(x))
    torch.testing.assert_close(ess(x.exp()), ess(x))
    torch.testing.assert_close(mcse(100 * x), 100 * mcse(x))


def test_float32_agrees_to_its_digits():
    x = autoregressive(0.6)
    for function in (rhat, ess, mcse):
        assert function(x.float()).dtype == torch.float32
        assert function(x.float()).item() == pytest.approx(function(x).item(), rel=1e-4)


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong_with_the_draws():
    with pytest.raises(ValueError, match="draws has 1 chain, expected at least 2"):
        rhat(IID[:, :1])
    for function in (rhat, ess, mcse):
        with pytest.raises(ValueError, match="draws has 3 draws, expected at least 4"):
            function(IID[:3])
        with pytest.raises(ValueError, match="method must be .*, got 'mode'"):
            function(IID, "mode")
    for function in (ess, mcse):
        with pytest.raises(ValueError, match="prob must be between 0 and 1, got None"):
            function(IID, "quantile")
