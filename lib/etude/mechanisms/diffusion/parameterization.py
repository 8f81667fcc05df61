"""Noise, data and velocity: three answers to one question, related by a rotation.

Chapter: mechanisms/diffusion
"""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import check_choice, check_float, check_same_shape, per_row
from etude.mechanisms.diffusion.schedule import Level, Schedule

__all__ = [
    "Estimate",
    "Network",
    "Predicts",
    "clipped",
    "diffuse",
    "estimator",
    "resolve",
    "rotate",
    "target",
    "translate",
]

Predicts: TypeAlias = Literal["noise", "data", "velocity"]
Network: TypeAlias = Callable[..., Tensor]  # x (batch, …), step (batch,), …: something like x
Estimate: TypeAlias = Callable[[Tensor, Level], tuple[Tensor, Tensor]]  # → data, noise
Batch: TypeAlias = Float[Tensor, "batch ..."]


def rotate(x: Batch, v: Batch, angle: Float[Tensor, "..."]) -> tuple[Batch, Batch]:
    """Turn the pair (x, v) by an angle, or each example by its own, (batch,).

    From (data, noise) it leads to (x, velocity), and on from there to any later level.
    """
    angle = per_row(angle, x) if angle.ndim else angle
    return turn(x, v, angle.cos(), angle.sin())


def turn(x: Tensor, v: Tensor, cos: float | Tensor, sin: float | Tensor) -> tuple[Tensor, Tensor]:
    """Turn a pair by an angle of which cosine and sine are known."""
    # Eq. (diffusion-rotation)
    return cos * x + sin * v, cos * v - sin * x


def diffuse(data: Batch, noise: Batch, level: Level) -> tuple[Batch, Batch]:
    """Mix data and noise, all steps up to a level at once: x, and the velocity that x has there.

    Raises:
        ShapeError: data and noise have different shapes.
    """
    check_float(data=data, noise=noise)
    check_same_shape(data=data, noise=noise)
    return turn(data, noise, level.cos, level.sin)


def target(data: Batch, noise: Batch, level: Level, predicts: Predicts) -> Batch:
    """What a network that predicts noise, data or velocity should say.

    Raises:
        ValueError: `predicts must be one of …`.
    """
    check_choice(get_args(Predicts), predicts=predicts)
    if predicts == "velocity":
        return diffuse(data, noise, level)[1]
    return noise if predicts == "noise" else data


def resolve(x: Batch, out: Batch, level: Level, predicts: Predicts) -> tuple[Batch, Batch]:
    """The data and the noise that a network, by what it predicts, believes x to be made of.

    The pair explains x: cos · data + sin · noise = x.

    Raises:
        ShapeError: the network's answer has another shape than x.
        ValueError: `predicts must be one of …`.
    """
    check_choice(get_args(Predicts), predicts=predicts)
    check_same_shape(x=x, out=out)
    if predicts == "velocity":
        return turn(x, out, level.cos, -level.sin)  # back by the same angle
    if predicts == "noise":
        # Eq. (diffusion-data-from-noise)
        return (x - level.sin * out) / level.cos, out
    return out, (x - level.cos * out) / level.sin


def estimator(network: Network, predicts: Predicts) -> Estimate:
    """What a sampler asks: from x and its level, the data and the noise in it."""
    check_choice(get_args(Predicts), predicts=predicts)

    def estimate(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        step = torch.full((len(x),), int(level.step), device=x.device)
        return resolve(x, network(x, step), level, predicts)

    return estimate


def clipped(estimate: Estimate, threshold: Callable[[Tensor], Tensor]) -> Estimate:
    """Bring the estimate of the data into its range, and let the noise explain the rest of x."""

    def within(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        data = threshold(estimate(x, level)[0])
        return resolve(x, data, level, "data")

    return within


def translate(
    network: Network, schedule: Schedule, predicts: Predicts, into: Predicts = "velocity"
) -> Network:
    """The same network, saying in another of the three ways what it knows."""
    check_choice(get_args(Predicts), predicts=predicts, into=into)

    def translated(x: Tensor, step: Tensor, *condition: Tensor) -> Tensor:
        level = schedule.at(step, x)
        return target(*resolve(x, network(x, step, *condition), level, predicts), level, into)

    return translated
