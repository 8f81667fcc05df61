"""Take in what a class handed in: folders and zips, of Moodle, Canvas or plain. Nothing here is believed.

A place holds `<student>/<files>`, or `<student>.ipynb`, or `<student>_<assignment>.ipynb`; Moodle's folders are
`Full Name_123_assignsubmission_file`, Canvas's files `nameofstudent_123_456_file.ipynb`. Links are not followed,
only regular files are read, sizes and numbers are capped, and no name leaves the folder. A `timestamp.txt` in a
download is the student's own file and decides nothing.
"""

import os
import re
import shutil
import stat
import unicodedata
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

STUDENT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
NOTEBOOK, DATA, TOTAL = 20_000_000, 10_000_000, 30_000_000  # bytes of one, one, all of a student's
MOST_FILES, MOST_ENTRIES, MOST_BYTES = 200, 50_000, 4_000_000_000
MOODLE = re.compile(r"(?P<name>.+?)_(?P<number>\d+)_assignsubmission_(?:file|onlinetext)_?")
CANVAS = re.compile(r"(?P<name>[a-z0-9]+)_(?P<late>LATE_)?(?P<number>\d+)_\d+_(?P<file>.+)")
COLLECTED = ".collected"  # what was said of a submission when it was taken in
COPY = re.compile(r"(?:[ _-]*\(\d+\)|-\d+| - Copy)$")  # what browsers and Canvas add to a name


class Unusable(ValueError):
    """A class that cannot be collected."""


@dataclass
class Handed:
    """What one student handed in."""

    student: str
    files: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    changed: float = 0.0  # when the newest file was written
    stamp: str = ""  # when it was handed in, as nbgrader wrote it


@dataclass
class Entry:
    """One file of a place, not read yet."""

    path: PurePosixPath
    size: int
    changed: float
    fault: str = ""  # why it is not taken
    source: Path | zipfile.ZipFile | None = None

    def read(self, most: int) -> tuple[bytes, str]:
        """Its bytes, or why not."""
        if self.fault:
            return b"", self.fault
        if self.size > most:
            return b"", f"is larger than {most // 1_000_000} MB"
        if isinstance(self.source, zipfile.ZipFile):
            try:
                with self.source.open(str(self.path)) as file:
                    raw = file.read(most + 1)
            except (
                zipfile.BadZipFile,
                OSError,
                RuntimeError,
                NotImplementedError,
                EOFError,
            ) as error:
                return b"", f"cannot be unpacked ({error})"
            return (b"", "is larger than it says") if len(raw) > most else (raw, "")
        return read_regular(Path(str(self.source)), most)


