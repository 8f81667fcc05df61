"""Who is in the course: Canvas's gradebook export, Moodle's worksheet or list of participants, or a plain CSV.

A plain roster has a column `id`, the student's name in nbgrader's gradebook, and what else is known: `first_name`,
`last_name`, `email`, `section`, `group`, `lms_user_id`.
"""

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from proctor.collect import Unusable, read_regular
from proctor.report.ledger import Submission

LARGEST = 20_000_000
COLUMNS = {
    "first": ("first_name", "first name", "firstname"),
    "last": ("last_name", "last name", "lastname", "surname"),
    "name": ("student", "full name", "name"),
    "email": ("email", "email address"),
    "section": ("section", "sections"),
    "group": ("group", "groups"),
}
# what a student is known by, the surest first
IDENTITIES = {
    "canvas": ("id", "sis user id", "sis login id"),
    "worksheet": ("identifier", "email address"),
    "participants": ("username", "id number", "email address"),
    "plain": ("id", "student_id", "username", "lms_user_id", "email"),
}
NUMBERED = re.compile(r".+-(\d+)")  # how `collect` names whom Canvas or Moodle numbers


@dataclass
class Person:
    """One row of a roster."""

    row: int  # of the file, as a spreadsheet counts
    cells: dict[str, str]  # by the file's own header
    identities: dict[str, str]  # by column
    first: str = ""
    last: str = ""
    name: str = ""
    email: str = ""
    sections: set[str] = field(default_factory=set)
    group: str = ""

    @property
    def label(self) -> str:
        """What a message calls the row."""
        return self.name or f"{self.first} {self.last}".strip() or self.email or f"row {self.row}"


@dataclass
class Roster:
    """Everybody in the course."""

    path: Path
    kind: str
    header: list[str]
    people: list[Person]
    above: list[list[str]]  # Canvas's rows that are no students: points possible, posting policies
    tests: list[Person]  # Canvas's test student
    between: str = ","
    keys: dict[str, Person] = field(default_factory=dict)

    def is_test(self, one: Submission) -> bool:
        """Whether this is the student that Canvas makes for trying things out."""
        known = {value.casefold() for test in self.tests for value in test.identities.values()}
        return any(name.casefold() in known for name in names_of(one))

    def find(self, one: Submission) -> Person | None:
        """The row of a student of the gradebook."""
        tries = names_of(one)
        return next(
            (self.keys[t.casefold()] for t in tries if t and t.casefold() in self.keys), None
        )

    def called(self, person: Person) -> str:
        """A short name for somebody who is in no gradebook: what people type, rather than a number."""
        known = list(person.identities.values())
        numbers_first = self.kind in ("canvas", "worksheet")
        return (known[-1] if numbers_first else known[0]) if known else person.label


def names_of(one: Submission) -> list[str]:
    """What a student of the gradebook may be called in a roster, the surest first."""
    numbered = NUMBERED.fullmatch(one.student)
    every = [one.student, one.lms, one.email, numbered[1] if numbered else ""]
    return [name for name in every if name]


def kind_of(header: list[str]) -> str:
    """Which program wrote a roster."""
    words = {word.casefold() for word in header}
    if header[:1] == ["Student"] and "id" in words and "section" in words:
        return "canvas"
    if {"identifier", "grade"} <= words:
        return "worksheet"
    if "email address" in words or {"username", "first name"} <= words:
        return "participants"
    return "plain" if words & {"id", "student_id", "username"} else ""


def rows_of(path: Path) -> tuple[list[tuple[int, list[str]]], str]:
    """The numbered rows of a CSV, with commas, semicolons or tabs between cells; empty ones left out."""
    raw, why = read_regular(path, LARGEST)
    if why:
        raise Unusable(f"--roster: {path} {why}")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Unusable(f"--roster: {path} is not UTF-8 text; save it as “CSV UTF-8”") from None
    first = text.split("\n", 1)[0]
    between = max(",;\t", key=first.count)
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=between, strict=True))
    except csv.Error as error:
        raise Unusable(f"--roster: {path} is no CSV: {error}") from None
    numbered = enumerate(rows, 1)
    return [(at, row) for at, row in numbered if any(cell.strip() for cell in row)], between


def read(path: Path) -> Roster:
    """A roster; raises where it is none, or holds somebody twice."""
    rows, between = rows_of(path)
    header = [cell.strip() for cell in rows[0][1]] if rows else []
    kind = kind_of(header)
    if not kind:
        raise Unusable(
            f"--roster: {path} has the columns {', '.join(header[:6]) or 'none'}; expected a column `id`, or a file "
            "as Canvas (Student, ID, …, Section) or Moodle (Identifier, …, Grade; or Email address, …) exports it"
        )
    twice = sorted({column for column in header if column and header.count(column) > 1})
    if twice:
        raise Unusable(f"--roster: {path} has two columns that are called {twice[0]!r}")
    roster = Roster(path, kind, header, [], [], [], between)
    for number, row in rows[1:]:
        if kind == "canvas" and no_student(row):
            roster.above.append(row)
            continue
        one = person(number, dict(zip(header, [*row, *[""] * len(header)], strict=False)), kind)
        (roster.tests if kind == "canvas" and is_test(one) else roster.people).append(one)
    if not roster.people:
        raise Unusable(f"--roster: {path} names no student")
    roster.keys = keys(roster)
    return roster


def no_student(row: list[str]) -> bool:
    """Canvas's rows of points and of posting policies."""
    return "Points Possible" in row[0] or all(
        re.fullmatch(r"\s*(Muted|Manual Posting.*)?\s*", cell, re.I) for cell in row
    )


def is_test(one: Person) -> bool:
    """Canvas's “Student, Test”, which every course with a student view has."""
    return one.name in ("Student, Test", "Test Student") and not one.identities.get("sis user id")


def person(number: int, cells: dict[str, str], kind: str) -> Person:
    """One row, with what is known of the student."""
    words = {column.casefold(): cell.strip() for column, cell in cells.items()}

    def cell(columns: Iterable[str]) -> str:
        return next((words[column] for column in columns if words.get(column)), "")

    known = {column: words[column] for column in IDENTITIES[kind] if words.get(column)}
    about = {part: cell(columns) for part, columns in COLUMNS.items() if part != "section"}
    if kind == "canvas" and "," in about["name"]:
        about["last"], _, about["first"] = (part.strip() for part in about["name"].partition(","))
    sections = {
        part.strip() for part in re.split(r",|;| and ", cell(COLUMNS["section"])) if part.strip()
    }
    return Person(number, cells, known, sections=sections, **about)


def keys(roster: Roster) -> dict[str, Person]:
    """Everything that means one student, and one only; a student who is there twice is refused."""
    claims: dict[str, list[Person]] = defaultdict(list)
    for one in roster.people:
        names = set()
        for column, value in one.identities.items():
            names.add(value)
            if column == "identifier":
                names.add(re.sub(r"\D+", "", value))
            if "@" in value:
                names.add(value.partition("@")[0])
        for name in {name.casefold() for name in names if name}:
            claims[name].append(one)
    for column in (c for c in IDENTITIES[roster.kind] if c != "email"):  # two may share one
        seen: dict[str, Person] = {}
        for one in roster.people:
            value = one.identities.get(column, "").casefold()
            if value and value in seen:
                raise Unusable(
                    f"--roster: {roster.path} has a student twice: rows {seen[value].row} and {one.row} "
                    f"have the same {column} {value!r}"
                )
            seen[value] = one
    return {name: people[0] for name, people in claims.items() if len(people) == 1}
