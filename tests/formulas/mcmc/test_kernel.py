import dataclasses

import pytest
import torch

from etude.core.random import stream
from etude.formulas.mcmc.gibbs import Gibbs, gaussian_blocks
from etude.formulas.mcmc.hamiltonian import HamiltonianMonteCarlo
from etude.formulas.mcmc.kernel import AbstractKernel, State, decide, run
from etude.formulas.mcmc.metropolis import (
    MetropolisAdjustedLangevin,
    MetropolisHastings,
    RandomWalkMetropolis,
    log_normal_walk,
)
from etude.formulas.mcmc.slice import EllipticalSlice, HyperrectangleSlice, SliceSampler
from etude.formulas.mcmc.targets import Gaussian
from tests.formulas.mcmc.invariance import normal

EYE = torch.eye(2, dtype=torch.float64)
TARGET = Gaussian(torch.zeros(2, dtype=torch.float64), EYE)
KERNELS = {
    "random walk": RandomWalkMetropolis(TARGET, 1.5),
    "Metropolis–Hastings": MetropolisHastings(TARGET, log_normal_walk(0.5)),
    "Langevin": MetropolisAdjustedLangevin(TARGET, 0.8),
    "Gibbs": Gibbs(gaussian_blocks(TARGET.mean, EYE)),
    "slice": SliceSampler(TARGET),
    "hyperrectangle": HyperrectangleSlice(TARGET, 3.0),
    "elliptical": EllipticalSlice(TARGET, EYE),
    "Hamiltonian": HamiltonianMonteCarlo(TARGET, 0.3, 5, jitter=0.2),
}
every = pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)


@every
def test_one_run_serves_every_kernel(kernel):
    begin = normal(7, 2).abs()
    trace = run(kernel, begin, 4, burn_in=2, generator=stream(0))
    assert trace.position.shape == (4, 7, 2)
    for each in trace[1:]:
        assert each.shape == (4, 7)
    assert trace.position.dtype == trace.acceptance.dtype == torch.float64
    assert ((trace.acceptance >= 0) & (trace.acceptance <= 1)).all()
    assert trace.accepted.dtype == trace.diverged.dtype == torch.bool
    assert trace.evaluations.dtype == torch.int64


@every
def test_the_same_seed_gives_the_same_draws_and_the_start_is_left_alone(kernel):
    begin = normal(5, 2).abs()
    kept = begin.clone()
    one, two, other = (run(kernel, begin, 3, generator=stream(s)).position for s in (0, 0, 1))
    torch.testing.assert_close(begin, kept, rtol=0, atol=0)
    torch.testing.assert_close(one, two, rtol=0, atol=0)
    assert not torch.equal(one, other)


@every
def test_burn_in_is_steps_that_are_forgotten(kernel):
    begin = normal(5, 2).abs()
    late = run(kernel, begin, 2, burn_in=3, generator=stream(0)).position
    whole = run(kernel, begin, 5, generator=stream(0)).position
    torch.testing.assert_close(late, whole[3:], rtol=0, atol=0)


@every
def test_float32_stays_float32(kernel):
    if isinstance(kernel, Gibbs):
        kernel = Gibbs(gaussian_blocks(TARGET.mean.float(), EYE.float()))
    elif isinstance(kernel, EllipticalSlice):
        kernel = EllipticalSlice(lambda x: -x.square().sum(-1), EYE.float())
    else:
        kernel = dataclasses.replace(kernel, log_density=lambda x: -x.square().sum(-1))
    trace = run(kernel, normal(5, 2).float().abs(), 3, generator=stream(0))
    assert trace.position.dtype == trace.acceptance.dtype == torch.float32


@every
def test_a_kernel_cannot_change_while_it_runs(kernel):
    assert isinstance(kernel, AbstractKernel)
    for field in dataclasses.fields(kernel):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(kernel, field.name, None)


def test_a_refused_proposal_repeats_the_position():
    trace = run(RandomWalkMetropolis(TARGET, 3.0), normal(50, 2), 20, generator=stream(0))
    still = (trace.position[1:] == trace.position[:-1]).all(-1)
    assert torch.equal(still, ~trace.accepted[1:])
    assert 0.1 < still.double().mean() < 0.9


def test_one_chain_does_not_look_at_another():
    """The same numbers drawn, another neighbor: no chain may notice. In particular no loop of all."""
    for kernel in (KERNELS["slice"], KERNELS["elliptical"], KERNELS["Hamiltonian"]):
        begin = normal(4, 2)
        apart = begin.clone()
        apart[3] += 0.01  # so near that the number of draws is the same
        one, two = (run(kernel, x, 1, generator=stream(3)).position[0] for x in (begin, apart))
        torch.testing.assert_close(one[:3], two[:3], rtol=0, atol=0)
        assert not torch.equal(one[3], two[3])


@pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
def test_what_is_no_density_is_refused(bad):
    old = State(torch.zeros(4, 1), torch.zeros(4))
    new = State(torch.ones(4, 1), torch.full((4,), bad))
    state, acceptance, accepted = decide(old, new, new.log_density - old.log_density, stream(0))
    assert not accepted.any()
    assert (acceptance == 0).all()
    assert torch.equal(state.position, old.position)


def test_a_better_place_is_always_taken_and_a_worse_one_by_its_ratio():
    old = State(torch.zeros(100_000, 1), torch.zeros(100_000))
    new = State(torch.ones(100_000, 1), torch.full((100_000,), -1.0))
    _, acceptance, accepted = decide(old, new, new.log_density, stream(0))
    p = torch.tensor(-1.0).exp().item()
    torch.testing.assert_close(acceptance, torch.full_like(acceptance, p))
    assert abs(accepted.double().mean().item() - p) < 5 * (p * (1 - p) / 100_000) ** 0.5
    assert decide(old, old, old.log_density, stream(0))[2].all()


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong_with_a_start():
    kernel = RandomWalkMetropolis(lambda x: x[:, 0].log(), 1.0)
    with pytest.raises(ValueError, match="log_density of chain 1 is nan.*inside the support"):
        run(kernel, torch.tensor([[1.0], [-1.0]]), 3)
    with pytest.raises(ValueError, match="chain 0 is -inf"):
        run(HamiltonianMonteCarlo(lambda x: x[:, 0].log()), torch.zeros(2, 1), 3)
    with pytest.raises(ValueError, match=r"log_density has shape \(2, 1\), expected one of 2"):
        run(RandomWalkMetropolis(lambda x: x, 1.0), torch.zeros(2, 1), 3)
    with pytest.raises(ValueError, match="steps must be positive"):
        run(kernel, torch.ones(2, 1), 0)
    with pytest.raises(ValueError, match="burn_in not negative"):
        run(kernel, torch.ones(2, 1), 1, burn_in=-1)
    with pytest.raises(TypeError, match="position holds int64, expected a floating type"):
        run(kernel, torch.ones(2, 1).long(), 1)
    with pytest.raises(ValueError, match="position has 1 axes"):
        run(kernel, torch.ones(2), 1)
