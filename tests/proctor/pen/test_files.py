"""Files that are no notebook, notebooks that lie about themselves, and the accidents of honest students."""

import json
import os

import nbformat
import pytest
from nbformat.v4 import new_code_cell

from proctor import collect
from tests.proctor.pen.support import GOOD, WRONG, plain

FULL = {"p1": 2.0, "p2": 3.0}
NOTHING = {"p1": 0.0, "p2": 0.0}


def good():
    return plain().filled(GOOD)


def changed(change, answers=GOOD):
    """A notebook to which something happened."""
    nb = json.loads(nbformat.writes(plain().filled(answers)))
    change(nb)
    return json.dumps(nb).encode()


def find(nb, key):
    return next(c for c in nb["cells"] if c["metadata"].get("nbgrader", {}).get("grade_id") == key)


def each(nb, key, **about):
    find(nb, key)["metadata"]["nbgrader"].update(about)


def everywhere(nb, **about):
    for cell in nb["cells"]:
        cell["metadata"].get("nbgrader", {}).update(about)


def lose_metadata(nb):
    for cell in nb["cells"]:
        cell["metadata"] = {}


def copy_cell(nb, key, source):
    place = nb["cells"].index(find(nb, key))
    twin = json.loads(json.dumps(nb["cells"][place]))
    nb["cells"][place]["source"] = source
    nb["cells"].insert(place + 1, twin)


def split_cell(nb, key):
    place = nb["cells"].index(find(nb, key))
    twin = json.loads(json.dumps(nb["cells"][place]))
    nb["cells"][place]["source"] = "helper = 0"
    nb["cells"].insert(place + 1, twin)


def drop(nb, key):
    nb["cells"].remove(find(nb, key))


raw = json.dumps
# file: bytes, scores, words of the note
FILES = {
    "empty": (b" \n", NOTHING, "hw1.ipynb is empty"),
    "binary": (bytes(range(256)) * 100, NOTHING, "hw1.ipynb is not UTF-8 text"),
    "latin": ('{"cells": "é"}'.encode("latin1"), NOTHING, "hw1.ipynb is not UTF-8 text"),
    "half": (lambda: nbformat.writes(good()).encode()[:-200], NOTHING, "hw1.ipynb is not JSON"),
    "deep": (b"[" * 200_000, NOTHING, "hw1.ipynb is not JSON"),
    "list": (b"[1, 2]", NOTHING, "hw1.ipynb is not a notebook of format 4"),
    "format 3": (b'{"nbformat": 3, "worksheets": [{"cells": []}]}', NOTHING, "hw1.ipynb is not a notebook of format 4"),
    "byte order mark": (lambda: b"\xef\xbb\xbf" + nbformat.writes(good()).encode(), FULL, ""),
    "surrogate": (lambda: changed(lambda nb: nb["cells"].append({"cell_type": "markdown", "source": "\ud800", "metadata": {}})), FULL, ""),
    "cells of odd kinds": (lambda: changed(lambda nb: nb["cells"].extend([1, None, {}, [], {"source": 3}, {"cell_type": "video", "source": "x", "metadata": []}])), FULL, ""),
    "a number as a source": (lambda: changed(lambda nb: find(nb, "p1-sol").update(source=7)), {"p1": 0.0, "p2": 3.0}, "the cell p1-sol was missing"),
    "lines as a source": (lambda: changed(lambda nb: find(nb, "p1-sol").update(source=GOOD["p1-sol"].splitlines(True))), FULL, ""),
    "three thousand cells": (lambda: changed(lambda nb: nb["cells"].extend({"cell_type": "code", "source": "", "metadata": {}} for _ in range(3000))), FULL, "has more than 1000 cells"),
    "an endless cell": (lambda: changed(lambda nb: nb["cells"].append({"cell_type": "code", "source": "#" * 300_000, "metadata": {}})), FULL, ""),
    "skip-execution": (lambda: changed(lambda nb: [c["metadata"].update(tags=["skip-execution", "raises-exception"]) for c in nb["cells"]], WRONG), NOTHING, ""),
    "a hundred points": (lambda: changed(lambda nb: each(nb, "p1", points=100), WRONG), NOTHING, ""),
    "points in words": (lambda: changed(lambda nb: everywhere(nb, points="lots", checksum=[], schema_version=99)), FULL, ""),
    "no test any more": (lambda: changed(lambda nb: everywhere(nb, grade=False, solution=True, locked=False), WRONG), NOTHING, ""),
    "by hand made automatic": (lambda: changed(lambda nb: each(nb, "why", solution=False, cell_type="code")), FULL, ""),
    "ids of nobody": (lambda: changed(lambda nb: each(nb, "p1-sol", grade_id="unknown")), FULL, "p1-sol had lost its metadata"),
    "forged outputs": (lambda: changed(lambda nb: find(nb, "p1").update(source="2.0", outputs=[{"output_type": "execute_result", "data": {"text/plain": "2.0"}, "metadata": {}, "execution_count": 1}]), WRONG), NOTHING, "the locked cell p1 was changed"),
}  # fmt: skip
ACCIDENTS = {
    "a copy of a graded cell": (lambda: changed(lambda nb: copy_cell(nb, "p1-sol", "def relu_sum(x):\n    return -1")), FULL, "the cell p1-sol was there twice; the last one counts"),
    "a split graded cell": (lambda: changed(lambda nb: split_cell(nb, "p2-sol")), FULL, "the cell p2-sol was there twice"),
    "a deleted test": (lambda: changed(lambda nb: drop(nb, "p1")), FULL, "the cell p1 was missing; the one that was set is in its place"),
    "a deleted answer": (lambda: changed(lambda nb: drop(nb, "p1-sol")), {"p1": 0.0, "p2": 3.0}, "the cell p1-sol was missing"),
    "an edited test": (lambda: changed(lambda nb: find(nb, "p2").update(source="assert True")), FULL, "the locked cell p2 was changed; the original counts"),
    "lost metadata": (lambda: changed(lose_metadata), FULL, "p1-sol had lost its metadata and was known by its text"),
    "another kernel": (lambda: changed(lambda nb: nb["metadata"].update(kernelspec={"name": "my-conda", "display_name": "Mine", "language": "R"})), FULL, ""),
    "magics and shells": (lambda: changed(lambda nb: find(nb, "p1-sol").update(source="%matplotlib inline\n!ls\n" + GOOD["p1-sol"])), FULL, ""),
    "out of time": (lambda: changed(lambda nb: find(nb, "p1-sol").update(source="import time\ntime.sleep(60)\n" + GOOD["p1-sol"])), {"p1": 0.0, "p2": 3.0}, ""),
}  # fmt: skip
EVERY = {f"file: {key}": value for key, value in FILES.items()} | ACCIDENTS


