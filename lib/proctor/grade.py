"""Grade a class: read what was handed in, have it graded in the pen, write each result once, show the marks.

One process writes. Before it does, the gradebook is copied; before a regrade changes a mark, it is said whose and
by how much. A person's own score, with its reason, is never touched.
"""

import contextlib
import fcntl
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)

from proctor import cluster, collect
from proctor.backup import back_up
from proctor.collect import Handed, Unusable
from proctor.gradebook import Book, digest
from proctor.marks import agreed, needs_a_person, row_of, show
from proctor.pen.box import Box
from proctor.workers import Pool, Result


@dataclass
class Orders:
    """What the command line asks for."""

    name: str
    places: list[Path] = field(default_factory=list)  # collected first
    students: list[str] = field(default_factory=list)  # only these; none: everyone
    jobs: int = 2
    again: bool = False
    yes: bool = False  # do not ask before marks change
    seed: str = "0"
    unsafe: bool = False
    cluster: str = ""  # the address of Dask's scheduler; none: this machine
    marks: Path | None = None
    limits: dict[str, Any] = field(default_factory=dict)


def bar() -> Progress:
    """Counts, failures and the time left, on a terminal; nothing elsewhere."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} need a person"), TimeRemainingColumn(),
        console=Console(stderr=True), transient=True, disable=not sys.stderr.isatty(),
    )  # fmt: skip


@contextlib.contextmanager
def alone(course: Path) -> Iterator[None]:
    """Be the only one who writes; the kernel lets go of the lock however we end."""
    place = course / "_grading" / "writer.lock"
    place.parent.mkdir(exist_ok=True)
    with place.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Unusable(
                f"another run is grading in this course (process {file.read().strip()})"
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def submitted(book: Book, orders: Orders) -> list[Handed]:
    """What stands under submitted/, one a student."""
    root = Path(
        book.directory.format_path(book.directory.submitted_directory, "x", orders.name)
    ).parents[1]
    found = []
    for folder in sorted(root.iterdir()) if root.is_dir() else ():
        place = folder / orders.name
        if folder.is_symlink() or place.is_symlink() or not place.is_dir():
            continue
        if not collect.STUDENT.fullmatch(folder.name):
            raise Unusable(f"{folder}: {folder.name!r} is no name of a student")
        if not orders.students or folder.name in orders.students:
            found.append(collect.read_submitted(place, folder.name))
    unknown = set(orders.students) - {one.student for one in found}
    if unknown:
        raise Unusable(f"nothing was handed in by {', '.join(sorted(unknown))}: looked in {root}")
    if not found:
        raise Unusable(
            f"nothing stands in {root}; collect a class first: proctor collect {orders.name} PLACE"
        )
    return found


def take_in(book: Book, name: str, places: list[Path]) -> list[Handed]:
    """Collect a class into submitted/."""
    found = collect.find(places, name)
    for one in found:
        folder = book.directory.format_path(book.directory.submitted_directory, one.student, name)
        collect.put(one, Path(folder))
    return found


def grade(course: Path, orders: Orders, box: Box | None = None) -> int:
    """Grade, in a box that may be starting already; 0 when all are graded, 1 when some need a person."""
    if orders.cluster:
        cluster.checked(orders.cluster)
        box = box or contextlib.nullcontext()  # pyright: ignore  the boxes are on the workers
    with alone(course), box or Box(not orders.unsafe) as box:
        book = Book(course, orders.name)
        try:
            book.claim()
            back_up(book.url, course)
            book.prepare()
            if orders.places:
                take_in(book, orders.name, orders.places)
            return run(book, orders, box)
        finally:
            book.close()


def run(book: Book, orders: Orders, box: Box) -> int:
    """Grade what stands in submitted/ and is not in the journal."""
    every = submitted(book, orders)
    spec = book.spec(orders.seed, orders.limits)
    for one in every:
        collect.named(one, list(spec["notebooks"]))
    marks = {one.student: digest(one.files) for one in every}
    known = book.recorded()
    todo = [one for one in every if orders.again or (one.student, marks[one.student]) not in known]
    if orders.cluster:
        graded = cluster.grade(orders.cluster, spec, todo)
    else:
        graded = Pool(spec, orders.jobs, box=box).grade(todo)
    held, broken, failed = [], {}, 0
    with bar() as progress:
        task = progress.add_task(orders.name, total=len(todo), failed=0)
        for one, result in graded if todo else ():
            failed += "broken" in result or needs_a_person(spec, result)
            if "broken" in result:
                broken[one.student] = result["broken"]
            elif orders.again:
                held.append((one, result))
            else:
                write(book, spec, orders, one, marks[one.student], result)
            progress.update(task, advance=1, failed=failed)
    if held and agreed(book, held, orders.yes):
        for one, result in held:
            write(book, spec, orders, one, marks[one.student], result)
    known = book.recorded()
    rows = [
        row_of(
            book,
            spec,
            one,
            known.get((one.student, marks[one.student]), {}),
            broken.get(one.student, ""),
        )
        for one in every
    ]
    place = orders.marks or book.course / "_grading" / f"{orders.name}.csv"
    show(rows, spec, place, orders.unsafe)
    if len(every) > len(todo):
        print(
            f"{len(every) - len(todo)} were graded before and have not changed; --again grades them anew"
        )
    return int(any(row.lost for row in rows) or bool(broken))


def write(book: Book, spec: dict, orders: Orders, one: Handed, mark: str, result: Result) -> None:
    """One result into the gradebook."""
    result |= {"seed": orders.seed, "unsafe": orders.unsafe, "versions": versions()}
    book.record(one.student, mark, spec, result, one.stamp)


def versions() -> dict[str, str]:
    """What graded it."""
    from importlib.metadata import version

    return {name: version(name) for name in ("etude", "torch", "numpy", "nbgrader")}
