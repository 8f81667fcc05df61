import math

import pytest
import torch
from scipy import stats

from etude.core.random import stream
from etude.formulas.mcmc.diagnostics import ess
from etude.formulas.mcmc.hamiltonian import HamiltonianMonteCarlo
from etude.formulas.mcmc.kernel import run
from etude.formulas.mcmc.metropolis import (
    MetropolisAdjustedLangevin,
    MetropolisHastings,
    Proposal,
    RandomWalkMetropolis,
    independent,
    log_normal_walk,
    value_and_gradient,
)
from etude.formulas.mcmc.targets import Banana, Funnel, Gaussian
from tests.formulas.mcmc.invariance import FIVE_SIGMA, moved, normal, worst

BANANA, FUNNEL = Banana(0.3, 1.5), Funnel(1.0)
COUNT = 40_000


def bananas(seed=0):
    z = normal(COUNT, 2, seed)
    x = BANANA.width * z[:, 0]
    return torch.stack([x, z[:, 1] + BANANA.bend * (x.square() - BANANA.width**2)], dim=1)


KERNELS = {
    "random walk": lambda target: RandomWalkMetropolis(target, 0.9),
    "Langevin": lambda target: MetropolisAdjustedLangevin(target, 0.7),
    "independent": lambda target: MetropolisHastings(target, independent(wide.sample, wide)),
}
wide = Gaussian(torch.zeros(2).double(), 2.0 * torch.eye(2).double())


@pytest.mark.parametrize("make", KERNELS.values(), ids=KERNELS)
def test_exact_draws_stay_exact(make):
    draws = bananas()
    after = moved(make(BANANA), draws)
    assert worst(BANANA.straighten(after)) > FIVE_SIGMA
    assert (after != draws).any(dim=1).double().mean() > 0.5  # and have moved
    funnels = FUNNEL.bend(normal(COUNT, 2))
    assert worst(FUNNEL.straighten(moved(make(FUNNEL), funnels))) > FIVE_SIGMA


def test_the_comparison_sees_a_langevin_walk_that_is_not_corrected():
    class Uncorrected(MetropolisAdjustedLangevin):
        def step(self, state, generator=None):
            noise = torch.randn_like(state.position, generator=generator)
            h = self.step_size
            return self.init(state.position + h**2 / 2 * state.gradient + h * noise), super().step(
                state, generator
            )[1]

    after = moved(Uncorrected(BANANA, 0.7), bananas())
    assert worst(BANANA.straighten(after)) < FIVE_SIGMA


def gamma_after(proposal, steps=4):
    """Draws of Γ(3), moved, as normal numbers."""
    uniform = torch.rand(COUNT, 1, generator=stream(0), dtype=torch.float64)
    draws = torch.from_numpy(stats.gamma(3).ppf(uniform.numpy()))
    kernel = MetropolisHastings(lambda x: (2 * x.log() - x).sum(-1), proposal)
    after = moved(kernel, draws, steps)
    return torch.from_numpy(stats.norm.ppf(stats.gamma(3).cdf(after.numpy())))


def test_a_walk_that_multiplies_needs_the_hastings_ratio():
    right = log_normal_walk(0.8)
    assert worst(gamma_after(right)) > FIVE_SIGMA
    forgotten = Proposal(right.draw, lambda to, given: torch.zeros_like(to[:, 0]))
    assert worst(gamma_after(forgotten)) < FIVE_SIGMA
    upside_down = Proposal(right.draw, lambda to, given: right.log_density(given, to))
    assert worst(gamma_after(upside_down)) < FIVE_SIGMA


def test_the_log_normal_walk_has_the_density_of_scipy(parity):
    to, given = normal(50, 3).exp(), normal(50, 3, 1).exp()
    ours = log_normal_walk(0.7).log_density(to, given)
    theirs = stats.lognorm(0.7, scale=given.numpy()).logpdf(to.numpy()).sum(-1)
    parity("log-normal proposal", ours, theirs, reference="scipy.stats.lognorm", tolerance=1e-12)


@pytest.mark.parametrize("states", [2, 5, 8])
def test_the_kernel_is_in_detailed_balance_on_every_pair_of_states(states):
    """A chain for each pair (i, j): start at i, propose j. The acceptances are a matrix, exactly."""
    g = stream(states)
    target = torch.rand(states, generator=g, dtype=torch.float64)
    q = torch.rand(states, states, generator=g, dtype=torch.float64)
    target, q = target / target.sum(), q / q.sum(dim=1, keepdim=True)
    i, j = torch.cartesian_prod(torch.arange(states), torch.arange(states)).double().T[:, :, None]
    proposal = Proposal(
        lambda position, generator: j,
        lambda to, given: q[given[:, 0].long(), to[:, 0].long()].log(),
    )
    kernel = MetropolisHastings(lambda x: target[x[:, 0].long()].log(), proposal)
    _, info = kernel.step(kernel.init(i), g)
    flow = target[:, None] * q * info.acceptance.view(states, states)
    torch.testing.assert_close(flow, flow.mT, rtol=0, atol=1e-16)
    assert (info.acceptance.view(states, states).maximum(info.acceptance.view(states, states).mT)
            - 1).abs().max() < 1e-12  # Peskun: one of the two directions is always taken  # fmt: skip


