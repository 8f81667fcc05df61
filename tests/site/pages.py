"""Which pages the built site has, and which of them have something to work; found, not listed."""

import functools
import os
import re
from pathlib import Path

from press import layout
from press.layout import SITE

ONLY = os.environ.get("ETUDE_ONLY", "")
FIXED = ["book/index.html", "book/course_map.html", "search.html"]
CONTROL = re.compile(r'class="etude-player"|class="quiz"|widget-view\+json')
TAG = re.compile(r"<(\w[\w-]*)((?:\s[^<>]*)?)>")
CLASS = re.compile(r'\bclass="([^"]*)"')
COLOR = re.compile(r'\b(fill|stroke|color|background|background-color)\s*[=:]\s*"?([^";]+)')
SOURCES = 4  # pages of quoted source that a browser opens; links are followed on all of them


def built(site: Path = SITE) -> list[str]:
    """All pages, by their path below the site."""
    found = (page.relative_to(site).as_posix() for page in site.rglob("*.html"))
    return sorted(page for page in found if not page.startswith(("_static/", "_downloads/")))


def chapters() -> list[str]:
    """The pages of the chapters in the contents, or the one that is asked for."""
    return [f"book/{slug}.html" for slug in layout.only(ONLY)]


def every() -> list[str]:
    """What a browser opens: each page of the book, and a few of the quoted sources."""
    if ONLY or not built():
        return chapters()
    pages = [page for page in built() if page != "index.html"]
    sources = [page for page in pages if page.startswith("_modules/")]
    few = sources[:: max(1, len(sources) // SOURCES)][:SOURCES]
    return [page for page in pages if page not in sources or page in few]


def linked() -> list[str]:
    """The pages on which every link is followed: all of them."""
    return chapters() if ONLY or not built() else built()


def looks(html: str) -> set[tuple[str, str]]:
    """What night, paper and a small screen can change: each kind of element, and each color that is given by hand."""
    article = html[html.find("<article") : html.rfind("</article>")]
    found = set()
    for tag, attributes in TAG.findall(article):
        kinds = CLASS.search(attributes)
        found |= {(tag, kind) for kind in (kinds[1].split() if kinds else [""])}
        found |= set(COLOR.findall(attributes))
    return found


@functools.cache
def whole(site: Path = SITE) -> list[str]:
    """The pages that are proven by night, on a phone and on paper: each that looks like none before it.

    The same kinds of elements have the same style on every page; what differs from page to page is proven on all.
    """
    if ONLY:
        return chapters()
    known: set[tuple[str, str]] = set()
    chosen = []
    for page in [*FIXED, *chapters()]:
        fresh = looks((site / page).read_text("utf8")) - known if (site / page).exists() else set()
        if page in FIXED or fresh or not built(site):
            chosen.append(page)
        known |= fresh
    return chosen


def controls() -> list[str]:
    """The pages with players, quizzes or widgets; the chapters are always among them."""
    found = [p for p in every() if (SITE / p).exists() and CONTROL.search((SITE / p).read_text())]
    return list(dict.fromkeys([*chapters(), *found]))
