"""What students get: made from the source, nothing of the solution in it, worth nothing as it is."""

import re
import shutil

import nbformat
import pytest

from proctor import release, trial
from proctor.__main__ import main
from proctor.gradebook import Book
from tests.proctor.support import EXERCISES, OWN, ROOT, TEXTS, assignment, exercise

each = pytest.mark.parametrize("name", TEXTS)


def home(name, small_course):
    return ROOT if name in OWN else small_course


def cells(name, small_course):
    path = release.release_path(home(name, small_course), name)
    return {
        c.metadata.get("nbgrader", {}).get("grade_id", c.id): c
        for c in nbformat.read(path, 4).cells
    }


@pytest.mark.parametrize(("name", "key"), EXERCISES, ids=[f"{n}-{k}" for n, k in EXERCISES])
def test_the_release_gets_nothing(name, key, small_course):
    points, text = trial.mark(exercise(name, key), cells(name, small_course)[key].source)
    assert points == 0
    assert "not attempted yet" in text


@each
def test_nothing_leaks(name, small_course):
    """No line of a solution or of a hidden test, no marker, no output, no file but the notebook."""
    found = cells(name, small_course).values()
    text = "\n".join(cell.source for cell in found)
    assert not re.search("(BEGIN|END) (SOLUTION|HIDDEN)", text)
    assert not any(cell.get("outputs") for cell in found)
    assert text.count("raise NotImplementedError") >= len(assignment(name).exercises) - 1
    folder = release.release_path(home(name, small_course), name).parent
    assert [p.name for p in folder.iterdir() if p.suffix != ".ipynb_checkpoints"] == [
        f"{name}.ipynb"
    ]


def test_nothing_is_out_of_step():
    assert release.drift(ROOT) == []


def test_the_release_is_what_nbgrader_makes(small_course):
    """Our short way through nbgrader's preprocessors gives the bytes of `nbgrader generate_assignment`."""
    book = Book(small_course, "small")
    book.prepare()
    book.close()
    made = small_course / "_grading/release/small/small.ipynb"
    assert made.read_bytes() == release.release_path(small_course, "small").read_bytes()


def test_making_it_again_changes_nothing(course):
    paths = [course / "solutions/small/small.ipynb", course / "exercises/small/small.ipynb"]
    before = [path.read_bytes() for path in paths]
    assert release.build(course) == paths
    assert [path.read_bytes() for path in paths] == before


def edit(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


BROKEN = {
    "the text was edited": (
        lambda c: edit(c / "solutions/small/small.py", "energy", "force"),
        "source differ",
    ),
    "the notebook was edited": (
        lambda c: edit(c / "solutions/small/small.ipynb", "energy", "force"),
        "differ",
    ),
    "the release was edited": (
        lambda c: edit(c / "exercises/small/small.ipynb", "energy", "force"),
        "never edited",
    ),
    "a stub that gets points": (
        lambda c: edit(
            c / "exercises/small/small.ipynb",
            "raise NotImplementedError",
            "return F.avg_pool2d(x, size)",
        ),
        "never edited",
    ),
    "the release is gone": (lambda c: (c / "exercises/small/small.ipynb").unlink(), "missing"),
    "the notebook is gone": (lambda c: (c / "solutions/small/small.ipynb").unlink(), "missing"),
    "the notebook is broken": (
        lambda c: (c / "solutions/small/small.ipynb").write_text("{"),
        "cannot be read",
    ),
    "the source was released": (
        lambda c: shutil.copy(c / "solutions/small/small.py", c / "exercises/small"),
        "nothing but the notebook",
    ),
    "a release without source": (lambda c: (c / "exercises/other").mkdir(), "no such assignment"),
    "a cell was added": (
        lambda c: edit(
            c / "solutions/small/small.py",
            "# %% [markdown]\n# ## 2",
            "# %%\n1\n\n# %% [markdown]\n# ## 2",
        ),
        "cells, the text has",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_what_is_out_of_step_is_said(course, fault):
    assert release.drift(course) == []
    breaking, words = BROKEN[fault]
    breaking(course)
    found = release.drift(course)
    assert any(words in line for line in found), found
    assert all(re.match(r"[\w/.]+:\d+: ", line) for line in found)


def test_the_command_says_what_is_wrong(course, monkeypatch, capsys):
    monkeypatch.chdir(course / "solutions")
    assert main(["check"]) == 0
    assert "1 assignments are in order" in capsys.readouterr().out
    edit(course / "solutions/small/small.py", "@task(1.5)", "@task(1.25)")
    assert main(["check"]) == 1
    assert "the checks are worth 4.75" in capsys.readouterr().out
    assert main(["answers", "nobody"]) == 2
    assert "no assignment named nobody; there are: small" in capsys.readouterr().err
