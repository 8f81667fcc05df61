"""Read an assignment from its text, solutions/<name>/<name>.py, without running any of it.

Cells are jupytext's percent format. An exercise begins at a heading `## …` and holds an answer cell (a solution that
nbgrader cuts), a graded cell (a `Task` and its checks) or, where a person grades, one cell that is both. What is counted
stands in the text as a placeholder: {{total}}, and in an exercise {{points}}, {{tested}} and {{symptoms}}.
"""

import ast
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

HEADER = re.compile(r"# %%(?P<markdown> \[markdown\])?(?P<rest>.*)")
MARKS = re.compile(r"(?m)^[ \t]*### (?:BEGIN|END) (?:SOLUTION|HIDDEN TESTS|MARK SCHEME)[ \t]*\n?")


class Malformed(ValueError):
    """A text that cannot be read as an assignment; the message begins with file and line."""


@dataclass
class Cell:
    """One cell of the text, and the line of the file where its source begins."""

    kind: str
    source: str
    line: int
    metadata: dict[str, Any] = field(default_factory=dict)

    @property
    def grader(self) -> dict[str, Any]:
        """What nbgrader keeps of the cell."""
        return self.metadata.get("nbgrader", {})

    @property
    def role(self) -> str:
        """answer · check · by hand · text · given."""
        solution, grade = self.grader.get("solution", False), self.grader.get("grade", False)
        if solution or grade:
            return "by hand" if solution and grade else "answer" if solution else "check"
        return "text" if self.kind == "markdown" else "given"


@dataclass(frozen=True)
class Share:
    """A check as its decorator says it."""

    name: str
    points: float
    needs: str
    seconds: float
    node: ast.FunctionDef

    @property
    def title(self) -> str:
        """The name, as words."""
        return self.name.replace("_", " ")


@dataclass(frozen=True)
class Mistake:
    """A misconception: its key, what its answer deserves, whose answer it is, its sentence and its function."""

    key: str
    points: float
    of: str
    sentence: str
    node: ast.FunctionDef


@dataclass
class Exercise:
    """The cells between two headings, and what the graded cell says of itself."""

    texts: list[Cell]
    before: list[Cell]  # code that the notebook gives, up to here
    answer: Cell
    check: Cell | None = None  # None: graded by hand

    @property
    def name(self) -> str:
        """The answer's grade_id."""
        return self.answer.grader.get("grade_id", "")

    @property
    def points(self) -> float:
        """What nbgrader gives at most."""
        return float((self.check or self.answer).grader.get("points", 0))

    @property
    def solution(self) -> str:
        """The answer cell as a student who solved it would have it."""
        return MARKS.sub("", self.answer.source + "\n")

    @cached_property
    def tree(self) -> ast.Module:
        """The graded cell's syntax tree."""
        return ast.parse(self.check.source if self.check else "")

    @cached_property
    def task(self) -> ast.Call:
        """The call `Task(…)`."""
        for node in self.tree.body:
            if (
                isinstance(node, ast.Assign)
                and ast.unparse(node.targets[0]) == "task"
                and isinstance(node.value, ast.Call)
            ):
                return node.value
        raise ValueError("the graded cell has no `task = Task(…)`")

    def _keyword(self, name: str, default: Any) -> Any:
        return next(
            (ast.literal_eval(k.value) for k in self.task.keywords if k.arg == name), default
        )

    @property
    def names(self) -> list[str]:
        """The functions that the student writes."""
        return [ast.literal_eval(node) for node in self.task.args]

    @property
    def said_points(self) -> float:
        """The points that the helper is told."""
        return float(self._keyword("points", 0))

    @property
    def read(self) -> str:
        """Where to read, `slug#anchor`."""
        return self._keyword("read", "")

    @property
    def sentences(self) -> dict[str, str]:
        """Every misconception, by key."""
        return self._keyword("misconceptions", {})

    def _decorated(self, by: str) -> Iterator[tuple[ast.FunctionDef, list, dict]]:
        for node in self.tree.body:
            for call in getattr(node, "decorator_list", [])[:1]:
                if (
                    isinstance(call, ast.Call)
                    and ast.unparse(call.func) == by
                    and isinstance(node, ast.FunctionDef)
                ):
                    named = {k.arg: ast.literal_eval(k.value) for k in call.keywords}
                    yield node, [ast.literal_eval(a) for a in call.args], named

    @cached_property
    def checks(self) -> list[Share]:
        """The checks, in order."""
        return [
            Share(
                node.name,
                float(args[0]),
                named.get("needs", ""),
                float(named.get("seconds", 2)),
                node,
            )
            for node, args, named in self._decorated("task")
        ]

    @cached_property
    def mistakes(self) -> list[Mistake]:
        """The misconceptions that have a function."""
        return [
            Mistake(
                node.name,
                float(args[0]),
                named.get("of", self.names[0]),
                self.sentences.get(node.name, ""),
                node,
            )
            for node, args, named in self._decorated("task.misconception")
        ]

    def fill(self, text: str) -> str:
        """The text with what is counted."""
        if self.check and ("{{tested}}" in text or "{{symptoms}}" in text):
            tested = " · ".join(f"{check.title} ({check.points:g})" for check in self.checks)
            symptoms = "\n".join(
                f"- {sentence[:1].upper()}{sentence[1:]}." for sentence in self.sentences.values()
            )
            text = text.replace("{{tested}}", tested).replace("{{symptoms}}", symptoms)
        return text.replace("{{points}}", f"{self.points:g} point" + "s" * (self.points != 1))


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

    def _malformed(self, cell: Cell, words: str) -> None:
        raise Malformed(f"{self.path}:{cell.line}: {words}")

    @property
    def total(self) -> float:
        """The points of all exercises."""
        return sum(exercise.points for exercise in self.exercises)

    def filled(self) -> list[Cell]:
        """The cells as the notebook has them: placeholders replaced by what they count."""
        mine = {id(cell): exercise for exercise in self.exercises for cell in exercise.texts}
        cells = []
        for cell in self.cells:
            source = (
                cell.source.replace("{{total}}", f"{self.total:g}")
                if cell.kind == "markdown"
                else cell.source
            )
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
    for (number, head), (end, _) in zip(heads, [*heads[1:], (len(lines), None)], strict=True):
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
