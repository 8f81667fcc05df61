"""How a function behaves beyond its values: its arguments, type, dtype, layout, device and gradient."""

import contextlib
import copy
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from proctor.marking.values import compare
from proctor.marking.words import Wrong

Call = Callable[..., Any]


class Placed(Tensor):
    """A tensor whose device was chosen; what is computed from it is Placed too."""


class Placing(TorchFunctionMode):
    """While it lasts, what is made on a device that was named is Placed."""

    def __torch_function__(self, function, types, args=(), kwargs=None):
        y = function(*args, **(kwargs or {}))
        chosen = any(isinstance(a, torch.device) for a in (*args, *(kwargs or {}).values()))
        return y.as_subclass(Placed) if chosen and isinstance(y, Tensor) else y


def copied(value: Any) -> Any:
    """A copy that a student's function may change: tensors, modules, generators, and what holds them."""
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, torch.Generator):
        twin = torch.Generator(device=value.device)
        twin.set_state(value.get_state())
        return twin
    if isinstance(value, (nn.Module, list, dict, set)) or hasattr(value, "__array__"):
        return copy.deepcopy(value)
    if type(value) is tuple:
        return tuple(map(copied, value))
    return value


def flat(value: Any) -> Iterator[Any]:
    """What a result is made of: the parts of a tuple, a list or a dict, one after another."""
    several = isinstance(value, list) and any(isinstance(part, Tensor) for part in value)
    if isinstance(value, tuple) or several:
        for part in value:
            yield from flat(part)
    elif isinstance(value, dict):
        yield from flat(list(value.values()))
    else:
        yield value


def same(one: Any, other: Any) -> bool:
    """Whether an argument is as it was."""
    if isinstance(one, Tensor):
        kept = one.shape == other.shape and one.dtype == other.dtype
        return kept and torch.allclose(one, other, rtol=0, atol=0, equal_nan=True)
    if isinstance(one, nn.Module):
        states = one.state_dict(), other.state_dict()
        modes = [[m.training for m in side.modules()] for side in (one, other)]
        keys = states[0].keys() == states[1].keys() and modes[0] == modes[1]
        return keys and all(same(states[0][key], states[1][key]) for key in states[0])
    if type(one) in (tuple, list):
        return len(one) == len(other) and all(map(same, one, other))
    return True


def cast(value: Any, dtype: torch.dtype) -> Any:
    """A floating tensor, or a module, in another precision; anything else as it is."""
    if isinstance(value, nn.Module):
        return copied(value).to(dtype)
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def strided(value: Any) -> Any:
    """A tensor of the same values that is not contiguous."""
    if not isinstance(value, Tensor) or not value.ndim:
        return value
    return value.mT.contiguous().mT if value.ndim > 1 else torch.stack((value, value), -1)[:, 0]


def placed(value: Any) -> Any:
    """A floating tensor that passes on that it has a device."""
    floats = isinstance(value, Tensor) and value.is_floating_point()
    return value.clone().as_subclass(Placed) if floats else value


def tidy(run: Call, arguments: tuple) -> None:
    """Raise Wrong unless a function leaves its arguments alone and follows type, dtype, layout and device."""

    def results(change: Callable[[Any], Any]) -> list:
        return list(flat(run(*[change(copied(a)) for a in arguments])))

    given = copied(tuple(arguments))
    first = list(flat(run(*given)))
    if not same(given, tuple(arguments)):
        raise Wrong("an argument was changed", "arguments as they were",
                    "`x -= …`, `x[…] = …` and `x.abs_()` write into the caller's data")  # fmt: skip
    for y in first:
        if not isinstance(y, Tensor):
            raise Wrong(f"a {type(y).__name__}", "a torch.Tensor",
                        "numpy and plain numbers lose gradient, dtype and device")  # fmt: skip
    for dtype in (torch.float32, torch.float64):
        for y in results(lambda value, dtype=dtype: cast(value, dtype)):
            if y.is_floating_point() and y.dtype != dtype:
                raise Wrong(f"{y.dtype} for an input of {dtype}", dtype,
                            "make new tensors with `x.new_zeros(…)` or `dtype=x.dtype`")  # fmt: skip
    for y, again in zip(first, results(strided), strict=True):
        compare(again, y, 1e-4, "for an x that is not contiguous, the result", lambda _: "")
    on_device = []
    with contextlib.suppress(Exception), Placing():
        on_device = results(placed)
    if any(type(y) is Tensor and y.is_floating_point() for y in on_device):
        raise Wrong("a result on the default device", "one on the device of x",
                    "make new tensors with `x.new_zeros(…)` or `device=x.device`")  # fmt: skip


def gradient(run: Call, x: Tensor, rest: tuple) -> Tensor:
    """The gradient of the sum of a function's result with respect to its first argument."""
    x = x.clone().requires_grad_()
    y = run(x.clone(), *copied(rest))
    if not (isinstance(y, Tensor) and y.requires_grad):
        raise Wrong("a result without gradient", "one that autograd can follow",
                    "`detach`, `item`, `numpy`, `no_grad` and `torch.tensor(y)` cut the gradient")  # fmt: skip
    return torch.autograd.grad(y.sum(), x)[0]
