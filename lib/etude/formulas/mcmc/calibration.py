"""Simulation-based calibration: draws of the posterior must rank the truth anywhere, equally often.

Chapter: formulas/mcmc
"""

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from etude.core.shapes import bind

__all__ = ["Uniformity", "ranks_of_truth", "uniformity"]


class Uniformity(NamedTuple):
    """How far counts are from equal, for each parameter, (dims,)."""

    counts: Tensor  # (bins, dims)
    chi2: Tensor
    sigmas: Tensor  # (χ² − mean) / standard deviation


def ranks_of_truth(
    truth: Float[Tensor, "chains dims"], draws: Float[Tensor, "draws chains dims"]
) -> Int[Tensor, "chains dims"]:
    """How many of a chain's draws lie below the parameter that its data were made with.

    Chain i samples the posterior of data set i. If the parameters came from the prior, and the draws
    are independent, every rank from 0 to the number of draws is equally likely.

    Source: Talts, Betancourt, Simpson, Vehtari & Gelman (2018), Theorem 1.
    """
    # Eq. (rank-of-truth)
    below: Bool[Tensor, "draws chains dims"] = draws < truth
    return below.sum(dim=0)


def uniformity(ranks: Int[Tensor, "chains dims"], draws: int, bins: int) -> Uniformity:
    """Compare the counts of ranks 0 … `draws`, in equal bins, with equal counts, by χ².

    Raises:
        ValueError: the number of possible ranks is no multiple of the bins, or a rank is too large.
    """
    size = bind(ranks=(ranks, "chains dims"))["chains"]
    if (draws + 1) % bins:
        raise ValueError(f"bins must divide the {draws + 1} possible ranks, got {bins}")
    if len(ranks) and int(ranks.max()) > draws:
        raise ValueError(f"ranks go up to {int(ranks.max())}, expected at most {draws}")
    place = ranks // ((draws + 1) // bins)
    counts = torch.stack([(place == k).sum(dim=0) for k in range(bins)])
    expected = size / bins
    # Eq. (chi-squared)
    chi2 = (counts - expected).square().sum(dim=0) / expected
    # Exact moments of the statistic when all ranks are equally likely.
    deviation = (2 * (bins - 1) * (size - 1) / size) ** 0.5
    return Uniformity(counts, chi2, (chi2 - (bins - 1)) / deviation)
