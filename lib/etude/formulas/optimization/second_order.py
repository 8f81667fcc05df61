"""Second-order methods: L-BFGS, which learns the curvature, and Newton's, which asks for it.

Chapter: formulas/optimization
"""

import warnings
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.errors import ConvergenceWarning
from etude.core.shapes import check_float
from etude.formulas.optimization.line_search import Trial, strong_wolfe

__all__ = ["Minimum", "lbfgs", "lbfgs_direction", "newton_cg", "newton_direction"]

Objective: TypeAlias = Callable[[Tensor], Tensor | tuple[Tensor, Tensor]]
Direction: TypeAlias = Callable[[Tensor, Tensor], Tensor]  # of the point and the gradient there


class Minimum(NamedTuple):
    """Where a descent ended, and how it came there."""

    x: Tensor
    value: Tensor
    gradient: Tensor
    iterations: int
    evaluations: int  # of the function together with its gradient
    converged: bool  # the largest number of the gradient is at most `tolerance`


def lbfgs(
    f: Objective,
    x: Float[Tensor, "..."],
    *,
    memory: int = 10,
    tolerance: float = 1e-6,
    most: int = 1000,
) -> Minimum:
    """Minimize `f` from `x` on, with the curvature that the last `memory` steps have shown.

    `f` returns its value, and autograd the gradient, or it returns the pair of both.

    Source: Liu & Nocedal (1989); Nocedal & Wright (2006), Algorithm 7.5.
    """
    if memory < 1:
        raise ValueError(f"memory must be at least 1, got {memory}")
    steps: deque[Tensor] = deque(maxlen=memory)
    changes: deque[Tensor] = deque(maxlen=memory)
    last: list[Tensor] = []

    def direction(x: Tensor, gradient: Tensor) -> Tensor:
        if last:
            step, change = x - last[0], gradient - last[1]
            if (
                inner(step, change)
                > 1e-12 * inner(change, change).sqrt() * inner(step, step).sqrt()
            ):
                steps.append(step)
                changes.append(change)
        last[:] = [x, gradient]
        if steps:
            return -lbfgs_direction(gradient, steps, changes)
        return -gradient / inner(gradient, gradient).sqrt().clamp(min=1)  # a length of at most 1

    return descend(f, x, direction, tolerance, most)


def lbfgs_direction(
    gradient: Float[Tensor, "..."], steps: Sequence[Tensor], changes: Sequence[Tensor]
) -> Float[Tensor, "..."]:
    """The product Hg of the inverse Hessian as the steps s and changes of gradient y show it.

    Source: Nocedal & Wright (2006), Algorithm 7.4, the two-loop recursion; Eq. 7.20 for H₀.
    """
    q, shares = gradient, []
    for s, y in zip(reversed(steps), reversed(changes), strict=True):
        share = inner(s, q) / inner(y, s)
        q = q - share * y
        shares.append(share)
    s, y = steps[-1], changes[-1]
    # Eq. (lbfgs-scale)
    r = q * inner(s, y) / inner(y, y)
    for s, y, share in zip(steps, changes, reversed(shares), strict=True):
        # Eq. (lbfgs-update)
        r = r + (share - inner(y, r) / inner(y, s)) * s
    return r


def newton_cg(
    f: Objective,
    x: Float[Tensor, "..."],
    *,
    hessian_product: Callable[[Tensor, Tensor], Tensor] | None = None,
    tolerance: float = 1e-6,
    most: int = 1000,
) -> Minimum:
    """Minimize `f` by Newton's steps, each of them solved for by conjugate gradients, not exactly.

    `hessian_product(x, v)` is ∇²f(x)v; without it autograd differentiates the gradient once more.

    Source: Nocedal & Wright (2006), Algorithm 7.1.
    """

    def direction(x: Tensor, gradient: Tensor) -> Tensor:
        product = partial(hessian_product, x) if hessian_product else hessian_at(f, x)
        return newton_direction(gradient, product)

    return descend(f, x, direction, tolerance, most)


