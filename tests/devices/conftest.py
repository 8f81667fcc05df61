"""At the end of a run on a named device: how far the library is from the CPU there."""

from collections import defaultdict

import pytest

from tests.devices.discovery import place
from tests.on_device import ROUNDING, accelerator, named


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """A line for each chapter and type: how many calls, and the one that differs most."""
    rows = defaultdict(list)
    for report in terminalreporter.getreports("passed"):
        for key, measured in report.user_properties if report.when == "call" else ():
            if key == "measured":
                name, _, kind = report.nodeid.partition("[")[2].rstrip("]").rpartition("-")
                room = place(f"etude.{name}").removeprefix("tests/").removesuffix("/examples.py")
                rows[room, kind].append((measured, name.replace(".", "/").removeprefix(room)[1:]))
    if not (named() and rows):
        return
    write, width = terminalreporter.write_line, max(len(room) for room, _ in rows)
    terminalreporter.section(f"{accelerator()} against the CPU")
    write(f"{'':<{width}}  type     calls  differ by  at most")
    bounds = {str(kind).removeprefix("torch."): bound for kind, bound in ROUNDING.items()}
    for (room, kind), measured in sorted(rows.items()):
        worst, name = max(measured)
        line = f"{room:<{width}}  {kind}  {len(measured):>5}  {worst:>9.1e}  {bounds[kind]:>7.0e}"
        write(f"{line}  {name.replace('/', '.')}" if worst else line)
    write("relative where numbers are above 1; random draws are compared in kind only")
