"""The two files that Moodle imports: an assignment's grading worksheet, or marks for the gradebook.

The worksheet comes from the assignment itself (“Download grading worksheet”); Moodle finds a row by the number in
`Identifier`, needs `Grade` and `Last modified (grade)`, and reads no name. A list of participants becomes a file for
Grades, Import, CSV: one column to find the student by, one for each assignment.
Source: Moodle's documentation, “Offline grading worksheet” and “Grade import”.
"""

from collections import defaultdict

from proctor.collect import Unusable
from proctor.export import cells
from proctor.export.marks import Note, Result
from proctor.export.roster import IDENTITIES, Person, Roster
from proctor.report.ledger import Sheet

KEPT = {"Identifier", "Grade", "Last modified (grade)"}


def rows(
    roster: Roster,
    sheets: list[Sheet],
    results: dict[str, dict[str, Result]],
    whose: dict[int, str],
) -> tuple[list[list[str]], list[Note]]:
    """The file, and what a person should know of it."""
    if roster.kind == "worksheet":
        if len(sheets) != 1:
            raise Unusable(
                f"--roster: {roster.path} is the worksheet of one assignment, and {len(sheets)} are exported; "
                "name one, or give Moodle's list of participants"
            )
        return worksheet(roster, sheets[0], results, whose)
    if roster.kind != "participants":
        raise Unusable(
            f"--roster: {roster.path} comes from neither Moodle's assignment (Identifier, …, Grade) nor its list of "
            "participants (Email address, ID number or Username): Moodle needs one of them to find a student"
        )
    return gradebook(roster, sheets, results, whose)


def worksheet(
    roster: Roster, sheet: Sheet, results: dict[str, dict[str, Result]], whose: dict[int, str]
) -> tuple[list[list[str]], list[Note]]:
    """Moodle's own worksheet with the grades put in."""
    lacks = KEPT - set(roster.header)
    if lacks:
        raise Unusable(
            f"--roster: {roster.path} has no column {', '.join(sorted(lacks))}; Moodle needs it"
        )
    mine, said = of_groups(roster, sheet, results, whose)
    made, scaled = [list(roster.header)], set()
    for person in roster.people:
        one, grade = mine.get(person.row), person.cells["Grade"].strip()
        where = f"row {person.row} ({person.label})"
        locked = person.cells.get("Grade can be changed", "").strip().casefold() == "no"
        if one and one.points is not None and locked:
            said.append(Note(f"{where}: Moodle has locked the grade; it was left as it is"))
        elif one and one.points is not None:
            scale = worth(person, sheet.most)
            if abs(scale - sheet.most) > 1e-9:
                scaled.add(
                    f"{sheet.name} is worth {sheet.most:g} here and {scale:g} in Moodle: the marks were scaled"
                )
            grade = cells.number(one.points * scale / sheet.most if sheet.most else one.points)
        elif one and one.status == "excused":
            said.append(Note(f"{where} is excused: exclude the grade in Moodle's grader report"))
        if cells.dangerous(person.cells["Identifier"]):
            raise Unusable(
                f"--roster: {roster.path}, {where}: its Identifier is a formula, and none of Moodle's"
            )
        row = {column: cells.safe(person.cells[column]) for column in roster.header} | {
            # what Moodle reads
            "Identifier": person.cells["Identifier"],
            "Grade": harmless(grade),
            "Last modified (grade)": harmless(person.cells["Last modified (grade)"]),
        }
        made.append([row[column] for column in roster.header])
    return made, [*(Note(text, False) for text in sorted(scaled)), *said]


def worth(person: Person, most: float) -> float:
    """What Moodle counts at most, as the worksheet says it; else what we do."""
    for column in ("Maximum grade", "Maximum Grade"):
        text = person.cells.get(column, "").strip().replace(",", ".")
        if cells.PLAIN_NUMBER.fullmatch(text):
            return float(text)
    return most


def harmless(text: str) -> str:
    """A cell that Moodle reads, emptied where a spreadsheet would run it."""
    return "" if cells.dangerous(text) else text


def of_groups(
    roster: Roster, sheet: Sheet, results: dict[str, dict[str, Result]], whose: dict[int, str]
) -> tuple[dict[int, Result], list[Note]]:
    """Each row's result: where groups hand in together, one member's mark is everybody's."""
    mine = {row: results[who][sheet.name] for row, who in whose.items()}
    groups: dict[str, list[Person]] = defaultdict(list)
    for person in roster.people:
        if person.group:
            groups[person.group].append(person)
    said = []
    for group, people in groups.items():
        handed = {
            person.row: mine[person.row] for person in people
            if person.row in mine and mine[person.row].status in ("graded", "decided", "waits")
        }  # fmt: skip
        marks = {one.points for one in handed.values()}
        if len(marks) > 1:
            told = ", ".join(
                f"{person.label} {cells.number(handed[person.row].points) or 'waits'}"
                for person in people if person.row in handed
            )  # fmt: skip
            words = f"group {group} handed in with different marks ({told})"
            said.append(Note(f"{words}: no member's grade was changed"))
        for person in people:
            excused = person.row in mine and mine[person.row].status == "excused"
            if len(marks) > 1:
                mine.pop(person.row, None)
            elif handed and not excused:
                mine[person.row] = next(iter(handed.values()))
    return mine, said


def gradebook(
    roster: Roster,
    sheets: list[Sheet],
    results: dict[str, dict[str, Result]],
    whose: dict[int, str],
) -> tuple[list[list[str]], list[Note]]:
    """A file for Moodle's gradebook: whom, and the points.

    Its groups are those of the course, which need not be those that handed in together: those are the worksheet's.
    """
    titles = {column.casefold(): column for column in roster.header}
    keys = [column for column in IDENTITIES["participants"] if column in titles]
    usable = [column for column in keys if all(
        person.identities.get(column) and not cells.dangerous(person.identities[column])
        for person in roster.people if person.row in whose
    )]  # fmt: skip
    key = (usable or keys)[0]
    made = [[titles[key], "First name", "Last name", *(cells.safe(sheet.name) for sheet in sheets)]]
    said: list[Note] = []
    for person in roster.people:
        if person.row not in whose:
            continue
        value, where = person.identities.get(key, ""), f"row {person.row} ({person.label})"
        if not value or cells.dangerous(value):
            why = (
                f"its {key} {value!r} is a formula to a spreadsheet"
                if value
                else f"it has no {key}"
            )
            said.append(Note(f"{where} was left out: {why}"))
            continue
        mine = results[whose[person.row]]
        grades = []
        for sheet in sheets:
            one = mine[sheet.name]
            grades.append(cells.number(one.points))
            if one.status == "excused":
                said.append(Note(f"{where} is excused from {sheet.name}: exclude it in Moodle"))
        made.append([value, cells.safe(person.first), cells.safe(person.last), *grades])
    return made, said