@pytest.fixture(scope="module")
def marked():
    submissions = []
    for number, (made, _, _) in enumerate(EVERY.values()):
        submissions.append(plain().handed(str(number), made() if callable(made) else made))
    found = plain().mark(submissions)
    return {case: found[str(number)] for number, case in enumerate(EVERY)}


@pytest.mark.parametrize("case", EVERY)
def test_what_came_gets_the_fair_mark_and_its_reason(case, marked):
    _, scores, words = EVERY[case]
    came = marked[case]
    assert {key: came.scores[key] for key in FULL} == scores, came.text
    said = "; ".join(came.notes)
    assert words in said
    assert words or not said, said


def test_a_notebook_that_ran_out_of_time_says_in_which_exercise(marked):
    came = marked["out of time"]
    assert "this cell ran longer than 6 s and was stopped" in came.outputs["p1-sol"]


def test_what_a_person_grades_waits_unless_it_is_untouched(marked):
    nb = good()
    nb.cells[-1].source = "Because."
    came = plain().mark([plain().handed("why", nb)])["why"]
    assert came.scores["why"] is None
    assert marked["a deleted test"].scores["why"] == 0


def test_links_pipes_and_giants_are_not_read(tmp_path):
    place = tmp_path / "ada"
    place.mkdir()
    (tmp_path / "secret.txt").write_text("the marks of the others")
    (place / "hw1.ipynb").symlink_to(tmp_path / "secret.txt")
    (place / "folder").symlink_to(tmp_path)
    os.mkfifo(place / "pipe.txt")
    (place / "large.ipynb").write_bytes(b" " * 20_000_001)
    (place / "large.dat").write_bytes(b" " * 10_000_001)
    (place / "fine.txt").write_text("1")
    one = collect.read_submitted(place, "ada")
    assert one.files == {"fine.txt": b"1"}
    assert sorted(one.notes) == [
        "folder is a link", "hw1.ipynb is a link", "large.dat is larger than 10 MB",
        "large.ipynb is larger than 20 MB", "pipe.txt is not a regular file",
    ]  # fmt: skip
    came = plain().mark([one])["ada"]
    assert came.scores == {"p1": 0.0, "p2": 0.0, "why": 0.0}
    assert "hw1.ipynb is missing" in came.notes


def test_too_many_or_too_much_is_ignored_and_said(tmp_path):
    for number in range(collect.MOST_FILES + 1):
        (tmp_path / f"{number}.txt").write_text("x")
    assert len(collect.read_submitted(tmp_path, "ada").files) == collect.MOST_FILES
    for number in range(4):
        (tmp_path / f"0{number}.dat").write_bytes(b" " * 9_000_000)
    one = collect.read_submitted(tmp_path, "ada")
    assert sum(map(len, one.files.values())) <= collect.TOTAL
    assert any("makes the submission too large" in note for note in one.notes)


def test_a_renamed_notebook_is_taken_and_said():
    for name in (
        "hw1 (1).ipynb",
        "hw1_ada_lovelace.ipynb",
        "HW1-final.ipynb",
        "solution.ipynb",
        "hw1-2.ipynb",
    ):
        one = collect.Handed("ada", {name: nbformat.writes(good()).encode()})
        collect.named(one, ["hw1"])
        assert list(one.files) == ["hw1.ipynb"]
        assert one.notes == [f"{name} was taken as hw1.ipynb"]
    one = collect.Handed("ada", {"hw1.ipynb": b"1", "hw1 (1).ipynb": b"2"})
    collect.named(one, ["hw1"])
    assert one.files == {"hw1.ipynb": b"1"}
    assert one.notes == ["hw1 (1).ipynb is no notebook of this assignment and was ignored"]


def test_data_files_reach_the_student_and_no_notebook_does():
    nb = good()
    nb.cells.append(
        new_code_cell("import os\nprint(sorted(os.listdir('.')), open('in/a.txt').read())")
    )
    one = plain().handed("ada", nb)
    one.files |= {"in/a.txt": b"seven", "hw9.ipynb": b"{}"}
    assert "['in'] seven" in plain().mark([one])["ada"].text
