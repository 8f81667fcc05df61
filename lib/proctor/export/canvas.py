"""The file that Canvas's gradebook imports: its own export, with the marks put in.

Canvas finds a student by `ID`, else by `SIS User ID`, else by `SIS Login ID`, and reads names only where all three
are empty, so a name may carry an apostrophe. It finds an assignment by the number behind its title, reads “Points
Possible” as its worth, and an empty cell as “take the grade away”: where there is nothing to say, the cell keeps what
Canvas had. `EX` excuses.
Source: the Canvas Instructor Guide, “How do I import grades in the Gradebook?”.
"""

import re

from proctor.collect import Unusable
from proctor.export import cells
from proctor.export.marks import Note, Result
from proctor.export.roster import IDENTITIES, Person, Roster
from proctor.report.ledger import Sheet

ABOUT = {
    "student", "id", "sis user id", "sis login id", "integration id", "root account", "section",
}  # fmt: skip
NUMBERED = re.compile(r"(?P<title>.*?)\s*\((?P<number>\d+)\)")
POINTS = "    Points Possible"


def column(roster: Roster, name: str, titles: dict[str, str]) -> str:
    """The assignment's column in Canvas's file: the one that was named, or one of the same title; else a new one."""
    wanted = titles.get(name, name)
    if wanted in roster.header:
        return wanted
    same = []
    for title in roster.header:
        found = NUMBERED.fullmatch(title)
        if (
            simple(found["title"] if found else title) == simple(wanted)
            and title.casefold() not in ABOUT
        ):
            same.append(title)
    if len(same) > 1:
        raise Unusable(
            f"--roster: {len(same)} columns are called {wanted!r}: {', '.join(same)}; choose with --column"
        )
    if not same and name in titles:
        raise Unusable(f"--column {name}={wanted}: {roster.path} has no such column")
    return same[0] if same else name


def simple(title: str) -> str:
    """A title as people compare it."""
    return re.sub(r"[\W_]+", " ", title).strip().casefold()


def worth(roster: Roster, title: str) -> float | None:
    """What Canvas thinks an assignment is worth; None where it does not know it."""
    for row in roster.above:
        if "Points Possible" in row[0] and title in roster.header:
            at = roster.header.index(title)
            text = row[at].strip() if at < len(row) else ""
            if "read only" in text:
                raise Unusable(
                    f"--roster: Canvas calculates the column {title!r} itself (read only)"
                )
            if cells.PLAIN_NUMBER.fullmatch(text) and float(text) > 0:
                return float(text)
    return None


def rows(
    roster: Roster, sheets: list[Sheet], results: dict[str, dict[str, Result]], whose: dict[int, str],
    titles: dict[str, str],
) -> tuple[list[list[str]], list[Note]]:  # fmt: skip
    """The file, and what a person should know of it; `whose` is the student of each row."""
    if roster.kind != "canvas":
        raise Unusable(
            f"--roster: {roster.path} is not Canvas's gradebook export (Student, ID, …, Section): Canvas imports "
            "marks by its own ids, and only its export has them"
        )
    columns = {sheet.name: column(roster, sheet.name, titles) for sheet in sheets}
    scales = {sheet.name: worth(roster, columns[sheet.name]) for sheet in sheets}
    said = [
        Note(f"{sheet.name} is worth {sheet.most:g} here and {scale:g} in Canvas: the marks were scaled", False)
        for sheet in sheets if (scale := scales[sheet.name]) and abs(scale - sheet.most) > 1e-9
    ]  # fmt: skip
    said += [
        Note(f"{sheet.name} is no column of {roster.path.name}: Canvas will ask to make a new assignment", False)
        for sheet in sheets if columns[sheet.name] not in roster.header
    ]  # fmt: skip
    about = [title for title in roster.header if title.casefold() in ABOUT]
    first = [POINTS, *[""] * (len(about) - 1)]
    most = [cells.number(scales[sheet.name] or sheet.most) for sheet in sheets]
    made = [
        [*about, *(cells.safe(columns[sheet.name]) for sheet in sheets)],
        [*first, *most],
    ]
    for person in roster.people:
        if fault := unsafe(person):
            said.append(Note(f"row {person.row} ({person.label}) was left out: {fault}"))
            continue
        mine = results.get(whose.get(person.row, ""), {})
        row = [cells.safe(person.cells[title].strip()) for title in about]
        for sheet in sheets:
            before = person.cells.get(columns[sheet.name], "").strip()
            row.append(mark(mine.get(sheet.name), scales[sheet.name], sheet.most, before))
        made.append(row)
    return made, said


def unsafe(person: Person) -> str:
    """Why Canvas could not find a student of a file that a spreadsheet may open."""
    known = [person.identities[c] for c in IDENTITIES["canvas"] if c in person.identities]
    if not known:
        return "it has no ID, SIS User ID or SIS Login ID"
    if cells.dangerous(known[0]):
        return f"Canvas would look for {known[0]!r}, which a spreadsheet takes for a formula"
    return ""


def mark(one: Result | None, scale: float | None, most: float, before: str) -> str:
    """A cell: the points as Canvas counts them, EX, or what stood there."""
    if one is not None and one.status == "excused":
        return "EX"
    if one is None or one.points is None:
        return before if not cells.dangerous(before) else ""
    return cells.number(one.points * scale / most if scale and most else one.points)
