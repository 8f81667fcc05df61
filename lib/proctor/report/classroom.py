"""A class as it met an assignment: its exercises in order, and each student's code, marks and messages in them."""

import ast
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from proctor.collect import Unusable
from proctor.exercise import Cell, Exercise
from proctor.report import message
from proctor.report.ledger import Ledger, Sheet, Submission
from proctor.report.message import Message
from proctor.report.notebooks import about, known, source_of
from proctor.specification import HIDDEN

UNCHANGED = "No response."  # nbgrader's comment on a cell that nobody filled
NO_NOTEBOOK = re.compile(r"\.ipynb (?:is missing|is not|is no|is empty|is a link|is larger)")
HEADING = re.compile(r"(?m)^##? +(.+)$")


@dataclass
class Question:
    """An exercise: its graded cells, its answer cells, and what its grader says of itself."""

    key: str  # the first graded cell
    title: str
    graded: list[str] = field(default_factory=list)
    answers: list[str] = field(default_factory=list)
    by_hand: bool = False
    points: float = 0.0
    read: str = ""
    sentences: dict[str, str] = field(default_factory=dict)
    hidden: set[str] = field(default_factory=set)  # the titles of hidden checks, or the cells
    released: str = ""  # what stood in the answer cells

    @property
    def name(self) -> str:
        """Its short name, as marks are listed."""
        return self.key.removesuffix("-check")


@dataclass
class Work:
    """What one student did in one exercise."""

    score: float | None
    by_person: bool
    code: str
    untouched: bool
    message: Message
    failures: list[str]  # errors of the student's own cells
    remarks: list[str]  # a person's comments
    text: bool = False  # prose, not code


@dataclass
class Pupil:
    """One student."""

    handed: Submission
    works: dict[str, Work] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The name in the gradebook."""
        return self.handed.student


@dataclass
class Classroom:
    """An assignment and everyone who handed it in."""

    sheet: Sheet
    questions: list[Question]
    pupils: list[Pupil]
    unread: dict[str, str]  # graded notebooks that could not be read, and why
    secrets: set[str]  # lines of hidden tests
    ungraded: list[str] = field(default_factory=list)  # handed in, and not graded yet


def ungradable(note: str) -> bool:
    """Whether the grader noticed that there was no notebook to grade."""
    return bool(NO_NOTEBOOK.search(note))


def questions(sheet: Sheet, cells: list[dict[str, Any]]) -> list[Question]:
    """The exercises, in the order of a notebook: answers, then what grades them."""
    made: list[Question] = []
    title, answers, fresh = "", [], False
    for cell in cells:
        grader, source = about(cell), source_of(cell)
        key = grader.get("grade_id", "")
        if cell.get("cell_type") == "markdown" and not grader and (found := HEADING.search(source)):
            title, answers, fresh = found[1].strip(), [], True
        if key in sheet.tasks:
            made.append(Question(key, title or key, [key], [key], True, sheet.points[key]))
        elif key in sheet.points:
            if fresh or answers or not made or made[-1].by_hand:
                made.append(Question(key, title or key.removesuffix("-check"), [], answers))
            made[-1].graded.append(key)
            made[-1].points += sheet.points[key]
            answers = []
        elif grader.get("solution"):
            answers = [*answers, key]
        fresh = fresh and key not in sheet.points
    titles = [one.title for one in made]
    for one in made:
        if titles.count(one.title) > 1:
            one.title = one.name
        describe(one, sheet)
    return made


def describe(question: Question, sheet: Sheet) -> None:
    """Add what stands in the sources of its cells."""
    question.released = "\n\n".join(sheet.sources.get(key, "") for key in question.answers)
    for key in () if question.by_hand else question.graded:
        source = sheet.sources.get(key, "")
        shown = HIDDEN.sub("", source)
        try:
            told, visible = (
                Exercise([], [], Cell("code", "", 1), Cell("code", text, 1))
                for text in (source, shown)
            )
            seen = {check.title for check in visible.checks}
            question.hidden |= {check.title for check in told.checks} - seen
            question.sentences |= told.sentences
            question.read = question.read or told.read
        except (SyntaxError, ValueError, TypeError, IndexError):  # a plain test, no Task
            if shown != source:
                question.hidden.add(key)


def secret_lines(sheet: Sheet) -> set[str]:
    """The lines of the hidden tests that no student has seen; what checks are called and say is no secret."""
    found, seen = set(), set()
    for source in sheet.sources.values():
        shown = HIDDEN.sub("", source)
        seen |= {line.strip() for line in shown.splitlines()}
        if shown == source:
            continue
        try:
            nodes = ast.walk(ast.parse(source))
            said = {text for n in nodes for text in [_docstring(n)] if text}
        except SyntaxError:
            said = set()
        words = " ".join(said)
        for block in HIDDEN.findall(source):
            lines = {line.strip() for line in block.splitlines()}
            found |= {line for line in lines if len(line) > 11 and line.strip('"') not in words}
    return {line for line in found - seen if not line.startswith(("import ", "from ", "### "))}


def _docstring(node: ast.AST) -> str:
    return (ast.get_docstring(node) or "") if isinstance(node, ast.FunctionDef) else ""


def work(question: Question, one: Submission, cells: dict[str, dict[str, Any]]) -> Work:
    """One student's work in one exercise."""
    marks = [one.marks[key] for key in question.graded if key in one.marks]
    scores = [mark.score for mark in marks]
    there = [key for key in question.answers if key in cells]
    outputs = [
        output
        for key in (() if question.by_hand else question.graded)
        for output in cells.get(key, {}).get("outputs") or []
    ]
    said = message.read(outputs)
    comments = [one.comments.get(key, ("", "")) for key in question.answers]
    untouched = all(machine.strip() == UNCHANGED for machine, _ in comments) if comments else False
    own = [message.read(cells[key].get("outputs")).failure for key in there]
    return Work(
        score=None if None in scores or not scores else sum(s or 0.0 for s in scores),
        by_person=any(mark.manual is not None for mark in marks),
        code="\n\n".join(source_of(cells[key]) for key in there),
        untouched=untouched or said.untouched or not there,
        message=said,
        failures=[] if question.by_hand else [failure for failure in own if failure],
        remarks=[person for key in dict.fromkeys((*question.answers, *question.graded))
                 if (person := one.comments.get(key, ("", ""))[1])],
        text=bool(there) and all(cells[key].get("cell_type") == "markdown" for key in there),
    )  # fmt: skip


