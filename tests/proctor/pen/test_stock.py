"""On honest submissions every row of the gradebook is what stock `nbgrader autograde` writes."""

import datetime
import os
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbgrader.api import Gradebook

from proctor import answers
from proctor.release import release_path
from tests.proctor.pen.support import answer, by_hand, cell, check, write_course
from tests.proctor.pen.test_honest import STYLES, key_of
from tests.proctor.support import OWN, ROOT, assignment

PLUGIN = """
from nbgrader.plugins import BasePlugin

class Late(BasePlugin):
    def late_submission_penalty(self, student_id, score, total_seconds_late):
        return round(total_seconds_late / 3600, 1)
"""
CONFIG = """
import sys
sys.path.insert(0, {folder!r})
from late import Late
c.AssignLatePenalties.plugin_class = Late
c.Execute.timeout = 30
"""
SIMPLE = """
c.CourseDirectory.source_directory = "source"
c.CourseDirectory.submitted_directory = "submitted"
c.CourseDirectory.release_directory = "release"
c.CourseDirectory.autograded_directory = "autograded"
c.CourseDirectory.db_url = "sqlite:///{folder}/_grading/gradebook.db"
import pathlib
pathlib.Path("{folder}/_grading").mkdir(exist_ok=True)
"""
PICTURE = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()\nx = 3\nx"


def cells():
    made = [cell("import torch\nimport numpy as np", "imports", locked=True)]
    for style, (code, asks) in STYLES.items():
        made += [answer(code, f"{key_of(style)}-sol"), check(asks, key_of(style))]
    return [
        *made,
        answer("def part(x):\n    return x", "partial-sol"),
        check("score = 0\nscore += part(1) == 1\nscore += 0.5 * (part(2) == 2)\nfloat(score)", "partial", hidden=False),
        answer("total = sum(map(int, open('numbers.txt')))", "file-sol"),
        check("assert total == 6", "file"),
        cell("### BEGIN SOLUTION\nx = 1\n### END SOLUTION", "code-by-hand", grade=True, solution=True, points=2),
        by_hand("text-by-hand"),
        cell("Draw it.\n### BEGIN MARK SCHEME\nanything\n### END MARK SCHEME", "task", "markdown", task=True, points=4,
             locked=True),
        cell(PICTURE),
    ]  # fmt: skip


def second():
    """Another notebook of the same assignment."""
    return [answer("def g():\n    return 1", "g-sol"), check("assert g() == 1", "g")]


def hand_in(course, student, answers, late=0.0):
    """A submission from the release, with a data file and a time."""
    place = course / "submitted" / student / "hw1"
    place.mkdir(parents=True)
    for name in ("hw1", "hw2"):
        nb = nbformat.read(course / "release/hw1" / f"{name}.ipynb", 4)
        for one in nb.cells:
            key = one.metadata.get("nbgrader", {}).get("grade_id", "")
            one.source = answers.get(key, one.source)
        nbformat.write(nb, place / f"{name}.ipynb")
    (place / "numbers.txt").write_text("1\n2\n3\n")
    when = datetime.datetime(2030, 1, 1, 12) + datetime.timedelta(hours=late)
    (place / "timestamp.txt").write_text(f"{when.isoformat(sep=' ')} UTC")


def rows(course, url):
    """Everything that a gradebook says of the class."""
    with Gradebook(url) as book:
        return {
            (one.student.id, notebook.name): {
                "penalty": notebook.late_submission_penalty,
                "score": notebook.score,
                **{grade.name: (grade.auto_score, grade.needs_manual_grade) for grade in notebook.grades
                   if grade.name != "task"},
                **{f"says {c.name}": c.auto_comment for c in notebook.comments},
            }
            for one in book.assignment_submissions("hw1") for notebook in one.notebooks
        }  # fmt: skip


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    folder = tmp_path_factory.mktemp("class")
    (folder / "late.py").write_text(PLUGIN)
    course = write_course(folder / "stock", cells())
    nbformat.write(nbformat.v4.new_notebook(cells=second()), course / "source/hw1/hw2.ipynb")
    with (course / "nbgrader_config.py").open("a") as file:
        file.write(CONFIG.format(folder=str(folder)))
    environment = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}

    def run(place, *words):
        done = subprocess.run(words, cwd=place, capture_output=True, text=True, env=environment)
        assert done.returncode in (0, 1), done.stderr
        return done

    nbgrader = os.path.join(os.path.dirname(sys.executable), "nbgrader")
    run(course, nbgrader, "generate_assignment", "hw1", "--create", "--force")
    with Gradebook(f"sqlite:///{course}/gradebook.db") as book:
        book.update_or_create_assignment("hw1", duedate="2030-01-01 12:00 UTC")
    right = {f"{key_of(style)}-sol": code for style, (code, _) in STYLES.items()} | {
        "partial-sol": "def part(x):\n    return x", "file-sol": "total = sum(map(int, open('numbers.txt')))",
        "g-sol": "def g():\n    return 1", "text-by-hand": "Because.", "code-by-hand": "x = 2",
    }  # fmt: skip
    hand_in(course, "right", right)
    hand_in(course, "late", right | {"partial-sol": "def part(x):\n    return 1"}, late=3.5)
    hand_in(
        course,
        "early",
        right
        | {
            "tensor-sol": "def mm(a, b):\n    return a @ b + 1",
            "g-sol": "def g():\n    return 1 / 0",
        },
        late=-5,
    )
    hand_in(course, "untouched", {})
    shutil.copytree(course, folder / "ours")
    ours = folder / "ours"
    (ours / "_grading").mkdir()
    (ours / "gradebook.db").rename(ours / "_grading/gradebook.db")
    run(course, nbgrader, "autograde", "hw1")
    said = run(ours, sys.executable, "-m", "proctor", "grade", "hw1")
    return (
        rows(course, f"sqlite:///{course}/gradebook.db"), rows(ours, f"sqlite:///{ours}/_grading/gradebook.db"),
        said, ours,
    )  # fmt: skip


