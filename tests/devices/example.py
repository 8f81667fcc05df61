"""How an example is written, and how it runs: here, on the device, and side by side.

An author adds one line to the `examples.py` beside a chapter's tests: the callable, and a function
of `at` that makes its arguments. `at` gives the same numbers on every device.

    EXAMPLES = {
        pearson: lambda at: (at.randn(8), at.randn(8)),
        ranks: lambda at: at.randn(8),            # one argument needs no tuple
        moons: lambda at: 20,                     # who asks for a `generator` is given one
        train: lambda at: call(at(Mean()), [at.randn(4)], steps=3),          # keywords; a module
        Line.predict: lambda at: (line(at), at.randn(3)),       # a method; a property is the same
    }

What is compared: the answer and the arguments afterwards, in whatever records, models and modules
they lie, and the gradients of the answer in all numbers that `at` made. A pullback that comes
after its value is pulled.
"""

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from numbers import Number
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from etude.core.random import seeded, stream
from tests.on_device import ROUNDING, accelerator, named

TYPES = (torch.float32, torch.float64)


class Call(NamedTuple):
    """Arguments by position and by name."""

    arguments: tuple
    keywords: dict[str, Any]


def call(*arguments: Any, **keywords: Any) -> Call:
    """The arguments of an example that needs keywords."""
    return Call(arguments, keywords)


def in_float64(example: Callable) -> Callable:
    """An example of what is refused in float32."""
    example.types = (torch.float64,)  # pyright: ignore[reportFunctionMemberAccess]
    return example


class At:
    """Makes tensors on one device, in one type, from one seed."""

    def __init__(self, device: torch.device | str, dtype: torch.dtype) -> None:
        self.device, self.dtype = torch.device(device), dtype
        self.made: list[Tensor] = []  # what a gradient may reach
        self.drew = False  # from the device's own generator
        self._numbers = stream(0)

    def __call__(self, value: Any) -> Any:
        """Bring a tensor or a module here; what is not whole numbers gets the example's type."""
        if isinstance(value, nn.Module):
            value = value.to(self.dtype).to(self.device)  # in this order: MPS has no float64
            self.made += [one for one in value.parameters() if one.requires_grad]
        elif value.is_floating_point():
            value = value.detach().to(self.dtype).to(self.device).requires_grad_()
            self.made.append(value)
        else:
            value = value.to(self.device)
        return value

    def randn(self, *shape: int) -> Tensor:
        """Normal numbers."""
        return self(torch.randn(shape, generator=self._numbers, dtype=torch.float64))

    def rand(self, *shape: int) -> Tensor:
        """Uniform numbers from 0 to 1."""
        return self(torch.rand(shape, generator=self._numbers, dtype=torch.float64))

    def randint(self, high: int, *shape: int) -> Tensor:
        """Whole numbers below `high`."""
        return self(torch.randint(high, shape, generator=self._numbers))

    def generator(self) -> torch.Generator:
        """A stream of the device."""
        self.drew = True
        return stream(0, self.device)


@dataclass
class Outcome:
    """What one call left behind: every piece by the path on which it was found."""

    pieces: dict[str, Any]
    drew: bool
    dtype: torch.dtype | None  # of the numbers that were given


def function_of(key: Any) -> Callable:
    """The function behind a property, a cached property or a static method."""
    return getattr(key, "fget", None) or getattr(key, "func", None) or key


def name_of(key: Any) -> str:
    """`etude.formulas.linear_regression.simple.Line.predict`"""
    function = function_of(key)
    return f"{function.__module__}.{function.__qualname__}"


def run(key: Any, example: Callable, device: torch.device | str, dtype: torch.dtype) -> Outcome:
    """Make the arguments on a device, call, and take the answer apart."""
    function, at = function_of(key), At(device, dtype)
    with seeded(0):
        given = example(at)
    if not isinstance(given, Call):
        given = call(*given) if type(given) is tuple else call(given)
    arguments, keywords = given
    wants = inspect.signature(function).parameters
    if "generator" in wants and "generator" not in keywords:
        keywords = keywords | {"generator": at.generator()}
    with seeded(0):
        answer = pulled(function(*arguments, **keywords))
    found = dict(pieces(answer, "the answer"))
    gradients = dict(slopes(found.values(), at.made))
    for index, argument in enumerate(arguments):
        found |= dict(pieces(argument, f"argument {index}"))
    return Outcome(found | gradients, at.drew, dtype if at.made else None)


def pulled(answer: Any) -> Any:
    """A value and its pullback become the value and what is pulled back."""
    if type(answer) is tuple and len(answer) == 2 and inspect.isfunction(answer[1]):
        return answer[0], answer[1](ramp(answer[0]))
    return answer


