"""One notebook of one submission: its cells in one process, its tests in another."""

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Any

from proctor.pen import mend
from proctor.pen.custody import ENDED, GRACE, Gone, Inmate, failure
from proctor.pen.frames import Late

if TYPE_CHECKING:
    from proctor.pen.warden import Warden

FRESH = 2  # times that a notebook's cells may run again because their process ended in a test


class Sitting:
    """One notebook of one submission."""

    def __init__(
        self, warden: "Warden", spec: dict, cells: list[mend.Cell], files: dict[str, bytes]
    ) -> None:
        self.warden, self.spec, self.cells, self.files = warden, spec, cells, files
        self.scores: dict[str, float | None] = {}
        self.notes: list[str] = []
        self.ran: list[mend.Cell] = []
        self.cpu, self.fresh = 0.0, 0
        self.student: Any = None
        self.referee: Any = None
        self.given: list[str] = list(spec["imports"])  # what the referee has run, or must run again

    def hold(self) -> None:
        """Run every cell, in order."""
        try:
            self.begin()
            for cell in self.cells:
                known = self.spec["cells"].get(cell.key)
                if cell.kind != "code":
                    continue
                if known and known["grade"] and not known["solution"]:
                    self.test(cell, known)
                else:
                    self.run(cell)
                    if known and known["locked"] and known["pure"]:
                        self.give(known["source"])
        finally:
            for inmate in filter(None, (self.student, self.referee)):
                inmate.end("done")
                self.cpu += inmate.cpu

    def begin(self) -> None:
        """Fork both; the referee sets up what every test may use."""
        mine, theirs = socket.socketpair()
        limits = self.warden.limits
        self.student = Inmate(self.warden, "student", theirs, limits, "")
        self.referee = Inmate(self.warden, "referee", mine, limits, self.warden.seed)
        try:
            self.referee.answer(30)
            self.referee.order({"do": "set up", "sources": self.given})
            self.referee.answer(limits["cell_s"])
        except (Gone, Late) as error:
            raise RuntimeError(f"the tests could not be set up: {error}") from None
        with contextlib.suppress(Gone, Late):
            self.student.answer(30)
            if self.files:
                self.student.order(
                    {"do": "files", "names": list(self.files)}, tuple(self.files.values())
                )
                self.student.answer(30)

    def revive(self) -> None:
        """Where a process has ended, a new one gets to where it was, so that the other exercises count."""
        ended = self.student.over or self.referee.over
        if not ended or self.fresh >= FRESH or self.warden.patience(60) < 1:
            return
        self.fresh += 1
        for inmate in (self.student, self.referee):
            inmate.end(ENDED)
            self.cpu += inmate.cpu
        self.begin()
        for cell in self.ran:
            with contextlib.suppress(Gone):
                self.student.order({"do": "run", "source": cell.source})
                self.student.finish(self.warden.limits["cell_s"], "this cell")

    def give(self, source: str) -> None:
        """A locked cell that only imports and defines: the tests may use it."""
        self.given.append(source)
        with contextlib.suppress(Gone, Late):
            self.referee.order({"do": "set up", "sources": [source]})
            self.referee.answer(self.warden.limits["cell_s"])

    def run(self, cell: mend.Cell) -> None:
        """A cell of the student's, or one that was given."""
        start = time.monotonic()
        self.revive()
        try:
            self.student.order({"do": "run", "source": cell.source})
            said = self.student.finish(self.warden.limits["cell_s"], "this cell")
            cell.outputs = mend.outputs(said.get("outputs"))
            self.ran.append(cell)
        except Gone as gone:
            cell.outputs = [failure("NotRun", str(gone))]
        cell.seconds = time.monotonic() - start

    def test(self, cell: mend.Cell, known: dict) -> None:
        """A graded cell: the referee runs it and gives the score."""
        start, name, most = time.monotonic(), known["name"], known["points"]
        self.revive()
        serving = False
        with contextlib.suppress(Gone):
            self.student.order({"do": "serve"})
            serving = True
        try:
            self.referee.order(
                {
                    "do": "test",
                    "source": known["source"],
                    "exports": self.spec["exports"],
                    "wanted": known["wanted"],
                }  # fmt: skip
            )
            said = self.referee.finish(self.warden.limits["cell_s"], "this test")
        except Gone as gone:
            late = "longer than" in str(gone)
            cell.outputs = [failure("NotTested", str(gone))]
            self.scores[name] = 0.0 if late and self.student.over else None
            self.notes.append(f"{name}: {gone}")
            said = None
        if said is not None:
            cell.outputs = mend.outputs(said.get("outputs"))
            self.scores[name] = self.points(said, name, most)
        if serving and not self.student.over:
            self.released(said)
        cell.seconds = time.monotonic() - start

    def released(self, said: dict | None) -> None:
        """The student's process comes back from serving; one that does not is ended."""
        try:
            if said is None or said.get("dead"):
                raise Late
            self.student.answer(GRACE)
        except Late:
            self.student.end("a function of yours did not stop when its time was up")
        except Gone:
            pass

    def points(self, said: dict, name: str, most: float) -> float | None:
        """nbgrader's rule, without its mistakes; None sends the cell to a person."""
        if said.get("late"):
            return 0.0
        if said.get("failed"):
            error = next((o for o in said["outputs"][::-1] if o.get("output_type") == "error"), {})
            if error.get("ename") == "RuntimeError" and "the checks are worth" in error.get(
                "evalue", ""
            ):
                self.notes.append(f"test {name}: {error['evalue']}")
                return None
            return 0.0
        if not said.get("shows"):
            return most
        value = said.get("value")
        if value is not None and 0 <= value <= most:
            return value
        self.notes.append(f"test {name}: its value is not a number between 0 and {most:g}")
        return None
