"""The answers that an assignment's graders are tried on: solutions/<name>/answers.py, and one from every misconception.

A cell of answers.py is what a student would have in the answer cell, or one change to the solution:

    # %% rms_pool, right: a loop over windows
    # %% rms_pool, wrong: the stride is ignored
    # 0.5 points: the stride is ignored | other words
    # instead of: stride or size
    # write: size
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from proctor.assignment import Assignment, Malformed
from proctor.exercise import Exercise, Mistake

CELL = re.compile(r"# %% (\w+), (right|wrong): (.+)")
SAYS = re.compile(r"# (?:([\d.]+) points?|says): (.+)")
SWAP = re.compile(r"(?m)^# instead of: *(.+)\n# write: ?(.*)$")

LIKE_THE_ARGUMENTS = '''
def {name}(*args, _mistaken={name}, **named):
    """The result in the dtype of the first floating argument, as students write it."""
    import torch
    kinds = [a.dtype for a in (*args, *named.values()) if isinstance(a, torch.Tensor) and a.is_floating_point()]

    def cast(y):
        if isinstance(y, (tuple, list)):
            return type(y)(map(cast, y))
        return y.to(kinds[0]) if kinds and isinstance(y, torch.Tensor) and y.is_floating_point() else y

    return cast(_mistaken(*args, **named))
'''


@dataclass
class Answer:
    """One answer, the points that it deserves and the words that its message must hold."""

    exercise: str
    right: bool
    title: str
    code: str
    points: float
    words: list[str] = field(default_factory=list)
    key: str = ""  # of the misconception it was made from
    where: str = ""


def parse(path: Path, tasks: dict[str, Exercise]) -> Iterator[Answer]:
    """The cells of answers.py."""
    lines = path.read_text(encoding="utf-8").splitlines()
    heads = [number for number, line in enumerate(lines) if line.startswith("# %%")]
    for number, end in pairwise([*heads, len(lines)]):
        where = f"{path}:{number + 1}"
        match = CELL.fullmatch(lines[number])
        if not match or match[1] not in tasks:
            known = ", ".join(tasks)
            raise Malformed(
                f"{where}: expected `# %% exercise, right|wrong: title`, with an exercise of {known}"
            )
        exercise = tasks[match[1]]
        body, points, words = lines[number + 1 : end], exercise.points, []
        if body and (says := SAYS.fullmatch(body[0])):
            points, words, body = float(says[1] or points), says[2].split(" | "), body[1:]
        code = "\n".join(body).strip() + "\n"
        right = match[2] == "right"
        if right != (points == exercise.points):
            raise Malformed(
                f"{where}: a {match[2]} answer cannot deserve {points:g} of {exercise.points:g}"
            )
        yield Answer(
            match[1], right, match[3], _changed(code, exercise, where), points, words, where=where
        )


def _changed(code: str, exercise: Exercise, where: str) -> str:
    swaps = SWAP.findall(code)
    if swaps:
        code = exercise.solution
        for old, new in swaps:
            if code.count(old) != 1:
                raise Malformed(f"{where}: the solution has {code.count(old)} × {old!r}, not one")
            code = code.replace(old, new)
    return code


def derived(exercise: Exercise, where: str = "") -> Iterator[Answer]:
    """A wrong answer from each misconception: its function under the student's name, with the cell's helpers."""
    for mistake in exercise.mistakes:
        yield Answer(
            exercise.name, False, f"derived: {mistake.key}", _derive(exercise, mistake), mistake.points,
            [mistake.sentence], mistake.key, where,
        )  # fmt: skip


def _derive(exercise: Exercise, mistake: Mistake) -> str:
    parts: list[ast.stmt] = []
    for node in exercise.tree.body:
        if isinstance(node, (ast.Import, ast.ImportFrom)) and "proctor" not in ast.unparse(node):
            parts.append(node)
        elif isinstance(node, ast.FunctionDef) and (
            not node.decorator_list or node in [m.node for m in exercise.mistakes]
        ):
            parts.append(ast.parse(_undecorated(node)).body[0])
    helpers = "\n\n".join(map(ast.unparse, parts))
    others = exercise.solution if len(exercise.names) > 1 else ""
    return f"{others}\n{helpers}\n\n{mistake.of} = {mistake.key}\n" + LIKE_THE_ARGUMENTS.format(
        name=mistake.of
    )


def _undecorated(node: ast.FunctionDef) -> str:
    bare = ast.FunctionDef(
        **{key: getattr(node, key) for key in node._fields if hasattr(node, key)}
    )
    bare.decorator_list = []
    return ast.unparse(ast.fix_missing_locations(ast.copy_location(bare, node)))


def every(assignment: Assignment, path: Path | None = None) -> list[Answer]:
    """All answers of an assignment, written and derived, in the order of the exercises; or those in another file."""
    tasks = {exercise.name: exercise for exercise in assignment.exercises if exercise.check}
    beside = assignment.path.with_name("answers.py")
    written = list(parse(path or beside, tasks)) if (path or beside).exists() else []
    if path:
        return written
    return [
        answer
        for name, exercise in tasks.items()
        for answer in (*[a for a in written if a.exercise == name], *derived(exercise, str(beside)))
    ]
