"""Processes forked from a clean one: it has imported torch, and has never run anything with it.

A process that has differentiated once cannot fork children that do: autograd's threads stay behind.
So forks come from a server of their own, whatever its client has done.
"""

import atexit
import contextlib
import functools
import gc
import importlib
import json
import os
import signal
import socket
import struct
import subprocess
import sys
from collections.abc import Iterable

LENGTH = struct.Struct("<Q")


class Forks:
    """The client's side: it asks for a child that runs a function, and gets a socket to it."""

    def __init__(self, modules: Iterable[str] = ()) -> None:
        self.control, theirs = socket.socketpair()
        command = [sys.executable, "-m", "proctor.forks", str(theirs.fileno()), *modules]
        self.server = subprocess.Popen(command, pass_fds=[theirs.fileno()])
        theirs.close()
        atexit.register(self.end)

    def fork(self, function: str, **arguments: object) -> tuple[int, socket.socket]:
        """Run `module:function(socket, **arguments)` in a new child; return its pid and our end."""
        ours, theirs = socket.socketpair()
        pid = self.ask([function, arguments], theirs)
        theirs.close()
        return pid, ours

    def warm(self, modules: list[str]) -> None:
        """Import modules in the server; what cannot be imported is the business of the cells."""
        self.ask(modules, self.control)

    def ask(self, request: list, line: socket.socket) -> int:
        """Send a request with a descriptor; return the number that comes back."""
        text = json.dumps(request).encode()
        socket.send_fds(self.control, [LENGTH.pack(len(text))], [line.fileno()])
        self.control.sendall(text)
        return LENGTH.unpack(receive(self.control, LENGTH.size))[0]

    def end(self) -> None:
        """Close the line; the server leaves when nobody asks any more."""
        self.control.close()
        self.server.wait()


@functools.cache
def shared(*modules: str) -> Forks:
    """One server for all who want the same imports."""
    return Forks(modules)


def receive(line: socket.socket, size: int) -> bytes:
    """Exactly so many bytes; EOFError when the other side has left."""
    parts = []
    while size:
        part = line.recv(min(size, 1 << 20))
        if not part:
            raise EOFError
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def take_in(modules: list[str]) -> int:
    """Import modules for all forks to come."""
    for name in modules:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    gc.freeze()  # or the garbage collector of every fork walks through, and so copies, what it shares
    return 0


def child(line: socket.socket, name: str, arguments: dict) -> None:
    """Be the forked process: run the function, whatever happens, and leave."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        module, _, function = name.partition(":")
        getattr(importlib.import_module(module), function)(line, **arguments)
        line.close()
    finally:
        os._exit(0)


def serve(control: socket.socket) -> None:
    """Fork on request until the client leaves."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # children are reaped by themselves
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the client's keyboard is not for us
    while True:
        head, descriptors, _, _ = socket.recv_fds(control, LENGTH.size, 1)
        if not head:
            return
        request = json.loads(receive(control, LENGTH.unpack(head)[0]))
        with socket.socket(fileno=descriptors[0]) as line:
            work = len(request) == 2 and isinstance(request[1], dict)
            pid = os.fork() if work else take_in(request)
            if work and not pid:
                control.close()
                child(line, *request)
        control.sendall(LENGTH.pack(pid))


if __name__ == "__main__":
    take_in(sys.argv[2:])
    serve(socket.socket(fileno=int(sys.argv[1])))
