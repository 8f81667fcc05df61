"""Marks for a spreadsheet, for Canvas, for Moodle."""

from dataclasses import dataclass, field
from pathlib import Path

from proctor.collect import Unusable
from proctor.export import canvas, cells, moodle, plain
from proctor.export.marks import Note, Result, decisions, results
from proctor.export.roster import Person, Roster, read
from proctor.feedback.release import ROSTER
from proctor.report.ledger import Ledger, Sheet, Submission


@dataclass
class Orders:
    """What the command line asks for."""

    names: list[str]
    to: str = "csv"
    roster: Path | None = None
    decisions: Path | None = None
    drop: int = 0
    zero: bool = False  # who handed in nothing has 0
    columns: list[str] = field(default_factory=list)  # NAME=TITLE
    out: Path | None = None


def export(course: Path, orders: Orders) -> int:
    """Write the file; 1 when somebody or something is left out of it."""
    ledger = Ledger(course)
    try:
        names = orders.names or ledger.names
        if not names:
            raise Unusable("the gradebook holds nothing that was handed in: grade first")
        sheets = [ledger.sheet(name) for name in dict.fromkeys(names)]
        known = ledger.names
        ungraded = {sheet.name: ledger.ungraded(sheet) for sheet in sheets}
    finally:
        ledger.close()
    if orders.drop < 0 or (orders.drop and orders.to != "csv"):
        raise Unusable(
            f"--drop-lowest {orders.drop} with --to {orders.to}: expected 0 or more, and csv: Canvas and Moodle drop "
            "the lowest by rules of their own, from all marks"
        )
    place = orders.roster or course / ROSTER
    if orders.to != "csv" and orders.roster is None:
        raise Unusable(
            f"--to {orders.to} needs --roster FILE, as {orders.to.capitalize()} exports it"
        )
    roster = read(place) if orders.roster or place.exists() else None
    everyone = students(sheets)
    tests = [who for who, one in everyone.items() if roster and roster.is_test(one)]
    everyone = {who: one for who, one in everyone.items() if who not in tests}
    whose, said = matched(roster, everyone) if roster else ({}, [])
    who = listed(everyone, roster, whose)
    made = results(sheets, decisions(course, orders.decisions, known, set(who)), list(who))
    if orders.zero:
        absent(made)
    whose = {row: name for row, name in whose.items() if name}
    told = said + left_out(sheets, made)
    told += [
        Note(f"{name}: {len(names)} handed in and are not graded yet: {', '.join(names)}")
        for name, names in ungraded.items() if names
    ]  # fmt: skip
    told += [Note(f"{who} is Canvas's test student, and was left out", False) for who in tests]
    called = "-".join(names) if orders.names else "all"
    target = orders.out or course / "_grading/export" / f"{called}-{orders.to}.csv"
    if orders.to == "csv":
        cells.write(target, plain.rows(sheets, who, made, orders.drop), mark=True)
    elif roster is not None:
        titles = dict(pair(text, known) for text in orders.columns)
        rows, more = (
            canvas.rows(roster, sheets, made, whose, titles) if orders.to == "canvas"
            else moodle.rows(roster, sheets, made, whose)
        )  # fmt: skip
        cells.write(target, rows)
        told += more
    for note in told:
        print(note.text)
    print(f"{len(who)} students, {len(sheets)} assignments, in {target}")
    return int(any(note.matters for note in told))


def pair(text: str, known: list[str]) -> tuple[str, str]:
    """NAME=TITLE."""
    name, equals, title = text.partition("=")
    if not equals or name not in known:
        raise Unusable(
            f"--column is {text!r}, expected NAME=TITLE with an assignment of {', '.join(known)}"
        )
    return name, title


def students(sheets: list[Sheet]) -> dict[str, Submission]:
    """Everyone who handed in anything."""
    found: dict[str, Submission] = {}
    for sheet in sheets:
        for who, one in sheet.submissions.items():
            found.setdefault(who, one)
    return dict(sorted(found.items()))


def matched(roster: Roster, everyone: dict[str, Submission]) -> tuple[dict[int, str], list[Note]]:
    """The student of each row of the roster, nobody where two claim it; and who has no row."""
    rows: dict[int, list[str]] = {}
    people: dict[int, Person] = {}
    said = []
    for who, one in everyone.items():
        person = roster.find(one)
        if person is None:
            said.append(Note(f"{who} handed in and is not in {roster.path.name}"))
        else:
            rows.setdefault(person.row, []).append(who)
            people[person.row] = person
    for row, names in rows.items():
        if len(names) > 1:
            said.append(Note(
                f"row {row} of {roster.path.name} ({people[row].label}) is {' and also '.join(names)} in the "
                "gradebook: neither was exported; take one away"
            ))  # fmt: skip
    return {row: names[0] if len(names) == 1 else "" for row, names in rows.items()}, said


def listed(
    everyone: dict[str, Submission], roster: Roster | None, whose: dict[int, str]
) -> dict[str, tuple[Submission | None, Person | None]]:
    """Everyone in the gradebook, and everyone in the roster who handed in nothing."""
    people = {one.row: one for one in roster.people} if roster else {}
    rows = {who: row for row, who in whose.items()}
    found: dict[str, tuple[Submission | None, Person | None]] = {
        who: (one, people.get(rows.get(who, -1))) for who, one in everyone.items()
    }
    for row, person in people.items():
        if row not in whose and roster is not None:
            name = roster.called(person)
            found.setdefault(name, (None, person))
            whose.setdefault(row, name)
    return found


def absent(made: dict[str, dict[str, Result]]) -> None:
    """Who handed in nothing has 0 points."""
    for mine in made.values():
        for one in mine.values():
            if one.status == "not handed in":
                one.points = 0.0


def left_out(sheets: list[Sheet], made: dict[str, dict[str, Result]]) -> list[Note]:
    """What has no mark yet, and why."""
    said = []
    for sheet in sheets:
        waits = [who for who in made if made[who][sheet.name].status == "waits"]
        nothing = [who for who in made if made[who][sheet.name].status == "not handed in"]
        if waits:
            words = f"{len(waits)} are not wholly graded, and have no mark: {', '.join(waits)}"
            said.append(Note(f"{sheet.name}: {words}"))
        if nothing:
            points = "0 points" if made[nothing[0]][sheet.name].points is not None else "no mark"
            words = f"{len(nothing)} handed in nothing, and have {points}: {', '.join(nothing)}"
            said.append(Note(f"{sheet.name}: {words}", matters=False))
    return said
