import math
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from etude.core.random import stream
from etude.formulas.mcmc.adaptation import DualAveraging, warm_up
from etude.formulas.mcmc.diagnostics import ess, rhat
from etude.formulas.mcmc.hamiltonian import (
    HamiltonianMonteCarlo,
    kinetic_energy,
    leapfrog,
)
from etude.formulas.mcmc.kernel import run
from etude.formulas.mcmc.metropolis import (
    GradientState,
    RandomWalkMetropolis,
    value_and_gradient,
)
from etude.formulas.mcmc.targets import Banana, Funnel, Gaussian
from tests.formulas.mcmc.invariance import FIVE_SIGMA, moved, normal, worst

BANANA, FUNNEL, COUNT = Banana(0.3, 1.5), Funnel(1.0), 40_000


def evaluate(x):
    """The banana's gradient by hand, so that autograd can look through a trajectory."""
    bent = x[:, 1] - 0.3 * (x[:, 0].square() - 1.5**2)
    slope = torch.stack([-x[:, 0] / 1.5**2 + bent * 0.6 * x[:, 0], -bent], dim=1)
    return BANANA(x), slope


def begin(count, seed=0):
    x = normal(count, 2, seed)
    return GradientState(x, *evaluate(x)), normal(count, 2, seed + 1)


@given(size=st.floats(0.01, 0.5), steps=st.integers(1, 30), seed=st.integers(0, 20))
def test_a_trajectory_leads_home_when_the_momentum_is_turned(size, steps, seed):
    state, push = begin(20, seed)
    weight = torch.tensor([0.5, 2.0]).double()
    there, momentum = leapfrog(state, push, evaluate, size, steps, weight)
    home, back = leapfrog(there, -momentum, evaluate, size, steps, weight)
    inside = there.position.abs().amax(dim=1) < 1e3  # what flies off keeps no digits
    torch.testing.assert_close(
        home.position[inside], state.position[inside], rtol=1e-10, atol=1e-10
    )
    torch.testing.assert_close(-back[inside], push[inside], rtol=1e-10, atol=1e-10)


def test_a_trajectory_keeps_volumes(parity):
    def flow(z):
        state = GradientState(z[None, :2], *evaluate(z[None, :2]))
        new, momentum = leapfrog(state, z[None, 2:], evaluate, 0.3, 7)
        return torch.cat([new.position[0], momentum[0]])

    for seed in range(5):
        z = normal(1, 4, seed)[0]
        jacobian = torch.func.jacrev(flow)(z)
        parity("determinant of a leapfrog trajectory", torch.linalg.det(jacobian), 1.0,
               reference="1, volume is kept", tolerance=1e-12)  # fmt: skip
        turn = torch.tensor([[0.0, 1.0], [-1.0, 0.0]]).double().kron(torch.eye(2).double())
        torch.testing.assert_close(jacobian.mT @ turn @ jacobian, turn)  # symplectic


def test_the_error_of_the_energy_falls_with_the_square_of_the_step():
    state, push = begin(50)

    def error(size):
        new, momentum = leapfrog(state, push, evaluate, size, round(1.2 / size))
        one = torch.ones(2).double()
        before = kinetic_energy(push, one) - state.log_density
        return (kinetic_energy(momentum, one) - new.log_density - before).abs().mean().log()

    sizes = torch.tensor([0.12, 0.06, 0.03, 0.015]).double()
    errors = torch.stack([error(size.item()) for size in sizes])
    x = sizes.log() - sizes.log().mean()
    assert ((x @ errors) / (x @ x)).item() == pytest.approx(2, abs=0.1)


def test_one_step_in_the_head():
    """On ½x² from (1, 0) with step ½: p = −¼, x = 1 − ⅛ = ⅞, p = −¼ − ⅞/4 = −15/32."""
    x = torch.ones(1, 1)
    state = GradientState(x, -x.square().sum(-1) / 2, -x)
    new, momentum = leapfrog(state, torch.zeros(1, 1), lambda x: (-(x[:, 0] ** 2) / 2, -x), 0.5, 1)
    assert new.position.item() == 7 / 8
    assert momentum.item() == -15 / 32


