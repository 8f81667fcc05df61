"""Where things are: the root, the contents, and the homes of a chapter."""

import functools
import subprocess
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "_build"
SITE = BUILD / "html"
INTERLUDES = ROOT / "book" / "mechanisms"


class Fault(Exception):
    """Something that an author must mend; the message names file and line."""


@functools.cache
def load(path: Path) -> Any:
    """A YAML file, or a fault that says where it does not parse."""
    try:
        return yaml.safe_load(path.read_text("utf8"))
    except FileNotFoundError:
        raise Fault(f"{relative(path)}:1: the file is missing") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        problem = getattr(error, "problem", None) or error
        raise Fault(f"{relative(path)}:{line}: does not parse as YAML: {problem}") from None


def tracked() -> list[str]:
    """Every file that git tracks or would track, by its path from the root."""
    listed = ["git", "ls-files", "-co", "--exclude-standard"]
    names = subprocess.check_output(listed, cwd=ROOT, text=True).splitlines()
    return [name for name in names if (ROOT / name).is_file()]


def relative(path: Path) -> str:
    """The path as an author would type it."""
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else str(path)


def syllabus() -> list[dict]:
    """The parts of the course, each with its chapters and their items."""
    return load(ROOT / "book" / "syllabus.yml")


def interlude(slug: str) -> bool:
    """Whether a chapter is a short page about a mechanism: no assignment, not in the syllabus."""
    return slug.startswith("mechanisms/")


@functools.cache
def slugs() -> tuple[str, ...]:
    """Every chapter that the course will have, in reading order, then the interludes it has."""
    course = (
        f"{part['part']}/{chapter['slug']}" for part in syllabus() for chapter in part["chapters"]
    )
    return (*course, *(f"mechanisms/{page.stem}" for page in sorted(INTERLUDES.glob("*.md"))))


def documents() -> list[str]:
    """The pages in the contents, in order, without suffix: `book/formulas/linear_regression`."""
    path = ROOT / "_toc.yml"
    toc = load(path)
    try:
        found = [toc["root"]]
        found += [page["file"] for part in toc["parts"] for page in part["chapters"]]
    except (KeyError, TypeError) as error:
        raise Fault(
            f"_toc.yml:1: expected root, and parts with chapters, each a file: no {error}"
        ) from None
    lines = path.read_text("utf8").splitlines()
    for document in found:
        if not (ROOT / f"{document}.md").exists():
            line = next((n for n, text in enumerate(lines, 1) if document in text), 1)
            raise Fault(f"_toc.yml:{line}: names {document}, but {document}.md does not exist")
    return found


def chapters() -> list[str]:
    """The slugs of the chapters in the contents, in order."""
    return [slug for slug in (d.removeprefix("book/") for d in documents()) if slug in slugs()]


def only(slug: str | None) -> list[str]:
    """The chapters that a command is about: one, or all."""
    if not slug:
        return chapters()
    if slug not in chapters():
        known = ", ".join(chapters())
        raise Fault(f"only={slug}: no such chapter in _toc.yml; there are {known}")
    return [slug]


def front_matter(path: Path) -> dict:
    """The YAML between the first two lines of three dashes."""
    text = path.read_text("utf8")
    if not text.startswith("---\n"):
        return {}
    return yaml.safe_load(text.split("---\n", 2)[1]) or {}


def homes(slug: str) -> dict[str, Path]:
    """The places of a chapter, whether they exist yet or not; an interlude has fewer."""
    name = slug.rpartition("/")[2]
    module = ROOT / "lib" / "etude" / slug
    every = {
        "page": ROOT / "book" / f"{slug}.md",
        "library": module if module.is_dir() else module.with_suffix(".py"),
        "tests": ROOT / "tests" / slug,
    }
    benchmark = ROOT / "benchmarks" / f"{slug}.py"
    if interlude(slug):
        return every | ({"benchmark": benchmark} if benchmark.exists() else {})
    return every | {
        "solution": ROOT / "solutions" / name / f"{name}.py",
        "notebook": ROOT / "solutions" / name / f"{name}.ipynb",
        "answers": ROOT / "solutions" / name / "answers.py",
        "exercise": ROOT / "exercises" / name / f"{name}.ipynb",
        "benchmark": benchmark,
    }
