"""The same formulas as modules: parameters under torch's names, gradients by our own pullbacks.

Chapter: formulas/cnn_layers
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from etude.formulas.cnn_layers.convolution import conv2d
from etude.formulas.cnn_layers.fully_connected import linear
from etude.formulas.cnn_layers.reductions import expectation
from etude.formulas.cnn_layers.windows import Pair, Pullback, pair

__all__ = ["Conv2d", "ExpectationPool", "Linear", "through"]


class _Formula(torch.autograd.Function):
    """Autograd's door for a formula that brings its pullback along."""

    @staticmethod
    def forward(ctx: Any, formula: Callable[..., Any], *arguments: Any) -> Tensor:
        y, ctx.pullback = formula(*arguments)
        return y.detach()  # another tensor than the pullback holds: else each would keep the other

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        shares = ctx.pullback(dy)
        return None, *(shares if isinstance(shares, tuple) else (shares,))


def through(formula: Callable[..., tuple[Tensor, Pullback]], *arguments: Tensor | None) -> Tensor:
    """The value of a formula, whose pullback becomes its gradient in autograd.

    `arguments` are those the pullback answers for; bind the others with `functools.partial`.
    """
    return _Formula.apply(formula, *arguments)  # pyright: ignore[reportReturnType]


def fan_in_uniform(*shape: int, fan_in: int) -> nn.Parameter:
    """Uniform within ±1/√(fan in), as torch draws the weights and biases of these layers."""
    edge = 1 / math.sqrt(fan_in)
    return nn.Parameter(torch.empty(*shape).uniform_(-edge, edge))


class Conv2d(nn.Module):
    """A convolution that keeps its kernels; it loads the state of a `torch.nn.Conv2d`."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Pair,
        stride: Pair = 1,
        padding: Pair = 0,
        dilation: Pair = 1,
        groups: int = 1,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if groups < 1 or in_channels % groups or out_channels % groups:
            raise ValueError(
                f"groups must divide in_channels and out_channels, got {groups}, "
                f"{in_channels} and {out_channels}"
            )
        depth, size = in_channels // groups, pair(kernel_size, "kernel_size")
        fan_in = depth * math.prod(size)
        self.geometry = stride, padding, dilation, groups
        self.weight = fan_in_uniform(out_channels, depth, *size, fan_in=fan_in)
        self.bias = fan_in_uniform(out_channels, fan_in=fan_in) if bias else None

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out_channels out_height out_width"]:
        """Every kernel's answers, a channel for each."""

        def formula(x: Tensor, weight: Tensor, bias: Tensor | None) -> tuple[Tensor, Pullback]:
            return conv2d(x, weight, bias, *self.geometry)

        return through(formula, x, self.weight, self.bias)


class Linear(nn.Module):
    """A fully connected layer; it loads the state of a `torch.nn.Linear`."""

    def __init__(self, in_features: int, out_features: int, bias: bool = True) -> None:
        super().__init__()
        self.weight = fan_in_uniform(out_features, in_features, fan_in=in_features)
        self.bias = fan_in_uniform(out_features, fan_in=in_features) if bias else None

    def forward(self, x: Float[Tensor, "*batch inputs"]) -> Float[Tensor, "*batch outputs"]:
        """Weigh, add, shift."""
        return through(linear, x, self.weight, self.bias)


class ExpectationPool(nn.Module):
    """Expectation pooling over all places at once; the sharpness is learned if `trainable`.

    One sharpness serves all channels, as in the authors' code, unless `channels` are given.
    """

    def __init__(self, sharpness: float = 1.0, channels: int = 1, trainable: bool = True) -> None:
        super().__init__()
        self.sharpness = nn.Parameter(torch.full((channels,), sharpness), requires_grad=trainable)

    def forward(
        self, x: Float[Tensor, "batch channels *places"]
    ) -> Float[Tensor, "batch channels"]:
        """What every channel says of the whole image or sequence."""
        return through(expectation, x.flatten(2), self.sharpness)