def test_a_normal_target_is_followed_as_the_matrix_of_a_step_says(parity):
    """A step is [[1 − ε²/2, ε], [−ε + ε³/4, 1 − ε²/2]]: stable if and only if ε < 2."""
    e = 0.7
    rows = [[1 - e**2 / 2, e], [-e + e**3 / 4, 1 - e**2 / 2]]
    matrix = torch.tensor(rows, dtype=torch.float64)
    z = normal(6, 2)
    state = GradientState(z[:, :1], -(z[:, 0] ** 2) / 2, -z[:, :1])
    new, momentum = leapfrog(state, z[:, 1:], lambda x: (-(x[:, 0] ** 2) / 2, -x), e, 9)
    ours = torch.cat([new.position, momentum], dim=1)
    parity("nine leapfrog steps", ours, z @ torch.linalg.matrix_power(matrix, 9).mT,
           reference="a power of the matrix of one", tolerance=1e-13)  # fmt: skip
    for size, stable in ((1.99, True), (2.01, False)):
        far = leapfrog(state, z[:, 1:], lambda x: (-(x[:, 0] ** 2) / 2, -x), size, 2000)[0].position
        assert (far.abs().max() < 1e3) == stable


@pytest.mark.parametrize("options", [
    {"step_size": 0.5, "steps": 5},
    {"step_size": 0.3, "steps": 8, "jitter": 0.5},
    {"step_size": 0.4, "steps": 4, "inverse_mass": torch.tensor([3.0, 0.5]).double()},
    {"step_size": 0.9, "steps": 3},
])  # fmt: skip
def test_exact_draws_stay_exact(options):
    z = normal(COUNT, 2)
    x = 1.5 * z[:, 0]
    draws = torch.stack([x, z[:, 1] + 0.3 * (x.square() - 1.5**2)], dim=1)
    after = moved(HamiltonianMonteCarlo(BANANA, **options), draws)
    assert worst(BANANA.straighten(after)) > FIVE_SIGMA
    after = moved(HamiltonianMonteCarlo(FUNNEL, **options), FUNNEL.bend(z))
    assert worst(FUNNEL.straighten(after)) > FIVE_SIGMA


def test_the_comparison_sees_a_momentum_of_the_wrong_size():
    class Wrong(HamiltonianMonteCarlo):
        def _inverse_mass(self, position):
            return torch.tensor([1.0, 1.0]).double()

        def step(self, state, generator=None):
            new, info = super().step(state, generator)
            return (GradientState(*new) if info.accepted.all() else new), info

    z = normal(COUNT, 2)
    good = Wrong(FUNNEL, 0.5, 3)
    assert worst(FUNNEL.straighten(moved(good, FUNNEL.bend(z)))) > FIVE_SIGMA

    class Hot(Wrong):
        def step(self, state, generator=None):
            push = 1.1 * torch.randn_like(state.position, generator=generator)
            new, _ = leapfrog(state, push, value_and_gradient(FUNNEL), 0.1, 8)
            return new, super().step(state, generator)[1]

    assert worst(FUNNEL.straighten(moved(Hot(FUNNEL, 0.1, 8), FUNNEL.bend(z)))) < FIVE_SIGMA


def test_a_trajectory_that_runs_away_is_refused_and_reported():
    kernel = HamiltonianMonteCarlo(lambda x: -x.pow(4).sum(-1), 1.0, 20)
    trace = run(kernel, 3 * normal(50, 1), 5, generator=stream(0))
    assert trace.diverged.any()
    assert not trace.accepted[trace.diverged].any()
    assert trace.position.isfinite().all()
    calm = run(replace(kernel, step_size=0.01), normal(50, 1), 5, generator=stream(0))
    assert not calm.diverged.any()


@pytest.mark.parametrize("factor", [-4000.0, 4000.0])
def test_a_factor_of_the_density_is_no_divergence(factor):
    """What counts is how much the energy changed, not how large it is."""
    start = normal(50, 1)
    plain, shifted = (
        run(HamiltonianMonteCarlo(lambda x, c=c: c - x.square().sum(-1) / 2, 0.5, 5), start, 5, generator=stream(0))
        for c in (0.0, factor)
    )  # fmt: skip
    assert not shifted.diverged.any()
    assert (shifted.position - plain.position).abs().max() < 1e-9


