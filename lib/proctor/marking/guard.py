"""Keep a student's code within its time, its words and its settings while a check runs."""

import contextlib
import dis
import functools
import os
import signal
import sys
import tempfile
import threading
import time
import warnings
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import ClassVar

import torch

AGAIN = 0.05  # seconds until an alarm that was swallowed rings again
SPARED = 20.0  # seconds that a check may work at a time on its own account
BOOKKEEPING = {dis.opmap[name] for name in ("PUSH_EXC_INFO", "COPY", "POP_EXCEPT", "RERAISE")}
HOME = str(Path(__file__).parent)


class OutOfTime(BaseException):
    """No Exception, so that a student's `except Exception` lets it pass."""


class at_most:
    """Raise OutOfTime after so many seconds of work, whatever the code does to catch it.

    The first ring raises wherever the code happens to be. If a bare `except:`, or a `finally` with
    `continue`, takes it, the next ring raises at *every* instruction of the frames between the code
    and us: no handler gets to its first line. Where there is no alarm clock (Windows, another
    thread) nothing happens. Work done in another process on behalf of the code is added to `elsewhere`,
    and what a check does `off_the_clock` to `spared`.
    """

    running: ClassVar[list["at_most"]] = []  # the innermost last

    def __init__(self, seconds: float) -> None:
        self.seconds, self.rang, self.clock = seconds, False, False
        self.elsewhere, self.spared = 0.0, 0.0
        self.springs: list[weakref.ref] = []

    def __enter__(self) -> None:
        main = threading.current_thread() is threading.main_thread()
        self.clock = main and hasattr(signal, "setitimer")
        self.waits, self.depth = sys._getframe(1), sys.getrecursionlimit()
        self.start = time.monotonic(), time.thread_time()
        self.running.append(self)
        if self.clock:
            self.tracing = sys.gettrace()
            self.before = signal.signal(signal.SIGALRM, self.ring)
            signal.setitimer(signal.ITIMER_REAL, self.seconds, AGAIN)

    def worked(self) -> float:
        """Seconds of work in this process that count."""
        return time.thread_time() - self.start[1] - self.spared

    def left(self) -> float:
        """Seconds of work that may still be done."""
        return self.seconds - self.worked() - self.elsewhere

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self.running.remove(self)
        if self.clock:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self.before)
            sys.setrecursionlimit(self.depth)
        self.springs.clear()  # those left in dead frames must not load again
        if self.rang:
            sys.settrace(self.tracing)
        if self.rang and kind is not KeyboardInterrupt:
            raise OutOfTime  # also where the code made another error of it, or an answer

    def guards(self, frame: FrameType | None) -> bool:
        """Whether a frame is the student's or the graded cell's: not ours, not the one that waits."""
        ours = frame is None or frame.f_code.co_filename.startswith(HOME)
        return not ours and frame is not self.waits

    def ring(self, _signal: int, frame: FrameType | None) -> None:
        """Raise, if the code has worked for its seconds or been away for a multiple of them."""
        sys.setrecursionlimit(self.depth + 100)  # the code may have used up all of it
        wall, cpu = time.monotonic() - self.start[0], self.worked()
        if cpu < self.seconds and wall < 4 * (self.seconds + self.spared) + 1:
            signal.setitimer(signal.ITIMER_REAL, max(self.seconds - cpu, AGAIN), AGAIN)
        elif self.guards(frame):
            again, self.rang = self.rang, True
            if again:
                while self.guards(frame):
                    self.load(frame)  # pyright: ignore
                    frame = frame.f_back  # pyright: ignore
                sys.settrace(lambda *_: None)
            raise OutOfTime

    def load(self, frame: FrameType) -> None:
        """Make a frame raise at its next instruction; Python then drops the spring, which we notice."""
        spring = functools.partial(self.spring)
        self.springs.append(weakref.ref(spring, self.reload))
        frame.f_trace, frame.f_trace_opcodes = spring, True

    def reload(self, _spring: object) -> None:
        """Load again, because Python ends all tracing when a trace function raises."""
        frame = sys._getframe(1)
        if self.guards(frame):
            self.load(frame)
            sys.settrace(lambda *_: None)

    def spring(self, frame: FrameType, event: str, _value: object) -> None:
        """Raise before an instruction, save those with which Python keeps account of exceptions."""
        if event == "opcode" and frame.f_code.co_code[frame.f_lasti] not in BOOKKEEPING:
            raise OutOfTime


@contextlib.contextmanager
def off_the_clock() -> Iterator[None]:
    """A check's reference answer, and its search for the misconception, are not the student's work.

    On a slow machine they would otherwise pass for an endless loop. They have a limit of their own,
    since either may call what a student wrote.
    """
    if not at_most.running:
        yield
        return
    clock, start = at_most.running[-1], time.thread_time()
    clock.spared += SPARED
    try:
        yield
    finally:
        clock.spared += time.thread_time() - start - SPARED
        if clock.clock and not clock.rang:
            signal.setitimer(signal.ITIMER_REAL, max(clock.seconds - clock.worked(), AGAIN), AGAIN)


@contextlib.contextmanager
def own_world(said: list[str]) -> Iterator[None]:
    """Keep a student's words from nbgrader (one on stderr scores 0), and settings from the next check."""
    outs, dtype = [(1, sys.stdout), (2, sys.stderr)], torch.get_default_dtype()

    def listen(text: str) -> int:
        if len(said) < 999:
            said.append(text)
        return len(text)

    with (
        tempfile.TemporaryFile() as sink,
        warnings.catch_warnings(),
        torch.random.fork_rng(devices=[]),
    ):
        warnings.simplefilter("ignore")
        kept = {number: os.dup(number) for number, _ in outs}
        for number, out in outs:
            out.flush()
            os.dup2(sink.fileno(), number)  # the file: C++ writes past Python
            out.write = listen  # the object: a logging handler may hold it
        # Not torch.manual_seed, which notes a stack for each accelerator that has not been used yet.
        torch.default_generator.manual_seed(0)
        torch.set_default_dtype(torch.float32)
        try:
            with torch.enable_grad(), torch.device("cpu"):
                yield
        finally:
            torch.set_default_dtype(dtype)
            for number, out in outs:
                del out.write
                os.dup2(kept[number], number)
                os.close(kept[number])
