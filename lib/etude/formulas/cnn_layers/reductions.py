"""From many numbers to one, along the last axis: what a pooling does with each of its windows.

Every reduction returns its value and the map that carries ∂L/∂y back to its arguments.

Chapter: formulas/cnn_layers
"""

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.errors import ShapeError
from etude.core.shapes import check_float
from etude.formulas.cnn_layers.windows import Pullback, expect_like

__all__ = ["average", "entropy", "expectation", "log_sum_exp", "maximum", "norm", "total"]

Cells = Float[Tensor, "*batch cells"]
Reduced = tuple[Float[Tensor, "*batch"], Pullback]


def total(x: Cells) -> Reduced:
    """Everything together."""
    check_cells(x)
    # Eq. (sum-pooling)
    y = x.sum(dim=-1)

    def pullback(dy: Tensor) -> Tensor:
        expect_like(dy, y)
        # Eq. (sum-pooling-backward)
        return dy[..., None].expand_as(x)

    return y, pullback


def average(x: Cells) -> Reduced:
    """The number that, put into every cell, leaves the sum as it is."""
    y, back = total(x)
    # Eq. (average-pooling)
    return y / x.shape[-1], lambda dy: back(dy / x.shape[-1])


def maximum(x: Cells) -> Reduced:
    """The largest cell; among equals the first, which alone gets the gradient."""
    check_cells(x)
    # Eq. (max-pooling)
    y, winner = x.max(dim=-1)

    def pullback(dy: Tensor) -> Tensor:
        expect_like(dy, y)
        # Eq. (max-pooling-backward)
        return torch.zeros_like(x).scatter(-1, winner[..., None], dy[..., None])

    return y, pullback


def norm(x: Cells) -> Reduced:
    """The length of the cells as a vector; at zero its gradient is set to 0."""
    check_cells(x)
    # Eq. (l2-pooling)
    y = x.square().sum(dim=-1).sqrt()

    def pullback(dy: Tensor) -> Tensor:
        expect_like(dy, y)
        # Eq. (l2-pooling-backward)
        slope = x / y[..., None]
        return dy[..., None] * slope.masked_fill((y == 0)[..., None], 0)

    return y, pullback


def log_sum_exp(x: Cells) -> Reduced:
    """log Σ exp(x), a maximum without corners: at least the maximum, at most log n above it."""
    check_cells(x)
    # Eq. (pooling-log-sum-exp)
    y = x.logsumexp(dim=-1)

    def pullback(dy: Tensor) -> Tensor:
        expect_like(dy, y)
        return dy[..., None] * x.softmax(dim=-1)

    return y, pullback


def expectation(x: Cells, sharpness: Float[Tensor, "..."] | float = 1.0) -> Reduced:
    """The mean of the cells, each weighted by softmax(sharpness · x).

    A `sharpness` m of 0 gives the average, m → ∞ the maximum, m → −∞ the minimum.
    As a tensor it fits the answer, one for all or one for each, and is learned: the
    pullback returns (∂L/∂x, ∂L/∂m).

    Source: Luo et al. (2020), “mode 0” of their code.
    """
    check_cells(x)
    m = torch.as_tensor(sharpness, dtype=x.dtype, device=x.device)
    check_shared(m, x.shape[:-1])
    # Eq. (expectation-weights)
    p = (m[..., None] * x).softmax(dim=-1)
    # Eq. (expectation-pooling)
    y = (p * x).sum(dim=-1)

    def pullback(dy: Tensor) -> tuple[Tensor, Tensor]:
        expect_like(dy, y)
        above = x - y[..., None]
        # Eq. (expectation-pooling-backward)
        dx = dy[..., None] * p * (1 + m[..., None] * above)
        # Eq. (expectation-sharpness)
        dm = dy * (p * above.square()).sum(dim=-1)
        return dx, dm.sum_to_size(m.shape)

    return y, pullback


def entropy(x: Cells) -> Float[Tensor, "*batch"]:
    """H(softmax(x)) in nats: 0 when one cell decides, log n when all are equal."""
    check_cells(x)
    # Eq. (pooling-entropy)
    return torch.special.entr(x.softmax(dim=-1)).sum(dim=-1)


def check_shared(sharpness: Tensor, shape: torch.Size) -> None:
    """Refuse a sharpness that would make the answer larger than it is."""
    fits = sharpness.ndim <= len(shape) and all(
        mine in (1, length)
        for mine, length in zip(sharpness.shape[::-1], shape[::-1], strict=False)
    )
    if not fits:
        given = tuple(sharpness.shape)
        raise ShapeError(f"sharpness has shape {given}, expected one that fits {tuple(shape)}")


def check_cells(x: Tensor) -> None:
    """Refuse windows without a cell: nothing has no largest number."""
    check_float(x=x)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ShapeError(f"x has shape {tuple(x.shape)}, expected at least one cell to reduce")
