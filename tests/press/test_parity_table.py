"""The published table of parity is what the tests have compared, no more and no less."""

import json

import pytest
import yaml

from press import check, test
from press.layout import Fault

SLUG = "formulas/linear_regression"
ROW = {
    "chapter": SLUG,
    "item": "slope",
    "reference": "scipy",
    "tolerance": 1e-12,
    "measured": 1e-16,
}


@pytest.fixture
def table(tmp_path, monkeypatch):
    """A table and a folder of what was measured, to write into."""
    monkeypatch.setattr(test, "PARITY", tmp_path / "parity.yml")
    monkeypatch.setattr(test, "COLLECTED", tmp_path)
    monkeypatch.delenv("PARITY", raising=False)

    def write(published, *measured):
        test.PARITY.write_text(yaml.safe_dump(published))
        (tmp_path / "main.jsonl").write_text("".join(json.dumps(row) + "\n" for row in measured))

    return write


def test_equal_rows_are_content_whatever_the_last_digit(table):
    table([ROW], ROW | {"measured": 3e-16})
    test.compare_parity([SLUG])


def test_a_row_that_is_missing_is_named(table):
    table([], ROW)
    with pytest.raises(Fault, match="missing: .*slope"):
        test.compare_parity([SLUG])


def test_a_row_that_no_test_compares_is_named(table):
    table([ROW])
    with pytest.raises(Fault, match="no test compares: .*slope"):
        test.compare_parity([SLUG])


def test_another_tolerance_is_another_row(table):
    table([ROW], ROW | {"tolerance": 1e-3})
    with pytest.raises(Fault, match="out of date"):
        test.compare_parity([SLUG])


def test_of_several_comparisons_the_largest_is_written_and_other_chapters_stay(table, monkeypatch):
    other = ROW | {"chapter": "formulas/cnn_layers"}
    table([other], ROW, ROW | {"measured": 5e-13}, ROW | {"measured": 2e-16})
    monkeypatch.setenv("PARITY", "write")
    test.compare_parity([SLUG])
    assert yaml.safe_load(test.PARITY.read_text()) == [other, ROW | {"measured": 5e-13}]


def test_only_one_chapter_runs_its_own_tests():
    words = test.belonging(SLUG)
    assert words[0] == f"tests/{SLUG}"
    assert words[-2:] == ["-k", "linear_regression"]


def test_a_tool_that_complains_fails_the_check(monkeypatch, capsys):
    monkeypatch.setattr(check, "TOOLS", {"python": ["python", "-c", "raise SystemExit('oh')"]})
    monkeypatch.setattr(check, "house", lambda: ("house", 0.0, ""))
    assert check.check() == 1
    assert "FAIL python" in (said := capsys.readouterr().out)
    assert "oh" in said
    monkeypatch.setattr(check, "TOOLS", {"python": ["python", "-c", ""]})
    assert check.check() == 0
