"""The marks of a class: read from the gradebook, compared before they change, shown as a table."""

import csv
import sys
from dataclasses import dataclass
from pathlib import Path

from proctor.collect import Handed
from proctor.gradebook import Book
from proctor.workers import Result


@dataclass
class Row:
    """One student's line in the table."""

    student: str
    scores: dict[str, float | None]  # by cell; None: no score
    waits: list[str]  # cells that a person grades
    lost: list[str]  # cells that should have a score, and have none
    late: float  # points taken off
    total: float
    note: str


def needs_a_person(spec: dict, result: Result) -> bool:
    """Whether a test that should give a score gave none."""
    return any(
        graded["scores"].get(key) is None and cell["grade"] and not cell["solution"]
        for name, graded in result["notebooks"].items()
        for key, cell in spec["notebooks"][name]["cells"].items()
    )


def agreed(book: Book, held: list[tuple[Handed, Result]], sure: bool) -> bool:
    """Say whose marks would change; whether to write them."""
    changes = []
    for one, result in held:
        grades = book.scores(one.student)
        old = new = 0.0
        for graded in result["notebooks"].values():
            for key in graded["scores"]:
                grade = grades.get(key)
                person = grade.manual_score if grade is not None else None
                had = grade.auto_score if grade is not None else None
                old += person if person is not None else had or 0.0
                new += person if person is not None else graded["scores"][key] or 0.0
        if abs(new - old) > 1e-9:
            changes.append(f"  {one.student}: {old:g} → {new:g} ({new - old:+g})")
    print("\n".join([f"{len(changes)} of {len(held)} marks would change", *changes]))
    if not changes or sure:
        return True
    if not sys.stdin.isatty():
        print("nothing was written; --yes writes it")
        return False
    return input("Write these marks? [y/N] ").strip().lower() in ("y", "yes")


def row_of(book: Book, spec: dict, one: Handed, detail: dict, broken: str) -> Row:
    """One student's grades, as the gradebook has them."""
    grades = book.scores(one.student)
    scores: dict[str, float | None] = {}
    waits, lost = [], []
    for notebook in spec["notebooks"].values():
        for key, cell in notebook["cells"].items():
            if not (cell["grade"] or cell["task"]):
                continue
            grade = grades.get(key)
            score = None if grade is None else grade.manual_score
            score = grade.auto_score if score is None and grade is not None else score
            scores[key] = score
            if score is None and grade is not None and (cell["solution"] or cell["task"]):
                waits.append(key)
            elif score is None:
                lost.append(key)
    notes = list(detail.get("notes", one.notes))
    if broken:
        notes.insert(0, f"needs a person: {broken}")
    elif lost:
        notes.insert(0, f"needs a person: no score for {', '.join(lost)}")
    submission = book.gradebook.find_submission(book.name, one.student) if grades else None
    late = float(submission.late_submission_penalty or 0) if submission else 0.0
    total = round(float(submission.score or 0) - late, 2) if submission else 0.0
    return Row(
        one.student,
        scores,
        waits,
        lost or (["all"] if broken else []),
        late,
        total,
        "; ".join(notes),
    )


def show(rows: list[Row], spec: dict, place: Path, unsafe: bool) -> None:
    """The table of marks, on the screen and as CSV."""
    cells = {key: cell for n in spec["notebooks"].values() for key, cell in n["cells"].items()}
    keys = [key for key, cell in cells.items() if cell["grade"] or cell["task"]]
    most = sum(cells[key]["points"] for key in keys)
    head = ["student", *(key.removesuffix("-check") for key in keys), "late", "total", "of", "note"]
    lines = [head]
    for row in rows:
        marks = [
            "wait" if k in row.waits else "–" if row.scores[k] is None else f"{row.scores[k]:g}"
            for k in keys
        ]
        late = f"-{row.late:g}" if row.late else ""
        lines.append([row.student, *marks, late, f"{row.total:g}", f"{most:g}", row.note])
    place.parent.mkdir(parents=True, exist_ok=True)
    with place.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(lines)
    widths = [max(len(line[at]) for line in lines) for at in range(len(head) - 1)]
    for line in lines:
        print(
            "  ".join(
                [*(c.ljust(w) for c, w in zip(line, widths, strict=False)), line[-1]]
            ).rstrip()
        )
    print(f"{len(rows)} submissions; marks in {place}")
    waiting, lost = [r.student for r in rows if r.waits], [r.student for r in rows if r.lost]
    if waiting:
        print(f"{len(waiting)} wait to be graded by hand, in nbgrader's formgrader")
    if lost:
        print(f"{len(lost)} need a person: {', '.join(lost)}")
    if unsafe:
        print("UNSAFE: students' code ran with your rights; these marks can have been forged")
