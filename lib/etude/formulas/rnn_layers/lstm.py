"""Long short-term memory: a cell that is written, kept and read through gates.

Chapter: formulas/rnn_layers
"""

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind
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

__all__ = ["lstm", "lstm_cell", "lstm_vjp"]


def peep(a: Tensor, p: Tensor | None, c: Tensor) -> Tensor:
    """What a gate hears when it also sees the cell: one weight for each unit, no matrix."""
    return a if p is None else a + p * c


def lstm_cell(
    a: Float[Tensor, "batch sums"], c: State, P: Float[Tensor, "3 hidden"] | None = None
) -> tuple[Tensor, ...]:
    """One step from its weighted sums: the gates i, f, g, o, the new cell and the new state."""
    p_i, p_f, p_o = (None, None, None) if P is None else P
    a_i, a_f, a_g, a_o = a.chunk(4, dim=-1)
    # Eq. (lstm)
    i, f, g = peep(a_i, p_i, c).sigmoid(), peep(a_f, p_f, c).sigmoid(), a_g.tanh()
    c = f * c + i * g
    o = peep(a_o, p_o, c).sigmoid()
    return i, f, g, o, c, o * c.tanh()


def lstm_vjp(
    x: Sequence,
    h0: State,
    c0: State,
    W_ih: Float[Tensor, "4*hidden inputs"],
    W_hh: Float[Tensor, "4*hidden hidden"],
    b: Float[Tensor, " 4*hidden"],
    P: Float[Tensor, "3 hidden"] | None = None,
) -> tuple[Hidden, tuple[State, State], Pullback]:
    """The states of all steps, the last (h, c), and the map back through time.

    Gates are stacked as in torch: i, f, g, o. The rows of `P` are the peepholes of i, f and o;
    i and f see the cell before the step, o sees it after.
    `pullback(dy, dh=None, dc=None)` returns the gradients at x, h0, c0, W_ih, W_hh, b and P.

    Source: Hochreiter & Schmidhuber (1997); Gers et al. (2000, 2002) for f and the peepholes.
    """
    check_layer(4, x, {"h0": h0, "c0": c0}, W_ih, W_hh, {"b": b})
    if P is not None:
        bind({"gates": 3, "hidden": h0.shape[1]}, P=(P, "gates hidden"))
    h, c, steps = h0, c0, []
    for a in x @ W_ih.T + b:  # the inputs of all steps in one product
        steps.append(lstm_cell(a + h @ W_hh.T, c, P))
        *_, c, h = steps[-1]
    y = in_time([step[-1] for step in steps], h0)

    def pullback(
        dy: Tensor, dh: Tensor | None = None, dc: Tensor | None = None
    ) -> tuple[Tensor | None, ...]:
        expect_like(dy, y)
        at_h, at_c = arriving(dh, h0), arriving(dc, c0, "dc")
        p_i, p_f, p_o = (None, None, None) if P is None else P
        cells, back = [c0, *(step[4] for step in steps)], []
        for t in reversed(range(len(steps))):
            i, f, g, o, c, _ = steps[t]
            shown = c.tanh()
            # Eq. (lstm-backward)
            at_h = at_h + dy[t]
            da_o = at_h * shown * o * (1 - o)
            at_c = peep(at_c + at_h * o * (1 - shown.square()), p_o, da_o)
            da_i = at_c * g * i * (1 - i)
            da_f = at_c * cells[t] * f * (1 - f)
            da_g = at_c * i * (1 - g.square())
            back.append(torch.cat([da_i, da_f, da_g, da_o], dim=1))
            at_c = peep(peep(at_c * f, p_i, da_i), p_f, da_f)
            at_h = back[-1] @ W_hh
        da = in_time(back[::-1], x.new_empty(len(h0), len(W_hh)))
        # Eq. (through-time-weights)
        dW_ih, dW_hh, dP = over_time(da, x), over_time(da, shifted(h0, y)), None
        if P is not None:
            da_i, da_f, _, da_o = da.chunk(4, dim=-1)
            c = in_time(cells, c0)
            dP = torch.stack([da_i * c[:-1], da_f * c[:-1], da_o * c[1:]]).sum(dim=(1, 2))
        return da @ W_ih, at_h, at_c, dW_ih, dW_hh, da.sum(dim=(0, 1)), dP

    return y, (h, c), pullback


def lstm(
    x: Sequence,
    h0: State,
    c0: State,
    W_ih: Float[Tensor, "4*hidden inputs"],
    W_hh: Float[Tensor, "4*hidden hidden"],
    b: Float[Tensor, " 4*hidden"],
    P: Float[Tensor, "3 hidden"] | None = None,
) -> tuple[Hidden, tuple[State, State]]:
    """The states of all steps, and the last (h, c); `P` are the peepholes of i, f and o."""
    return lstm_vjp(x, h0, c0, W_ih, W_hh, b, P)[:2]
