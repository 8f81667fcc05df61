"""What moves and what answers obeys the keyboard, and what it is asked once it remembers."""

import re

import pytest

from tests.site import keyboard, pages
from tests.site.proof import drift

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def worked(visitor, site):
    """All that a page's controls do not do, by kind; the page is opened among its equations."""
    done = {}

    def work(at):
        if at not in done:
            equations = re.findall(r'id="(equation-[^"]+)"', (site / at).read_text("utf8"))
            anchor = f"#{equations[len(equations) // 2]}" if equations else ""
            with visitor.open(at + anchor) as (page, visit):
                done[at] = {
                    "landing": drift(page),
                    "players": keyboard.players(page),
                    "widgets": keyboard.widgets(page),
                    "quizzes": keyboard.quizzes(page),
                    "trouble": visit.trouble + visit.foreign + visit.missing,
                }
        return done[at]

    return work


controls = pytest.mark.parametrize("at", pages.controls())


@controls
def test_every_slider_and_play_button_obeys_the_keyboard(worked, at):
    assert worked(at)["players"] == []


@controls
def test_every_quiz_explains_and_remembers(worked, at):
    assert worked(at)["quizzes"] == []


@controls
def test_every_widget_moves_without_a_kernel(worked, at):
    assert worked(at)["widgets"] == []


@controls
def test_nothing_is_asked_or_broken_while_it_is_worked(worked, at):
    assert worked(at)["trouble"] == []


@controls
def test_the_equation_one_lands_on_stays_under_the_eyes(worked, at):
    assert worked(at)["landing"] == []
