"""Gradebooks written by hand, through nbgrader's own interface."""

import datetime
from pathlib import Path

from nbgrader.api import Gradebook

CONFIG = """c = get_config()
c.CourseDirectory.course_id = "demo"
c.CourseDirectory.db_url = "sqlite:///_grading/gradebook.db"
c.CourseDirectory.autograded_directory = "_grading/autograded"
c.CourseDirectory.feedback_directory = "_grading/feedback"
"""
DUE = datetime.datetime(2030, 1, 1, 12)


def course_at(folder: Path) -> Path:
    """A course without anything."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "nbgrader_config.py").write_text(CONFIG)
    (folder / "_grading").mkdir(exist_ok=True)
    return folder


def book_of(course: Path, name: str = "demo") -> Gradebook:
    """Its gradebook, to be closed."""
    return Gradebook(f"sqlite:///{course / '_grading/gradebook.db'}", name)


def assignment(
    book: Gradebook, name: str, points: dict[str, float], by_hand: dict[str, float] | None = None
) -> None:
    """An assignment whose cells are worth these points."""
    book.add_assignment(name, duedate=DUE)
    book.add_notebook(name, name)
    for key, most in points.items():
        book.add_grade_cell(f"{key}-check", name, name, max_score=most, cell_type="code")
        book.add_solution_cell(key, name, name)
        book.add_source_cell(f"{key}-check", name, name, cell_type="code", source="assert True")
        book.add_source_cell(key, name, name, cell_type="code", source="")
    for key, most in (by_hand or {}).items():
        book.add_grade_cell(key, name, name, max_score=most, cell_type="markdown")
        book.add_solution_cell(key, name, name)
        book.add_source_cell(key, name, name, cell_type="markdown", source="")


def hand_in(
    book: Gradebook, name: str, student: str, scores: dict[str, float | None], late: float = 0.0, penalty: float = 0.0,
    extension: float = 0.0, manual: dict[str, float] | None = None, untouched: tuple[str, ...] = (), **about: str,
) -> None:  # fmt: skip
    """A submission with its scores; late and extension in days."""
    book.update_or_create_student(student, **about)
    stamp = DUE + datetime.timedelta(days=late)
    one = book.update_or_create_submission(name, student, timestamp=stamp)
    if extension:
        one.extension = datetime.timedelta(days=extension)
    for notebook in one.notebooks:
        notebook.late_submission_penalty = penalty or None
        for grade in notebook.grades:
            grade.auto_score = scores.get(grade.name.removesuffix("-check"))
            grade.manual_score = (manual or {}).get(grade.name.removesuffix("-check"))
            grade.needs_manual_grade = grade.auto_score is None and grade.manual_score is None
        for comment in notebook.comments:
            comment.auto_comment = "No response." if comment.name in untouched else None
    book.db.commit()
