"""What a gradebook says of a class, read in a few queries: ours, or one that stock nbgrader wrote.

Nothing is written. A gradebook that is not there, of another course or of an older nbgrader is refused before
nbgrader itself would make or change anything in it.
"""

import datetime
import json
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from nbgrader.api import (
    Assignment,
    BaseCell,
    Comment,
    Grade,
    Notebook,
    Student,
    SubmittedAssignment,
    SubmittedNotebook,
)
from nbgrader.dbutil import ALEMBIC_DIR
from sqlalchemy import create_engine, inspect, select, text
from sqlalchemy.orm import Session

from proctor.collect import Unusable
from proctor.gradebook import course_directory

NEEDED = {
    "assignment", "notebook", "grade", "comment", "student",
    "submitted_assignment", "submitted_notebook", "base_cell", "source_cell",
}  # fmt: skip


@dataclass
class Mark:
    """What one cell of one submission is worth."""

    auto: float | None
    manual: float | None
    extra: float = 0.0

    @property
    def score(self) -> float | None:
        """A person's score before the machine's; None where nobody has given one."""
        score = self.auto if self.manual is None else self.manual
        return None if score is None else score + self.extra


@dataclass
class Submission:
    """What one student handed in, as the gradebook has it."""

    student: str
    first: str = ""
    last: str = ""
    email: str = ""
    lms: str = ""
    stamp: datetime.datetime | None = None
    extension: datetime.timedelta | None = None
    penalty: float = 0.0
    marks: dict[str, Mark] = field(default_factory=dict)  # by the name of the graded cell
    comments: dict[str, tuple[str, str]] = field(default_factory=dict)  # the machine's, a person's
    journal: dict[str, Any] = field(default_factory=dict)  # of the newest grading

    @property
    def waits(self) -> list[str]:
        """Cells without any score."""
        return [key for key, mark in self.marks.items() if mark.score is None]

    @property
    def total(self) -> float:
        """The points, less the penalty for being late; never below 0."""
        return round(max(0.0, sum(m.score or 0.0 for m in self.marks.values()) - self.penalty), 4)


@dataclass
class Sheet:
    """One assignment of a gradebook: what it is worth, and what everyone got."""

    name: str
    due: datetime.datetime | None
    points: dict[str, float]  # by graded cell
    tasks: set[str]  # cells that only a person can grade
    sources: dict[str, str]  # of every known cell, hidden tests included
    notebooks: list[str]
    twice: set[str] = field(default_factory=set)  # names that cells of several notebooks have
    submissions: dict[str, Submission] = field(default_factory=dict)

    def key(self, notebook: str, cell: str) -> str:
        """What a cell is called here: its name, after its notebook's where two have the same."""
        return f"{notebook}.{cell}" if cell in self.twice else cell

    @property
    def most(self) -> float:
        """What all cells together are worth."""
        return sum(self.points.values())

    def owed(self, one: Submission) -> datetime.datetime | None:
        """When this student has to hand in, an extension included."""
        return self.due + (one.extension or datetime.timedelta()) if self.due else None

    def late(self, one: Submission) -> float:
        """Days after that."""
        owed = self.owed(one)
        if owed is None or one.stamp is None:
            return 0.0
        return max(0.0, (one.stamp - owed).total_seconds() / 86400)


def today_schema() -> set[str]:
    """The newest revisions of the schema that the installed nbgrader knows."""
    from alembic.script import ScriptDirectory

    return set(ScriptDirectory(ALEMBIC_DIR).get_heads())


ASSIGNMENT: Any = Assignment  # a checker of types reads other things in its columns


