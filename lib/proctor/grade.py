"""Grade an honest class with nbgrader itself, on one machine: collect, autograde, feedback, marks.

nbgrader's exit codes say little, so what counts is read from the gradebook, row by row. A file that is no
notebook is graded as the untouched assignment: it gets 0, a row and a reason, and the class goes on. Students'
code runs here with the rights of whoever grades: for a class that you do not trust this is not enough.
"""

import csv
import os
import re
import shutil
import sys
import warnings
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat

from proctor.assignment import Assignment
from proctor.release import release_path
from proctor.submissions import Submission, find

HIDDEN = re.compile(r"(?ms)^### BEGIN HIDDEN TESTS\n.*?^### END HIDDEN TESTS\n?")

TAG = re.compile(r"<(?=[A-Za-z/!?])(?!/?(?:details|summary)>)")


def harmless(markdown: str) -> str:
    """A student's text without its HTML, which would run in the browser of whoever reads it."""
    return TAG.sub("&lt;", markdown)


@dataclass
class Row:
    """One student's line in the table."""

    student: str
    scores: dict[str, float | None] = field(default_factory=dict)  # None: no grade, or not yet
    waits: list[str] = field(default_factory=list)  # exercises that a person grades
    note: str = ""
    lost: bool = False  # nbgrader gave no grade where it should have

    @property
    def total(self) -> float:
        """The points so far."""
        return round(sum(score or 0 for score in self.scores.values()), 2)


class Class:
    """One assignment, one class, one gradebook."""

    def __init__(self, assignment: Assignment, course: Path, seed: str = "") -> None:
        from nbgrader.apps import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory
        from sqlalchemy.exc import SAWarning
        from traitlets.config import Config
        from traitlets.config.loader import PyFileConfigLoader

        warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's, and harmless
        # nbgrader calls alembic by its bare name; kernels run on one thread, like the checks
        bin_folder = str(Path(sys.executable).parent)
        os.environ["PATH"] = os.pathsep.join([bin_folder, os.environ.get("PATH", "")])
        os.environ.setdefault("OMP_NUM_THREADS", "1")
        os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
        if seed:
            os.environ["MARKING_SEED"] = seed
        self.assignment, self.course, self.work = assignment, course, course / "_grading"
        self.work.mkdir(exist_ok=True)
        config: Any = Config()
        config.merge(PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config())
        config.CourseDirectory.root = str(course)
        config.CourseDirectory.release_directory = "_grading/release"
        config.CourseDirectory.db_url = f"sqlite:///{self.work / 'gradebook.db'}"
        self.config, self.directory = config, CourseDirectory(config=config)
        self.api: Any = NbGraderAPI(self.directory, config=config)
        self.api.log_level = "ERROR"

    def folder(self, step: str, student: str) -> Path:
        """Where a step keeps a student's files."""
        return self.work / step / student / self.assignment.name

    def prepare(self) -> None:
        """Tell the gradebook what the assignment is worth."""
        done = self.api.generate_assignment(self.assignment.name, force=True, create=True)
        if not done["success"]:
            raise RuntimeError(
                f"nbgrader could not read solutions/{self.assignment.name}: {_last(done['log'])}"
            )

    def collect(self, one: Submission) -> None:
        """Put one student's notebook, or the untouched one in its place, where nbgrader looks."""
        folder = self.folder("submitted", one.student)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        untouched = release_path(self.course, self.assignment.name).read_text(encoding="utf-8")
        (folder / f"{self.assignment.name}.ipynb").write_text(
            one.text or untouched, encoding="utf-8"
        )

    def autograde(self, one: Submission) -> Row:
        """Run one notebook and read its grades from the gradebook."""
        done = self.api.autograde(self.assignment.name, one.student, force=True, create=True)
        return self.read(one, "" if done["success"] else _last(done["log"]))

    def read(self, one: Submission, error: str) -> Row:
        """One student's grades, as the gradebook has them."""
        from nbgrader.api import Gradebook, MissingEntry

        row = Row(one.student, note=f"{one.path.name} {one.reason}" if one.reason else "")
        grades = {}
        with Gradebook(self.directory.db_url) as book:
            try:
                notebooks = book.find_submission(self.assignment.name, one.student).notebooks
                grades = {grade.name: grade for notebook in notebooks for grade in notebook.grades}
            except MissingEntry:
                error = error or "no row in the gradebook"
            for exercise in self.assignment.exercises:
                grade = grades.get((exercise.check or exercise.answer).grader["grade_id"])
                score = None if grade is None else grade.manual_score
                if score is None and grade is not None:
                    score = grade.auto_score
                row.scores[exercise.name] = score
                if score is None and not exercise.check and grade is not None and not error:
                    row.waits.append(exercise.name)
                elif score is None:
                    row.lost = True
        if row.lost or error:
            row.lost = True
            row.note = f"needs a person: {error or 'a graded cell is missing or was changed'}"
        return row

    def feedback(self, one: Submission, row: Row) -> None:
        """Write one student's page, from a copy in which no hidden test stands."""
        from nbgrader.apps import NbGraderAPI
        from nbgrader.coursedir import CourseDirectory

        source = self.folder("autograded", one.student) / f"{self.assignment.name}.ipynb"
        if not source.exists():
            return
        nb = nbformat.read(source, as_version=4)
        for cell in nb.cells:
            text = cell.cell_type == "markdown"
            cell.source = harmless(cell.source) if text else HIDDEN.sub("", cell.source)
        if one.reason:
            words = f"**This notebook is not yours.** Your file could not be graded: {row.note}."
            nb.cells.insert(0, nbformat.v4.new_markdown_cell(words))
        shown = self.folder("shown", one.student)
        shutil.rmtree(shown, ignore_errors=True)
        shown.mkdir(parents=True)
        nbformat.write(nb, shown / source.name)
        config: Any = self.config.copy()
        config.CourseDirectory.autograded_directory = "_grading/shown"
        api: Any = NbGraderAPI(CourseDirectory(config=config), config=config)
        api.generate_feedback(self.assignment.name, one.student, force=True)


