"""Train two networks against each other, a move of the one and a move of the other.

Chapter: networks/gan
"""

import copy
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from etude.core.learner import CHECK_EVERY, average, one_number, require_finite
from etude.networks.gan.losses import Game, discriminator_loss, generator_loss, r1_penalty

__all__ = ["Perceptron", "Trained", "sample", "train_against"]

Draw = Callable[[int, torch.Generator], Tensor]  # so many samples of the data


class Trained(NamedTuple):
    """What is left after the game."""

    G: nn.Module  # the generator with the running average of its weights, which draws better
    discriminator_losses: list[float]  # one a move, penalty included
    generator_losses: list[float]


class Perceptron(nn.Sequential):
    """Two hidden layers with a leak: a discriminator that is dead somewhere teaches nothing there."""

    def __init__(self, inputs: int, outputs: int, width: int = 128, **where: Any) -> None:
        """`where` is torch's `device` and `dtype`."""
        super().__init__(
            nn.Linear(inputs, width, **where), nn.LeakyReLU(0.2),
            nn.Linear(width, width, **where), nn.LeakyReLU(0.2),
            nn.Linear(width, outputs, **where),
        )  # fmt: skip


def sample(G: nn.Module, rows: int, latent: int, *, generator: torch.Generator) -> Tensor:
    """Send standard normal noise, (rows, latent), through `G`, on the device of `generator`."""
    kind = next(G.parameters()).dtype
    return G(torch.randn(rows, latent, generator=generator, device=generator.device, dtype=kind))


def train_against(
    G: nn.Module,
    D: nn.Module,
    draw: Draw,
    *,
    latent: int,
    steps: int,
    generator: torch.Generator,
    batch: int = 128,
    game: Game = "non_saturating",
    gamma: float = 0.0,
    learning_rate: float = 2e-3,
    betas: tuple[float, float] = (0.0, 0.99),
    decay: float = 0.99,
) -> Trained:
    """Play `steps` moves each; both networks change in place.

    Each move draws new data and new noise. Adam forgets the direction at once (β₁ = 0), since the
    other player has just changed it; its rate falls linearly to zero.

    Args:
        G: makes samples from (rows, latent) numbers.
        D: gives each sample a score, (rows,) or (rows, 1).
        draw: `draw(batch, generator)` gives samples of the data.
        latent: numbers that the generator makes a sample from.
        gamma: weight of the R1 penalty; 0 leaves it out.
        decay: of the running average of the generator's weights.

    Raises:
        ValueError: `steps` is negative or `batch` is not positive.
        FloatingPointError: a loss is no longer finite.

    Source: Goodfellow et al. (2014), Algorithm 1, with one move of the discriminator; Karras et
    al. (2018), Appendix A, for β₁ = 0 and the average.
    """
    if steps < 0 or batch < 1:
        raise ValueError(f"steps must not be negative and batch positive, got {steps} and {batch}")
    players = {"G": G, "D": D}
    descents = {
        name: torch.optim.Adam(player.parameters(), learning_rate, betas)
        for name, player in players.items()
    }
    smooth = copy.deepcopy(G)
    losses: dict[str, list[Tensor]] = {name: [] for name in players}

    def move(name: str, loss: Tensor) -> None:
        descents[name].param_groups[0]["lr"] = learning_rate * (1 - len(losses[name]) / steps)
        losses[name].append(one_number(loss))
        mine = list(players[name].parameters())
        for parameter, slope in zip(mine, torch.autograd.grad(loss, mine), strict=True):
            parameter.grad = slope
        descents[name].step()

    for step in range(steps):
        real = draw(batch, generator)
        with torch.no_grad():
            fake = sample(G, batch, latent, generator=generator)
        loss = discriminator_loss(D(real), D(fake), game)
        if gamma:
            loss = loss + r1_penalty(D, real, gamma)
        move("D", loss)
        move("G", generator_loss(D(sample(G, batch, latent, generator=generator)), game))
        average(smooth, G, decay)
        if step % CHECK_EVERY == 0 or step == steps - 1:
            for history in losses.values():
                require_finite(history)
    numbers = {name: torch.stack(one).tolist() if one else [] for name, one in losses.items()}
    return Trained(smooth, numbers["D"], numbers["G"])
