"""Pages that teach a student and leak nothing, handed out to a section or after a date, and a list to mail them by."""

import csv
import datetime
import html
import re
import shutil

import nbformat
import pytest

from proctor import answers
from proctor.__main__ import main
from proctor.feedback.pages import WITHHELD, render, withheld
from proctor.report.classroom import classroom, secret_lines
from proctor.report.ledger import Ledger
from proctor.specification import HIDDEN
from tests.proctor import gradebooks
from tests.proctor.classes import copied, known, record
from tests.proctor.support import assignment

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")
ROSTER = "id,email,section\nada,ada@example.org,One\nben,ben@example.org,Two\n"
EVIL = "</code></pre><script>alert(1)</script><img src=x onerror=alert(2)><style>*{display:none}</style>"


def given(*keys):
    """Work: each answer as its student wrote it, and as it was marked."""
    return {known()[key].exercise: (known()[key].code, known()[key].code) for key in keys}


@pytest.fixture(scope="module")
def graded(small_course, tmp_path_factory):
    """Ada is right, Ben has misconceptions, Cleo left nearly everything, Eve writes markup."""
    course = copied(small_course, tmp_path_factory.mktemp("told") / "course")
    right = given("rms_pool right 0", "standardize right 0", "classify right 0")
    wrong = {
        "rms_pool": (
            "def rms_pool(x, size, stride=None, padding=0):\n    return mine",
            known()["padding_counts"].code,
        ),
        "standardize": ("# back\nrestore = None", known()["mean_first"].code),
        "classify": ("pass", known()["through_zero"].code),
    }
    evil = {
        "rms_pool": (f"# {EVIL}\nx = '''{EVIL}'''", known()["no_root"].code),
    }
    record(course, "small", {"ada": right, "ben": wrong, "cleo": {}, "eve": evil}, by_hand=4)
    return course


@pytest.fixture
def course(graded, tmp_path, monkeypatch):
    """A copy to hand out from."""
    folder = shutil.copytree(graded, tmp_path / "course")
    (folder / "roster.csv").write_text(ROSTER)
    monkeypatch.chdir(folder)
    return folder


def page_of(course, student):
    return course / "_grading/feedback" / student / "small/small.html"


def told(course, student, *words, rc=0):
    assert main(["feedback", "small", *words]) == rc
    return page_of(course, student).read_text(encoding="utf-8")


def words_of(text):
    """What a reader sees."""
    bare = re.sub(r"<style>.*?</style>|<[^>]+>", " ", text, flags=re.S)
    return " ".join(html.unescape(bare).split())


def test_a_page_says_the_points_what_came_what_was_expected_why_and_where_to_read(course):
    text = told(course, "ben", "--book", "https://example.org/etude/book/")
    seen = words_of(text)
    for words in (
        "small: your feedback", "11 of 20 points",
        "1 · Pooling that measures energy", "3 of 5 points", "a padded cell is no pixel did not pass",
        "what came", "expected", "likely The padding was counted: divide by the number of real pixels, not by size²",
        "There and back", "The mean was added before multiplying", "hidden test",
        "chapter “CNN layers”, section “Pooling”", "What you handed in", "return mine",
    ):  # fmt: skip
        assert words in seen, words
    assert 'href="https://example.org/etude/book/formulas/cnn_layers.html#pooling"' in text


def test_a_course_says_once_where_its_book_is(course):
    with (course / "nbgrader_config.py").open("a") as file:
        file.write('\nc.Proctor.book = "https://example.org/b"\n')
    assert 'href="https://example.org/b/formulas/cnn_layers.html#pooling"' in told(course, "ben")


def test_a_right_answer_gets_its_points_and_nothing_to_read(course):
    text = told(course, "ada")
    seen = words_of(text)
    assert "19 of 20 points" in seen
    assert seen.count("5 of 5 points") == 3
    assert "To read" not in seen
    assert "did not pass" not in seen


def test_what_was_left_untouched_is_said_without_failures(course):
    seen = words_of(told(course, "cleo"))
    assert seen.count("You left this one as it was") == 3
    assert "did not pass" not in seen


def test_no_line_of_a_hidden_test_stands_in_any_page(course):
    main(["feedback", "small"])
    hidden = secrets(course)
    assert len(hidden) > 60
    for student in ("ada", "ben", "cleo", "eve"):
        seen = words_of(page_of(course, student).read_text(encoding="utf-8"))
        flat = re.sub(r"\s", "", seen)
        assert [line for line in hidden if line in flat] == []


