"""The game on finitely many points, against scipy, quadrature and cases by hand."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats
from scipy.spatial.distance import jensenshannon

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.networks.gan.optimum import (
    jensen_shannon,
    optimal_discriminator,
    optimal_value,
    value,
)


def pair(seed=0, states=7):
    made = torch.rand(2, 3, states, generator=stream(seed), dtype=torch.float64)
    made[0, :, 0] = made[1, :, 1] = 0  # each never goes where the other may
    return made / made.sum(-1, keepdim=True)


def test_the_divergence_is_that_of_scipy(parity):
    p, q = pair()
    theirs = torch.tensor(jensenshannon(p.numpy(), q.numpy(), axis=-1) ** 2)
    parity("Jensen-Shannon divergence", jensen_shannon(p, q), theirs,
           reference="scipy.spatial.distance.jensenshannon", tolerance=1e-14)  # fmt: skip


def test_the_value_at_the_best_discriminator_is_the_divergence():
    p, q = pair()
    expected = 2 * jensen_shannon(p, q) - 2 * math.log(2)
    torch.testing.assert_close(optimal_value(p, q), expected, rtol=0, atol=1e-14)


def test_no_other_discriminator_is_better():
    p, q = pair()
    best = optimal_discriminator(p, q)
    for seed in range(20):
        nudge = 0.1 * torch.randn(best.shape, generator=stream(seed), dtype=torch.float64)
        other = (best + nudge).clamp(0, 1)
        assert (value(p, q, other) <= optimal_value(p, q) + 1e-15).all()


def test_the_slope_at_the_best_discriminator_is_flat():
    p, q = pair()
    D = optimal_discriminator(p, q)[:, 2:].clone().requires_grad_()  # where both go
    edge = optimal_discriminator(p, q)[:, :2]
    value(p, q, torch.cat([edge, D], -1)).sum().backward()
    assert D.grad.abs().max() < 1e-14


def test_two_coins():
    p, q = torch.tensor([1.0, 0.0]).double(), torch.tensor([0.5, 0.5]).double()
    torch.testing.assert_close(
        optimal_discriminator(p, q), torch.tensor([2 / 3, 0.0], dtype=torch.float64)
    )
    by_hand = math.log(2 / 3) + 0.5 * math.log(1 / 3)
    assert float(optimal_value(p, q)) == pytest.approx(by_hand, abs=1e-15)


def test_equal_and_apart():
    p = torch.tensor([0.25, 0.75, 0.0]).double()
    apart = torch.tensor([0.0, 0.0, 1.0]).double()
    assert float(optimal_value(p, p)) == pytest.approx(-2 * math.log(2), abs=1e-15)
    assert float(optimal_value(p, apart)) == 0.0
    assert float(jensen_shannon(p, apart)) == pytest.approx(math.log(2), abs=1e-15)
    assert optimal_discriminator(p, p)[2] == 0.5, "where neither goes, either answer is as good"


@given(st.integers(0, 1000))
def test_the_players_may_change_places(seed):
    p, q = pair(seed)
    torch.testing.assert_close(jensen_shannon(p, q), jensen_shannon(q, p), rtol=0, atol=1e-15)
    torch.testing.assert_close(
        optimal_discriminator(p, q) + optimal_discriminator(q, p), torch.ones_like(p)
    )


@pytest.mark.parametrize("mean", [0.5, 1.0, 2.0])
def test_two_bells_on_a_fine_grid_are_the_integral(mean):
    """The divergence of N(0, 1) and N(μ, 1), by quadrature and by many small states."""
    edges = np.linspace(-12, 14, 4001)
    p, q = (torch.tensor(np.diff(stats.norm(m).cdf(edges))) for m in (0, mean))
    p, q = p / p.sum(), q / q.sum()

    def density(x):
        a, b = stats.norm.pdf(x), stats.norm.pdf(x, mean)
        return (a * np.log(2 * a / (a + b)) + b * np.log(2 * b / (a + b))) / 2

    integral = integrate.quad(density, -12, 14, epsabs=1e-12)[0]
    assert float(jensen_shannon(p, q)) == pytest.approx(integral, abs=1e-5)


def test_what_is_no_distribution_is_refused(as_a_user):
    p = torch.tensor([0.5, 0.5])
    with pytest.raises(ValueError, match="q sums to 1.5, expected 1"):
        optimal_value(p, torch.tensor([0.5, 1.0]))
    with pytest.raises(ValueError, match="p has an entry of -0.5"):
        jensen_shannon(torch.tensor([-0.5, 1.5]), p)
    with pytest.raises(TypeError, match="p holds int64"):
        optimal_discriminator(torch.tensor([1, 0]), p)


def test_other_states_are_refused(as_a_user):
    p = torch.tensor([0.5, 0.5])
    with pytest.raises(ShapeError, match="q has 3 states, expected 2"):
        jensen_shannon(p, torch.tensor([0.5, 0.25, 0.25]))
