"""The exact denoiser of round clouds, against densities of torch.distributions and their slopes."""

import math

import pytest
import torch
from torch import distributions

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.mechanisms.diffusion.exact import Clouds
from etude.mechanisms.diffusion.parameterization import diffuse
from etude.mechanisms.diffusion.schedule import Schedule

SCHEDULE = Schedule(100, "cosine")
CENTERS = torch.tensor([[2.0, 0], [-1, 1.5], [0, -1.0]], dtype=torch.float64)


def density(step, spread=0.3):
    """The mixture at one step, as torch writes it."""
    level = SCHEDULE.level(step)
    width = ((level.cos * spread) ** 2 + level.sin**2) ** 0.5
    clouds = distributions.Independent(distributions.Normal(level.cos * CENTERS, width), 1)
    return clouds, distributions.MixtureSameFamily(
        distributions.Categorical(torch.ones(3, dtype=torch.float64)), clouds
    )


def points(rows=5):
    return torch.randn(rows, 2, generator=stream(0), dtype=torch.float64)


@pytest.mark.parametrize("step", [0, 40, 99])
def test_the_noise_is_the_slope_of_the_log_density(step, parity):
    """noise = −sin · ∇ log p(x), for all clouds and for one."""
    x, level = points().requires_grad_(), SCHEDULE.level(step)
    clouds, every = density(step)
    network, where = Clouds(SCHEDULE, CENTERS, 0.3), torch.full((5,), step)
    (slope,) = torch.autograd.grad(every.log_prob(x).sum(), x)
    parity("noise in a mixture", network(x, where), -level.sin * slope,
           reference="torch.distributions, autograd", tolerance=1e-12)  # fmt: skip
    assert torch.equal(network(x, where), network(x, where, torch.full((5,), 3)))
    label = torch.tensor([0, 1, 2, 0, 1])
    (slope,) = torch.autograd.grad(clouds.log_prob(x[:, None])[range(5), label].sum(), x)
    parity("noise in one cloud", network(x, where, label), -level.sin * slope,
           reference="torch.distributions, autograd", tolerance=1e-12)  # fmt: skip


@pytest.mark.parametrize("step", [0, 40, 99])
def test_the_posterior_is_that_of_bayes(step, parity):
    x = points()
    clouds, every = density(step)
    expected = clouds.log_prob(x[:, None]) - every.log_prob(x)[:, None] - math.log(3)
    found = Clouds(SCHEDULE, CENTERS, 0.3).log_posterior(x, torch.full((5,), step))
    parity("log-posterior of clouds", found, expected, reference="torch.distributions",
           tolerance=1e-12)  # fmt: skip


def test_it_is_the_mean_of_the_noise_that_was_put_in(generator):
    """Of all mixtures that lead near one x, the noises have the mean that is predicted."""
    step, count = 60, 400_000
    level = SCHEDULE.level(step)
    which = torch.randint(3, (count,), generator=generator)
    fresh = torch.randn(2, count, 2, generator=generator, dtype=torch.float64)
    x, _ = diffuse(CENTERS[which] + 0.3 * fresh[0], fresh[1], level)
    here = torch.tensor([[0.3, 0.2]], dtype=torch.float64)
    near = (x - here).norm(dim=1) < 0.1
    noise = fresh[1][near]
    expected = Clouds(SCHEDULE, CENTERS, 0.3)(here, torch.tensor([step]))[0]
    assert ((noise.mean(0) - expected).abs() < 5 * noise.std(0) / len(noise) ** 0.5).all()


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="spread must not be negative, got -1"):
        Clouds(SCHEDULE, CENTERS, -1)
    with pytest.raises(
        ShapeError, match=r"centers has 1 axes, shape \(2,\); expected \(modes dim\)"
    ):
        Clouds(SCHEDULE, CENTERS[0], 1)
    with pytest.raises(ShapeError, match="x has 3 dim, expected 2"):
        Clouds(SCHEDULE, CENTERS, 1)(torch.zeros(2, 3).double(), torch.zeros(2).long())
