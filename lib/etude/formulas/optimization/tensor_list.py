"""Many tensors that answer like one, so that a rule is written once and runs on all parameters.

Chapter: formulas/optimization
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

import torch
from torch import Tensor

__all__ = ["Numbers", "TensorList", "assign", "pieces", "zeros_like"]

KNOWN = {"add", "addcdiv", "addcmul", "div", "lerp", "maximum", "mul", "sign", "sqrt", "sub"}
CACHE = 1 << 15  # numbers of one tensor that, with what is made from them, stay in a CPU's cache


class TensorList:
    """Tensors side by side; each method is the method of `Tensor` with that name, on every one.

    It is one call of torch's `_foreach_` family, and so one kernel for all where there is a GPU.
    """

    def __init__(self, tensors: Sequence[Tensor]) -> None:
        self.tensors = list(tensors)

    def __getattr__(self, name: str) -> Callable[..., "TensorList"]:
        if name not in KNOWN:
            raise AttributeError(f"TensorList has no {name}; it has {', '.join(sorted(KNOWN))}")
        foreach = getattr(torch, f"_foreach_{name}")

        def method(*arguments: Any, **options: Any) -> "TensorList":
            plain = [a.tensors if isinstance(a, TensorList) else a for a in arguments]
            return TensorList(foreach(self.tensors, *plain, **options))

        return method


if TYPE_CHECKING:
    Numbers: TypeAlias = Tensor  # whose methods a list has: checked as if it were one
else:
    Numbers: TypeAlias = Tensor | TensorList


def zeros_like(x: Numbers) -> Numbers:
    """Zeros where `x` has numbers."""
    if isinstance(x, TensorList):
        return TensorList([torch.zeros_like(t) for t in x.tensors])  # pyright: ignore[reportReturnType]
    return torch.zeros_like(x)


def assign(old: list[Tensor], new: list[Tensor]) -> None:
    """Write the numbers of new tensors into old ones."""
    torch._foreach_copy_(old, new)  # pyright: ignore[reportPrivateImportUsage]


def pieces(columns: Sequence[Sequence[Tensor]], size: int = CACHE) -> Iterator[list[list[Tensor]]]:
    """Tensors that belong together, cut alike into parts of about `size` numbers.

    Each column holds as many tensors as the first, of the same shapes. A rule that works number by
    number may take one part after the other, and what it makes on the way never leaves the cache.
    """
    if sum(tensor.numel() for tensor in columns[0]) <= size:
        yield [list(column) for column in columns]
        return
    now: list[list[Tensor]] = [[] for _ in columns]
    filled = 0
    for row in zip(*columns, strict=True):
        flat = row[0].numel() > size and all(t.is_contiguous() for t in row)
        parts = [t.detach().view(-1).split(size) for t in row] if flat else [(t,) for t in row]
        for part in zip(*parts, strict=True):
            if now[0] and filled + part[0].numel() > size:
                yield now
                now, filled = [[] for _ in columns], 0
            for column, tensor in zip(now, part, strict=True):
                column.append(tensor)
            filled += part[0].numel()
    if now[0]:
        yield now
