"""What a graded cell may not ask of functions that live in another process: only data crosses."""

import ast
from collections.abc import Iterator

from proctor.exercise import Exercise

OPTIMIZER = "an optimizer here would step copies of the student's parameters: let the student's function take the step"
SOURCE = "the source of a student's function does not cross: examine what it does"
REPLACED = "a name of the student's is replaced only on this side: hand the replacement over as an argument"
DERIVED = "a class of the student's cannot be a base here: examine an object of it"
MODULE = "a module that is passed in is known to the student by calls only, without gradients: pass tensors"


def faults(exercise: Exercise) -> Iterator[tuple[int, str]]:
    """Line and sentence of everything that would not get the mark that it deserves."""
    names = set(exercise.names)
    for node in ast.walk(exercise.tree):
        if isinstance(node, ast.Call):
            function = ast.unparse(node.func)
            if function.startswith("inspect.getsource") and _mentions(node, names):
                yield node.lineno, SOURCE
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and node.id in names:
            yield node.lineno, REPLACED
        if isinstance(node, ast.ClassDef) and any(_mentions(base, names) for base in node.bases):
            yield node.lineno, DERIVED
    for check in exercise.checks:
        yield from _modules(check.node, names)
        for node in ast.walk(check.node):
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith(
                ("torch.optim.", "optim.")
            ):
                yield node.lineno, OPTIMIZER


def _mentions(node: ast.AST, names: set[str]) -> bool:
    return any(isinstance(n, ast.Name) and n.id in names for n in ast.walk(node))


def _is_module(node: ast.AST) -> bool:
    """Whether this makes a module: nn.Linear(…), torch.nn.Sequential(…)."""
    if not isinstance(node, ast.Call):
        return False
    owner, _, name = ast.unparse(node.func).rpartition(".")
    return owner in ("nn", "torch.nn") and name[:1].isupper() and name != "Parameter"


def _modules(check: ast.FunctionDef, names: set[str]) -> Iterator[tuple[int, str]]:
    made = {
        target.id
        for node in ast.walk(check)
        if isinstance(node, ast.Assign) and _is_module(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(check):
        if isinstance(node, ast.Call) and _mentions(ast.Tuple([node.func, *node.args[:1]]), names):
            given = [*node.args, *(keyword.value for keyword in node.keywords)]
            if any(_is_module(g) or (isinstance(g, ast.Name) and g.id in made) for g in given):
                yield node.lineno, MODULE
