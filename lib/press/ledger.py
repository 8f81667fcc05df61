"""Where the time goes: every step notes its seconds by chapter, and `make test` ends in the sum."""

import json
import re
from collections import defaultdict
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from press.layout import BUILD, slugs

FOLDER = BUILD / "ledger"
HOUSE = "the house"


def chapter_of_test(nodeid: str) -> str:
    """The chapter that a test belongs to: by its folder, by its notebook, or by its parameter."""
    by_name = {slug.rpartition("/")[2]: slug for slug in slugs()}
    path, _, parameters = nodeid.partition("[")
    for slug in slugs():
        if path.startswith((f"tests/{slug}/", f"tests/{slug}.py", f"tests/{slug}::")):
            return slug
    for word in re.findall(r"\w+", path.removeprefix("tests/") + " " + parameters):
        if word in by_name:
            return by_name[word]
    return HOUSE


def note(step: str, seconds: dict[str, float]) -> None:
    """Keep what one step cost each chapter."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{step}.json").write_text(json.dumps(seconds))


def forget() -> None:
    """Start a new ledger."""
    for file in FOLDER.glob("*.json"):
        file.unlink()


def show(folder: Path = FOLDER) -> None:
    """Print the seconds by chapter and step, the dearest chapter first."""
    steps = {file.stem: json.loads(file.read_text()) for file in sorted(folder.glob("*.json"))}
    totals: dict[str, float] = defaultdict(float)
    for seconds in steps.values():
        for chapter, value in seconds.items():
            totals[chapter] += value
    table = Table(title="Seconds by chapter")
    table.add_column("chapter")
    for step in [*steps, "all"]:
        table.add_column(step, justify="right")
    for chapter in sorted(totals, key=totals.__getitem__, reverse=True):
        cells = [f"{seconds.get(chapter, 0):.1f}" for seconds in steps.values()]
        table.add_row(chapter, *cells, f"{totals[chapter]:.1f}")
    table.add_section()
    sums = [sum(seconds.values()) for seconds in steps.values()]
    table.add_row("all", *(f"{value:.1f}" for value in sums), f"{sum(sums):.1f}")
    Console().print(table)


class Ledger:
    """A pytest plugin that adds up the seconds of the tests by chapter."""

    def __init__(self, config: pytest.Config) -> None:
        self.worker = hasattr(config, "workerinput")
        self.seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of a test."""
        self.seconds[chapter_of_test(report.nodeid)] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Note the sums, once and not in every worker."""
        if not self.worker:
            note("tests", self.seconds)
