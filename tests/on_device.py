"""Ask of one function what every public one must do: work where its arguments are."""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves, tree_map

from tests.fake_accelerator import NAME


def agrees_on_device(function: Callable[..., Any], *arguments: Any, tolerance: float = 1e-6) -> Any:
    """Call `function` here and on the device: the same numbers, and every tensor left there.

    Generators among the arguments are made anew from their seed, on either side; the answer of the
    device comes back for further questions. Use it inside the fixture `fake_device`.
    """
    device = torch.device(NAME, 0)

    def fresh(value: Any, where: Any) -> Any:
        if isinstance(value, torch.Generator):
            return torch.Generator(where).manual_seed(value.initial_seed())
        return value.to(where) if isinstance(value, Tensor | torch.nn.Module) else value

    there = function(*tree_map(lambda value: fresh(value, device), arguments))
    here = function(*tree_map(lambda value: fresh(value, "cpu"), arguments))
    for ours, expected in zip(tree_leaves(there), tree_leaves(here), strict=True):
        if isinstance(expected, Tensor):
            assert ours.device == device, f"{function.__name__} left its answer on {ours.device}"
            ours = ours.detach().cpu()
        torch.testing.assert_close(ours, expected, rtol=tolerance, atol=tolerance, equal_nan=True)
    return there
