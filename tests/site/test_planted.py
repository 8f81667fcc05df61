"""A proof that cannot fail proves nothing: every fault that is planted is found, and only that."""

import functools
import random
import threading
from http.server import ThreadingHTTPServer

import pytest

from press.serve import Handler
from tests.site import keyboard, links
from tests.site.planted import (
    ANSWERED,
    ELSEWHERE,
    HERE,
    LATER,
    LINKED,
    PAGE,
    PLAYED,
    SEEN,
    WORDS,
    plant,
    spoilt,
)
from tests.site.proof import bare, drift, examine, finds, shift
from tests.site.visit import Visitor


@pytest.fixture(scope="module")
def folder(tmp_path_factory, site):
    """A site of planted pages, in the clothes of the real one."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "_static").symlink_to(site / "_static", target_is_directory=True)
    noise = random.Random(0).randbytes(500_000).hex()
    (folder / "heavy.js").write_text(f"// {noise}")
    return folder


@pytest.fixture(scope="module")
def reader(browser, folder):
    """Whoever reads the planted pages."""
    handler = functools.partial(Handler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Visitor(browser, f"http://127.0.0.1:{running.server_address[1]}/")
        running.shutdown()


@pytest.mark.browser
def test_a_sound_page_has_no_fault(reader, folder):
    at = plant(folder, "sound", PAGE)
    assert examine(reader, at, folder, whole=True).kinds() == set()
    assert bare(reader, at) == []
    assert links.dead(folder / at, folder) + links.unpaired(folder / at) == []
    with reader.open(f"{at}#equation-sum") as (page, visit):
        assert drift(page) + shift(page) + keyboard.players(page) + keyboard.quizzes(page) == []
        assert visit.trouble == []


@pytest.mark.browser
@pytest.mark.parametrize("fault", SEEN)
def test_a_fault_is_seen_for_what_it_is(reader, folder, fault):
    kinds, old, new = SEEN[fault]
    at = plant(folder, fault, spoilt(old, new))
    assert examine(reader, at, folder, whole=False).kinds() == kinds


@pytest.mark.browser
@pytest.mark.parametrize("fault", ELSEWHERE)
def test_a_fault_is_seen_by_night_on_a_phone_and_on_paper(reader, folder, fault):
    kinds, old, new = ELSEWHERE[fault]
    at = plant(folder, fault, spoilt(old, new))
    found = examine(reader, at, folder, whole=True)
    assert found.kinds() == kinds
    assert found.axe["light"] == []


@pytest.mark.browser
@pytest.mark.parametrize("fault", PLAYED)
def test_a_player_that_does_not_obey_is_found(reader, folder, fault):
    said, old, new = PLAYED[fault]
    with reader.open(plant(folder, fault, spoilt(old, new))) as (page, _):
        found = keyboard.players(page)
    assert any(said in sentence for sentence in found), found


@pytest.mark.browser
@pytest.mark.parametrize("fault", ANSWERED)
def test_a_quiz_that_does_not_answer_is_found(reader, folder, fault):
    said, old, new = ANSWERED[fault]
    with reader.open(plant(folder, fault, spoilt(old, new))) as (page, _):
        found = keyboard.quizzes(page)
    assert any(said in sentence for sentence in found), found


@pytest.mark.parametrize("fault", LINKED)
def test_a_link_that_leads_astray_is_found(folder, fault):
    said, old, new = LINKED[fault]
    page = folder / plant(folder, fault, spoilt(old, new))
    found = links.dead(page, folder) + links.unpaired(page)
    assert any(said in sentence for sentence in found), found


def test_a_style_that_loads_from_another_host_is_found(folder):
    style = folder / "foreign.css"
    style.write_text("@import url('https://example.org/a.css'); b { background: url(own.png) }")
    assert links.elsewhere(style) == ["https://example.org/a.css"]


@pytest.mark.browser
def test_a_place_that_wanders_off_after_landing_is_found(reader, folder):
    lines = f"<style>html {{ overflow-anchor: none }}</style>{f'<p>{WORDS}</p>' * 40}"
    late = f"{lines}<p id='down'>Here.</p><script>setInterval({LATER}, 100)</script>{lines}"
    with reader.open(plant(folder, "wandering", spoilt(HERE, late)) + "#down") as (page, _):
        assert drift(page) != []


@pytest.mark.browser
def test_what_only_scripts_would_show_is_found(reader, folder):
    hidden = spoilt("</style>", "html:not(.js) :is(.why, svg) { display: none }</style>")
    found = bare(reader, plant(folder, "scripts only", hidden))
    assert [fault.split(":")[0] for fault in found] == ["no explanation"] * 2 + ["no first frame"]


@pytest.mark.browser
def test_a_search_that_finds_nothing_is_found(visitor):
    assert finds(visitor, "book/index.html", "zyzzyva", patience=1500) != []
