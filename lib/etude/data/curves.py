"""Thin curves in noise, with the exact mask of every pixel: too faint to be cut out by brightness alone."""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.data.card import Card

__all__ = ["CARD", "Curves", "thin_ellipses"]

CARD = Card(
    name="Thin ellipses",
    source="procedural: drawn anew from a generator, nothing is stored",
    license="MIT, with the code",
    rows="as many as asked for",
    fields={
        "images": "(rows, 1, size, size), brightness: about 0 for the ground, 0.8 for a curve, "
        "up to 0.6 inside the filled ellipse, with normal noise on top",
        "masks": "(rows, 1, size, size), 1 on the two curves and 0 elsewhere",
    },
    made_by="this course: two outlines and one filled ellipse a picture, with centers, axes and "
    "angles drawn uniformly. A pixel belongs to a curve when its middle is within about 0.8 pixels of it",
    cautions=(
        "The distance to a curve is measured along its shorter axis, so flat ellipses are a little "
        "thicker at their ends.",
        "About one pixel in seven belongs to a curve: a network that says “nothing” everywhere is "
        "right at six of seven.",
        "The filled ellipse is not in the mask. It is there to be mistaken for a curve.",
    ),
)


class Curves(NamedTuple):
    """Pictures and where their curves are."""

    images: Float[Tensor, "rows 1 size size"]
    masks: Float[Tensor, "rows 1 size size"]


def thin_ellipses(
    rows: int, size: int = 32, *, noise: float = 0.35, generator: torch.Generator
) -> Curves:
    """Draw two thin ellipses and one filled one in each picture."""
    where = generator.device
    middle = torch.arange(size, device=where) + 0.5

    def uniform(low: float, high: float) -> Tensor:
        drawn = torch.rand(rows, 1, 1, generator=generator, device=where)
        return low + (high - low) * drawn

    def ellipse() -> tuple[Tensor, Tensor]:
        """How far out each pixel is (1 on the curve), and its distance to the curve in pixels."""
        x, y = (middle - uniform(size / 4, 3 * size / 4) for _ in range(2))
        a, b, angle = (
            uniform(size / 8, 9 * size / 32),
            uniform(size / 8, 9 * size / 32),
            uniform(0, math.pi),
        )
        y = y.transpose(1, 2)
        along, across = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
        out = ((along / a).square() + (across / b).square()).sqrt()
        return out, (out - 1).abs() * torch.minimum(a, b)

    mask = (ellipse()[1] < 0.8) | (ellipse()[1] < 0.8)
    filled = (ellipse()[0] < 1) * uniform(0, 0.6)
    picture = 0.8 * mask + filled
    picture = picture + noise * torch.randn(rows, size, size, generator=generator, device=where)
    return Curves(picture[:, None], mask[:, None].to(picture.dtype))
