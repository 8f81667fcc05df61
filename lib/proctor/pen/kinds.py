"""Dtypes by name, and what is told of a function that stays where it is."""

import inspect
from typing import Any

import numpy as np
import torch

KINDS = "biufcUS"  # of numpy: never objects


class Unreadable(ValueError):
    """What came is no value."""


def signature(value: Any) -> list | None:
    """Names and kinds of a function's parameters, and whether each has a default."""
    try:
        found = inspect.signature(value).parameters.values()
    except (TypeError, ValueError):
        return None
    return [[one.name, int(one.kind), one.default is not one.empty] for one in found]


def dtype(name: str) -> np.dtype:
    """A dtype of numpy that holds no objects."""
    made = np.dtype(str(name))
    if made.kind not in KINDS:
        raise Unreadable(f"no dtype: {made}")
    return made


def torch_dtype(name: str) -> torch.dtype:
    """A dtype of torch, by name."""
    made = getattr(torch, str(name), None)
    if not isinstance(made, torch.dtype):
        raise Unreadable("no dtype")
    return made
