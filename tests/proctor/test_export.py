"""Exported marks arrive: in a spreadsheet, in Canvas, in Moodle, whoever the students are and whatever was decided."""

import csv
import io
import shutil
import sqlite3

import pytest
from hypothesis import given
from hypothesis import strategies as st

from proctor.__main__ import main
from proctor.export import cells
from tests.proctor import gradebooks
from tests.proctor.lms import CanvasCourse, moodle_grades, moodle_worksheet

pytestmark = pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")

HEBREW = "שלום, “עולם”"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Two assignments and six students, each with a story."""
    folder = gradebooks.course_at(tmp_path_factory.mktemp("export") / "course")
    with gradebooks.book_of(folder) as book:
        gradebooks.assignment(book, "hw1", {"relu": 5, "softmax": 5}, {"why": 10})
        gradebooks.assignment(book, "hw2", {"conv": 10})
        for name, last in {"ada": "Lovelace", "ben": "=cmd|' /C calc'!A0", "cleo": HEBREW}.items():
            scores = {"relu": 5.0, "softmax": 2.5, "why": 10.0}
            gradebooks.hand_in(book, "hw1", name, scores, last_name=last, first_name="X")
            gradebooks.hand_in(book, "hw2", name, {"conv": 4}, last_name=last)
        right = {"relu": 5.0, "softmax": 5.0, "why": 10.0}
        gradebooks.hand_in(book, "hw1", "dan", right, late=3, penalty=2.5, extension=1)
        ones = {"relu": 1.0, "softmax": 1.0, "why": 1.0}
        gradebooks.hand_in(book, "hw1", "eve", ones, manual={"relu": 4.25})
        gradebooks.hand_in(book, "hw1", "fay", right | {"why": None})
    return folder


@pytest.fixture
def course(written, tmp_path, monkeypatch):
    """A copy to export from."""
    folder = shutil.copytree(written, tmp_path / "course")
    monkeypatch.chdir(folder)
    return folder


def to_canvas(course, title):
    """What exports hw1 into a column of Canvas's own file."""
    file = roster(course, CANVAS)
    return ["hw1", "--to", "canvas", "--roster", file, "--column", f"hw1={title}"]


def exported(path, encoding="utf-8-sig"):
    return list(csv.DictReader(io.StringIO(path.read_bytes().decode(encoding), newline="")))


def rows_of(course, *words, rc=0, name="all-csv.csv"):
    assert main(["export", *words]) == rc
    return {row["student"]: row for row in exported(course / "_grading/export" / name)}


def roster(course, text, name="roster.csv"):
    path = course / name
    path.write_bytes(text.encode("utf-8-sig"))
    return str(path)


CANVAS = """Student,ID,SIS User ID,SIS Login ID,Section,Homework 1 (77),Old (78),Final Score
,,,,,Manual Posting,,
    Points Possible,,,,,20,10,(read only)
"Lovelace, Ada",101,S1,ada,One,,3,50
"=cmd|' /C calc'!A0, Ben",102,S2,ben,One,1,3,50
"{hebrew}",103,S3,cleo,Two,,3,50
"Dan, D ""Double"" D",104,S4,dan,Two and Evening,,3,50
"Eve, E",105,S5,eve,Two,,3,50
"Fay, F",106,S6,fay,Two,7,3,50
"Nobody, N",107,S7,nobody,Two,9,3,50
"Student, Test",199,,8f2c1f0e,One,5,5,50
""".replace("{hebrew}", HEBREW.replace('"', '""'))


def in_canvas():
    names = {
        100 + n: ("?", f"S{n}", who)
        for n, who in enumerate("ada ben cleo dan eve fay nobody".split(), 1)
    }
    return CanvasCourse(names | {199: ("Student, Test", "", "8f2c1f0e")}, {77: ("Homework 1", 20.0), 78: ("Old", 10.0)},
                        {(106, "Homework 1"): "7", (107, "Homework 1"): "9", (199, "Homework 1"): "5"})  # fmt: skip


