"""The same formulas as modules: parameters under torch's names, gradients by our own pullbacks.

Chapter: formulas/rnn_layers
"""

import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from etude.core.shapes import check_choice
from etude.formulas.rnn_layers.gru import gru_vjp
from etude.formulas.rnn_layers.lstm import lstm_vjp
from etude.formulas.rnn_layers.recurrent import rnn_vjp
from etude.formulas.rnn_layers.sequences import Hidden, Sequence

__all__ = ["GRU", "LSTM", "RNN", "through_time"]

State = Float[Tensor, "1 batch hidden"]


class _Layer(torch.autograd.Function):
    """Autograd's door for a layer that brings its pullback along."""

    @staticmethod
    def forward(ctx: Any, layer: Callable[..., Any], *arguments: Any) -> tuple[Tensor, ...]:
        ctx.save_for_backward(*arguments)
        y, last, ctx.pullback = layer(*arguments)
        states = last if isinstance(last, tuple) else (last,)
        # copies, of which the pullback holds none: else each would keep the other
        return y.detach(), *(state.clone() for state in states)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *shares: Tensor) -> tuple[Tensor | None, ...]:
        _ = ctx.saved_tensors  # torch frees them after a walk, and refuses a second one here
        return None, *ctx.pullback(*shares)


def through_time(layer: Callable, *arguments: Tensor | None) -> tuple[Tensor, ...]:
    """(y, h) or (y, h, c) of a layer, whose pullback becomes its gradient in autograd.

    `layer` is `rnn_vjp`, `lstm_vjp` or `gru_vjp`; bind its options with `functools.partial`.
    """
    return _Layer.apply(layer, *arguments)  # pyright: ignore[reportReturnType]


class _Recurrent(nn.Module):
    """Weights for `gates` gates, named and drawn as torch does: uniform within ±1/√hidden."""

    def __init__(self, gates: int, input_size: int, hidden_size: int, bias: bool) -> None:
        super().__init__()
        for size, name in ((input_size, "input_size"), (hidden_size, "hidden_size")):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, got {size}")
        self.hidden_size, rows = hidden_size, gates * hidden_size
        self.weight_ih_l0 = self._drawn(rows, input_size)
        self.weight_hh_l0 = self._drawn(rows, hidden_size)
        self.bias_ih_l0 = self._drawn(rows) if bias else None
        self.bias_hh_l0 = self._drawn(rows) if bias else None

    def _drawn(self, *shape: int) -> nn.Parameter:
        edge = 1 / math.sqrt(self.hidden_size)
        return nn.Parameter(torch.empty(*shape).uniform_(-edge, edge))

    def _biases(self) -> tuple[Tensor, Tensor]:
        if self.bias_ih_l0 is None or self.bias_hh_l0 is None:
            none = self.weight_ih_l0.new_zeros(len(self.weight_ih_l0))
            return none, none
        return self.bias_ih_l0, self.bias_hh_l0

    def _start(self, x: Tensor, state: Tensor | None) -> Tensor:
        """A state without torch's axis of layers; zeros where none is given."""
        return x.new_zeros(x.shape[1], self.hidden_size) if state is None else state[0]


class RNN(_Recurrent):
    """A recurrent layer; it loads the state of a one-layer `torch.nn.RNN`."""

    def __init__(
        self, input_size: int, hidden_size: int, nonlinearity: str = "tanh", bias: bool = True
    ) -> None:
        check_choice(("tanh", "relu"), nonlinearity=nonlinearity)
        super().__init__(1, input_size, hidden_size, bias)
        self.nonlinearity = nonlinearity

    def forward(self, x: Sequence, h: State | None = None) -> tuple[Hidden, State]:
        """All states, and the last one."""
        b_ih, b_hh = self._biases()

        def layer(*arguments: Tensor) -> Any:
            return rnn_vjp(*arguments, nonlinearity=self.nonlinearity)

        weights = self.weight_ih_l0, self.weight_hh_l0, b_ih + b_hh
        y, last = through_time(layer, x, self._start(x, h), *weights)
        return y, last[None]


class LSTM(_Recurrent):
    """A long short-term memory; it loads the state of a one-layer `torch.nn.LSTM`.

    With `peepholes`, which torch does not have, `weight_peephole_l0` holds those of i, f and o.
    """

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, peepholes: bool = False
    ) -> None:
        super().__init__(4, input_size, hidden_size, bias)
        self.weight_peephole_l0 = self._drawn(3, hidden_size) if peepholes else None

    def forward(
        self, x: Sequence, state: tuple[State, State] | None = None
    ) -> tuple[Hidden, tuple[State, State]]:
        """All states, and the last (h, c)."""
        h, c = (self._start(x, one) for one in (state or (None, None)))
        b_ih, b_hh = self._biases()
        weights = self.weight_ih_l0, self.weight_hh_l0, b_ih + b_hh, self.weight_peephole_l0
        y, h, c = through_time(lstm_vjp, x, h, c, *weights)
        return y, (h[None], c[None])


class GRU(_Recurrent):
    """A gated recurrent unit; it loads the state of a one-layer `torch.nn.GRU`."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, reset: str = "after"
    ) -> None:
        check_choice(("after", "before"), reset=reset)
        super().__init__(3, input_size, hidden_size, bias)
        self.reset = reset

    def forward(self, x: Sequence, h: State | None = None) -> tuple[Hidden, State]:
        """All states, and the last one."""

        def layer(*arguments: Tensor) -> Any:
            return gru_vjp(*arguments, reset=self.reset)

        weights = self.weight_ih_l0, self.weight_hh_l0, *self._biases()
        y, last = through_time(layer, x, self._start(x, h), *weights)
        return y, last[None]
