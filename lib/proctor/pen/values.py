"""Values as they travel between student and referee: exact types by copy, everything else by a number.

What is unpacked is always a built-in, numpy or torch value made here: no `__eq__`, no `__torch_function__` and no
pickle of a student's reaches a test. A subclass (a named tuple, a Counter, `torch.return_types`) travels as the
data that it holds. What is no data stays where it is and is known to the other side by a handle.
"""

import builtins
import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from proctor.marking.conduct import Placed
from proctor.pen.kinds import KINDS, Unreadable, dtype, signature, torch_dtype

DEPTH = 40
LONGEST = 13_000  # bits of an integer: Python itself reads no more digits
PLAIN = (type(None), bool, float, str)
SEVERAL = {"list": list, "tuple": tuple, "set": set, "frozenset": frozenset}
ONES = {"ellipsis": Ellipsis, "not implemented": NotImplemented}

Blobs = list[bytes]


class Graph:
    """A tensor that came, and the handle of its graph on the other side."""

    def __init__(self, tensor: Tensor, handle: int) -> None:
        self.tensor, self.handle = tensor, handle


class Codec:
    """Packs and unpacks; keeps the objects whose handles it gave away."""

    def __init__(self) -> None:
        self.kept: dict[int, Any] = {}
        self.numbers = itertools.count(1)

    def keep(self, thing: Any) -> int:
        """A handle for an object that stays here."""
        number = next(self.numbers)
        self.kept[number] = thing
        return number

    def pack(
        self, value: Any, blobs: Blobs, same: tuple = (), graph: bool = False, depth: int = 0
    ) -> Any:
        """A value as JSON, its bytes appended to `blobs`.

        An object of `same` (the arguments) becomes its place there; with `graph`, a tensor that has one
        keeps it here and gives a handle.
        """
        if depth > DEPTH:
            raise TypeError(f"a value is nested more than {DEPTH} deep")
        for place, one in enumerate(same):
            if one is value and not isinstance(value, PLAIN):
                return {"is": "argument", "at": place}

        def inner(part: Any) -> Any:
            return self.pack(part, blobs, same, graph, depth + 1)

        def blob(raw: bytes) -> int:
            blobs.append(raw)
            return len(blobs) - 1

        if isinstance(value, Tensor):
            with torch._C.DisableTorchFunctionSubclass():  # a subclass has no say in what it holds
                if value.layout is torch.strided and value.device.type == "cpu":
                    return self.pack_tensor(value, blob, inner, graph)
        elif isinstance(value, np.ndarray) and value.dtype.kind in KINDS:
            raw = blob(np.ascontiguousarray(value).tobytes())
            return {"is": "array", "at": raw, "dtype": value.dtype.str, "shape": value.shape}
        elif isinstance(value, np.generic) and value.dtype.kind in KINDS:
            return {"is": "scalar", "at": blob(value.tobytes()), "dtype": value.dtype.str}
        elif value is None or isinstance(value, bool):
            return value
        elif isinstance(value, int):
            if int.bit_length(value) > LONGEST:
                raise TypeError("an integer has too many digits")
            return int(value)
        elif isinstance(value, float):
            return float.__float__(value)
        elif isinstance(value, str):
            return str.__str__(value)
        elif isinstance(value, complex):
            return {"is": "complex", "of": [value.real, value.imag]}
        elif isinstance(value, (bytes, bytearray)):
            return {"is": "bytes", "at": blob(bytes(value)), "free": isinstance(value, bytearray)}
        elif isinstance(value, torch.Size):
            return {"is": "size", "of": list(value)}
        elif isinstance(value, (list, tuple, set, frozenset)):
            name, kind = next((n, k) for n, k in SEVERAL.items() if isinstance(value, k))
            return {"is": name, "of": [inner(part) for part in kind.__iter__(value)]}
        elif isinstance(value, dict):
            return {"is": "dict", "of": [[inner(k), inner(v)] for k, v in dict.items(value)]}
        elif isinstance(value, range):
            return {"is": "range", "of": [value.start, value.stop, value.step]}
        elif isinstance(value, slice):
            return {"is": "slice", "of": [inner(x) for x in (value.start, value.stop, value.step)]}
        elif isinstance(value, torch.Generator):
            return {"is": "generator", "at": blob(value.get_state().numpy().tobytes())}
        elif isinstance(value, torch.dtype):
            return {"is": "torch dtype", "of": str(value).removeprefix("torch.")}
        elif isinstance(value, torch.device):
            return {"is": "device", "of": str(value)}
        elif isinstance(value, np.dtype) and value.kind in KINDS:
            return {"is": "dtype", "of": value.str}
        elif isinstance(value, type) and issubclass(value, np.generic):
            return {"is": "scalar type", "of": np.dtype(value).str}
        elif isinstance(value, type) and vars(builtins).get(value.__name__) is value:
            return {"is": "type", "of": value.__name__}
        for name, one in ONES.items():
            if value is one:
                return {"is": name}
        return self.pack_handle(value)

    def pack_tensor(self, value: Tensor, blob: Callable, inner: Callable, graph: bool) -> dict:
        """A tensor with its strides, whether it is a leaf, and its gradient."""
        x = value.detach().as_subclass(Tensor).resolve_conj().resolve_neg()
        extent = 1 + sum((n - 1) * s for n, s in zip(x.shape, x.stride(), strict=True))
        if not x.numel() or extent > 4 * x.numel():
            x = x.contiguous()
            extent = x.numel()
        flat = x.as_strided((extent,), (1,)).contiguous().view(torch.uint8)
        packed = {
            "is": "tensor", "at": blob(flat.numpy().tobytes()), "dtype": str(x.dtype)[6:],
            "shape": list(x.shape), "strides": list(x.stride()),
        }  # fmt: skip
        if value.requires_grad:
            packed |= {"grad": True, "leaf": value.is_leaf}
        if isinstance(value, torch.nn.Parameter):
            packed["parameter"] = True
        if isinstance(value, Placed):
            packed["placed"] = True
        if graph and value.grad_fn is not None:
            packed["graph"] = self.keep_graph(value)
        if value.is_leaf and value.grad is not None:
            packed["gradient"] = inner(value.grad)
        return packed

    def pack_handle(self, value: Any) -> dict:
        """What stays here: its number, and what a test may want to know of it."""
        kinds = [f"{kind.__module__}.{kind.__qualname__}" for kind in type(value).__mro__[:20]]
        name = getattr(value, "__name__", type(value).__name__)
        return {"is": "handle", "of": self.keep(value), "kinds": kinds, "name": str(name)[:100],
                "signature": signature(value)}  # fmt: skip

    def unpack(self, packed: Any, blobs: Blobs, same: tuple = (), depth: int = 0) -> Any:
        """The value, or Unreadable whatever was wrong with it."""
        try:
            return self._unpack(packed, blobs, same, depth)
        except Unreadable:
            raise
        except Exception as error:
            raise Unreadable(f"no value: {type(error).__name__}") from None

    def _unpack(self, packed: Any, blobs: Blobs, same: tuple, depth: int) -> Any:
        if depth > DEPTH:
            raise Unreadable(f"a value is nested more than {DEPTH} deep")

        def inner(part: Any) -> Any:
            return self._unpack(part, blobs, same, depth + 1)

        if type(packed) in (*PLAIN, int):
            return packed
        kind, of = packed["is"], packed.get("of")
        if kind == "argument":
            return same[packed["at"]]
        if kind == "tensor":
            return self.unpack_tensor(packed, blobs, inner)
        if kind in SEVERAL:
            return SEVERAL[kind](map(inner, of))
        if kind == "dict":
            return {inner(key): inner(value) for key, value in of}
        if kind in ONES:
            return ONES[kind]
        if kind in ("array", "scalar"):
            raw = np.frombuffer(bytearray(blobs[packed["at"]]), dtype=dtype(packed["dtype"]))
            return raw[0] if kind == "scalar" else raw.reshape([int(n) for n in packed["shape"]])
        if kind == "bytes":
            return (bytearray if packed["free"] else bytes)(blobs[packed["at"]])
        if kind == "generator":
            made = torch.Generator()
            made.set_state(torch.frombuffer(bytearray(blobs[packed["at"]]), dtype=torch.uint8))
            return made
        if kind == "torch dtype":
            return torch_dtype(of)
        if kind == "type" and isinstance(vars(builtins).get(of), type):
            return vars(builtins)[of]
        if kind == "handle":
            return self.remote(packed)
        if kind == "yours":
            return self.kept[int(of)]
        simple: dict[str, Callable] = {
            "complex": lambda: complex(*map(float, of)),
            "range": lambda: range(*map(int, of)),
            "slice": lambda: slice(*map(inner, of)),
            "size": lambda: torch.Size(map(int, of)),
            "device": lambda: torch.device(str(of)),
            "dtype": lambda: dtype(of),
            "scalar type": lambda: dtype(of).type,
        }
        if kind not in simple:
            raise Unreadable("no value of a known kind")
        return simple[kind]()

    def unpack_tensor(self, packed: dict, blobs: Blobs, inner: Callable) -> Any:
        """A tensor like the one that was packed; a Graph where its graph stayed on the other side."""
        raw, kind = bytearray(blobs[packed["at"]]), torch_dtype(packed["dtype"])
        flat = torch.frombuffer(raw, dtype=kind) if raw else torch.empty(0, dtype=kind)
        x = flat.as_strided([int(n) for n in packed["shape"]], [int(n) for n in packed["strides"]])
        if packed.get("parameter"):
            x = torch.nn.Parameter(x, requires_grad=bool(packed.get("grad")))
        elif packed.get("placed"):
            x = x.as_subclass(Placed)
        if "graph" in packed:
            return Graph(x, int(packed["graph"]))
        if packed.get("grad"):
            self.arrived(x.requires_grad_())
            x = (
                x if packed.get("leaf") else x.clone()
            )  # work in place is allowed on what is no leaf
        if "gradient" in packed:
            x.grad = inner(packed["gradient"])
        return x

    def keep_graph(self, output: Tensor) -> int:
        """A handle for a tensor whose graph stays here."""
        return self.keep(output)

    def arrived(self, leaf: Tensor) -> None:
        """Take note of a tensor with a gradient."""

    def remote(self, packed: dict) -> Any:
        """What stands for an object of the other side."""
        raise Unreadable("no handles here")
