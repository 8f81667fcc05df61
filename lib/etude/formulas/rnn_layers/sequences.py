"""What all recurrent layers share: the door, the states before each step, a sequence from its steps.

Chapter: formulas/rnn_layers
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.errors import ShapeError
from etude.core.shapes import bind, check_float

__all__ = [
    "Hidden",
    "Pullback",
    "Sequence",
    "State",
    "arriving",
    "check_layer",
    "expect_like",
    "in_time",
    "over_time",
    "shifted",
]

Sequence = Float[Tensor, "time batch inputs"]
State = Float[Tensor, "batch hidden"]
Hidden = Float[Tensor, "time batch hidden"]
Pullback: TypeAlias = Callable[..., Any]


def check_layer(
    gates: int,
    x: Tensor,
    states: dict[str, Tensor],
    W_ih: Tensor,
    W_hh: Tensor,
    biases: dict[str, Tensor],
) -> None:
    """Refuse what does not fit a layer of so many gates; each gate has a row for every unit.

    Raises:
        ShapeError: `W_ih has 15 rows, expected 20`.
        TypeError: `x holds int64, expected a floating type`.
    """
    check_float(x=x, **states, W_ih=W_ih, W_hh=W_hh, **biases)
    sizes = bind(x=(x, "time batch inputs"))
    for name, state in states.items():
        sizes = bind(sizes, **{name: (state, "batch hidden")})
    sizes["rows"] = gates * sizes["hidden"]
    sizes = bind(sizes, W_ih=(W_ih, "rows inputs"), W_hh=(W_hh, "rows hidden"))
    for name, bias in biases.items():
        sizes = bind(sizes, **{name: (bias, "rows")})


def expect_like(dy: Tensor, y: Tensor, name: str = "dy") -> None:
    """Refuse a gradient whose shape would be broadcast without a word.

    Raises:
        ShapeError: `dy has shape (2,), expected (2, 3)`.
    """
    if dy.shape != y.shape:
        raise ShapeError(f"{name} has shape {tuple(dy.shape)}, expected {tuple(y.shape)}")


def arriving(dh: Tensor | None, h: Tensor, name: str = "dh") -> Tensor:
    """The gradient that arrives at a last state; none is zeros."""
    if dh is None:
        return torch.zeros_like(h)
    expect_like(dh, h, name)
    return dh


def in_time(steps: list[Tensor], like: Tensor) -> Tensor:
    """The steps as one sequence, time first; none of them give an empty sequence of states `like`."""
    return torch.stack(list(steps)) if steps else like.new_zeros(0, *like.shape)


def shifted(first: Tensor, sequence: Tensor) -> Tensor:
    """What stood before each step: `first`, then all of the sequence but its last."""
    return torch.cat([first[None], sequence])[: len(sequence)]


def over_time(da: Tensor, seen: Tensor) -> Tensor:
    """Σ daᵀ seen over all steps and examples: the gradient of a matrix that every step used."""
    return da.flatten(0, 1).T @ seen.flatten(0, 1)
