"""A class of 200 with planted misconceptions: the report finds them first, names nobody, and draws what it counts."""

import ast
import datetime
import os
import random
import re
import shutil
import subprocess
import sys
import time

import nbformat
import numpy as np
import pytest
from nbgrader.api import Gradebook
from scipy.stats import pointbiserialr

from proctor.__main__ import main
from proctor.report import likeness, statistics
from proctor.report.anonymous import anonymous, bare
from proctor.report.classroom import Classroom, Pupil, Question, Work, classroom
from proctor.report.ledger import Ledger, Sheet, Submission
from proctor.report.message import Message
from tests.proctor import gradebooks
from tests.proctor.classes import PLANTED, copied, known, renamed, small_class
from tests.proctor.pen.support import answer, by_hand, cell, check, write_course
from tests.proctor.support import assignment

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
SIZE = 200


@pytest.fixture(scope="module")
def planted(small_course, tmp_path_factory):
    """The class, and the answer that each of them gave."""
    course = copied(small_course, tmp_path_factory.mktemp("planted") / "course")
    return course, small_class(course, SIZE)


@pytest.fixture(scope="module")
def room(planted):
    ledger = Ledger(planted[0])
    yield classroom(ledger, "small")
    ledger.close()


def page(course, *words, rc=0):
    assert main(["report", "small", *words]) == rc
    return (course / "_grading/report/small.html").read_text(encoding="utf-8")


def test_the_planted_misconceptions_come_first_and_are_counted(planted, room):
    _, chosen = planted
    found = statistics.misconceptions(room)[: len(PLANTED)]
    sentences = {key: assignment_sentence(key) for key in PLANTED}
    counts = {key: sum(key in keys.values() for keys in chosen.values()) for key in PLANTED}
    assert [one.sentence.casefold() for one in found] == [
        sentences[key].casefold() for key in sorted(counts, key=lambda key: -counts[key])
    ]
    assert [one.count for one in found] == sorted(counts.values(), reverse=True)
    for key, one in zip(sorted(counts, key=lambda key: -counts[key]), found, strict=True):
        assert set(one.students) == {who for who, keys in chosen.items() if key in keys.values()}
        tried = sum(PLANTED[key][0] in keys for keys in chosen.values())
        assert one.share == pytest.approx(counts[key] / tried)


def assignment_sentence(key):
    return next(
        e.sentences[key] for e in assignment("small").exercises if e.check and key in e.sentences
    )


def test_the_most_frequent_message_of_each_exercise_is_the_planted_one_with_an_example(
    planted, room
):
    for one in statistics.figures(room):
        key = next((key for key, (where, _) in PLANTED.items() if where == one.question.name), None)
        if key:
            assert one.wrong[0].says.casefold() == assignment_sentence(key).casefold()
            had = sum(key in keys.values() for keys in planted[1].values())
            assert one.wrong[0].count == had  # once a student, however many checks say it
            assert {"got", "expected"} <= one.wrong[0].lines.keys()
            ast.parse(one.wrong[0].code)


def test_the_shares_are_those_of_the_class(planted, room):
    _, chosen = planted
    for one in statistics.figures(room):
        if not one.question.by_hand:
            blank = sum(one.question.name not in keys for keys in chosen.values())
            assert one.untouched == blank
            assert one.full + one.partial + one.none + one.untouched + one.waiting == SIZE


def test_discrimination_is_the_point_biserial_of_right_and_wrong_with_the_rest(room):
    """Where an exercise has only two marks, SciPy's own function says the same."""
    keys = [question.key for question in room.questions]
    scores = np.array([[pupil.works[key].score for key in keys] for pupil in room.pupils])
    for at, key in enumerate(keys):
        found = statistics.correlations(room)[key]
        if len(set(scores[:, at])) == 2:
            right = scores[:, at] == scores[:, at].max()
            expected = pointbiserialr(right, scores.sum(axis=1) - scores[:, at]).statistic
            assert found == pytest.approx(expected, abs=1e-12)
        elif found is not None:
            assert found == pytest.approx(
                np.corrcoef(scores[:, at], scores.sum(1) - scores[:, at])[0, 1], abs=1e-12
            )
    assert statistics.correlations(room)["explain"] is None  # everyone has the same


