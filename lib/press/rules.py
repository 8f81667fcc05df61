"""The rules of the house that no other tool knows; each yields faults with file and line."""

import ast
import importlib
import re
import subprocess
import tomllib
from collections.abc import Iterator

import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from press import fingerprint, layout
from press.contract import anchors, lacks
from press.layout import ROOT, chapters, documents, front_matter, homes, relative, syllabus

LABEL = re.compile(r"^\$\$ *\(([\w.-]+)\)", re.M)
MARK = re.compile(r"# Eq\. \(([^)]*)\)")
LONGEST = 250


def line_of(text: str, position: int) -> int:
    """The number of the line that holds a position."""
    return text.count("\n", 0, position) + 1


def equations() -> Iterator[str]:
    """An equation named in code but not in a chapter; a label that two equations have."""
    known: dict[str, str] = {}
    for page in sorted((ROOT / "book").rglob("*.md")):
        text = page.read_text("utf8")
        for match in LABEL.finditer(text):
            place = f"{relative(page)}:{line_of(text, match.start())}"
            if match[1] in known:
                yield f"{place}: equation label {match[1]} is taken by {known[match[1]]}"
            known[match[1]] = place
    for module in sorted((ROOT / "lib" / "etude").rglob("*.py")):
        text = module.read_text("utf8")
        for match in MARK.finditer(text):
            if match[1] not in known:
                place = f"{relative(module)}:{line_of(text, match.start())}"
                yield f"{place}: names equation {match[1]}, but no chapter has that label"


def figures() -> Iterator[str]:
    """A figure of a page that does not say what it shows."""
    for document in documents():
        page = ROOT / f"{document}.md"
        text = page.read_text("utf8")
        for cell in fingerprint.CELL.finditer(text):
            source = re.sub(r"^\s*[%!].*$", "", cell[2], flags=re.M)
            first = line_of(text, cell.start(2))
            try:
                tree = ast.parse(source)
            except SyntaxError as error:
                yield f"{relative(page)}:{first + (error.lineno or 1) - 1}: {error.msg}"
                continue
            for call in ast.walk(tree):
                if isinstance(call, ast.Call) and ast.unparse(call.func) in ("show", "play"):
                    place = f"{relative(page)}:{first + call.lineno - 1}"
                    yield from (f"{place}: the figure has no {word}" for word in unsaid(call))


def unsaid(call: ast.Call) -> list[str]:
    """The words that a figure must say and does not, or says with nothing."""
    given = {k.arg: k.value for k in call.keywords}
    empty = [
        k for k, v in given.items() if isinstance(v, ast.Constant) and not str(v.value).strip()
    ]
    return [word for word in ("name", "alt", "caption") if word not in given or word in empty]


def map_of_the_course() -> Iterator[str]:
    """An item of a chapter that exists, without its place, symbol, exercise or test."""
    path = ROOT / "book" / "syllabus.yml"
    lines = path.read_text("utf8").splitlines()
    for part in syllabus():
        for chapter in part["chapters"]:
            slug = f"{part['part']}/{chapter['slug']}"
            if slug not in chapters():
                continue
            for item in chapter["items"]:
                where = re.compile(rf"\bid: {item['id']}(?![\w-])")
                number = next(n for n, text in enumerate(lines, 1) if where.search(text))
                for fault in item_faults(slug, item):
                    yield f"book/syllabus.yml:{number}: {item['id']}: {fault}"


def item_faults(slug: str, item: dict) -> Iterator[str]:
    """What one item claims and is not so."""
    if {"section", "symbol", "exercise", "test"} - item.keys():
        return  # said by the chapter's contract
    where = homes(slug)
    if item["section"] not in anchors(where["page"]):
        yield f"{relative(where['page'])} has no section #{item['section']}"
    module, _, name = item["symbol"].rpartition(".")
    try:
        if not hasattr(importlib.import_module(module), name):
            yield f"{module} has no {name}"
    except ImportError as error:
        yield str(error)
    solution = where["solution"]
    if not solution.exists() or f'"{item["exercise"]}-check"' not in solution.read_text("utf8"):
        yield f"{relative(where['solution'])} has no exercise {item['exercise']}"
    file, _, test = item["test"].partition("::")
    if not (ROOT / file).exists() or f"def {test}(" not in (ROOT / file).read_text("utf8"):
        yield f"there is no test {item['test']}"


