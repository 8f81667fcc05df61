"""The guides promise commands; each is typed here, in the order of the page, on a copy of the house."""

import csv
import io
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from press import lab
from press.layout import ROOT

BLOCK = re.compile(r"^```(console|python)\n(.*?)^```", re.M | re.S)
# What sets up a machine is typed by CI itself, on a clean one; what opens JupyterLab is proved in tests/lab.
SET_UP = ("git clone ", "git pull", "cd ", "make check", "source ")
ROSTERS = {
    "canvas.csv": "Student,ID,SIS User ID,SIS Login ID,Section\n"
    '"Lovelace, Ada",11,,ada-right,A\n"Wrong, Dan",12,,dan-wrong,A\n',
    "moodle.csv": "Identifier,Full name,Email address,Status,Grade,Maximum Grade,Last modified (grade)\n"
    "Participant 21,Ada Lovelace,ada-right@example.org,Submitted,,20.00,-\n"
    "Participant 22,Dan Wrong,dan-wrong@example.org,Submitted,,20.00,-\n",
}


def typed(page: str) -> list[tuple[str, str]]:
    """The commands and the Python of a guide."""
    found = []
    for kind, text in BLOCK.findall((ROOT / "book" / "guides" / page).read_text("utf8")):
        lines = [text] if kind == "python" else text.splitlines()
        found += [(kind, line.removeprefix("$ ")) for line in lines]
        assert kind == "python" or all(line.startswith("$ ") for line in lines), text
    return found


@pytest.fixture
def course(tmp_path) -> Path:
    """A checkout, without what is built."""
    place = tmp_path / "etude"
    files = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()  # fmt: skip
    for name in files:
        if name.startswith(("solutions/", "exercises/", "book/")) or "/" not in name:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes((ROOT / name).read_bytes())
    for name, text in ROSTERS.items():
        (place / name).write_text(text)
    return place


def run(course: Path, words: list[str]) -> subprocess.CompletedProcess:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        words, cwd=course, env=os.environ | {"PATH": path}, capture_output=True, text=True, timeout=300
    )  # fmt: skip


def test_the_instructors_commands_take_a_class_to_its_marks(course):
    wrong, seen = [], 0
    for kind, text in typed("instructor.md"):
        if text.startswith(SET_UP):
            continue
        done = run(course, [sys.executable, "-c", text] if kind == "python" else shlex.split(text))
        # the sample holds files that are no notebooks, and no roster knows all of it: a person should look, 1
        asks = text.startswith(
            ("proctor grade", "proctor export", "proctor feedback", "proctor report")
        )
        if done.returncode not in ((0, 1) if asks else (0,)):
            wrong.append((text, done.returncode, done.stdout[-500:], done.stderr[-1500:]))
        seen += 1
    assert wrong == []
    assert seen > 15
    marks = course / "_grading"
    assert "Lovelace" in (marks / "export/linear_regression-canvas.csv").read_text()
    assert ",20.00," in (marks / "export/linear_regression-moodle.csv").read_text()
    page = "feedback/ada-right/linear_regression/linear_regression.html"
    assert "20 of 20" in (marks / page).read_text()
    assert (marks / "report/linear_regression.html").exists()
    text = (marks / "export/linear_regression-csv.csv").read_text("utf-8-sig")
    days = {row["student"]: row["extension_days"] for row in csv.DictReader(io.StringIO(text))}
    assert (days["ada-right"], days["dan-wrong"]) == ("2", "")


def test_the_students_commands_are_known_to_make(tmp_path):
    makefile = (ROOT / "Makefile").read_text()
    for _, text in typed("student.md"):
        if text.startswith("make "):
            target, *given = text.split()[1:]
            assert re.search(rf"^{target}:", makefile, re.M)
            assert all(f"$({word.partition('=')[0]})" in makefile for word in given)
    work = tmp_path / "work"
    assert {p.name for p in lab.prepare(work=work)} == set(lab.assignments())
    mine = work / "linear_regression" / "linear_regression.ipynb"
    mine.write_text("mine")
    (fresh,) = lab.prepare("linear_regression", work)
    assert fresh.name.startswith("linear_regression-")
    assert mine.read_text() == "mine"
    assert lab.prepare(work=work) == []  # after an update: nothing is overwritten