def test_the_pair_that_copied_is_found_though_every_name_was_changed(planted, room):
    found = likeness.pairs(room)
    assert found[0].students == ("s0005", "s0011")
    assert found[0].share > 0.9
    assert set(found[0].exercises) == {"rms_pool", "standardize", "classify"}
    assert all(one.share < found[0].share for one in found[1:])


def a_room(codes, released="def f(x):\n    raise NotImplementedError"):
    """A class of one exercise, made of nothing but code."""
    question = Question("f-check", "f", ["f-check"], ["f"], points=1.0, released=released)
    pupils = [
        Pupil(
            Submission(f"s{at:04}"), {"f-check": Work(1.0, False, code, False, Message(), [], [])}
        )
        for at, code in enumerate(codes)
    ]
    return Classroom(Sheet("hw", None, {}, set(), {}, ["hw"]), [question], pupils, {}, set())


def program(stream, lines=12):
    """A function that nobody else writes."""
    ops = ["+", "-", "*", "//", "%"]
    body = [
        f"    x = x {stream.choice(ops)} {stream.randint(2, 99)} {stream.choice(ops)} abs(x - {stream.randint(2, 99)})"
        for _ in range(lines)
    ]
    return "def f(x):\n" + "\n".join(body) + "\n    return x\n"


def test_what_the_release_gave_and_what_many_share_makes_no_pair():
    stream = random.Random(0)
    given = program(stream, 40)
    own = [program(stream, 6) for _ in range(30)]
    assert likeness.pairs(a_room([given + one for one in own], released=given)) == []
    assert likeness.pairs(a_room([given + one for one in own])) == []  # a handout that all have
    two_kept_it = [given + own[0], given + own[1], *own[2:]]
    assert likeness.pairs(a_room(two_kept_it, released=given)) == []
    assert len(likeness.pairs(a_room(two_kept_it))) == 1
    copied = [*own, own[7].replace("x", "value")]
    (pair,) = likeness.pairs(a_room([given + one for one in copied], released=given))
    assert pair.students == ("s0007", "s0030")
    assert pair.share == pytest.approx(1.0)
    mine, theirs = pair.passages
    assert mine.replace("x", "value") == theirs


def test_half_a_copy_counts_as_half_and_is_below_what_is_shown():
    stream = random.Random(1)
    one, other = program(stream, 20), program(stream, 20)
    tail = "\n".join(program(stream, 20).splitlines()[1:])
    codes = [program(stream) for _ in range(20)]
    assert likeness.pairs(a_room([*codes, one + tail, other + tail])) == []
    assert (
        len(likeness.pairs(a_room([*codes, one + tail, one + "\n".join(other.splitlines()[1:5])])))
        == 1
    )


def test_a_thousand_programs_are_compared_in_seconds():
    stream = random.Random(2)
    codes = [program(stream, 30) for _ in range(1000)]
    codes[500] = codes[17]
    start = time.process_time()
    (pair,) = likeness.pairs(a_room(codes))
    assert pair.students == ("s0017", "s0500")
    assert time.process_time() - start < 20  # 4 s where it was measured


def test_other_names_and_comments_change_no_token():
    code = known()["classify right 1"].code
    other = renamed("# mine\n" + code, random.Random(3))
    assert other != code
    assert likeness.tokens(other) == likeness.tokens(code)
    assert likeness.tokens("def f(x:\n") == ["def", "f", "(", "x", ":"]


def test_nobody_is_named_unless_it_is_asked_for(planted, monkeypatch, capsys):
    course, chosen = planted
    monkeypatch.chdir(course)
    text = page(course)
    said = capsys.readouterr().out
    assert not re.search(r"\bs0\d{3}\b", text + said)
    assert "No student is named." in text
    named = page(course, "--names")
    assert "<bdi>s0005</bdi> and <bdi>s0011</bdi>" in named
    assert "keep it to yourself" in named


def test_an_example_has_no_author():
    author = Submission("lovelace.ada", "Ada", "Lovelace", "ada@example.org")
    code = (
        "# by Ada Lovelace\ndef f(x):  # lovelace.ada\n    '''Lovelace's,\n    and lovelace.ada's'''\n"
        "    # a line that goes\n    return '#no comment', 'ada@example.org'\n"
    )
    assert bare(code, author) == (
        "def f(x):\n    '''someone's,\n    and someone's'''\n    return '#no comment', 'someone'"
    )
    assert bare("def f(:  # half\n", author) == "def f(:\n"
    assert anonymous("ValueError: LOVELACE was here", author) == "ValueError: someone was here"


