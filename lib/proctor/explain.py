"""Answers to "my mark is wrong": one submission cell by cell, one file without the gradebook, and what works here."""

import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import nbformat

from proctor import collect
from proctor.collect import Handed, Unusable
from proctor.gradebook import Book
from proctor.pen import sandbox
from proctor.workers import Pool

COLOR = re.compile(r"\033\[\d+m")


def words_of(outputs: list[dict[str, Any]]) -> str:
    """What a cell printed and which error it ended in."""
    said = [one.get("text") or "\n".join(one.get("traceback", ())[-1:]) for one in outputs]
    return COLOR.sub("", "\n".join(filter(None, said))).strip()


def explain(course: Path, name: str, student: str) -> int:
    """Everything that is known of one student's mark."""
    book = Book(course, name)
    try:
        grades = book.scores(student)
        if not grades:
            raise Unusable(f"{student} has no row in the gradebook for {name}")
        known = sorted((v["graded"], d, v) for (s, d), v in book.recorded().items() if s == student)
        folder = Path(
            book.directory.format_path(book.directory.autograded_directory, student, name)
        )
        outputs: dict[str, str] = {}
        for path in sorted(folder.glob("*.ipynb")):
            for cell in nbformat.read(path, as_version=4).cells:
                key = cell.metadata.get("nbgrader", {}).get("grade_id", "")
                if key and cell.cell_type == "code":
                    outputs[key] = words_of(cell.outputs)
        for when, mark, detail in known:
            versions = ", ".join(f"{k} {v}" for k, v in detail.get("versions", {}).items())
            print(
                f"graded {when[:19]} UTC, submission {mark[:12]}, seed {detail.get('seed')}, {versions}"
            )
            if detail.get("unsafe"):
                print("graded with --unsafe: the student's code could change its own mark")
            for note in detail.get("notes", ()):
                print(f"  {note}")
        seconds = known[-1][2].get("cells", {}) if known else {}
        for key, grade in grades.items():
            auto = "none" if grade.auto_score is None else f"{grade.auto_score:g}"
            by_hand = (
                f", by a person {grade.manual_score:g}" if grade.manual_score is not None else ""
            )
            took = f", {seconds[key]:.2f} s" if key in seconds else ""
            print(f"\n{key}: {auto} of {grade.max_score:g}{by_hand}{took}")
            if outputs.get(key):
                print("\n".join(f"    {line}" for line in outputs[key].splitlines()))
    finally:
        book.close()
    return 0


def attempt(course: Path, name: str, path: Path, seed: str, confined: bool) -> int:
    """Grade one file and tell the result; the gradebook is not touched."""
    raw, fault = collect.read_regular(path, collect.NOTEBOOK)
    if fault:
        raise Unusable(f"{path} {fault}")
    with tempfile.TemporaryDirectory() as folder:
        book = Book(course, name, url=f"sqlite:///{folder}/gradebook.db")
        try:
            book.prepare()
            spec = book.spec(seed)
        finally:
            book.close()
    one = Handed(path.stem, {path.name: raw})
    collect.named(one, list(spec["notebooks"]))
    _, result = next(iter(Pool(spec, 1, confined).grade([one])))
    if "broken" in result:
        print(f"needs a person: {result['broken']}")
        return 1
    for note in result["notes"]:
        print(note)
    total = 0.0
    for notebook, graded in result["notebooks"].items():
        told = {cell["key"]: words_of(cell["outputs"]) for cell in graded["cells"] if cell["key"]}
        for key, score in graded["scores"].items():
            most = spec["notebooks"][notebook]["cells"][key]["points"]
            total += score or 0
            print(f"\n{key}: {'for a person' if score is None else f'{score:g}'} of {most:g}")
            if told.get(key):
                print("\n".join(f"    {line}" for line in told[key].splitlines()))
    print(f"\n{total:g} points so far")
    return 0


PROBE = """
import os, socket
from pathlib import Path
print("processes it sees:", sum(name.isdigit() for name in os.listdir("/proc")))
try:
    socket.create_connection(("127.0.0.1", 22), 1)
    print("network: REACHED")
except OSError as error:
    print("network: none")
for place in ("/usr/probe", os.path.join(os.path.dirname(os.__file__), "probe")):
    try:
        Path(place).write_text("")
        print("wrote", place)
    except OSError:
        print("read-only:", os.path.dirname(place))
print("homes it sees:", [p for p in ("/home", "/mnt", "/srv", "/var") if os.path.isdir(p) and os.listdir(p)] or "none")
"""


def doctor() -> int:
    """Say what works on this machine: 0 when students' code is confined, else 2."""
    why = sandbox.missing()
    if not why:
        done = subprocess.run(["bwrap", "--version"], capture_output=True, text=True)
        print(f"ok   {done.stdout.strip()} at {shutil.which('bwrap')}")
        start = time.monotonic()
        try:
            spec: dict[str, Any] = {"notebooks": {"probe": {
                "cells": {}, "imports": [""], "exports": [], "kernelspec": {},
            }}}  # fmt: skip
            nb = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(PROBE)])
            one = Handed("probe", {"probe.ipynb": nbformat.writes(nb).encode()})
            _, result = next(iter(Pool(spec, 1).grade([one])))
            if "broken" in result:
                why = result["broken"]
            else:
                print(
                    f"ok   a box, a warden, a student and a referee in {time.monotonic() - start:.1f} s"
                )
                for line in words_of(
                    result["notebooks"]["probe"]["cells"][0]["outputs"]
                ).splitlines():
                    print(f"     {line}")
        except (sandbox.NotConfined, RuntimeError) as error:
            why = str(error)
    if why:
        print(
            f"FAIL {why}\n     To grade safely: {sandbox.CURES}.\n     At your own risk: --unsafe"
        )
        return 2
    print("ok   students' code is confined")
    return 0
