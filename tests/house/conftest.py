"""A copy of the house in which a test may break something."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from press.layout import ROOT, tracked


class Copy:
    """The tree as git sees it, untracked files included, in a folder of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in tracked():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, root / name)
        subprocess.run(["git", "init", "-q"], cwd=root, check=True)

    def run(self, *words: str) -> subprocess.CompletedProcess:
        """Run Python on the copy's own packages."""
        environment = os.environ | {"PYTHONPATH": str(self.root / "lib")}
        command = [sys.executable, *words]
        return subprocess.run(
            command, cwd=self.root, env=environment, capture_output=True, text=True
        )

    def faults(self) -> str:
        """What the rules of the house say of the copy."""
        done = self.run("-m", "press", "rules")
        return done.stdout + done.stderr

    def edit(self, name: str, change: Callable[[str], str]) -> Callable[[], None]:
        """Change a file of the copy; return how to undo it."""
        path = self.root / name
        before = path.read_text("utf8") if path.exists() else None
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(change(before or ""), "utf8")

        def undo() -> None:
            path.unlink() if before is None else path.write_text(before, "utf8")

        return undo


@pytest.fixture(scope="session")
def whole_copy(tmp_path_factory: pytest.TempPathFactory) -> Copy:
    return Copy(tmp_path_factory.mktemp("house"))


@pytest.fixture
def house(whole_copy: Copy) -> Iterator[Copy]:
    """The copy; what a test edits with `house.edit` is put back afterwards."""
    undo: list[Callable[[], None]] = []
    plain = whole_copy.edit
    whole_copy.edit = lambda name, change: undo.append(plain(name, change))  # type: ignore[method-assign]
    yield whole_copy
    whole_copy.edit = plain  # type: ignore[method-assign]
    for back in reversed(undo):
        back()
