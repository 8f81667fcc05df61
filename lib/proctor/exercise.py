"""One exercise of an assignment: its cells, and what the graded cell says of itself, read from its syntax tree."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

WORD = re.compile(r"(?:a|[a-z]{2,})[\s,:;.’'-]")  # s², x̄, r and `exp` are none
MARKS = re.compile(r"(?m)^[ \t]*### (?:BEGIN|END) (?:SOLUTION|HIDDEN TESTS|MARK SCHEME)[ \t]*\n?")


def capitalized(sentence: str) -> str:
    """The sentence with a capital, unless it begins with a symbol or with code: S² is not s²."""
    return sentence[:1].upper() + sentence[1:] if WORD.match(sentence) else sentence


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
    def minutes(self) -> int:
        """The time that its header promises."""
        header = self.texts[0].source if self.texts else ""
        said = re.search(r"(?m)^[●○]{5} · (\d+) minutes", header)
        return int(said[1]) if said else 0

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
                f"- {capitalized(sentence)}." for sentence in self.sentences.values()
            )
            text = text.replace("{{tested}}", tested).replace("{{symptoms}}", symptoms)
        return text.replace("{{points}}", f"{self.points:g} point" + "s" * (self.points != 1))