def secrets(course):
    """The lines of hidden blocks, squeezed; docstrings, names and sentences are said on purpose."""
    release = (course / "exercises/small/small.ipynb").read_text()
    found = set()
    for exercise in assignment("small").exercises:
        for block in HIDDEN.findall(exercise.check.source) if exercise.check else ():
            for line in block.splitlines():
                if (
                    len(line.strip()) > 11
                    and '"""' not in line
                    and "###" not in line
                    and "import" not in line
                ):
                    found.add(re.sub(r"\s", "", line))
    return {line for line in found if line not in re.sub(r"\s", "", release)}


def test_words_that_would_quote_a_hidden_test_are_withheld(course):
    ledger = Ledger(course)
    room = classroom(ledger, "small", ["ben"])
    ledger.close()
    line = next(one for one in sorted(room.secrets) if one.startswith("task.agree(rms_pool"))
    assert withheld(f"stolen: {line}", room.secrets) == WITHHELD
    assert withheld("shape (2, 3)", room.secrets) == "shape (2, 3)"
    room.pupils[0].works["rms_pool-check"].message.checks[1].lines["got"] = f"ValueError: {line}"
    room.pupils[0].works["rms_pool-check"].failures = [line]
    room.pupils[0].works["classify-check"].message.failure = f"NameError: {line}"
    room.pupils[0].notes = [line]
    text = render(room, room.pupils[0])
    assert line not in text.replace("&#39;", "'")
    assert text.count("withheld") == 4


def test_nothing_of_a_submission_is_markup(course):
    text = told(course, "eve")
    assert "<script" not in text
    assert (
        "onerror=alert(2)&gt;" in text.replace("<span", "").replace("</span>", "")
        or "&lt;img" in text
    )
    assert not re.search(r"<img|<iframe|<object|<embed|<link|javascript:", text)
    assert text.count("<style>") == 1
    assert "default-src 'none'" in text
    assert not re.search(r"""(?:src|href)=["'](?!#)""", text)


def test_a_page_goes_to_a_section_and_the_list_says_to_whom(course, capsys):
    assert main(["feedback", "small", "--section", "Two", "--roster", "roster.csv"]) == 0
    assert page_of(course, "ben").exists()
    assert not page_of(course, "ada").exists()
    with (course / "_grading/feedback/small-mail.csv").open(
        encoding="utf-8-sig", newline=""
    ) as file:
        (row,) = csv.DictReader(file)
    assert row["student"] == "ben"
    assert row["last_name"] == ""  # the gradebook knows none
    assert row["section"] == "Two"
    assert row["of"] == "20"
    assert (course / row["page"]).exists()
    capsys.readouterr()
    assert main(["feedback", "small", "--section", "Three", "--roster", "roster.csv"]) == 2
    assert "has the sections One, Two" in capsys.readouterr().err
    assert main(["feedback", "small", "--section", "Two"]) == 2
    assert "--section 'Two' needs to know who is in it: --roster FILE" in capsys.readouterr().err


def test_nothing_goes_out_before_its_date_and_an_older_page_is_taken_away(course, capsys):
    told(course, "ada")
    assert main(["feedback", "small", "--after", "2999-01-31T18:00+01:00"]) == 0
    assert "ada: held back until 2999-01-31 17:00 UTC" in capsys.readouterr().out
    assert not page_of(course, "ada").exists()
    told(course, "ada", "--after", "2020-01-31")
    told(course, "ada", "--after", "2999-01-31", "--now")
    assert main(["feedback", "small", "--after", "tomorrow"]) == 2
    assert "--after is 'tomorrow', expected a date such as" in capsys.readouterr().err


def test_who_has_an_extension_waits_for_its_end(course, capsys):
    with gradebooks.book_of(course, "etude") as book:
        book.find_assignment("small").duedate = datetime.datetime(2020, 1, 1)
        book.find_submission("small", "ada").extension = datetime.timedelta(days=365 * 500)
        book.db.commit()
    assert main(["feedback", "small"]) == 0
    assert "ada: held back until 25" in capsys.readouterr().out
    assert not page_of(course, "ada").exists()
    assert page_of(course, "ben").exists()
    assert main(["feedback", "small", "--student", "ada", "--after", "2021-01-01"]) == 0
    assert "ada: held back until 25" in capsys.readouterr().out  # the later of the two


def test_one_student_gets_a_page_and_a_stranger_is_named(course, capsys):
    told(course, "ben", "--student", "ben")
    assert not page_of(course, "ada").exists()
    assert main(["feedback", "small", "--student", "zoe"]) == 2
    assert "zoe: no row in the gradebook for small" in capsys.readouterr().err


