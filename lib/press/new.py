"""Lay out a chapter's homes as a draft, or give a chapter another name everywhere."""

import re
from pathlib import Path
from string import Template

from press.layout import ROOT, Fault, homes, interlude, relative, slugs, syllabus, tracked

TEMPLATES = Path(__file__).with_name("draft")
DRAFT = {
    "page": "page.md.txt",
    "library": "module.py.txt",
    "solution": "solution.py.txt",
    "answers": "answers.py.txt",
    "benchmark": "benchmark.py.txt",
}


def title(slug: str) -> str:
    """The chapter's title in the syllabus; an interlude is called as it is named."""
    if interlude(slug):
        return slug.rpartition("/")[2].replace("_", " ").capitalize()
    found = {
        f"{part['part']}/{chapter['slug']}": chapter["title"]
        for part in syllabus()
        for chapter in part["chapters"]
    }
    if slug not in found:
        close = [known for known in slugs() if known.rpartition("/")[2] in slug] or slugs()[:3]
        raise Fault(f"chapter={slug}: not in book/syllabus.yml; perhaps {', '.join(close)}")
    return found[slug]


def lay_out(slug: str) -> list[Path]:
    """Write every home of the chapter that is not there yet; return what was written."""
    part, _, name = slug.rpartition("/")
    words = {"slug": slug, "title": title(slug), "name": name, "part": part}
    where = homes(slug)
    files = {where[home]: file for home, file in DRAFT.items() if home in where}
    files[where["tests"] / f"test_{name}.py"] = "test.py.txt"
    written = []
    for path, file in files.items():
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(
                Template((TEMPLATES / file).read_text("utf8")).substitute(words), "utf8"
            )
            written.append(path)
    package = ROOT / "lib" / "etude" / part / "__init__.py"
    if not package.exists():
        package.touch()
        written.append(package)
    return written


def replacements(part: str, old: str, new: str) -> list[tuple[str, str]]:
    """The forms in which a chapter's name stands in a file: path, module, import, assignment."""
    forms = [
        (rf"\b{part}([/.]){old}\b", rf"{part}\g<1>{new}"),
        (rf"\b(from etude\.{part} import ){old}\b", rf"\g<1>{new}"),
        (rf"\b(solutions|exercises|work)/{old}/{old}\b", rf"\g<1>/{new}/{new}"),
        (rf"\b(solutions|exercises|work)/{old}\b", rf"\g<1>/{new}"),
        (rf"(?m)^(  - slug: ){old}$", rf"\g<1>{new}"),
    ]
    return forms


def rename(slug: str, to: str) -> list[str]:
    """Move a chapter's homes and rewrite its name wherever it stands; return the changed files.

    Raises:
        Fault: there is no such chapter, the new name is taken, or it is in another part.
    """
    title(slug)
    (part, _, old), (other, _, new) = slug.rpartition("/"), to.rpartition("/")
    if part != other or not re.fullmatch(r"[a-z][a-z0-9_]*", new):
        raise Fault(f"to={to}: expected {part}/new_name in lower case")
    if new in {known.rpartition("/")[2] for known in slugs()}:
        raise Fault(f"to={to}: the name {new} is taken")
    before, after = homes(slug), homes(to)
    after["library"] = (
        after["library"].with_suffix("") if before["library"].is_dir() else after["library"]
    )
    after.setdefault("benchmark", ROOT / "benchmarks" / f"{to}.py")
    for home in before.keys() & {"page", "library", "tests", "benchmark"}:
        move(before[home], after[home])
    for room in ("solutions", "exercises"):
        move(ROOT / room / old, ROOT / room / new)
        for file in (ROOT / room / new).glob(f"{old}.*"):
            file.rename(file.with_name(new + file.suffix))
    changed = []
    for name in tracked():
        path = ROOT / name
        if path.suffix in (".md", ".py", ".yml", ".toml", ".ipynb", ".txt"):
            text = fresh = path.read_text("utf8")
            for pattern, replacement in replacements(part, old, new):
                fresh = re.sub(pattern, replacement, fresh)
            if fresh != text:
                path.write_text(fresh, "utf8")
                changed.append(relative(path))
    return changed


def move(before: Path, after: Path) -> None:
    """Move a home that exists."""
    if before.exists():
        after.parent.mkdir(parents=True, exist_ok=True)
        before.rename(after)
