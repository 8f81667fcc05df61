"""What the commands take that come after the grading."""

import argparse
from pathlib import Path

BOOK = "the book's, for links; else c.Proctor.book in nbgrader_config.py"
ROSTER = "Canvas's or Moodle's own, or a CSV with a column id; else _grading/roster.csv"


def feedback(made: argparse.ArgumentParser) -> None:
    """Of `proctor feedback`."""
    made.add_argument("name", metavar="NAME")
    made.add_argument("--student", dest="students", nargs="+", default=[], metavar="ID")
    made.add_argument("--section", default="", help="only these, as the roster says")
    made.add_argument("--after", default="", metavar="DATE", help="not before; UTC without a zone")
    made.add_argument(
        "--now", action="store_true", help="whatever the dates and extensions in the gradebook say"
    )
    made.add_argument("--roster", type=Path, metavar="FILE", help=ROSTER)
    made.add_argument("--book", default="", metavar="ADDRESS", help=BOOK)


def report(made: argparse.ArgumentParser) -> None:
    """Of `proctor report`."""
    made.add_argument("name", metavar="NAME")
    made.add_argument(
        "--names", dest="with_names", action="store_true", help="name students; keep it to yourself"
    )
    made.add_argument("--out", type=Path, metavar="FILE", help="where the page goes")
    made.add_argument("--book", default="", metavar="ADDRESS", help=BOOK)


def export(made: argparse.ArgumentParser) -> None:
    """Of `proctor export`."""
    made.add_argument("names", nargs="*", metavar="NAME", help="none: all assignments")
    made.add_argument("--to", choices=("csv", "canvas", "moodle"), default="csv")
    made.add_argument("--roster", type=Path, metavar="FILE", help=ROSTER)
    made.add_argument(
        "--decisions", type=Path, metavar="FILE",
        help="student, assignment, decision (excused or points), value, reason; else _grading/decisions.csv",
    )  # fmt: skip
    made.add_argument(
        "--drop-lowest",
        dest="drop",
        type=int,
        default=0,
        metavar="N",
        help="from the total of a CSV",
    )
    made.add_argument("--zero", action="store_true", help="0 for who handed in nothing")
    made.add_argument(
        "--column", dest="columns", action="append", default=[], metavar="NAME=TITLE",
        help="Canvas's column of an assignment",
    )  # fmt: skip
    made.add_argument("--out", type=Path, metavar="FILE", help="where the file goes")