def _last(log: str) -> str:
    lines = [line for line in log.splitlines() if "ERROR" in line or "Error" in line]
    return re.sub(r"^\[.*?\] ", "", lines[-1])[:120] if lines else "nbgrader says nothing of it"


def table(rows: list[Row], assignment: Assignment) -> list[list[str]]:
    """The table of marks: a head, a line a student."""
    names = [exercise.name for exercise in assignment.exercises]
    head = ["student", *names, "total", "of", "note"]
    lines = [head]
    for row in rows:
        cells = [
            "wait"
            if name in row.waits
            else "–"
            if row.scores[name] is None
            else f"{row.scores[name]:g}"
            for name in names
        ]
        lines.append([row.student, *cells, f"{row.total:g}", f"{assignment.total:g}", row.note])
    return lines


def grade(
    assignment: Assignment,
    course: Path,
    folders: list[Path],
    marks: Path | None = None,
    seed: str = "",
) -> int:
    """Grade a class and print its marks; 1 where some submission needs a person, else 0."""
    handed_in = find(folders, assignment.name)
    room = Class(assignment, course, seed)
    room.prepare()
    rows = []
    for number, one in enumerate(handed_in, 1):
        print(
            f"\r{number} of {len(handed_in)}: {one.student}\033[K",
            end="",
            file=sys.stderr,
            flush=True,
        )
        room.collect(one)
        rows.append(room.autograde(one))
        room.feedback(one, rows[-1])
    print("\r\033[K", end="", file=sys.stderr, flush=True)
    lines = table(rows, assignment)
    marks = marks or room.work / f"{assignment.name}.csv"
    marks.parent.mkdir(parents=True, exist_ok=True)
    with marks.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    for line in lines:
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        )
    waiting, lost = sum(bool(row.waits) for row in rows), sum(row.lost for row in rows)
    print(f"{len(rows)} submissions; marks in {marks}, feedback in {room.work / 'feedback'}")
    if waiting:
        print(f"{waiting} wait to be graded by hand: nbgrader's formgrader")
    if lost:
        print(f"{lost} need a person: nbgrader gave no grade")
    return int(bool(lost))
