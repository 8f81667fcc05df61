"""The command `proctor`: who checks.

proctor build [NAME …]                    notebooks and releases from the texts
proctor answers [NAME …] [-v]             try the graders on the answers written for them
proctor check                             what is wrong, and what is out of step
proctor sample NAME FOLDER                a small class, made from the answers
proctor doctor                            what works here, and how students' code will be confined
proctor collect NAME PLACE …              take in a class: folders and zips
proctor grade NAME [--class PLACE …]      grade it, in the pen; the table of marks
proctor feedback NAME                     the students' pages
proctor report NAME                       what the class did not understand
proctor export [NAME …] --to csv          marks for a spreadsheet, for Canvas, for Moodle
proctor explain NAME STUDENT              one mark, cell by cell
"""

import argparse
import contextlib
import os
import sys
import time
from pathlib import Path

# jsonschema would compile a grammar for one of its formats: 1.6 s before every command, for nothing
sys.modules.setdefault("rfc3987_syntax", None)  # pyright: ignore

from proctor import arguments  # noqa: E402
from proctor.assignment import Malformed, read, root, sources  # noqa: E402


def build(given: argparse.Namespace, course: Path) -> int:
    """Make the notebooks and the releases."""
    from proctor.release import build

    for path in build(course, given.names):
        print(path.relative_to(course))
    return 0


def answers(given: argparse.Namespace, course: Path) -> int:
    """Try the graders on their answers."""
    from proctor.trial import trial

    start, wrong = time.perf_counter(), 0
    for path in sources(course, given.names):
        wrong += trial(read(path), given.verbose)
    print(f"{time.perf_counter() - start:.1f} s in all, {wrong} marked wrongly")
    return int(bool(wrong))


def check(given: argparse.Namespace, course: Path) -> int:
    """Say what is wrong with the assignments."""
    from proctor.form import faults
    from proctor.release import drift

    bad = faults(course) + drift(course)
    print("\n".join(bad) or f"{len(sources(course))} assignments are in order")
    return int(bool(bad))


def sample(given: argparse.Namespace, course: Path) -> int:
    """Make a small class."""
    from proctor.sample import make

    folder = Path(given.folder)
    if folder.exists() and any(folder.iterdir()):
        raise Malformed(f"{folder} is not empty")
    for student, marks in make(read(sources(course, [given.name])[0]), course, folder).items():
        print(f"{student} deserves {sum(marks.values()):g}")
    return 0


def grade(given: argparse.Namespace, course: Path) -> int:
    """Grade a class, or try one file."""
    from proctor.pen.box import Box

    if given.file:
        from proctor.explain import attempt

        return attempt(course, given.name, given.file, given.seed, not given.unsafe)
    # the box imports torch while this process imports nbgrader
    with contextlib.nullcontext() if given.cluster else Box(not given.unsafe) as box:
        from proctor.grade import Orders, grade

        places = [Path(place).resolve() for place in given.places]
        return grade(course, Orders(
            given.name, places, given.students, given.jobs, given.again, given.yes, given.seed,
            given.unsafe, given.cluster, given.marks,
        ), box)  # fmt: skip


def collect(given: argparse.Namespace, course: Path) -> int:
    """Take in what a class handed in."""
    from proctor.grade import alone, take_in
    from proctor.gradebook import Book

    with alone(course), contextlib.closing(Book(course, given.name)) as book:
        found = take_in(book, given.name, [Path(place).resolve() for place in given.places])
    for one in found:
        for note in one.notes:
            print(f"{one.student}: {note}")
    print(f"{len(found)} submissions are in place")
    return 0


def explain(given: argparse.Namespace, course: Path) -> int:
    """Tell everything that is known of one mark."""
    from proctor.explain import explain

    return explain(course, given.name, given.student)


def feedback(given: argparse.Namespace, course: Path) -> int:
    """Make the students' pages: what came, what was expected, what is likely; no hidden test."""
    from proctor.feedback.pages import feedback
    from proctor.feedback.release import terms

    agreed = terms(course, given.section, given.after, given.now, given.roster)
    return feedback(course, given.name, given.students, agreed, given.book)


