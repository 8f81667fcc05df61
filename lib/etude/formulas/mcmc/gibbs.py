"""Gibbs sampling: draw a few coordinates anew, given all the others, and go round.

Chapter: formulas/mcmc
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind
from etude.formulas.mcmc.kernel import AbstractKernel, Info, LogDensity

__all__ = ["Block", "Gibbs", "Position", "discrete_blocks", "full_conditional", "gaussian_blocks"]


class Block(NamedTuple):
    """Coordinates, and how they are drawn from the full conditional p(x_A | x_rest)."""

    coordinates: list[int]
    draw: Callable[[Tensor, torch.Generator | None], Tensor]  # position → (chains, coordinates)


class Position(NamedTuple):
    """Where the chains are: all that Gibbs needs to know."""

    position: Tensor  # (chains, dims)


@dataclass(frozen=True)
class Gibbs(AbstractKernel):
    """One sweep over all blocks, each seeing what the ones before it drew; nothing is rejected.

    With `random_scan` a step draws one block, chosen by chance.

    Source: Geman & Geman (1984), section XI.
    """

    blocks: Sequence[Block]
    random_scan: bool = False

    def init(self, position: Float[Tensor, "chains dims"]) -> Position:
        """The state at `position`."""
        return Position(position)

    def step(
        self, state: Position, generator: torch.Generator | None = None
    ) -> tuple[Position, Info]:
        """Draw every block anew, or one of them."""
        position, blocks = state.position.clone(), self.blocks
        if self.random_scan:
            where = generator.device if generator else None
            chosen = torch.randint(len(blocks), (), generator=generator, device=where)
            blocks = [blocks[int(chosen)]]
        for block in blocks:
            # Eq. (gibbs)
            position[:, block.coordinates] = block.draw(position, generator)
        one = torch.ones_like(position[:, 0])
        none = torch.zeros_like(one, dtype=torch.bool)
        return Position(position), Info(one, ~none, none.long(), none)


def gaussian_blocks(
    mean: Float[Tensor, " dims"],
    covariance: Float[Tensor, "dims dims"],
    groups: Sequence[Sequence[int]] | None = None,
) -> list[Block]:
    """The full conditionals of a normal distribution; `groups` are single coordinates by default.

    Raises:
        ValueError: the groups do not name every coordinate exactly once.
    """
    dims = bind(mean=(mean, "dims"), covariance=(covariance, "dims dims"))["dims"]
    chosen = [list(group) for group in groups or [[i] for i in range(dims)]]
    if sorted(i for group in chosen for i in group) != list(range(dims)):
        raise ValueError(f"groups must name each of {dims} coordinates once, got {groups}")
    precision = torch.cholesky_inverse(torch.linalg.cholesky(covariance))
    return [_gaussian_block(mean, precision, group) for group in chosen]


def _gaussian_block(mean: Tensor, precision: Tensor, group: list[int]) -> Block:
    rest = [i for i in range(len(mean)) if i not in group]
    root = torch.linalg.cholesky(precision[group][:, group])
    slope = -torch.cholesky_solve(precision[group][:, rest], root)

    def draw(position: Tensor, generator: torch.Generator | None) -> Tensor:
        noise = torch.randn_like(position[:, group], generator=generator)
        # Eq. (gaussian-conditional)
        center = mean[group] + (position[:, rest] - mean[rest]) @ slope.mT
        return center + torch.linalg.solve_triangular(root.mT, noise.mT, upper=True).mT

    return Block(group, draw)


def full_conditional(
    log_density: LogDensity,
    position: Float[Tensor, "chains dims"],
    coordinate: int,
    values: Float[Tensor, " states"],
) -> Float[Tensor, "chains states"]:
    """P(coordinate = each of the values | all others), from the density at each of them."""
    tried = position[None].repeat(len(values), 1, 1)
    tried[:, :, coordinate] = values[:, None]
    # Eq. (full-conditional)
    return log_density(tried.flatten(0, 1)).view(len(values), -1).softmax(dim=0).mT


def discrete_blocks(
    log_density: LogDensity, values: Float[Tensor, " states"], dims: int
) -> list[Block]:
    """Every coordinate takes one of a few values: enough to know the density."""

    def block(coordinate: int) -> Block:
        def draw(position: Tensor, generator: torch.Generator | None) -> Tensor:
            chances = full_conditional(log_density, position, coordinate, values)
            return values[torch.multinomial(chances, 1, generator=generator)]

        return Block([coordinate], draw)

    return [block(coordinate) for coordinate in range(dims)]
