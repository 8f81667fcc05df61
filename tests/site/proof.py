"""What must hold of every page. Each check answers with a list of faults in words."""

import functools
import gzip
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote, unquote

from playwright.sync_api import Page
from playwright.sync_api import TimeoutError as TooLate

from tests.site.visit import DESK, HERE, PHONE, Visit, Visitor

SHIFT = 0.01  # cumulative layout shift while a page loads, and while it is scrolled through
WEIGHT = 700_000  # bytes on the wire before anything is scrolled, pictures and sounds apart
MEDIA = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".wav", ".mp3", ".mp4"}
PACKED = {".woff", ".woff2"}  # compressed already
LINE = (60, 78)  # characters of a line: at least on average, at most ever

DRIFT = 24  # pixels that the place one lands on may wander until the page is at rest
COLORS = ["color-contrast", "link-in-text-block"]  # what the night can change on the same page


@dataclass
class Report:
    """All faults of one page, by kind, and some figures to look at."""

    foreign: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    trouble: list[str] = field(default_factory=list)
    axe: dict[str, list[str]] = field(default_factory=dict)
    shift: dict[str, list[str]] = field(default_factory=dict)
    sideways: list[str] = field(default_factory=list)
    tex: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)
    weight: list[str] = field(default_factory=list)
    measure: list[str] = field(default_factory=list)
    paper: list[str] = field(default_factory=list)
    figures: dict[str, object] = field(default_factory=dict)

    def listen(self, visit: Visit) -> None:
        """Take over what the visit heard."""
        for kind in ("foreign", "missing", "trouble"):
            heard = getattr(self, kind)
            heard += [fault for fault in getattr(visit, kind) if fault not in heard]

    def kinds(self) -> set[str]:
        """The kinds of faults that were found."""
        found = {k for k, v in vars(self).items() if isinstance(v, list) and v}
        return found | {k for k in ("axe", "shift") if any(getattr(self, k).values())}


def accessibility(page: Page, only: list[str] | None = None) -> list[str]:
    """What axe-core says against WCAG 2 A and AA, or against some of its rules."""
    if not page.evaluate("'axe' in window"):
        page.evaluate((HERE / "vendor" / "axe.min.js").read_text("utf8"))
    return page.evaluate("only => proof.axe(only)", only)


def shift(page: Page, budget: float = SHIFT) -> list[str]:
    """What moved under the reader's eyes, where it is more than the budget."""
    moved = page.evaluate("proof.shift()")
    return [f"moved by {moved['sum']:.4f}", *moved["worst"]] if moved["sum"] > budget else []


def drift(page: Page) -> list[str]:
    """The place that the address names, where it wanders away after the reader has landed on it."""
    wandered = page.evaluate("proof.drift()")
    return [f"the place one lands on moved by {wandered:.0f} px"] if wandered > DRIFT else []


@functools.cache
def on_the_wire(file: Path) -> int:
    """The bytes of a file as a server would send them."""
    data = file.read_bytes()
    return len(data) if file.suffix in PACKED else len(gzip.compress(data, 6))


def weigh(visit: Visit, root: Path) -> dict[str, int]:
    """Bytes on the wire of each file that was asked for, the heaviest first."""
    paths = {
        unquote(url.removeprefix(visit.base).split("?")[0].split("#")[0]) for url in visit.asked
    }
    files = {path: root / path for path in paths if Path(path).suffix not in MEDIA}
    sizes = {path: on_the_wire(file) for path, file in files.items() if file.is_file()}
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def weight(visit: Visit, root: Path) -> list[str]:
    """A page that is too heavy, with what weighs most."""
    sizes = weigh(visit, root)
    total = sum(sizes.values())
    if total <= WEIGHT:
        return []
    heavy = [f"{path} {size / 1000:.0f} kB" for path, size in list(sizes.items())[:6]]
    return [f"{total / 1000:.0f} kB before scrolling", *heavy]


