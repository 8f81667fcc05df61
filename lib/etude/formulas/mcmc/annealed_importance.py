"""Annealed importance sampling: a normalizing constant, from a path of densities.

Chapter: formulas/mcmc; used by paradigms/boltzmann_machines
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.formulas.mcmc.kernel import AbstractKernel, LogDensity

__all__ = ["Annealed", "annealed_importance", "geometric_path", "log_mean_weight", "weighted_size"]


class Annealed(NamedTuple):
    """Where the chains end, and how much each of them counts."""

    position: Tensor  # (chains, dims)
    log_weight: Tensor  # (chains,)


def geometric_path(
    first: LogDensity, last: LogDensity, powers: Float[Tensor, " bins"]
) -> list[LogDensity]:
    """first^(1 − β) · last^β for each β: from 0 to 1 a bridge."""

    def between(power: Tensor) -> LogDensity:
        # Eq. (geometric-path)
        return lambda x: (1 - power) * first(x) + power * last(x)

    return [between(power) for power in powers.unbind()]


def annealed_importance(
    log_densities: Sequence[LogDensity],
    kernels: Sequence[AbstractKernel],
    position: Float[Tensor, "chains dims"],
    *,
    generator: torch.Generator | None = None,
) -> Annealed:
    """Weigh draws of the first density as draws of the last, going by the densities in between.

    `position` are exact draws of the first; `kernels[k]` leaves `log_densities[k + 1]` as it is and
    moves the chains once, after they were weighed there. The mean weight is, on average and whatever
    the kernels mix, Z_last / Z_first.

    Source: Neal (2001), Eq. 11.

    Raises:
        ValueError: the number of kernels is not one less than that of the densities.
    """
    if len(kernels) != len(log_densities) - 1:
        raise ValueError(
            f"kernels has {len(kernels)} kernels, expected {len(log_densities) - 1} for "
            f"{len(log_densities)} densities"
        )
    log_weight = torch.zeros_like(position[:, 0])
    for before, after, kernel in zip(log_densities, log_densities[1:], kernels, strict=False):
        # Eq. (annealed-weight)
        log_weight = log_weight + after(position) - before(position)
        state, _ = kernel.step(kernel.init(position), generator)
        position = state.position
    return Annealed(position, log_weight)


def log_mean_weight(log_weight: Float[Tensor, " chains"]) -> Float[Tensor, ""]:
    """log of the mean weight, the estimate of log Z_last − log Z_first."""
    # Eq. (log-mean-weight)
    return log_weight.logsumexp(dim=0) - math.log(len(log_weight))


def weighted_size(log_weight: Float[Tensor, " chains"]) -> Float[Tensor, ""]:
    """(Σw)² / Σw²: how many chains carry the weight."""
    return (2 * log_weight.logsumexp(dim=0) - (2 * log_weight).logsumexp(dim=0)).exp()
