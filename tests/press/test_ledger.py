"""Every second belongs to a chapter, or to the house."""

import pytest

from press import ledger

SLUG = "formulas/linear_regression"


@pytest.mark.parametrize(
    ("nodeid", "chapter"),
    [
        ("tests/formulas/linear_regression/test_simple.py::test_it", SLUG),
        ("tests/proctor/test_answers.py::test_an_answer[linear_regression: it]", SLUG),
        ("tests/site/test_pages.py::test_axe[book/formulas/linear_regression.html]", SLUG),
        ("solutions/linear_regression/linear_regression.ipynb::Cell 3", SLUG),
        ("tests/core/test_shapes.py::test_it", ledger.HOUSE),
    ],
)
def test_a_test_belongs_to_its_chapter(nodeid, chapter):
    assert ledger.chapter_of_test(nodeid) == chapter


def test_the_sums_are_printed(tmp_path, capsys):
    (tmp_path / "page.json").write_text('{"formulas/linear_regression": 2.0}')
    (tmp_path / "tests.json").write_text('{"formulas/linear_regression": 3.5, "the house": 1.0}')
    ledger.show(tmp_path)
    rows = [line.replace("│", " ").split() for line in capsys.readouterr().out.splitlines()]
    assert [SLUG, "2.0", "3.5", "5.5"] in rows
    assert ["all", "2.0", "4.5", "6.5"] in rows
