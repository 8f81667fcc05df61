"""Classes with planted mistakes: each answer is marked once by the real grader, then handed in by many."""

import ast
import functools
import random
import re
import shutil
from pathlib import Path

import nbformat

from proctor import answers, trial
from proctor.gradebook import Book
from proctor.release import release_path
from tests.proctor.support import assignment, exercise, marked

PLANTED = {  # misconception → its exercise and how many of a hundred have it
    "padding_counts": ("rms_pool", 35), "mean_first": ("standardize", 22), "through_zero": ("classify", 14),
}  # fmt: skip
FRESH = "left right upper lower inner outer total part value whole piece share".split()


def copied(course: Path, place: Path) -> Path:
    """A copy of a course in which nobody has handed in."""
    return shutil.copytree(course, place, ignore=shutil.ignore_patterns("_grading"))


@functools.cache
def known() -> dict[str, answers.Answer]:
    """The small assignment's answers by the misconception, or by exercise and number."""
    every = answers.every(assignment("small"))
    made = {one.key: one for one in every if one.key}
    for one in every:
        if one.right:
            number = sum(key.startswith(f"{one.exercise} right") for key in made)
            made[f"{one.exercise} right {number}"] = one
    return made


def renamed(code: str, stream: random.Random) -> str:
    """The same code with other names for the student's own variables, as a copyist would give them."""
    tree = ast.parse(code)
    own = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    words = stream.sample(FRESH, len(FRESH))
    for name, word in zip(sorted(own - set(FRESH)), words, strict=False):
        if re.search(rf"def {name}\b|^{name} *=", code, re.M) is None:
            code = re.sub(rf"(?<![\w.]){name}\b", word, code)
    return code


def varied(code: str, stream: random.Random) -> str:
    """The answer in a hand of its own: a line that nobody else has, in each function, that changes nothing."""
    numbers = [stream.randint(10, 99) for _ in range(6)]
    a, b, c, d, e, f = numbers
    extra = f"_seen = sum(n * {a} for n in range({b}) if n % {c} > {d}) - max({e}, {f})"
    return f"{code}\n{extra}\n"


def choose(size: int, seed: int = 0) -> dict[str, dict[str, str]]:
    """For each student the answer's key in each exercise; nothing is an untouched one."""
    stream, tasks = random.Random(seed), [e.name for e in assignment("small").exercises if e.check]
    made: dict[str, dict[str, str]] = {}
    for number in range(size):
        weak = number % 4 == 3
        chosen = {}
        for task in tasks:
            mistakes = [key for key, (where, _) in PLANTED.items() if where == task]
            share = PLANTED[mistakes[0]][1] / 100
            if stream.random() < share:
                chosen[task] = mistakes[0]
            elif not (weak and stream.random() < 0.5):
                chosen[task] = f"{task} right {stream.randint(0, 1)}"
        made[f"s{number:04}"] = chosen
    return made


def record(
    course: Path,
    name: str,
    work: dict[str, dict[str, tuple[str, str]]],
    by_hand: float | None = 3.0,
) -> None:
    """Write a class into the gradebook as `grade` does; work: student → exercise → (code, code that was marked)."""
    release = nbformat.read(release_path(course, name), 4)
    tasks = [task.name for task in assignment(name).exercises if task.check]
    book = Book(course, name)
    try:
        book.prepare()
        spec = book.spec()
        for number, (student, codes) in enumerate(work.items()):
            cells, scores = [], {"explain": by_hand} if by_hand is not None else {"explain": None}
            for cell in release.cells:
                key = cell.metadata.get("nbgrader", {}).get("grade_id", "")
                one = {
                    "kind": cell.cell_type,
                    "source": cell.source,
                    "key": key,
                    "outputs": [],
                    "seconds": 0.1,
                }
                if key in codes:
                    one["source"] = codes[key][0]
                if key.removesuffix("-check") in tasks and key.endswith("-check"):
                    task = key.removesuffix("-check")
                    source = codes[task][1] if task in codes else exercise(name, task).answer.source
                    if task not in codes:
                        source = re.sub(
                            r"(?s)### BEGIN SOLUTION.*?### END SOLUTION",
                            "raise NotImplementedError",
                            source,
                        )
                    points, words = marked(name, task, source)
                    scores[key] = points
                    one["outputs"] = [{"output_type": "stream", "name": "stdout", "text": words}]
                if key == "explain":
                    one["source"] = f"Because of {student}."
                cells.append(one)
            empty = [task for task in tasks if task not in codes]
            notebook = {"cells": cells, "scores": scores, "untouched": empty}
            result = {"notebooks": {name: notebook}, "notes": [], "seed": "0", "unsafe": False}
            book.record(student, f"digest-{number}", spec, result)
    finally:
        book.close()


def small_class(
    course: Path, size: int, seed: int = 0, **about: float | None
) -> dict[str, dict[str, str]]:
    """A class of the small assignment with the planted mistakes, and one pair that copied."""
    trial.warm(assignment("small"))
    chosen, stream = choose(size, seed), random.Random(seed + 1)
    work = {
        student: {
            task: (varied(known()[key].code, stream), known()[key].code)
            for task, key in keys.items()
        }
        for student, keys in chosen.items()
    }
    first, second = list(work)[5], list(work)[11]
    tasks = [task.name for task in assignment("small").exercises if task.check]
    chosen[first] = {task: f"{task} right 0" for task in tasks}
    work[first] = {
        t: (varied(known()[k].code, stream), known()[k].code) for t, k in chosen[first].items()
    }
    work[second] = {t: (renamed(code, stream), plain) for t, (code, plain) in work[first].items()}
    chosen[second] = chosen[first]
    record(course, "small", work, **about)
    return chosen
