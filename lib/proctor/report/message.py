"""Read what a graded cell said: the report that `proctor.marking` prints, or the error of a plain test.

The words come back as data, so that they can be counted, and shown without anything else that a cell put out.
"""

import re
import textwrap
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

COLOR = re.compile(r"\033\[[\d;]*m")
SCORE = re.compile(
    r"\S+: (?:[\d.]+ of [\d.]+ points|not right yet|so far, so good|not attempted yet)"
)
CHECK = re.compile(
    r"  (?P<sign>[✓✗–]) (?P<title>.+?)(?:  (?:\+(?P<won>[\d.]+)|0 of (?P<lost>[\d.]+)))?"
    r"(?:: counts once “(?P<needs>.+)” is right)?"
)
LINE = re.compile(r" {6}(?P<word>call|got|expected|likely|rule|where) +(?P<text>\S.*)")
MORE = re.compile(r" {16}(?P<text>\S.*)")
READ = re.compile(r" {4}To read: (?P<words>.+) \((?P<address>[\w/-]+#[\w-]+)\)")
PRINTED = "    Your code printed: "
LATE = re.compile(r"no answer within [\d.]+ s|ran longer than [\d.]+ s|did not return in time")
MOST, LONGEST = 2000, 1000  # lines, and characters of one: our own are shorter by far
TOO_LONG = {"TimeLimit", "KeyboardInterrupt", "CellTimeoutError", "TimeoutError"}


@dataclass
class Said:
    """One check of a graded cell, and what was said of it."""

    title: str
    sign: str  # ✓ passed · ✗ failed · – did not run
    worth: float | None = None
    needs: str = ""
    lines: dict[str, str] = field(default_factory=dict)

    @property
    def likely(self) -> list[str]:
        """The causes that were named."""
        return [one.strip() for one in self.lines.get("likely", "").split("; or: ") if one.strip()]

    @property
    def late(self) -> bool:
        """Whether a time limit ended it."""
        return bool(LATE.search(self.lines.get("got", "")))


@dataclass
class Message:
    """All that a graded cell said."""

    checks: list[Said] = field(default_factory=list)
    untouched: bool = False
    read: str = ""  # slug#anchor
    place: str = ""  # the same in words
    failure: str = ""  # the error in which the whole cell ended
    late: bool = False


def words_of(outputs: Any) -> Iterable[tuple[str, str]]:
    """The streams and the errors of a cell's outputs; whatever else is in them is passed over."""
    for one in outputs if isinstance(outputs, list) else ():
        if not isinstance(one, dict):
            continue
        if one.get("output_type") == "stream" and one.get("name") == "stdout":
            text = one.get("text", "")
            yield "text", "".join(map(str, text)) if isinstance(text, list) else str(text)
        elif one.get("output_type") == "error":
            yield "error", f"{one.get('ename', '')}: {one.get('evalue', '')}"


def read(outputs: Any) -> Message:
    """What a graded cell's outputs say."""
    made = Message()
    for kind, text in words_of(outputs):
        if kind == "error":
            name, _, value = COLOR.sub("", text).partition(": ")
            made.late |= name in TOO_LONG or bool(LATE.search(value))
            told = f"{name}: {value}".strip().removesuffix(":")
            made.failure = textwrap.shorten(told.removeprefix("TimeLimit: "), 400, placeholder=" …")
        elif not made.checks:
            _report(COLOR.sub("", text).splitlines(), made)
    made.late |= any(check.late for check in made.checks)
    return made


def _report(lines: list[str], made: Message) -> None:
    start = next((at for at, line in enumerate(lines) if SCORE.match(line)), None)
    if start is None:
        return
    made.untouched = ": not attempted yet" in lines[start]
    word = ""
    for whole in lines[start + 1 : start + MOST]:
        line = whole[:LONGEST]
        if line.startswith(PRINTED):
            return  # from here on the words are the student's
        if found := CHECK.fullmatch(line):
            worth = found["won"] or found["lost"]
            made.checks.append(Said(
                found["title"], found["sign"], float(worth) if worth else None, found["needs"] or "",
            ))  # fmt: skip
            word = ""
        elif made.checks and (found := LINE.fullmatch(line)):
            word = found["word"]
            made.checks[-1].lines[word] = found["text"]
        elif word and (found := MORE.fullmatch(line)):
            if len(made.checks[-1].lines[word]) > 4 * LONGEST:
                continue
            made.checks[-1].lines[word] += " " + found["text"]
        elif found := READ.fullmatch(line):
            made.read, made.place, word = found["address"], found["words"], ""