def test_a_spreadsheet_gets_the_points_of_every_exercise_and_what_was_decided(course, capsys):
    rows = rows_of(course, rc=1)
    assert rows["ada"]["hw1.relu"] == "5"
    assert rows["ada"]["hw1.softmax"] == "2.5"
    assert rows["ada"]["hw1.points"] == "17.5"
    assert rows["ada"]["hw1.of"] == "20"
    assert rows["ada"]["total"] == "21.5"
    assert rows["ada"]["total_of"] == "30"
    late = rows["dan"]
    assert [late[f"hw1.{c}"] for c in ("late_days", "extension_days", "penalty", "points")] == [
        "2",
        "1",
        "2.5",
        "17.5",
    ]
    assert late["hw2.status"] == "not handed in"
    assert late["hw2.points"] == ""
    assert rows["eve"]["hw1.relu"] == "4.25"  # a person's score, not the machine's
    assert rows["eve"]["hw1.points"] == "6.25"
    assert rows["fay"]["hw1.status"] == "waits"
    assert rows["fay"]["hw1.points"] == rows["fay"]["total"] == ""
    said = capsys.readouterr().out
    assert "hw1: 1 are not wholly graded, and have no mark: fay" in said
    assert "hw2: 3 handed in nothing, and have no mark: dan, eve, fay" in said


def test_a_penalty_takes_no_more_than_there_is(course):
    with gradebooks.book_of(course) as book:
        gradebooks.hand_in(book, "hw2", "gus", {"conv": 3}, late=9, penalty=5)
    assert rows_of(course, "hw2", name="hw2-csv.csv")["gus"]["points"] == "0"


def test_a_name_is_no_formula_and_a_hebrew_one_is_as_it_was(course):
    rows = rows_of(course, "hw2", name="hw2-csv.csv")
    assert rows["ben"]["last_name"] == "'=cmd|' /C calc'!A0"
    assert rows["cleo"]["last_name"] == HEBREW
    raw = (course / "_grading/export/hw2-csv.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", " =1", "＝1", "\u202e=1", "=cmd|'/C calc'!A0", "-x"],
)  # fmt: skip
def test_what_a_spreadsheet_would_run_becomes_text(text):
    assert cells.safe(text).startswith("'")


@pytest.mark.parametrize(
    "text", ["", "-", "-1.5", "3", "Ada", 'O\'Neill, "Al"', "a=b", "عمر", "x@y.org"]
)
def test_what_is_harmless_stays_as_it_was(text):
    assert cells.safe(text) == text


@given(st.text(max_size=30))
def test_no_cell_is_a_formula_and_no_letter_is_lost(text):
    made = cells.safe(text)
    assert not cells.dangerous(made)
    assert [c for c in made if c.isalnum()] == [c for c in text if c.isalnum()]
    row = next(csv.reader(io.StringIO(_line(made), newline="")), [""])
    assert row == [made] or not made


def _line(cell):
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow([cell])
    return text.getvalue()


@pytest.mark.parametrize(
    ("value", "text"), [(None, ""), (0.0, "0"), (10.0, "10"), (2.5, "2.5"), (1 / 3, "0.33"), (123456.5, "123456.5")]
)  # fmt: skip
def test_a_number_keeps_its_digits(value, text):
    assert cells.number(value) == text


def test_excused_dropped_and_decided_come_out_as_the_instructor_set_them(course):
    (course / "_grading/decisions.csv").write_text(
        "student,assignment,decision,value,reason\n"
        "ada,hw1,excused,,ill\nben,hw2,points,9,looked at again\neve,all,excused,,left\n"
    )
    rows = rows_of(course, "--drop-lowest", "1", "--zero", rc=1)
    ada, ben, eve, dan = (rows[who] for who in ("ada", "ben", "eve", "dan"))
    assert ada["hw1.status"] == "excused"
    assert ada["hw1.points"] == ""
    assert (ada["total"], ada["total_of"], ada["dropped"]) == (
        "4",
        "10",
        "",
    )  # the last one is kept
    assert (ben["hw2.points"], ben["hw2.status"], ben["hw2.reason"]) == (
        "9",
        "decided",
        "looked at again",
    )
    assert (ben["total"], ben["dropped"]) == ("9", "hw1")  # 17.5 of 20 is the lower share
    assert eve["total_of"] == "0"
    assert (dan["total"], dan["dropped"]) == ("17.5", "hw2")  # 0 of 10, with --zero


