"""Schedules: the learning rate as a function of time, the number of steps taken before.

Time is a number, taken in double precision, or a tensor of any shape; the answer has its shape.
`functools.partial(cosine, peak=0.1, steps=1000)` is a schedule that an `Optimizer` takes as `lr`.

Chapter: formulas/optimization
"""

import math
from typing import TypeAlias

import torch
from torch import Tensor

__all__ = ["constant", "cosine", "inverse_sqrt", "linear_warmup", "one_cycle", "step_decay"]

Time: TypeAlias = Tensor | float | int


def constant(time: Time, peak: float) -> Tensor:
    """The same at all times."""
    return torch.full_like(real(time), peak)


def step_decay(time: Time, peak: float, *, every: int, factor: float = 0.1) -> Tensor:
    """Multiply by `factor` after every so many steps."""
    positive(every=every)
    # Eq. (step-decay)
    return peak * factor ** (real(time) / every).floor()


def cosine(time: Time, peak: float, *, steps: int, floor: float = 0.0) -> Tensor:
    """Half a cosine from `peak` to `floor`, which it keeps after `steps`.

    Source: Loshchilov & Hutter (2017), Eq. 5, without restarts.
    """
    positive(steps=steps)
    return halfway(peak, floor, (real(time) / steps).clamp(max=1))


def linear_warmup(time: Time, peak: float, *, steps: int, start: float = 0.0) -> Tensor:
    """A straight line from the share `start` of `peak` up to `peak`, reached after `steps`.

    With `peak=1` it is a factor that warms up any other schedule.
    """
    positive(steps=steps)
    # Eq. (linear-warmup)
    return peak * (start + (1 - start) * (real(time) / steps).clamp(max=1))


def inverse_sqrt(time: Time, peak: float, *, steps: int) -> Tensor:
    """Up to `peak` in a straight line, and down with the root of time.

    Source: Vaswani et al. (2017), Eq. 3, with `peak` for (dim · steps)^−½.
    """
    positive(steps=steps)
    count = real(time) + 1
    # Eq. (inverse-sqrt)
    return peak * torch.minimum(count / steps, (steps / count).sqrt())


def one_cycle(
    time: Time,
    peak: float,
    *,
    steps: int,
    pct_start: float = 0.3,
    div_factor: float = 25.0,
    final_div_factor: float = 1e4,
) -> Tensor:
    """Half a cosine from `peak / div_factor` up, and one down to `1 / final_div_factor` of that.

    The last of the `steps` is at time `steps − 1`; afterwards nothing changes.

    Source: Smith & Topin (2018), with the two phases and the cosines of torch's OneCycleLR.

    Raises:
        ValueError: one of the two phases has no length.
    """
    top, end = pct_start * steps - 1, steps - 1
    if not 0 < top < end:
        raise ValueError(
            f"pct_start · steps must lie between 1 and steps, got {pct_start} · {steps}"
        )
    time = real(time)
    first = peak / div_factor
    up = halfway(first, peak, time / top)
    down = halfway(peak, first / final_div_factor, ((time - top) / (end - top)).clamp(max=1))
    # Eq. (one-cycle)
    return torch.where(time <= top, up, down)


def halfway(start: float, end: float, share: Tensor) -> Tensor:
    """Half a cosine from `start` at 0 to `end` at 1."""
    # Eq. (cosine-schedule)
    return end + (start - end) * (1 + (math.pi * share).cos()) / 2


def real(time: Time) -> Tensor:
    """Time as a floating tensor: a float keeps its type, whole numbers get torch's default."""
    if not isinstance(time, Tensor):
        return torch.tensor(time, dtype=torch.float64)
    return time if time.is_floating_point() else time.to(torch.get_default_dtype())


def positive(**arguments: float | int) -> None:
    """Refuse a schedule without a length."""
    for name, value in arguments.items():
        if value <= 0:
            raise ValueError(f"{name} must be positive, got {value}")
