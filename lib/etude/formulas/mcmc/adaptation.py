"""Warming up: find the step size and the masses of HMC, then leave them alone.

Chapter: formulas/mcmc
"""

import math
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.formulas.mcmc.hamiltonian import HamiltonianMonteCarlo

__all__ = ["DualAveraging", "Tuning", "warm_up"]


class Tuning(NamedTuple):
    """What dual averaging remembers; each a number on the device of the chains."""

    center: Tensor  # the log step size that it is drawn towards
    error: Tensor  # running mean of target − acceptance
    log_size: Tensor  # the step size to try next
    log_mean: Tensor  # the step size to keep in the end
    count: int


@dataclass(frozen=True)
class DualAveraging:
    """Steer an acceptance towards `target` by the step size.

    Source: Hoffman & Gelman (2014), Eq. 6, and their constants.
    """

    target: float = 0.8
    gamma: float = 0.05
    offset: float = 10.0
    decay: float = 0.75

    def init(self, size: Float[Tensor, ""]) -> Tuning:
        """Begin at a step size, and rather try too large ones first."""
        zero = torch.zeros_like(size)
        return Tuning((10 * size).log(), zero, size.log(), zero, 0)

    def step(self, tuning: Tuning, acceptance: Float[Tensor, ""]) -> Tuning:
        """Learn from one acceptance."""
        t = tuning.count + 1
        weight = 1 / (t + self.offset)
        # Eq. (dual-averaging)
        error = (1 - weight) * tuning.error + weight * (self.target - acceptance)
        log_size = tuning.center - math.sqrt(t) / self.gamma * error
        eta = t**-self.decay
        log_mean = eta * log_size + (1 - eta) * tuning.log_mean
        return Tuning(tuning.center, error, log_size, log_mean, t)


def warm_up(
    kernel: HamiltonianMonteCarlo,
    position: Float[Tensor, "chains dims"],
    steps: int,
    *,
    target: float = 0.8,
    generator: torch.Generator | None = None,
) -> tuple[HamiltonianMonteCarlo, Float[Tensor, "chains dims"]]:
    """A kernel with a tuned step size and diagonal masses, and where the chains are by then.

    A sixth of the steps for the step size; four windows, each twice as long as the one before, that
    end with the variances of their draws, pooled over all chains, as inverse masses; a sixth for the
    step size again. All draws made on the way are thrown away: their kernels looked at the past.

    Source: Stan (Carpenter et al. 2017); its reference manual, "Automatic parameter tuning".

    Raises:
        ValueError: fewer than 24 steps, or a target that is no probability.
    """
    if steps < 24:
        raise ValueError(f"steps must be at least 24, got {steps}")
    if not 0 < target < 1:
        raise ValueError(f"target must be between 0 and 1, got {target}")
    rule, edge = DualAveraging(target), steps // 6
    kernel, position, _ = _tune(kernel, position, edge, rule, generator)
    for window in range(4):
        length = (steps - 2 * edge) * 2**window // 15
        kernel, position, seen = _tune(kernel, position, length, rule, generator)
        pooled = seen.flatten(0, 1)  # a single draw varies by 0
        kernel = _weigh(kernel, pooled.var(dim=0, correction=min(1, len(pooled) - 1)))
    kernel, position, _ = _tune(kernel, position, edge, rule, generator)
    return kernel, position


def _weigh(kernel: HamiltonianMonteCarlo, variance: Tensor) -> HamiltonianMonteCarlo:
    """Variances as inverse masses; the stiffest coordinate keeps its step."""
    old = torch.ones_like(variance) if kernel.inverse_mass is None else kernel.inverse_mass
    # Where nothing has moved the mass stays: a variance of 0 would freeze the coordinate for ever.
    variance = torch.where(variance > 0, variance, old)
    scale = (old / variance).max().sqrt()
    return replace(kernel, inverse_mass=variance, step_size=kernel.step_size * scale)


def _tune(kernel, position, steps: int, rule: DualAveraging, generator):
    """Run and steer the step size; return the kernel with its mean, and all positions."""
    size = torch.as_tensor(kernel.step_size, dtype=position.dtype, device=position.device)
    tuning, state, seen = rule.init(size), kernel.init(position), []
    for _ in range(steps):
        kernel = replace(kernel, step_size=tuning.log_size.exp())
        state, info = kernel.step(state, generator)
        tuning = rule.step(tuning, info.acceptance.mean())
        seen.append(state.position)
    return replace(kernel, step_size=tuning.log_mean.exp()), state.position, torch.stack(seen)
