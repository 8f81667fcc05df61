"""`make test`: everything that CI runs, in the order in which a fault is cheapest to find."""

import json
import os
import subprocess
import sys
from pathlib import Path

import torch
import yaml

from press import build, check, ledger, packages
from press.layout import BUILD, ROOT, Fault, homes, only, relative

PARITY = ROOT / "book" / "parity.yml"
COLLECTED = BUILD / "parity"
KEYS = ("chapter", "item", "reference", "tolerance")


def pytest(*words: str, **environment: str) -> None:
    """Run pytest; its failure is ours.

    Raises:
        Fault: a test failed.
    """
    command = [sys.executable, "-m", "pytest", "-q", "--durations=30", "--durations-min=5", *words]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | environment)
    if done.returncode:
        raise Fault(f"pytest failed: {' '.join(words)}")


def everything(slug: str) -> int:
    """Check, build from a clean start, test, compare the parity table, and print the ledger."""
    chosen = only(slug)
    ledger.forget()
    for file in COLLECTED.glob("*.jsonl"):
        file.unlink()
    if check.check():
        raise Fault("make check found what stands above")
    packages.need("bwrap", "bubblewrap")  # in which students' code is confined
    pages = [f"book/{chapter}" for chapter in chosen] if slug else None
    seconds = build.build(pages, clean=True)
    ledger.note("page", {page.removeprefix("book/"): value for page, value in seconds.items()})
    if slug:
        pytest("-n", "2", *belonging(slug), ETUDE_ONLY=slug)
    else:
        pytest("-n", "2", "tests")
    compare_parity(chosen)
    ledger.show()
    return 0


def belonging(slug: str) -> list[str]:
    """The tests of one chapter: its own, its assignment's, its page's."""
    name = slug.rpartition("/")[2]
    folder = homes(slug)["tests"]
    shared = ["tests/devices", "tests/lab", "tests/house/test_downloads.py"]
    return [relative(folder), "tests/proctor", "tests/site", *shared, "-k", name]


def rows() -> list[dict]:
    """What the tests have just compared, in the order of the table."""
    found = {}
    for file in sorted(COLLECTED.glob("*.jsonl")):
        for line in file.read_text().splitlines():
            row = json.loads(line)
            key = (row["chapter"], row["item"], row["reference"])
            # Of an item that several tests compare, the table shows the largest difference.
            if key not in found or row["measured"] > found[key]["measured"]:
                found[key] = row
    return sorted(found.values(), key=lambda row: (row["chapter"], row["item"], row["reference"]))


def compare_parity(chosen: list[str]) -> None:
    """Hold the published table to what was measured; PARITY=write makes it anew.

    Raises:
        Fault: a row is missing, or is there although no test compares it.
    """
    measured = [row for row in rows() if row["chapter"] in chosen]
    published = yaml.safe_load(PARITY.read_text()) or []
    if os.environ.get("PARITY") == "write":
        kept = [row for row in published if row["chapter"] not in chosen]
        text = yaml.safe_dump(kept + measured, sort_keys=False, allow_unicode=True)
        PARITY.write_text(text)
        print(f"{relative(PARITY)}: {len(measured)} rows written")
        return
    want, have = ({tuple(row[k] for k in KEYS) for row in side} for side in (measured, published))
    have = {row for row in have if row[0] in chosen}
    if want != have:
        faults = [f"  missing: {row}" for row in sorted(want - have)]
        faults += [f"  no test compares: {row}" for row in sorted(have - want)]
        cure = "make it anew with PARITY=write make test"
        raise Fault(f"{relative(PARITY)}:1: out of date; {cure}\n" + "\n".join(faults))
    print(f"parity: {len(want)} rows, as published")


def on_gpu() -> int:
    """The device tests on the accelerator of this machine, and how far it is from the CPU.

    Raises:
        Fault: there is none, or a test failed on it.
    """
    found = torch.accelerator.current_accelerator(check_available=True)
    if found is None:
        raise Fault("torch finds no accelerator here; on the pretended one, make test runs them")
    pytest("-m", "device", "tests", ETUDE_DEVICE=found.type)
    return 0


def bench(slug: str) -> int:
    """Run each benchmark in a process of its own: a chapter's, or the graders'."""
    folder = ROOT / "benchmarks"
    named = folder / f"{slug}.py"
    files = [named] if slug and named.exists() else [folder / f"{c}.py" for c in only(slug)]
    for file in filter(Path.exists, files):
        print(f"\n{relative(file)}", flush=True)
        if subprocess.run([sys.executable, "-P", str(file)], cwd=ROOT).returncode:
            raise Fault(f"{relative(file)} failed")
    return 0
