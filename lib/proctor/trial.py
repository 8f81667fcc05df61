"""Run the real graded cells on answers, each in a process of its own forked from one that has torch.

The score is what nbgrader's own rule reads from the cell's output. A fork is no kernel: what IPython adds is not there.
"""

import ast
import contextlib
import functools
import json
import linecache
import os
import re
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from nbformat import NotebookNode
from nbgrader.utils import determine_grade

from proctor import answers, forks
from proctor.answers import Answer
from proctor.assignment import Assignment
from proctor.exercise import Exercise


@functools.cache
def _compiled(source: str, name: str) -> tuple[Any, Any]:
    tree = ast.parse(source)
    last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
    value = (
        compile(ast.Expression(last.value), name, "eval") if isinstance(last, ast.Expr) else None
    )
    return compile(tree, name, "exec"), value


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        stream.flush()


def run_cell(source: str, world: dict, name: str) -> list[NotebookNode]:
    """Run a cell and return its outputs as a notebook would hold them."""
    linecache.cache[name] = len(source), None, source.splitlines(True), name
    outputs, value, broken = [], None, None
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        _flush()
        kept = os.dup(1), os.dup(2)
        os.dup2(out.fileno(), 1)
        os.dup2(err.fileno(), 2)
        try:
            body, last = _compiled(source, name)
            exec(body, world)
            value = eval(last, world) if last else None
        except BaseException as error:
            broken = error
        _flush()
        for number, old in enumerate(kept, 1):
            os.dup2(old, number)
            os.close(old)
        for stream, file in (("stdout", out), ("stderr", err)):
            file.seek(0)
            if text := file.read():
                outputs.append(NotebookNode(output_type="stream", name=stream, text=text))
    if broken is not None:
        outputs.append(
            NotebookNode(output_type="error", ename=type(broken).__name__, evalue=str(broken))
        )
    elif value is not None:
        outputs.append(NotebookNode(output_type="execute_result", data={"text/plain": repr(value)}))
    return outputs


def graded(exercise: Exercise, outputs: list[NotebookNode]) -> float:
    """The points that nbgrader reads from a graded cell's outputs."""
    cell = exercise.check
    if cell is None:
        raise ValueError(f"{exercise.name} is graded by hand")
    node = NotebookNode(
        cell_type="code",
        source=cell.source,
        outputs=outputs,
        metadata=NotebookNode(nbgrader=NotebookNode(cell.grader)),
    )
    return float(determine_grade(node)[0] or 0)


def said(outputs: list[NotebookNode]) -> str:
    """The text of a cell's outputs, without color."""
    text = "".join(o.get("text", "") or o.get("evalue", "") for o in outputs)
    return re.sub(r"\033\[\d+m", "", text)


def run_answer(
    line: socket.socket, before: list[str], code: str, check: str, seeds: list[str]
) -> None:
    """In a fork: the student's cells, then the graded cell once for every seed: it leaves no trace."""
    sys.stdout, sys.stderr = (open(number, "w", closefd=False) for number in (1, 2))
    os.environ["NBGRADER_EXECUTION"] = "autograde"
    torch.set_num_threads(1)
    world: dict[str, Any] = {"__name__": "__main__"}
    for source in (*before, code):
        run_cell(source, world, "the student's cell")
    outputs = []
    for seed in seeds:
        os.environ["MARKING_SEED"] = seed
        outputs.append(run_cell(check, world, "the graded cell"))
    line.sendall(json.dumps(outputs).encode())


def mark_often(
    exercise: Exercise, code: str, seeds: list[str], patience: float = 60
) -> list[tuple[float, str]]:
    """The points of one answer and the message it gets, for every seed, in a fork."""
    if exercise.check is None:
        raise ValueError(f"{exercise.name} is graded by hand")
    before = [cell.source for cell in exercise.before]
    pid, line = forks.shared("proctor.trial").fork(
        "proctor.trial:run_answer",
        before=before, code=code, check=exercise.check.source, seeds=seeds,
    )  # fmt: skip
    line.settimeout(patience)  # nbgrader's cell limit
    with line, contextlib.suppress(TimeoutError):
        came = b"".join(iter(lambda: line.recv(1 << 20), b""))
        if came:
            every = [[NotebookNode(output) for output in outputs] for outputs in json.loads(came)]
            return [(graded(exercise, outputs), said(outputs)) for outputs in every]
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    return [(0.0, "the process died or was ended")] * len(seeds)


def mark(exercise: Exercise, code: str, seed: str = "0") -> tuple[float, str]:
    """The points of one answer, and the message it gets."""
    return mark_often(exercise, code, [seed])[0]


def faults(answer: Answer, points: float, text: str) -> list[str]:
    """What the grader did that the answer does not deserve."""
    bad = [f"{points:g} points, deserves {answer.points:g}"] * (points != answer.points)
    flat = " ".join(text.split())
    return bad + [f"the message lacks “{words}”" for words in answer.words if words not in flat]


def warm(assignment: Assignment) -> None:
    """Import in the server of the forks what the cells import, so that no fork pays for it."""
    cells = [
        cell.source
        for exercise in assignment.exercises
        for cell in (*exercise.before, exercise.check)
        if cell
    ]
    nodes = [node for source in cells for node in ast.walk(ast.parse(source))]
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
    forks.shared("proctor.trial").warm(sorted(names))


def trial(assignment: Assignment, verbose: bool = False, path: Path | None = None) -> int:
    """Print a line for each answer; return how many were not marked as they deserve."""
    warm(assignment)
    tasks, wrong = {exercise.name: exercise for exercise in assignment.exercises}, 0
    for answer in answers.every(assignment, path):
        start = time.perf_counter()
        points, text = mark(tasks[answer.exercise], answer.code)
        seconds = time.perf_counter() - start
        bad = faults(answer, points, text)
        wrong += bool(bad)
        sign = "FAIL" if bad else "ok  "
        print(
            f"{sign} {seconds:5.2f} s  {points:4g}  {answer.exercise}, {answer.title}",
            *bad,
            sep="\n         ",
        )
        if verbose or bad:
            print("\n".join("         | " + line for line in text.splitlines()), flush=True)
    return wrong
