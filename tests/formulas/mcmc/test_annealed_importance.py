import math

import pytest
import torch

from etude.core.random import stream
from etude.formulas.mcmc.annealed_importance import (
    annealed_importance,
    geometric_path,
    log_mean_weight,
    weighted_size,
)
from etude.formulas.mcmc.finite import all_states
from etude.formulas.mcmc.gibbs import Gibbs, discrete_blocks
from etude.formulas.mcmc.hamiltonian import HamiltonianMonteCarlo
from etude.formulas.mcmc.metropolis import RandomWalkMetropolis
from etude.formulas.mcmc.targets import Gaussian, Ising, Mixture
from tests.formulas.mcmc.invariance import normal

SPINS = torch.tensor([-1.0, 1.0]).double()


def spins(count, dims):
    return SPINS[torch.randint(2, (count, dims), generator=stream(0))]


def mean_and_error(log_weight):
    weight = log_weight.exp()
    return weight.mean().item(), 5 * weight.std().item() / len(weight) ** 0.5


@pytest.mark.parametrize("bridges", [1, 4, 16])
def test_the_mean_weight_is_the_ratio_of_the_constants_however_short_the_path(bridges):
    """A grid of 3 × 3 spins: Z is a sum over 512 states."""
    target = Ising(3, 3, 0.5, 0.1)
    exact = target(all_states(SPINS, 9)).exp().sum().item() / 2**9
    path = geometric_path(lambda x: torch.zeros_like(x[:, 0]), target,
                          torch.linspace(0, 1, bridges + 1).double())  # fmt: skip
    kernels = [Gibbs(discrete_blocks(density, SPINS, 9)) for density in path[1:]]
    found = annealed_importance(path, kernels, spins(4000, 9), generator=stream(1))
    mean, error = mean_and_error(found.log_weight)
    assert abs(mean - exact) < error
    assert error < 0.6 * exact
    assert log_mean_weight(found.log_weight).item() == pytest.approx(math.log(mean))


def test_a_longer_path_makes_the_weights_more_equal():
    target = Mixture(torch.tensor([[3.0, 3.0], [-3.0, 3.0]]).double(), 0.5)
    first = Gaussian(torch.zeros(2).double(), 3 * torch.eye(2).double())
    sizes = []
    for bridges in (2, 10, 50):
        path = geometric_path(first, target, torch.linspace(0, 1, bridges + 1).double())
        kernels = [HamiltonianMonteCarlo(f, 0.3, 5, jitter=0.2) for f in path[1:]]
        found = annealed_importance(
            path, kernels, first.sample(2000, stream(0)), generator=stream(1)
        )
        mean, error = mean_and_error(found.log_weight)
        assert abs(mean - 1) < error  # both densities are normalized
        sizes.append(weighted_size(found.log_weight).item())
    assert sizes[0] < sizes[1] < sizes[2] <= 2000
    assert sizes[2] > 3 * sizes[0]


def test_weighted_positions_are_draws_of_the_last_density():
    first = Gaussian(torch.zeros(2).double(), 2 * torch.eye(2).double())
    last = Gaussian(torch.tensor([0.5, -0.5]).double(), torch.eye(2).double())
    path = geometric_path(first, last, torch.linspace(0, 1, 9).double())
    kernels = [RandomWalkMetropolis(f, 0.8) for f in path[1:]]
    found = annealed_importance(path, kernels, first.sample(40_000, stream(0)), generator=stream(1))
    mean = found.log_weight.softmax(0) @ found.position
    size = weighted_size(found.log_weight).item()
    assert ((mean - last.mean).abs() < 5 / size**0.5).all()


def test_the_first_weight_is_taken_before_anything_moves():
    """One bridge: importance sampling, to the last digit, whatever the kernel does."""
    first, last = (lambda x: -x.square().sum(-1) / 2), (lambda x: -(x - 1).square().sum(-1))
    x = normal(50, 2)
    found = annealed_importance([first, last], [RandomWalkMetropolis(last, 1.0)], x,
                                generator=stream(0))  # fmt: skip
    torch.testing.assert_close(found.log_weight, last(x) - first(x), rtol=0, atol=0)
    assert (found.position != x).any()


def test_equal_weights_count_fully_and_one_alone_counts_as_one():
    assert weighted_size(torch.full((7,), -900.0).double()).item() == pytest.approx(7)
    assert weighted_size(torch.tensor([0.0, -900.0, -900.0])).item() == pytest.approx(1)
    assert log_mean_weight(torch.full((7,), -900.0)).item() == pytest.approx(-900)


def test_the_path_begins_and_ends_where_it_should():
    first, last = (lambda x: x[:, 0]), (lambda x: 3 * x[:, 0])
    x = normal(4, 1)
    path = geometric_path(first, last, torch.tensor([0.0, 0.25, 1.0]).double())
    for f, factor in zip(path, (1.0, 1.5, 3.0), strict=True):
        torch.testing.assert_close(f(x), factor * x[:, 0])


@pytest.mark.usefixtures("as_a_user")
def test_says_how_many_kernels_it_needs():
    with pytest.raises(ValueError, match="kernels has 0 kernels, expected 1 for 2 densities"):
        annealed_importance([lambda x: x, lambda x: x], [], normal(2, 1))
