"""What a chapter owes its reader, counted: the homes it needs, and what must be on its page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from press.fingerprint import CELL, code
from press.layout import homes, interlude, relative, syllabus

LONGEST_CELL = 15


class Measure(NamedTuple):
    """What a page of one kind holds: directives, and the least and most of words and figures."""

    directives: tuple[str, ...]
    words: tuple[int, int]
    figures: tuple[int, int]


CHAPTER = Measure(("chapter", "library", "quiz", "pitfall", "claim"), (2000, 4000), (4, 8))
INTERLUDE = Measure(("chapter", "library", "quiz", "pitfall"), (600, 1500), (2, 6))


def anchors(page: Path) -> set[str]:
    """The anchors of a page's headings, as the site makes them, and its explicit ones."""
    text = re.sub(r"^```.*?^```", "", page.read_text("utf8"), flags=re.M | re.S)
    headings = re.findall(r"^#+ +(.*)$", text, flags=re.M)
    slugged = {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in headings}
    return slugged | set(re.findall(r"^\(([\w-]+)\)=$", text, flags=re.M))


def words(page: Path) -> int:
    """The words of a page's prose: no code, no formulas, no front matter."""
    text = re.sub(r"\A---\n.*?\n---\n", "", page.read_text("utf8"), flags=re.S)
    text = re.sub(r"^```\{code-cell\}.*?^```$", "", text, flags=re.M | re.S)
    text = re.sub(r"\$\$.*?\$\$(?: \(.*?\))?|\$[^$\n]*\$", "formula", text, flags=re.S)
    return len(re.findall(r"[A-Za-z][\w’'-]*", text))


def lacks(slug: str) -> list[str]:
    """What a chapter does not have yet, in an author's words; nothing when it is whole."""
    where = homes(slug)
    missing = [f"its {name} ({relative(p)})" for name, p in where.items() if not p.exists()]
    if where["page"].exists():
        missing += page_lacks(where["page"], INTERLUDE if interlude(slug) else CHAPTER)
    return missing + list(syllabus_lacks(slug))


def page_lacks(page: Path, measure: Measure) -> Iterator[str]:
    """What the contract of DESIGN asks of a page and this one does not have."""
    text, source = page.read_text("utf8"), code(page)
    for directive in measure.directives:
        if f"```{{{directive}}}" not in text:
            yield f"a {{{directive}}} on its page"
    if "{cite" not in text:
        yield "a citation on its page"
    count = words(page)
    least, most = measure.words
    if not least <= count <= most:
        yield f"{least} to {most} words on its page (it has {count})"
    pictures = len(re.findall(r"^ *(?:show|play)\(", source, flags=re.M))
    least, most = measure.figures
    if not least <= pictures <= most:
        yield f"{least} to {most} figures (it has {pictures})"
    if not re.search(r"^ *play\(", source, flags=re.M):
        yield "an interactive figure that moves without a kernel"
    if not source.rstrip().endswith("cost()"):
        yield "its measured cost: cost() in the last cell"
    longest = max((cell[2].count("\n") for cell in CELL.finditer(text)), default=0)
    if longest > LONGEST_CELL:
        yield f"cells of at most {LONGEST_CELL} lines (the longest has {longest})"


def syllabus_lacks(slug: str) -> Iterator[str]:
    """Items of the syllabus that say nowhere where they are treated."""
    for part in syllabus():
        for chapter in part["chapters"]:
            if f"{part['part']}/{chapter['slug']}" == slug:
                for item in chapter["items"]:
                    gone = {"section", "symbol", "exercise", "test"} - item.keys()
                    if gone:
                        yield f"{', '.join(sorted(gone))} of {item['id']} in book/syllabus.yml"
