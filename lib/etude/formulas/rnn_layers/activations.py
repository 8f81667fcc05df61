"""Activations: the bend between two linear maps, each with its slope, right in the far tails too.

Every function returns its value and the map ∂L/∂y ↦ ∂L/∂x. `exp` is only ever taken of numbers
that are not positive, so that nothing overflows and no small slope is rounded away.

Chapter: formulas/rnn_layers
"""

import math
from typing import TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.errors import ShapeError
from etude.core.shapes import check_float
from etude.formulas.rnn_layers.sequences import Pullback, expect_like

__all__ = [
    "elu",
    "gelu",
    "leaky_relu",
    "log_softmax",
    "relu",
    "sigmoid",
    "silu",
    "softmax",
    "softplus",
    "tanh",
]

Numbers: TypeAlias = Float[Tensor, "..."]
Activated: TypeAlias = tuple[Numbers, Pullback]


def elementwise(y: Tensor, slope: Tensor) -> Activated:
    """A value, and the pullback of a function that looks at one number at a time."""

    def pullback(dy: Tensor) -> Tensor:
        expect_like(dy, y)
        return dy * slope

    return y, pullback


def sigmoid(x: Numbers) -> Activated:
    """1 / (1 + e⁻ˣ); its slope is at most ¼ and dies like e^(−|x|)."""
    check_float(x=x)
    z = (-x.abs()).exp()
    # Eq. (sigmoid)
    y = torch.where(x < 0, z, 1) / (1 + z)
    return elementwise(y, z / (1 + z).square())


def tanh(x: Numbers) -> Activated:
    """(eˣ − e⁻ˣ) / (eˣ + e⁻ˣ) = 2σ(2x) − 1; its slope is 1 at 0 and dies like 4e^(−2|x|)."""
    check_float(x=x)
    z = (-2 * x.abs()).exp()
    # Eq. (tanh)
    y = torch.copysign(-torch.expm1(-2 * x.abs()) / (1 + z), x)
    return elementwise(y, 4 * z / (1 + z).square())


def relu(x: Numbers) -> Activated:
    """max(x, 0); the slope at 0, which does not exist, is set to 0."""
    return leaky_relu(x, 0.0)


def leaky_relu(x: Numbers, negative_slope: float = 0.01) -> Activated:
    """x where it is positive, else a small share of it."""
    check_float(x=x)
    slope = torch.where(x > 0, torch.ones_like(x), negative_slope)
    # Eq. (rectifiers)
    return elementwise(torch.where(x > 0, x, negative_slope * x), slope)


def elu(x: Numbers, alpha: float = 1.0) -> Activated:
    """x where it is positive, else α(eˣ − 1), which ends at −α. Source: Clevert et al. (2016)."""
    check_float(x=x)
    below = x.clamp(max=0)
    # Eq. (rectifiers)
    y = torch.where(x > 0, x, alpha * below.expm1())
    return elementwise(y, torch.where(x > 0, 1, alpha * below.exp()))


def gelu(x: Numbers) -> Activated:
    """x Φ(x), Φ the normal distribution function. Source: Hendrycks & Gimpel (2016)."""
    check_float(x=x)
    share = torch.erfc(-x / math.sqrt(2)) / 2
    density = (-x.square() / 2).exp() / math.sqrt(2 * math.pi)
    # Eq. (rectifiers)
    return elementwise(x * share, share + x * density)


def silu(x: Numbers) -> Activated:
    """x σ(x), also called swish. Source: Elfwing et al. (2018)."""
    share, back = sigmoid(x)
    # Eq. (rectifiers)
    return elementwise(x * share, share + x * back(torch.ones_like(x)))


def softplus(x: Numbers) -> Activated:
    """log(1 + eˣ), a ReLU without its corner; its slope is the sigmoid."""
    share, _ = sigmoid(x)
    # Eq. (rectifiers)
    return elementwise(x.clamp(min=0) + (-x.abs()).exp().log1p(), share)


def softmax(x: Numbers) -> Activated:
    """e^(xᵢ) / Σⱼ e^(xⱼ) along the last axis: positive numbers that sum to 1."""
    check_classes(x)
    z = (x - x.amax(dim=-1, keepdim=True)).exp()
    # Eq. (softmax)
    p = z / z.sum(dim=-1, keepdim=True)

    def pullback(dp: Tensor) -> Tensor:
        expect_like(dp, p, "dp")
        # Eq. (softmax-backward)
        return p * (dp - (p * dp).sum(dim=-1, keepdim=True))

    return p, pullback


def log_softmax(x: Numbers) -> Activated:
    """xᵢ − log Σⱼ e^(xⱼ) along the last axis: finite where the softmax is too small to write."""
    check_classes(x)
    above = x - x.amax(dim=-1, keepdim=True)
    # Eq. (log-softmax)
    y = above - above.exp().sum(dim=-1, keepdim=True).log()

    def pullback(dy: Tensor) -> Tensor:
        expect_like(dy, y)
        return dy - y.exp() * dy.sum(dim=-1, keepdim=True)

    return y, pullback


def check_classes(x: Tensor) -> None:
    """Refuse an axis without entries: shares of nothing do not sum to 1."""
    check_float(x=x)
    if x.ndim == 0 or x.shape[-1] == 0:
        raise ShapeError(f"x has shape {tuple(x.shape)}, expected at least one class")
