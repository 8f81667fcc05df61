import pytest
import torch

from etude.core.random import stream
from etude.formulas.mcmc.calibration import ranks_of_truth, uniformity
from etude.formulas.mcmc.gibbs import Gibbs, gaussian_blocks
from etude.formulas.mcmc.hamiltonian import HamiltonianMonteCarlo
from etude.formulas.mcmc.kernel import run
from etude.formulas.mcmc.metropolis import (
    MetropolisAdjustedLangevin,
    MetropolisHastings,
    Proposal,
    RandomWalkMetropolis,
    log_normal_walk,
)
from etude.formulas.mcmc.slice import EllipticalSlice, HyperrectangleSlice, SliceSampler

WORLDS, DRAWS, THIN = 1500, 39, 12
FACTOR = torch.tensor([[1.0, 0.0], [0.5, 0.8]]).double()
COVARIANCE = FACTOR @ FACTOR.mT


def normal_worlds():
    """Parameters from N(0, LLᵀ), four numbers around each with noise 1: one world a chain."""
    g = stream(0)
    truth = torch.randn(WORLDS, 2, generator=g, dtype=torch.float64) @ FACTOR.mT
    data = truth + torch.randn(4, WORLDS, 2, generator=g, dtype=torch.float64)
    return truth, data.sum(dim=0)


TRUTH, SUMS = normal_worlds()


def log_likelihood(x):
    return (x * SUMS).sum(-1) - 2 * x.square().sum(-1)


def log_posterior(x):
    return log_likelihood(x) - torch.cholesky_solve(x.mT, FACTOR).mul(x.mT).sum(0) / 2


def calibrate(kernel, truth, thin=THIN):
    trace = run(kernel, torch.ones_like(truth), DRAWS * thin, burn_in=100, generator=stream(1))
    ranks = ranks_of_truth(truth, trace.position[thin - 1 :: thin])
    return uniformity(ranks, DRAWS, 20).sigmas


KERNELS = {
    "random walk": (RandomWalkMetropolis(log_posterior, 0.7), 24),
    "Langevin": (MetropolisAdjustedLangevin(log_posterior, 0.6), 12),
    "Hamiltonian": (HamiltonianMonteCarlo(log_posterior, 0.35, 3, jitter=0.3), 2),
    "slice": (SliceSampler(log_posterior, 2.0), 3),
    "hyperrectangle": (HyperrectangleSlice(log_posterior, 2.0), 8),
    "elliptical": (EllipticalSlice(log_likelihood, FACTOR), 8),
}


@pytest.mark.parametrize(("kernel", "thin"), KERNELS.values(), ids=KERNELS)
def test_the_truth_has_any_rank_equally_often(kernel, thin):
    assert (calibrate(kernel, TRUTH, thin) < 5).all()


def test_gibbs_is_calibrated():
    posterior = torch.linalg.inv(torch.cholesky_inverse(FACTOR) + 4 * torch.eye(2))
    zero = torch.zeros(2).double()

    class Shifted(Gibbs):
        """Every world has its own mean and the same covariance."""

        def step(self, state, generator=None):
            center = SUMS @ posterior
            moved, info = super().step(self.init(state.position - center), generator)
            return self.init(moved.position + center), info

    kernel = Shifted(gaussian_blocks(zero, posterior))
    assert (calibrate(kernel, TRUTH, 2) < 5).all()


def test_too_wide_a_posterior_and_a_shifted_one_are_caught():
    """Data counted half, and a prior around 1 instead of 0."""
    half = HamiltonianMonteCarlo(
        lambda x: log_posterior(x) - log_likelihood(x) / 2, 0.35, 3, jitter=0.3
    )
    assert (calibrate(half, TRUTH, 2) > 5).all()
    inverse = torch.cholesky_inverse(FACTOR).sum(dim=0)
    shifted = HamiltonianMonteCarlo(lambda x: log_posterior(x) + x @ inverse, 0.35, 3, jitter=0.3)
    assert (calibrate(shifted, TRUTH, 2) > 5).any()


def test_a_forgotten_hastings_ratio_is_caught():
    """Rates from Γ(2), counts from Poisson(rate): with the ratio calibrated, without it not."""
    g = stream(0)
    rates = torch._standard_gamma(torch.full((WORLDS, 1), 2.0).double(), generator=g)
    counts = torch.poisson(rates.expand(WORLDS, 3), generator=g).sum(dim=1)

    def posterior(x):
        return (1 + counts) * x[:, 0].log() - 4 * x[:, 0]

    right = log_normal_walk(0.6)
    wrong = Proposal(right.draw, lambda to, given: torch.zeros_like(to[:, 0]))
    assert (calibrate(MetropolisHastings(posterior, right), rates) < 5).all()
    assert (calibrate(MetropolisHastings(posterior, wrong), rates) > 5).all()


def test_ranks_in_the_head():
    draws = torch.tensor([[1.0], [4.0], [2.0]])[:, :, None]
    ranks = ranks_of_truth(torch.tensor([[3.0]]), draws)
    assert ranks.item() == 2
    assert ranks_of_truth(torch.tensor([[0.0]]), draws).item() == 0
    assert ranks_of_truth(torch.tensor([[9.0]]), draws).item() == 3


def test_counts_and_chi_squared_in_the_head():
    """Ranks 0, 0, 1, 3 of 0–3 in two bins: three and one, χ² = (1 + 1)/2."""
    found = uniformity(torch.tensor([[0], [0], [1], [3]]), 3, 2)
    assert found.counts[:, 0].tolist() == [3, 1]
    assert found.chi2.item() == 1.0
    assert found.sigmas.item() == pytest.approx(0, abs=1e-7)


def test_the_statistic_has_the_mean_and_spread_that_it_is_measured_with():
    ranks = torch.randint(100, (50, 4000), generator=stream(0))
    sigmas = uniformity(ranks, 99, 20).sigmas
    assert abs(sigmas.mean()) < 5 / 4000**0.5
    assert sigmas.std().item() == pytest.approx(1, abs=0.1)


@pytest.mark.usefixtures("as_a_user")
def test_says_what_does_not_fit():
    with pytest.raises(ValueError, match="bins must divide the 100 possible ranks, got 30"):
        uniformity(torch.zeros(4, 1).long(), 99, 30)
    with pytest.raises(ValueError, match="ranks go up to 100, expected at most 99"):
        uniformity(torch.full((4, 1), 100), 99, 20)
