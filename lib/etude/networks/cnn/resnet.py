"""Residual networks: each layer adds to what is there, so a deep network can begin as a shallow one.

The modules have the names of transformers' `ResNetModel` and `ResNetForImageClassification`, so
either loads the other's state.

Chapter: networks/cnn
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from etude.core.shapes import bind
from etude.networks.cnn.layers import TORCH, Layers, Pool
from etude.networks.cnn.training import AbstractClassifier

__all__ = [
    "RESNET18",
    "RESNET34",
    "RESNET50",
    "RESNET101",
    "RESNET152",
    "Features",
    "ResNet",
    "ResNetClassifier",
    "ResNetConfig",
]

Images = Float[Tensor, "batch channels height width"]


@dataclass(frozen=True, kw_only=True)
class ResNetConfig:
    """The defaults train on small pictures in seconds; the papers' sizes have names."""

    channels: int = 1
    classes: int = 10
    stem: Literal["small", "large"] = "small"  # 3 × 3; or 7 × 7 in steps of 2, then max pooling
    embedding: int = 16  # maps after the stem
    widths: tuple[int, ...] = (16, 32)  # maps after each stage
    depths: tuple[int, ...] = (1, 1)  # layers of each stage; from the second on, it halves the size
    bottleneck: bool = False  # 1 × 1, 3 × 3, 1 × 1 with a quarter of the maps inside
    residual: bool = True  # without, the plain network that the paper compares with

    def __post_init__(self) -> None:
        if self.stem not in ("small", "large"):
            raise ValueError(f"stem must be 'small' or 'large', got {self}")
        if not self.widths or len(self.widths) != len(self.depths):
            raise ValueError(f"widths and depths must be as many, and at least one, got {self}")
        if min(self.depths) < 1 or (self.bottleneck and any(w % 4 for w in self.widths)):
            raise ValueError(f"depths must be positive, widths of bottlenecks fourfold, got {self}")


def _imagenet(bottleneck: bool, *depths: int) -> ResNetConfig:
    first = 256 if bottleneck else 64
    return ResNetConfig(
        channels=3, classes=1000, stem="large", embedding=64, bottleneck=bottleneck,
        widths=tuple(first << stage for stage in range(4)), depths=depths,
    )  # fmt: skip


RESNET18 = _imagenet(False, 2, 2, 2, 2)
RESNET34 = _imagenet(False, 3, 4, 6, 3)
RESNET50 = _imagenet(True, 3, 4, 6, 3)
RESNET101 = _imagenet(True, 3, 4, 23, 3)
RESNET152 = _imagenet(True, 3, 8, 36, 3)


class Convolution(nn.Module):
    """A convolution, its normalization, and a rectifier unless it is left to somebody else."""

    def __init__(
        self,
        before: int,
        after: int,
        size: int,
        stride: int = 1,
        *,
        rectify: bool = True,
        layers: Layers = TORCH,
    ) -> None:
        super().__init__()
        self.convolution = layers.convolution(before, after, size, stride, size // 2, bias=False)
        self.normalization = layers.normalization(after)
        self.activation = nn.ReLU() if rectify else nn.Identity()

    def forward(self, x: Images) -> Float[Tensor, "batch after out_height out_width"]:
        """Look, bring to one size, cut off what is negative."""
        return self.activation(self.normalization(self.convolution(x)))


class Residual(nn.Module):
    """x + F(x), rectified: what the layer has to add, and a way past it."""

    def __init__(
        self, before: int, after: int, stride: int, config: ResNetConfig, layers: Layers = TORCH
    ) -> None:
        super().__init__()
        self.residual = config.residual
        if self.residual:
            same = before == after and stride == 1
            way = Convolution(before, after, 1, stride, rectify=False, layers=layers)
            self.shortcut = nn.Identity() if same else way
        if config.bottleneck:
            inside = after // 4
            # the stride is in the middle, as everyone trains it; the paper has it in the first
            plan = [(before, inside, 1, 1), (inside, inside, 3, stride), (inside, after, 1, 1)]
        else:
            plan = [(before, after, 3, stride), (after, after, 3, 1)]
        last = len(plan) - 1
        self.layer = nn.Sequential(
            *(Convolution(*sizes, rectify=k < last, layers=layers) for k, sizes in enumerate(plan))
        )
        self.activation = nn.ReLU()

    def forward(self, x: Images) -> Float[Tensor, "batch after out_height out_width"]:
        """What was there, and what is new."""
        # Eq. (residual)
        return self.activation(self.layer(x) + self.shortcut(x) if self.residual else self.layer(x))


class Stem(nn.Module):
    """From pixels to maps."""

    def __init__(self, config: ResNetConfig, layers: Layers) -> None:
        super().__init__()
        large = config.stem == "large"
        size, stride = (7, 2) if large else (3, 1)
        self.embedder = Convolution(config.channels, config.embedding, size, stride, layers=layers)
        self.pooler = Pool("max", 3, 2, 1) if large else nn.Identity()

    def forward(self, x: Images) -> Float[Tensor, "batch after out_height out_width"]:
        """Look for edges and colors; keep the strongest."""
        return self.pooler(self.embedder(x))


class Stage(nn.Module):
    """Layers of one width, the first of which may halve the size."""

    def __init__(self, layers: Sequence[nn.Module]) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, x: Images) -> Float[Tensor, "batch after out_height out_width"]:
        """Layer after layer."""
        return self.layers(x)


class Encoder(nn.Module):
    """All stages."""

    def __init__(self, config: ResNetConfig, layers: Layers) -> None:
        super().__init__()
        self.stages, before = nn.ModuleList(), config.embedding
        for number, (width, depth) in enumerate(zip(config.widths, config.depths, strict=True)):
            first = Residual(before, width, 2 if number else 1, config, layers)
            others = (Residual(width, width, 1, config, layers) for _ in range(depth - 1))
            self.stages.append(Stage([first, *others]))
            before = width

    def forward(self, x: Images) -> list[Tensor]:
        """The maps before the first stage and after each."""
        found = [x]
        for stage in self.stages:
            found.append(stage(found[-1]))
        return found


class Features(NamedTuple):
    """What a ResNet finds in a picture."""

    maps: list[Tensor]  # before the first stage and after each
    pooled: Float[Tensor, "batch features"]  # the last ones, averaged over all places


class ResNet(nn.Module):
    """The network without its head; it loads the state of transformers' `ResNetModel`.

    Source: He et al. (2016), Table 1; with the small stem, Sec. 4.2.
    """

    def __init__(self, config: ResNetConfig, layers: Layers = TORCH) -> None:
        super().__init__()
        self.embedder = Stem(config, layers)
        self.encoder = Encoder(config, layers)
        self.pooler = Pool("average")

    def forward(self, x: Images) -> Features:
        """Maps, smaller and deeper stage by stage, and their means."""
        bind(x=(x, "batch channels height width"))
        maps = self.encoder(self.embedder(x))
        return Features(maps, self.pooler(maps[-1]).flatten(1))


class ResNetClassifier(AbstractClassifier):
    """A score for each class; it loads the state of `ResNetForImageClassification`."""

    def __init__(self, config: ResNetConfig, layers: Layers = TORCH) -> None:
        super().__init__()
        self.resnet = ResNet(config, layers)
        linear = layers.linear(config.widths[-1], config.classes)
        self.classifier = nn.Sequential(nn.Flatten(), linear)

    def forward(
        self, x: Images, generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch classes"]:
        """What the picture shows, by what is found in it on average."""
        return self.classifier(self.resnet(x).pooled)
