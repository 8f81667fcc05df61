"""The student's end of the channel: it answers the referee. Nothing that it says is trusted."""

import contextlib
import io
import linecache
import time
import traceback
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from proctor.marking import conduct, guard
from proctor.pen.bridge import set_randomness
from proctor.pen.channel import ERRORS
from proctor.pen.frames import Line
from proctor.pen.values import Blobs, Codec

WORDS = 100_000  # characters of output


class Words(io.StringIO):
    """What a call prints, up to a limit."""

    def write(self, text: str) -> int:
        """Keep the beginning."""
        super().write(text[: max(0, WORDS - self.tell())])
        return len(text)


class Agent(Codec):
    """Answers questions about the names of a notebook."""

    def __init__(self, line: Line, world: dict[str, Any]) -> None:
        super().__init__()
        self.line, self.world = line, world
        self.leaves: list[
            Tensor
        ] = []  # the arguments with a gradient, in the order in which they came

    def serve(self) -> None:
        """Answer until the referee says that the test is over."""
        while True:
            asked, blobs = self.line.receive()
            if asked["do"] == "end":
                self.kept.clear()
                return
            self.answer(asked, blobs)

    def answer(self, asked: dict, blobs: Blobs) -> None:
        """Do what is asked, and tell what came of it."""
        out: Blobs = []
        start, words = time.process_time(), Words()
        try:
            with guard.at_most(asked["seconds"]), contextlib.redirect_stdout(words):
                said = self.do(asked, blobs, out)
        except guard.OutOfTime:
            said, out = {"error": {"late": True}}, []
        except BaseException as error:
            said, out = {"error": self.described(error)}, []
        said |= {
            "number": asked["number"],
            "cpu": time.process_time() - start,
            "said": words.getvalue(),
        }
        self.line.send(said, out)

    def described(self, error: BaseException) -> dict[str, Any]:
        """An exception: its kinds, its text, and the line of the student's own cell."""
        steps = [
            (frame.f_code.co_filename, number) for frame, number in traceback.walk_tb(error.__traceback__)
            if frame.f_globals is self.world
        ]  # fmt: skip
        where = ""
        if steps:
            file, number = steps[-1]
            where = f"line {number} of your cell: {linecache.getline(file, number).strip()}"
        try:
            text = str(error)[:5000]
        except Exception:
            text = ""
        return {
            "kinds": [kind.__name__ for kind in type(error).__mro__],
            "text": text,
            "where": where,
        }

    def do(self, asked: dict, blobs: Blobs, out: Blobs) -> dict[str, Any]:
        """The answer to one question."""
        verb = asked["do"]
        if verb == "names":
            pairs = [[name, self.world[name]] for name in asked["names"] if name in self.world]
            return {"value": self.pack(pairs, out)}
        if verb == "backward":
            return self.backward(asked, blobs, out)
        if verb == "call":
            return self.call(asked, blobs, out)
        it = self.kept[asked["of"]]
        values = [self.unpack(one, blobs) for one in asked["values"]]
        verbs: dict[str, Callable] = {
            "attr": lambda: getattr(it, asked["name"]),
            "set attr": lambda: setattr(it, asked["name"], *values),
            "item": lambda: it[values[0]],
            "set item": lambda: it.__setitem__(*values),
            "len": lambda: len(it),
            "contains": lambda: values[0] in it,
            "iter": lambda: iter(it),
            "next": lambda: [one for one in (next(it, guard),) if one is not guard],
            "same": lambda: bool(it == values[0]),
            "isinstance": lambda: isinstance(values[0], it),
            "str": lambda: str(it),
        }
        return {"value": self.pack(verbs[verb](), out, graph=True)}

    def call(self, asked: dict, blobs: Blobs, out: Blobs) -> dict[str, Any]:
        """Call a function with the arguments that came, in the settings of a fresh kernel."""
        self.leaves = []
        args = [self.unpack(one, blobs) for one in asked["args"]]
        named = {name: self.unpack(one, blobs) for name, one in asked["named"].items()}
        flat = (*args, *named.values())
        torch.set_default_dtype(self.unpack(asked["dtype"], blobs))
        if "state" in asked:
            set_randomness(*blobs[asked["state"] : asked["state"] + 2])
        placing = conduct.Placing() if asked["placing"] else contextlib.nullcontext()
        with (
            warnings.catch_warnings(),
            torch.set_grad_enabled(asked["grad"]),
            torch.device("cpu"),
            placing,
        ):
            warnings.simplefilter("ignore")
            value = self.kept[asked["of"]](*args, **named)
        said: dict[str, Any] = {"value": self.pack(value, out, same=flat, graph=True)}
        said["changed"] = changed = []
        sent = [*asked["args"], *asked["named"].values()]
        for place, (value, came) in enumerate(zip(flat, sent, strict=True)):
            again: Blobs = []
            packed = self.pack(value, again)
            if not alike(packed, again, came, blobs):
                changed.append([place, self.pack(value, out)])
        return said

    def backward(self, asked: dict, blobs: Blobs, out: Blobs) -> dict[str, Any]:
        """The gradients at the arguments of the call that gave these outputs."""
        pairs = [self.kept[handle] for handle in asked["outputs"]]
        gradients = [self.unpack(one, blobs) for one in asked["gradients"]]
        leaves = pairs[0][1]
        for leaf in leaves:
            leaf.grad = None
        # all of it, so that parameters of the student's get their gradients too
        torch.autograd.backward([output for output, _ in pairs], gradients, retain_graph=True)
        found = [leaf.grad for leaf in leaves]
        return {"value": self.pack(found, out)}

    def keep_graph(self, output: Tensor) -> int:
        """A handle for an output and for what it may be differentiated by."""
        return self.keep((output, self.leaves))

    def arrived(self, leaf: Tensor) -> None:
        """Remember an argument with a gradient."""
        self.leaves.append(leaf)

    def remote(self, packed: dict) -> Callable:
        """A function of the test's: calling it asks back."""

        def function(*args: Any, **named: Any) -> Any:
            blobs: Blobs = []
            message = {
                "back": packed["of"],
                "args": [self.pack(one, blobs) for one in args],
                "named": {name: self.pack(one, blobs) for name, one in named.items()},
            }
            self.line.send(message, blobs)
            answer, came = self.line.receive()
            if "error" in answer:
                raise ERRORS.get(answer["error"]["kinds"][0], Exception)(answer["error"]["text"])
            return self.unpack(answer["value"], came)

        function.__name__ = packed["name"]
        return function


def alike(packed: Any, blobs: Blobs, came: Any, those: Blobs) -> bool:
    """Whether two packed values are the same, bytes and all; handles are not looked into."""
    if isinstance(packed, dict) and isinstance(came, dict):
        if packed.get("is") == "handle" or came.get("is") in ("handle", "yours"):
            return True
        if "at" in packed and "at" in came and blobs[packed["at"]] != those[came["at"]]:
            return False
        keys = (packed.keys() | came.keys()) - {"at", "placed"}
        return all(alike(packed.get(key), blobs, came.get(key), those) for key in keys)
    if isinstance(packed, list) and isinstance(came, list):
        return len(packed) == len(came) and all(
            alike(one, blobs, other, those) for one, other in zip(packed, came, strict=True)
        )
    both_nan = packed != packed and came != came
    return packed == came or both_nan