def test_a_student_who_is_called_max_does_not_change_what_code_says():
    author = Submission("max", "Max", "Wert-Right")
    code = "def right(x):\n    return max(x, 'Wert-Right by max')"
    assert bare(code, author) == "def right(x):\n    return max(x, 'someone by someone')"
    assert anonymous("twice would be right", Submission("ada-right")) == "twice would be right"


def test_the_words_of_the_grader_are_never_taken_for_a_name(room):
    """The sentence of a misconception stays whole, whoever has it."""
    for pupil in room.pupils:
        pupil.handed.last = "Padding"
    try:
        assert any(
            "padding was counted" in one.says for f in statistics.figures(room) for one in f.wrong
        )
    finally:
        for pupil in room.pupils:
            pupil.handed.last = ""


def test_the_page_draws_what_it_counts_and_says_it_in_words(planted, monkeypatch):
    course, _ = planted
    monkeypatch.chdir(course)
    text = page(course, "--book", "https://example.org/book")
    pictures = re.findall(r"<svg class=\"(\w+)\" role=\"img\" aria-label=\"([^\"]+)\"", text)
    kinds = [kind for kind, _ in pictures]
    assert kinds.count("histogram") == 1
    assert kinds.count("bar") >= 4 + len(PLANTED)
    assert all(len(words) > 20 for _, words in pictures)
    assert 'href="https://example.org/book/formulas/cnn_layers.html#pooling"' in text
    assert "<script" not in text
    assert "src=" not in text
    assert re.search(r"\d+ have all 5 points, \d+ some, \d+ none; \d+ left it untouched", text)


def test_the_table_in_the_terminal_says_the_same(planted, monkeypatch, capsys):
    course, _ = planted
    monkeypatch.chdir(course)
    page(course)
    said = capsys.readouterr().out
    for word in (
        "exercise",
        "untouched",
        "with the rest",
        "rms_pool",
        "standardize",
        "classify",
        "explain",
    ):
        assert word in said
    assert re.search(r"\d+ \(\d+ %\) rms_pool: The padding was counted", said)


def test_two_hundred_take_a_few_seconds(planted, monkeypatch):
    course, _ = planted
    monkeypatch.chdir(course)
    start = time.process_time()
    page(course)
    assert time.process_time() - start < 6  # 1.3 s where it was measured


def test_a_bad_address_or_place_is_refused(planted, monkeypatch, capsys):
    course, _ = planted
    monkeypatch.chdir(course)
    for words, said in (
        (
            ["small", "--book", "javascript:alert(1)"],
            "--book is 'javascript:alert(1)', expected an address",
        ),
        (["small", "--out", str(course)], "a folder; expected the name of a page"),
        (["nothing"], "the gradebook knows no assignment 'nothing'; it knows: small"),
    ):
        assert main(["report", *words]) == 2
        assert said in capsys.readouterr().err


@pytest.fixture(scope="module")
def eight(tmp_path_factory):
    """Eight, of whom one waits, one has no score, one ran out of time, one left all untouched."""
    course = gradebooks.course_at(tmp_path_factory.mktemp("few") / "few")
    with gradebooks.book_of(course) as book:
        gradebooks.assignment(book, "hw1", {"relu": 4, "softmax": 4}, {"why": 4})
        for number in range(5):
            scores = {
                "relu": 4.0 * (number > 1),
                "softmax": 4.0 * (number > 2),
                "why": float(number),
            }
            gradebooks.hand_in(book, "hw1", f"s{number}", scores)
        nothing = {"relu": 0.0, "softmax": 0.0, "why": 0.0}
        gradebooks.hand_in(book, "hw1", "blank", nothing, untouched=("relu", "softmax", "why"))
        gradebooks.hand_in(book, "hw1", "waits", {"relu": 4, "softmax": 4, "why": None})
        gradebooks.hand_in(book, "hw1", "lost", {"relu": None, "softmax": 4, "why": 1})
    notebook(course, "s0", "TimeLimit", "this test ran longer than 60 s and was stopped")
    notebook(course, "s1", "AssertionError", "relu(-3) is -3")
    notebook(course, "blank", "NameError", "name 'relu' is not defined")
    notebook(course, "s2", "AssertionError", "relu(-7) is -7")
    return course


