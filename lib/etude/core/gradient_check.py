"""Whether a gradient that was derived by hand is the slope that one measures."""

import itertools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

__all__ = ["gradient_check", "slopes"]


def slopes(loss: Callable[[Tensor], Tensor], x: Tensor, step: float = 1e-6) -> Tensor:
    """∂loss/∂x by central differences, one number of `x` after the other.

    The error is of the order step² + ε/step, ε being the rounding of the dtype: in float64 a
    `step` of 1e-6 leaves about ten digits.
    """
    slope = torch.zeros_like(x)
    for place in itertools.product(*map(range, x.shape)):
        up, down = x.detach().clone(), x.detach().clone()
        up[place] += step
        down[place] -= step
        slope[place] = (loss(up) - loss(down)) / (2 * step)
    return slope


def gradient_check(
    formula: Callable[..., tuple[Tensor, Callable[[Tensor], Any]]],
    *arguments: Tensor,
    generator: torch.Generator,
    step: float = 1e-6,
) -> list[float]:
    """How far each answer of a formula's pullback is from the measured slope, at worst.

    `formula(*arguments)` returns `y, pullback`. The loss is a random mixture of the entries of y;
    a difference is counted relative to the largest slope, where that is above 1.

    Raises:
        TypeError: an argument is not float64, in which alone differences can be trusted.
    """
    for index, argument in enumerate(arguments):
        if argument.dtype != torch.float64:
            raise TypeError(f"argument {index} holds {argument.dtype}, expected torch.float64")
    y, pullback = formula(*arguments)
    mixture = torch.randn(
        y.shape, generator=generator, device=generator.device, dtype=torch.float64
    ).to(y.device)
    shares = pullback(mixture)
    shares = shares if isinstance(shares, tuple) else (shares,)
    if len(shares) != len(arguments):
        raise ValueError(f"the pullback gave {len(shares)} gradients, expected {len(arguments)}")
    return [
        _difference(share, slopes(_loss(formula, arguments, index, mixture), argument, step))
        for index, (argument, share) in enumerate(zip(arguments, shares, strict=True))
    ]


def _loss(formula, arguments: tuple[Tensor, ...], index: int, mixture: Tensor):
    """The mixture of the answer as a function of one argument, the others held."""

    def loss(changed: Tensor) -> Tensor:
        return (mixture * formula(*arguments[:index], changed, *arguments[index + 1 :])[0]).sum()

    return loss


def _difference(ours: Tensor, measured: Tensor) -> float:
    if ours.shape != measured.shape:
        shapes = tuple(ours.shape), tuple(measured.shape)
        raise ValueError("a gradient has shape {}, its argument {}".format(*shapes))
    if not measured.numel():
        return 0.0
    return float((ours - measured).abs().max() / measured.abs().max().clamp_min(1))