def read_regular(path: Path, most: int) -> tuple[bytes, str]:
    """The bytes of a regular file that is no link, or why not."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        return b"", "is a link" if path.is_symlink() else f"cannot be read ({error.strerror})"
    with os.fdopen(handle, "rb") as file:
        about = os.fstat(file.fileno())
        if not stat.S_ISREG(about.st_mode):
            return b"", "is not a regular file"
        if about.st_size > most:
            return b"", f"is larger than {most // 1_000_000} MB"
        return file.read(most), ""


def entries(place: Path) -> Iterator[Entry]:
    """The files of a folder or a zip, with what speaks against each."""
    if place.is_dir():
        for folder, inside, names in os.walk(place, followlinks=False):
            links = [name for name in inside if os.path.islink(os.path.join(folder, name))]
            for name in sorted(names + links):
                path = Path(folder, name)
                if name.startswith(".") or ".ipynb_checkpoints" in path.parts:
                    continue
                about = path.lstat()
                fault = "is a link" if stat.S_ISLNK(about.st_mode) else ""
                fault = fault or ("" if stat.S_ISREG(about.st_mode) else "is not a regular file")
                short = PurePosixPath(path.relative_to(place).as_posix())
                yield Entry(short, about.st_size, about.st_mtime, fault, path)
        return
    try:
        archive = zipfile.ZipFile(place)
    except (zipfile.BadZipFile, OSError):
        raise Unusable(f"{place} is neither a folder nor a zip") from None
    for info in archive.infolist():
        path = PurePosixPath(info.filename.replace("\\", "/"))
        skip = info.is_dir() or "__MACOSX" in path.parts or path.name.startswith(".")
        if skip or ".ipynb_checkpoints" in path.parts:
            continue
        fault = "is a link" if stat.S_ISLNK(info.external_attr >> 16) else ""
        if path.is_absolute() or ".." in path.parts or "\0" in info.filename:
            fault = "would leave the folder"
        changed = sum(
            n * f for n, f in zip(info.date_time, (3.2e7, 2.7e6, 86400, 3600, 60, 1), strict=True)
        )
        yield Entry(PurePosixPath(info.filename), info.file_size, changed, fault, archive)


def student_of(path: PurePosixPath, assignment: str) -> tuple[str, str, list[str]]:
    """Whose file it is, its name in the submission, and what is to be said of it."""
    top = path.parts[0]
    if len(path.parts) > 1:
        moodle = MOODLE.fullmatch(top)
        student = f"{plain(moodle['name'])}-{moodle['number']}" if moodle else top
        return student, str(PurePosixPath(*path.parts[1:])), []
    canvas = CANVAS.fullmatch(top)
    if canvas:
        late = ["Canvas calls it late; give nbgrader a timestamp if that should cost points"]
        return f"{canvas['name']}-{canvas['number']}", canvas["file"], late * bool(canvas["late"])
    return path.stem.removesuffix(f"_{assignment}"), f"{assignment}{path.suffix}", []


def plain(name: str) -> str:
    """A full name as an id."""
    ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-") or "student"


def find(places: list[Path], assignment: str) -> list[Handed]:
    """The submissions of a class, one a student, in the order of their names."""
    found: dict[str, Handed] = {}
    for place in places:
        if not place.exists():
            raise Unusable(f"{place} is not a folder")
        number = total = 0
        here: dict[str, Handed] = {}
        for entry in entries(place):
            number, total = number + 1, total + entry.size
            if number > MOST_ENTRIES or total > MOST_BYTES:
                raise Unusable(f"{place} has too many files or bytes")
            student, name, notes = student_of(entry.path, assignment)
            if not STUDENT.fullmatch(student):
                raise Unusable(
                    f"{place}/{entry.path}: {student!r} is no name of a student: letters, digits, . _ and -"
                )
            one = here.setdefault(student, Handed(student))
            one.notes += [note for note in notes if note not in one.notes]
            take(one, name, entry)
        for folder in sorted(place.iterdir()) if place.is_dir() else ():
            empty = folder.is_dir() and not folder.is_symlink() and folder.name not in here
            if empty and not folder.name.startswith(".") and STUDENT.fullmatch(folder.name):
                here[folder.name] = Handed(folder.name)
        for student, one in here.items():
            other = found.get(student)
            if other is None or one.changed >= other.changed:
                found[student] = one
            if other is not None:
                found[student].notes.append("handed in twice; the newer one counts")
    if not found:
        names = ", ".join(map(str, places))
        raise Unusable(
            f"no submission in {names}: expected <student>/{assignment}.ipynb or <student>.ipynb"
        )
    return [found[student] for student in sorted(found)]


def take(one: Handed, name: str, entry: Entry) -> None:
    """Read one file into a submission, or say why not."""
    if name == "timestamp.txt":
        one.notes.append("timestamp.txt is the student's own file and was not believed")
        return
    notebook = name.endswith(".ipynb")
    raw, fault = entry.read(NOTEBOOK if notebook else DATA)
    if not fault and (
        len(one.files) >= MOST_FILES or sum(map(len, one.files.values())) + len(raw) > TOTAL
    ):
        fault = (
            "is one file too many"
            if len(one.files) >= MOST_FILES
            else "makes the submission too large"
        )
    if fault:
        one.notes.append(f"{PurePosixPath(name).name} {fault}")
    else:
        one.files[name] = raw
        one.changed = max(one.changed, entry.changed)


def read_submitted(folder: Path, student: str) -> Handed:
    """A submission that stands in place, by nbgrader's collect, ours, or by hand."""
    one = Handed(student)
    for entry in entries(folder):
        if str(entry.path) == "timestamp.txt":
            raw, _ = entry.read(100)
            one.stamp = raw.decode("utf-8", "replace").strip()
        else:
            take(one, str(entry.path), entry)
    said, fault = read_regular(folder / COLLECTED, 100_000)
    one.notes += [] if fault else said.decode("utf-8", "replace").splitlines()
    return one


def named(one: Handed, notebooks: list[str]) -> None:
    """Give a notebook that was renamed the name that the assignment knows; say what is ignored."""
    for name in notebooks:
        if f"{name}.ipynb" in one.files:
            continue
        strangers = [
            other for other in one.files
            if other.endswith(".ipynb") and PurePosixPath(other).stem not in notebooks
        ]  # fmt: skip
        close = [s for s in strangers if COPY.sub("", PurePosixPath(s).stem) == name]
        close = close or [s for s in strangers if name.lower() in PurePosixPath(s).stem.lower()]
        close = close or (strangers if len(strangers) == 1 and len(notebooks) == 1 else [])
        if close:
            chosen = sorted(close)[-1]
            one.files[f"{name}.ipynb"] = one.files.pop(chosen)
            one.notes.append(f"{PurePosixPath(chosen).name} was taken as {name}.ipynb")
    for other in [
        o for o in one.files if o.endswith(".ipynb") and PurePosixPath(o).stem not in notebooks
    ]:
        del one.files[other]
        one.notes.append(
            f"{PurePosixPath(other).name} is no notebook of this assignment and was ignored"
        )


def put(one: Handed, folder: Path) -> None:
    """Write a submission where nbgrader looks for it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for name, raw in one.files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(raw)
    (folder / COLLECTED).write_text("\n".join(one.notes), encoding="utf-8")