@pytest.mark.parametrize("target", [0.6, 0.8, 0.95])
def test_dual_averaging_reaches_its_target(target):
    """α = e^{−ε}: the step size must become −log δ."""
    rule = DualAveraging(target)
    tuning = rule.init(torch.tensor(3.0).double())
    for _ in range(2000):
        tuning = rule.step(tuning, (-tuning.log_size.exp()).exp())
    assert (-tuning.log_mean.exp()).exp().item() == pytest.approx(target, abs=0.005)


def test_the_first_step_of_dual_averaging_in_the_head():
    """H̄ = (.8 − .3)/11, log ε = log 10 − H̄/.05, and the mean forgets its start at t = 1."""
    rule = DualAveraging()
    tuning = rule.step(rule.init(torch.tensor(1.0).double()), torch.tensor(0.3).double())
    expected = math.log(10) - 0.5 / 11 / 0.05
    assert tuning.log_size.item() == pytest.approx(expected)
    assert tuning.log_mean.item() == pytest.approx(expected)


@pytest.mark.parametrize("chosen", [0.6, 0.8, 0.9])
def test_warming_up_finds_scales_and_acceptance(chosen):
    # In few dimensions acceptance falls off a cliff at the longest stable step; in 20 it slopes.
    scales = torch.logspace(-2, 1.7, 20).double()
    target = Gaussian(torch.zeros(20).double(), scales.diag())
    kernel, position = warm_up(
        HamiltonianMonteCarlo(target, 0.1, 8, jitter=0.3), normal(64, 20), 600,
        target=chosen, generator=stream(0),
    )  # fmt: skip
    assert (kernel.inverse_mass.sqrt() / scales).log().abs().max() < 0.25
    trace = run(kernel, position, 500, generator=stream(1))
    assert trace.acceptance.mean().item() == pytest.approx(chosen, abs=0.05)
    assert rhat(trace.position).max() < 1.02


def test_masses_stay_where_nothing_has_moved():
    def flat(x):
        return -x[:, 0].square() / 2

    begin = torch.zeros(1, 1).double()
    kernel, _ = warm_up(HamiltonianMonteCarlo(flat, 1e-300, 1), begin, 24, generator=stream(0))
    assert (kernel.inverse_mass > 0).all()


def test_long_trajectories_beat_the_random_walk_more_and_more():
    """Evaluations counted: the ratio grows with the dimension (Neal 2011, section 4.4)."""
    ratios = []
    for dims in (2, 8, 32):

        def target(x):
            return -x.square().sum(-1) / 2

        size = 1.3 * dims**-0.25
        steps = max(1, round(1.5 / size))
        hmc = HamiltonianMonteCarlo(target, size, steps, jitter=0.2)
        walk = RandomWalkMetropolis(target, 2.38 / dims**0.5)
        one = run(hmc, normal(64, dims), 300, generator=stream(0))
        two = run(walk, normal(64, dims), 1500, generator=stream(0))
        share = [ess(t.position).mean() / t.evaluations.sum() for t in (one, two)]
        ratios.append((share[0] / share[1]).item())
    assert ratios[0] > 2
    assert ratios[1] > 2 * ratios[0]
    assert ratios[2] > 2 * ratios[1]


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong_with_its_settings():
    with pytest.raises(ValueError, match="steps must be positive and 0 ≤ jitter < 1, got 0"):
        HamiltonianMonteCarlo(BANANA, 0.1, 0)
    with pytest.raises(ValueError, match="jitter < 1, got 10 and 1.0"):
        HamiltonianMonteCarlo(BANANA, 0.1, jitter=1.0)
    with pytest.raises(ValueError, match="steps must be at least 24, got 23"):
        warm_up(HamiltonianMonteCarlo(BANANA), normal(2, 2), 23)
    with pytest.raises(ValueError, match="target must be between 0 and 1, got 1.0"):
        warm_up(HamiltonianMonteCarlo(BANANA), normal(2, 2), 24, target=1.0)
