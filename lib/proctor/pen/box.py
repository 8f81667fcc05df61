"""The outside of the box: begin it, hire wardens, send them submissions, notice who has died."""

import contextlib
import json
import os
import select
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from proctor.pen import sandbox
from proctor.pen.frames import Closed, Line

PRELOAD = (
    "numpy", "numpy.testing", "torch", "torch.utils.data", "matplotlib.pyplot", "scipy.optimize",
    "torch.fx.experimental.symbolic_shapes",  # the first backward pass imports it, and sympy with it
    "proctor.marking", "IPython.core.completer", "stack_data",
)  # fmt: skip
START = 120  # seconds, on a busy machine
END = 10  # seconds until everything in a box that was killed is gone


class Dead(RuntimeError):
    """The box, or a warden in it, has ended."""


class Warden:
    """A warden as the writer knows it."""

    def __init__(self, line: Line, pid: int) -> None:
        self.line, self.pid, self.spec = line, pid, None

    def fileno(self) -> int:
        """For select."""
        return self.line.fileno()

    def send(self, spec: dict, files: dict[str, bytes], notes: list[str]) -> None:
        """A submission; the assignment only when it is a new one."""
        message: dict[str, Any] = {"names": list(files), "notes": notes}
        if spec is not self.spec:
            message["spec"], self.spec = spec, spec
        self.line.send(message, files.values(), START)

    def result(self) -> dict[str, Any]:
        """What came of it; Dead if the warden is."""
        try:
            return self.line.receive(START)[0]
        except Closed:
            raise Dead("the warden has ended") from None


def below(pid: int) -> Iterator[int]:
    """Descriptors of a process's descendants, each readable once its process has ended."""
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield os.pidfd_open(int(child))
            yield from below(int(child))


class Box:
    """One bubblewrap, with a server that forks and as many wardens as asked for."""

    def __init__(self, confined: bool = True, preload: tuple[str, ...] = PRELOAD) -> None:
        if confined and (why := sandbox.missing()):
            raise sandbox.NotConfined(
                f"{why}. To grade safely: {sandbox.CURES}. To grade at your own risk: --unsafe"
            )
        self.closed, self.wardens = False, []
        self.control, theirs = socket.socketpair()
        command = [
            sys.executable, "-m", "proctor.pen.server", str(theirs.fileno()), ",".join(preload),
            "confined" if confined else "unsafe",
        ]  # fmt: skip
        self.process = sandbox.start(command, [theirs.fileno()], confined)
        theirs.close()
        self.control.settimeout(START)

    def ready(self) -> None:
        """Wait until the server can fork."""
        if self.wardens:
            return
        hello = self._read()
        if hello["threads"] != 1:
            raise Dead(
                f"a module that is imported first has started {hello['threads'] - 1} threads: a fork loses them"
            )

    def _read(self) -> dict[str, Any]:
        text = b""
        while not text.endswith(b"\n"):
            try:
                part = self.control.recv(1 << 16)
            except OSError:
                part = b""
            if not part:
                raise sandbox.NotConfined(self.complaint())
            text += part
        return json.loads(text)

    def complaint(self) -> str:
        """Why the box has ended."""
        self.process.kill()
        said = b""
        with contextlib.suppress(subprocess.TimeoutExpired):
            said = self.process.communicate(timeout=5)[1]
        words = (said or b"").decode(errors="replace").strip().splitlines()
        return f"the box has ended: {words[-1] if words else 'it says nothing'}. To grade safely: {sandbox.CURES}"

    def hire(self) -> Warden:
        """A new warden."""
        ours, theirs = socket.socketpair()
        socket.send_fds(self.control, [json.dumps({"do": "warden"}).encode()], [theirs.fileno()])
        theirs.close()
        answer = self._read()
        warden = Warden(Line(ours, json_cap=1 << 28), answer["pid"])
        self.wardens.append(warden)
        try:
            warden.line.receive(START)
        except Closed:
            raise Dead(f"a warden ended before it was ready. {self.complaint()}") from None
        return warden

    def close(self) -> None:
        """End everything in it."""
        if self.closed:
            return
        self.closed = True
        self.control.close()
        for warden in self.wardens:  # without a box around it, it leaves when its line does
            warden.line.close()
        inside = list(below(self.process.pid))
        self.process.kill()
        self.process.wait()
        for one in inside:  # killing bubblewrap kills its box, but a little later
            select.select([one], [], [], END)
            os.close(one)
        if self.process.stderr:
            self.process.stderr.close()

    def __enter__(self) -> "Box":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
