"""The form of a graded cell and of its answer cell, on the syntax tree."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from proctor.exercise import Cell, Exercise, Share
from proctor.form import channel

HIDDEN = re.compile(r"(?ms)^### BEGIN HIDDEN TESTS\n(.*?)^### END HIDDEN TESTS\n?")
SOLUTION = re.compile(r"(?ms)^[ \t]*### BEGIN SOLUTION\n(.*?)^[ \t]*### END SOLUTION\n?")
VISIBLE_AT_MOST = 0.2
TABLES = "task.equal", "task.at_least", "task.at_most"  # their third argument names misconceptions


def faults(exercise: Exercise, path: Path) -> Iterator[str]:
    """Everything that is wrong with the answer cell and the graded cell of one exercise."""
    yield from (f"{path}:{line}: {words}" for line, words in _answer(exercise))
    if exercise.check is None:
        return
    check = exercise.check
    key = check.grader.get("grade_id")
    if key != f"{exercise.name}-check":
        yield f"{path}:{check.line}: the id is {key!r}, should be '{exercise.name}-check'"
    regions = HIDDEN.findall(check.source)
    if len(regions) != 1 or check.source.count("HIDDEN TESTS") != 2:
        yield f"{path}:{check.line}: a graded cell has one region of hidden tests, this one has {len(regions)}"
        return
    visible = HIDDEN.sub("", check.source)
    for line, words in (
        *_form(exercise.tree),
        *_form(ast.parse(visible), "without its hidden tests, "),
    ):
        yield f"{path}:{check.line + line - 1}: {words}"
    rest = (
        *_points(exercise, visible),
        *_checks(exercise),
        *_misconceptions(exercise),
        *channel.faults(exercise),
    )
    yield from (f"{path}:{check.line + line - 1}: {words}" for line, words in rest)


def _answer(exercise: Exercise) -> Iterator[tuple[int, str]]:
    cell = exercise.answer
    wanted = len(exercise.names) if exercise.check else 1
    if len(SOLUTION.findall(cell.source)) != wanted or cell.source.count("### ") != 2 * wanted:
        what = "one region" if wanted == 1 else f"{wanted} regions, one a function,"
        yield cell.line, f"an answer cell has {what} `### BEGIN SOLUTION` … `### END SOLUTION`"
        return
    if exercise.check is None:
        return
    for function in functions(cell, exercise.names):
        if not ast.get_docstring(function):
            yield (
                cell.line + function.lineno - 1,
                f"the stub of {function.name} needs a docstring: shapes in, shapes out",
            )
        arguments = function.args.args + function.args.kwonlyargs
        if function.returns is None or any(a.annotation is None for a in arguments):
            yield (
                cell.line + function.lineno - 1,
                f"the stub of {function.name} needs the types of its arguments and result",
            )
    missing = set(exercise.names) - {f.name for f in functions(cell, exercise.names)}
    for name in sorted(missing):
        yield cell.line, f"the task examines `{name}`, which this answer cell does not define"
    if exercise.name not in exercise.names:
        yield (
            cell.line,
            f"the id {exercise.name!r} is none of the task's functions: {', '.join(exercise.names)}",
        )


def functions(cell: Cell, names: list[str]) -> list[ast.FunctionDef]:
    """The student's functions in an answer cell."""
    tree = ast.parse(cell.source)
    return [n for n in tree.body if isinstance(n, ast.FunctionDef) and n.name in names]


def _form(tree: ast.Module, prefix: str = "") -> Iterator[tuple[int, str]]:
    *body, last = tree.body
    if ast.unparse(last) != "task.mark()":
        yield (
            last.lineno,
            f"{prefix}a graded cell ends with `task.mark()`, else everyone gets full marks",
        )
    imports = [n for n in body if isinstance(n, ast.ImportFrom) and n.module == "proctor.marking"]
    tasks = 0
    for node in body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "task":
            tasks += 1
            if not (isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "Task"):
                yield node.lineno, f"{prefix}`task` is a `Task(…)`"
        elif isinstance(node, ast.Assign):
            try:
                ast.literal_eval(node.value)
            except ValueError:
                yield node.lineno, f"{prefix}a graded cell computes only inside its functions"
        elif isinstance(node, ast.FunctionDef):
            by = [
                ast.unparse(d.func) if isinstance(d, ast.Call) else "" for d in node.decorator_list
            ]
            if by not in ([], ["task"], ["task.misconception"]):
                yield (
                    node.lineno,
                    f"{prefix}a function is a helper, a check `@task(…)` or a `@task.misconception(…)`",
                )
        elif not isinstance(node, (ast.Import, ast.ImportFrom)):
            yield (
                node.lineno,
                f"{prefix}this bypasses the helper: "
                "a graded cell is imports, `task = Task(…)`, functions, `task.mark()`",
            )
    if tasks != 1 or not imports:
        yield 1, f"{prefix}a graded cell imports Task from proctor.marking and makes one `task`"
    for node in ast.walk(tree):
        if (
            isinstance(node, ast.Call)
            and ast.unparse(node.func) == "task.mark"
            and node is not getattr(last, "value", None)
        ):
            yield node.lineno, f"{prefix}`task.mark()` stands once, at the end"


