"""The report of a class: a page, and a table in the terminal."""

import datetime
import functools
import statistics as numbers
from collections import defaultdict
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from proctor.collect import Unusable
from proctor.report import paper, pictures
from proctor.report.anonymous import bare
from proctor.report.classroom import Classroom, classroom, ungradable
from proctor.report.ledger import Ledger
from proctor.report.likeness import Pair, pairs
from proctor.report.statistics import Figures, Misconception, Need, figures, misconceptions, persons

SHOWN = 6  # wrong messages of an exercise
IN_THE_TERMINAL = 5  # misconceptions
HEADS = (
    "exercise", "mean", "of", "untouched", "time limit", "with the rest", "most frequent message",
)  # fmt: skip


def report(
    course: Path, name: str, names: bool = False, out: Path | None = None, book: str = ""
) -> int:
    """Write the page and show the table; 1 when one is not graded, lost a score, or could not be read."""
    ledger = Ledger(course)
    try:
        book = paper.checked(book or address(ledger))
        room = classroom(ledger, name)
    finally:
        ledger.close()
    place = out or course / "_grading" / "report" / f"{name}.html"
    if place.is_dir():
        raise Unusable(f"--out is {place}, a folder; expected the name of a page")
    made, held, waiting = figures(room), misconceptions(room), persons(room)
    totals = [pupil.handed.total for pupil in room.pupils]
    reasons: dict[str, list[str]] = defaultdict(list)
    for who, need in waiting.items():
        reasons[need.why].append(who)
    text = paper.page(
        "report.html", name=name, names=names, totals=totals, most=room.sheet.most,
        mean=numbers.fmean(totals), median=numbers.median(totals), notes=notes(room, waiting),
        misconceptions=held, told=any(question.sentences for question in room.questions),
        histogram=pictures.histogram(totals, room.sheet.most), figures=made, bar=pictures.bar,
        outcome=pictures.outcome, most_shown=SHOWN, persons=waiting, reasons=reasons,
        pairs=pairs(room), shown=functools.partial(passages, room), link=functools.partial(paper.reading, book=book),
        places={
            work.message.read: work.message.place for pupil in room.pupils for work in pupil.works.values()
        },
        today=datetime.date.today().isoformat(),
    )  # fmt: skip
    paper.write(place, text)
    table(made, held, len(totals))
    if waiting:
        whose = f": {', '.join(waiting)}" if names else ""
        print(f"{len(waiting)} of {len(totals)} submissions need a person{whose}")
    if room.ungraded:
        print(
            f"{len(room.ungraded)} more were handed in and are not graded yet: proctor grade {name}"
        )
    print(f"The report is in {place}")
    return int(bool(room.ungraded) or any(need.lost for need in waiting.values()))


def passages(room: Classroom, pair: Pair) -> list[str]:
    """What both have, as each wrote it, without its author."""
    handed = room.sheet.submissions
    return [bare(text, handed[who]) for who, text in zip(pair.students, pair.passages, strict=True)]


def address(ledger: Ledger) -> str:
    """The book's address, as nbgrader_config.py says it: `c.Proctor.book`."""
    return str(ledger.config.get("Proctor", {}).get("book", ""))


def notes(room: Classroom, waiting: dict[str, Need]) -> list[str]:
    """What must be known before the numbers are read."""
    said = []
    total = len(room.pupils)
    if waiting:
        said.append(
            f"{len(waiting)} of {total} submissions are not wholly graded yet: their missing points count as 0 "
            "in the totals, and not at all in the exercise's mean."
        )
    if room.ungraded:
        said.append(f"{len(room.ungraded)} more were handed in and are not graded yet.")
    if total < 10:
        said.append(f"{total} submissions are few: shares and correlations say little.")
    if any(pupil.handed.journal.get("unsafe") for pupil in room.pupils):
        said.append("Some were graded with --unsafe: their code could change its own mark.")
    broken: dict[str, int] = defaultdict(int)
    for pupil in room.pupils:
        for note in pupil.notes:
            if ungradable(note):
                broken[note] += 1
    said += [
        f"{count} handed in a file that could not be graded: {note}."
        for note, count in broken.items()
    ]
    return said


def table(made: list[Figures], held: list[Misconception], total: int) -> None:
    """The exercises and the misconceptions, in the terminal."""
    shown = Table(title_justify="left", box=None, pad_edge=False)
    for head in HEADS:
        shown.add_column(head, justify="left" if head in (HEADS[0], HEADS[-1]) else "right")
    for one in made:
        first = one.wrong[0] if one.wrong else None
        shown.add_row(
            one.question.name, paper.number(one.mean), paper.number(one.question.points),
            paper.percent(one.untouched / total), str(len(one.late) or ""),
            paper.number(one.discrimination), escape(f"{first.count} × {first.says}") if first else "",
        )  # fmt: skip
    console = Console(width=None if Console().is_terminal else 160)
    console.print(shown)
    for one in held[:IN_THE_TERMINAL]:
        console.print(
            escape(f"{one.count} ({paper.percent(one.share)}) {one.exercise}: {one.sentence}")
        )
