"""The test's end of the channel to the student's functions, and the student's objects as a test sees them.

The referee asks (`call`, `attr`, `item` …) and the student answers; while a call runs, the student may ask back to
call a function that the test passed in. Requests are numbered: an answer to one that was given up is dropped.
"""

import builtins
import sys
import time
from typing import Any

import torch
from torch import Tensor

from proctor.marking import conduct, guard
from proctor.pen.bridge import Bridge, graphs_in, overwrite, randomness, ungraphed
from proctor.pen.frames import Closed, Late, Line
from proctor.pen.remote import Remote
from proctor.pen.values import Blobs, Codec, Unreadable

SECONDS = 10.0  # of the student's work for one call outside of a check that has a limit of its own
CALLS_BACK = 200_000
ERRORS = {
    name: kind for name, kind in vars(builtins).items()
    if isinstance(kind, type) and issubclass(kind, Exception) and "Stop" not in name
} | {"SystemExit": SystemExit}  # fmt: skip


class StudentDied(Exception):
    """The process that runs the student's code ended, or is not listened to any more."""


class RemoteError(Exception):
    """An error of a kind that is not Python's own, or an answer that is no value."""


class Referee(Codec):
    """The test's end: it asks, and believes nothing that comes."""

    def __init__(self, line: Line, seconds: float = SECONDS) -> None:
        super().__init__()
        self.line, self.seconds, self.number, self.state = line, seconds, 0, [b""]
        self.sent: list[
            Tensor
        ] = []  # tensors with a gradient, in the order in which they were packed
        self.usual: Any = None  # the stream on which a student's words are nobody's business

    def remote(self, packed: dict) -> Remote:
        """What stands for an object of the student's."""
        return Remote(self, packed)

    def pack_handle(self, value: Any) -> dict:
        """A student's object goes home; a function of the test's can be called back."""
        if type(value) is Remote:
            return {"is": "yours", "of": value._handle}
        return super().pack_handle(value)

    def pack_tensor(self, value: Tensor, *rest: Any) -> dict:
        """As any tensor; its gradient may be asked for later."""
        if value.requires_grad:
            self.sent.append(value)
        return super().pack_tensor(value, *rest)

    def names(self, wanted: list[str]) -> dict[str, Any]:
        """The student's objects under these names, where there are any; modules are never the student's."""
        found = self.ask("names", 0, (), {"names": wanted})
        pairs = found if type(found) is list else []
        return {
            name: value for name, value in (p for p in pairs if type(p) is list and len(p) == 2)
            if name in wanted
            and not (type(value) is Remote and "builtins.module" in value._packed.get("kinds", ()))
        }  # fmt: skip

    def ask(self, verb: str, handle: int, values: tuple, parts: dict) -> Any:
        """One question about an object; the answer as a value."""
        blobs: Blobs = []
        packed = [self.pack(value, blobs) for value in values]
        answer, came = self.exchange({"do": verb, "of": handle, "values": packed} | parts, blobs)
        return ungraphed(self.unpack(answer.get("value"), came))

    def call(self, handle: int, args: tuple, named: dict) -> Any:
        """Call a function of the student's; arguments that it changed are changed here too."""
        blobs: Blobs = []
        self.sent = []
        flat = (*args, *named.values())
        message: dict[str, Any] = {
            "do": "call", "of": handle,
            "args": [self.pack(value, blobs) for value in args],
            "named": {name: self.pack(value, blobs) for name, value in named.items()},
            "grad": torch.is_grad_enabled(),
            "dtype": self.pack(torch.get_default_dtype(), blobs),
            "placing": any(isinstance(value, conduct.Placed) for value in flat),
        }  # fmt: skip
        sent, state = self.sent, randomness()
        if state != self.state:  # the test has seeded or drawn: the student goes on from there
            message["state"], self.state = len(blobs), state
            blobs += state
        answer, came = self.exchange(message, blobs)
        try:
            value = self.unpack(answer.get("value"), came, same=flat)
            for place, packed in answer.get("changed") or ():
                overwrite(flat[place], ungraphed(self.unpack(packed, came)))
        except (Unreadable, TypeError, ValueError, IndexError, RuntimeError) as error:
            raise RemoteError(f"the answer is no value: {error}") from None
        return self.bridged(value, sent)

    def bridged(self, value: Any, sent: list[Tensor]) -> Any:
        """The value, with the graphs that stayed in the other process reachable from it."""
        graphs = list(graphs_in(value))
        if not graphs:
            return value
        anchor = torch.zeros((), requires_grad=True)
        ends = Bridge.apply(
            self, [g.handle for g in graphs], anchor, *[g.tensor for g in graphs], *sent
        )
        for graph, end in zip(graphs, ends, strict=True):  # pyright: ignore
            graph.tensor = end
        return ungraphed(value)

    def exchange(self, message: dict, blobs: Blobs) -> tuple[dict, Blobs]:
        """Send a question, serve what the student asks meanwhile, return the answer."""
        clock = guard.at_most.running[-1] if guard.at_most.running else None
        seconds = max(0.05, clock.left()) if clock else self.seconds
        self.number += 1
        until = time.monotonic() + 4 * seconds + 2
        try:
            self.line.send(
                message | {"number": self.number, "seconds": seconds}, blobs, 4 * seconds + 2
            )
            for _ in range(CALLS_BACK):
                answer, came = self.line.receive(max(0.01, until - time.monotonic()))
                if not isinstance(answer, dict):
                    raise Closed("the process running your code sent nonsense")
                if "back" in answer:
                    self.called_back(answer, came)
                elif answer.get("number") == self.number:
                    break
            else:
                raise Closed("the function that a check passed in was called too often")
        except Late:
            self.line.close()
            raise guard.OutOfTime from None
        except guard.OutOfTime:
            self.line.close()  # whatever ignores its own clock is not asked again
            raise
        except Closed as error:
            raise StudentDied(f"the process running your code ended ({error})") from None
        if clock:
            clock.elsewhere += min(float(answer.get("cpu") or 0), seconds)
        if isinstance(answer.get("error"), dict):
            raise self.error(answer["error"])
        if (
            sys.stdout is not self.usual
        ):  # the test listens; otherwise words could carry hidden inputs out
            sys.stdout.write(str(answer.get("said", ""))[:100_000])
        return answer, came

    def error(self, said: dict) -> BaseException:
        """The exception that the student's code raised: a kind of Python's own, its text, its place."""
        if said.get("late"):
            return guard.OutOfTime()
        kinds = [str(kind) for kind in said.get("kinds", [])[:20]]
        known = next((ERRORS[kind] for kind in kinds if kind in ERRORS), RemoteError)
        text = str(said.get("text", ""))[:5000]
        try:
            made = known(text)
        except TypeError:
            made = RemoteError(f"{known.__name__}: {text}")
        if said.get("where"):
            made.where = str(said["where"])[:300]  # pyright: ignore
        return made

    def called_back(self, asked: dict, came: Blobs) -> None:
        """Call a function of the test's with the student's values."""
        blobs: Blobs = []
        try:
            function = self.kept[int(asked["back"])]
            args = [ungraphed(self.unpack(one, came)) for one in asked["args"]]
            named = {
                str(key): ungraphed(self.unpack(one, came)) for key, one in asked["named"].items()
            }
            answer = {"value": self.pack(function(*args, **named), blobs)}
        except Exception as error:
            answer, blobs = (
                {"error": {"kinds": [type(error).__name__], "text": str(error)[:500]}},
                [],
            )
        self.line.send(answer, blobs, SECONDS)