@pytest.fixture
def few(eight, tmp_path, monkeypatch):
    """A copy of them."""
    course = shutil.copytree(eight, tmp_path / "few")
    monkeypatch.chdir(course)
    return course


def notebook(course, student, name, words):
    folder = course / "_grading/autograded" / student / "hw1"
    folder.mkdir(parents=True)
    cells = []
    for key, code in {
        "relu": "def relu(x):\n    return x",
        "softmax": "",
        "why": "Because.",
    }.items():
        answer = (
            nbformat.v4.new_code_cell(code) if key != "why" else nbformat.v4.new_markdown_cell(code)
        )
        answer.metadata["nbgrader"] = {"grade_id": key, "solution": True, "grade": key == "why"}
        cells.append(answer)
        if key != "why":
            check = nbformat.v4.new_code_cell("assert True")
            check.metadata["nbgrader"] = {
                "grade_id": f"{key}-check",
                "grade": True,
                "solution": False,
            }
            check.outputs = [
                nbformat.v4.new_output("error", ename=name, evalue=words, traceback=[])
            ] * (key == "relu")
            cells.append(check)
    nbformat.write(nbformat.v4.new_notebook(cells=cells), folder / "hw1.ipynb")


def test_half_graded_is_said_and_a_person_is_asked(few, capsys):
    assert main(["report", "hw1"]) == 1
    text = (few / "_grading/report/hw1.html").read_text(encoding="utf-8")
    assert "2 of 8 submissions are not wholly graded yet" in text
    assert "1: no score for relu-check" in text
    assert "1: waits to be graded by hand: why" in text
    assert "2 of 8 submissions need a person" in capsys.readouterr().out
    assert "8 submissions are few" in text
    assert main(["report", "hw1", "--names"]) == 1
    assert "2 of 8 submissions need a person: lost, waits" in capsys.readouterr().out


def test_a_grading_that_ended_half_way_is_said_by_all_three(few, capsys):
    (few / "submitted/zoe/hw1").mkdir(parents=True)
    (few / "submitted/s1/hw1").mkdir(parents=True)
    for words, said in (
        (["report", "hw1"], "1 more were handed in and are not graded yet: proctor grade hw1"),
        (["feedback", "hw1", "--now"], "1 are not graded yet, and have no page: zoe"),
        (["export", "hw1"], "hw1: 1 handed in and are not graded yet: zoe"),
    ):
        assert main(words) == 1
        assert said in capsys.readouterr().out


def test_plain_tests_are_counted_by_their_words_and_a_time_limit_apart(few):
    ledger = Ledger(few)
    relu = statistics.figures(classroom(ledger, "hw1"))[0]
    ledger.close()
    assert [(one.says, one.count) for one in relu.wrong] == [
        ("AssertionError: relu(…) is …", 2), ("No answer within the time limit", 1),
    ]  # fmt: skip
    assert relu.late == ["s0"]


def test_a_graded_notebook_that_cannot_be_read_is_a_matter_for_a_person(few):
    path = few / "_grading/autograded/s1/hw1/hw1.ipynb"
    path.write_text("{")
    assert main(["report", "hw1", "--names"]) == 1
    assert "hw1.ipynb is no notebook (s1)" in (few / "_grading/report/hw1.html").read_text(
        encoding="utf-8"
    )
    path.unlink()
    path.symlink_to("/etc/hostname")
    assert main(["report", "hw1", "--names"]) == 1
    assert "hw1.ipynb is a link (s1)" in (few / "_grading/report/hw1.html").read_text(
        encoding="utf-8"
    )


def test_late_days_are_counted_from_the_students_own_date(few):
    with Gradebook(f"sqlite:///{few}/_grading/gradebook.db", "demo") as book:
        one = book.find_submission("hw1", "s3")
        one.extension, one.timestamp = (
            datetime.timedelta(days=2),
            gradebooks.DUE + datetime.timedelta(days=3),
        )
        book.db.commit()
    ledger = Ledger(few)
    sheet = ledger.sheet("hw1")
    ledger.close()
    assert sheet.late(sheet.submissions["s3"]) == 1
    assert sheet.late(sheet.submissions["s4"]) == 0