def report(given: argparse.Namespace, course: Path) -> int:
    """Say what the class did not understand."""
    from proctor.report.show import report

    return report(course, given.name, given.with_names, given.out, given.book)


def export(given: argparse.Namespace, course: Path) -> int:
    """Write the marks for a spreadsheet, for Canvas, for Moodle."""
    from proctor.export.send import Orders, export

    return export(course, Orders(
        given.names, given.to, given.roster, given.decisions, given.drop, given.zero, given.columns,
        given.out,
    ))  # fmt: skip


def doctor(_given: argparse.Namespace, _course: Path) -> int:
    """Say what works here, and how students' code will be confined."""
    from proctor.explain import doctor

    return doctor()


def parser() -> argparse.ArgumentParser:
    """The commands and what they take."""
    made = argparse.ArgumentParser("proctor", description="Build, check and grade the assignments.")
    commands = made.add_subparsers(required=True, metavar="COMMAND")

    def command(run, text: str) -> argparse.ArgumentParser:
        one = commands.add_parser(run.__name__, help=text, description=text)
        one.set_defaults(run=run)
        return one

    command(build, "notebooks and releases from the texts").add_argument(
        "names", nargs="*", metavar="NAME"
    )
    trying = command(answers, "try the graders on the answers written for them")
    trying.add_argument("names", nargs="*", metavar="NAME")
    trying.add_argument(
        "-v", "--verbose", action="store_true", help="the whole message of every answer"
    )
    command(check, "what is wrong with the assignments, and what is out of step")
    making = command(sample, "a small class, made from the answers")
    making.add_argument("name", metavar="NAME")
    making.add_argument("folder", metavar="FOLDER")
    grading = command(grade, "collect, grade and mark a class, or try one file")
    grading.add_argument("name", metavar="NAME")
    grading.add_argument("--class", "--folder", dest="places", nargs="+", default=[], metavar="PLACE",
                         help="collect these folders or zips first")  # fmt: skip
    grading.add_argument("--student", dest="students", nargs="+", default=[], metavar="ID")
    grading.add_argument(
        "--try", dest="file", type=Path, metavar="FILE", help="one file, no gradebook"
    )
    grading.add_argument("--jobs", type=int, default=os.cpu_count() or 1, metavar="N")
    grading.add_argument(
        "--cluster", default="", metavar="ADDRESS", help="a Dask scheduler: tls://host:port"
    )
    grading.add_argument(
        "--again", action="store_true", help="also what was graded; shows what would change"
    )
    grading.add_argument(
        "--yes", action="store_true", help="write what --again changes without asking"
    )
    grading.add_argument("--marks", type=Path, metavar="FILE", help="where the CSV of marks goes")
    grading.add_argument("--seed", default="0", help="the course's own seed for the hidden inputs")
    grading.add_argument(
        "--unsafe", action="store_true", help="students' code gets your rights; stamped"
    )
    collecting = command(collect, "take in folders and zips: Moodle's, Canvas's, plain")
    collecting.add_argument("name", metavar="NAME")
    collecting.add_argument("places", nargs="+", metavar="PLACE")
    explaining = command(explain, "one mark, cell by cell")
    explaining.add_argument("name", metavar="NAME")
    explaining.add_argument("student", metavar="STUDENT")
    arguments.feedback(command(feedback, "the students' pages, and a list for a mail merge"))
    arguments.report(command(report, "what the class did not understand: a page, and a table"))
    arguments.export(command(export, "the marks, for a spreadsheet, for Canvas, for Moodle"))
    command(doctor, "what works here, and how students' code will be confined")
    return made


def main(words: list[str] | None = None) -> int:
    """Run one command; a mistake of the caller is one line and exit code 2."""
    from proctor.collect import Unusable

    given = parser().parse_args(words)
    try:
        return given.run(given, root())
    except (Malformed, Unusable, RuntimeError, OSError) as error:
        print(f"proctor: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
