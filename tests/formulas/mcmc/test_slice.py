import pytest
import torch
from scipy import stats

from etude.core.random import stream
from etude.formulas.mcmc import slice as module
from etude.formulas.mcmc.kernel import run
from etude.formulas.mcmc.slice import (
    EllipticalSlice,
    HyperrectangleSlice,
    SliceSampler,
    shrink,
    slice_height,
    step_out,
)
from etude.formulas.mcmc.targets import Banana, Gaussian, Mixture
from tests.formulas.mcmc.invariance import FIVE_SIGMA, moved, normal, worst

BANANA = Banana(0.3, 1.5)
HILLS = Mixture(torch.tensor([[-2.0], [2.0]]).double(), 0.7)
COUNT = 40_000
KERNELS = {
    "coordinates": lambda f: SliceSampler(f, 1.0),
    "coordinates, narrow": lambda f: SliceSampler(f, 0.4, 4),
    "coordinates, one width": lambda f: SliceSampler(f, 3.0, 1),
    "hyperrectangle": lambda f: HyperrectangleSlice(f, 2.5),
}
every = pytest.mark.parametrize("make", KERNELS.values(), ids=KERNELS)


def bananas():
    z = normal(COUNT, 2)
    x = BANANA.width * z[:, 0]
    return torch.stack([x, z[:, 1] + BANANA.bend * (x.square() - BANANA.width**2)], dim=1)


def hills_to_normal(x):
    cdf = sum(stats.norm(m, 0.7).cdf(x.numpy()) for m in (-2.0, 2.0)) / 2
    return torch.from_numpy(stats.norm.ppf(cdf))


@every
def test_exact_draws_stay_exact(make):
    draws = bananas()
    after = moved(make(BANANA), draws, steps=2)
    assert worst(BANANA.straighten(after)) > FIVE_SIGMA
    assert (after != draws).all()


@every
def test_two_hills_and_an_edge_stay_exact(make):
    after = moved(make(HILLS), HILLS.sample(COUNT, stream(0)), steps=2)
    assert worst(hills_to_normal(after)) > FIVE_SIGMA

    def ramp(x):  # the density 2x on (0, 1)
        return torch.where((x[:, 0] > 0) & (x[:, 0] < 1), x[:, 0].log(), -torch.inf)

    begin = torch.rand(COUNT, 1, generator=stream(0), dtype=torch.float64).sqrt()
    after = moved(make(ramp), begin, steps=2)
    assert ((after > 0) & (after < 1)).all()
    assert stats.kstest(after[:, 0].square(), "uniform").pvalue > FIVE_SIGMA


def left_always(along, height, low, high, limit, *, generator=None):
    """No chance in where the interval lies: it begins at the point."""
    return step_out(along, height, low - low, high - low, limit, generator=generator)


def test_the_comparison_sees_an_interval_that_always_begins_at_the_point(monkeypatch):
    monkeypatch.setattr(module, "step_out", left_always)
    after = moved(SliceSampler(HILLS, 1.0), HILLS.sample(COUNT, stream(0)), steps=2)
    assert worst(hills_to_normal(after)) < FIVE_SIGMA


def test_the_comparison_sees_the_wrong_side_shrunk(monkeypatch):
    def wrong(along, height, low, high, *, first=None, generator=None):
        value = torch.full_like(height, -torch.inf)
        t = torch.zeros_like(low)
        for _ in range(60):
            out = (value < height)[:, None]
            low, high = torch.where(out & (t > 0), t, low), torch.where(out & (t < 0), t, high)
            drawn = low + (high - low) * torch.rand_like(low, generator=generator)
            t, value = torch.where(out, drawn, t), torch.where(out[:, 0], along(drawn), value)
        return torch.where(out, 0, t), value, torch.ones_like(height, dtype=torch.long)

    monkeypatch.setattr(module, "shrink", wrong)
    after = moved(SliceSampler(HILLS, 3.0), HILLS.sample(COUNT, stream(0)), steps=2)
    assert worst(hills_to_normal(after)) < FIVE_SIGMA


