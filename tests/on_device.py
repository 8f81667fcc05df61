"""Ask of one function what every public one must do: work where its arguments are."""

import os
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from tests.fake_accelerator import NAME, register

# What is left when an accelerator adds in another order than the CPU; the pretended one does not.
ROUNDING = {torch.float32: 1e-4, torch.float64: 1e-10}


def named() -> bool:
    """Whether `ETUDE_DEVICE` names an accelerator; else the tests take the pretended one."""
    return not os.environ.get("ETUDE_DEVICE", "cpu").startswith("cpu")


def accelerator() -> torch.device:
    """Where the device tests compute, with its index, as tensors say it."""
    kind, _, index = os.environ.get("ETUDE_DEVICE", NAME).partition(":")
    return register() if kind in ("cpu", NAME) else torch.device(kind, int(index or 0))


def holds(dtype: torch.dtype) -> bool:
    """Whether the device has numbers of this type."""
    return not (accelerator().type == "mps" and dtype == torch.float64)


def agrees_on_device(function: Callable[..., Any], *arguments: Any, tolerance: float = 1e-6) -> Any:
    """Call `function` here and on the device: the same numbers, and every tensor left there.

    Generators among the arguments are made anew from their seed, on either side; a real
    accelerator draws other numbers from it, so of a draw only its kind is compared there. The
    answer of the device comes back for further questions. Use it inside the fixture `fake_device`.
    """
    device = accelerator()
    drew = named() and any(isinstance(value, torch.Generator) for value in tree_leaves(arguments))
    if named():
        tolerance = max(tolerance, ROUNDING[torch.float32])

    def fresh(value: Any, where: Any) -> Any:
        if isinstance(value, torch.Generator):
            return torch.Generator(where).manual_seed(value.initial_seed())
        if isinstance(value, Tensor) and not holds(value.dtype):
            value = value.float()
        return value.to(where) if isinstance(value, Tensor | torch.nn.Module) else value

    there = function(*tree_map(lambda value: fresh(value, device), arguments))
    here = function(*tree_map(lambda value: fresh(value, "cpu"), arguments))
    for ours, expected in zip(tree_leaves(there), tree_leaves(here), strict=True):
        if isinstance(expected, Tensor):
            assert ours.device == device, f"{function.__name__} left its answer on {ours.device}"
            ours = ours.detach().cpu()
            if drew:
                assert (ours.shape, ours.dtype) == (expected.shape, expected.dtype)
                continue
        elif drew:
            continue
        torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    return there