def test_two_notebooks_may_call_their_cells_the_same(tmp_path, monkeypatch):
    course = gradebooks.course_at(tmp_path / "two")
    with gradebooks.book_of(course) as book:
        book.add_assignment("hw1")
        for name, most in {"first": 1.0, "second": 2.0}.items():
            book.add_notebook(name, "hw1")
            book.add_grade_cell("t", name, "hw1", max_score=most, cell_type="code")
            book.add_source_cell("t", name, "hw1", cell_type="code", source="assert True")
        one = book.add_submission("hw1", "ada") if book.update_or_create_student("ada") else None
        for notebook in one.notebooks:
            (grade,) = notebook.grades
            grade.auto_score = 1.0 if notebook.name == "first" else 1.5
        book.db.commit()
    folder = course / "_grading/autograded/ada/hw1"
    folder.mkdir(parents=True)
    for name in ("first", "second"):
        check = nbformat.v4.new_code_cell("assert True")
        check.metadata["nbgrader"] = {"grade_id": "t", "grade": True, "solution": False}
        nbformat.write(nbformat.v4.new_notebook(cells=[check]), folder / f"{name}.ipynb")
    monkeypatch.chdir(course)
    ledger = Ledger(course)
    room = classroom(ledger, "hw1")
    ledger.close()
    assert room.sheet.points == {"first.t": 1.0, "second.t": 2.0}
    assert room.pupils[0].handed.total == 2.5
    assert [work.score for work in room.pupils[0].works.values()] == [1.0, 1.5]
    assert main(["feedback", "hw1"]) == 0
    assert sorted(p.name for p in (course / "_grading/feedback/ada/hw1").iterdir()) == [
        "first.html",
        "second.html",
    ]


@pytest.fixture(scope="module")
def stock(tmp_path_factory):
    """Three who were graded by nbgrader alone: right, wrong, and with a cell of no effect."""
    course = write_course(tmp_path_factory.mktemp("stock") / "course", [
        cell("## Doubling", kind="markdown"), answer("def double(x):\n    return 2 * x", "double"),
        check("assert double(4) == 8, f'double(4) is {double(4)}'  # secret_of_the_test", "double-check", 4),
        cell("## In words", kind="markdown"), by_hand("why"),
    ])  # fmt: skip
    environment = os.environ | {"PATH": f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"}

    def run(*words):
        command = [os.path.join(os.path.dirname(sys.executable), "nbgrader"), *words]
        done = subprocess.run(command, cwd=course, capture_output=True, text=True, env=environment)
        assert done.returncode == 0, done.stderr[-2000:]

    run("generate_assignment", "hw1", "--create", "--force")
    for student, code in {
        "ada": "def double(x):\n    return x + x",
        "ben": "def double(x):\n    return x",
        "cleo": "",
    }.items():
        nb = nbformat.read(course / "release/hw1/hw1.ipynb", 4)
        for one in nb.cells:
            key = one.metadata.get("nbgrader", {}).get("grade_id")
            one.source = (
                code
                if key == "double" and code
                else "Because."
                if key == "why" and code
                else one.source
            )
        (course / "submitted" / student / "hw1").mkdir(parents=True)
        nbformat.write(nb, course / "submitted" / student / "hw1/hw1.ipynb")
    run("autograde", "hw1", "--create")
    return course


def test_a_class_that_stock_nbgrader_graded_is_reported_and_told_as_far_as_its_data_go(
    stock, monkeypatch, capsys
):
    monkeypatch.chdir(stock)
    ledger = Ledger(stock)
    room = classroom(ledger, "hw1")
    ledger.close()
    doubling, why = statistics.figures(room)
    assert (doubling.question.title, doubling.question.points) == ("Doubling", 4)
    assert (doubling.full, doubling.none, doubling.untouched) == (1, 1, 1)
    assert doubling.wrong[0].says == "AssertionError: double(…) is …"
    assert (why.waiting, why.untouched) == (2, 1)
    assert main(["report", "hw1"]) == 0
    assert "2 of 3 submissions need a person" in capsys.readouterr().out
    assert main(["feedback", "hw1"]) == 0
    text = (stock / "feedback/ben/hw1/hw1.html").read_text(encoding="utf-8")
    assert "AssertionError: double(4) is 4" in text
    assert "hidden test" in text
    assert "secret_of_the_test" not in text
    assert main(["export", "hw1", "--zero"]) == 1
    assert "2 are not wholly graded" in capsys.readouterr().out
