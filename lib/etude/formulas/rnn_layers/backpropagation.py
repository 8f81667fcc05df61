"""Back-propagation for any formula: a tape that remembers what was computed, and walks back.

Chapter: formulas/rnn_layers
"""

from collections.abc import Callable
from typing import TypeAlias, Union

import torch
from torch import Tensor

from etude.core.errors import ShapeError

__all__ = ["Var", "unbroadcast"]

Value: TypeAlias = Union["Var", Tensor, float]
Slope: TypeAlias = Callable[[Tensor], Tensor]


def unbroadcast(dy: Tensor, shape: tuple[int, ...] | torch.Size) -> Tensor:
    """Sum a gradient over the axes along which an argument of this shape was repeated.

    Raises:
        ShapeError: an argument of this shape could not have become as large as `dy`.
    """
    new = dy.ndim - len(shape)  # axes that broadcasting put in front
    pairs = list(zip(shape, dy.shape[max(new, 0) :], strict=False))
    if new < 0 or any(mine not in (1, whole) for mine, whole in pairs):
        raise ShapeError(f"shape {tuple(shape)} does not broadcast to {tuple(dy.shape)}")
    # Eq. (unbroadcast)
    for _ in range(new):
        dy = dy.sum(dim=0)
    for axis, (mine, whole) in enumerate(pairs):
        if mine != whole:
            dy = dy.sum(dim=axis, keepdim=True)
    return dy


class Var:
    """A tensor that knows from which others it came, and what they must be told of a gradient.

    After `y.backward()`, each variable that `y` depends on has its ∂y/∂v in `grad`; a second call
    adds to it. Source: reverse accumulation, Linnainmaa (1976).
    """

    __slots__ = ("depth", "grad", "parents", "value")

    def __init__(self, value: Tensor, parents: tuple[tuple["Var", Slope], ...] = ()) -> None:
        self.value = value
        self.parents = parents
        self.grad: Tensor | None = None
        self.depth = 1 + max((parent.depth for parent, _ in parents), default=-1)

    def __repr__(self) -> str:
        return f"Var({self.value})"

    # ---- two arguments, of shapes that broadcast

    def __add__(self, other: Value) -> "Var":
        return self._meet(other, torch.add, lambda a, b: (lambda d: d, lambda d: d))

    def __mul__(self, other: Value) -> "Var":
        return self._meet(other, torch.mul, lambda a, b: (lambda d: d * b, lambda d: d * a))

    def __truediv__(self, other: Value) -> "Var":
        return self._meet(
            other, torch.div, lambda a, b: (lambda d: d / b, lambda d: -d * a / b.square())
        )

    def __matmul__(self, other: Value) -> "Var":
        """Matrices, or stacks of them; a vector needs its second axis."""
        for one in (self.value, getattr(other, "value", other)):
            if getattr(one, "ndim", 0) < 2:
                raise ShapeError(f"@ needs matrices, got shape {tuple(getattr(one, 'shape', ()))}")
        return self._meet(
            other, torch.matmul, lambda a, b: (lambda d: d @ b.mT, lambda d: a.mT @ d)
        )

    def __neg__(self) -> "Var":
        return self * -1.0

    def __sub__(self, other: Value) -> "Var":
        return self + (-other)

    def __rsub__(self, other: Value) -> "Var":
        return -self + other

    def __rtruediv__(self, other: Value) -> "Var":
        return self._lift(other) / self

    def __rmatmul__(self, other: Value) -> "Var":
        return self._lift(other) @ self

    __radd__, __rmul__ = __add__, __mul__

    # ---- one argument

    def exp(self) -> "Var":
        """eˣ; its slope is itself."""
        y = self.value.exp()
        return Var(y, ((self, lambda d: d * y),))

    def log(self) -> "Var":
        """The natural logarithm."""
        return Var(self.value.log(), ((self, lambda d: d / self.value),))

    def tanh(self) -> "Var":
        """The hyperbolic tangent."""
        y = self.value.tanh()
        return Var(y, ((self, lambda d: d * (1 - y.square())),))

    def relu(self) -> "Var":
        """max(x, 0); the slope at 0 is set to 0."""
        return Var(self.value.relu(), ((self, lambda d: d * (self.value > 0)),))

    def sum(self, dim: int | tuple[int, ...] | None = None, keepdim: bool = False) -> "Var":
        """All entries together, or those along some axes; each gets the whole gradient."""
        axes = tuple(range(self.value.ndim)) if dim is None else dim
        y = self.value.sum(dim=axes, keepdim=True)
        return Var(
            y if keepdim else y.squeeze(axes),
            ((self, lambda d: d.reshape(y.shape).expand_as(self.value)),),
        )

    def reshape(self, *shape: int) -> "Var":
        """The same entries in other axes."""
        return Var(self.value.reshape(*shape), ((self, lambda d: d.reshape(self.value.shape)),))

    @property
    def mT(self) -> "Var":
        """The last two axes exchanged."""
        return Var(self.value.mT, ((self, lambda d: d.mT),))

    # ---- the way back

    def backward(self, dy: Tensor | None = None) -> None:
        """Add to the `grad` of every variable below what it contributes to this one.

        Raises:
            ShapeError: this is not a scalar and no `dy` says which mixture of it is meant.
        """
        if dy is None and self.value.numel() != 1:
            raise ShapeError(f"only a scalar needs no dy, this has shape {tuple(self.value.shape)}")
        arrived: dict[Var, Tensor] = {self: torch.ones_like(self.value) if dy is None else dy}
        # A variable passes on its gradient once it is complete: after all that were made from it.
        for node in sorted(self.ancestry(), key=lambda node: -node.depth):
            d = arrived.pop(node)
            node.grad = d if node.grad is None else node.grad + d
            for parent, slope in node.parents:
                # Eq. (reverse-accumulation)
                share = unbroadcast(slope(d), parent.value.shape)
                arrived[parent] = arrived[parent] + share if parent in arrived else share

    def ancestry(self) -> list["Var"]:
        """This variable and all that it was made from."""
        found: dict[Var, None] = {self: None}  # a set would forget the order, and sums their digits
        waiting: list[Var] = [self]
        while waiting:  # no recursion: a thousand steps are as many generations
            for parent, _ in waiting.pop().parents:
                if parent not in found:
                    found[parent] = None
                    waiting.append(parent)
        return list(found)

    def _lift(self, other: Value) -> "Var":
        if isinstance(other, Var):
            return other
        like = self.value
        return Var(torch.as_tensor(other, dtype=like.dtype, device=like.device))

    def _meet(
        self,
        other: Value,
        value: Callable[[Tensor, Tensor], Tensor],
        slopes: Callable[[Tensor, Tensor], tuple[Slope, Slope]],
    ) -> "Var":
        """A function of two variables: its value, and for each the way back."""
        other = self._lift(other)
        to_self, to_other = slopes(self.value, other.value)
        return Var(value(self.value, other.value), ((self, to_self), (other, to_other)))