@pytest.mark.parametrize(("text", "words"), [
    ("who,what\nada,x\n", "no column assignment, decision, student"),
    ("student,assignment,decision,value\nzoe,hw1,excused,\n", "row 2: nobody is called 'zoe'"),
    ("student,assignment,decision,value\nada,hw9,excused,\n", "no assignment 'hw9'; there are hw1, hw2"),
    ("student,assignment,decision,value\nada,hw1,forgiven,\n", "decision is 'forgiven', expected excused or points"),
    ("student,assignment,decision,value\nada,hw1,points,many\n", "value is 'many', expected points"),
    ("student,assignment,decision,value\nada,hw1,points,nan\n", "value is 'nan', expected points"),
    ("student,assignment,decision,value\nada,hw1,points,3\nada,hw1,excused,\n", "row 2 has already decided"),
])  # fmt: skip
def test_a_decision_that_cannot_be_is_refused_in_one_line(course, capsys, text, words):
    (course / "_grading/decisions.csv").write_text(text)
    assert main(["export"]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_canvas_reads_back_what_was_sent(course, capsys):
    (course / "_grading/decisions.csv").write_text(
        "student,assignment,decision,value,reason\neve,hw1,excused,,ill\n"
    )
    assert main(["export", *to_canvas(course, "Homework 1 (77)")]) == 1  # fay waits
    text = (course / "_grading/export/hw1-canvas.csv").read_text(encoding="utf-8")
    canvas = in_canvas()
    canvas.load(text)
    marks = {who: grade for (who, title), grade in canvas.grades.items() if title == "Homework 1"}
    assert marks == {
        101: "17.5", 102: "17.5", 103: "17.5", 104: "17.5", 105: "EX",
        106: "7",  # waits for a person: Canvas keeps what it had
        107: "9",  # handed in nothing: an empty cell would have taken the grade away
        199: "5",  # the test student is not in the file
    }  # fmt: skip
    assert canvas.assignments == {77: ("Homework 1", 20.0), 78: ("Old", 10.0)}
    assert canvas.made == []
    assert "Student, Test" not in text
    assert "'=cmd" in text
    assert HEBREW in text.replace('""', '"')
    assert "hw1: 1 handed in nothing, and have no mark: nobody" in capsys.readouterr().out


def test_canvas_gets_the_points_on_its_own_scale_and_is_told_of_a_new_assignment(course, capsys):
    text = CANVAS.replace("Points Possible,,,,,20", "Points Possible,,,,,100")
    words = [
        "export",
        "hw1",
        "hw2",
        "--to",
        "canvas",
        "--roster",
        roster(course, text),
        "--column",
        "hw1=Homework 1 (77)",
    ]
    assert main(words) == 1
    canvas = in_canvas()
    canvas.load((course / "_grading/export/hw1-hw2-canvas.csv").read_text(encoding="utf-8"))
    assert canvas.grades[101, "Homework 1"] == "87.5"
    assert canvas.grades[101, "hw2"] == "4"
    assert canvas.made == ["hw2"]
    said = capsys.readouterr().out
    assert "hw1 is worth 20 here and 100 in Canvas: the marks were scaled" in said
    assert "hw2 is no column of roster.csv: Canvas will ask to make a new assignment" in said


def test_a_title_with_a_formula_quotes_commas_and_hebrew_arrives_by_its_number(course):
    title = f'=cmd, ""x"" {HEBREW} (77)'
    words = ["--column", f"hw1={title.replace(chr(34) * 2, chr(34))}"]
    text = CANVAS.replace("Homework 1 (77)", f'"{title}"')
    assert main(["export", "hw1", "--to", "canvas", "--roster", roster(course, text), *words]) == 1
    made = (course / "_grading/export/hw1-canvas.csv").read_text(encoding="utf-8")
    canvas = in_canvas()
    canvas.load(made)
    assert canvas.grades[101, "Homework 1"] == "17.5"
    header = next(csv.reader(io.StringIO(made)))
    assert header[-1] == "'" + title.replace('""', '"')


def test_a_title_finds_its_column_without_being_named(course):
    text = CANVAS.replace("Homework 1 (77)", "HW1 (77)")
    main(["export", "hw1", "--to", "canvas", "--roster", roster(course, text)])
    header = (course / "_grading/export/hw1-canvas.csv").read_text().splitlines()[0]
    assert header == "Student,ID,SIS User ID,SIS Login ID,Section,HW1 (77)"


def test_a_student_who_is_not_in_the_roster_is_named_and_one_whom_canvas_could_not_find(
    course, capsys
):
    text = CANVAS.replace('"Eve, E",105,S5,eve', '"Eve, E",105,S5,evelyn').replace(
        "106,S6,fay", ",=S6,"
    )
    assert main(["export", "hw2", "--to", "canvas", "--roster", roster(course, text)]) == 1
    assert "row 9 (Fay, F) was left out: Canvas would look for '=S6'" in capsys.readouterr().out
    assert main(["export", "hw1", "--to", "canvas", "--roster", roster(course, text)]) == 1
    assert "eve handed in and is not in roster.csv" in capsys.readouterr().out


def test_canvas_numbers_its_downloads_and_they_are_found(course):
    """`collect` names a student of Canvas's download by name and number."""
    with gradebooks.book_of(course) as book:
        gradebooks.hand_in(book, "hw2", "nobodyn-107", {"conv": 8})
    words = ["export", "hw2", "--to", "canvas", "--roster", roster(course, CANVAS)]
    assert main(words) == 0
    canvas = in_canvas()
    canvas.load((course / "_grading/export/hw2-canvas.csv").read_text(encoding="utf-8"))
    assert canvas.grades[107, "hw2"] == "8"


def test_canvas_test_student_is_left_out_wherever_it_comes_from(course, capsys):
    with gradebooks.book_of(course) as book:
        gradebooks.hand_in(book, "hw2", "studenttest-199", {"conv": 8})
    assert main(["export", "hw2", "--to", "canvas", "--roster", roster(course, CANVAS)]) == 0
    assert "studenttest-199 is Canvas's test student, and was left out" in capsys.readouterr().out
    assert "199" not in (course / "_grading/export/hw2-canvas.csv").read_text(encoding="utf-8")


def test_a_name_that_two_in_the_roster_share_finds_neither(course, capsys):
    text = "First name,Last name,Email address\nAda,L,ada@one.org\nAda,M,ada@two.org\nBen,B,ben@one.org\n"
    assert main(["export", "hw2", "--to", "moodle", "--roster", roster(course, text)]) == 1
    said = capsys.readouterr().out
    assert "ada handed in and is not in roster.csv" in said
    assert "ben handed in" not in said


def test_two_who_are_one_in_the_roster_are_not_exported(course, capsys):
    with gradebooks.book_of(course) as book:
        gradebooks.hand_in(book, "hw2", "lovelaceada-101", {"conv": 8})
    assert main(["export", "hw2", "--to", "canvas", "--roster", roster(course, CANVAS)]) == 1
    assert (
        "(Lovelace, Ada) is ada and also lovelaceada-101 in the gradebook"
        in capsys.readouterr().out
    )
    canvas = in_canvas()
    canvas.load((course / "_grading/export/hw2-canvas.csv").read_text(encoding="utf-8"))
    assert canvas.grades[101, "hw2"] == ""


WORKSHEET = (
    "Identifier,Full name,Email address,Status,Group,Grade,Maximum grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    'Participant 11,Ada Lovelace,ada@example.org,Submitted,Red,,20.00,Yes,"Monday, 1 January 2030, 9:00 AM",-,\n'
    "Participant 12,=HYPERLINK(),ben@example.org,Submitted,,,20.00,Yes,-,-,\n"
    f'Participant 13,"{HEBREW}",cleo@example.org,Submitted,,3.00,20.00,No,-,-,\n'
    "Participant 14,Dan D,dan@example.org,Submitted,,,20.00,Yes,-,-,\n"
    "Participant 15,Eve E,eve@example.org,Submitted,Blue,,20.00,Yes,-,-,\n"
    "Participant 16,Fay F,fay@example.org,Submitted,,,20.00,Yes,-,-,\n"
    "Participant 17,Gus G,gus@example.org,No submission,Red,,20.00,Yes,-,-,\n"
    "Participant 18,Hal H,hal@example.org,Submitted,Blue,,20.00,Yes,-,-,\n"
)


def test_moodle_reads_back_its_worksheet_with_groups_and_locked_grades(course, capsys):
    with gradebooks.book_of(course) as book:
        gradebooks.hand_in(book, "hw1", "hal-h-18", {"relu": 5, "softmax": 5, "why": 9})
    assert main(["export", "hw1", "--to", "moodle", "--roster", roster(course, WORKSHEET)]) == 1
    text = (course / "_grading/export/hw1-moodle.csv").read_text(encoding="utf-8")
    assert moodle_worksheet(text) == {
        11: "17.5", 17: "17.5",  # Gus's group handed in together
        12: "17.5", 13: "3.00",  # locked
        14: "17.5",
    }  # fmt: skip
    said = capsys.readouterr().out
    assert "group Blue handed in with different marks (Eve E 6.25, Hal H 19)" in said
    assert f"row 4 ({HEBREW}): Moodle has locked the grade" in said
    assert "'=HYPERLINK()" in text
    assert HEBREW in text.replace('""', '"')
    header = text.splitlines()[0]
    assert header == WORKSHEET.splitlines()[0]


def test_moodle_gets_the_points_on_its_own_scale(course, capsys):
    text = WORKSHEET.replace("20.00", "100.00")
    main(["export", "hw1", "--to", "moodle", "--roster", roster(course, text)])
    made = moodle_worksheet((course / "_grading/export/hw1-moodle.csv").read_text(encoding="utf-8"))
    assert made[11] == "87.5"
    assert (
        "hw1 is worth 20 here and 100 in Moodle: the marks were scaled" in capsys.readouterr().out
    )


def test_moodle_reads_back_marks_for_its_gradebook(course, capsys):
    text = (
        "First name,Last name,ID number,Email address,Groups\nAda,Lovelace,1,ada@example.org,A\n"
        "Ben,B,=2,ben@example.org,A\nCleo,C,,cleo@example.org,A\nDan,D,4,dan@example.org,\n"
        "Eve,E,5,eve@example.org,\nFay,F,6,fay@example.org,\n"
    )
    assert main(["export", "--to", "moodle", "--roster", roster(course, text)]) == 1
    read = moodle_grades(
        (course / "_grading/export/all-moodle.csv").read_text(encoding="utf-8"), "Email address"
    )
    assert read["ben@example.org"] == {"hw1": "17.5", "hw2": "4"}
    assert read["fay@example.org"] == {"hw1": "", "hw2": ""}
    capsys.readouterr()
    assert main(["export", "--to", "moodle", "--roster", roster(course, WORKSHEET)]) == 2
    assert "is the worksheet of one assignment, and 2 are exported" in capsys.readouterr().err


@pytest.mark.parametrize(("text", "words"), [
    ("", "has the columns none"),
    ("name;mark\nada;3\n", "has the columns name, mark; expected a column `id`"),
    ("id,email\n", "names no student"),
    ("id,email\nada,a@b\nben,\nada,c@d\n", "has a student twice: rows 2 and 4 have the same id 'ada'"),
    (CANVAS + '"Twin, T",101,S9,twin,One,,,\n', "rows 4 and 12 have the same id '101'"),
    (WORKSHEET + WORKSHEET.splitlines()[1] + "\n", "rows 2 and 10 have the same identifier 'participant 11'"),
    ('id,email\n"ada,a@b\n', "is no CSV"),
])  # fmt: skip
def test_a_roster_that_is_none_is_refused_in_one_line(course, capsys, text, words):
    assert main(["export", "--roster", roster(course, text)]) == 2
    said = capsys.readouterr().err
    assert words in said
    assert said.count("\n") == 1


def test_the_wrong_roster_for_a_format_says_which_one_it_wants(course, capsys):
    plain = roster(course, "id,section\nada,One\n", "plain.csv")
    for words, said in (
        (["--to", "canvas"], "--to canvas needs --roster FILE, as Canvas exports it"),
        (["--to", "canvas", "--roster", plain], "is not Canvas's gradebook export"),
        (["--to", "moodle", "--roster", plain], "comes from neither Moodle's assignment"),
        (["--to", "canvas", "--roster", "nowhere.csv"], "nowhere.csv cannot be read"),
        (["hw9"], "the gradebook knows no assignment 'hw9'; it knows: hw1, hw2"),
        (["--drop-lowest", "-1"], "--drop-lowest -1"),
        (to_canvas(course, "Nothing"), "has no such column"),
    ):
        assert main(["export", *words]) == 2, words
        assert said in capsys.readouterr().err


def test_a_roster_in_another_encoding_says_how_to_save_it(course, capsys):
    (course / "latin.csv").write_bytes("id,last_name\nada,Müller\n".encode("latin-1"))
    assert main(["export", "--roster", str(course / "latin.csv")]) == 2
    assert "is not UTF-8 text; save it as “CSV UTF-8”" in capsys.readouterr().err


def test_a_gradebook_of_another_course_or_an_older_nbgrader_is_refused_and_left_as_it_was(
    course, capsys
):
    place = course / "_grading/gradebook.db"
    config = (course / "nbgrader_config.py").read_text()
    (course / "nbgrader_config.py").write_text(config.replace('"demo"', '"other"'))
    for words in (["export"], ["report", "hw1"], ["feedback", "hw1"]):
        assert main(words) == 2
        assert (
            "belongs to the course 'demo', and nbgrader_config.py names the course 'other'"
            in capsys.readouterr().err
        )
    (course / "nbgrader_config.py").write_text(config)
    with sqlite3.connect(place) as book:
        book.execute("update alembic_version set version_num = '167914646830'")
    before = place.read_bytes()
    for words in (["export"], ["report", "hw1"], ["feedback", "hw1"]):
        assert main(words) == 2
        assert "the gradebook's schema is 167914646830" in capsys.readouterr().err
    assert place.read_bytes() == before
    place.write_bytes(b"")
    assert main(["export"]) == 2
    assert "is no gradebook of nbgrader: it has no table" in capsys.readouterr().err
    place.unlink()
    assert main(["export"]) == 2
    assert "grade the class first" in capsys.readouterr().err
    assert not place.exists()
