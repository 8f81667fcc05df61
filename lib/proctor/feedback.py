"""nbgrader's feedback pages, made from copies in which no hidden test stands and nothing of a student's runs."""

import shutil
from pathlib import Path
from typing import Any

import nbformat

from proctor.collect import Unusable
from proctor.gradebook import Book
from proctor.specification import HIDDEN


def feedback(course: Path, name: str, students: list[str]) -> int:
    """A page for everyone whose notebook was graded, or for those named."""
    book = Book(course, name)
    try:
        root = Path(
            book.directory.format_path(book.directory.autograded_directory, "x", name)
        ).parents[1]
        known = {(s, v["graded"]): v for (s, _), v in book.recorded().items()}
        latest = {s: known[s, when] for s, when in sorted(known)}
        found = sorted(p.parent.parent.name for p in root.glob(f"*/{name}/*.ipynb"))
        found = [student for student in dict.fromkeys(found) if not students or student in students]
        if not found:
            raise Unusable(f"nobody's notebook stands in {root}: grade first")
        for student in found:
            page(book, root / student / name, student, latest.get(student, {}).get("notes", []))
        print(f"{len(found)} pages in {course / '_grading' / 'feedback'}")
    finally:
        book.close()
    return 0


def page(book: Book, source: Path, student: str, notes: list[str]) -> None:
    """One student's page."""
    from nbgrader.apps import NbGraderAPI
    from nbgrader.coursedir import CourseDirectory

    shown = book.course / "_grading" / "shown" / student / book.name
    shutil.rmtree(shown, ignore_errors=True)
    shown.mkdir(parents=True)
    for path in sorted(source.glob("*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        for cell in nb.cells:
            if cell.cell_type == "code":
                cell.source = HIDDEN.sub("", cell.source)
        if notes:
            words = "\n".join(f"- {note}" for note in notes)
            nb.cells.insert(
                0, nbformat.v4.new_markdown_cell(f"**What the grader noticed**\n\n{words}")
            )
        nbformat.write(nb, shown / path.name)
    config: Any = book.config.copy()
    config.CourseDirectory.autograded_directory = "_grading/shown"
    api: Any = NbGraderAPI(CourseDirectory(config=config), config=config)
    api.log_level = "ERROR"
    api.generate_feedback(book.name, student, force=True)
