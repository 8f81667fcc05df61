"""The students' pages: what came, what was expected, what is likely, where to read. Hidden tests stay hidden.

A page is made from data, never from a notebook's HTML: a check appears by its name and its outcome, and whatever
would quote a hidden test is withheld. Everything of a submission is text; the page forbids scripts and requests.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from proctor.collect import Unusable, read_regular
from proctor.exercise import capitalized
from proctor.export import cells
from proctor.feedback.release import Terms
from proctor.reading import in_words
from proctor.report import paper
from proctor.report.classroom import Classroom, Pupil, classroom, ungradable
from proctor.report.ledger import Ledger
from proctor.report.show import address
from proctor.report.statistics import persons

WITHHELD = "(withheld: it would quote a hidden test)"
WORDS = {
    "call": "the call", "got": "what came", "expected": "expected", "likely": "likely",
    "rule": "the rule", "where": "where",
}  # fmt: skip
HEAD = ["student", "last_name", "first_name", "email", "section", "points", "of", "page", "note"]
# what nbgrader's exchange needs to hand a page to its student
EXCHANGE = ("timestamp.txt", "submission_secret.txt")


@dataclass
class Sent:
    """What became of one student's page."""

    pupil: Pupil
    page: str = ""  # relative to the course
    note: str = ""


def feedback(course: Path, name: str, students: list[str], terms: Terms, book: str = "") -> int:
    """A page for everyone who may see one; 1 when one is not graded, lost a score, or could not be read."""
    ledger = Ledger(course)
    try:
        book = paper.checked(book or address(ledger))
        room = classroom(ledger, name, students)
        form = functools.partial(ledger.directory.format_path, assignment_id=name)
        folders: dict[str, tuple[Path, Path]] = {
            pupil.id: (Path(form(ledger.directory.feedback_directory, pupil.id)),
                       Path(form(ledger.directory.autograded_directory, pupil.id)))
            for pupil in room.pupils
        }  # fmt: skip
    finally:
        ledger.close()
    chosen = [
        pupil for pupil in room.pupils
        if not terms.section or terms.section in terms.section_of(pupil.handed)
    ]  # fmt: skip
    if not chosen:
        raise Unusable(f"nobody in section {terms.section!r} handed in {name}")
    sent = [send(course, room, pupil, terms, book, *folders[pupil.id]) for pupil in chosen]
    place = course / "_grading" / "feedback" / f"{name}-mail.csv"
    cells.write(place, [HEAD, *(line(room, terms, one) for one in sent)], mark=True)
    say(sent, place, book)
    lost = {who: need.why for who, need in persons(room).items() if need.lost}
    for one in sent:
        if one.pupil.id in lost:
            print(f"{one.pupil.id} needs a person: {lost[one.pupil.id]}")
    if room.ungraded and not students:
        print(
            f"{len(room.ungraded)} are not graded yet, and have no page: {', '.join(room.ungraded)}"
        )
    waiting = bool(room.ungraded) and not students
    return int(waiting or any(one.pupil.id in lost for one in sent))


def send(
    course: Path, room: Classroom, pupil: Pupil, terms: Terms, book: str, folder: Path, graded: Path
) -> Sent:
    """Write one student's page, or take an older one away while it is not time yet."""
    places = [folder / f"{notebook}.html" for notebook in room.sheet.notebooks]
    if until := terms.until(room.sheet, pupil.handed):
        for place in places:
            place.unlink(missing_ok=True)
        return Sent(pupil, note=f"held back until {until:%Y-%m-%d %H:%M} UTC")
    folder.mkdir(parents=True, exist_ok=True)
    text = render(room, pupil, book)
    for place in places:  # nbgrader's exchange hands out a page for each notebook
        paper.write(place, text)
    for file in EXCHANGE:
        raw, why = read_regular(graded / file, 10_000)
        if not why:
            (folder / file).write_bytes(raw)
    waits = "not wholly graded yet" if pupil.handed.waits else ""
    page = places[0]
    return Sent(
        pupil, str(page.relative_to(course) if page.is_relative_to(course) else page), waits
    )


def render(room: Classroom, pupil: Pupil, book: str = "") -> str:
    """One student's page."""
    guard = functools.partial(withheld, secrets=room.secrets)
    one, sheet = pupil.handed, room.sheet
    parts: list[dict[str, Any]] = []
    for question in room.questions:
        work = pupil.works[question.key]
        checks = [] if work.untouched else [
            {
                "title": said.title, "sign": said.sign, "worth": said.worth, "needs": said.needs,
                "hidden": said.title in question.hidden,
                "lines": {WORDS[word]: guard(capitalized(text) if word == "likely" else text)
                          for word, text in said.lines.items()},
            }
            for said in work.message.checks
        ]  # fmt: skip
        parts.append({
            "question": question, "work": work, "checks": checks,
            "failure": "" if work.untouched else guard(work.message.failure),
            "hidden": bool(question.hidden & set(question.graded)),
            "failures": [] if work.untouched else [guard(one) for one in work.failures],
            "read": question.read,
            "place": work.message.place or in_words(question.read),
        })  # fmt: skip
    return paper.page(
        "feedback.html", name=sheet.name, student=f"{one.first} {one.last}".strip() or one.student,
        total=one.total, most=sheet.most, penalty=one.penalty, late=sheet.late(one),
        extended=bool(one.extension), waits=bool(one.waits), notes=[guard(note) for note in pupil.notes], parts=parts,
        link=functools.partial(paper.reading, book=book),
        nothing=any(map(ungradable, pupil.notes)),
    )  # fmt: skip


def withheld(text: str, secrets: set[str]) -> str:
    """The text, unless a line of a hidden test stands in it."""
    flat = re.sub(r"\s+", " ", text)
    return WITHHELD if any(secret in text or secret in flat for secret in secrets) else text


def line(room: Classroom, terms: Terms, sent: Sent) -> list[str]:
    """A student's row of the list that a mail merge reads."""
    one = sent.pupil.handed
    points = cells.number(one.total) if sent.page else ""
    sections = ", ".join(sorted(terms.section_of(one)))
    words = [one.student, one.last, one.first, one.email, sections]
    most = cells.number(room.sheet.most)
    return [*map(cells.safe, words), points, most, cells.safe(sent.page), cells.safe(sent.note)]


def say(sent: list[Sent], place: Path, book: str) -> None:
    """What was made and what was not."""
    made = [one for one in sent if one.page]
    held = [one for one in sent if not one.page]
    print(f"{len(made)} pages; the list for a mail merge is {place}")
    for one in held:
        print(f"{one.pupil.id}: {one.note}")
    if waits := [one.pupil.id for one in made if one.note]:
        print(f"{len(waits)} are not wholly graded yet, and their pages say so: {', '.join(waits)}")
    if made and not book:
        print(
            "no address of the book is known, so sections are named and not linked: --book ADDRESS"
        )
