"""Whatever is killed in mid-class: every submission is recorded once, none is lost, nothing is left running."""

import contextlib
import csv
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest

from proctor.__main__ import main
from proctor.grade import Orders, alone, grade
from proctor.pen.box import Warden
from tests.proctor.pen.support import answer, cell, check, write_course

SIZE = 6
CODE = "import time\ntime.sleep({})\ndef double(x):\n    return {} * x"


def parents() -> dict[int, int]:
    """The parent of every process that can be seen."""
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError):
                text = Path(f"/proc/{entry}/stat").read_text()
                found[int(entry)] = int(text.rpartition(")")[2].split()[1])
    return found


def family(top: int) -> list[int]:
    """A process's descendants."""
    tree, found, rest = parents(), [], [top]
    while rest:
        one = rest.pop()
        inside = [child for child, parent in tree.items() if parent == one]
        found += inside
        rest += inside
    return found


def wardens(top: int) -> dict[int, int]:
    """The wardens under a writer: children of the server that are no keepers; by their number in the box."""
    tree, found = parents(), {}
    for pid in family(top):
        space = None
        with contextlib.suppress(OSError, KeyError):
            space = os.readlink(f"/proc/{pid}/ns/user") == os.readlink(f"/proc/{tree[pid]}/ns/user")
            numbers = re.search(r"NSpid:\s+([\d\s]+)\n", Path(f"/proc/{pid}/status").read_text())
            server = (
                "proctor.pen.server" in words(tree[pid]) and "bwrap" not in words(tree[pid])[:200]
            )
            if space and numbers and server:
                found[int(numbers[1].split()[-1])] = pid
    return found


def words(pid: int) -> str:
    """A process's command."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return ""


@pytest.fixture
def course(tmp_path):
    """Six who hand in the same right answer, which takes a little while."""
    cells = [
        answer("def double(x):\n    return 2 * x", "double"),
        check("assert double(4) == 8", "t"),
    ]
    folder = write_course(tmp_path, [cell("import math", "imports", locked=True), *cells])
    for number in range(SIZE):
        hand_in(folder, f"s{number}", 0.4)
    return folder


def hand_in(folder: Path, student: str, seconds: float, factor: int = 2) -> None:
    """A submission in place, by hand."""
    nb = nbformat.v4.new_notebook(
        cells=[
            cell(CODE.format(seconds, factor), "double", solution=True),
            cell("", "t", grade=True, locked=True, points=2),
        ]
    )
    place = folder / "submitted" / student / "hw1"
    place.mkdir(parents=True, exist_ok=True)
    nbformat.write(nb, place / "hw1.ipynb")


def journal(folder: Path) -> dict[str, int]:
    """Attempts, by student."""
    with (
        contextlib.suppress(sqlite3.OperationalError),
        sqlite3.connect(folder / "_grading/gradebook.db") as book,
    ):
        return dict(
            book.execute("select student, sum(attempts) from proctor_journal group by student")
        )
    return {}


def marks(folder: Path) -> dict[str, str]:
    """Totals, by student."""
    with (folder / "_grading/hw1.csv").open() as file:
        return {row["student"]: row["total"] for row in csv.DictReader(file)}


def begin(folder: Path) -> subprocess.Popen:
    """Grade in a process of its own."""
    command = [sys.executable, "-m", "proctor", "grade", "hw1", "--jobs", "2"]
    return subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def wait_for(folder: Path, rows: int) -> None:
    """Until so many are in the journal."""
    until = time.monotonic() + 60
    while len(journal(folder)) < rows:
        assert time.monotonic() < until
        time.sleep(0.02)


def test_a_worker_that_is_killed_is_replaced(course):
    running = begin(course)
    wait_for(course, 2)
    os.kill(next(iter(wardens(running.pid).values())), signal.SIGKILL)
    said, _ = running.communicate(timeout=90)
    assert running.returncode == 0, said
    assert journal(course) == {f"s{n}": 1 for n in range(SIZE)}
    assert marks(course) == {f"s{n}": "2" for n in range(SIZE)}


def test_after_the_writer_is_killed_the_next_run_does_the_rest(course):
    running = begin(course)
    wait_for(course, 3)
    below = family(running.pid)
    running.kill()
    running.communicate()
    until = time.monotonic() + 20
    while any(str(pid) in os.listdir("/proc") and "proctor" in words(pid) for pid in below):
        assert time.monotonic() < until, "something of the box outlived its writer"
        time.sleep(0.1)
    done = journal(course)
    assert 3 <= len(done) < SIZE
    again = begin(course)
    said, _ = again.communicate(timeout=90)
    assert again.returncode == 0, said
    assert f"{len(done)} were graded before" in said
    assert journal(course) == {f"s{n}": 1 for n in range(SIZE)}
    assert marks(course) == {f"s{n}": "2" for n in range(SIZE)}


def test_a_submission_on_which_workers_die_twice_goes_to_a_person_and_the_class_goes_on(
    course, monkeypatch, capsys
):
    hand_in(course, "poison", 31)
    send, died = Warden.send, []

    def and_die(self, spec, files, notes):
        send(self, spec, files, notes)
        if b"time.sleep(31)" in files["hw1.ipynb"]:
            died.append(wardens(os.getpid())[self.pid])
            os.kill(died[-1], signal.SIGKILL)

    monkeypatch.setattr(Warden, "send", and_die)
    assert grade(course, Orders("hw1", jobs=2)) == 1
    said = capsys.readouterr().out
    assert "the worker that graded it died twice" in said
    assert len(set(died)) == 2
    assert journal(course) == {f"s{n}": 1 for n in range(SIZE)}


def test_two_writers_at_once_the_second_leaves(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    with alone(course):
        assert main(["grade", "hw1"]) == 2
    assert (
        f"another run is grading in this course (process {os.getpid()})" in capsys.readouterr().err
    )
    assert journal(course) == {}


def test_a_new_submission_is_graded_and_an_old_one_is_not(course, monkeypatch, capsys):
    monkeypatch.chdir(course)
    assert main(["grade", "hw1", "--student", "s0", "s1"]) == 0
    hand_in(course, "s1", 0, factor=3)
    assert main(["grade", "hw1", "--student", "s0", "s1"]) == 0
    assert "1 were graded before" in capsys.readouterr().out
    assert journal(course) == {"s0": 1, "s1": 2}
    assert marks(course) == {"s0": "2", "s1": "0"}
