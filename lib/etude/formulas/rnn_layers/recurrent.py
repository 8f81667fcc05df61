"""The recurrent layer: the answer of one step is part of the question of the next.

Chapter: formulas/rnn_layers
"""

from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import check_choice
from etude.formulas.rnn_layers.sequences import (
    Hidden,
    Pullback,
    Sequence,
    State,
    arriving,
    check_layer,
    expect_like,
    in_time,
    over_time,
    shifted,
)

__all__ = ["rnn", "rnn_vjp"]


def rnn_vjp(
    x: Sequence,
    h0: State,
    W_ih: Float[Tensor, "hidden inputs"],
    W_hh: Float[Tensor, "hidden hidden"],
    b: Float[Tensor, " hidden"],
    nonlinearity: str = "tanh",
) -> tuple[Hidden, State, Pullback]:
    """All states, the last one, and the map back through time.

    `pullback(dy, dh=None)` takes ∂L/∂y (time, batch, hidden) and, where the loss sees the last
    state on its own, ∂L/∂h; it returns the gradients at x, h0, W_ih, W_hh and b.

    Raises:
        ValueError: `nonlinearity` is neither "tanh" nor "relu".

    Source: Elman (1990); Werbos (1990) for the way back.
    """
    check_layer(1, x, {"h0": h0}, W_ih, W_hh, {"b": b})
    check_choice(("tanh", "relu"), nonlinearity=nonlinearity)
    h, states = h0, []
    for a in x @ W_ih.T + b:  # the inputs of all steps in one product
        a = a + h @ W_hh.T
        # Eq. (recurrent-layer)
        h = a.tanh() if nonlinearity == "tanh" else a.relu()
        states.append(h)
    y = in_time(states, h0)

    def pullback(dy: Tensor, dh: Tensor | None = None) -> tuple[Tensor, ...]:
        expect_like(dy, y)
        at_h, back = arriving(dh, h0), []
        for t in reversed(range(len(states))):
            h = states[t]
            slope = 1 - h.square() if nonlinearity == "tanh" else (h > 0).to(h.dtype)
            # Eq. (through-time)
            back.append(slope * (dy[t] + at_h))
            at_h = back[-1] @ W_hh
        da = in_time(back[::-1], h0)
        # Eq. (through-time-weights)
        dW_ih, dW_hh = over_time(da, x), over_time(da, shifted(h0, y))
        return da @ W_ih, at_h, dW_ih, dW_hh, da.sum(dim=(0, 1))

    return y, h, pullback


def rnn(
    x: Sequence,
    h0: State,
    W_ih: Float[Tensor, "hidden inputs"],
    W_hh: Float[Tensor, "hidden hidden"],
    b: Float[Tensor, " hidden"],
    nonlinearity: str = "tanh",
) -> tuple[Hidden, State]:
    """All states h = φ(W_ih x + W_hh h + b) of a sequence, and the last one."""
    return rnn_vjp(x, h0, W_ih, W_hh, b, nonlinearity)[:2]
