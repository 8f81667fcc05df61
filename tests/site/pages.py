"""Which pages the built site has, and which of them have something to work; found, not listed."""

import os
import re
from pathlib import Path

from press import layout
from press.layout import SITE

ONLY = os.environ.get("ETUDE_ONLY", "")
FIXED = ["book/index.html", "book/course_map.html", "search.html"]
CONTROL = re.compile(r'class="etude-player"|class="quiz"|widget-view\+json')
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


def whole() -> list[str]:
    """The pages that are proven in every look."""
    return chapters() if ONLY else [*chapters(), *FIXED]


def controls() -> list[str]:
    """The pages with players, quizzes or widgets; the chapters are always among them."""
    found = [p for p in every() if (SITE / p).exists() and CONTROL.search((SITE / p).read_text())]
    return list(dict.fromkeys([*chapters(), *found]))
