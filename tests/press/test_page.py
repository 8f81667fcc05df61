"""What the page's extension does to finished HTML and to contents."""

import pytest

from press import contract, layout
from press.page import api, equations, source, tables


def test_an_equation_with_a_fraction_needs_more_room_than_one_without():
    plain = equations.height("y = x")
    assert equations.height(r"y = \frac{a}{b}") > plain
    assert equations.height(r"y = \sum_{i=1}^n x_i") > plain
    assert equations.height(r"a &= b \\ c &= d") > 2 * plain - 0.5


def test_a_member_is_quoted_as_it_stands():
    text, files = source.quote("etude.core.shapes", ["bind", "ShapeError"])
    assert text.startswith("def bind(")
    assert "class ShapeError" in text
    assert {file.name for file in files} == {"shapes.py", "errors.py"}


def test_a_method_is_quoted_without_its_class():
    text, _ = source.quote("etude.core.estimator", ["Estimator.__init_subclass__"])
    assert text.startswith("def __init_subclass__(")


@pytest.mark.parametrize("name", ["nothing", "Estimator.nothing", "__doc__"])
def test_what_cannot_be_quoted_is_an_error(name):
    with pytest.raises(AttributeError, match=name.rpartition(".")[2]):
        source.quote("etude.core.estimator", [name])


def test_the_course_map_names_every_item_of_the_syllabus():
    text = "\n".join(tables.course_map())
    for part in layout.syllabus():
        for chapter in part["chapters"]:
            assert all(item["name"] in text for item in chapter["items"]), chapter["slug"]


def test_the_reference_shows_every_module_that_says_what_it_is():
    names = list(api.modules())
    assert "etude.core.shapes" in names
    assert "etude.figures.svg" in names
    assert len(names) == len(set(names))


def test_docstrings_for_people_are_valid_markup():
    lines = ["The `coef_` of |t| and x*y, fitted as intercept_."]
    api.plain_words(None, "", "", None, {}, lines)
    assert lines == [r"The ``coef_`` of \|t\| and x\*y, fitted as intercept\_."]


def test_anchors_are_those_of_the_site(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n## What's new, here?\n\n(mark)=\n### x\n\n```\n## not this\n```\n")
    assert contract.anchors(page) == {"a-page", "whats-new-here", "mark", "x"}


def test_words_are_those_of_the_prose(tmp_path):
    page = tmp_path / "page.md"
    cell = "```{code-cell} python\nnot these words\n```\n"
    page.write_text(
        f"---\nstatus: draft\n---\n# One two\n\n{cell}\nthree $x + y$ four\n\n$$\na\n$$ (l)\n"
    )
    assert contract.words(page) == 6  # each formula reads as one word