def test_what_a_person_wrote_and_gave_is_on_the_page_and_what_waits_is_said(course, capsys):
    with gradebooks.book_of(course, "etude") as book:
        book.find_grade("rms_pool-check", "small", "small", "ben").manual_score = 4.5
        book.find_comment("explain", "small", "small", "ben").manual_comment = "Well put <b>!"
        book.find_grade("explain", "small", "small", "ada").auto_score = None
        book.db.commit()
    seen = words_of(told(course, "ben"))
    assert "4.5 of 5 points given by a person" in seen
    assert "A person wrote: Well put <b>!" in seen
    seen = words_of(page_of(course, "ada").read_text(encoding="utf-8"))
    assert "15 of 20 points so far" in seen
    assert "waits for a person, of 5 points" in seen
    assert "1 are not wholly graded yet, and their pages say so: ada" in capsys.readouterr().out


def test_a_name_keeps_its_direction_and_turns_nothing_else(course):
    with gradebooks.book_of(course, "etude") as book:
        book.update_or_create_student("ben", first_name="עדה", last_name="\u202eevil</bdi>")
    text = told(course, "ben")
    assert "<bdi>עדה evil&lt;/bdi&gt;</bdi>" in text
    assert "\u202e" not in text


def test_nbgraders_exchange_finds_what_it_needs_beside_the_page(course):
    (course / "_grading/autograded/ada/small/timestamp.txt").write_text("2030-01-01 12:00:00 UTC")
    (course / "_grading/autograded/ada/small/submission_secret.txt").write_text("s3cret")
    told(course, "ada")
    assert page_of(course, "ada").with_name("submission_secret.txt").read_text() == "s3cret"
    assert page_of(course, "ada").with_name("timestamp.txt").exists()


def test_every_misconception_of_the_assignment_reaches_its_page(graded):
    """Whatever the tests can diagnose is said in the page in the same words."""
    ledger = Ledger(graded)
    room = classroom(ledger, "small")
    ledger.close()
    keys = {one.key for one in answers.every(assignment("small")) if one.key}
    sentences = {key for question in room.questions for key in question.sentences}
    assert keys <= sentences
    assert secret_lines(room.sheet) == room.secrets


def test_a_notebook_of_plain_tests_leaks_no_traceback(tmp_path, monkeypatch):
    course = gradebooks.course_at(tmp_path / "plain")
    with gradebooks.book_of(course) as book:
        gradebooks.assignment(book, "hw1", {"relu": 4})
        cell = next(
            c for c in book.find_notebook("hw1", "hw1").source_cells if c.name == "relu-check"
        )
        cell.source = (
            "### BEGIN HIDDEN TESTS\nassert relu(-3) == secret_value_of_three\n### END HIDDEN TESTS"
        )
        gradebooks.hand_in(book, "hw1", "ada", {"relu": 0})
    folder = course / "_grading/autograded/ada/hw1"
    folder.mkdir(parents=True)
    answer, check = (
        nbformat.v4.new_code_cell(text)
        for text in ("def relu(x): return x", "secret_value_of_three")
    )
    answer.metadata["nbgrader"] = {"grade_id": "relu", "solution": True, "grade": False}
    check.metadata["nbgrader"] = {"grade_id": "relu-check", "solution": False, "grade": True}
    trace = ["----> 1 assert relu(-3) == secret_value_of_three"]
    check.outputs = [
        nbformat.v4.new_output("error", ename="AssertionError", evalue="", traceback=trace)
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=[answer, check]), folder / "hw1.ipynb")
    monkeypatch.chdir(course)
    assert main(["feedback", "hw1", "--now"]) == 0
    text = (course / "_grading/feedback/ada/hw1/hw1.html").read_text(encoding="utf-8")
    assert "secret_value_of_three" not in text
    assert "hidden test relu did not pass: AssertionError" in words_of(text)
    assert "defrelu(x):returnx" in re.sub(r"\s", "", words_of(text))


def test_a_score_that_is_lost_calls_a_person(course, capsys):
    with gradebooks.book_of(course, "etude") as book:
        book.find_grade("rms_pool-check", "small", "small", "ben").auto_score = None
        book.db.commit()
    assert main(["feedback", "small"]) == 1
    assert "ben needs a person: no score for rms_pool-check" in capsys.readouterr().out
    assert main(["feedback", "small", "--student", "ada"]) == 0
