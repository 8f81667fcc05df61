"""The attack corpus: each gets the points that it earned, learns nothing, and harms nobody."""

import hashlib
import os
import platform
import re
import socket
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell

from tests.proctor.pen.support import GOOD, plain

FOLDER = Path(__file__).with_name("attacks")
NAMES = sorted(path.stem for path in FOLDER.glob("*.py"))
HONEST = 6  # one for so many attacks


@dataclass
class Attack:
    """A file of the corpus."""

    says: str
    points: tuple[float, float]
    cells: list[tuple[str, str]]
    words: list[str] = field(default_factory=list)
    never: list[str] = field(default_factory=list)


def read(name: str) -> Attack:
    head, *cells = re.split(r"(?m)^# %% ", (FOLDER / f"{name}.py").read_text())
    lines = [line.removeprefix("# ") for line in head.strip().splitlines()]
    one, two = map(float, lines[1].removeprefix("points: ").split())
    made = Attack(lines[0], (one, two), [tuple(cell.split("\n", 1)) for cell in cells])  # pyright: ignore
    for line in lines[2:]:
        kind, _, text = line.partition(": ")
        getattr(made, kind).append(text)
    return made


def notebook(attack: Attack):
    """The release with the attack's cells in their places."""
    nb = plain().filled({key: code for key, code in attack.cells if key.endswith("-sol")})
    for key, code in attack.cells:
        where, _, before = key.partition(" ")
        keys = [c.metadata.get("nbgrader", {}).get("grade_id", "") for c in nb.cells]
        if where == "before":
            nb.cells.insert(keys.index(before), new_code_cell(code))
        elif where in ("end", "markdown"):
            nb.cells.append((new_code_cell if where == "end" else new_markdown_cell)(code))
    return nb


def machine() -> dict[str, str]:
    """What no submission may change: this checkout, the environment, the temporary folder's names."""
    import torch

    import etude

    places = [
        Path(etude.__file__),
        Path(torch.__file__),
        Path(__file__),
        *sorted(FOLDER.glob("*.py")),
    ]
    found = {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in places}
    return found | {
        "mounts": Path("/proc/self/mounts").read_text(),
        "hostname": socket.gethostname(),
    }


def ours() -> set[str]:
    """Processes of a box that this process started, or that nobody cares for any more."""
    parents, boxed = {}, set()
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            words = Path(f"/proc/{entry}/cmdline").read_text()
            stat = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        parents[entry] = stat[1]
        if "proctor.pen.server" in words:
            boxed.add(entry)

    def top(entry: str) -> str:
        while parents.get(entry, "1") not in ("0", "1", str(os.getpid())):
            entry = parents[entry]
        return entry

    return {one for one in boxed if parents.get(top(one)) == str(os.getpid()) or top(one) in boxed}


@pytest.fixture(scope="module")
def corpus():
    """All of them, and honest ones in between, through one box; what was there before, and after."""
    before, processes = machine(), ours()
    attacks = {name: read(name) for name in NAMES}
    submissions = []
    for number, (name, attack) in enumerate(attacks.items()):
        if number % HONEST == 0:
            submissions.append(plain().handed(f"honest-{number}", plain().filled(GOOD)))
        submissions.append(plain().handed(name, notebook(attack)))
    submissions.append(plain().handed("honest-last", plain().filled(GOOD)))
    return attacks, plain().mark(submissions), (before, processes)


@pytest.mark.parametrize("name", NAMES)
def test_an_attack_gets_what_it_earned_and_learns_nothing(name, corpus):
    attacks, marked, _ = corpus
    attack, came = attacks[name], marked[name]
    if name == "system_calls" and platform.machine() != "x86_64":
        attack.words.clear()  # its numbers are those of x86-64
    assert (came.scores["p1"], came.scores["p2"]) == attack.points, came.text
    for words in attack.words:
        assert words in came.text
    told = "\n".join([*came.notes, *came.outputs.values(), *map(str, shown(came))])
    for words in (*attack.never, "secret_of_test"):
        assert words not in told
    assert "<script" not in "".join(c["source"] for c in cells(came) if c["kind"] != "code")


def cells(came):
    return came.result["notebooks"]["hw1"]["cells"]


def shown(came):
    """The outputs of the student's own cells; a test's traceback quotes the test, and feedback leaves it out."""
    return [cell["outputs"] for cell in cells(came) if cell["key"] not in ("p1", "p2")]


def test_the_honest_between_them_are_unharmed(corpus):
    _, marked, _ = corpus
    honest = [came for student, came in marked.items() if student.startswith("honest")]
    assert len(honest) > len(NAMES) // HONEST
    for came in honest:
        assert (came.scores["p1"], came.scores["p2"]) == (2, 3)
        assert came.notes == []


def test_nothing_is_left_of_them(corpus):
    *_, (before, processes) = corpus
    assert machine() == before
    assert ours() == processes == set()


def test_every_outcome_is_bounded(corpus):
    """No result is larger than a gradebook should keep."""
    _, marked, _ = corpus
    for name, came in marked.items():
        assert len(came.text) < 2_000_000, name
