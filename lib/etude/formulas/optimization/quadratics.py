"""What descent does on a quadratic, exactly: rates, and the settings that make them best.

On f(x) = ½ Σ λᵢxᵢ² every coordinate goes its own way, and a step is a matrix of two by two that
acts on (xₜ, xₜ₋₁). μ and L are the least and the largest curvature λ, κ = L/μ.

Chapter: formulas/optimization
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import check_float

__all__ = [
    "Tuned", "convergence_rate", "iterate_matrix", "tuned_gradient_descent", "tuned_heavy_ball",
    "tuned_nesterov",
]  # fmt: skip


class Tuned(NamedTuple):
    """Options for `sgd`, and the factor by which they shrink the error in every step, at last."""

    lr: float
    momentum: float
    rate: float


def iterate_matrix(
    curvature: Float[Tensor, "*modes"], lr: float, momentum: float = 0.0, *, nesterov: bool = False
) -> Float[Tensor, "*modes 2 2"]:
    """The matrix that takes (xₜ, xₜ₋₁) to (xₜ₊₁, xₜ).

    Source: Polyak (1964); Lessard, Recht & Packard (2016), section 2.2.
    """
    check_float(curvature=curvature)
    shrink = 1 - lr * curvature
    zero = torch.zeros_like(shrink)
    if nesterov:
        # Eq. (nesterov-matrix)
        now, before = (1 + momentum) * shrink, -momentum * shrink
    else:
        # Eq. (heavy-ball-matrix)
        now, before = momentum + shrink, zero - momentum
    top, bottom = torch.stack([now, before], -1), torch.stack([zero + 1, zero], -1)
    return torch.stack([top, bottom], -2)


def convergence_rate(
    curvature: Float[Tensor, "*modes"], lr: float, momentum: float = 0.0, *, nesterov: bool = False
) -> Float[Tensor, "*modes"]:
    """The spectral radius of the iterate matrix; 1 and more do not converge."""
    matrix = iterate_matrix(curvature, lr, momentum, nesterov=nesterov)
    half, product = matrix[..., 0, 0] / 2, -matrix[..., 0, 1]  # of the two eigenvalues
    root = half.square() - product
    real = half.abs() + root.clamp(min=0).sqrt()
    # Eq. (quadratic-rate)
    return torch.where(root < 0, product.clamp(min=0).sqrt(), real)


def tuned_gradient_descent(least: float, largest: float) -> Tuned:
    """lr = 2/(L + μ), which shrinks the flattest and the steepest direction alike.

    Source: Nesterov (2018), Theorem 2.1.15.
    """
    kappa = condition(least, largest)
    # Eq. (gradient-descent-rate)
    return Tuned(2 / (largest + least), 0.0, (kappa - 1) / (kappa + 1))


def tuned_heavy_ball(least: float, largest: float) -> Tuned:
    """The fastest of all momentums on a quadratic; elsewhere it may not converge.

    Source: Polyak (1964), Theorem 9.
    """
    root = math.sqrt(condition(least, largest))
    # Eq. (heavy-ball-rate)
    rate = (root - 1) / (root + 1)
    return Tuned(4 / (math.sqrt(largest) + math.sqrt(least)) ** 2, rate**2, rate)


def tuned_nesterov(least: float, largest: float) -> Tuned:
    """lr = 1/L with the momentum that is proved on every strongly convex function.

    Source: Nesterov (2018), 2.2.22; the rate on a quadratic is that of Lessard et al. (2016),
    Proposition 1.
    """
    root = math.sqrt(condition(least, largest))
    # Eq. (nesterov-rate)
    return Tuned(1 / largest, (root - 1) / (root + 1), 1 - 1 / root)


def condition(least: float, largest: float) -> float:
    """κ, the quotient of the two curvatures.

    Raises:
        ValueError: they are not 0 < least ≤ largest.
    """
    if not 0 < least <= largest:
        raise ValueError(f"expected 0 < least ≤ largest, got {least} and {largest}")
    return largest / least
