"""What others made is unchanged, and its license lies beside it."""

import hashlib

import pytest

from press.layout import ROOT

FOLDERS = ["book/_static/vendor", "tests/site/vendor"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_every_file_has_the_hash_that_is_written_down(folder):
    lines = (ROOT / folder / "SHA256SUMS").read_text().splitlines()
    written = {name.removeprefix("./"): digest for digest, name in map(str.split, lines)}
    ours = {"SHA256SUMS", "README.md"}
    files = [p for p in (ROOT / folder).rglob("*") if p.is_file() and p.name not in ours]
    found = {
        p.relative_to(ROOT / folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
        for p in files
    }
    assert found == written
    assert any("LICENSE" in name for name in written)
