"""One picture serves light, dark and print, says what it shows, and moves without a kernel."""

import json
import re
from xml.etree import ElementTree as ET

import ipywidgets
import pytest
import torch

from etude.figures import choose, cost, panels, play, raster, show, static, table
from etude.figures.svg import element, merge, write

WORDS = {"name": "fig-a", "alt": "A line that rises.", "caption": "A line."}


def line(values=(1.0, 2.0)):
    ax = panels()
    ax.plot(values)
    ax.set_ylim(0, 2)
    return ax


@pytest.fixture
def shown(monkeypatch):
    """Call a function of figures, and return what it displayed."""

    def call(function, *args, **keywords):
        displayed = []
        monkeypatch.setattr(static, "display", lambda data, raw: displayed.append(data))
        function(*args, **keywords)
        (data,) = displayed
        return data

    return call


def test_a_figure_comes_as_html_as_a_bitmap_and_as_its_alt_text(shown):
    data = shown(show, line(), **WORDS)
    assert data["text/html"].startswith('<figure class="etude" data-name="fig-a"')
    assert 'role="img" aria-label="A line that rises."' in data["text/html"]
    assert data["image/png"].startswith(b"\x89PNG")
    assert data["text/plain"] == "A line that rises."


def test_colors_come_from_the_page():
    text = write(element(line().figure, "x"))
    assert "currentColor" in text
    assert "var(--etude-1" in text
    assert not re.search("#010203|#fcfdfe", text)


def test_text_stays_text_and_nothing_names_a_font():
    ax = line()
    ax.set(xlabel="workers")
    text = write(element(ax.figure, "x"))
    assert ">workers</text>" in text
    assert "font-family" not in text


def test_the_same_figure_gives_the_same_bytes():
    first, second = (write(element(line().figure, "x")) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("word", ["name", "alt", "caption"])
def test_a_figure_that_says_nothing_is_an_error(word):
    with pytest.raises(ValueError, match=f"{word} must say something"):
        show(line(), **WORDS | {word: " "})


@pytest.mark.parametrize("number", [1, 2, 3, 5])
def test_panels_are_figures_of_their_own(number):
    axes = panels(number)
    axes = axes if number > 1 else [axes]
    assert len({id(ax.figure) for ax in axes}) == number


def test_no_panels_are_an_error():
    with pytest.raises(ValueError, match="number must be at least 1, got 0"):
        panels(0)


def test_frames_share_what_is_equal():
    frames = [element(line((1.0, height)).figure, "x") for height in (1.5, 1.6, 1.7)]
    merged = write(merge(frames))
    assert len(merged) < 0.6 * sum(len(write(frame)) for frame in frames)
    parts = ET.fromstring(merged).findall(".//*[@data-f]")
    numbers = {int(n) for part in parts for n in part.get("data-f").split()}
    assert numbers == {0, 1, 2}
    hidden = [part for part in parts if part.get("style") == "display:none"]
    assert all("0" not in part.get("data-f").split() for part in hidden)


def test_equal_frames_are_stored_once():
    frame = element(line().figure, "x")
    assert merge([frame, frame]) is frame


def test_a_player_names_its_frames_and_its_slider(shown):
    html = shown(play, lambda i: line((0.0, i)), ["zero", "one"], slider="Slope", **WORDS)
    text = html["text/html"]
    assert 'aria-label="Slope" aria-valuetext="zero"' in text
    assert 'max="1"' in text
    assert json.dumps(["zero", "one"]) in text
    assert "http" not in text.replace("http://www.w3.org", "")


@pytest.mark.parametrize(("labels", "start"), [([], 0), (["one"], 1), (["one"], -1)])
def test_a_player_starts_at_one_of_its_frames(labels, start):
    with pytest.raises(ValueError, match="start must be one of"):
        play(lambda i: line(), labels, start=start, **WORDS)


def test_a_menu_links_its_pictures_in_the_browser():
    box = choose("Kind", {"a": (line(), "A line."), "b": (line((2, 1)), "A falling line.")})
    menu, stack = box.children
    assert isinstance(menu, ipywidgets.Dropdown)
    assert menu.options == ("a", "b")
    assert [child.value.count("aria-label") for child in stack.children] == [1, 1]


def test_a_table_names_its_rows_and_rounds_its_numbers():
    text = table(["what", "value"], [["a < b", -0.123456], ["n", 3]], "Numbers").data
    assert '<th scope="row">a &lt; b</th><td>−0.123</td>' in text
    assert "<td>3</td>" in text
    assert 'role="region" aria-label="Numbers" tabindex="0"' in text


def test_a_raster_has_a_frame_and_no_ticks():
    ax = panels()
    raster(ax, torch.eye(3), "an image")
    assert list(ax.get_xticks()) == []
    assert all(spine.get_visible() for spine in ax.spines.values())


def test_the_cost_is_in_seconds_and_megabytes():
    assert re.search(r"[\d.]+ s of CPU time, \d+ MB of memory", cost().data)
