"""A line search: how far to go along a direction, by the strong conditions of Wolfe.

Chapter: formulas/optimization
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["Trial", "interpolate", "strong_wolfe"]


class Trial(NamedTuple):
    """A point on the line: how far, the function's value and slope there, and what came with it."""

    step: float
    value: float
    slope: float
    payload: Any = None


def strong_wolfe(
    along: Callable[[float], Trial],
    start: Trial,
    first: float = 1.0,
    *,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    most: int = 30,
    blur: float = 1e-14,
) -> Trial | None:
    """A step that lowers the function enough, where the slope has become gentle enough.

    `None` where `most` evaluations found none. Near a minimum values differ by rounding only, `blur`
    of themselves; there the slope has to say whether the function fell.

    Source: Nocedal & Wright (2006), Algorithms 3.5 and 3.6; the rule for rounding is that of
    Hager & Zhang (2005), Eq. 4.1.

    Raises:
        ValueError: the slope at the start is not negative, or the bounds are out of order.
    """
    if not start.slope < 0:
        raise ValueError(f"start must lead downhill, got the slope {start.slope}")
    if not 0 < decrease < curvature < 1:
        raise ValueError(f"expected 0 < decrease < curvature < 1, got {decrease} and {curvature}")

    def low_enough(trial: Trial) -> bool:
        # Eq. (wolfe-decrease)
        if trial.value <= start.value + decrease * trial.step * start.slope:
            return True
        level = abs(trial.value - start.value) <= blur * abs(start.value)
        return level and trial.slope <= (2 * decrease - 1) * start.slope

    def gentle_enough(trial: Trial) -> bool:
        # Eq. (wolfe-curvature)
        return abs(trial.slope) <= -curvature * start.slope

    low, high, step = start, None, first
    for _ in range(most):
        trial = along(step)
        finite = math.isfinite(trial.value) and math.isfinite(trial.slope)
        if not finite or not low_enough(trial) or (low is not start and trial.value >= low.value):
            high = trial  # too far
        elif gentle_enough(trial):
            return trial
        elif high is None and trial.slope < 0:
            low = trial  # not far enough, and no end in sight
        else:
            if trial.slope * ((high.step if high else trial.step) - low.step) >= 0:
                high = low
            low = trial
        step = 2 * low.step if high is None and low is not start else between(low, high, step)
    return None


def between(low: Trial, high: Trial | None, step: float) -> float:
    """The next step to try: inside the bracket, not too near to its ends."""
    if high is None:
        return 2 * step
    if not (math.isfinite(high.value) and math.isfinite(high.slope)):
        return (low.step + high.step) / 2
    left, right = sorted((low.step, high.step))
    margin = 0.1 * (right - left)
    return min(max(interpolate(low, high), left + margin), right - margin)


def interpolate(a: Trial, b: Trial) -> float:
    """The minimum of the cubic through two points and their slopes; halfway where there is none.

    Source: Nocedal & Wright (2006), Eq. 3.59.
    """
    halfway = (a.step + b.step) / 2
    if a.step == b.step:
        return halfway
    p = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    inside = p**2 - a.slope * b.slope
    if not inside >= 0:
        return halfway
    q = math.copysign(math.sqrt(inside), b.step - a.step)
    bottom = b.slope - a.slope + 2 * q
    if bottom == 0:
        return halfway
    # Eq. (cubic-interpolation)
    return b.step - (b.step - a.step) * (b.slope + q - p) / bottom
