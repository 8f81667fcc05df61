"""What crosses beside the values: gradients, changes of arguments, and the state of the global generators."""

import ast
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from proctor.pen.values import Blobs, Graph


class Astray(Exception):
    """The gradients that came are none."""


class Bridge(torch.autograd.Function):
    """A graph whose inside lies in the student's process."""

    @staticmethod
    def forward(
        ctx: Any, referee: Any, handles: list[int], _anchor: Tensor, *tensors: Tensor
    ) -> Any:
        """The values that came."""
        ctx.referee, ctx.handles, ctx.leaves = referee, handles, len(tensors) - len(handles)
        return tuple(x.clone() for x in tensors[: len(handles)])

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Ask the other side for the gradients at the arguments."""
        blobs: Blobs = []
        packed = [ctx.referee.pack(g, blobs) for g in gradients]
        message = {"do": "backward", "outputs": ctx.handles, "gradients": packed}
        answer, came = ctx.referee.exchange(message, blobs)
        found = ctx.referee.unpack(answer.get("value"), came)
        if type(found) is not list or len(found) != ctx.leaves:
            raise Astray("the gradients are no list of tensors")
        return (None, None, None, *[None] * len(ctx.handles), *found)


def graphs_in(value: Any) -> Iterator[Graph]:
    """Every tensor of a value whose graph is elsewhere."""
    if isinstance(value, Graph):
        yield value
    elif isinstance(value, (list, tuple, dict)):
        for part in value.values() if isinstance(value, dict) else value:
            yield from graphs_in(part)


def ungraphed(value: Any) -> Any:
    """The value with plain tensors only."""
    if isinstance(value, Graph):
        return value.tensor
    if type(value) in (list, tuple):
        return type(value)(map(ungraphed, value))
    return {k: ungraphed(v) for k, v in value.items()} if type(value) is dict else value


def overwrite(mine: Any, new: Any) -> None:
    """Do to an argument what was done to its copy."""
    if isinstance(mine, Tensor) and isinstance(new, Tensor):
        with torch.no_grad():
            mine.data = new if new.shape != mine.shape else mine.data.copy_(new)
    elif isinstance(mine, np.ndarray):
        mine[...] = new
    elif isinstance(mine, torch.Generator):
        mine.set_state(new.get_state())
    elif isinstance(mine, (list, bytearray)):
        mine[:] = new
    elif isinstance(mine, (dict, set)):
        mine.clear()
        mine.update(new)


def randomness() -> list[bytes]:
    """The states of Python's, numpy's and torch's global generators."""
    key = np.random.get_state(legacy=False)
    inner = key["state"]  # pyright: ignore
    numpy_state = [inner["key"].tolist(), inner["pos"], key["has_gauss"], key["gauss"]]  # pyright: ignore
    words = repr((random.getstate(), numpy_state)).encode()
    return [words, torch.get_rng_state().numpy().tobytes()]


def set_randomness(words: bytes, torch_state: bytes) -> None:
    """Continue from the states of another process, which is trusted."""
    python_state, (key, pos, has_gauss, gauss) = ast.literal_eval(words.decode())
    random.setstate(python_state)
    np.random.set_state(("MT19937", np.array(key, dtype=np.uint32), pos, has_gauss, gauss))
    torch.set_rng_state(torch.frombuffer(bytearray(torch_state), dtype=torch.uint8))
