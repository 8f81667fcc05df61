"""Densities to sample from, easy and nasty; each is called on positions (chains, dims).

Chapter: formulas/mcmc
"""

import math
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind

__all__ = ["Banana", "Funnel", "Gaussian", "Ising", "LogisticPosterior", "Mixture"]

Positions = Float[Tensor, "chains dims"]
LogDensities = Float[Tensor, " chains"]


@dataclass(frozen=True)
class Gaussian:
    """N(mean, LLᵀ), normalized; `factor` is L, lower triangular, (dims, dims)."""

    mean: Tensor
    factor: Tensor

    def __post_init__(self) -> None:
        bind(mean=(self.mean, "dims"), factor=(self.factor, "dims dims"))

    def __call__(self, position: Positions) -> LogDensities:
        """log N."""
        z = torch.linalg.solve_triangular(self.factor, (position - self.mean).mT, upper=False)
        logdet = self.factor.diagonal().log().sum()
        return -z.square().sum(dim=0) / 2 - logdet - len(self.mean) * math.log(2 * math.pi) / 2

    def sample(self, count: int, generator: torch.Generator | None = None) -> Positions:
        """Independent draws."""
        shape = count, len(self.mean)
        noise = torch.randn(
            shape, generator=generator, dtype=self.mean.dtype, device=self.mean.device
        )
        return self.mean + noise @ self.factor.mT


@dataclass(frozen=True)
class Banana:
    """x₁ ~ N(0, width²), x₂ ~ N(bend · (x₁² − width²), 1): a normal distribution, bent.

    Source: Haario, Saksman & Tamminen (1999), twisted normals.
    """

    bend: float = 0.25
    width: float = 2.0

    def __call__(self, position: Float[Tensor, "chains 2"]) -> LogDensities:
        """The density, normalized."""
        x, y = position.unbind(dim=-1)
        bent = y - self.bend * (x.square() - self.width**2)
        return -((x / self.width).square() + bent.square()) / 2 - math.log(2 * math.pi * self.width)

    def straighten(self, position: Float[Tensor, "chains 2"]) -> Float[Tensor, "chains 2"]:
        """To two independent standard normal numbers: what a test of draws can look at."""
        x, y = position.unbind(dim=-1)
        return torch.stack([x / self.width, y - self.bend * (x.square() - self.width**2)], dim=-1)


@dataclass(frozen=True)
class Funnel:
    """v ~ N(0, scale²) and, given v, all other coordinates ~ N(0, eᵛ): wide above, a needle below.

    Source: Neal (2003), section 8.
    """

    scale: float = 3.0

    def __call__(self, position: Positions) -> LogDensities:
        """The density, normalized; the first coordinate is v."""
        v, x = position[:, 0], position[:, 1:]
        quadratic = (v / self.scale).square() + x.square().sum(dim=-1) * (-v).exp()
        n = x.shape[1]
        return -(quadratic + n * v + (n + 1) * math.log(2 * math.pi)) / 2 - math.log(self.scale)

    def straighten(self, position: Positions) -> Positions:
        """To independent standard normal numbers, the coordinates in which it is easy."""
        v = position[:, :1]
        return torch.cat([v / self.scale, position[:, 1:] * (-v / 2).exp()], dim=1)

    def bend(self, position: Positions) -> Positions:
        """Back from the easy coordinates: sample there, look here."""
        v = self.scale * position[:, :1]
        return torch.cat([v, position[:, 1:] * (v / 2).exp()], dim=1)


@dataclass(frozen=True)
class Mixture:
    """Normal hills of one width, with equal weights, at the rows of `means`, (clusters, dims)."""

    means: Tensor
    width: float = 1.0

    def __call__(self, position: Positions) -> LogDensities:
        """The density, normalized."""
        clusters, dims = self.means.shape
        square = (position[:, None] - self.means).square().sum(dim=-1) / self.width**2
        norm = dims * math.log(2 * math.pi * self.width**2) / 2 + math.log(clusters)
        return (-square / 2).logsumexp(dim=-1) - norm

    def sample(self, count: int, generator: torch.Generator | None = None) -> Positions:
        """Independent draws."""
        where = torch.randint(
            len(self.means), (count,), generator=generator, device=self.means.device
        )
        center = self.means[where]
        return center + self.width * torch.randn_like(center, generator=generator)


@dataclass(frozen=True)
class LogisticPosterior:
    """Coefficients of a logistic regression given the data, with independent normal priors.

    `X` (rows, terms) holds the column of ones, if any; `y` (rows,) zeros and ones of X's type.
    """

    X: Tensor
    y: Tensor
    prior_scale: float = 1.0

    def __post_init__(self) -> None:
        bind(X=(self.X, "rows terms"), y=(self.y, "rows"))

    def __call__(self, position: Float[Tensor, "chains terms"]) -> LogDensities:
        """Log-likelihood and log-prior, without the constant."""
        logit = position @ self.X.mT
        # Eq. (logistic-posterior)
        fit = position @ (self.y @ self.X) - F.softplus(logit).sum(dim=-1)
        return fit - (position / self.prior_scale).square().sum(dim=-1) / 2

    def value_and_gradient(
        self, position: Float[Tensor, "chains terms"]
    ) -> tuple[LogDensities, Float[Tensor, "chains terms"]]:
        """Both, with the gradient by hand: no graph is built."""
        logit, linear = position @ self.X.mT, self.y @ self.X
        prior = position / self.prior_scale**2
        value = position @ linear - F.softplus(logit).sum(dim=-1) - (position * prior).sum(-1) / 2
        return value, linear - logit.sigmoid() @ self.X - prior


@dataclass(frozen=True)
class Ising:
    """Spins ±1 on a grid, row after row, that like to agree with their neighbors: not normalized."""

    height: int
    width: int
    coupling: float
    field: float = 0.0

    def __call__(self, position: Positions) -> LogDensities:
        """coupling · Σ of products of neighbors + field · Σ of spins; the edges are free."""
        grid = position.unflatten(-1, (self.height, self.width))
        across = (grid[:, :, 1:] * grid[:, :, :-1]).sum(dim=(1, 2))
        down = (grid[:, 1:] * grid[:, :-1]).sum(dim=(1, 2))
        # Eq. (ising)
        return self.coupling * (across + down) + self.field * position.sum(dim=-1)
