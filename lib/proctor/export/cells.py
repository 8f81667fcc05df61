"""Cells of a CSV that mean in a spreadsheet what they say, and nothing more.

A cell that begins with = + - @ or a control character is a formula to a spreadsheet. It gets an apostrophe in front,
which a spreadsheet takes for "text follows". Numbers stay numbers. What Canvas and Moodle match students by is
never changed: where such a cell would be a formula, the row is left out and named instead.
"""

import csv
import io
import re
from collections.abc import Iterable
from pathlib import Path

from proctor.report import paper

FORMULA = re.compile(r"[\t\r\n]|\s*[=+\-@＝＋－＠]\s*\S")  # a lone dash is none
PLAIN_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def dangerous(text: str) -> bool:
    """Whether a spreadsheet would take a cell for a formula."""
    return bool(FORMULA.match(text)) and not PLAIN_NUMBER.fullmatch(text)


def safe(text: str) -> str:
    """A cell that is text to a spreadsheet, whatever it says."""
    kept = paper.plain(text)
    return f"'{kept}" if dangerous(kept) else kept


def number(value: float | None) -> str:
    """A number with a point, at most two digits after it; empty for none."""
    if value is None:
        return ""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def write(
    path: Path, rows: Iterable[Iterable[str]], *, mark: bool = False, between: str = ","
) -> None:
    """Write a file whole; with a mark in front, spreadsheets see that it is UTF-8."""
    text = io.StringIO()
    csv.writer(text, delimiter=between, lineterminator="\r\n").writerows(rows)
    paper.write(path, text.getvalue(), "utf-8-sig" if mark else "utf-8")
