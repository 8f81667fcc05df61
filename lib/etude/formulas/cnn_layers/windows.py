"""Cutting an image into windows, and adding windows back into an image.

Convolution and pooling differ only in what they do with a window. Both begin here, and both of
their gradients end here.

Chapter: formulas/cnn_layers
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad

from etude.core.errors import ShapeError
from etude.core.shapes import bind, check_float

__all__ = ["Pair", "Pullback", "expect_like", "grid", "pair", "places", "windows"]

Both: TypeAlias = tuple[int, int]
Pair: TypeAlias = int | Both
Pullback: TypeAlias = Callable[[Tensor], Any]


def pair(value: Pair, name: str, least: int = 1) -> Both:
    """The same number for rows and columns, or one for each.

    Raises:
        ValueError: `stride must be at least 1, got 0`.
    """
    both = (value, value) if isinstance(value, int) else tuple(value)
    if len(both) != 2:
        raise ValueError(f"{name} must be one number or two, got {value}")
    if min(both) < least:
        raise ValueError(f"{name} must be at least {least}, got {value}")
    return both


def places(length: int, size: int, stride: int = 1, padding: int = 0, dilation: int = 1) -> int:
    """In how many places a window of `size` cells fits into `length`; 0 when it does not fit."""
    reach = dilation * (size - 1) + 1
    # Eq. (window-places)
    return max(0, (length + 2 * padding - reach) // stride + 1)


def grid(x: Tensor, size: Pair, stride: Pair, padding: Pair, dilation: Pair) -> list[Both]:
    """How many places there are, and size, stride, padding and dilation, for (rows, columns).

    Raises:
        ShapeError: the window is larger than the padded image.
    """
    sizes = bind(x=(x, "batch channels height width"))
    asked = [
        pair(size, "size"),
        pair(stride, "stride"),
        pair(padding, "padding", least=0),
        pair(dilation, "dilation"),
    ]
    axes = [(sizes["height"], *(a for a, _ in asked)), (sizes["width"], *(b for _, b in asked))]
    counts = (places(*axes[0]), places(*axes[1]))
    if 0 in counts:
        reach = tuple(spread * (size - 1) + 1 for _, size, _, _, spread in axes)
        room = tuple(length + 2 * padding for length, _, _, padding, _ in axes)
        raise ShapeError(f"size reaches over {reach} pixels, x has only {room}, padding included")
    return [counts, *asked]


def windows(
    x: Float[Tensor, "batch channels height width"],
    size: Pair,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    fill: float = 0.0,
) -> tuple[
    Float[Tensor, "batch channels out_height out_width window_height window_width"], Pullback
]:
    """Every window, as a view that copies no number; `fill` stands in the padding.

    The pullback adds each cell's share to the pixel it was cut from.
    """
    check_float(x=x)
    (rows, columns), (tall, wide), (down, right), (above, left), (spread, gap) = grid(
        x, size, stride, padding, dilation
    )
    padded = pad(x, (left, left, above, above), value=fill) if above or left else x
    cut = padded.unfold(2, spread * (tall - 1) + 1, down).unfold(3, gap * (wide - 1) + 1, right)
    # Eq. (image-window)
    cells = cut[..., ::spread, ::gap]

    def pullback(dcells: Tensor) -> Tensor:
        expect_like(dcells, cells, "dcells")
        dpadded = torch.zeros_like(padded)
        for u in range(tall):
            for v in range(wide):
                row = slice(u * spread, u * spread + down * (rows - 1) + 1, down)
                column = slice(v * gap, v * gap + right * (columns - 1) + 1, right)
                # Eq. (image-window-backward)
                dpadded[:, :, row, column] += dcells[..., u, v]
        return dpadded[:, :, above : above + x.shape[2], left : left + x.shape[3]]

    return cells, pullback


def expect_like(dy: Tensor, y: Tensor, name: str = "dy") -> None:
    """Refuse a gradient whose shape would be broadcast without a word.

    Raises:
        ShapeError: `dy has shape (2,), expected (2, 3)`.
    """
    if dy.shape != y.shape:
        raise ShapeError(f"{name} has shape {tuple(dy.shape)}, expected {tuple(y.shape)}")
