"""Folders and zips of Moodle, Canvas and plain: what is taken, under which name, and what is refused."""

import os
import stat
import zipfile

import pytest

from proctor import collect
from proctor.collect import Unusable, find


def zipped(path, files, links=()):
    with zipfile.ZipFile(path, "w") as archive:
        for name, raw in files.items():
            archive.writestr(name, raw)
        for name, target in links:
            info = zipfile.ZipInfo(name)
            info.external_attr = (stat.S_IFLNK | 0o777) << 16
            archive.writestr(info, target)
    return path


def test_moodle_and_canvas_and_plain_zips(tmp_path):
    moodle = zipped(tmp_path / "m.zip", {
        "Ada Lovelace_1234567_assignsubmission_file/hw1.ipynb": "{}",
        "Gödel, Kurt_77_assignsubmission_file_/data/a.csv": "1",
        "Gödel, Kurt_77_assignsubmission_file_/hw1.ipynb": "{}",
        "__MACOSX/Ada Lovelace_1234567_assignsubmission_file/._hw1.ipynb": "x",
    })  # fmt: skip
    canvas = zipped(tmp_path / "c.zip", {
        "lovelaceada_101_2002_hw1.ipynb": "{}", "turingalan_LATE_102_2003_hw1-1.ipynb": "{}",
    })  # fmt: skip
    plain = zipped(
        tmp_path / "p.zip", {"emmy/hw1.ipynb": "{}", "sofia_hw1.ipynb": "{}", "carl.ipynb": "{}"}
    )
    found = {one.student: one for one in find([moodle, canvas, plain], "hw1")}
    assert sorted(found) == [
        "ada-lovelace-1234567", "carl", "emmy", "godel-kurt-77", "lovelaceada-101", "sofia", "turingalan-102",
    ]  # fmt: skip
    assert set(found["godel-kurt-77"].files) == {"hw1.ipynb", "data/a.csv"}
    assert set(found["carl"].files) == set(found["sofia"].files) == {"hw1.ipynb"}
    late = found["turingalan-102"]
    collect.named(late, ["hw1"])
    assert late.notes == [
        "Canvas calls it late; give nbgrader a timestamp if that should cost points",
        "hw1-1.ipynb was taken as hw1.ipynb",
    ]


def test_a_folder_with_files_in_place_needs_no_timestamp(tmp_path):
    (tmp_path / "ada").mkdir()
    (tmp_path / "ada/hw1.ipynb").write_text("{}")
    (tmp_path / "ben").mkdir()
    found = {one.student: one for one in find([tmp_path], "hw1")}
    assert list(found) == ["ada", "ben"]
    assert found["ada"].files == {"hw1.ipynb": b"{}"}
    assert found["ben"].files == {}


def test_a_students_timestamp_is_not_believed(tmp_path):
    archive = zipped(tmp_path / "c.zip", {"ada/hw1.ipynb": "{}", "ada/timestamp.txt": "1999-01-01"})
    one = find([archive], "hw1")[0]
    assert one.stamp == ""
    assert one.notes == ["timestamp.txt is the student's own file and was not believed"]
    collect.put(one, tmp_path / "in")
    again = collect.read_submitted(tmp_path / "in", "ada")
    assert (again.stamp, again.notes) == ("", one.notes)


def test_the_newer_of_two_submissions_counts(tmp_path):
    for folder, text, when in (("first", "old", 1000), ("second", "new", 2000)):
        (tmp_path / folder / "ada").mkdir(parents=True)
        path = tmp_path / folder / "ada/hw1.ipynb"
        path.write_text(text)
        os.utime(path, (when, when))
    for order in (["first", "second"], ["second", "first"]):
        one = find([tmp_path / name for name in order], "hw1")[0]
        assert one.files["hw1.ipynb"] == b"new"
        assert one.notes == ["handed in twice; the newer one counts"]


def test_nothing_leaves_the_folder_and_no_link_is_followed(tmp_path):
    (tmp_path / "secret").write_text("marks")
    archive = zipped(
        tmp_path / "evil.zip",
        {
            "ada/hw1.ipynb": "{}",
            "ada/../../escaped.txt": "x",
            "ada/ok.txt": "y",
            "ada/large.bin": b"\0" * 10_000_001,
        },
        links=[("ada/link.txt", str(tmp_path / "secret"))],
    )
    one = find([archive], "hw1")[0]
    assert one.files == {"hw1.ipynb": b"{}", "ok.txt": b"y"}
    assert one.notes == [
        "escaped.txt would leave the folder", "large.bin is larger than 10 MB", "link.txt is a link",
    ]  # fmt: skip
    collect.put(one, tmp_path / "course/submitted/ada/hw1")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["course", "evil.zip", "secret"]


def test_a_bomb_is_not_unpacked(tmp_path):
    path = tmp_path / "bomb.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("ada/hw1.ipynb", b"\0" * 25_000_000)
        archive.writestr("ada/a.txt", "1")
    lying = path.read_bytes().replace(
        (25_000_000).to_bytes(4, "little"), (1000).to_bytes(4, "little")
    )
    (tmp_path / "lying.zip").write_bytes(lying)
    assert find([path], "hw1")[0].notes == ["hw1.ipynb is larger than 20 MB"]
    one = find([tmp_path / "lying.zip"], "hw1")[0]
    assert list(one.files) == ["a.txt"]
    assert "hw1.ipynb cannot be unpacked" in one.notes[0]


@pytest.mark.parametrize(
    "name", ["a b.ipynb", "-rf.ipynb", "ä.ipynb", "x" * 70 + ".ipynb", ".../hw1.ipynb"]
)
def test_an_odd_name_of_a_student_is_refused(tmp_path, name):
    with pytest.raises(Unusable, match="is no name of a student"):
        find([zipped(tmp_path / "c.zip", {name: "{}"})], "hw1")


def test_what_is_no_class_is_refused(tmp_path, monkeypatch):
    (tmp_path / "class.zip").write_text("PK")
    with pytest.raises(Unusable, match="neither a folder nor a zip"):
        find([tmp_path / "class.zip"], "hw1")
    with pytest.raises(Unusable, match="is not a folder"):
        find([tmp_path / "nowhere"], "hw1")
    (tmp_path / "empty").mkdir()
    with pytest.raises(Unusable, match="no submission in"):
        find([tmp_path / "empty"], "hw1")
    monkeypatch.setattr(collect, "MOST_ENTRIES", 3)
    with pytest.raises(Unusable, match="too many files"):
        find([zipped(tmp_path / "many.zip", {f"a/{n}.txt": "" for n in range(9)})], "hw1")