def chapters_have_their_homes() -> Iterator[str]:
    """A chapter in the contents that is a draft, or lacks a home."""
    for slug in chapters():
        page = homes(slug)["page"]
        if front_matter(page).get("status") == "draft":
            yield f"{relative(page)}:1: is a draft, and drafts stay out of the contents"
        yield from (f"{relative(page)}:1: the chapter lacks {lack}" for lack in lacks(slug))


def drafts() -> dict[str, list[str]]:
    """The chapters that have a page and stay out of the contents, and what each lacks."""
    return {
        slug: lacks(slug)
        for slug in layout.slugs()
        if slug not in chapters() and homes(slug)["page"].exists()
    }


def configurations() -> Iterator[str]:
    """A configuration that does not parse."""
    layout.load(ROOT / "_config.yml")
    layout.load(ROOT / "book" / "parity.yml")
    try:
        ast.parse((ROOT / "nbgrader_config.py").read_text("utf8"))
    except SyntaxError as error:
        yield f"nbgrader_config.py:{error.lineno}: {error.msg}"


def library() -> Iterator[str]:
    """A module that is too long to read in one sitting; the library hidden from git."""
    for module in sorted((ROOT / "lib").rglob("*.py")):
        count = len(module.read_text("utf8").splitlines())
        if count > LONGEST:
            yield f"{relative(module)}:{LONGEST}: has {count} lines, at most {LONGEST}"
    ignored = subprocess.run(
        ["git", "check-ignore", "-q", "lib/etude/__init__.py"], cwd=ROOT, capture_output=True
    )
    if ignored.returncode == 0:
        yield ".gitignore:1: hides lib/"


def lock() -> Iterator[str]:
    """A lock with local versions, paths or hosts."""
    for number, row in enumerate((ROOT / "requirements.lock").read_text().splitlines(), 1):
        if not row.startswith("#") and not re.fullmatch(r"[a-z0-9._-]+==[\w.!]+", row):
            yield f"requirements.lock:{number}: {row!r} is not a plain name==version"


def environment() -> Iterator[str]:
    """environment.yml against pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    have: dict[str, SpecifierSet] = {}
    rows = yaml.safe_load((ROOT / "environment.yml").read_text())
    for row in rows["dependencies"]:
        for text in row["pip"] if isinstance(row, dict) else [row]:
            if text == "-e .":
                continue
            match = re.fullmatch(r"([\w.-]+) *(.*)", text)
            if match is None:
                yield f"environment.yml:1: does not understand {text!r}"
                continue
            version = re.sub(r"^=(?!=)(.*)", r"==\1.*", match[2])  # conda's single = is fuzzy
            have[canonicalize_name(match[1])] = SpecifierSet(version)
    for need in map(Requirement, project["dependencies"]):
        name = canonicalize_name({"torch": "pytorch"}.get(need.name, need.name))
        if have.get(name) != need.specifier:
            told = have.get(name, "nothing")
            yield f"environment.yml:1: {name} {told}, but pyproject.toml says {need.specifier}"
    if rows["channels"] != ["conda-forge"]:
        yield "environment.yml:1: the channels must be conda-forge alone"
    if not any(v in have["python"] for v in ("3.11.0", "3.11.9")):
        yield f"environment.yml:1: python {have['python']} is not the 3.11 that is tested"


RULES = (
    configurations,
    chapters_have_their_homes,
    equations,
    figures,
    map_of_the_course,
    library,
    lock,
    environment,
)


def faults() -> list[str]:
    """Everything that the rules find."""
    return [fault for rule in RULES for fault in rule()]
