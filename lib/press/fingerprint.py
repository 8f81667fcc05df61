"""What a chapter's outputs depend on besides its own cells: the modules it imports, and the lock.

The execution cache knows a page by its code cells only: a changed library would keep old outputs.
"""

import ast
import functools
import hashlib
import importlib.util
import re
from pathlib import Path

import grimp

from press.layout import ROOT, front_matter

CELL = re.compile(r"^```\{code-cell\}.*\n((?::.*\n|---\n(?:.*\n)*?---\n)*)((?:.*\n)*?)```", re.M)


@functools.cache
def graph() -> grimp.ImportGraph:
    """Who imports whom in the library, as it stands now."""
    return grimp.build_graph("etude", cache_dir=None)


def code(page: Path) -> str:
    """The code cells of a page, one below the other, magics left out."""
    cells = "\n".join(match[2] for match in CELL.finditer(page.read_text("utf8")))
    return re.sub(r"^\s*[%!].*$", "", cells, flags=re.M)


def imported(source: str) -> set[str]:
    """The modules that some code imports itself, the packages around them included."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    known = graph().modules
    parents = {name.rsplit(".", depth)[0] for name in names for depth in range(name.count(".") + 1)}
    return {name for name in names | parents if name in known}


def needed(page: Path) -> set[str]:
    """Every module of the library that runs when the page runs."""
    found: set[str] = set()
    todo = imported(code(page))
    while todo:
        found |= todo
        packages = {name.rpartition(".")[0] for name in todo} & graph().modules
        direct = {m for name in todo for m in graph().find_modules_directly_imported_by(name)}
        todo = (direct | packages) - found
    return found


def files(module: str) -> list[Path]:
    """The module's file, and what lies beside it that is no Python: scripts, weights, data."""
    spec = importlib.util.find_spec(module)
    if spec is None or spec.origin is None:
        return []
    origin = Path(spec.origin)
    beside = [
        p
        for p in sorted(origin.parent.iterdir())
        if p.is_file() and p.suffix not in (".py", ".pyc")
    ]
    return [origin, *beside]


def fingerprint(page: Path) -> str:
    """A digest that changes when, and only when, the page must run again."""
    digest = hashlib.sha256((ROOT / "requirements.lock").read_bytes())
    cells = [match[2] for match in CELL.finditer(page.read_text("utf8"))]
    digest.update(repr([front_matter(page).get("kernelspec"), cells]).encode())
    paths = {path for module in needed(page) for path in files(module)}
    for path in sorted(paths):
        digest.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return digest.hexdigest()
