"""Read an assignment from its text, solutions/<name>/<name>.py, without running any of it.

Cells are jupytext's percent format. An exercise begins at a heading `## …` and holds an answer cell (a solution
that nbgrader cuts), a graded cell (a `Task` and its checks) or, where a person grades, one cell that is both.
What is counted stands in the text as a placeholder: {{total}} and {{minutes}}, and in an exercise
{{points}}, {{tested}} and {{symptoms}}.
"""

import json
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NoReturn

from proctor.exercise import Cell, Exercise

HEADER = re.compile(r"# %%(?P<markdown> \[markdown\])?(?P<rest>.*)")


class Malformed(ValueError):
    """A text that cannot be read as an assignment; the message begins with file and line."""


@dataclass
class Assignment:
    """The text of one assignment, its cells in order and its exercises."""

    path: Path
    cells: list[Cell]

    @property
    def name(self) -> str:
        """The folder's name."""
        return self.path.stem

    @cached_property
    def exercises(self) -> list[Exercise]:
        """The exercises, in order; raises Malformed where one lacks its answer or its graded cell."""
        found, given, texts, answer = [], [], [], None
        for cell in self.cells:
            if cell.kind == "markdown" and cell.source.startswith("## "):
                if answer is not None:
                    self._malformed(answer, "this answer has no graded cell")
                texts = []
            if cell.role == "given":
                given.append(cell)
            elif cell.role == "text":
                texts.append(cell)
            elif cell.role == "by hand":
                found.append(Exercise(texts, list(given), cell))
            elif cell.role == "answer":
                if answer is not None:
                    self._malformed(
                        cell,
                        "a second answer cell: an exercise has one, also for several functions",
                    )
                answer = cell
            else:
                if answer is None:
                    self._malformed(cell, "this graded cell has no answer cell before it")
                found.append(Exercise(texts, list(given), answer, cell))
                answer = None
        if answer is not None:
            self._malformed(answer, "this answer has no graded cell")
        return found

    def _malformed(self, cell: Cell, words: str) -> NoReturn:
        raise Malformed(f"{self.path}:{cell.line}: {words}")

    @property
    def total(self) -> float:
        """The points of all exercises."""
        return sum(exercise.points for exercise in self.exercises)

    @property
    def minutes(self) -> int:
        """The time of all exercises, as their headers say it."""
        return sum(exercise.minutes for exercise in self.exercises)

    def filled(self) -> list[Cell]:
        """The cells as the notebook has them: placeholders replaced by what they count."""
        mine = {id(cell): exercise for exercise in self.exercises for cell in exercise.texts}
        cells = []
        for cell in self.cells:
            source = cell.source
            if cell.kind == "markdown":
                source = source.replace("{{total}}", f"{self.total:g}")
                source = source.replace("{{minutes}}", f"{self.minutes}")
            if id(cell) in mine:
                source = mine[id(cell)].fill(source)
            cells.append(Cell(cell.kind, source, cell.line, cell.metadata))
        return cells


def parse(text: str, path: Path) -> Assignment:
    """The assignment that a text in the percent format holds."""
    cells, lines = [], text.splitlines()
    heads = [
        (number, match) for number, line in enumerate(lines) if (match := HEADER.fullmatch(line))
    ]
    ends = [number for number, _ in heads]
    for (number, head), end in zip(heads, [*ends[1:], len(lines)], strict=False):
        body = lines[number + 1 : end]
        if head["markdown"]:
            body = [re.sub(r"^# ?", "", line) for line in body]
        options = re.findall(r"(nbgrader|tags)=(\{.*?\}|\[.*?\])(?= |$)", head["rest"])
        try:
            metadata = {key: json.loads(value) for key, value in options}
        except ValueError as error:
            raise Malformed(
                f"{path}:{number + 1}: the cell's metadata are no JSON: {error}"
            ) from None
        kind = "markdown" if head["markdown"] else "code"
        cells.append(Cell(kind, "\n".join(body).strip("\n"), number + 2, metadata))
    if not cells:
        raise Malformed(f"{path}:1: no cell: a cell begins with `# %%`")
    return Assignment(path, cells)


def read(path: Path) -> Assignment:
    """The assignment in a file."""
    return parse(path.read_text(encoding="utf-8"), path)


def root(start: Path | None = None) -> Path:
    """The course: the nearest folder, from here upwards, that holds nbgrader_config.py."""
    here = (start or Path.cwd()).resolve()
    return next(
        (top for top in (here, *here.parents) if (top / "nbgrader_config.py").is_file()), here
    )


def sources(course: Path, names: list[str] | None = None) -> list[Path]:
    """The assignments' texts, all or those named."""
    found = {
        path.stem: path
        for path in sorted(course.glob("solutions/*/*.py"))
        if path.stem == path.parent.name
    }
    unknown = [name for name in names or [] if name not in found]
    if unknown:
        known = ", ".join(found) or "none"
        raise Malformed(f"solutions: no assignment named {', '.join(unknown)}; there are: {known}")
    return [found[name] for name in names or found]
