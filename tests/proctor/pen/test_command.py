"""The command as an instructor types it: doctor, grade and its options, explain, and what it refuses."""

import nbformat
import pytest
from nbgrader.api import Gradebook

from proctor.__main__ import main
from proctor.pen import sandbox
from tests.proctor.pen.support import answer, by_hand, cell, check, write_course

RIGHT, WRONG = "def double(x):\n    return 2 * x", "def double(x):\n    return x"


@pytest.fixture
def course(tmp_path, monkeypatch):
    """Three students; the tests draw their inputs from the course's seed."""
    asks = "import os\nn = 1 + int(os.environ['MARKING_SEED'])\nassert double(n) == 2 * n, f'double({n})'"
    cells = [
        cell("import math", "imports", locked=True),
        answer(RIGHT, "double"),
        check(asks, "t", 4),
        by_hand("why"),
    ]
    folder = write_course(tmp_path / "course", cells)
    monkeypatch.chdir(folder)
    for student, code in {"ada": RIGHT, "ben": WRONG}.items():
        hand_in(folder, student, code)
    return folder


def hand_in(folder, student, code):
    place = folder / "submitted" / student / "hw1"
    place.mkdir(parents=True, exist_ok=True)
    nb = nbformat.v4.new_notebook(cells=[
        cell(code, "double", solution=True), cell("", "t", grade=True, locked=True, points=4),
        cell("Because.", "why", "markdown", grade=True, solution=True, points=3),
    ])  # fmt: skip
    nbformat.write(nb, place / "hw1.ipynb")
    return place / "hw1.ipynb"


def book(folder):
    return Gradebook(f"sqlite:///{folder / '_grading/gradebook.db'}")


def test_doctor_says_what_is_confined(course, capsys):
    assert main(["doctor"]) == 0
    said = capsys.readouterr().out
    assert "processes it sees: 1" in said
    assert "network: none" in said
    assert "homes it sees: none" in said
    assert "students' code is confined" in said


def test_without_bubblewrap_it_refuses_and_names_the_cures(course, monkeypatch, capsys):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    assert main(["grade", "hw1"]) == 2
    said = capsys.readouterr().err
    assert "bubblewrap (the command bwrap) is not installed" in said
    assert "apt install bubblewrap" in said
    assert "--unsafe" in said
    assert main(["doctor"]) == 2
    assert not (course / "autograded").exists()


def test_unsafe_grades_and_stamps(course, monkeypatch, capsys):
    monkeypatch.setattr(sandbox.shutil, "which", lambda name: None)
    assert main(["grade", "hw1", "--unsafe"]) == 0
    assert "UNSAFE" in capsys.readouterr().out
    assert main(["explain", "hw1", "ada"]) == 0
    assert "graded with --unsafe" in capsys.readouterr().out


def test_again_says_whose_marks_change_and_spares_what_a_person_gave(course, capsys):
    assert main(["grade", "hw1"]) == 0
    with book(course) as gradebook:
        grade = gradebook.find_grade("t", "hw1", "hw1", "ben")
        grade.manual_score = 3
        gradebook.find_comment("why", "hw1", "hw1", "ben").manual_comment = "half, for the idea"
        gradebook.db.commit()
    hand_in(course, "ada", WRONG)
    capsys.readouterr()
    assert main(["grade", "hw1", "--again"]) == 0
    said = capsys.readouterr().out
    assert "1 of 2 marks would change" in said
    assert "ada: 4 → 0 (-4)" in said
    assert "nothing was written" in said
    with book(course) as gradebook:
        assert gradebook.find_grade("t", "hw1", "hw1", "ada").auto_score == 4
    assert main(["grade", "hw1", "--again", "--yes"]) == 0
    with book(course) as gradebook:
        assert gradebook.find_grade("t", "hw1", "hw1", "ada").auto_score == 0
        ben = gradebook.find_grade("t", "hw1", "hw1", "ben")
        assert (ben.manual_score, ben.auto_score, ben.score) == (3, 0, 3)
        assert (
            gradebook.find_comment("why", "hw1", "hw1", "ben").manual_comment
            == "half, for the idea"
        )
    assert len(list((course / "_grading/backups").glob("*.db"))) == 3


def test_a_copy_of_the_gradebook_is_kept_from_before_the_run(course):
    assert main(["grade", "hw1", "--student", "ada"]) == 0
    assert main(["grade", "hw1"]) == 0
    newest = sorted((course / "_grading/backups").glob("*.db"))[-1]
    with Gradebook(f"sqlite:///{newest}") as old:
        assert [s.id for s in old.students] == ["ada"]


def test_explain_tells_the_seed_the_versions_the_cells_and_the_message(course, capsys):
    assert main(["grade", "hw1", "--seed", "6"]) == 0
    capsys.readouterr()
    assert main(["explain", "hw1", "ben"]) == 0
    said = capsys.readouterr().out
    assert "seed 6" in said
    assert "torch 2" in said
    assert "t: 0 of 4" in said
    assert "AssertionError: double(7)" in said
    assert "why: none of 3" in said
    assert main(["explain", "hw1", "nobody"]) == 2


def test_one_file_is_tried_without_a_gradebook(course, capsys, tmp_path):
    path = hand_in(tmp_path, "office", RIGHT)
    assert main(["grade", "hw1", "--try", str(path)]) == 0
    said = capsys.readouterr().out
    assert "t: 4 of 4" in said
    assert "why: for a person of 3" in said
    assert not (course / "_grading/gradebook.db").exists()


def test_a_test_that_is_wrong_itself_needs_a_person(course, capsys):
    source = nbformat.read(course / "source/hw1/hw1.ipynb", 4)
    source.cells[2].source = "9.0"  # of 4
    nbformat.write(source, course / "source/hw1/hw1.ipynb")
    assert main(["grade", "hw1"]) == 1
    said = capsys.readouterr().out
    assert "test t: its value is not a number between 0 and 4" in said
    assert "2 need a person: ada, ben" in said
    with book(course) as gradebook:
        grade = gradebook.find_grade("t", "hw1", "hw1", "ada")
        assert grade.auto_score is None
        assert grade.needs_manual_grade


def test_what_is_not_there_is_refused_in_one_line(course, capsys):
    for words, said in (
        (["grade", "hw9"], "no assignment named hw9"),
        (["grade", "hw1", "--student", "zoe"], "nothing was handed in by zoe"),
        (["grade", "hw1", "--try", "nowhere.ipynb"], "nowhere.ipynb cannot be read"),
        (["collect", "hw1", "nowhere"], "nowhere is not a folder"),
    ):
        assert main(words) == 2
        err = capsys.readouterr().err
        assert said in err
        assert err.count("\n") == 1


def test_two_hundred_are_graded_on_one_gradebook(course, capsys):
    for number in range(198):
        hand_in(course, f"s{number:03}", RIGHT if number % 2 else WRONG)
    assert main(["grade", "hw1"]) == 0
    with book(course) as gradebook:
        scores = [one.score for one in gradebook.assignment_submissions("hw1")]
    assert len(scores) == 200
    assert scores.count(4) == scores.count(0) == 100
    assert "200 submissions" in capsys.readouterr().out
