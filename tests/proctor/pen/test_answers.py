"""Every answer of every assignment, right or wrong, gets in the pen what the runner of answers gives it, words and all."""

import itertools

import nbformat
import pytest

from proctor import answers
from proctor.collect import Handed
from proctor.explain import words_of
from proctor.gradebook import Book
from proctor.pen.box import Box
from proctor.release import release_path
from proctor.workers import Pool
from tests.proctor.support import OWN, ROOT, assignment


@pytest.fixture(scope="session")
def box():
    """One box for all classes: every one of its own would import torch anew."""
    with Box() as box:
        yield box


@pytest.mark.parametrize("name", OWN)
def test_the_pen_marks_every_answer_as_it_deserves(name, box, tmp_path):
    """Each student hands in one answer to every exercise, so that the class holds all answers."""
    book = Book(ROOT, name, url=f"sqlite:///{tmp_path}/gradebook.db")
    book.prepare()
    spec = book.spec()
    book.close()
    release = release_path(ROOT, name).read_text(encoding="utf-8")
    every = answers.every(assignment(name))
    by_exercise = itertools.groupby(every, key=lambda one: one.exercise)
    students = list(itertools.zip_longest(*(list(group) for _, group in by_exercise)))
    submissions = []
    for number, chosen in enumerate(students):
        nb = nbformat.reads(release, as_version=4)
        code = {one.exercise: one.code for one in chosen if one}
        for cell in nb.cells:
            cell.source = code.get(cell.metadata.get("nbgrader", {}).get("grade_id"), cell.source)
        submissions.append(Handed(str(number), {f"{name}.ipynb": nbformat.writes(nb).encode()}))
    wrong = []
    for one, result in Pool(spec, 2, box=box, keep=True).grade(submissions):
        graded = result["notebooks"][name]
        said = {
            cell["key"]: " ".join(words_of(cell["outputs"]).split()) for cell in graded["cells"]
        }
        for answer in filter(None, students[int(one.student)]):
            key = f"{answer.exercise}-check"
            missing = [words for words in answer.words if words not in said[key]]
            if graded["scores"][key] != answer.points or missing:
                wrong.append(
                    (answer.exercise, answer.title, graded["scores"][key], missing, said[key])
                )
    assert not wrong
    assert len(every) > 20
