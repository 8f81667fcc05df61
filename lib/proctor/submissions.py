"""Collect a class: find each student's file, take regular files only, and say what a file that cannot be graded is.

A folder holds <student>/<anything>.ipynb, or <student>.ipynb, or <student>_<assignment>.ipynb as a download names it.
"""

import json
import os
import re
import stat
from dataclasses import dataclass
from pathlib import Path

import nbformat

STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
LARGEST = 20_000_000  # bytes, stored outputs counted
MOST_CELLS = 1000


class Unusable(ValueError):
    """A class that cannot be collected."""


@dataclass
class Submission:
    """One student's file, and why it cannot be graded, if so."""

    student: str
    path: Path
    reason: str = ""
    text: str = ""


def find(folders: list[Path], assignment: str) -> list[Submission]:
    """The submissions of a class, one a student, in the order of their names."""
    found: dict[str, Submission] = {}
    for folder in folders:
        if not folder.is_dir():
            raise Unusable(f"{folder} is not a folder")
        for student, path in _files(folder, assignment):
            if not STUDENT.fullmatch(student):
                raise Unusable(
                    f"{path}: {student!r} is no name of a student: letters, digits, . _ and -"
                )
            if student in found:
                raise Unusable(f"{student} handed in twice: {found[student].path} and {path}")
            found[student] = _load(student, path)
    if not found:
        names = ", ".join(map(str, folders))
        raise Unusable(
            f"no submission in {names}: expected <student>/{assignment}.ipynb or <student>.ipynb"
        )
    return [found[student] for student in sorted(found)]


def _files(folder: Path, assignment: str) -> list[tuple[str, Path]]:
    files = []
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith("."):
            continue
        if entry.is_dir() and not entry.is_symlink():
            inside = [p for p in sorted(entry.iterdir()) if p.suffix == ".ipynb"]
            inside = [p for p in inside if p.stem == assignment] or inside
            files.append((entry.name, inside[0] if inside else entry / f"{assignment}.ipynb"))
        elif entry.suffix == ".ipynb":
            files.append((entry.stem.removesuffix(f"_{assignment}"), entry))
        else:
            raise Unusable(f"{entry} is no notebook and no student's folder; unpack archives first")
    return files


def _load(student: str, path: Path) -> Submission:
    """Read a file that may be anything."""
    found = Submission(student, path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        found.reason = (
            "is a link"
            if path.is_symlink()
            else "is missing"
            if not path.exists()
            else "cannot be read"
        )
        return found
    with os.fdopen(handle, "rb") as file:
        info = os.fstat(file.fileno())
        if not stat.S_ISREG(info.st_mode):
            found.reason = "is not a regular file"
        elif info.st_size > LARGEST:
            found.reason = f"is larger than {LARGEST // 1_000_000} MB"
        else:
            found.text, found.reason = _understand(file.read(LARGEST + 1))
    return found


def _understand(raw: bytes) -> tuple[str, str]:
    if not raw.strip():
        return "", "is empty"
    try:
        text = raw.decode("utf-8-sig")
        data = json.loads(text)
    except UnicodeDecodeError:
        return "", "is not UTF-8 text"
    except (ValueError, RecursionError):
        return "", "is not JSON"
    if (
        not isinstance(data, dict)
        or data.get("nbformat") != 4
        or not isinstance(data.get("cells"), list)
    ):
        return "", "is not a notebook of format 4"
    if len(data["cells"]) > MOST_CELLS:
        return "", f"has more than {MOST_CELLS} cells"
    try:
        nb = nbformat.reads(text, as_version=4)
        nbformat.validate(nb)
        return nbformat.writes(nb), ""
    except Exception:
        return "", "is not a notebook of format 4"
