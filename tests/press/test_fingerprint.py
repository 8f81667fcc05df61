"""A page runs again when what it imports has changed, and not otherwise."""

import pytest

from press import fingerprint


@pytest.fixture
def page(tmp_path):
    def write(cells):
        path = tmp_path / "page.md"
        path.write_text(f"# A page\n\n```{{code-cell}} python\n:tags: [hide-input]\n{cells}\n```\n")
        return path

    return write


def test_the_code_of_a_page_is_its_cells_without_options_and_magics(page):
    path = page("%matplotlib inline\nimport etude.core.shapes")
    assert fingerprint.code(path).strip() == "import etude.core.shapes"


def test_what_is_imported_indirectly_is_needed_too(page):
    needed = fingerprint.needed(page("from etude.figures import show"))
    assert {"etude.figures", "etude.figures.static", "etude.figures.svg", "etude"} <= needed
    assert "etude.core.learner" not in needed


def test_a_name_that_is_no_module_counts_as_its_module(page):
    assert fingerprint.needed(page("from etude.core.shapes import bind")) >= {"etude.core.shapes"}


def test_files_beside_a_module_count(page):
    names = {path.name for path in fingerprint.files("etude.figures.interactive")}
    assert names == {"interactive.py", "player.js"}


def test_the_fingerprint_changes_with_a_needed_module_only(page, monkeypatch):
    path = page("from etude.figures import show")
    before = fingerprint.fingerprint(path)
    path.write_text(path.read_text() + "\nMore prose.\n")
    assert fingerprint.fingerprint(path) == before, "prose"
    real = fingerprint.Path.read_bytes
    for touched, same in (("svg.py", False), ("learner.py", True)):
        monkeypatch.setattr(
            fingerprint.Path,
            "read_bytes",
            lambda self, touched=touched: real(self) + b"#" * (self.name == touched),
        )
        assert (fingerprint.fingerprint(path) == before) is same
