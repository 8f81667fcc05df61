"""Compare what came with what was expected, and say the difference where it is."""

from collections.abc import Callable

import torch
from torch import Tensor

from proctor.marking.words import Wrong, show

Causes = Callable[[Tensor], str]


def tensor(value: object) -> Tensor:
    """Any number, list, array or tensor as a float64 tensor on the CPU."""
    made = torch.as_tensor(value).detach().to("cpu")
    return torch.view_as_real(made).double() if made.is_complex() else made.double()


def alike(came: Tensor, other: object, tolerance: float) -> bool:
    """Whether two values are the same, nan at the same places included."""
    try:
        wanted = tensor(other)
    except (TypeError, ValueError, RuntimeError):
        return False
    fits = wanted.shape in (came.shape, ())
    return fits and torch.allclose(
        came, wanted.expand_as(came), rtol=tolerance, atol=tolerance, equal_nan=True
    )


def gap(came: Tensor, other: object) -> float:
    """The largest difference between two values that are alike."""
    difference = (came - tensor(other)).abs().nan_to_num(0.0)
    return float(difference.max()) if difference.numel() else 0.0


def compare(got: object, expected: object, tolerance: float, name: str, causes: Causes) -> None:
    """Raise Wrong unless `got` has the shape and the values of `expected`."""
    name = name and name + " = "
    if isinstance(expected, torch.dtype):
        if got is not expected:
            raise Wrong(f"{name}{got}", str(expected))
        return
    if got is None:
        raise Wrong(name + "None", "a tensor", "a function without `return` gives None")
    try:
        came = tensor(got)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"{name}a {type(got).__name__}", "a tensor") from None
    wanted = tensor(expected)
    if wanted.ndim == 0 and came.numel() == 1:
        came = came.reshape(())
    if came.shape == wanted.shape and alike(came, wanted, tolerance):
        return
    likely = causes(came)
    if came.shape != wanted.shape:
        shapes = f"shape {tuple(came.shape)}", f"shape {tuple(wanted.shape)}"
        raise Wrong(name + shapes[0], shapes[1], likely)
    if came.numel() <= 16:
        digits = 4 if show(came) != show(wanted) else 9
        raise Wrong(name + show(came, digits=digits), show(wanted, digits=digits), likely)
    same = (came == wanted) | (came.isnan() & wanted.isnan())
    gap = (came - wanted).abs().nan_to_num(torch.inf).masked_fill(same, 0)
    at, rest = (), int(gap.argmax())  # torch.unravel_index imports sympy: 0.6 s
    for side in reversed(came.shape):
        at, rest = (rest % side, *at), rest // side
    raise Wrong(f"{name}{came[at]:.4g} at {list(at)}", f"{wanted[at]:.4g}", likely)


def number(value: object, name: str) -> float:
    """One finite number, or Wrong."""
    try:
        came = tensor(value)
    except (TypeError, ValueError, RuntimeError):
        raise Wrong(f"{name} = a {type(value).__name__}", "a number") from None
    if came.numel() != 1:
        raise Wrong(f"{name}: shape {tuple(came.shape)}", "one number")
    if not came.isfinite().all():
        raise Wrong(f"{name} = {came.item():g}", "a finite number")
    return came.item()