def test_langevin_is_one_leapfrog_step():
    begin = bananas()[:200]
    one = run(MetropolisAdjustedLangevin(BANANA, 0.6), begin, 5, generator=stream(0))
    two = run(HamiltonianMonteCarlo(BANANA, 0.6, 1), begin, 5, generator=stream(0))
    torch.testing.assert_close(one.position, two.position, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(one.acceptance, two.acceptance, rtol=1e-9, atol=1e-9)


def test_random_walk_acceptance_of_a_normal_target_is_the_formula_of_roberts():
    """E min(1, ratio) on N(0, 1) is (2/π) arctan(2/scale)."""
    target = Gaussian(torch.zeros(1).double(), torch.eye(1).double())
    for scale in (0.5, 2.38, 6.0):
        kernel = RandomWalkMetropolis(target, scale)
        acceptance = run(kernel, normal(COUNT, 1), 1, generator=stream(1)).acceptance[0]
        error = 5 * acceptance.std().item() / COUNT**0.5
        assert abs(acceptance.mean().item() - 2 / math.pi * math.atan(2 / scale)) < error


def test_a_factor_makes_a_long_valley_round():
    factor = torch.tensor([[10.0, 0.0], [9.9, 0.3]]).double()
    target = Gaussian(torch.zeros(2).double(), factor)
    begin = target.sample(200, stream(0))
    blind = run(RandomWalkMetropolis(target, 0.5), begin, 400, generator=stream(1))
    seeing = run(RandomWalkMetropolis(target, 1.7, factor), begin, 400, generator=stream(1))
    assert ess(seeing.position).min() > 10 * ess(blind.position).min()
    z = torch.linalg.solve_triangular(factor, seeing.position[-1].mT, upper=False).mT
    assert worst(z) > FIVE_SIGMA


def test_an_independent_proposal_of_the_target_itself_is_always_taken():
    kernel = MetropolisHastings(wide, independent(wide.sample, wide))
    trace = run(kernel, wide.sample(50, stream(0)), 4, generator=stream(1))
    torch.testing.assert_close(trace.acceptance, torch.ones(4, 50).double())


def test_the_edge_of_a_support_is_never_crossed():
    def half(x):
        return torch.where(x[:, 0] > 0, -x[:, 0], -torch.inf)

    for kernel in (RandomWalkMetropolis(half, 2.0), HamiltonianMonteCarlo(half, 0.5, 4)):
        draws = torch.empty(5000, 1).double().exponential_(generator=stream(0))
        trace = run(kernel, draws, 4, generator=stream(1))
        assert (trace.position > 0).all()
        assert stats.kstest(trace.position[-1, :, 0], "expon").pvalue > FIVE_SIGMA


def test_the_gradient_is_autograds_unless_the_target_has_its_own():
    class Own:
        def __call__(self, x):
            raise AssertionError

        def value_and_gradient(self, x):
            return x[:, 0], 7 * x

    x = normal(4, 2)
    value, gradient = value_and_gradient(BANANA)(x)
    torch.testing.assert_close(value, BANANA(x))
    expected = torch.func.vmap(torch.func.grad(lambda p: BANANA(p[None])[0]))(x)
    torch.testing.assert_close(gradient, expected)
    assert not value.requires_grad
    assert not x.requires_grad
    assert torch.equal(value_and_gradient(Own())(x)[1], 7 * x)
    with torch.no_grad():
        torch.testing.assert_close(value_and_gradient(BANANA)(x)[1], expected)


def test_acceptance_falls_to_234_thousandths_and_the_cost_grows_with_the_dimension():
    """Roberts, Gelman & Gilks (1997): with scale 2.38/√d; ESS per evaluation · d stays."""
    found = {}
    for dims in (2, 8, 32):
        kernel = RandomWalkMetropolis(lambda x: -x.square().sum(-1) / 2, 2.38 / dims**0.5)
        trace = run(kernel, normal(64, dims), 1500, generator=stream(dims))
        found[dims] = trace.acceptance.mean().item(), ess(trace.position).mean().item()
    for dims, rate in ((2, 0.355), (8, 0.269), (32, 0.242)):
        assert abs(found[dims][0] - rate) < 0.01
    shares = [found[dims][1] / (64 * 1500) * dims for dims in found]
    assert max(shares) / min(shares) < 1.5
