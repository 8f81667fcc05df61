"""The assignments that these tests try: the course's own, and a small one with an exercise of every kind."""

import contextlib
import functools
import io
from pathlib import Path

from proctor import answers, trial
from proctor.assignment import Assignment, read, sources
from proctor.exercise import Exercise

ROOT = Path(__file__).resolve().parents[2]
SMALL = Path(__file__).with_name("course")
TEXTS = {path.stem: path for course in (ROOT, SMALL) for path in sources(course)}
OWN = [path.stem for path in sources(ROOT)]


@functools.cache
def assignment(name: str) -> Assignment:
    """An assignment, read once."""
    return read(TEXTS[name])


@functools.cache
def every_answer(name: str) -> list[answers.Answer]:
    """All answers of an assignment."""
    return answers.every(assignment(name))


def exercise(name: str, key: str) -> Exercise:
    """One exercise."""
    return next(one for one in assignment(name).exercises if one.name == key)


@functools.cache
def marked(name: str, key: str, code: str) -> tuple[float, str]:
    """The points and the message of an answer; each is tried once for all tests."""
    return trial.mark(exercise(name, key), code)


EXERCISES = [(name, one.name) for name in TEXTS for one in read(TEXTS[name]).exercises if one.check]


def checked(cell: str, world: dict | None = None) -> tuple[float | None, str]:
    """Run a graded cell in this process; its value and what it prints."""
    world = {"__name__": "__main__"} if world is None else world
    body, _, last = cell.rstrip().rpartition("\n")
    with contextlib.redirect_stdout(io.StringIO()) as out:
        exec(compile(body, "the graded cell", "exec"), world)
        value = eval(last, world)
    return value, out.getvalue()