def newton_direction(
    gradient: Float[Tensor, "..."], product: Callable[[Tensor], Tensor], most: int = 0
) -> Float[Tensor, "..."]:
    """A way down from conjugate gradients on Hd = −g: cut short far from the goal, or where H bends down.

    `most` bounds the number of products; 0 stands for twenty times the number of unknowns.
    """
    norm = inner(gradient, gradient).sqrt()
    enough = torch.minimum(norm.new_tensor(0.5), norm.sqrt()) * norm
    d, r, v = torch.zeros_like(gradient), gradient, -gradient
    for turn in range(most or 20 * gradient.numel()):
        hv = product(v)
        bend, rr = inner(v, hv), inner(r, r)
        if bend <= 0:
            scale = rr / -bend if bend else 1.0
            return d if turn else scale * v
        d, r = d + rr / bend * v, r + rr / bend * hv
        after = inner(r, r)
        if after.sqrt() <= enough:
            break
        # Eq. (conjugate-direction)
        v = -r + after / rr * v
    return d


def descend(f: Objective, x: Tensor, direction: Direction, tolerance: float, most: int) -> Minimum:
    """Go along directions, each as far as a line search says, until the gradient vanishes."""
    check_float(x=x)
    x = x.detach()
    value, gradient = value_and_gradient(f, x)
    if not (value.isfinite() & gradient.isfinite().all()):
        raise ValueError(f"f must be finite at x, got the value {float(value)}")
    evaluations, turn, blur = 1, 0, 50 * torch.finfo(x.dtype).eps

    while gradient.numel() and gradient.abs().max() > tolerance and turn < most:
        way = direction(x, gradient)

        def along(step: float, x: Tensor = x, way: Tensor = way) -> Trial:
            nonlocal evaluations
            evaluations += 1
            there = x + step * way
            value, gradient = value_and_gradient(f, there)
            return Trial(step, float(value), float(inner(gradient, way)), (there, value, gradient))

        start = Trial(0.0, float(value), float(inner(gradient, way)))
        found = strong_wolfe(along, start, blur=blur) if start.slope < 0 else None
        if found is None:
            break
        x, value, gradient = found.payload
        turn += 1
    converged = not gradient.numel() or bool(gradient.abs().max() <= tolerance)
    if not converged:
        message = f"stopped after {turn} iterations with a gradient of {gradient.abs().max():.2g}"
        warnings.warn(message, ConvergenceWarning, stacklevel=3)
    return Minimum(x, value, gradient, turn, evaluations, converged)


def value_and_gradient(f: Objective, x: Tensor) -> tuple[Tensor, Tensor]:
    """What `f` says, completed by autograd where it says only a value."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        answer = f(leaf)
        if isinstance(answer, tuple):
            value, gradient = answer
        else:
            value, (gradient,) = answer, torch.autograd.grad(answer, leaf)
    if value.numel() != 1 or gradient.shape != x.shape:
        raise ValueError(
            f"f must return one number, and a gradient of shape {tuple(x.shape)}; "
            f"got shapes {tuple(value.shape)} and {tuple(gradient.shape)}"
        )
    return value.detach().reshape(()), gradient.detach()


def hessian_at(f: Objective, x: Tensor) -> Callable[[Tensor], Tensor]:
    """The map v ↦ ∇²f(x)v: the gradient is taken once, and differentiated for every v."""
    with torch.enable_grad():
        leaf = x.detach().requires_grad_()
        answer = f(leaf)
        if isinstance(answer, tuple):
            raise ValueError("f returns its gradient: give newton_cg a hessian_product as well")
        (gradient,) = torch.autograd.grad(answer, leaf, create_graph=True)

    def product(v: Tensor) -> Tensor:
        if not gradient.requires_grad:  # a plane has no curvature
            return torch.zeros_like(v)
        again = torch.autograd.grad(gradient, leaf, v, retain_graph=True, materialize_grads=True)
        return again[0]

    return product


def inner(a: Tensor, b: Tensor) -> Tensor:
    """The sum of products."""
    return (a * b).sum()
