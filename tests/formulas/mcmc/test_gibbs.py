import pytest
import torch
from scipy import stats

from etude.core.random import stream
from etude.formulas.mcmc.diagnostics import autocorrelation, ess
from etude.formulas.mcmc.finite import all_states
from etude.formulas.mcmc.gibbs import (
    Block,
    Gibbs,
    discrete_blocks,
    full_conditional,
    gaussian_blocks,
)
from etude.formulas.mcmc.kernel import run
from etude.formulas.mcmc.targets import Gaussian, Ising
from tests.formulas.mcmc.invariance import FIVE_SIGMA, moved, normal, worst

FACTOR = torch.tensor([[1.0, 0.0, 0.0], [0.8, 0.6, 0.0], [-0.3, 0.5, 0.4]]).double()
TARGET = Gaussian(torch.tensor([1.0, -2.0, 3.0]).double(), FACTOR)
COVARIANCE = FACTOR @ FACTOR.mT
COUNT = 40_000


def straighten(x):
    return torch.linalg.solve_triangular(FACTOR, (x - TARGET.mean).mT, upper=False).mT


@pytest.mark.parametrize("random_scan", [False, True])
@pytest.mark.parametrize("groups", [None, [[0, 2], [1]], [[2], [1], [0]], [[0, 1, 2]]])
def test_exact_draws_stay_exact(groups, random_scan):
    kernel = Gibbs(gaussian_blocks(TARGET.mean, COVARIANCE, groups), random_scan)
    assert worst(straighten(moved(kernel, TARGET.sample(COUNT, stream(0))))) > FIVE_SIGMA


def test_the_comparison_sees_a_simultaneous_update():
    """The misconception "conditionally independent": all blocks drawn from the old position."""
    blocks = gaussian_blocks(TARGET.mean, COVARIANCE)

    def at_once(position, generator):
        return torch.cat([b.draw(position, generator) for b in blocks], dim=1)

    wrong = Gibbs([Block([0, 1, 2], at_once)])
    assert worst(straighten(moved(wrong, TARGET.sample(COUNT, stream(0))))) < FIVE_SIGMA


def test_one_block_of_everything_is_independent_sampling():
    kernel = Gibbs(gaussian_blocks(TARGET.mean, COVARIANCE, [[0, 1, 2]]))
    begin = torch.full((COUNT, 3), 50.0).double()
    assert worst(straighten(moved(kernel, begin, steps=1))) > FIVE_SIGMA


def test_the_conditional_of_a_normal_distribution_is_the_formula_with_covariances(parity):
    """Mean μ_A + Σ_AB Σ_BB⁻¹ (x_B − μ_B), variance Σ_AA − Σ_AB Σ_BB⁻¹ Σ_BA."""
    x = normal(4, 3)
    noise = torch.randn_like(x[:, :1], generator=stream(5))
    block = gaussian_blocks(TARGET.mean, COVARIANCE, [[1], [0, 2]])[0]
    ours = block.draw(x, stream(5))
    cross, rest = COVARIANCE[1:2][:, [0, 2]], COVARIANCE[[0, 2]][:, [0, 2]]
    gain = torch.linalg.solve(rest, cross.mT).mT
    center = TARGET.mean[1] + (x[:, [0, 2]] - TARGET.mean[[0, 2]]) @ gain.mT
    spread = (COVARIANCE[1:2, 1:2] - gain @ cross.mT).sqrt()
    parity("normal full conditional", ours, center + spread * noise,
           reference="conditioning by covariances", tolerance=1e-12)  # fmt: skip


@pytest.mark.parametrize("rho", [0.0, 0.5, 0.9])
def test_the_lag_one_autocorrelation_is_rho_squared(rho):
    """A coordinate is an AR(1) with coefficient ρ², so ESS/N = (1 − ρ²)/(1 + ρ²)."""
    covariance = torch.tensor([[1.0, rho], [rho, 1.0]]).double()
    target = Gaussian(torch.zeros(2).double(), torch.linalg.cholesky(covariance))
    kernel = Gibbs(gaussian_blocks(target.mean, covariance))
    chains, steps = 256, 1500
    x = run(kernel, target.sample(chains, stream(0)), steps, generator=stream(1)).position[..., 0]
    lag = (x[1:] * x[:-1]).mean(dim=0)
    assert abs(lag.mean() - rho**2) < 5 * lag.std() / chains**0.5
    share = ess(x, "mean").item() / (chains * steps)
    assert share == pytest.approx((1 - rho**2) / (1 + rho**2), rel=0.1)
    assert autocorrelation(x)[2].mean().item() == pytest.approx(rho**4, abs=0.02)


def test_beta_and_binomial_draw_the_beta_binomial():
    """x | p is binomial, p | x is a beta: the marginal of x is known exactly."""
    n, a, b = 12, 2.0, 3.0

    def draw_x(position, generator):
        p = position[:, 1:]
        return torch.binomial(torch.full_like(p, n), p, generator=generator)

    def draw_p(position, generator):
        x = position[:, :1]
        one, two = (torch._standard_gamma(k, generator=generator) for k in (a + x, b + n - x))
        return one / (one + two)

    kernel = Gibbs([Block([0], draw_x), Block([1], draw_p)])
    begin = torch.tensor([[0.0, 0.5]]).double().repeat(COUNT, 1)
    x, p = moved(kernel, begin, steps=60).T
    counts = torch.bincount(x.long(), minlength=n + 1)
    expected = COUNT * stats.betabinom(n, a, b).pmf(range(n + 1))
    assert stats.chisquare(counts, expected).pvalue > FIVE_SIGMA
    assert stats.kstest(p, stats.beta(a, b).cdf).pvalue > FIVE_SIGMA


def test_the_spins_of_a_small_grid_have_their_exact_probabilities():
    target, values = Ising(2, 3, 0.4, 0.1), torch.tensor([-1.0, 1.0]).double()
    states = all_states(values, 6)
    exact = target(states).softmax(dim=0)
    begin = states[torch.multinomial(exact, COUNT, replacement=True, generator=stream(0))]
    for scan in (False, True):
        after = moved(Gibbs(discrete_blocks(target, values, 6), scan), begin)
        code = ((after + 1) / 2) @ (2.0 ** torch.arange(5, -1, -1)).double()
        counts = torch.bincount(code.long(), minlength=64)
        assert stats.chisquare(counts, COUNT * exact).pvalue > FIVE_SIGMA
        assert (after != begin).any()


def test_a_full_conditional_is_the_logistic_function_of_the_neighbors(parity):
    """P(+1 | rest) = σ(2 (coupling · Σ neighbors + field)); in the corner there are two."""
    target, values = Ising(2, 2, 0.7, 0.2), torch.tensor([-1.0, 1.0]).double()
    states = all_states(values, 4)
    ours = full_conditional(target, states, 0, values)[:, 1]
    expected = torch.sigmoid(2 * (0.7 * (states[:, 1] + states[:, 2]) + 0.2))
    parity("Ising full conditional", ours, expected, reference="σ of the field", tolerance=1e-14)


@pytest.mark.usefixtures("as_a_user")
def test_says_which_coordinates_are_missing():
    with pytest.raises(ValueError, match="groups must name each of 3 coordinates once"):
        gaussian_blocks(TARGET.mean, COVARIANCE, [[0], [1]])
    with pytest.raises(ValueError, match="groups must name"):
        gaussian_blocks(TARGET.mean, COVARIANCE, [[0, 1], [1, 2]])
    with pytest.raises(ValueError, match="covariance has 3 dims, expected 2"):
        gaussian_blocks(TARGET.mean[:2], COVARIANCE)
