"""The command `proctor`: who checks.

proctor build [NAME …]                    notebooks and releases from the texts
proctor answers [NAME …] [-v]             try the graders on the answers written for them
proctor check                             what is wrong, and what is out of step
proctor sample NAME FOLDER                a small class, made from the answers
proctor grade NAME --class FOLDER …       collect, autograde, feedback, marks
"""

import argparse
import sys
import time
from pathlib import Path

from proctor.assignment import Malformed, read, root, sources


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
    """Grade a class."""
    from proctor.grade import grade

    assignment = read(sources(course, [given.name])[0])
    return grade(
        assignment, course, [Path(f).resolve() for f in given.folders], given.marks, given.seed
    )


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
    grading = command(grade, "collect, autograde, feedback and marks of an honest class")
    grading.add_argument("name", metavar="NAME")
    grading.add_argument(
        "--class", "--folder", dest="folders", nargs="+", required=True, metavar="FOLDER"
    )
    grading.add_argument("--marks", type=Path, metavar="FILE", help="where the CSV of marks goes")
    grading.add_argument("--seed", default="", help="the course's own seed for the hidden inputs")
    return made


def main(words: list[str] | None = None) -> int:
    """Run one command; a mistake of the caller is one line and exit code 2."""
    from proctor.submissions import Unusable

    given = parser().parse_args(words)
    try:
        return given.run(given, root())
    except (Malformed, Unusable, RuntimeError, OSError) as error:
        print(f"proctor: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
