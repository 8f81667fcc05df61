import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from etude.core.random import stream
from etude.formulas.mcmc.finite import (
    all_states,
    gibbs_matrix,
    imbalance,
    metropolis_matrix,
    relaxation_time,
    stationary,
)
from etude.formulas.mcmc.targets import Ising

SPINS = torch.tensor([-1.0, 1.0]).double()


def drawn(states, seed):
    g = stream(seed)
    target = torch.rand(states, generator=g, dtype=torch.float64) + 0.01
    q = torch.rand(states, states, generator=g, dtype=torch.float64)
    return target / target.sum(), q / q.sum(dim=1, keepdim=True)


@given(states=st.integers(2, 7), seed=st.integers(0, 99))
def test_metropolis_hastings_is_balanced_and_keeps_the_target(states, seed):
    target, q = drawn(states, seed)
    matrix = metropolis_matrix(target, q)
    assert imbalance(target, matrix) < 1e-15
    torch.testing.assert_close(matrix.sum(dim=1), torch.ones(states).double())
    assert (matrix >= -1e-15).all()
    torch.testing.assert_close(stationary(matrix), target, rtol=1e-10, atol=1e-12)


@given(states=st.integers(3, 7), seed=st.integers(0, 99))
def test_without_hastings_ratio_another_distribution_is_kept(states, seed):
    target, q = drawn(states, seed)
    wrong = metropolis_matrix(target, q, hastings=False)
    assert imbalance(target, wrong) > 1e-6
    assert (stationary(wrong) - target).abs().max() > 1e-5
    symmetric = (q + q.mT) / (2 * states)
    symmetric = symmetric + (1 - symmetric.sum(dim=1)).diag()
    same = metropolis_matrix(target, symmetric, hastings=False)
    torch.testing.assert_close(same, metropolis_matrix(target, symmetric))


def test_two_states_in_the_head():
    """π = (¾, ¼), always propose the other: from the first accept ⅓, from the second always."""
    flip = torch.tensor([[0.0, 1.0], [1.0, 0.0]]).double()
    matrix = metropolis_matrix(torch.tensor([0.75, 0.25]).double(), flip)
    torch.testing.assert_close(matrix, torch.tensor([[2 / 3, 1 / 3], [1.0, 0.0]]).double())
    # The second eigenvalue is trace − 1 = −1/3: time (1 − 1/3)/(1 + 1/3) = 1/2.
    values = torch.tensor([0.0, 1.0]).double()
    time = relaxation_time(torch.tensor([0.75, 0.25]).double(), matrix, values)
    assert time.item() == pytest.approx(0.5, abs=1e-12)


def test_a_draw_of_one_coordinate_is_balanced_and_a_sweep_is_only_stationary():
    target = Ising(2, 2, 0.5, 0.3)
    exact = target(all_states(SPINS, 4)).softmax(dim=0)
    sites = [gibbs_matrix(target, SPINS, 4, k) for k in range(4)]
    for site in sites:
        assert imbalance(exact, site) < 1e-16
        torch.testing.assert_close(site @ site, site)  # to draw twice is to draw once
    sweep, mixed = torch.linalg.multi_dot(sites), torch.stack(sites).mean(dim=0)
    torch.testing.assert_close(stationary(sweep), exact, rtol=1e-10, atol=1e-12)
    assert imbalance(exact, sweep) > 1e-4
    assert imbalance(exact, mixed) < 1e-16
    torch.testing.assert_close(stationary(mixed), exact, rtol=1e-10, atol=1e-12)


def test_all_spins_at_once_keep_another_distribution():
    """Each from its conditional given the old others: the product of the four marginal draws."""
    target, states = Ising(2, 2, 0.5, 0.3), all_states(SPINS, 4)
    exact = target(states).softmax(dim=0)
    up = torch.stack([
        gibbs_matrix(target, SPINS, 4, k)[:, states[:, k] > 0].sum(dim=1) for k in range(4)
    ], dim=1)  # fmt: skip
    chances = torch.where(states[None] > 0, up[:, None], 1 - up[:, None]).prod(dim=-1)
    torch.testing.assert_close(chances.sum(dim=1), torch.ones(16).double())
    assert (stationary(chances) - exact).abs().max() > 0.01


def test_the_autocorrelation_time_is_the_sum_of_all_autocorrelations(parity):
    target, q = drawn(5, 3)
    matrix = metropolis_matrix(target, q)
    values = torch.arange(5).double()
    f = values - target @ values
    rho, power = [], torch.eye(5).double()
    for _ in range(400):
        rho.append((target * f) @ power @ f / ((target * f) @ f))
        power = power @ matrix
    ours = relaxation_time(target, matrix, values)
    parity("autocorrelation time", ours, 2 * sum(rho) - 1,
           reference="a sum of 400 powers of the matrix", tolerance=1e-10)  # fmt: skip


def test_states_are_counted_like_numbers():
    states = all_states(torch.tensor([0.0, 1.0, 2.0]), 2)
    assert torch.equal(states @ torch.tensor([3.0, 1.0]), torch.arange(9).float())


@pytest.mark.usefixtures("as_a_user")
def test_a_chain_that_falls_apart_is_refused():
    with pytest.raises(ValueError, match="matrix falls apart"):
        stationary(torch.eye(3).double())
    with pytest.raises(ValueError, match="proposal has 3 states, expected 2"):
        metropolis_matrix(torch.ones(2) / 2, torch.ones(3, 3) / 3)
