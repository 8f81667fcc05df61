"""Mark one exercise: named checks, each worth a share of the points, and misconceptions said once.

    task = Task("rms_pool", points=5, read="formulas/cnn_layers#pooling", misconceptions={
        "no_root": "the mean of the squares came: the root is missing",
    })

    @task(1)
    def the_worked_example():
        "Average the squares first, take the root last."  # said when nothing better is known
        task.equal(rms_pool(x, 2), 2.5, {"no_root": 6.25})

    @task.misconception(1)  # the points this answer deserves
    def no_root(x, size): ...

    @task(4)
    def any_size():
        task.agree(rms_pool, expected, x, 3)  # names the misconception that gives what came

    task.mark()  # the last line, always

Checks call the student's functions by name: data in, data out. Only `tidy` and `gradient` look closer.
"""

import contextlib
import functools
import os
import sys
import traceback
import zlib
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from proctor.marking import conduct, values
from proctor.marking.guard import OutOfTime, at_most, own_world
from proctor.marking.student import Student
from proctor.marking.words import Check, Failures, Unfinished, Wrong, explain, report


class Task:
    """The checks of one graded cell, on the functions `names`."""

    def __init__(
        self, *names: str, points: float, read: str, misconceptions: dict[str, str] | None = None
    ) -> None:
        self.names, self.points, self.read = names, points, read
        self.world = sys._getframe(1).f_globals
        self.before, self.cell = dict(self.world), {}
        self.checks: dict[str, Check] = {}
        self.sentences = misconceptions or {}
        self.mistaken: dict[str, dict[str, Callable]] = {name: {} for name in names}
        self.stream, self.call = torch.Generator(), ""

    def __call__(self, share: float, *, needs: str = "", seconds: float = 2.0) -> Callable:
        """Register a check worth `share` points, which count only if the check `needs` passes."""

        def register(check: Any) -> None:
            name = check.__name__
            if name in self.checks or (needs and needs not in self.checks):
                raise ValueError(
                    f"{name}: a check's name is its own, and `needs` names an earlier one"
                )
            self.checks[name] = Check(name, share, needs, seconds, check)

        return register

    def misconception(self, points: float, of: str = "") -> Callable:
        """Register what a student with this misconception writes, and the points it deserves."""

        def register(mistaken: Any) -> Any:
            if mistaken.__name__ not in self.sentences or not 0 <= points < self.points:
                raise ValueError(
                    f"{mistaken.__name__}: no sentence says it, or {points} is no loss"
                )
            self.mistaken[of or self.names[0]][mistaken.__name__] = mistaken
            return mistaken

        return register

    def randn(self, *shape: int) -> Tensor:
        """Normal numbers, the same for everyone until the instructor sets MARKING_SEED."""
        return torch.randn(shape, generator=self.stream)

    def randint(self, low: int, high: int) -> int:
        """An integer from low to high, both included."""
        return int(torch.randint(low, high + 1, (), generator=self.stream))

    def equal(
        self,
        got: object,
        expected: object,
        unless: dict[str, object] | None = None,
        *,
        name: str = "",
        tolerance: float = 1e-4,
    ) -> None:
        """Fail unless `got` has the shape and the values of `expected`; type and dtype are `tidy`'s matter.

        `unless` maps a misconception's key to the value that it gives, so that the message can name it.
        """

        def causes(came: Tensor) -> str:
            return self.named(came, (unless or {}).items(), tolerance)

        values.compare(got, expected, tolerance, name, causes)

    def named(self, came: Tensor, known: Iterable[tuple[str, object]], tolerance: float) -> str:
        """What the misconceptions say whose value came: the nearest, or all that are equally near."""
        gaps = {
            key: values.gap(came, value)
            for key, value in known
            if values.alike(came, value, tolerance)
        }
        nearest = min(gaps.values(), default=0.0)
        said = [
            self.sentences.get(key, key) for key, gap in gaps.items() if gap <= 3 * nearest + 1e-6
        ]
        return "; or: ".join(said)

    def agree(
        self,
        function: Student,
        expected: object,
        *args: object,
        name: str | tuple[str, ...] = "",
        parts: tuple[int, ...] = (),
        tolerance: float = 1e-4,
        **named: object,
    ) -> None:
        """Fail unless `function` gives on these arguments what `expected` gives, or is.

        Only when it fails is every misconception tried on the same arguments: the one that gives what
        came is named. Tuples are compared element by element, `name` then holds a name for each;
        `parts` are the places that this check looks at.
        """

        def call(other: Callable) -> Any:
            return other(*conduct.copied(args), **conduct.copied(named))

        got = function(*args, **named)
        wanted = call(expected) if callable(expected) else expected
        if not isinstance(wanted, tuple):
            got, wanted = self.only(got, parts), self.only(wanted, parts)
            names, places = (name if isinstance(name, str) else "",), (None,)
        else:
            names = name if isinstance(name, tuple) else (name,) * len(wanted)
            places = parts or range(len(wanted))
            kind = (
                f"{len(got)} values"
                if isinstance(got, (tuple, list))
                else f"one {type(got).__name__}"
            )
            if not isinstance(got, (tuple, list)) or len(got) != len(wanted):
                raise Wrong(kind, f"{len(wanted)} values: {', '.join(filter(None, names))}")

        def causes(place: int | None, came: Tensor) -> str:
            found = []
            for key, mistaken in self.mistaken[function.name].items():
                with contextlib.suppress(Exception):
                    value = call(mistaken)
                    found.append((key, self.only(value, parts) if place is None else value[place]))
            return self.named(came, found, tolerance)

        for place in places:
            pair = (got, wanted) if place is None else (got[place], wanted[place])
            values.compare(*pair, tolerance, names[place or 0], functools.partial(causes, place))

    @staticmethod
    def only(value: Any, parts: tuple[int, ...]) -> Any:
        """The entries of a tensor that a check looks at; anything else as it is."""
        return value[list(parts)] if parts and isinstance(value, Tensor) and value.ndim else value

    def at_least(self, value: object, threshold: float, *, name: str = "the result") -> None:
        """Fail unless a trained result is good enough."""
        came = values.number(value, name)
        if came < threshold:
            raise Wrong(f"{name} = {came:.4g}", f"at least {threshold:g}")

    def at_most(self, value: object, threshold: float, *, name: str = "the result") -> None:
        """Fail unless a trained result, a loss or an error, is small enough."""
        came = values.number(value, name)
        if came > threshold:
            raise Wrong(f"{name} = {came:.4g}", f"at most {threshold:g}")

    def gradient(self, function: Student, x: Tensor, *rest: object) -> Tensor:
        """The gradient of the sum of function(x, …) with respect to x."""
        return conduct.gradient(function.run, x, rest)

    def tidy(self, function: Student, *arguments: object) -> None:
        """Fail unless `function` leaves its arguments alone and follows their type, dtype, layout and device."""
        conduct.tidy(function.run, arguments)

    def mark(self) -> float | None:
        """Run the checks, print a report, leave no trace; return the points, the one number nbgrader reads."""
        total = sum(check.share for check in self.checks.values())
        whole = abs(total - self.points) < 1e-9  # else the hidden tests are not here
        where = os.environ.get("NBGRADER_EXECUTION")
        if where == "autograde" and not whole:
            raise RuntimeError(
                f"{self.names[0]}: the checks are worth {total} points, not {self.points}"
            )
        self.cell = {
            key: new for key, new in self.world.items() if self.before.get(key, self) is not new
        }
        self.cell |= {name: Student(name, self) for name in self.names}
        self.world.update(self.cell)
        said: list[str] = []
        failed, untouched = self.run(said)
        self.put_away()
        lines = report(
            self.names, self.points, self.read, list(self.checks.values()), failed,
            whole=whole, untouched=untouched, said="".join(said).strip(),
        )  # fmt: skip
        text = "\n".join(lines)
        if failed and not whole and where == "validate":
            raise Unfinished(text)
        print(text)
        score = sum(check.share for name, check in self.checks.items() if name not in failed)
        return float(round(score, 2)) if whole else None

    def run(self, said: list[str]) -> tuple[Failures, bool]:
        """Run every check in a world of its own; say what failed, and whether nothing was written yet."""
        failed: Failures = {}
        untouched, patience = True, 1.0
        for name, check in self.checks.items():
            if check.needs in failed:
                failed[name] = None
                continue
            seconds, self.call = check.seconds * patience, ""
            seed = f"{os.environ.get('MARKING_SEED', 0)} {self.names[0]} {name}"
            self.stream.manual_seed(zlib.crc32(seed.encode()))
            with own_world(said):
                try:
                    with at_most(seconds):
                        check.run()
                    untouched = False
                except (Exception, OutOfTime, SystemExit) as error:
                    late = f"no answer within {seconds:g} s" * isinstance(error, OutOfTime)
                    untouched &= isinstance(error, NotImplementedError)
                    failed[name] = {"call": self.call, **explain(error, check, self.world, late)}
                    patience = 0.25 if late else patience
                    traceback.clear_frames(
                        error.__traceback__
                    )  # what a generator says when it ends
        return failed, untouched

    def put_away(self) -> None:
        """Give the notebook back its names from before the graded cell: no helper is lost, no reference stays."""
        for name in self.cell:
            if name in self.before:
                self.world[name] = self.before[name]
            else:
                self.world.pop(name, None)