def measure(page: Page) -> list[str]:
    """Lines of running text that are too long or too short to read in comfort."""
    counts = page.evaluate("proof.lines()")
    if not counts:
        return []
    mean, most = sum(counts) / len(counts), max(counts)
    right = mean >= LINE[0] and most <= LINE[1]
    return [] if right else [f"lines of {mean:.0f} characters on average, {most} at most"]


def paper(page: Page) -> list[str]:
    """What is lost when the page is printed."""
    page.emulate_media(media="print")
    faults = page.evaluate("proof.printed()")
    printed = page.pdf(prefer_css_page_size=True)
    page.emulate_media(media="screen")
    if not printed.startswith(b"%PDF"):
        faults.append("no PDF came")
    return faults + page.evaluate("window.paper ?? ['the page was not told of the printing']")


def still(page: Page) -> dict[str, list[str]]:
    """What moves on arrival, and what moves when the reader scrolls through."""
    arriving = shift(page)
    page.evaluate("proof.scroll()")
    return {"loading": arriving, "scrolling": shift(page)}


def desk(visitor: Visitor, at: str, root: Path, report: Report, *, whole: bool) -> None:
    """A large screen: everything that one visit can answer, in the light and in the dark."""
    with visitor.open(at, DESK) as (page, visit):
        report.weight = weight(visit, root)
        report.figures["kB"] = round(sum(weigh(visit, root).values()) / 1000)
        for when, faults in still(page).items():
            report.shift[f"desk, {when}"] = faults
        report.figures["shift, desk"] = round(page.evaluate("proof.shift().sum"), 4)
        report.tex = page.evaluate("proof.tex()")
        report.pictures = page.evaluate("proof.pictures()")
        report.measure = measure(page)
        report.sideways = page.evaluate("proof.wide()")
        if whole:
            report.paper = paper(page)
        page.evaluate("proof.use()")
        report.axe["light"] = accessibility(page)
        if whole:
            page.evaluate("document.documentElement.dataset.theme = 'dark'")
            report.axe["dark"] = accessibility(page, COLORS)
        else:
            page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
            report.sideways += page.evaluate("proof.wide()")
        report.listen(visit)


def phone(visitor: Visitor, at: str, report: Report) -> None:
    """A small screen, where lines break and tables do not fit."""
    with visitor.open(at, PHONE) as (page, visit):
        for when, faults in still(page).items():
            report.shift[f"phone, {when}"] = faults
        report.figures["shift, phone"] = round(page.evaluate("proof.shift().sum"), 4)
        page.evaluate("proof.use()")
        report.sideways += page.evaluate("proof.wide()")
        report.axe["phone"] = accessibility(page)
        report.listen(visit)


def examine(visitor: Visitor, at: str, root: Path, *, whole: bool) -> Report:
    """Open a page, once for each size of screen, and ask it everything."""
    report = Report()
    desk(visitor, at, root, report, whole=whole)
    if whole:
        phone(visitor, at, report)
    return report


def bare(visitor: Visitor, at: str) -> list[str]:
    """What a reader without scripts does not see."""
    with visitor.open(at, scripts=False) as (page, visit):
        faults = list(visit.foreign)
        whys = page.locator("form.quiz .why").all()
        players = page.locator(".etude-player .etude-panels").all()
        faults += [
            f"no explanation: {why.inner_text()[:60]}" for why in whys if not why.is_visible()
        ]
        faults += [
            "no first frame" for panels in players if not panels.locator("svg").first.is_visible()
        ]
        if not page.locator("article h1").first.is_visible():
            faults.append("no title")
        return faults


def finds(visitor: Visitor, at: str, word: str, patience: int = 8000) -> list[str]:
    """Whether the search of the site leads from a word to a page, asking nobody else."""
    with visitor.open(f"search.html?q={quote(word)}") as (page, visit):
        try:
            page.locator(f'#search-results li a[href*="{at}"]').first.wait_for(timeout=patience)
        except TooLate:
            return [f"{word} does not lead to {at}", *visit.foreign]
        return visit.foreign
