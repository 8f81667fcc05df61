"""What is out of step, in seconds: tools side by side, then the rules of the house."""

import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from press import rules
from press.layout import ROOT, Fault

BIN = Path(sys.executable).parent
TOOLS = {
    "ruff": ["ruff", "check", "--quiet", "."],
    "format": ["ruff", "format", "--check", "--quiet", "lib", "tests", "benchmarks"],
    "pyright": ["pyright", "--pythonpath", sys.executable],
    "layers": ["lint-imports", "--no-logo"],
    "codespell": ["codespell", "."],
    "assignments": ["proctor", "check"],
}


def tool(name: str) -> tuple[str, float, str]:
    """Run one tool; return its name, seconds, and what it complains of."""
    start = time.perf_counter()
    program, *words = TOOLS[name]
    command = [str(BIN / program), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    text = (done.stdout + done.stderr).strip()
    return name, time.perf_counter() - start, text if done.returncode else ""


def house() -> tuple[str, float, str]:
    """The rules of the house, as faults with file and line."""
    start = time.perf_counter()
    try:
        found = rules.faults()
    except Fault as fault:
        found = [str(fault)]
    return "house", time.perf_counter() - start, "\n".join(found)


def check() -> int:
    """Print a line for each tool, and every fault; 1 when there is one."""
    for draft, lacks in rules.drafts().items():
        print(f"draft {draft}: still lacks {', '.join(lacks) or 'nothing: put it into _toc.yml'}")
    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(tool, TOOLS), house()]
    for name, seconds, text in results:
        print(f"{'FAIL' if text else 'ok  '} {name:<12} {seconds:5.1f} s")
        if text:
            print(text)
    return int(any(text for *_, text in results))
