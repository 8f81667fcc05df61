"""Who computes a network's layers: the formulas of this course, or torch's compiled ones.

Both have torch's names and draw their first weights alike, so a state fits either, and a seed
gives the same network twice.

Chapter: networks/cnn
"""

from collections.abc import Callable
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from etude.core.shapes import check_choice
from etude.formulas.cnn_layers import layers as formulas
from etude.formulas.cnn_layers.layers import through
from etude.formulas.cnn_layers.pooling import (
    average_pool2d,
    expectation_pool2d,
    l2_pool2d,
    max_pool2d,
    sum_pool2d,
)
from etude.formulas.cnn_layers.reductions import average, expectation, maximum, norm, total
from etude.networks.cnn.normalization import BatchNorm

__all__ = ["OURS", "TORCH", "Kind", "Layers", "Pool", "initialize"]

Kind: TypeAlias = Literal["max", "average", "sum", "l2", "expectation"]

# of a window, and of everything
POOLINGS: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "max": (max_pool2d, maximum),
    "average": (average_pool2d, average),
    "sum": (sum_pool2d, total),
    "l2": (l2_pool2d, norm),
    "expectation": (expectation_pool2d, expectation),
}


class Layers(NamedTuple):
    """The three kinds of layers that hold weights."""

    convolution: Callable[..., nn.Module]
    linear: Callable[..., nn.Module]
    normalization: Callable[[int], nn.Module]


OURS = Layers(formulas.Conv2d, formulas.Linear, BatchNorm)
TORCH = Layers(nn.Conv2d, nn.Linear, nn.BatchNorm2d)


class Pool(nn.Module):
    """One number of every window, or, without a `size`, of the whole map.

    Windows lie side by side where no `stride` is given. The sharpness of "expectation" is learned.
    """

    def __init__(
        self, kind: Kind, size: int | None = None, stride: int | None = None, padding: int = 0
    ) -> None:
        super().__init__()
        check_choice(get_args(Kind), kind=kind)
        if kind == "expectation" and padding:
            raise ValueError("padding of an expectation would be counted in: expected 0")
        self.kind, self.size, self.stride, self.padding = kind, size, stride, padding
        self.sharpness = nn.Parameter(torch.ones(1)) if kind == "expectation" else None

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch channels out_height out_width"]:
        """What each window has to say."""
        of_windows, of_all = POOLINGS[self.kind]
        if self.size is None:
            pool, cells = of_all, x.flatten(2)
        else:
            pool, cells = partial(of_windows, size=self.size, stride=self.stride), x
        if self.sharpness is not None:
            y = through(lambda x, m: pool(x, sharpness=m), cells, self.sharpness)
        else:
            y = through(partial(pool, padding=self.padding) if self.padding else pool, cells)
        return y[..., None, None] if self.size is None else y


@torch.no_grad()
def initialize(
    model: nn.Module, rule: Callable[..., Tensor], *, generator: torch.Generator
) -> None:
    """Draw every weight of two or more axes by `rule(shape, generator=…)`; their biases become 0.

    `rule` is one of `formulas.rnn_layers.initialization`, bound with its options.
    """
    for module in model.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(weight, nn.Parameter) and weight.ndim > 1:
            weight.copy_(rule(weight.shape, generator=generator))
            if bias is not None:
                bias.zero_()
