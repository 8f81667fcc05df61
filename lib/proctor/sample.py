"""A small class made from an assignment's answers: right, half right, wrong, untouched, and broken files."""

from pathlib import Path
from typing import Any

import nbformat

from proctor import answers
from proctor.assignment import Assignment
from proctor.release import release_path

Marks = dict[str, dict[str, float]]


def choose(assignment: Assignment) -> dict[str, dict[str, answers.Answer]]:
    """For each student the answers, by exercise; an exercise without one stays untouched."""
    every = answers.every(assignment)
    tasks = [exercise.name for exercise in assignment.exercises if exercise.check]
    right = {name: [a for a in every if a.exercise == name and a.right] for name in tasks}
    wrong = {name: [a for a in every if a.exercise == name and not a.right] for name in tasks}
    return {
        "ada-right": {name: right[name][0] for name in tasks},
        "ben-right-otherwise": {name: right[name][-1] for name in tasks},
        "cleo-half-right": {
            name: (right if place % 2 else wrong)[name][0] for place, name in enumerate(tasks)
        },
        "dan-wrong": {name: wrong[name][-1] for name in tasks},
        "eve-untouched": {},
    }


def make(assignment: Assignment, course: Path, folder: Path) -> Marks:
    """Write the class into a folder; return the marks that each student deserves."""
    release = nbformat.read(release_path(course, assignment.name), as_version=4)
    names = [exercise.name for exercise in assignment.exercises if exercise.check]
    marks: Marks = {}
    for student, chosen in choose(assignment).items():
        nb: Any = nbformat.from_dict(release)
        for cell in nb.cells:
            key = cell.metadata.get("nbgrader", {}).get("grade_id", "")
            if key in chosen:
                cell.source = chosen[key].code
        _write(folder / student / f"{assignment.name}.ipynb", nbformat.writes(nb))
        marks[student] = {name: chosen[name].points if name in chosen else 0.0 for name in names}
    text = nbformat.writes(release)
    for student, content in {
        "fay-empty": "",
        "gus-broken": text[: len(text) // 2],
        "hal-no-notebook": "[1, 2, 3]",
    }.items():
        _write(folder / student / f"{assignment.name}.ipynb", content)
        marks[student] = dict.fromkeys(names, 0.0)
    return marks


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
