"""Points in the plane whose truth is known: what a method does to them can be seen.

Every function draws on the device of its generator, in torch's default type, and shuffles nothing:
the classes are drawn point by point.
"""

import math
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from etude.data.card import Card

__all__ = ["CARD", "Planar", "blobs", "moons", "ring", "spirals"]

CARD = Card(
    name="Points in the plane",
    source="procedural: drawn anew from a generator, nothing is stored",
    license="MIT, with the code",
    rows="as many as asked for",
    fields={
        "X": "(rows, 2), coordinates, within about ±2 for moons, ring and spirals",
        "y": "(rows,), the class: which blob, half-moon, place on the ring or arm of the spirals",
    },
    made_by="this course; the half-moons follow scikit-learn's make_moons, the ring is the usual "
    "first test of generative networks",
    cautions=(
        "Two features and no outliers: what works here may fail on real tables, what fails here "
        "has no excuse.",
        "The classes are equally likely, so a method that ignores how common a class is "
        "is not found out.",
    ),
)


class Planar(NamedTuple):
    """Points and their classes."""

    X: Float[Tensor, "rows 2"]
    y: Int[Tensor, " rows"]


def blobs(
    rows: int,
    *,
    classes: int = 3,
    radius: float = 3.0,
    spread: float = 1.0,
    generator: torch.Generator,
) -> Planar:
    """Round clouds whose centers stand evenly on a circle."""
    return ring(rows, modes=classes, radius=radius, spread=spread, generator=generator)


def ring(
    rows: int,
    *,
    modes: int = 8,
    radius: float = 1.0,
    spread: float = 0.05,
    generator: torch.Generator,
) -> Planar:
    """Small round clouds on a circle: does a generator find them all?"""
    y = _classes(rows, modes, generator)
    angle = 2 * math.pi * y / modes
    return Planar(_noisy(radius * angle.cos(), radius * angle.sin(), spread, generator), y)


def moons(rows: int, *, spread: float = 0.1, generator: torch.Generator) -> Planar:
    """Two half-circles that reach into each other: no straight line parts them."""
    y = _classes(rows, 2, generator)
    angle = math.pi * _uniform(rows, generator)
    across = torch.where(y == 0, angle.cos(), 1 - angle.cos())
    up = torch.where(y == 0, angle.sin(), 0.5 - angle.sin())
    return Planar(_noisy(across, up, spread, generator), y)


def spirals(
    rows: int, *, turns: float = 1.5, spread: float = 0.05, generator: torch.Generator
) -> Planar:
    """Two arms wound around each other: each one is the other turned by half a circle."""
    y = _classes(rows, 2, generator)
    angle = 2 * math.pi * turns * _uniform(rows, generator) + 0.5
    radius = angle / (2 * math.pi * turns)
    turned = angle + math.pi * y
    return Planar(_noisy(radius * turned.cos(), radius * turned.sin(), spread, generator), y)


def _classes(rows: int, classes: int, generator: torch.Generator) -> Tensor:
    return torch.randint(0, classes, (rows,), generator=generator, device=generator.device)


def _uniform(rows: int, generator: torch.Generator) -> Tensor:
    return torch.rand(rows, generator=generator, device=generator.device)


def _noisy(across: Tensor, up: Tensor, spread: float, generator: torch.Generator) -> Tensor:
    points = torch.stack([across, up], dim=1)
    return points + spread * torch.randn_like(points, generator=generator)
