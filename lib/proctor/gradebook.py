"""nbgrader's gradebook: what an assignment is, read from it; what a submission got, written in one transaction.

The only module of the engine that knows nbgrader. Everything else is told in plain dictionaries.
"""

import contextlib
import datetime
import hashlib
import json
import os
import re
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbgrader.api import Gradebook, MissingEntry
from nbgrader.coursedir import CourseDirectory
from nbgrader.preprocessors.latesubmissions import AssignLatePenalties
from sqlalchemy import text
from traitlets.config import Config
from traitlets.config.loader import PyFileConfigLoader

from proctor import specification

JOURNAL = """create table if not exists proctor_journal (
    assignment varchar(128), student varchar(128), digest varchar(64), attempts integer not null,
    graded varchar(40), detail text, primary key (assignment, student, digest))"""


def course_directory(course: Path) -> tuple[Any, Any]:
    """nbgrader's configuration and directory of a course; marks lie under _grading."""
    from sqlalchemy.exc import SAWarning

    warnings.filterwarnings("ignore", category=SAWarning)  # nbgrader's, and harmless
    # nbgrader calls alembic by its bare name
    folder = str(Path(sys.executable).parent)
    if folder not in os.environ.get("PATH", "").split(os.pathsep):
        os.environ["PATH"] = os.pathsep.join([folder, os.environ.get("PATH", "")])
    config: Any = Config()
    config.merge(PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config())
    config.CourseDirectory.root = str(course)
    config.CourseDirectory.release_directory = "_grading/release"
    if os.environ.get("PROCTOR_DB"):
        config.CourseDirectory.db_url = os.environ["PROCTOR_DB"]
    elif str(config.CourseDirectory.get("db_url", "sqlite:///_grading/")).startswith("sqlite:///_"):
        config.CourseDirectory.db_url = f"sqlite:///{course / '_grading' / 'gradebook.db'}"
    (course / "_grading").mkdir(exist_ok=True)
    return config, CourseDirectory(config=config)


def digest(files: dict[str, bytes]) -> str:
    """A submission's name: what was handed in, and nothing else."""
    made = hashlib.sha256()
    for name in sorted(files):
        made.update(json.dumps([name, hashlib.sha256(files[name]).hexdigest()]).encode())
    return made.hexdigest()