def test_every_row_of_the_gradebook_is_equal(both):
    """But for one: stock gives nothing where a student's warning was on stderr before the value."""
    stock, ours, _, _ = both
    assert len(stock) == 8
    for (student, notebook), row in stock.items():
        mine = ours[student, notebook]
        if notebook == "hw1" and student != "untouched":
            assert (row.pop("warning"), mine.pop("warning")) == ((0.0, False), (2.0, False))
            assert row.pop("score") + 2 == mine.pop("score")
        assert mine == row, (student, notebook)


def test_the_late_one_pays_and_the_marks_say_so(both):
    _, ours, said, course = both
    assert ours["late", "hw1"]["penalty"] == 3.5
    assert ours["right", "hw1"]["penalty"] is None
    assert "-5.5" in said.stdout  # 3.5, and the two points that the second notebook gave
    assert said.returncode == 0, said.stdout


def test_a_picture_is_in_the_graded_notebook(both):
    *_, course = both
    nb = nbformat.read(course / "autograded/right/hw1/hw1.ipynb", 4)
    last = nb.cells[-1].outputs
    assert [o.output_type for o in last] == ["display_data", "execute_result"]
    assert last[0].data["image/png"].startswith("iVBOR")
    nbformat.validate(nb)


def test_an_assignment_of_the_course_that_changes_every_day_is_equal(tmp_path):
    """All of them through stock would take hours; each has its day."""
    name = OWN[datetime.date.today().toordinal() % len(OWN)]
    nbgrader = os.path.join(os.path.dirname(sys.executable), "nbgrader")
    environment = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}
    every = answers.every(assignment(name))
    for place in ("stock", "ours"):
        folder = tmp_path / place
        (folder / "source" / name).mkdir(parents=True)
        shutil.copy(ROOT / f"solutions/{name}/{name}.ipynb", folder / "source" / name)
        shutil.copy(ROOT / "nbgrader_config.py", folder)
        with (folder / "nbgrader_config.py").open("a") as file:
            file.write(SIMPLE.format(folder=folder))
        for number in range(2):
            nb = nbformat.read(release_path(ROOT, name), 4)
            chosen = {a.exercise: a.code for a in every if a.right == bool(number)}
            for one in nb.cells:
                one.source = chosen.get(
                    one.metadata.get("nbgrader", {}).get("grade_id"), one.source
                )
            (folder / "submitted" / f"s{number}" / name).mkdir(parents=True)
            nbformat.write(nb, folder / "submitted" / f"s{number}" / name / f"{name}.ipynb")
    for words in (
        ["generate_assignment", name, "--create", "--force"],
        ["autograde", name, "--create"],
    ):
        done = subprocess.run(
            [nbgrader, *words],
            cwd=tmp_path / "stock",
            capture_output=True,
            text=True,
            env=environment,
        )
        assert done.returncode == 0, done.stderr[-2000:]
    command = [sys.executable, "-m", "proctor", "grade", name]
    done = subprocess.run(command, cwd=tmp_path / "ours", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr

    def scores(place):
        with Gradebook(f"sqlite:///{tmp_path / place}/_grading/gradebook.db") as book:
            return {
                (one.student.id, grade.name): grade.auto_score
                for one in book.assignment_submissions(name) for notebook in one.notebooks for grade in notebook.grades
            }  # fmt: skip

    stock, ours = scores("stock"), scores("ours")
    assert ours == stock
    assert len(stock) > 8
    assert sum(score or 0 for (student, _), score in stock.items() if student == "s1") == 20
