"""What a student reads: values in one short line, errors in a few, the report of an exercise."""

import linecache
import textwrap
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from types import FunctionType

import torch
from torch import Tensor

from proctor.reading import in_words

RED, GREEN, BOLD, PLAIN = (
    "\033[31m",
    "\033[32m",
    "\033[1m",
    "\033[0m",
)  # signs only: words must be read on black and on white


class Wrong(Exception):
    """What the answer gave, what was expected, and the likely cause."""

    def __init__(self, got: object, expected: object = "", likely: str = "") -> None:
        super().__init__(got, expected, likely)
        self.lines: dict[str, object] = {"got": got, "expected": expected, "likely": likely}


class Unfinished(Exception):
    """Shown by Validate, instead of a traceback."""

    def _render_traceback_(self) -> list[str]:
        return [str(self)]


@dataclass(frozen=True)
class Check:
    """One named check: its share of the points, the check it needs, its time, and what it does."""

    name: str
    share: float
    needs: str
    seconds: float
    run: FunctionType

    @property
    def title(self) -> str:
        """The name, as words."""
        return self.name.replace("_", " ")


Failures = dict[
    str, dict[str, object] | None
]  # the lines of each failed check; None where it did not run


def show(value: object, most: int = 16, digits: int = 4) -> str:
    """A value in one short line."""
    if isinstance(value, torch.nn.Module):
        return f"{type(value).__name__}(…)"
    if isinstance(value, torch.Generator):
        return "a generator"
    if not isinstance(value, Tensor):
        return textwrap.shorten(repr(value), 120, placeholder=" …")
    if value.numel() > most:
        return f"tensor of shape {tuple(value.shape)}"

    def number(item: object) -> str:
        if isinstance(item, list):
            return f"[{', '.join(map(number, item))}]"
        plain = isinstance(item, (bool, complex))
        return str(item) if plain else f"{float(item) + 0.0:.{digits}g}"  # type: ignore  no -0

    return number(value.detach().tolist())


def explain(error: BaseException, check: Check, world: dict, out_of_time: str) -> dict[str, object]:
    """What came, what was expected, where and why, in a student's words."""
    rule: dict[str, object] = {"rule": check.run.__doc__ or ""}  # no cause, but what holds here
    if isinstance(error, Wrong):
        return error.lines if error.lines["likely"] else error.lines | rule
    if out_of_time:
        return {"got": out_of_time, "likely": "a loop that never ends, or far too much work"}
    lines: dict[str, object] = {"got": f"{type(error).__name__}: {error}".splitlines()[0]}
    if there := getattr(error, "where", ""):  # from a process where the student's code runs alone
        return lines | {"where": there}
    ours = check.run.__code__.co_filename
    steps = [
        (frame.f_code.co_filename, line)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if frame.f_globals is world and frame.f_code.co_filename != ours
    ]
    if not steps:
        if isinstance(error, TypeError) and "argument" in str(error):
            return lines | {"likely": "the function does not take the arguments of the stub"}
        form = "what came has another form than the task asks for: how many results, which shape?"
        apart = isinstance(error, (TypeError, ValueError, IndexError))
        return lines | ({"likely": form} if apart else rule)
    file, number = steps[-1]
    where = f"line {number} of your cell: {linecache.getline(file, number).strip()}"
    return lines | {"where": where}


def report(
    names: tuple[str, ...],
    points: float,
    read: str,
    checks: list[Check],
    failed: Failures,
    *,
    whole: bool,
    untouched: bool,
    said: str,
) -> Iterator[str]:
    """The lines that the student reads; points only where the hidden tests are here (`whole`)."""
    title = f"{BOLD}{names[0]}: "
    if untouched:
        yield (
            f"{title}not attempted yet.{PLAIN} Replace `raise NotImplementedError` by your code, "
            "run its cell, then this one."
        )
        return
    score = sum(check.share for check in checks if check.name not in failed)
    worth = f"{round(score, 2):g} of {points:g} points"
    yield title + (worth if whole else "not right yet" if failed else "so far, so good") + PLAIN
    for check in checks:
        lines = failed.get(check.name)
        if check.name not in failed:
            yield f"  {GREEN}✓{PLAIN} {check.title}" + f"  +{check.share:g}" * whole
        elif lines is None:
            needed = check.needs.replace("_", " ")
            lost = f"  0 of {check.share:g}" * whole
            yield f"  – {check.title}{lost}: counts once “{needed}” is right"
        else:
            lost = f"  0 of {check.share:g}" * whole
            yield f"  {RED}✗{PLAIN} {BOLD}{check.title}{PLAIN}{lost}"
            for word, text in lines.items():
                wrapped = ("\n" + " " * 16).join(
                    textwrap.wrap(str(text), 84, break_on_hyphens=False, break_long_words=False)
                )
                if text:
                    yield f"      {word:<9} {wrapped}"
    if failed:
        yield f"    To read: {in_words(read)} ({read})"
    elif not whole:
        yield "    The hidden tests give the points: does your code do all that the task says is tested?"
    if said:
        yield f"    Your code printed: {said[:300]}"
