"""Metropolis–Hastings: propose, compare, go there or stay.

Chapter: formulas/mcmc
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.formulas.mcmc.kernel import AbstractKernel, Info, LogDensity, State, decide, start

__all__ = [
    "GradientState",
    "MetropolisAdjustedLangevin",
    "MetropolisHastings",
    "Proposal",
    "RandomWalkMetropolis",
    "independent",
    "log_normal_walk",
    "value_and_gradient",
]

Evaluate = Callable[[Tensor], tuple[Tensor, Tensor]]


class Proposal(NamedTuple):
    """How a new position is drawn from an old one, and the density of doing so."""

    draw: Callable[[Tensor, torch.Generator | None], Tensor]  # (position, generator) → position
    log_density: Callable[[Tensor, Tensor], Tensor]  # log q(to | given), (to, given) → (chains,)


class GradientState(NamedTuple):
    """Where the chains are, and the slope there."""

    position: Tensor  # (chains, dims)
    log_density: Tensor  # (chains,)
    gradient: Tensor  # (chains, dims)


@dataclass(frozen=True)
class RandomWalkMetropolis(AbstractKernel):
    """Propose x' = x + scale · Lε; accept with probability min(1, π(x')/π(x)).

    `factor` is L, lower triangular, (dims, dims); without it L is the identity.

    Source: Metropolis et al. (1953); the scale 2.38/√dims: Roberts, Gelman & Gilks (1997).
    """

    log_density: LogDensity
    scale: float = 1.0
    factor: Tensor | None = None

    def init(self, position: Float[Tensor, "chains dims"]) -> State:
        """The state at `position`."""
        return _first(position, self.log_density)

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """Propose, compare, accept or stay."""
        noise = torch.randn_like(state.position, generator=generator)
        if self.factor is not None:
            noise = noise @ self.factor.mT
        position = state.position + self.scale * noise
        proposal = State(position, self.log_density(position))
        # Eq. (random-walk-ratio)
        log_ratio = proposal.log_density - state.log_density
        return _finish(state, proposal, log_ratio, generator)


@dataclass(frozen=True)
class MetropolisHastings(AbstractKernel):
    """Any proposal; its asymmetry is taken back by the ratio q(x|x') / q(x'|x).

    Source: Hastings (1970), Eq. 6 with the acceptance of Metropolis.
    """

    log_density: LogDensity
    proposal: Proposal

    def init(self, position: Float[Tensor, "chains dims"]) -> State:
        """The state at `position`."""
        return _first(position, self.log_density)

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """Propose, compare both directions, accept or stay."""
        position = self.proposal.draw(state.position, generator)
        new = State(position, self.log_density(position))
        there = self.proposal.log_density(new.position, state.position)
        back = self.proposal.log_density(state.position, new.position)
        # Eq. (hastings-ratio)
        log_ratio = new.log_density + back - state.log_density - there
        return _finish(state, new, log_ratio, generator)


@dataclass(frozen=True)
class MetropolisAdjustedLangevin(AbstractKernel):
    """Propose x' = x + ½h² ∇log π(x) + hε, a step of Langevin's diffusion, and correct it.

    Source: Roberts & Tweedie (1996), section 1.4.1.
    """

    log_density: LogDensity
    step_size: float = 0.1

    def init(self, position: Float[Tensor, "chains dims"]) -> GradientState:
        """The state at `position`."""
        state = GradientState(position, *value_and_gradient(self.log_density)(position))
        start(position, state.log_density)
        return state

    def step(
        self, state: GradientState, generator: torch.Generator | None = None
    ) -> tuple[GradientState, Info]:
        """Go uphill a little and stray; accept or stay."""
        h = self.step_size
        noise = torch.randn_like(state.position, generator=generator)
        # Eq. (langevin-proposal)
        position = state.position + h**2 / 2 * state.gradient + h * noise
        new = GradientState(position, *value_and_gradient(self.log_density)(position))
        way_back = state.position - new.position - h**2 / 2 * new.gradient
        back = -(way_back / h).square().sum(dim=-1) / 2
        there = -noise.square().sum(dim=-1) / 2
        log_ratio = new.log_density + back - state.log_density - there
        return _finish(state, new, log_ratio, generator)


def log_normal_walk(scale: float = 1.0) -> Proposal:
    """Multiply every coordinate by e^{scale · ε}: a walk on positive numbers.

    log q(x'|x) falls by log x' for each coordinate: large numbers are drawn thinly.
    """

    def draw(position: Tensor, generator: torch.Generator | None) -> Tensor:
        noise = torch.randn_like(position, generator=generator)
        return position * (scale * noise).exp()

    def log_density(to: Tensor, given: Tensor) -> Tensor:
        z = (to.log() - given.log()) / scale
        each = -z.square() / 2 - to.log() - math.log(scale) - math.log(2 * math.pi) / 2
        return each.sum(dim=-1)

    return Proposal(draw, log_density)


def independent(
    sample: Callable[[int, torch.Generator | None], Tensor], log_density: LogDensity
) -> Proposal:
    """Propose from one density, wherever the chain is: the independence sampler."""
    return Proposal(
        lambda position, generator: sample(len(position), generator),
        lambda to, given: log_density(to),
    )


def value_and_gradient(log_density: LogDensity) -> Evaluate:
    """The log-density and its gradient: the target's own `value_and_gradient`, or autograd."""
    own = getattr(log_density, "value_and_gradient", None)
    if own is not None:
        return own

    def evaluate(position: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            leaf = position.detach().requires_grad_()
            value = log_density(leaf)
            (gradient,) = torch.autograd.grad(value.sum(), leaf)
        return value.detach(), gradient

    return evaluate


def _first(position: Tensor, log_density: LogDensity) -> State:
    state = State(position, log_density(position))
    start(position, state.log_density)
    return state


def _finish(old, new, log_ratio: Tensor, generator: torch.Generator | None):
    """Decide, and say what happened."""
    state, acceptance, accepted = decide(old, new, log_ratio, generator)
    one = torch.ones_like(accepted, dtype=torch.long)
    return state, Info(acceptance, accepted, one, torch.zeros_like(accepted))
