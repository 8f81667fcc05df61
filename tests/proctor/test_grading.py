"""In the real tools: Validate, nbval, and a small class through nbgrader with files that are no notebooks."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbgrader.validator import Validator

from proctor import answers, sample
from proctor.__main__ import main
from proctor.release import release_path
from tests.proctor.support import OWN, ROOT, TEXTS, assignment

MARKS = ["ada-right", "cleo-half-right", "dan-wrong", "gus-broken", "hal-no-notebook"]


def fill(nb, code):
    for cell in nb.cells:
        cell.source = code.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
    return nb


@pytest.mark.parametrize("name", TEXTS)
def test_validate_is_content_with_the_solution_and_says_what_is_missing(
    name, small_course, tmp_path
):
    """Half of the exercises solved: Validate names the others, each with its message."""
    tasks = [task for task in assignment(name).exercises if task.check]
    nb = nbformat.read(release_path(ROOT if name in OWN else small_course, name), 4)
    fill(nb, {task.name: task.solution for task in tasks[::2]})
    nbformat.write(nb, tmp_path / f"{name}.ipynb")
    failed = Validator().validate(str(tmp_path / f"{name}.ipynb")).get("failed", [])
    said = [cell["raw_error"] for cell in failed if "did not provide" not in cell["raw_error"]]
    assert len(said) == len(tasks[1::2])
    assert all("not attempted yet" in words for words in said)


@pytest.mark.parametrize("name", OWN)
def test_the_solution_gives_its_stored_outputs(name):
    sanitize = f"--nbval-sanitize-with={ROOT / 'tests/nbval_sanitize.cfg'}"
    words = [
        "-p",
        "nbval",
        "--nbval",
        "--nbval-current-env",
        sanitize,
        "-q",
        "-p",
        "no:cacheprovider",
        "--override-ini=addopts=",
    ]
    command = [sys.executable, "-m", "pytest", *words, f"solutions/{name}/{name}.ipynb"]
    alone = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # the others' imports cost more
    done = subprocess.run(command, cwd=ROOT, env=alone, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def graded(small_course, tmp_path_factory):
    """The sample class of the small assignment, with some stranger ones, graded by the command."""
    folder = tmp_path_factory.mktemp("class")
    deserved = sample.make(assignment("small"), small_course, folder / "all")
    (folder / "handed_in").mkdir()
    for student in MARKS:
        (folder / "all" / student).rename(folder / "handed_in" / student)
    odd = {
        a.title: a
        for a in answers.every(assignment("small"), Path(__file__).with_name("odd_answers.py"))
    }
    stranger = {
        "ivy-stderr": odd["writes to stderr in five ways"],
        "jon-endless": odd["never ends, and a bare except takes everything"],
    }
    right = {task.name: task.solution for task in assignment("small").exercises if task.check}
    release = release_path(small_course, "small")
    for student, answer in stranger.items():
        nb = fill(
            nbformat.read(release, 4),
            {"rms_pool": answer.code, "rms_pool-check": "5.0  # tampered"},
        )
        nb.cells.append(nbformat.v4.new_markdown_cell("<script>alert('text')</script> 1 < 2"))
        shows = "from IPython.display import HTML\nHTML(\"<script>alert('shown')</script>\")"
        nb.cells.append(nbformat.v4.new_code_cell(shows))
        (folder / "handed_in" / f"{student}.ipynb").write_text(nbformat.writes(nb))
        deserved[student] = {"rms_pool": answer.points}
    nb = nbformat.read(release, 4)
    nb.cells = [
        c for c in nb.cells if c.metadata.get("nbgrader", {}).get("grade_id") != "standardize-check"
    ]
    fill(nb, {"rms_pool": right["rms_pool"], "standardize": right["standardize"]})
    (folder / "handed_in" / "kim-deleted_small.ipynb").write_text(nbformat.writes(nb))
    deserved["kim-deleted"] = {
        key: deserved["ada-right"][key] for key in ("rms_pool", "standardize")
    }
    place = str(folder / "handed_in")
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}  # nbgrader must find alembic all the same
    said = []
    for words in (["grade", "small", "--class", place], ["feedback", "small"]):
        done = subprocess.run(
            [sys.executable, "-m", "proctor", *words], cwd=small_course, capture_output=True, text=True,
            env=environment,
        )  # fmt: skip
        said.append(done)
    with (small_course / "_grading/small.csv").open() as file:
        rows = {row["student"]: row for row in csv.DictReader(file)}
    assert said[1].returncode == 0, said[1].stderr
    return said[0], rows, deserved, small_course


def test_the_marks_are_those_that_the_answers_deserve(graded):
    done, rows, deserved, _ = graded
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(rows) == {*MARKS, "ivy-stderr", "jon-endless", "kim-deleted"}, done.stderr
    for student, row in rows.items():
        for exercise, points in deserved[student].items():
            assert float(row[exercise]) == points, (student, exercise)


def test_what_is_no_notebook_gets_nothing_and_a_reason(graded):
    _, rows, _, _ = graded
    assert rows["gus-broken"]["note"] == "small.ipynb is not JSON"
    assert rows["hal-no-notebook"]["note"] == "small.ipynb is not a notebook of format 4"
    assert rows["gus-broken"]["total"] == rows["hal-no-notebook"]["total"] == "0"


def test_what_a_person_must_grade_waits_and_what_was_repaired_is_said(graded):
    done, rows, _, _ = graded
    assert rows["ada-right"]["explain"] == "0"  # untouched: nothing to grade
    assert "the cell standardize-check was missing" in rows["kim-deleted"]["note"]
    assert "the locked cell rms_pool-check was changed" in rows["ivy-stderr"]["note"]
    assert "Traceback" not in done.stdout + done.stderr


def test_feedback_teaches_and_keeps_the_hidden_tests(graded):
    *_, course = graded
    page = (course / "_grading/feedback/dan-wrong/small/small.html").read_text()
    assert "likely" in page
    assert "windows start every <code>stride</code> pixels" in page
    broken = (course / "_grading/feedback/gus-broken/small/small.html").read_text()
    assert "small.ipynb is not JSON" in broken
    assert broken.count("There was nothing to mark here: your notebook could not be read") == 4
    for text in (page, broken):
        assert "BEGIN HIDDEN TESTS" not in text
        assert "task.agree" not in text


def test_nothing_of_a_student_runs_in_the_browser_that_reads_the_feedback(graded):
    *_, course = graded
    for page in (course / "_grading/feedback").glob("*/small/small.html"):
        assert "<script" not in page.read_text()
    late = (course / "_grading/feedback/jon-endless/small/small.html").read_text()
    assert "no answer within 2 s" in late


def test_a_class_that_cannot_be_collected_is_refused_in_one_line(
    course, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(course)
    empty, archive, twice, odd = (tmp_path / name for name in ("empty", "archive", "twice", "odd"))
    for folder in (empty, archive, twice / "ada", odd):
        folder.mkdir(parents=True)
    (archive / "class.zip").write_bytes(b"PK")
    for path in (twice / "ada/small.ipynb", twice / "ada_small.ipynb", odd / "a b.ipynb"):
        path.write_text("{}")
    for folder, words in (
        (tmp_path / "nowhere", "is not a folder"),
        (empty, "no submission in"),
        (archive / "class.zip", "is neither a folder nor a zip"),
        (odd, "is no name of a student"),
    ):
        assert main(["grade", "small", "--class", str(folder)]) == 2
        said = capsys.readouterr().err
        assert words in said
        assert said.count("\n") == 1
    assert main(["grade", "nobody", "--class", str(empty)]) == 2
    assert main(["sample", "small", str(archive)]) == 2
    assert "is not empty" in capsys.readouterr().err.splitlines()[-1]
