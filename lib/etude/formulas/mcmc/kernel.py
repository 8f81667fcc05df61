"""A kernel moves many chains one step, and leaves the target as it is; `run` repeats it.

Chains are an axis: a position has shape (chains, dims), and every chain is by itself.

Chapter: formulas/mcmc
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind, check_float

__all__ = ["AbstractKernel", "Info", "LogDensity", "State", "Trace", "decide", "run", "start"]

# (chains, dims) → (chains,), each chain from its own row; a constant may be left out.
LogDensity: TypeAlias = Callable[[Tensor], Tensor]


class State(NamedTuple):
    """Where the chains are."""

    position: Tensor  # (chains, dims)
    log_density: Tensor  # (chains,)


class Info(NamedTuple):
    """What one step did, chain by chain; each of shape (chains,)."""

    acceptance: Tensor  # probability with which the proposal was to be taken
    accepted: Tensor  # whether it was
    evaluations: Tensor  # of the log-density, or of its gradient
    diverged: Tensor  # whether the energy ran away


class Trace(NamedTuple):
    """All kept positions, (steps, chains, dims), and the infos, each (steps, chains)."""

    position: Tensor
    acceptance: Tensor
    accepted: Tensor
    evaluations: Tensor
    diverged: Tensor


class AbstractKernel(ABC):
    """Two verbs. A kernel is frozen: it cannot learn from the draws that it makes."""

    @abstractmethod
    def init(self, position: Tensor) -> Any:
        """The state at a position of shape (chains, dims)."""

    @abstractmethod
    def step(self, state: Any, generator: torch.Generator | None = None) -> tuple[Any, Info]:
        """Move every chain once."""


def run(
    kernel: AbstractKernel,
    position: Float[Tensor, "chains dims"],
    steps: int,
    *,
    burn_in: int = 0,
    generator: torch.Generator | None = None,
) -> Trace:
    """Forget `burn_in` steps, then keep `steps`. A rejected proposal repeats the position.

    Raises:
        ValueError: `steps` is not positive, `burn_in` is negative, or a chain starts where the
            density is zero or not a number.
    """
    if steps < 1 or burn_in < 0:
        raise ValueError(f"steps must be positive and burn_in not negative, got {steps}, {burn_in}")
    check_float(position=position)
    bind(position=(position, "chains dims"))
    state = kernel.init(position)
    for _ in range(burn_in):
        state, _ = kernel.step(state, generator)
    kept, infos = position.new_empty(steps, *position.shape), []
    for t in range(steps):
        state, info = kernel.step(state, generator)
        kept[t] = state.position.detach()
        infos.append(info)
    return Trace(kept, *map(torch.stack, zip(*infos, strict=True)))


def start(position: Tensor, log_density: Tensor) -> None:
    """Refuse chains that start where nothing can be compared with them.

    Raises:
        ValueError: a log-density is not finite, or there is not one for each chain.
    """
    if log_density.shape != position.shape[:1]:
        came = tuple(log_density.shape)
        raise ValueError(f"log_density has shape {came}, expected one of {len(position)} chains")
    bad = (~log_density.isfinite()).nonzero()
    if len(bad):
        chain = int(bad[0])
        raise ValueError(
            f"log_density of chain {chain} is {float(log_density[chain])}, expected a finite number: "
            "start inside the support"
        )


def decide(
    old: Any, new: Any, log_ratio: Float[Tensor, " chains"], generator: torch.Generator | None
) -> tuple[Any, Tensor, Tensor]:
    """Take the new state with probability min(1, ratio), else repeat the old one.

    Where the new log-density is not finite it is refused. Returns the state, the probabilities,
    and what was accepted.
    """
    # Eq. (metropolis-hastings)
    acceptance = log_ratio.exp().clamp(max=1).nan_to_num(nan=0.0)
    acceptance = acceptance.masked_fill(~new.log_density.isfinite(), 0)
    accepted = torch.rand_like(acceptance, generator=generator) < acceptance
    pairs = zip(new, old, strict=True)
    merged = (torch.where(accepted.view(-1, *[1] * (n.ndim - 1)), n, o) for n, o in pairs)
    return type(old)(*merged), acceptance, accepted
