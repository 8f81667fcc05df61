"""What a warden must know of a notebook: its cells, the imports of its tests, the names that students give."""

import ast
import builtins
import json
import re
import uuid
from pathlib import Path
from typing import Any

import nbformat

from proctor.pen import mend

HIDDEN = re.compile(r"(?ms)^### BEGIN HIDDEN TESTS\n.*?^### END HIDDEN TESTS\n?")


def parsed(source: str) -> ast.Module:
    """The tree of a cell, its magics left out; an empty one where it cannot be read."""
    try:
        return ast.parse(re.sub(r"(?m)^\s*[%!?].*$", "", source))
    except SyntaxError:
        return ast.Module([], [])


def bound(source: str) -> set[str]:
    """The names that a cell gives values to, imports aside."""
    names: set[str] = set()
    for node in parsed(source).body:
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(node.name)
        elif not isinstance(node, (ast.Import, ast.ImportFrom)):
            inside = ast.walk(node)
            names |= {
                n.id for n in inside if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)
            }
    return names


def pure(source: str) -> bool:
    """Whether a cell only imports, defines and names constants: tests may have it too."""

    def harmless(node: ast.stmt) -> bool:
        if isinstance(node, (ast.Assign, ast.Expr)):
            try:
                ast.literal_eval(node.value)
            except ValueError:
                return False
            return True
        return isinstance(
            node, (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)
        )

    tree = parsed(source)
    return bool(tree.body) and all(map(harmless, tree.body))


def notebook(row: Any, folder: Path) -> dict[str, Any]:
    """A notebook of the gradebook, with what stands in its source beside it."""
    points = {c.name: float(c.max_score) for c in (*row.grade_cells, *row.task_cells)}
    graded = {c.name for c in row.grade_cells}
    solutions = {c.name for c in row.solution_cells}
    tasks = {c.name for c in row.task_cells}
    cells = {}
    for cell in row.source_cells:
        answer = cell.name in solutions
        cells[cell.name] = {
            "name": cell.name, "kind": str(getattr(cell.cell_type, "value", cell.cell_type)),
            "grade": cell.name in graded, "solution": answer, "task": cell.name in tasks,
            "locked": bool(cell.locked), "points": points.get(cell.name, 0.0),
            "source": cell.source, "shown": HIDDEN.sub("", cell.source), "checksum": cell.checksum,
            "pure": pure(cell.source), "defines": [],
        }  # fmt: skip
    imports, exports = source(folder / f"{row.name}.ipynb", cells)
    kernel = json.loads(row.kernelspec) if row.kernelspec else {}
    return {"cells": cells, "imports": imports, "exports": exports, "kernelspec": kernel}


def source(path: Path, cells: dict[str, dict]) -> tuple[list[str], list[str]]:
    """The imports that tests may rely on, and the names that only the student's cells can give."""
    imports, exports = [], set()
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type != "code":
            continue
        known = cells.get(cell.metadata.get("nbgrader", {}).get("grade_id", ""))
        imports += [
            f"try:\n    {ast.unparse(node)}\nexcept ImportError:\n    pass"
            for node in parsed(cell.source).body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
        if known and known["solution"]:  # by which an answer is known that lost its metadata
            known["defines"] = [
                node.name
                for node in parsed(cell.source).body
                if isinstance(node, (ast.FunctionDef, ast.ClassDef))
            ]
        test = known and known["grade"] and not known["solution"]
        if not test and not (known and known["locked"] and known["pure"]):
            exports |= bound(cell.source)
    for known in cells.values():
        if known["grade"] and not known["solution"]:
            known["wanted"] = wanted(known["source"], exports)
    return ["\n".join(dict.fromkeys(imports))], sorted(exports)


def wanted(test: str, exports: set[str]) -> list[str]:
    """The names of a test that only the student's cells can give."""
    names = set()
    for node in ast.walk(parsed(test)):
        if isinstance(node, ast.Name):
            names.add(node.id)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            names.add(node.value)  # `Task("rms_pool", …)` names what it looks up
    return sorted(names & exports - set(dir(builtins)))


def autograded(spec: dict, cells: list[dict]) -> nbformat.NotebookNode:
    """The autograded notebook: the student's cells, the assignment's metadata."""
    kernel = {"kernelspec": spec["kernelspec"]} if spec["kernelspec"] else {}
    made = nbformat.v4.new_notebook(metadata=kernel)
    for cell in cells:
        known, about = spec["cells"].get(cell["key"]), {}
        if known:
            about = {
                "schema_version": 3, "grade_id": known["name"], "grade": known["grade"],
                "solution": known["solution"], "task": known["task"], "locked": known["locked"],
                "cell_type": known["kind"], "checksum": known["checksum"],
            }  # fmt: skip
            if known["grade"] or known["task"]:
                about["points"] = known["points"]
        new: dict[str, Any] = {
            "id": uuid.uuid4().hex[:8], "cell_type": cell["kind"], "source": cell["source"],
            "metadata": {"nbgrader": about} if about else {},
        }  # fmt: skip
        if cell["kind"] == "code":
            new |= {"outputs": mend.outputs(cell["outputs"]), "execution_count": None}
        made.cells.append(nbformat.from_dict(new))
    return made