def ramp(y: Tensor) -> Tensor:
    """Numbers like `y`, no two of them equal."""
    count = torch.arange(1, y.numel() + 1, dtype=y.dtype, device=y.device)
    return (0.5 + count / (y.numel() + 1)).reshape(y.shape)


def slopes(found: Any, made: list[Tensor]) -> Iterator[tuple[str, Tensor | None]]:
    """The gradient of a mixture of all numbers of the answer in every number that was given."""
    flowing = [one for one in found if isinstance(one, Tensor) and one.requires_grad]
    shares = [None] * len(made)
    if flowing and made:
        mixture = torch.stack([(one * ramp(one.detach())).sum() for one in flowing]).sum()
        shares = torch.autograd.grad(mixture, made, allow_unused=True)
    yield from ((f"gradient {index}", share) for index, share in enumerate(shares))


def pieces(value: Any, path: str, seen: frozenset = frozenset()) -> Iterator[tuple[str, Any]]:
    """Everything comparable in a value, with the path to it; functions are passed over."""
    seen = seen | {id(value)}
    if value is None or isinstance(value, Tensor | np.ndarray | Number | str | torch.device):
        yield path, value
        return
    if isinstance(value, torch.Generator):
        yield f"{path}.device", value.device
        yield f"{path}.seed", value.initial_seed()
        return
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        inside = {f".{name}": one for name, one in value._asdict().items()}
    elif isinstance(value, tuple | list):
        inside = {f"[{index}]": one for index, one in enumerate(value)}
    elif isinstance(value, dict):
        inside = {f"[{name!r}]": one for name, one in value.items()}
    elif inspect.isroutine(value) or isinstance(value, type):
        inside = {}
    else:  # a record, an estimator, a module
        inside = {f".{name}": one for name, one in getattr(value, "__dict__", {}).items()}
    for name, one in inside.items():
        if id(one) not in seen:
            yield from pieces(one, path + name, seen)


def compare(key: Any, example: Callable, dtype: torch.dtype) -> float:
    """Hold that a call leaves on the device what it leaves on the CPU; return the difference."""
    device, name = accelerator(), name_of(key)
    here, there = run(key, example, "cpu", dtype), run(key, example, device, dtype)
    assert there.pieces.keys() == here.pieces.keys(), f"{name} leaves other pieces on {device}"
    worst = 0.0
    for path, expected in here.pieces.items():
        ours = there.pieces[path]
        where = f"{name}: {path}"
        if isinstance(expected, torch.device):
            assert ours.type == device.type, f"{where} is {ours}, expected {device}"
        elif isinstance(expected, Tensor):
            kinds(where, ours, expected, device, here.dtype)
            worst = max(worst, difference(ours, expected, where, there.drew))
        elif isinstance(expected, Number | np.ndarray):
            ours, expected = torch.as_tensor(ours), torch.as_tensor(expected)
            worst = max(worst, difference(ours, expected, where, there.drew))
        else:
            assert ours == expected, f"{where} is {ours}, on the CPU {expected}"
    bound = ROUNDING[dtype] if named() else 0.0
    assert worst <= bound, f"{name} differs from the CPU by {worst:.2g}, at most {bound:.2g}"
    return worst


def kinds(where: str, ours: Any, expected: Tensor, device: torch.device, dtype: Any) -> None:
    """The device, the shape, the type, and whether a gradient flows."""
    assert isinstance(ours, Tensor), f"{where} is {ours}, on the CPU a tensor"
    assert ours.device == device, f"{where} lives on {ours.device}, expected {device}"
    assert ours.shape == expected.shape, f"{where} has another shape than on the CPU"
    assert ours.dtype == expected.dtype, f"{where} is {ours.dtype}, on the CPU {expected.dtype}"
    flows = "a gradient flows to {} on one of the two devices only"
    assert ours.requires_grad == expected.requires_grad, flows.format(where)
    if dtype and expected.is_floating_point():
        assert expected.dtype == dtype, f"{where} is {expected.dtype}, the data are {dtype}"


def difference(ours: Tensor, expected: Tensor, where: str, drew: bool) -> float:
    """The largest difference, relative where numbers are above 1; NaN equals NaN.

    From one seed a real accelerator draws other numbers than the CPU: there is no difference then.
    """
    if (drew and named()) or not expected.numel():
        return 0.0
    ours, expected = (one.detach().cpu().double() for one in (ours, expected))
    same = (ours == expected) | (ours.isnan() & expected.isnan())
    apart = (ours - expected).abs().masked_fill(same, 0)
    assert apart.isfinite().all(), f"{where} is not finite where it is on the CPU, or the reverse"
    scale = expected[expected.isfinite()].abs().max() if expected.isfinite().any() else apart.max()
    return float(apart.max() / scale.clamp_min(1))
