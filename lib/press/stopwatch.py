"""What the benchmarks share: the seconds of a call, and how one candidate stands to another."""

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch


def timed(call: Callable[[], Any], where: torch.device) -> tuple[float, Any]:
    """The time of one call, the device's work included, and its answer."""
    wait = getattr(torch, where.type).synchronize if where.type != "cpu" else lambda: None
    wait()
    start = time.perf_counter()
    answer = call()
    wait()
    return time.perf_counter() - start, answer


def seconds(call: Callable[[], Any], where: torch.device) -> float:
    """The time of one call, the device's work included."""
    return timed(call, where)[0]


class Ratio(NamedTuple):
    """The ratios of many rounds: their median, and where the middle half of them ends."""

    median: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.median:7.2f}  ({self.low:.2f} – {self.high:.2f})"


def ratio(ours: Iterable[float], theirs: Iterable[float]) -> Ratio:
    """Ours to theirs, round by round: in one round a busy machine slows both."""
    found = sorted(a / b for a, b in zip(ours, theirs, strict=True))
    quarter = len(found) // 4
    return Ratio(statistics.median(found), found[quarter], found[-1 - quarter])
