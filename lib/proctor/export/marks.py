"""What each student gets in each assignment, as the instructor has decided it.

The gradebook says the points, a person's own scores, extensions and what was taken off for being late. What it has no
place for stands in a file of decisions, `_grading/decisions.csv`: student, assignment (or `all`), decision, value,
reason; a decision is `excused`, or `points` with the points that count whatever was graded.
"""

import csv
import io
from dataclasses import dataclass, field
from pathlib import Path

from proctor.collect import Unusable, read_regular
from proctor.report.ledger import Sheet, Submission

DECISIONS = "_grading/decisions.csv"
COLUMNS = {"student", "assignment", "decision"}


@dataclass
class Result:
    """One student's result in one assignment."""

    status: str  # graded · waits · excused · decided · not handed in
    points: float | None = None  # what counts; None: nothing yet
    parts: dict[str, float | None] = field(default_factory=dict)
    penalty: float = 0.0
    late: float = 0.0  # days after the student's own date
    extension: float = 0.0  # days
    reason: str = ""


@dataclass
class Note:
    """Something to say of a file; whether a person should look at it."""

    text: str
    matters: bool = True


@dataclass
class Decision:
    """What an instructor decided about one student."""

    row: int
    student: str
    assignment: str
    points: float | None  # None: excused
    reason: str = ""


def decisions(
    course: Path, path: Path | None, names: list[str], students: set[str]
) -> list[Decision]:
    """The decisions, each checked: who it is about must be known."""
    place = path or course / DECISIONS
    if path is None and not place.exists():
        return []
    raw, why = read_regular(place, 5_000_000)
    if why:
        raise Unusable(f"--decisions: {place} {why}")
    try:
        rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unusable(f"--decisions: {place} is no CSV in UTF-8: {error}") from None
    made: dict[tuple[str, str], Decision] = {}
    for number, row in enumerate(rows, 2):
        where = f"--decisions: {place}, row {number}"
        if COLUMNS - row.keys():
            lacks = ", ".join(sorted(COLUMNS - row.keys()))
            raise Unusable(
                f"{where}: no column {lacks}; expected student, assignment, decision, value, reason"
            )
        cells = {
            key: (row[key] or "").strip() for key in row if key in {*COLUMNS, "value", "reason"}
        }
        one = decision(where, number, cells)
        if one.student not in students:
            raise Unusable(
                f"{where}: nobody is called {one.student!r} in the gradebook or the roster"
            )
        if one.assignment not in {"all", *names}:
            raise Unusable(
                f"{where}: no assignment {one.assignment!r}; there are {', '.join(names)}"
            )
        twice = made.get((one.student, one.assignment))
        if twice:
            raise Unusable(
                f"{where}: row {twice.row} has already decided about {one.student} and {one.assignment}"
            )
        made[one.student, one.assignment] = one
    return list(made.values())


def decision(where: str, number: int, row: dict[str, str]) -> Decision:
    """One row of the decisions."""
    about = number, row["student"], row["assignment"]
    reason = row.get("reason", "")
    if row["decision"] == "excused":
        return Decision(*about, None, reason)
    if row["decision"] != "points":
        raise Unusable(f"{where}: decision is {row['decision']!r}, expected excused or points")
    try:
        points = float(row.get("value", ""))
    except ValueError:
        points = -1.0
    if not 0 <= points < 1e6:
        raise Unusable(f"{where}: value is {row.get('value', '')!r}, expected points, 0 or more")
    return Decision(*about, points, reason)


def result(sheet: Sheet, one: Submission | None, decided: Decision | None) -> Result:
    """What counts."""
    made = Result("not handed in")
    if one is not None:
        waits = bool(one.waits)
        made = Result(
            "waits" if waits else "graded", None if waits else one.total,
            {key: one.marks[key].score if key in one.marks else None for key in sheet.points},
            one.penalty, sheet.late(one),
            one.extension.total_seconds() / 86400 if one.extension else 0.0,
        )  # fmt: skip
    if decided is not None:
        made.status = "excused" if decided.points is None else "decided"
        made.points, made.reason = decided.points, decided.reason
    return made


def results(
    sheets: list[Sheet], decided: list[Decision], students: list[str]
) -> dict[str, dict[str, Result]]:
    """Each student's results, by assignment."""
    known = {(one.student, one.assignment): one for one in decided}
    return {
        who: {
            sheet.name: result(
                sheet, sheet.submissions.get(who),
                known.get((who, sheet.name)) or known.get((who, "all")),
            )
            for sheet in sheets
        }
        for who in students
    }  # fmt: skip


def total(
    sheets: list[Sheet], mine: dict[str, Result], drop: int
) -> tuple[float | None, float, list[str]]:
    """The sum over all assignments, what it is out of, and which were dropped: the lowest shares.

    What is excused is not counted at all; what was not handed in is 0; nothing is summed while something waits.
    """
    counted = [
        (sheet, mine[sheet.name]) for sheet in sheets if mine[sheet.name].status != "excused"
    ]
    if any(one.status == "waits" for _, one in counted):
        return None, sum(sheet.most for sheet, _ in counted), []
    shares = sorted(
        ((one.points or 0.0) / sheet.most if sheet.most else 1.0, sheet.name)
        for sheet, one in counted
    )
    dropped = [name for _, name in shares[: min(drop, max(0, len(shares) - 1))]]
    kept = [(sheet, one) for sheet, one in counted if sheet.name not in dropped]
    return sum(one.points or 0.0 for _, one in kept), sum(sheet.most for sheet, _ in kept), dropped