def test_elliptical_slices_give_the_conjugate_posterior():
    """Prior N(0, LLᵀ), likelihood N(y | x, ½² I): the posterior is normal, in closed form."""
    factor = torch.tensor([[1.0, 0.0, 0.0], [0.7, 0.8, 0.0], [0.2, -0.4, 1.5]]).double()
    y = torch.tensor([-1.0, 0.5, 2.0]).double()
    precision = torch.cholesky_inverse(factor) + 4 * torch.eye(3)
    covariance = torch.linalg.inv(precision)
    posterior = Gaussian(covariance @ (4 * y), torch.linalg.cholesky(covariance))
    kernel = EllipticalSlice(lambda x: -2 * (x - y).square().sum(-1), factor)

    def straighten(x):
        centered = (x - posterior.mean).mT
        return torch.linalg.solve_triangular(posterior.factor, centered, upper=False).mT

    stayed = moved(kernel, posterior.sample(COUNT, stream(0)))
    assert worst(straighten(stayed)) > FIVE_SIGMA
    came = moved(kernel, normal(COUNT, 3) @ factor.mT, steps=60)  # from the prior
    assert worst(straighten(came)) > FIVE_SIGMA
    wrong = EllipticalSlice(kernel.log_likelihood, torch.eye(3).double())
    assert worst(straighten(moved(wrong, posterior.sample(COUNT, stream(0))))) < FIVE_SIGMA


def test_without_a_likelihood_every_ellipse_is_accepted_at_once():
    kernel = EllipticalSlice(lambda x: torch.zeros_like(x[:, 0]), torch.eye(2).double())
    trace = run(kernel, normal(COUNT, 2), 2, generator=stream(1))
    assert (trace.evaluations == 1).all()
    assert worst(trace.position[-1]) > FIVE_SIGMA


def test_a_height_is_uniform_under_the_density():
    log_density = normal(COUNT, 1)[:, 0]
    height = slice_height(log_density, generator=stream(0))
    assert stats.kstest((height - log_density).exp(), "uniform").pvalue > FIVE_SIGMA


def test_stepping_out_ends_outside_or_at_its_limit():
    """The slice is (−1, 2), a width ½: from low = −¼ the left end goes to −1.25, the right to 2.25."""

    def along(t):
        return torch.where((t[:, 0] > -1) & (t[:, 0] < 2), 0.0, -torch.inf).double()

    height = -torch.ones(1000).double()
    low = torch.full((1000, 1), -0.25).double()
    left, right, used = step_out(along, height, low, low + 0.5, 100, generator=stream(0))
    done = (left < -1) & (right > 2)
    assert done.double().mean() > 0.8  # else the budget of one side was too small
    assert (left[done] == -1.25).all()
    assert (right[done] == 2.25).all()
    left, right, used = step_out(along, height, low, low + 0.5, 4, generator=stream(0))
    widths = ((right - left) / 0.5).round()
    assert widths.max() == 4
    assert (used <= 3).all()
    assert (left <= low).all()
    budget = ((low - left) / 0.5).round()[:, 0].long()
    assert set(budget.tolist()) == {0, 1, 2}  # of 0–3 allowed, 2 reach the outside


def test_shrinking_ends_even_in_a_slice_of_one_point():
    def along(t):
        return torch.where(t[:, 0] == 0, 0.0, -torch.inf).double()

    height = -torch.ones(5).double()
    end = torch.ones(5, 1).double()
    t, value, used = shrink(along, height, -end, end, generator=stream(0))
    assert (t.abs() < 1e-300).all()
    assert (value == 0).all()
    assert (used > 100).all()


def test_what_is_no_number_lies_outside():
    """The logarithm of a negative number is NaN, and no chain goes there."""
    for kernel in (SliceSampler(lambda x: -x[:, 0] + 0 * x[:, 0].log()),
                   HyperrectangleSlice(lambda x: -x[:, 0] + 0 * x[:, 0].log(), 3.0)):  # fmt: skip
        begin = torch.empty(COUNT, 1).double().exponential_(generator=stream(0))
        after = moved(kernel, begin)
        assert (after > 0).all()
        assert stats.kstest(after[:, 0], "expon").pvalue > FIVE_SIGMA


def test_evaluations_are_those_that_each_chain_needed():
    seen = []

    def counting(x):
        seen.append(len(x))
        return -x.square().sum(-1) / 2

    trace = run(SliceSampler(counting, 2.0), normal(1, 2), 50, generator=stream(0))
    assert (
        trace.evaluations.sum() == len(seen) - 1
    )  # one at the start; a single chain waits for none


@pytest.mark.usefixtures("as_a_user")
def test_a_width_must_be_positive():
    with pytest.raises(ValueError, match="width and limit must be positive, got 0.0"):
        SliceSampler(HILLS, 0.0)
    with pytest.raises(ValueError, match="width and limit"):
        SliceSampler(HILLS, 1.0, 0)
    with pytest.raises(ValueError, match="width must be positive, got -1"):
        HyperrectangleSlice(HILLS, -1.0)
