"""Two convolutional networks and the size of what they see: LeNet, and a stack with a free head.

Chapter: networks/cnn
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from etude.formulas.cnn_layers.windows import places
from etude.networks.cnn.dropout import Dropout
from etude.networks.cnn.layers import TORCH, Kind, Layers, Pool
from etude.networks.cnn.training import AbstractClassifier

__all__ = ["ConvNet", "ConvNetConfig", "Field", "LeNet", "Window", "receptive_field"]

Images = Float[Tensor, "batch channels height width"]
Scores = Float[Tensor, "batch classes"]


class Window(NamedTuple):
    """What a layer does along one axis."""

    size: int
    stride: int = 1
    padding: int = 0
    dilation: int = 1


class Field(NamedTuple):
    """What the answers of a layer see of the input, along one axis."""

    places: int  # how many answers there are
    size: int  # how many pixels one of them looks at, from the first to the last
    jump: int  # how many pixels lie between two neighbors' fields
    first: int  # the first pixel of the first one's; negative in the padding


def receptive_field(stack: Sequence[Window], length: int) -> list[Field]:
    """What each layer of a stack sees of `length` pixels, beginning with the input itself.

    Source: Araujo, Norris & Sim (2019), Eq. 1 and 2.

    Raises:
        ValueError: a window is larger than what is left, padding included.
    """
    fields = [Field(length, 1, 1, 0)]
    for layer, (size, stride, padding, dilation) in enumerate(stack):
        if min(size, stride, dilation) < 1 or padding < 0:
            raise ValueError(f"stack has the impossible window {stack[layer]} at {layer}")
        before = fields[-1]
        count = places(before.places, size, stride, padding, dilation)
        if not count:
            raise ValueError(
                f"stack has at {layer} a window over {dilation * (size - 1) + 1} places, "
                f"of which there are {before.places + 2 * padding}, padding included"
            )
        # Eq. (receptive-field)
        seen = before.size + dilation * (size - 1) * before.jump
        first = before.first - padding * before.jump
        fields.append(Field(count, seen, before.jump * stride, first))
    return fields


class LeNet(AbstractClassifier):
    """Two convolutions of 5 × 5, each pooled, and three fully connected layers.

    At the `size` of 32 it is LeNet-5 as it is drawn today: average pooling has no weights, every
    map of the second convolution sees all of the first, and the last layer gives scores.

    Source: LeCun et al. (1998), Sec. II.B.
    """

    def __init__(
        self, size: int = 16, classes: int = 10, pool: Kind = "average", layers: Layers = TORCH
    ) -> None:
        super().__init__()
        left = ((size - 4) // 2 - 4) // 2
        if left < 1:
            raise ValueError(f"size must be at least 16, got {size}: nothing would be left to see")
        self.maps = nn.Sequential(
            layers.convolution(1, 6, 5), nn.Tanh(), Pool(pool, 2),
            layers.convolution(6, 16, 5), nn.Tanh(), Pool(pool, 2),
        )  # fmt: skip
        self.head = nn.Sequential(
            nn.Flatten(),
            layers.linear(16 * left * left, 120), nn.Tanh(),
            layers.linear(120, 84), nn.Tanh(),
            layers.linear(84, classes),
        )  # fmt: skip

    def forward(self, x: Images, generator: torch.Generator | None = None) -> Scores:
        """Look for strokes, then for strokes of strokes, then decide by where they are."""
        return self.head(self.maps(x))


@dataclass(frozen=True, kw_only=True)
class ConvNetConfig:
    """A stack of convolutions; the defaults are the chapter's net for shifted digits."""

    channels: int = 1
    classes: int = 10
    widths: tuple[int, ...] = (16, 32, 64)  # maps after each convolution
    kernel: int = 3
    pool: Kind | None = None  # between convolutions, in windows of 2 × 2
    head: Kind | Literal["flatten"] = "max"  # how maps of any size become one row of numbers
    size: int = 16  # of the images; only "flatten" has to know it
    normalize: bool = False
    drop: float = 0.0  # before the last layer; half as often whole maps between convolutions

    def __post_init__(self) -> None:
        if not self.widths:
            raise ValueError(f"widths must hold at least one number, got {self}")
        if self.kernel % 2 == 0:
            raise ValueError(f"kernel must be odd, so that maps keep their size, got {self}")


class ConvNet(AbstractClassifier):
    """Convolutions that keep the size of the image, a pooling over all of it, a linear layer."""

    def __init__(self, config: ConvNetConfig, layers: Layers = TORCH) -> None:
        super().__init__()
        widths, left = (config.channels, *config.widths), config.size
        self.blocks = nn.ModuleList()
        for depth, (before, after) in enumerate(zip(widths, widths[1:], strict=False)):
            parts = [layers.convolution(before, after, config.kernel, 1, config.kernel // 2)]
            if config.normalize:
                parts.append(layers.normalization(after))
            parts.append(nn.ReLU())
            if config.pool and depth < len(config.widths) - 1:
                parts.append(Pool(config.pool, 2))
                left //= 2
            self.blocks.append(nn.Sequential(*parts))
        flat = config.head == "flatten"
        self.gather = nn.Identity() if config.head == "flatten" else Pool(config.head)
        self.drop_maps = Dropout(config.drop / 2, maps=True)
        self.drop = Dropout(config.drop)
        self.scores = layers.linear(widths[-1] * (left * left if flat else 1), config.classes)

    def features(self, x: Images, generator: torch.Generator | None = None) -> list[Tensor]:
        """The maps after each block."""
        found = []
        for depth, block in enumerate(self.blocks):
            x = block(self.drop_maps(x, generator) if depth else x)
            found.append(x)
        return found

    def forward(self, x: Images, generator: torch.Generator | None = None) -> Scores:
        """What is found, wherever it is, and what that speaks for."""
        found = self.gather(self.features(x, generator)[-1]).flatten(1)
        return self.scores(self.drop(found, generator))
