"""Pairs of submissions that are more alike than the rest of the class: something to look at, never a verdict.

A submission is the set of its shingles: runs of tokens, in which the student's own names count as one. What the
release gave, and what many share, counts for nothing; a rare shingle counts for more than a common one. An index
by shingle makes it cheap: two submissions that share nothing are never compared.
"""

import ast
import io
import keyword
import math
import re
import textwrap
import tokenize
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from proctor.report.classroom import Classroom, Work

LENGTH = 8  # tokens of a shingle
COMMON = 0.05  # the share of a class that makes a shingle common property
FEWEST = 16  # rare shingles that two must share
ALIKE = 0.6  # of the smaller one's weight
MOST = 12  # pairs shown
SKIPPED = {tokenize.COMMENT, tokenize.NL, tokenize.ENCODING, tokenize.ENDMARKER, tokenize.NEWLINE}


@dataclass
class Pair:
    """Two submissions, how much they share, and where."""

    students: tuple[str, str]
    share: float  # of the smaller one's rare passages
    shared: int  # shingles
    exercises: dict[str, float]
    passages: tuple[str, str] = ("", "")  # the longest that both have, as each wrote it


def tokens(code: str) -> list[str]:
    """The tokens of code: comments and docstrings left out, the names that it binds made one."""
    return [text for text, _ in placed(code)]


def placed(code: str) -> list[tuple[str, int]]:
    """The same, each with the number of its line."""
    try:
        with warnings.catch_warnings(action="ignore"):
            tree = ast.parse(code)
        read = list(tokenize.generate_tokens(io.StringIO(code).readline))
    except (SyntaxError, ValueError, RecursionError, MemoryError, tokenize.TokenError):
        lines = [re.sub(r"#.*$", "", line) for line in code.splitlines()]
        return [
            (word, at) for at, line in enumerate(lines) for word in re.findall(r"\w+|[^\w\s]", line)
        ]  # fmt: skip
    own = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            own.add(node.id)
        elif isinstance(node, ast.arg):
            own.add(node.arg)
        elif isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            own.add(node.name)
    found, before = [], ""
    for token in read:
        if token.type in SKIPPED:
            continue
        text = token.string
        if token.type in (tokenize.INDENT, tokenize.DEDENT):
            text = ">" if token.type == tokenize.INDENT else "<"
        elif token.type == tokenize.STRING and before in ("", ">", ":"):
            continue  # a docstring
        elif token.type == tokenize.NAME and text in own and before != ".":
            text = text if keyword.iskeyword(text) else "·"
        found.append((text, token.start[0] - 1))
        before = text
    return found


def shingles(words: list[str]) -> Iterator[int]:
    """Runs of tokens, as numbers."""
    for at in range(len(words) - LENGTH + 1):
        yield hash(tuple(words[at : at + LENGTH]))


def of_work(work: Work) -> set[int]:
    """The shingles of one exercise."""
    words = re.findall(r"\w+", work.code.lower()) if work.text else tokens(work.code)
    return set(shingles(words))


def collected(room: Classroom) -> list[set[tuple[int, int]]]:
    """For each student the shingles, with the number of the exercise they stand in, less the release's."""
    released = [set(shingles(tokens(question.released))) for question in room.questions]
    made = []
    for pupil in room.pupils:
        works = [pupil.works[question.key] for question in room.questions]
        made.append({
            (at, one) for at, work in enumerate(works) if not work.untouched
            for one in of_work(work) - released[at]
        })  # fmt: skip
    return made


def pairs(room: Classroom) -> list[Pair]:
    """The pairs that share most, at most a dozen."""
    every = collected(room)
    spread = Counter(one for mine in every for one in mine)
    most = max(3, COMMON * len(every))
    weight = {one: math.log(1 + len(every) / n) for one, n in spread.items() if n <= most}
    columns = {one: at for at, one in enumerate(one for one in weight if spread[one] > 1)}
    totals = np.array([sum(weight.get(one, 0.0) for one in mine) for mine in every])
    places = [(row, one) for row, mine in enumerate(every) for one in mine if one in columns]
    if not places:
        return []
    at = [row for row, _ in places], [columns[one] for _, one in places]
    shape = len(every), len(columns)
    heavy = sparse.csr_array((np.sqrt([weight[one] for _, one in places]), at), shape)
    ones = sparse.csr_array((np.ones(len(places)), at), shape)
    shared, counts = sparse.triu(heavy @ heavy.T, 1).tocoo(), (ones @ ones.T).tocsr()
    first, second = shared.coords
    shares = shared.data / np.minimum(totals[first], totals[second])
    enough = (shares >= ALIKE) & (counts[first, second] >= FEWEST)
    best = sorted(np.flatnonzero(enough), key=lambda one: -shares[one])[:MOST]
    rare = [mine & weight.keys() for mine in every]
    return [pair(room, rare, int(first[one]), int(second[one]), float(shares[one])) for one in best]


def pair(
    room: Classroom, rare: list[set[tuple[int, int]]], one: int, other: int, share: float
) -> Pair:
    """Two submissions, and the exercises in which they are alike."""
    both = rare[one] & rare[other]
    where = {}
    for at, question in enumerate(room.questions):
        mine, theirs = ({s for s in rare[who] if s[0] == at} for who in (one, other))
        if smaller := min(len(mine), len(theirs)):
            where[question.name] = len(mine & theirs) / smaller
    alike = {name: part for name, part in where.items() if part >= ALIKE / 2}
    most = Counter(at for at, _ in both).most_common(1)[0][0]
    works = [room.pupils[who].works[room.questions[most].key] for who in (one, other)]
    names = room.pupils[one].id, room.pupils[other].id
    shared = {number for at, number in both if at == most}
    return Pair(
        names, share, len(both), alike, (passage(works[0], shared), passage(works[1], shared))
    )


def passage(work: Work, shared: set[int]) -> str:
    """The lines of the longest run of shared shingles."""
    found = placed(work.code) if not work.text else []
    starts = [number in shared for number in shingles([text for text, _ in found])]
    best = run = range(0)
    for at, inside in enumerate(starts):
        run = (range(run.start, at + 1) if run else range(at, at + 1)) if inside else range(0)
        best = max(best, run, key=len)
    rows = [row for _, row in found[best.start : best.stop + LENGTH - 1]] if best else []
    return textwrap.dedent(
        "\n".join(work.code.split("\n")[min(rows) : max(rows) + 1]) if rows else ""
    )