class Book:
    """The gradebook, as far as one assignment goes."""

    def __init__(self, course: Path, name: str, url: str = "") -> None:
        self.course, self.name = course, name
        self.config, self.directory = course_directory(course)
        if url:
            self.config.CourseDirectory.db_url = self.directory.db_url = url
        self.claimed: Any = None  # what holds the lock on a gradebook that is shared
        self.url: str = self.directory.db_url
        self.gradebook = Gradebook(self.url, self.directory.course_id)
        with self.transaction() as session:
            session.execute(text(JOURNAL))

    def close(self) -> None:
        """Let go of the database."""
        if self.claimed is not None:
            self.claimed.close()
        self.gradebook.close()

    def prepare(self) -> None:
        """Tell the gradebook what the assignment is worth, as `nbgrader generate_assignment` does."""
        from nbgrader.apps import NbGraderAPI

        place = Path(self.directory.format_path(self.directory.source_directory, ".", self.name))
        if not place.is_dir():
            known = ", ".join(sorted(p.name for p in place.parent.glob("*/"))) or "none"
            raise RuntimeError(
                f"no assignment named {self.name} in {place.parent}; there are: {known}"
            )
        api: Any = NbGraderAPI(self.directory, config=self.config)
        api.log_level = "ERROR"
        done = api.generate_assignment(self.name, force=True, create=True)
        if not done["success"]:
            raise RuntimeError(
                f"nbgrader could not read the source of {self.name}: {last(done['log'])}"
            )
        self.gradebook.db.expire_all()

    # ------------------------------------------------------------------ what the assignment is

    def spec(self, seed: str = "0", limits: dict[str, Any] | None = None) -> dict[str, Any]:
        """What a warden must know of the assignment."""
        folder = self.directory.format_path(self.directory.source_directory, ".", self.name)
        notebooks = {
            notebook.name: specification.notebook(notebook, Path(folder))
            for notebook in self.gradebook.find_assignment(self.name).notebooks
        }
        return {"notebooks": notebooks, "seed": seed, "limits": limits or {}}

    # ------------------------------------------------------------------ what was graded

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Any]:
        """Everything or nothing: nbgrader commits after every step, here its steps become one."""
        session: Any = self.gradebook.db()
        session.commit = session.flush
        try:
            yield session
            del session.commit
            session.commit()
        except BaseException:
            vars(session).pop("commit", None)
            session.rollback()
            raise

    def recorded(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What the journal holds of this assignment: student and digest, with the detail."""
        rows = self.gradebook.db.execute(
            text(
                "select student, digest, attempts, graded, detail from proctor_journal where assignment = :a"
            ),
            {"a": self.name},
        )
        return {
            (student, mark): {"attempts": attempts, "graded": when, **json.loads(detail)}
            for student, mark, attempts, when, detail in rows
        }

    def scores(self, student: str) -> dict[str, Any]:
        """Every grade of a student: points, and what stands behind them."""
        try:
            submission = self.gradebook.find_submission(self.name, student)
        except MissingEntry:
            return {}
        return {grade.name: grade for notebook in submission.notebooks for grade in notebook.grades}

    def record(
        self, student: str, mark: str, spec: dict, result: dict[str, Any], stamp: str = ""
    ) -> None:
        """Write the autograded notebooks, then scores, comments, penalty and journal, all at once."""
        self._write(student, spec, result)
        when = datetime.datetime.now(datetime.UTC).isoformat()
        detail = {key: value for key, value in result.items() if key != "notebooks"} | {
            "cells": {
                cell["key"]: round(cell["seconds"], 3)
                for notebook in result["notebooks"].values() for cell in notebook["cells"] if cell["key"]
            }
        }  # fmt: skip
        values = {"a": self.name, "s": student, "d": mark, "t": when, "j": json.dumps(detail)}
        with self.transaction() as session:
            self.gradebook.update_or_create_student(student)
            about: Any = {"timestamp": stamp} if stamp else {}
            try:
                submission = self.gradebook.update_or_create_submission(self.name, student, **about)
            except Exception:
                if not about:
                    raise
                submission = self.gradebook.update_or_create_submission(self.name, student)
            for notebook in submission.notebooks:
                self._score(notebook, result["notebooks"][notebook.name])
            session.flush()
            self._penalize(submission, student)
            known = text(
                "update proctor_journal set attempts = attempts + 1, graded = :t, detail = :j "
                "where assignment = :a and student = :s and digest = :d"
            )
            if not session.execute(known, values).rowcount:
                session.execute(
                    text("insert into proctor_journal values (:a, :s, :d, 1, :t, :j)"), values
                )

    @staticmethod
    def _score(notebook: Any, result: dict[str, Any]) -> None:
        for grade in notebook.grades:  # a person's score is never touched
            grade.auto_score = result["scores"].get(grade.name)
            grade.needs_manual_grade = grade.manual_score is not None or grade.auto_score is None
        for comment in notebook.comments:
            empty = comment.name in result.get("untouched", ())
            comment.auto_comment = "No response." if empty else None

    def _penalize(self, submission: Any, student: str) -> None:
        """What the course's plugin takes off for being late."""
        assigner: Any = AssignLatePenalties(config=self.config)
        assigner.init_plugin()
        for notebook in submission.notebooks:
            notebook.late_submission_penalty = None
            late = submission.total_seconds_late
            if late > 0:
                score = notebook.score
                penalty = assigner.plugin_inst.late_submission_penalty(student, score, late)
                if penalty is not None:
                    notebook.late_submission_penalty = assigner._check_late_penalty(
                        notebook, penalty
                    )

    def _write(self, student: str, spec: dict, result: dict[str, Any]) -> None:
        folder = Path(
            self.directory.format_path(self.directory.autograded_directory, student, self.name)
        )
        folder.mkdir(parents=True, exist_ok=True)
        for name, graded in result["notebooks"].items():
            if graded.get("missing"):
                continue
            part = folder / f".{name}.part"
            nbformat.write(specification.autograded(spec["notebooks"][name], graded["cells"]), part)
            part.replace(folder / f"{name}.ipynb")

    def claim(self) -> None:
        """Be the only one who writes to a gradebook that other machines can reach."""
        if self.url.startswith("postgresql"):
            self.claimed = self.gradebook.engine.connect()
            lock = text("select pg_try_advisory_lock(hashtext('proctor'))")
            if not self.claimed.execute(lock).scalar():
                raise RuntimeError(
                    "another run, perhaps on another machine, is writing to this gradebook"
                )


def last(log: str) -> str:
    """The last error of nbgrader's log, without its stamp."""
    lines = [line for line in log.splitlines() if "Error" in line or "ERROR" in line]
    return re.sub(r"^\[.*?\] ", "", lines[-1])[:120] if lines else "nbgrader says nothing of it"
