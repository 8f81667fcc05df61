"""Clipping: a bound for the step that one surprising batch may cause.

Chapter: formulas/optimization
"""

import math
from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from etude.formulas.optimization.tensor_list import TensorList, assign

__all__ = ["clip_by_norm", "clip_by_value", "clip_grad_norm_", "clip_grad_value_", "total_norm"]


def total_norm(gradients: Sequence[Tensor], order: float = 2.0) -> Tensor:
    """The norm of all gradients as one long vector."""
    if not gradients:
        raise ValueError("gradients is empty: nothing has a norm")
    norms = torch.stack([torch.linalg.vector_norm(g, order) for g in gradients])
    return torch.linalg.vector_norm(norms, order)


def clip_by_norm(
    gradients: Sequence[Tensor], limit: float, order: float = 2.0
) -> tuple[list[Tensor], Tensor]:
    """Shorten all gradients together to `limit` where they are longer, and say how long they were.

    The direction stays. `order` may be `math.inf`: then the largest number is what counts.

    Source: Pascanu, Mikolov & Bengio (2013), Algorithm 1; the 1e-6 is torch's.
    """
    refuse_negative(limit)
    norm = total_norm(gradients, order)
    # Eq. (clip-norm)
    factor = (limit / (norm + 1e-6)).clamp(max=1)
    return TensorList(gradients).mul(factor).tensors, norm


def clip_by_value(gradients: Sequence[Tensor], limit: float) -> list[Tensor]:
    """Cut every number to ±`limit`, one by one; the direction may change."""
    refuse_negative(limit)
    # Eq. (clip-value)
    return [g.clamp(-limit, limit) for g in gradients]


@torch.no_grad()
def clip_grad_norm_(parameters: Iterable[Tensor], limit: float, order: float = 2.0) -> Tensor:
    """Clip the gradients of parameters in place, between `backward` and `step`."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    clipped, norm = clip_by_norm(gradients, limit, order)
    assign(gradients, clipped)
    return norm


@torch.no_grad()
def clip_grad_value_(parameters: Iterable[Tensor], limit: float) -> None:
    """Cut every number of the gradients of parameters in place."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    assign(gradients, clip_by_value(gradients, limit))


def refuse_negative(limit: float) -> None:
    """A bound below zero would turn gradients around."""
    if not limit >= 0 or math.isnan(limit):
        raise ValueError(f"limit must not be negative, got {limit}")
