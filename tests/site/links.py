"""Follow every link of the site without a browser; each check answers with a list of faults."""

import functools
import os
import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urldefrag, urlsplit

LINKS = {"a": ("href",), "link": ("href",), "form": ("action",), "object": ("data",)}
LOADED = ("src", "srcset", "poster")  # on any tag
FETCHED = {"stylesheet", "icon", "preload", "modulepreload", "manifest"}
FOREIGN = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""")
MARK = re.compile(r"# Eq\. \(([\w.-]+)\)")


class Document(HTMLParser):
    """The anchors of a page, where it links to, and what it loads."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.equations: dict[str, str] = {}  # id of the quoting comment → where it links to
        self.codes: dict[str, str] = {}  # id of an equation → where its code link leads
        self.orphans: list[str] = []  # labels in comments that are no link
        self.inside = ""
        self.equation = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors.update(given[name] for name in ("id", "name") if given.get(name))
        for name in LINKS.get(tag, ()):
            if name in given:
                fetched = tag != "a" and FETCHED & set(given.get("rel", "").split())
                (self.loads if fetched or tag == "object" else self.links).append(given[name])
        for name in LOADED:
            self.loads += [part.split()[0] for part in given.get(name, "").split(", ") if part]
        kinds = given.get("class", "").split()
        if given.get("id", "").startswith("equation-"):
            self.equation = given["id"]
        if "eq-link" in kinds:
            self.equations[given.get("id", f"repeated {len(self.equations)}")] = given["href"]
        if "eq-code" in kinds:
            self.codes[self.equation] = given["href"]
        self.inside = "comment" if tag == "span" and "c1" in kinds else ""

    def handle_data(self, data: str) -> None:
        if self.inside == "comment" and (match := MARK.search(data)):
            self.orphans.append(match[1])


@functools.cache
def read(page: Path) -> Document:
    """A page, parsed once."""
    return Document(page.read_text("utf8"))


def aim(page: Path, url: str) -> tuple[Path, str]:
    """The file and the anchor that a link of the page leads to."""
    path, anchor = urldefrag(url)
    path = unquote(path.split("?")[0])
    target = Path(os.path.normpath(page.parent / path)) if path else page
    return (target / "index.html" if target.is_dir() else target), unquote(anchor)


def dead(page: Path, root: Path) -> list[str]:
    """Links to no file of the site, or to no anchor in it; and what is loaded from elsewhere."""
    document, faults = read(page), []
    for url in dict.fromkeys([*document.links, *document.loads]):
        parts = urlsplit(url)
        if parts.scheme or parts.netloc:
            if url in document.loads and parts.scheme != "data":
                faults.append(f"loads from another host: {url}")
            continue
        target, anchor = aim(page, url)
        if not target.is_relative_to(root) or not target.is_file():
            faults.append(f"no such file: {url}")
        elif anchor and target.suffix == ".html" and anchor not in read(target).anchors:
            faults.append(f"no such anchor: {url}")
    return faults


def elsewhere(style: Path) -> list[str]:
    """What a style sheet would load from another host."""
    return FOREIGN.findall(style.read_text("utf8"))


def unpaired(page: Path) -> list[str]:
    """Equations named in code that are not linked to it, and back."""
    document = read(page)
    faults = [f"'# Eq. ({label})' is no link" for label in document.orphans]
    for name, url in document.equations.items():
        target, anchor = aim(page, url)
        if not target.is_file() or anchor not in read(target).anchors:
            faults.append(f"{name} leads to no equation: {url}")
        elif anchor not in read(target).codes:
            faults.append(f"{anchor} has no link to its code")
    for equation, url in document.codes.items():
        target, anchor = aim(page, url)
        back = read(target).equations.get(anchor) if target.is_file() else None
        if back is None or aim(target, back) != (page, equation):
            faults.append(f"the code of {equation} does not lead back to it: {url}")
    return faults
