"""Pooling: what a neighborhood has to say, in one number.

Each pooling is a reduction over windows, so its gradient is two steps back: through the reduction
to the cells, and from the cells to the pixels.

Chapter: formulas/cnn_layers
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind
from etude.formulas.cnn_layers.reductions import (
    average,
    expectation,
    log_sum_exp,
    maximum,
    norm,
    total,
)
from etude.formulas.cnn_layers.windows import Pair, Pullback, pair, windows

__all__ = [
    "average_pool2d",
    "expectation_pool2d",
    "l2_pool2d",
    "log_sum_exp_pool2d",
    "max_pool2d",
    "pool2d",
    "sum_pool2d",
]

Image = Float[Tensor, "batch channels height width"]
Pooled = tuple[Float[Tensor, "batch channels out_height out_width"], Pullback]


def pool2d(
    reduce: Callable[[Tensor], tuple[Tensor, Pullback]],
    x: Image,
    size: Pair,
    stride: Pair | None = None,
    padding: Pair = 0,
    dilation: Pair = 1,
    fill: float = 0.0,
) -> Pooled:
    """Reduce every window; side by side where no `stride` is given."""
    cells, put_back = windows(x, size, size if stride is None else stride, padding, dilation, fill)
    # Eq. (pooling)
    y, spread = reduce(cells.flatten(-2))
    # Eq. (pooling-backward)
    return y, lambda dy: put_back(spread(dy).reshape(cells.shape))


def max_pool2d(
    x: Image, size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1
) -> Pooled:
    """The largest pixel of every window; the padding never wins."""
    tall, wide = pair(size, "size")
    above, left = pair(padding, "padding", least=0)
    if 2 * above > tall or 2 * left > wide:  # else a window may lie in the padding alone
        raise ValueError(f"padding must be at most half of size, got {padding} and {size}")
    return pool2d(maximum, x, size, stride, padding, dilation, fill=-torch.inf)


def sum_pool2d(
    x: Image, size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1
) -> Pooled:
    """All pixels of every window together."""
    return pool2d(total, x, size, stride, padding, dilation)


def average_pool2d(
    x: Image, size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1
) -> Pooled:
    """The mean of every window; a cell of the padding counts as a pixel of value 0."""
    return pool2d(average, x, size, stride, padding, dilation)


def l2_pool2d(
    x: Image, size: Pair, stride: Pair | None = None, padding: Pair = 0, dilation: Pair = 1
) -> Pooled:
    """The Euclidean norm of every window: a root of a sum, not of a mean."""
    return pool2d(norm, x, size, stride, padding, dilation)


def log_sum_exp_pool2d(
    x: Image, size: Pair, stride: Pair | None = None, dilation: Pair = 1
) -> Pooled:
    """The smooth maximum of every window."""
    return pool2d(log_sum_exp, x, size, stride, dilation=dilation)


def expectation_pool2d(
    x: Image,
    size: Pair,
    stride: Pair | None = None,
    dilation: Pair = 1,
    sharpness: Float[Tensor, "..."] | float = 1.0,
) -> Pooled:
    """The softly weighted mean of every window; the pullback returns (∂L/∂x, ∂L/∂sharpness)."""
    cells, put_back = windows(x, size, size if stride is None else stride, dilation=dilation)
    m = torch.as_tensor(sharpness, dtype=x.dtype, device=x.device)
    if m.numel() > 1:
        bind(x=(x, "batch channels height width"), sharpness=(m, "channels"))
    y, spread = expectation(cells.flatten(-2), m[..., None, None])

    def pullback(dy: Tensor) -> tuple[Tensor, Tensor]:
        dcells, dm = spread(dy)
        return put_back(dcells.reshape(cells.shape)), dm.reshape(m.shape)

    return y, pullback