def order(ledger: Ledger, sheet: Sheet) -> list[dict[str, Any]]:
    """The cells as they were set: of the source, or the release, or a graded notebook."""
    form, directory = ledger.directory.format_path, ledger.directory
    places = [
        Path(form(directory.source_directory, ".", sheet.name)),
        Path(form(directory.release_directory, ".", sheet.name)),
        *(Path(form(directory.autograded_directory, who, sheet.name)) for who in sheet.submissions),
    ]
    for place in places:
        every: list[dict[str, Any]] = []
        for name in sheet.notebooks:
            if len(sheet.notebooks) > 1:  # an exercise does not go on in the next notebook
                every.append({"cell_type": "markdown", "source": f"# {name}"})
            every += known(sheet, place, name)[0]
        if {about(cell).get("grade_id") for cell in every} >= set(sheet.points):
            return every
    raise Unusable(
        f"no notebook of {sheet.name} holds the cells {', '.join(sorted(sheet.points)[:3])} … that the gradebook "
        f"knows: looked in {', '.join(str(place) for place in places[:2])} and in the graded notebooks"
    )


def classroom(ledger: Ledger, name: str, students: list[str] | None = None) -> Classroom:
    """Everyone who handed in an assignment, or those who are named."""
    sheet = ledger.sheet(name)
    stranger = sorted(set(students or ()) - set(sheet.submissions))
    if stranger:
        raise Unusable(f"{', '.join(stranger)}: no row in the gradebook for {name}")
    asked = questions(sheet, order(ledger, sheet))
    pupils, unread = [], {}
    for who, one in sheet.submissions.items():
        if students and who not in students:
            continue
        folder = Path(
            ledger.directory.format_path(ledger.directory.autograded_directory, who, name)
        )
        cells: dict[str, dict[str, Any]] = {}
        for notebook in sheet.notebooks:
            found, why = known(sheet, folder, notebook)
            if why:
                unread[who] = why
            cells |= {key: cell for cell in found if (key := about(cell).get("grade_id"))}
        works = {question.key: work(question, one, cells) for question in asked}
        pupils.append(Pupil(one, works, list(one.journal.get("notes", ()))))
    return Classroom(sheet, asked, pupils, unread, secret_lines(sheet), ledger.ungraded(sheet))