def _points(exercise: Exercise, visible: str) -> Iterator[tuple[int, str]]:
    line = exercise.task.lineno
    if exercise.said_points != exercise.points:
        yield (
            line,
            f"Task(points={exercise.said_points:g}), nbgrader's metadata say {exercise.points:g}",
        )
    total = round(sum(check.points for check in exercise.checks), 6)
    if total != exercise.points:
        yield line, f"the checks are worth {total:g}, the exercise {exercise.points:g}"
    names = {n.name for n in ast.parse(visible).body if isinstance(n, ast.FunctionDef)}
    shown = sum(check.points for check in exercise.checks if check.name in names)
    if not 0 < shown <= VISIBLE_AT_MOST * exercise.points + 1e-9:
        yield (
            line,
            f"the visible checks are worth {shown:g} of {exercise.points:g}, should be above 0 and at most a fifth",
        )


def _uses(check: Share, names: list[str]) -> Iterator[ast.Call]:
    for node in ast.walk(check.node):
        if isinstance(node, ast.Call):
            called = isinstance(node.func, ast.Name) and node.func.id in names
            given = (
                bool(node.args) and isinstance(node.args[0], ast.Name) and node.args[0].id in names
            )
            if called or (
                given and ast.unparse(node.func) in ("task.agree", "task.tidy", "task.gradient")
            ):
                yield node


def _checks(exercise: Exercise) -> Iterator[tuple[int, str]]:
    seen: set[str] = set()
    for check in exercise.checks:
        line, text = check.node.lineno, ast.unparse(check.node)
        uses = list(_uses(check, exercise.names))
        calls = {id(n.func) for n in uses} | {
            id(n.args[0]) for n in uses if n.args and isinstance(n.func, ast.Attribute)
        }
        if not uses:
            yield line, f"{check.name} does not call {' or '.join(exercise.names)}"
        for node in ast.walk(check.node):
            if isinstance(node, ast.Name) and node.id in exercise.names and id(node) not in calls:
                yield (
                    line + node.lineno - line,
                    f"{check.name} passes {node.id} on: call it by name, or give it to task.agree, tidy or gradient",
                )
            if isinstance(node, ast.Lambda) and any(
                isinstance(n, ast.Name) and n.id in exercise.names for n in ast.walk(node)
            ):
                yield node.lineno, f"{check.name} wraps the student's function in a lambda"
        if ".backward(" in text:
            yield (
                line,
                f"{check.name} calls backward: gradients of a student's function are task.gradient's",
            )
        if not ast.get_docstring(check.node) and "task.tidy" not in text:
            yield (
                line,
                f"{check.name} says nothing when it fails: its docstring is the likely cause",
            )
        if check.needs and check.needs not in seen:
            yield line, f"{check.name} needs {check.needs!r}, which is no earlier check"
        if check.name in seen:
            yield line, f"a second check is named {check.name}"
        seen.add(check.name)


def _misconceptions(exercise: Exercise) -> Iterator[tuple[int, str]]:
    keys = [mistake.key for mistake in exercise.mistakes]
    line = exercise.task.lineno
    for key in exercise.sentences:
        if key not in keys:
            yield line, f"the misconception {key!r} has no function `@task.misconception(…)`"
    stubs = {
        f.name: [a.arg for a in f.args.args] for f in functions(exercise.answer, exercise.names)
    }
    for mistake in exercise.mistakes:
        at = mistake.node.lineno
        if not mistake.sentence:
            yield at, f"no sentence in `misconceptions=` says {mistake.key}"
        if not 0 <= mistake.points < exercise.points:
            yield (
                at,
                f"{mistake.key} deserves {mistake.points:g} of {exercise.points:g}: that is no loss",
            )
        if [a.arg for a in mistake.node.args.args] != stubs.get(mistake.of):
            yield at, f"{mistake.key} has another signature than {mistake.of}"
    for node in ast.walk(exercise.tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in TABLES:
            tables = (
                [node.args[2]]
                if len(node.args) > 2
                else [k.value for k in node.keywords if k.arg == "unless"]
            )
            for key in [
                key for table in tables if isinstance(table, ast.Dict) for key in table.keys
            ]:
                if not isinstance(key, ast.Constant) or key.value not in exercise.sentences:
                    said = ast.unparse(key) if key else "**"
                    yield (
                        node.lineno,
                        f"this names the misconception {said}, which `misconceptions=` does not say",
                    )
