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

import os
import sys
import traceback
import zlib
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from proctor.marking.comparisons import Comparisons
from proctor.marking.guard import OutOfTime, at_most, own_world
from proctor.marking.student import Student
from proctor.marking.words import Check, Failures, Unfinished, explain, report

NOTHING = object()  # no value of a notebook is this one


class Task(Comparisons):
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
        self.stream = torch.Generator()
        self.call: Callable[[], str] = str  # the last call of the student's function, in words

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
            key: new for key, new in self.world.items() if self.before.get(key, NOTHING) is not new
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
            seconds, self.call = check.seconds * patience, str
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
                    failed[name] = {"call": self.call(), **explain(error, check, self.world, late)}
                    patience = 0.25 if late else patience
                    self.forget(error)
        return failed, untouched

    @staticmethod
    def forget(error: BaseException | None) -> None:
        """End what the failed code holds while its words are still kept: a generator may speak."""
        while error is not None:
            traceback.clear_frames(error.__traceback__)
            error = error.__context__

    def put_away(self) -> None:
        """Give the notebook back its names from before the graded cell: no helper is lost, no reference stays."""
        for name in self.cell:
            if name in self.before:
                self.world[name] = self.before[name]
            else:
                self.world.pop(name, None)
