"""Truncated back-propagation through time: the gradient is cut off after some steps.

Chapter: formulas/rnn_layers
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from etude.formulas.rnn_layers.sequences import expect_like

__all__ = ["truncated_gradient"]


def truncated_gradient(
    layer: Callable,
    x: Float[Tensor, "time batch inputs"],
    states: Sequence[Tensor],
    parameters: Sequence[Tensor],
    dy: Float[Tensor, "time batch hidden"],
    k1: int,
    k2: int,
) -> tuple[Tensor, ...]:
    """The gradient at the parameters when, every `k1` steps, the last losses walk back `k2` steps.

    `layer(x, *states, *parameters)` is `rnn_vjp`, `lstm_vjp` or `gru_vjp`. The values are those of
    the whole sequence: states are handed on, gradients are not. With k1 = 1 each loss reaches
    exactly the last `k2` steps; with `k2` at least the length of the sequence nothing is cut.

    Raises:
        ValueError: `k2` is smaller than `k1`, so that some losses would teach nobody.

    Source: Williams & Peng (1990), BPTT(h; h′), with h = k2 and h′ = k1.
    """
    if not 1 <= k1 <= k2:
        raise ValueError(f"k1 and k2 must hold 1 ≤ k1 ≤ k2, got {k1} and {k2}")
    total = [torch.zeros_like(parameter) for parameter in parameters]
    begin = 0
    for first in range(0, len(x), k1):  # of the losses whose turn it is
        end = min(first + k1, len(x))
        start = max(0, end - k2)
        states = _states(layer(x[begin:start], *states, *parameters)[1])
        begin = start
        y, _, pullback = layer(x[start:end], *states, *parameters)
        expect_like(dy[start:end], y)
        # Eq. (truncated)
        turn = torch.cat([torch.zeros_like(dy[start:first]), dy[first:end]])
        shares = pullback(turn)[1 + len(states) :][: len(total)]
        total = [old + new for old, new in zip(total, shares, strict=True)]
    return tuple(total)


def _states(last: Tensor | tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """What a layer hands on: (h,) or (h, c)."""
    return last if isinstance(last, tuple) else (last,)
