"""How much of the data, and how much of the noise, is left at each step.

Chapter: mechanisms/diffusion
"""

import math
from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeAlias, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from etude.core.shapes import check_choice, per_row

__all__ = ["Final", "Kind", "Level", "Schedule", "Spacing"]

Kind: TypeAlias = Literal["linear", "scaled_linear", "cosine"]
Spacing: TypeAlias = Literal["trailing", "leading", "linspace"]
Final: TypeAlias = Literal["data", "first"]


class Level(NamedTuple):
    """A step, and what x is made of there: cos · data + sin · noise.

    On a path the three are plain numbers; for a batch, tensors that broadcast against it.
    """

    step: int | Tensor
    cos: float | Tensor
    sin: float | Tensor

    @property
    def angle(self) -> float:
        """How far the pair (data, noise) is turned, from 0 to π/2."""
        return math.atan2(self.sin, self.cos)

    @property
    def sigma(self) -> float:
        """The noise on data that is not shrunk, σ = sin / cos."""
        return float(self.sin / self.cos)

    @property
    def log_snr(self) -> float:
        """λ = log(cos / sin), half the logarithm of the signal-to-noise ratio."""
        return math.log(self.cos / self.sin) if self.sin else math.inf


class Schedule:
    """ᾱ, the share of the data's power that is left after each of `steps` steps.

    The tables are numbers of the host, in float64: what is made from them has the type and the
    device of the data.

    Args:
        kind: "linear" (Ho et al. 2020, with `beta` (1e-4, 0.02)), "scaled_linear" (the root of β is
            linear: Stable Diffusion, with the default), "cosine" (Nichol & Dhariwal 2021, Eq. 17).
        beta: the first and the last share of noise that a step puts in; "cosine" has its own.

    Raises:
        ValueError: `kind`, `steps` or `beta` is none that makes a schedule.
    """

    def __init__(
        self,
        steps: int = 1000,
        kind: Kind = "scaled_linear",
        beta: tuple[float, float] = (0.00085, 0.012),
    ) -> None:
        check_choice(get_args(Kind), kind=kind)
        if steps < 1:
            raise ValueError(f"steps must be at least 1, got {steps}")
        if not 0 < beta[0] <= beta[1] < 1:
            raise ValueError(f"beta must hold two numbers that rise within (0, 1), got {beta}")
        if kind == "linear":
            self.beta = np.linspace(*beta, steps)
        elif kind == "scaled_linear":
            self.beta = np.linspace(beta[0] ** 0.5, beta[1] ** 0.5, steps) ** 2
        else:
            u = np.arange(steps + 1) / steps
            left = np.cos((u + 0.008) / 1.008 * math.pi / 2) ** 2
            self.beta = np.minimum(1 - left[1:] / left[:-1], 0.999)
        # Eq. (diffusion-alpha-bar)
        self.alpha_bar = np.cumprod(1 - self.beta)
        self.cos = np.sqrt(self.alpha_bar)
        self.sin = np.sqrt(1 - self.alpha_bar)

    def __len__(self) -> int:
        return len(self.beta)

    def at(self, step: Int[Tensor, " batch"], like: Float[Tensor, "batch ..."]) -> Level:
        """The levels of a batch, in its type, on its device, with an axis for each of its axes.

        Raises:
            ValueError: a step is outside of the schedule.
        """
        # A GPU would have to be waited for; there a step that is too large is the device's error.
        if step.device.type == "cpu" and not ((step >= 0) & (step < len(self))).all():
            raise ValueError(f"step must lie between 0 and {len(self) - 1}, got {step}")
        tables = (torch.as_tensor(table).to(like) for table in (self.cos, self.sin))
        return Level(step, *(per_row(table[step], like) for table in tables))

    def level(self, step: int) -> Level:
        """What is left at one step; −1 is the data itself."""
        if not -1 <= step < len(self):
            raise ValueError(f"step must lie between -1 and {len(self) - 1}, got {step}")
        if step == -1:
            return Level(-1, 1.0, 0.0)
        return Level(int(step), float(self.cos[step]), float(self.sin[step]))

    def path(
        self,
        steps: int | Sequence[int],
        *,
        spacing: Spacing = "trailing",
        offset: int = 0,
        start: int | None = None,
        final: Final = "data",
    ) -> list[Level]:
        """The levels that a sampler visits, from noise to data: one more than it takes steps.

        Args:
            steps: how many, or the steps themselves, falling.
            spacing: "trailing" begins at the last step and "leading" never sees it; "linspace" goes
                evenly from the last to the first.
            offset: added to each step of "leading".
            start: where to begin, by default at the last step.
            final: "data" ends without noise, "first" with that of step 0.

        Raises:
            ValueError: an argument asks for steps that the schedule does not have.

        Source: Lin et al. (2024), Table 2.
        """
        check_choice(get_args(Final), final=final)
        last = len(self) - 1 if start is None else start
        if not 0 <= last < len(self):
            raise ValueError(f"start must lie between 0 and {len(self) - 1}, got {start}")
        visited = spaced(last, steps, spacing, offset) if isinstance(steps, int) else [*steps]
        falling = all(a > b for a, b in zip(visited, visited[1:], strict=False))
        if not visited or not falling or visited[0] >= len(self) or visited[-1] < 0:
            raise ValueError(f"steps must fall and lie below {len(self)}, got {visited}")
        return [self.level(step) for step in (*visited, -1 if final == "data" else 0)]


def spaced(last: int, count: int, spacing: Spacing = "trailing", offset: int = 0) -> list[int]:
    """`count` steps among 0 … `last`, falling.

    Raises:
        ValueError: `count` is not between 1 and the number of steps, or `spacing` is unknown.
    """
    check_choice(get_args(Spacing), spacing=spacing)
    total = last + 1
    if not 1 <= count <= total:
        raise ValueError(f"steps must lie between 1 and {total}, got {count}")
    if spacing == "trailing":
        found = np.round(np.arange(total, 0, -total / count)[:count]) - 1
    elif spacing == "leading":
        found = np.arange(count)[::-1] * (total // count) + offset
    else:
        found = np.round(np.linspace(0, last, count))[::-1]
    return [int(step) for step in found]
