"""The server inside the box: it imports once, forks on request, and never reads a submission or a test.

    python -m proctor.pen.server CONTROL MODULES CONFINED

On the control socket the writer asks for wardens. Each warden has a socket of its own to the server, on which it
asks for a student or a referee, for an interrupt, and for an end.
"""

import contextlib
import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
import traceback
from typing import Any

from proctor.pen import frames, inmate, outputs, warden
from proctor.pen.confine import confine


def single_thread() -> int:
    """Threads of this process; a fork keeps only one."""
    return len(os.listdir("/proc/self/task"))


class Server:
    """Forks, and knows who asked for whom."""

    def __init__(self, control: socket.socket, confined: bool) -> None:
        self.control, self.confined = control, confined
        self.shell = outputs.shell()
        self.asking: dict[socket.socket, set[int]] = {control: set()}  # whose children are whose
        gc.collect()
        gc.freeze()

    def serve(self) -> None:
        """Until the writer leaves."""
        while True:
            for end in select.select(list(self.asking), [], [])[0]:
                try:
                    text, descriptors, _, _ = socket.recv_fds(end, 1 << 16, 4)
                except OSError:
                    text, descriptors = b"", []
                if not text and end is self.control:
                    return
                if not text:
                    self.forget(end)
                    continue
                try:
                    answer = self.answer(end, json.loads(text), descriptors)
                finally:
                    for descriptor in descriptors:
                        os.close(descriptor)
                with contextlib.suppress(OSError):
                    end.sendall(json.dumps(answer).encode() + b"\n")

    def answer(
        self, end: socket.socket, asked: dict[str, Any], descriptors: list[int]
    ) -> dict[str, Any]:
        """Do what is asked."""
        if asked["do"] == "warden":
            return {"pid": self.hire(descriptors[0])}
        if asked["do"] == "fork":
            pid = self.fork(asked, descriptors)
            self.asking[end].add(pid)
            return {"pid": pid}
        if asked["do"] == "signal":
            with contextlib.suppress(ProcessLookupError):
                os.kill(asked["pid"], asked["number"])
            return {}
        self.asking[end].discard(asked["pid"])
        return self.end(asked["pid"])

    def hire(self, descriptor: int) -> int:
        """A warden, with the writer's line that came and one to this server."""
        ours, theirs = socket.socketpair()
        pid = os.fork()
        if not pid:
            with leaving():
                for other in self.asking:
                    other.close()
                ours.close()
                warden.main(frames.Line(socket.socket(fileno=os.dup(descriptor)), 1 << 30), theirs)
        theirs.close()
        self.asking[ours] = set()
        return pid

    def fork(self, asked: dict[str, Any], descriptors: list[int]) -> int:
        """A student or a referee."""
        pid = os.fork()
        if not pid:
            orders = frames.Line(socket.socket(fileno=os.dup(descriptors[0])))
            line = frames.Line(socket.socket(fileno=os.dup(descriptors[1])))
            for other in self.asking:
                other.close()
            for descriptor in descriptors:
                os.close(descriptor)
            with leaving(orders):
                null = os.open(os.devnull, os.O_RDWR)
                for number in range(3):
                    os.dup2(null, number)
                os.setsid()
                if self.confined:
                    confine(asked["limits"])
                inmate.main(asked["role"], self.shell, orders, line, asked)
        return pid

    def end(self, pid: int) -> dict[str, Any]:
        """End a child's whole world and wait until it is gone."""
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM if self.confined else signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            _, _, used = os.wait4(pid, 0)
            return {"cpu": used.ru_utime + used.ru_stime, "rss_mb": used.ru_maxrss >> 10}
        return {"cpu": 0.0, "rss_mb": 0}

    def forget(self, end: socket.socket) -> None:
        """A warden has left: nobody of its own stays."""
        for pid in self.asking.pop(end):
            self.end(pid)
        end.close()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass


@contextlib.contextmanager
def leaving(orders: frames.Line | None = None):
    """In a fork: whatever happens, end here; tell the warden why it broke."""
    code = 1
    try:
        yield
        code = 0
    except BaseException:
        if orders is not None:
            with contextlib.suppress(BaseException):
                orders.send({"broken": traceback.format_exc()})
        elif not isinstance(sys.exception(), frames.Closed):
            traceback.print_exc()
    finally:
        os._exit(code)


def main(words: list[str]) -> None:
    """Import, say so, serve."""
    control = socket.socket(fileno=int(words[0]))
    for name in words[1].split(","):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    server = Server(control, words[2] == "confined")
    control.sendall(json.dumps({"threads": single_thread()}).encode() + b"\n")
    server.serve()


if __name__ == "__main__":
    main(sys.argv[1:])
