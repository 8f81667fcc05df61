"""A student or a referee as its warden knows it: orders, answers within a time, an end; and its memory."""

import contextlib
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any

from proctor.pen import mend
from proctor.pen.frames import Closed, Late, Line

if TYPE_CHECKING:
    from proctor.pen.warden import Warden

GRACE = 2.0  # seconds after an interrupt
ENDED = "the process running your code ended"


class Gone(Exception):
    """A process has ended, and why."""


class Inmate:
    """A student or a referee, as its warden knows it."""

    def __init__(
        self, warden: "Warden", role: str, line: socket.socket, limits: dict, seed: str
    ) -> None:
        mine, theirs = socket.socketpair()
        asked = {"do": "fork", "role": role, "limits": limits, "seed": seed}
        answer = warden.ask(asked, [theirs.fileno(), line.fileno()])
        theirs.close()
        line.close()
        if "pid" not in answer:
            raise RuntimeError(f"the server could not fork: {answer.get('error')}")
        self.warden, self.role, self.pid, self.over = warden, role, answer["pid"], ""
        self.orders = Line(mine)
        self.cpu = 0.0

    def order(self, message: dict, blobs: tuple[bytes, ...] = ()) -> None:
        """Say what to do."""
        if self.over:
            raise Gone(self.over)
        try:
            self.orders.send(message, blobs, 5)
        except Closed:
            self.end(ENDED)
            raise Gone(self.over) from None

    def answer(self, seconds: float) -> dict:
        """What it says, within a time; Late, or Gone."""
        until = time.monotonic() + seconds
        while True:
            try:
                left = until - time.monotonic()
                said, _ = self.orders.receive(max(0.01, min(0.25, left)))
            except Late:
                if self.warden.too_large(self):
                    raise Gone(self.over) from None
                if time.monotonic() < until:
                    continue
                raise
            except Closed as error:
                self.end(f"{ENDED} ({error})" if "left" not in str(error) else ENDED)
                raise Gone(self.over) from None
            if not isinstance(said, dict) or "broken" in said:
                why = said.get("broken") if isinstance(said, dict) else "it sent nonsense"
                self.end(ENDED if self.role == "student" else f"the referee broke: {why}")
                raise Gone(self.over)
            return said

    def finish(self, seconds: float, what: str) -> dict:
        """An answer; after the time limit an interrupt; after that the end of the process."""
        words = f"{what} ran longer than {seconds:g} s"
        with contextlib.suppress(Late):
            return self.answer(self.warden.patience(seconds))
        self.warden.ask({"do": "signal", "pid": self.pid, "number": int(signal.SIGINT)})
        try:
            said = self.answer(GRACE)
        except Late:
            self.end(f"{words} and did not stop when interrupted")
            raise Gone(self.over) from None
        kept = [
            o for o in mend.outputs(said.get("outputs")) if o.get("ename") != "KeyboardInterrupt"
        ]
        return said | {
            "outputs": [*kept, failure("TimeLimit", f"{words} and was stopped")],
            "late": True,
        }

    def end(self, why: str) -> None:
        """End the process and all that it has started."""
        if not self.over:
            self.over = why
            self.cpu = self.warden.ask({"do": "end", "pid": self.pid}).get("cpu", 0.0)
            self.orders.close()


def failure(name: str, text: str) -> dict[str, Any]:
    """An error output in the grader's words."""
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": [f"{name}: {text}"]}


def family_memory(pid: int) -> int:
    """Bytes that a process and its descendants hold for themselves; what a fork shares does not count."""
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            with contextlib.suppress(OSError, ValueError):
                with open(f"/proc/{entry}/stat") as file:
                    parent = int(file.read().rpartition(")")[2].split()[1])
                parents.setdefault(parent, []).append(int(entry))
    total, family = 0, [pid]
    while family:
        one = family.pop()
        family += parents.get(one, [])
        with contextlib.suppress(OSError, ValueError):
            with open(f"/proc/{one}/smaps_rollup") as file:
                total += sum(
                    int(line.split()[1]) << 10 for line in file if line.startswith("Private")
                )
    return total
