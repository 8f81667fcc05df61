"""A small network that denoises vectors, and the loss that any such network learns from.

Chapter: mechanisms/diffusion
"""

import math
from typing import get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from etude.core.learner import AbstractLearner
from etude.core.shapes import bind, check_choice, check_same_shape
from etude.mechanisms.diffusion.parameterization import Network, Predicts, diffuse, target
from etude.mechanisms.diffusion.schedule import Schedule

__all__ = ["Diffusion", "MLPDenoiser", "waves"]

WAVES = 64  # numbers that a step is described by


def waves(step: Int[Tensor, " batch"], like: Tensor, dim: int = WAVES) -> Float[Tensor, "batch d"]:
    """A step as cosines and sines of `dim / 2` wavelengths, from 2π to almost 2π · 10,000 steps."""
    half = dim // 2
    count = torch.arange(half, dtype=like.dtype, device=like.device)
    angle = step.to(like.dtype)[:, None] * torch.exp(-math.log(10_000) / half * count)
    return torch.cat([angle.cos(), angle.sin()], dim=-1)


class Block(nn.Module):
    """A residual step whose hidden numbers are scaled and shifted by what is known besides x."""

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.film = nn.Linear(hidden, 2 * hidden)
        self.up = nn.Linear(hidden, 2 * hidden)
        self.down = nn.Linear(2 * hidden, hidden)

    def forward(self, h: Tensor, known: Tensor) -> Tensor:
        """h plus what the block has to say."""
        scale, shift = self.film(known).chunk(2, dim=-1)
        return h + self.down(F.gelu(self.up(self.norm(h) * (1 + scale) + shift)))


class MLPDenoiser(nn.Module):
    """A denoiser of vectors that knows the step and, where it is told, the class.

    Its answer is 0 before it has learned anything. The last row of the table of classes, number
    `classes`, means “no class”; it is what `label=None` stands for.

    Source: Perez et al. (2018) for scale and shift.
    """

    def __init__(self, dim: int, hidden: int = 96, layers: int = 2, classes: int = 0) -> None:
        super().__init__()
        if min(dim, hidden, layers) < 1 or classes < 0:
            given = f"dim={dim}, hidden={hidden}, layers={layers}, classes={classes}"
            raise ValueError(f"sizes must be positive, and classes not negative, got {given}")
        self.nothing = classes
        self.of_step = nn.Sequential(nn.Linear(WAVES, hidden), nn.GELU(), nn.Linear(hidden, hidden))
        self.of_class = nn.Embedding(classes + 1, hidden)
        self.enter = nn.Linear(dim, hidden)
        self.blocks = nn.ModuleList([Block(hidden) for _ in range(layers)])
        self.leave = nn.Linear(hidden, dim)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(
        self,
        x: Float[Tensor, "batch dim"],
        step: Int[Tensor, " batch"],
        label: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch dim"]:
        """What it makes of x at a step: noise, data or velocity, as it was taught."""
        bind({"dim": self.enter.in_features}, x=(x, "batch dim"), step=(step, "batch"))
        if label is None:
            label = torch.full_like(step, self.nothing)
        known = F.gelu(self.of_step(waves(step, x)) + self.of_class(label))
        h = self.enter(x)
        for block in self.blocks:
            h = block(h, known)
        return self.leave(h)


class Diffusion(AbstractLearner):
    """A network that learns what a random mixture of data and noise is made of."""

    def __init__(
        self, network: Network, schedule: Schedule, predicts: Predicts = "velocity"
    ) -> None:
        super().__init__()
        check_choice(get_args(Predicts), predicts=predicts)
        self.network = network
        self.schedule = schedule
        self.predicts: Predicts = predicts

    def loss(
        self,
        data: Float[Tensor, "batch ..."],
        *condition: Tensor,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """The mean squared error at one random step for each example.

        Raises:
            ShapeError: the network's answer has another shape than the data.
        """
        steps = len(self.schedule)
        step = torch.randint(steps, (len(data),), generator=generator, device=data.device)
        noise = torch.randn_like(data, generator=generator)
        level = self.schedule.at(step, data)
        x, _ = diffuse(data, noise, level)
        out = self.network(x, step, *condition)
        check_same_shape(data=data, out=out)
        # Eq. (diffusion-loss)
        return F.mse_loss(out, target(data, noise, level, self.predicts))
