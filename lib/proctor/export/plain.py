"""A CSV for a spreadsheet: the points of every exercise, and what was decided about each assignment."""

from collections.abc import Iterator

from proctor.export import cells
from proctor.export.marks import Result, total
from proctor.export.roster import Person
from proctor.report.ledger import Sheet, Submission

WHO = ["student", "last_name", "first_name", "email", "section"]
MORE = ["late_days", "extension_days", "penalty", "points", "of", "status", "reason"]


def head(sheets: list[Sheet], drop: int) -> list[str]:
    """The names of the columns; those of an assignment begin with it where there are several."""
    columns = list(WHO)
    for sheet in sheets:
        mine = [*(key.removesuffix("-check") for key in sheet.points), *MORE]
        columns += [f"{sheet.name}.{one}" if len(sheets) > 1 else one for one in mine]
    if len(sheets) > 1 or drop:
        columns += ["total", "total_of", *["dropped"] * bool(drop)]
    return [cells.safe(column) for column in columns]


def rows(
    sheets: list[Sheet], who: dict[str, tuple[Submission | None, Person | None]],
    results: dict[str, dict[str, Result]], drop: int,
) -> Iterator[list[str]]:  # fmt: skip
    """A row a student."""
    yield head(sheets, drop)
    for student, (one, person) in who.items():
        row = [cells.safe(word) for word in about(student, one, person)]
        for sheet in sheets:
            row += of(sheet, results[student][sheet.name])
        if len(sheets) > 1 or drop:
            points, most, dropped = total(sheets, results[student], drop)
            row += [cells.number(points), cells.number(most)]
            row += [cells.safe(", ".join(dropped))] * bool(drop)
        yield row


def about(student: str, one: Submission | None, person: Person | None) -> list[str]:
    """Who it is; the roster is asked before the gradebook."""
    last = (person.last if person else "") or (one.last if one else "")
    first = (person.first if person else "") or (one.first if one else "")
    email = (person.email if person else "") or (one.email if one else "")
    if person and not (last or first):
        last = person.name
    return [student, last, first, email, ", ".join(sorted(person.sections)) if person else ""]


def of(sheet: Sheet, one: Result) -> list[str]:
    """One assignment of one student."""
    return [
        *(cells.number(one.parts.get(key)) for key in sheet.points),
        *(cells.number(days) if days else "" for days in (one.late, one.extension, one.penalty)),
        cells.number(one.points), cells.number(sheet.most), one.status, cells.safe(one.reason),
    ]  # fmt: skip
