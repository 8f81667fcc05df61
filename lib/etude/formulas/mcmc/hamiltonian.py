"""Hamiltonian Monte Carlo: give the point a push, follow the mechanics, correct what was rounded.

Chapter: formulas/mcmc
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from etude.formulas.mcmc.kernel import AbstractKernel, Info, LogDensity, decide, start
from etude.formulas.mcmc.metropolis import GradientState, value_and_gradient

__all__ = ["DIVERGENCE", "HamiltonianMonteCarlo", "kinetic_energy", "leapfrog"]

DIVERGENCE = 1000.0  # an error of the energy that no accurate trajectory makes


@dataclass(frozen=True)
class HamiltonianMonteCarlo(AbstractKernel):
    """Draw a momentum, make `steps` leapfrog steps, accept with probability min(1, e^{−ΔH}).

    `inverse_mass` is the diagonal of M⁻¹, (dims,): best the variances of the target. `jitter`
    multiplies each chain's step size by a number within 1 ± jitter, drawn anew every time, so that
    no trajectory goes round exactly.

    Source: Duane et al. (1987); Neal (2011), section 3.2.
    """

    log_density: LogDensity
    step_size: float | Tensor = 0.1
    steps: int = 10
    inverse_mass: Tensor | None = None
    jitter: float = 0.0

    def __post_init__(self) -> None:
        if self.steps < 1 or not 0 <= self.jitter < 1:
            raise ValueError(
                f"steps must be positive and 0 ≤ jitter < 1, got {self.steps} and {self.jitter}"
            )

    def init(self, position: Float[Tensor, "chains dims"]) -> GradientState:
        """The state at `position`."""
        state = GradientState(position, *value_and_gradient(self.log_density)(position))
        start(position, state.log_density)
        return state

    def step(
        self, state: GradientState, generator: torch.Generator | None = None
    ) -> tuple[GradientState, Info]:
        """Push, follow, compare the energies."""
        weight = self._inverse_mass(state.position)
        push = torch.randn_like(state.position, generator=generator) / weight.sqrt()
        size = self._size(state, generator)
        evaluate = value_and_gradient(self.log_density)
        new, momentum = leapfrog(state, push, evaluate, size, self.steps, weight)
        # Eq. (energy)
        before = kinetic_energy(push, weight) - state.log_density
        after = kinetic_energy(momentum, weight) - new.log_density
        # Eq. (hmc-ratio)
        moved, acceptance, accepted = decide(state, new, before - after, generator)
        diverged = ~(after - before < DIVERGENCE)  # NaN diverges
        used = torch.full_like(accepted, self.steps, dtype=torch.long)
        return moved, Info(acceptance, accepted, used, diverged)

    def _inverse_mass(self, position: Tensor) -> Tensor:
        if self.inverse_mass is None:
            return torch.ones_like(position[0])
        return self.inverse_mass

    def _size(self, state: GradientState, generator) -> float | Tensor:
        if not self.jitter:
            return self.step_size
        spread = torch.rand_like(state.position[:, :1], generator=generator).mul(2).sub(1)
        return self.step_size * (1 + self.jitter * spread)


def leapfrog(
    state: GradientState,
    momentum: Float[Tensor, "chains dims"],
    evaluate: Callable[[Tensor], tuple[Tensor, Tensor]],
    step_size: float | Tensor,
    steps: int,
    inverse_mass: Float[Tensor, " dims"] | float = 1.0,
) -> tuple[GradientState, Float[Tensor, "chains dims"]]:
    """Kick, drift, kick: `steps` times, the kicks between two drifts made in one.

    `evaluate` gives the log-density and its gradient. The momentum comes back as it is: with its
    sign turned, the same call leads home.

    Source: Neal (2011), Eq. 2.28–2.30.
    """
    position, log_density, slope = state
    # Eq. (leapfrog)
    momentum = momentum + step_size / 2 * slope
    for step in range(1, steps + 1):
        position = position + step_size * inverse_mass * momentum
        log_density, slope = evaluate(position)
        momentum = momentum + (step_size if step < steps else step_size / 2) * slope
    return GradientState(position, log_density, slope), momentum


def kinetic_energy(
    momentum: Float[Tensor, "chains dims"], inverse_mass: Float[Tensor, " dims"]
) -> Float[Tensor, " chains"]:
    """½ pᵀ M⁻¹ p."""
    return (momentum.square() * inverse_mass).sum(dim=-1) / 2
