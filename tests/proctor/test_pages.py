"""Feedback and report in a browser: axe says nothing, by day, at night and on a phone, and no other host is asked."""

import functools
import http.server
import random
import threading

import pytest

from proctor.__main__ import main
from tests.proctor.classes import PLANTED, copied, known, record, varied
from tests.site.proof import accessibility
from tests.site.visit import BLANK, DESK, PHONE, Visitor

pytestmark = [
    pytest.mark.browser,
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning"),
]
EVIL = (
    "</code><script>document.title = 'ran'; fetch('https://example.org')</script>"
    "<img src='https://example.org/x.png' onerror='document.title = \"ran\"'>"
)
ROOMS = {
    "light": (DESK, "light"),
    "dark": (DESK, "dark"),
    "phone": (PHONE, "light"),
    "phone at night": (PHONE, "dark"),
}


class Silent(http.server.SimpleHTTPRequestHandler):
    """A server that does not talk."""

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture(scope="module")
def visitor(small_course, tmp_path_factory, browser):
    """Whoever opens the pages of a small class, one of whom wishes the others ill."""
    course = copied(small_course, tmp_path_factory.mktemp("pages") / "course")
    stream, tasks = random.Random(0), ["rms_pool", "standardize", "classify"]
    keys = {task: key for key, (task, _) in PLANTED.items()}
    work = {
        f"s{number}": {
            task: (varied(known()[key].code, stream), known()[key].code)
            for task in tasks[: 1 + number % 3]
            for key in [keys[task] if number % 2 else f"{task} right 0"]
        }
        for number in range(9)
    }
    work["evil"] = {"rms_pool": (f"'''{EVIL}'''\n# {EVIL}" + "x" * 300, known()["no_root"].code)}
    record(course, "small", work, by_hand=None)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(course)
        book = ["--book", "https://example.org/book"]
        assert main(["feedback", "small", *book]) == 0
        assert main(["report", "small", "--names", *book]) == 0
    root = course / "_grading"
    (root / BLANK).parent.mkdir()
    (root / BLANK).write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Silent, directory=root)
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield Visitor(browser, f"http://127.0.0.1:{server.server_address[1]}/")
    server.shutdown()
    server.server_close()


PAGES = {
    "report": "report/small.html",
    "a page of mistakes": "feedback/s5/small/small.html",
    "a page of someone who wishes ill": "feedback/evil/small/small.html",
}


@pytest.mark.parametrize("where", ROOMS)
@pytest.mark.parametrize("which", PAGES)
def test_a_page_is_for_everyone_and_asks_nobody(visitor, which, where):
    size, scheme = ROOMS[where]
    with visitor.open(PAGES[which], size, scheme) as (page, visit):
        page.evaluate("document.querySelectorAll('details').forEach(part => { part.open = true })")
        assert accessibility(page) == []
        assert page.evaluate("proof.wide()") == []
        assert visit.foreign == visit.missing == visit.trouble == []
        assert page.title() != "ran"
        assert page.evaluate("document.scripts.length") == 0
        small = page.evaluate(
            "[...document.querySelectorAll('main :not(svg *)')].filter(e => e.textContent.trim() && "
            "parseFloat(getComputedStyle(e).fontSize) < 11).map(proof.short)"
        )
        assert small == []


def test_a_page_is_read_without_scripts_and_with_the_keyboard(visitor):
    with visitor.open(PAGES["a page of mistakes"], PHONE, scripts=False) as (page, visit):
        assert page.locator("h1").is_visible()
        assert page.locator("dd.likely").first.is_visible()
        page.locator("summary").first.focus()
        page.keyboard.press("Enter")
        assert page.locator("details[open] pre").first.is_visible()
        assert visit.foreign == []


def test_the_pictures_are_there_in_both_lights(visitor):
    for scheme in ("light", "dark"):
        with visitor.open(PAGES["report"], PHONE, scheme) as (page, _):
            heights = page.evaluate(
                "[...document.querySelectorAll('svg.histogram rect')].map(e => e.getBoundingClientRect().height)"
            )
            assert max(heights) > 60
            colors = page.evaluate(
                "[getComputedStyle(document.querySelector('rect.full')).fill,"
                " getComputedStyle(document.body).backgroundColor]"
            )
            assert colors[0] != colors[1]
            assert (
                page.evaluate("document.querySelectorAll('svg[role=img]:not([aria-label])').length")
                == 0
            )
