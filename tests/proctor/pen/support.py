"""Small assignments in nbgrader's plainest form, and classes that hand them in."""

import contextlib
import functools
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from proctor.collect import Handed
from proctor.explain import words_of
from proctor.gradebook import Book
from proctor.workers import Pool

CONFIG = 'c = get_config()\nc.CourseDirectory.course_id = "demo"\n'


def cell(source: str, key: str = "", kind: str = "code", **about: Any) -> Any:
    """A cell with nbgrader's metadata."""
    made = new_code_cell(source) if kind == "code" else new_markdown_cell(source)
    if key:
        about = {"grade": False, "solution": False, "task": False, "locked": False} | about
        made.metadata["nbgrader"] = about | {
            "schema_version": 3,
            "grade_id": key,
            "cell_type": kind,
        }
    return made


def answer(source: str, key: str) -> Any:
    """A cell that students fill in."""
    return cell(f"### BEGIN SOLUTION\n{source}\n### END SOLUTION", key, solution=True)


def check(source: str, key: str, points: float = 2, hidden: bool = True) -> Any:
    """A graded cell."""
    if hidden:
        source = f"### BEGIN HIDDEN TESTS\n{source}\n### END HIDDEN TESTS"
    return cell(source, key, grade=True, locked=True, points=points)


def by_hand(key: str, points: float = 3) -> Any:
    """A text that a person grades."""
    return cell("Say why.", key, "markdown", grade=True, solution=True, points=points)


def write_course(folder: Path, cells: list[Any], name: str = "hw1") -> Path:
    """A course with one assignment."""
    (folder / "source" / name).mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text(CONFIG)
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(
        new_notebook(cells=cells, metadata={"kernelspec": kernel}),
        folder / "source" / name / f"{name}.ipynb",
    )
    return folder


@dataclass
class Marked:
    """What came of one submission."""

    scores: dict[str, float | None]
    notes: list[str]
    outputs: dict[str, str]  # the words of each known cell
    result: dict[str, Any]

    @property
    def text(self) -> str:
        """Everything that anybody would read."""
        cells = [c for n in self.result["notebooks"].values() for c in n["cells"]]
        return "\n".join([*self.notes, *(words_of(c["outputs"]) for c in cells), str(cells)])


class Assignment:
    """An assignment that was prepared once, graded as often as needed without a gradebook."""

    def __init__(self, cells: list[Any], name: str = "hw1", **limits: Any) -> None:
        self.name = name
        with tempfile.TemporaryDirectory() as folder:
            course = write_course(Path(folder), cells, name)
            book = Book(course, name)
            with contextlib.redirect_stdout(None):
                book.prepare()
            self.spec = book.spec("0", limits)
            book.close()
            released = course / "_grading/release" / name / f"{name}.ipynb"
            self.release = released.read_text()

    def filled(self, answers: dict[str, str]) -> Any:
        """The release with answers in it."""
        nb = nbformat.reads(self.release, as_version=4)
        for one in nb.cells:
            key = one.metadata.get("nbgrader", {}).get("grade_id", "")
            one.source = answers.get(key, one.source)
        return nb

    def handed(self, student: str, nb: Any, **files: bytes) -> Handed:
        """A submission."""
        raw = nb if isinstance(nb, bytes) else nbformat.writes(nb).encode()
        return Handed(student, {f"{self.name}.ipynb": raw, **files})

    def mark(self, submissions: list[Handed], jobs: int = 2) -> dict[str, Marked]:
        """What each gets."""
        marked = {}
        for one, result in Pool(self.spec, jobs).grade(submissions):
            assert "broken" not in result, (one.student, result)
            notebook = result["notebooks"][self.name]
            words = {c["key"]: words_of(c["outputs"]) for c in notebook["cells"] if c["key"]}
            marked[one.student] = Marked(notebook["scores"], result["notes"], words, result)
        return marked


@functools.cache
def plain() -> Assignment:
    """Two functions, five points, and a text that a person grades."""
    return Assignment([
        cell("import numpy as np\nimport torch", "imports", locked=True),
        answer("def relu_sum(x):\n    return float(torch.clamp(torch.tensor(x), min=0).sum())", "p1-sol"),
        check(
            "assert abs(relu_sum([1.0, -2.0, 3.0]) - 4.0) < 1e-6\n"
            "assert relu_sum([-1.0]) == 0  # secret_of_test_one",
            "p1", 2,
        ),
        answer("def softmax(x):\n    return torch.softmax(x, -1)", "p2-sol"),
        check(
            "z = torch.tensor([[1.0, 2.0, 3.0], [1000.0, 1000.0, 1000.0]])\n"
            "y = softmax(z)\nassert y.shape == z.shape\nassert not torch.isnan(y).any()\n"
            "assert torch.allclose(y[0], torch.exp(z[0]) / torch.exp(z[0]).sum())\n"
            "assert torch.allclose(y.sum(-1), torch.ones(2)) and y[0, 2] > y[0, 0]  # secret_of_test_two",
            "p2", 3,
        ),
        by_hand("why"),
    ], call_s=2, cell_s=6, total_s=40, memory_mb=512)  # fmt: skip


GOOD = {
    "p1-sol": "def relu_sum(x):\n    return float(sum(v for v in x if v > 0))",
    "p2-sol": "def softmax(x):\n    e = torch.exp(x - x.max(-1, keepdim=True).values)\n    return e / e.sum(-1, keepdim=True)",
}
WRONG = {
    "p1-sol": "def relu_sum(x):\n    return None",
    "p2-sol": "def softmax(x):\n    return None",
}
