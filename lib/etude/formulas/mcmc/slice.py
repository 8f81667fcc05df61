"""Slice sampling: a uniform height under the density, then a uniform place that is as high.

Every loop runs over all chains at once and masks those that are done.

Chapter: formulas/mcmc
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from etude.formulas.mcmc.kernel import AbstractKernel, Info, LogDensity, State, start

__all__ = [
    "EllipticalSlice",
    "HyperrectangleSlice",
    "SliceSampler",
    "shrink",
    "slice_height",
    "step_out",
]

# The log-density of each chain, displaced from where it is by (chains, any).
Along = Callable[[Tensor], Tensor]
Interval = Float[Tensor, "chains any"]
Height = Float[Tensor, " chains"]
Count = Int[Tensor, " chains"]


@dataclass(frozen=True)
class SliceSampler(AbstractKernel):
    """One coordinate after the other: step out to an interval, then shrink it to a point.

    `width` is the first guess of a slice's width; at most `limit` widths make an interval.

    Source: Neal (2003), sections 4 (one coordinate at a time), Figures 3 and 5.
    """

    log_density: LogDensity
    width: float = 1.0
    limit: int = 16

    def __post_init__(self) -> None:
        if self.width <= 0 or self.limit < 1:
            raise ValueError(f"width and limit must be positive, got {self.width}, {self.limit}")

    def init(self, position: Float[Tensor, "chains dims"]) -> State:
        """The state at `position`."""
        return _first(position, self.log_density)

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """Move along every axis once."""
        used = torch.zeros_like(state.log_density, dtype=torch.long)
        for axis in torch.eye(state.position.shape[1]).to(state.position):
            state, spent = self._along(axis, state, generator)
            used = used + spent
        return state, _info(state, used)

    def _along(self, axis: Tensor, state: State, generator) -> tuple[State, Count]:
        """Move along one axis."""

        def along(t: Tensor) -> Tensor:
            return self.log_density(state.position + t * axis)

        height = slice_height(state.log_density, generator=generator)
        low = -self.width * torch.rand_like(height, generator=generator)[:, None]
        low, high, out = step_out(
            along, height, low, low + self.width, self.limit, generator=generator
        )
        t, log_density, drawn = shrink(along, height, low, high, generator=generator)
        return State(state.position + t * axis, log_density), out + drawn


@dataclass(frozen=True)
class HyperrectangleSlice(AbstractKernel):
    """All coordinates at once: a box laid at random around the point, shrunk side by side.

    Source: Neal (2003), section 5.1, Figure 8 (without stepping out).
    """

    log_density: LogDensity
    width: float = 1.0

    def __post_init__(self) -> None:
        if self.width <= 0:
            raise ValueError(f"width must be positive, got {self.width}")

    def init(self, position: Float[Tensor, "chains dims"]) -> State:
        """The state at `position`."""
        return _first(position, self.log_density)

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """Draw from the box until a point is in the slice."""

        def along(t: Tensor) -> Tensor:
            return self.log_density(state.position + t)

        height = slice_height(state.log_density, generator=generator)
        low = -self.width * torch.rand_like(state.position, generator=generator)
        t, log_density, used = shrink(along, height, low, low + self.width, generator=generator)
        new = State(state.position + t, log_density)
        return new, _info(new, used)


@dataclass(frozen=True)
class EllipticalSlice(AbstractKernel):
    """For a normal prior N(0, LLᵀ) times a likelihood: a point of an ellipse, and nothing to tune.

    The state's log-density is the log-likelihood; `factor` is L, (dims, dims).

    Source: Murray, Adams & MacKay (2010), Figure 2.
    """

    log_likelihood: LogDensity
    factor: Tensor

    def init(self, position: Float[Tensor, "chains dims"]) -> State:
        """The state at `position`."""
        return _first(position, self.log_likelihood)

    def step(self, state: State, generator: torch.Generator | None = None) -> tuple[State, Info]:
        """Draw a second point of the prior; turn from the first towards it."""
        other = torch.randn_like(state.position, generator=generator) @ self.factor.mT

        def at(angle: Tensor) -> Tensor:
            # Eq. (ellipse)
            return state.position * angle.cos() + other * angle.sin()

        height = slice_height(state.log_density, generator=generator)
        angle = 2 * math.pi * torch.rand_like(height, generator=generator)[:, None]
        t, log_likelihood, used = shrink(
            lambda angle: self.log_likelihood(at(angle)), height,
            angle - 2 * math.pi, angle, first=angle, generator=generator,
        )  # fmt: skip
        new = State(at(t), log_likelihood)
        return new, _info(new, used)


def slice_height(
    log_density: Float[Tensor, " chains"], *, generator: torch.Generator | None = None
) -> Height:
    """The logarithm of a height, uniform under the density."""
    depth = torch.empty_like(log_density).exponential_(generator=generator)
    # Eq. (slice-height)
    return log_density - depth  # −log u of a uniform u is exponential


def step_out(
    along: Along,
    height: Height,
    low: Interval,
    high: Interval,
    limit: int,
    *,
    generator: torch.Generator | None = None,
) -> tuple[Interval, Interval, Count]:
    """Widen (low, high), which holds 0, by its width until both ends are outside the slice.

    How many of the `limit` − 1 widths may go to the left is drawn beforehand: only then is every
    interval as likely from any point of the slice that it holds. Returns the evaluations, too.

    Source: Neal (2003), Figure 3.
    """
    width = high - low
    left = torch.rand_like(height, generator=generator).mul(limit).floor().clamp(max=limit - 1)
    used = torch.zeros_like(left, dtype=torch.long)
    ends = []
    for end, sign, allowed in ((low, -1, left), (high, 1, limit - 1 - left)):
        going = allowed > 0
        while going.any():
            used = used + going
            going = going & _holds(along(end), height)
            end = torch.where(going[:, None], end + sign * width, end)
            allowed = allowed - going.to(allowed)
            going = going & (allowed > 0)
        ends.append(end)
    return ends[0], ends[1], used


def shrink(
    along: Along,
    height: Height,
    low: Interval,
    high: Interval,
    *,
    first: Interval | None = None,
    generator: torch.Generator | None = None,
) -> tuple[Interval, Float[Tensor, " chains"], Count]:
    """Draw from the box (low, high) around 0; a point outside the slice becomes a side of the box.

    It ends, because 0 is in the slice. `first` is a first point instead of a drawn one. Returns the
    points, their log-densities, and how often each chain asked for one.

    Source: Neal (2003), Figures 5 and 8.
    """
    found, density = torch.zeros_like(low), torch.zeros_like(height)
    todo = torch.ones_like(height, dtype=torch.bool)
    used = torch.zeros_like(height, dtype=torch.long)
    t = low + (high - low) * torch.rand_like(low, generator=generator) if first is None else first
    while todo.any():
        used = used + todo
        value = along(t)
        hit = todo & _holds(value, height)
        found, density = torch.where(hit[:, None], t, found), torch.where(hit, value, density)
        todo = todo & ~hit
        # Eq. (shrinkage)
        low = torch.where(todo[:, None] & (t < 0), t, low)
        high = torch.where(todo[:, None] & (t >= 0), t, high)
        t = low + (high - low) * torch.rand_like(low, generator=generator)
    return found, density, used


def _holds(value: Tensor, height: Tensor) -> Bool[Tensor, " chains"]:
    """Whether a value is in the slice. NaN compares false: what is no number is outside."""
    return (value >= height) & (value < torch.inf)


def _first(position: Tensor, log_density: LogDensity) -> State:
    state = State(position, log_density(position))
    start(position, state.log_density)
    return state


def _info(state: State, used: Count) -> Info:
    """Nothing is ever rejected."""
    one = torch.ones_like(state.log_density)
    yes = torch.ones_like(used, dtype=torch.bool)
    return Info(one, yes, used, ~yes)
