"""Every page of the site, as a reader meets it: on a desk and on a phone, by day and by night."""

import re

import pytest

from tests.site import pages
from tests.site.proof import bare, finds

pytestmark = pytest.mark.browser
every_page = pytest.mark.parametrize("at", pages.every())
whole_pages = pytest.mark.parametrize("at", pages.whole())
chapters = pytest.mark.parametrize("at", pages.chapters())


@every_page
def test_nothing_is_asked_of_another_host(report, at):
    assert report(at).foreign == []


@every_page
def test_every_file_is_there(report, at):
    assert report(at).missing == []


@every_page
def test_the_console_stays_silent(report, at):
    assert report(at).trouble == []


@every_page
def test_it_is_accessible_by_day(report, at):
    assert report(at).axe["light"] == []


@whole_pages
def test_it_is_accessible_by_night(report, at):
    assert report(at).axe["dark"] == []


@whole_pages
def test_it_is_accessible_on_a_phone(report, at):
    assert report(at).axe["phone"] == []


@every_page
def test_it_never_scrolls_sideways(report, at):
    assert report(at).sideways == []


@every_page
def test_every_formula_is_set(report, at):
    assert report(at).tex == []


@every_page
def test_every_picture_has_a_name(report, at):
    assert report(at).pictures == []


@every_page
def test_nothing_moves_while_it_loads_or_scrolls(report, at):
    assert {when: faults for when, faults in report(at).shift.items() if faults} == {}


@every_page
def test_it_is_light_on_the_wire(report, at):
    assert report(at).weight == []


@every_page
def test_its_lines_are_of_a_comfortable_length(report, at):
    assert report(at).measure == []


@whole_pages
def test_nothing_is_lost_on_paper(report, at):
    assert report(at).paper == []


@chapters
def test_it_can_be_read_without_scripts(visitor, at):
    assert bare(visitor, at) == []


def test_the_night_of_the_system_is_followed(visitor):
    with visitor.open("book/index.html", scheme="dark") as (page, _):
        assert page.evaluate("document.documentElement.dataset.theme") == "dark"


def test_the_front_door_leads_to_the_book(visitor):
    with visitor.open("index.html", scripts=False) as (page, _):
        page.wait_for_url("**/book/index.html")


@chapters
def test_the_search_finds_a_chapter_by_a_word_of_its_title(visitor, site, at):
    titles = re.findall(r"<h1>(.*?)<", (site / at).read_text("utf8"))
    assert finds(visitor, at, max(titles[0].split(), key=len)) == []