class Ledger:
    """A gradebook, open for reading."""

    def __init__(self, course: Path) -> None:
        self.course = course
        self.config, self.directory = course_directory(course)
        self.url: str = self.directory.db_url
        place = self.url.removeprefix("sqlite:///")
        stock = course / "gradebook.db"  # where nbgrader alone puts it
        if self.url.startswith("sqlite:///") and not (course / place).is_file() and stock.is_file():
            place, self.url = str(stock), f"sqlite:///{stock.resolve()}"
        if self.url.startswith("sqlite:///") and not (course / place).is_file():
            raise Unusable(f"no gradebook at {place}: grade the class first")
        self.engine = create_engine(self.url)
        tables = set(inspect(self.engine).get_table_names())
        if NEEDED - tables:
            lacks = ", ".join(sorted(NEEDED - tables)[:3])
            raise Unusable(f"{place} is no gradebook of nbgrader: it has no table {lacks}")
        self.session = Session(self.engine)
        self.journaled = "proctor_journal" in tables
        self._check_schema(tables)

    def _check_schema(self, tables: set[str]) -> None:
        known = today_schema()
        found = set()
        if "alembic_version" in tables:
            found = set(self.session.scalars(text("select version_num from alembic_version")))
        if found != known:
            told = ", ".join(sorted(found)) or "none"
            self.close()
            raise Unusable(
                f"the gradebook's schema is {told}, the installed nbgrader's {', '.join(sorted(known))}: "
                "an older or newer nbgrader wrote it; `nbgrader db upgrade` brings an old one up to date"
            )

    def close(self) -> None:
        """Let go of the database."""
        self.session.close()
        self.engine.dispose()

    @property
    def names(self) -> list[str]:
        """The assignments that somebody handed in, in alphabetical order."""
        query = select(ASSIGNMENT.name).join(Assignment.submissions).distinct()
        return sorted(self.session.scalars(query))

    def ungraded(self, sheet: Sheet) -> list[str]:
        """Who stands in submitted/ and has no row yet: the grading has not got to them."""
        form = self.directory.format_path
        root = Path(form(self.directory.submitted_directory, "x", sheet.name)).parents[1]
        there = {place.parent.name for place in root.glob(f"*/{sheet.name}") if place.is_dir()}
        return sorted(there - set(sheet.submissions))

    def sheet(self, name: str) -> Sheet:
        """One assignment, with everyone's marks."""
        found: Any = self.session.scalar(select(Assignment).where(ASSIGNMENT.name == name))
        mine = self.directory.course_id
        if found is None:
            every = ", ".join(sorted(self.session.scalars(select(ASSIGNMENT.name)))) or "none"
            raise Unusable(f"the gradebook knows no assignment {name!r}; it knows: {every}")
        if mine and found.course_id not in (mine, "default_course", ""):
            raise Unusable(
                f"this gradebook's {name} belongs to the course {found.course_id!r}, "
                f"and nbgrader_config.py names the course {mine!r}"
            )
        made = Sheet(name, found.duedate, {}, set(), {}, sorted(n.name for n in found.notebooks))
        cells = Counter(cell.name for notebook in found.notebooks for cell in notebook.source_cells)
        made.twice = {cell for cell, count in cells.items() if count > 1}
        for notebook in sorted(found.notebooks, key=lambda one: one.name):
            answers = {cell.name for cell in notebook.solution_cells}
            for cell in (*notebook.grade_cells, *notebook.task_cells):
                key = made.key(notebook.name, cell.name)
                made.points[key] = float(cell.max_score)
                if cell.name in answers or cell in notebook.task_cells:
                    made.tasks.add(key)
            for cell in notebook.source_cells:
                made.sources[made.key(notebook.name, cell.name)] = cell.source or ""
        self._submissions(found, made)
        if not made.submissions:
            raise Unusable(f"the gradebook holds nothing that was handed in for {name}")
        return made

    def _submissions(self, assignment: Any, sheet: Sheet) -> None:
        mine: Any = SubmittedAssignment.assignment_id == assignment.id
        query: Any = select(SubmittedAssignment, Student).join(Student).where(mine)
        made = sheet.submissions
        rows: Any = self.session.execute(query.order_by(Student.id))
        for one, student in rows:
            about = (student.first_name, student.last_name, student.email, student.lms_user_id)
            first, last, email, lms = (str(word or "") for word in about)
            made[student.id] = Submission(
                student.id, first, last, email, lms, one.timestamp, one.extension
            )
        penalties: Any = SubmittedNotebook.late_submission_penalty
        for who, _, penalty in self._of_each([penalties], mine):
            made[who].penalty += penalty or 0.0
        cells: Any = [BaseCell.name, Grade.auto_score, Grade.manual_score, Grade.extra_credit]
        for who, notebook, cell, auto, manual, extra in self._of_each(cells, mine, Grade):
            made[who].marks[sheet.key(notebook, cell)] = Mark(auto, manual, extra or 0.0)
        comments: Any = [BaseCell.name, Comment.auto_comment, Comment.manual_comment]
        for who, notebook, cell, machine, person in self._of_each(comments, mine, Comment):
            made[who].comments[sheet.key(notebook, cell)] = machine or "", person or ""
        for who, detail in self._journal(sheet.name).items():
            if who in made:
                made[who].journal = detail

    def _of_each(self, wanted: list[Any], mine: Any, through: Any = None) -> Any:
        query: Any = (
            select(SubmittedAssignment.student_id, Notebook.name, *wanted)
            .join(SubmittedNotebook, SubmittedNotebook.assignment_id == SubmittedAssignment.id)
            .join(Notebook, SubmittedNotebook.notebook_id == Notebook.id)
        )
        if through is not None:
            query = query.join(through, through.notebook_id == SubmittedNotebook.id)
            query = query.join(BaseCell, through.cell_id == BaseCell.id)
        return self.session.execute(query.where(mine))

    def _journal(self, name: str) -> dict[str, dict[str, Any]]:
        if not self.journaled:
            return {}
        query = text(
            "select student, graded, detail from proctor_journal where assignment = :a order by graded"
        )
        rows: Any = self.session.execute(query, {"a": name})
        newest: dict[str, dict[str, Any]] = defaultdict(dict)
        for who, when, detail in rows:
            newest[who] = {"graded": when, **json.loads(detail)}
        return newest
