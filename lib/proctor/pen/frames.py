"""Messages between processes: a JSON value and blobs of bytes, each read with a deadline and a cap."""

import contextlib
import json
import select
import socket
import struct
import time
from collections.abc import Iterable
from typing import Any

LENGTH = struct.Struct("<I")
PIECE = 1 << 20
JSON_CAP, BLOB_CAP = 32 << 20, 256 << 20  # bytes


class Closed(Exception):
    """The other side has left, or sent what is no message: it is not listened to any more."""


class Late(Exception):
    """No message came in time; one may still come."""


class Line:
    """One end of a socket. What stops in the middle of a message, on either side, closes it for good."""

    def __init__(self, end: socket.socket, json_cap: int = JSON_CAP) -> None:
        self.socket, self.json_cap, self.open = end, json_cap, True
        end.setblocking(False)

    def fileno(self) -> int:
        """The descriptor, for select and for handing over."""
        return self.socket.fileno()

    def close(self) -> None:
        """Listen no more."""
        self.open = False
        with contextlib.suppress(OSError):
            self.socket.close()

    def send(self, message: Any, blobs: Iterable[bytes] = (), seconds: float | None = None) -> None:
        """Send all of a message, or raise Closed."""
        parts = list(blobs)
        text = json.dumps([message, [len(part) for part in parts]]).encode()
        parts = [LENGTH.pack(len(text)) + text, *parts]
        if sum(map(len, parts)) <= PIECE:  # at once: the other side wakes once
            parts = [b"".join(parts)]
        until = None if seconds is None else time.monotonic() + seconds
        self.check()
        try:
            for part in parts:
                rest = memoryview(part)
                while rest:
                    try:
                        rest = rest[self.socket.send(rest[:PIECE]) :]
                    except BlockingIOError:
                        self.wait(until, reading=False)
        except (Late, OSError):
            self.close()
            raise Closed("the other side does not listen") from None
        except BaseException:
            self.close()
            raise

    def receive(self, seconds: float | None = None) -> tuple[Any, list[bytes]]:
        """The next message and its blobs; Late while none has begun, Closed when none will come."""
        until = None if seconds is None else time.monotonic() + seconds
        self.check()
        self.wait(until)
        try:
            size = LENGTH.unpack(self.read(LENGTH.size, until))[0]
            if size > self.json_cap:
                raise Closed("a message is too long")
            message, sizes = json.loads(self.read(size, until))
            if not all(type(n) is int and n >= 0 for n in sizes) or sum(sizes) > BLOB_CAP:
                raise Closed("a message is too long")
            return message, [self.read(n, until) for n in sizes]
        except Late:
            self.close()
            raise Closed("a message stopped half-way") from None
        except (ValueError, TypeError, RecursionError):
            self.close()
            raise Closed("what came is no message") from None
        except BaseException:
            self.close()
            raise

    def check(self) -> None:
        """Raise Closed on a line that was given up."""
        if not self.open:
            raise Closed("the line is closed")

    def wait(self, until: float | None, reading: bool = True) -> None:
        """Until the other side has something to read, or room for more; Late when time is up."""
        left = None if until is None else max(0.0, until - time.monotonic())
        ends = ([self.socket], []) if reading else ([], [self.socket])
        if not any(select.select(*ends, [], left)):
            raise Late("no answer in time")

    def read(self, size: int, until: float | None) -> bytes:
        """Exactly so many bytes."""
        parts = bytearray()
        while len(parts) < size:
            try:
                part = self.socket.recv(min(size - len(parts), PIECE))
            except BlockingIOError:
                self.wait(until)
                continue
            except OSError:
                part = b""
            if not part:
                raise Closed("the other side has left")
            parts += part
        return bytes(parts)


def pair() -> tuple[Line, Line]:
    """Both ends of a new line."""
    return tuple(map(Line, socket.socketpair()))  # pyright: ignore
