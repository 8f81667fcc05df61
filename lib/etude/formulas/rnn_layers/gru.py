"""The gated recurrent unit: one gate forgets the past in the question, one keeps it in the answer.

Chapter: formulas/rnn_layers
"""

import torch
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

__all__ = ["gru", "gru_cell", "gru_vjp"]

RESETS = "after", "before"


def gru_cell(
    a: Float[Tensor, "batch sums"],
    h: State,
    W_hh: Float[Tensor, "3*hidden hidden"],
    b_hh: Float[Tensor, " 3*hidden"],
    reset: str = "after",
) -> tuple[Tensor, ...]:
    """One step from its weighted inputs: r, z, n, what r is multiplied with, and the new state."""
    gates = 2 * h.shape[1]
    a_r, a_z, a_n = a.chunk(3, dim=-1)
    if reset == "after":
        u_r, u_z, u = (h @ W_hh.T + b_hh).chunk(3, dim=-1)
    else:
        u_r, u_z = (h @ W_hh[:gates].T + b_hh[:gates]).chunk(2, dim=-1)
        u = h
    # Eq. (gru)
    r, z = (a_r + u_r).sigmoid(), (a_z + u_z).sigmoid()
    heard = r * u if reset == "after" else (r * u) @ W_hh[gates:].T + b_hh[gates:]
    n = (a_n + heard).tanh()
    return r, z, n, u, (1 - z) * n + z * h


def gru_vjp(
    x: Sequence,
    h0: State,
    W_ih: Float[Tensor, "3*hidden inputs"],
    W_hh: Float[Tensor, "3*hidden hidden"],
    b_ih: Float[Tensor, " 3*hidden"],
    b_hh: Float[Tensor, " 3*hidden"],
    reset: str = "after",
) -> tuple[Hidden, State, Pullback]:
    """All states, the last one, and the map back through time.

    Gates are stacked as in torch: r, z, n. The reset r weighs the state "after" its matrix and
    bias (torch, cuDNN) or "before" them (the paper).
    `pullback(dy, dh=None)` returns the gradients at x, h0, W_ih, W_hh, b_ih and b_hh.

    Raises:
        ValueError: `reset` is neither "after" nor "before".

    Source: Cho et al. (2014), Eqs. 5–8, where z keeps, too; others swap it with 1 − z.
    """
    check_layer(3, x, {"h0": h0}, W_ih, W_hh, {"b_ih": b_ih, "b_hh": b_hh})
    check_choice(RESETS, reset=reset)
    h, steps = h0, []
    for a in x @ W_ih.T + b_ih:  # the inputs of all steps in one product
        steps.append(gru_cell(a, h, W_hh, b_hh, reset))
        h = steps[-1][-1]
    y = in_time([step[-1] for step in steps], h0)

    def pullback(dy: Tensor, dh: Tensor | None = None) -> tuple[Tensor, ...]:
        expect_like(dy, y)
        at_h, after, back = arriving(dh, h0), reset == "after", []
        W_gates, W_n = W_hh.tensor_split([2 * h0.shape[1]])
        before = shifted(h0, y)
        for t in reversed(range(len(steps))):
            r, z, n, u, _ = steps[t]
            # Eq. (gru-backward)
            at_h = at_h + dy[t]
            da_n = at_h * (1 - z) * (1 - n.square())
            da_z = at_h * (before[t] - n) * z * (1 - z)
            du = da_n if after else da_n @ W_n  # at r ⊙ u
            da_r = du * u * r * (1 - r)
            back.append(torch.cat([da_r, da_z, da_n], dim=1))
            at_h, gates = at_h * z, back[-1][:, : len(W_gates)]
            at_h = at_h + gates @ W_gates + (du * r @ W_n if after else du * r)
        da = in_time(back[::-1], x.new_empty(len(h0), len(W_hh)))
        # Eq. (through-time-weights)
        gates, da_n = da.tensor_split([len(W_gates)], dim=-1)
        r = in_time([step[0] for step in steps], h0)
        inside, seen = (da_n * r, before) if after else (da_n, r * before)
        dW_hh = torch.cat([over_time(gates, before), over_time(inside, seen)])
        db_hh = torch.cat([gates, inside], dim=2).sum(dim=(0, 1))
        return da @ W_ih, at_h, over_time(da, x), dW_hh, da.sum(dim=(0, 1)), db_hh

    return y, h, pullback


def gru(
    x: Sequence,
    h0: State,
    W_ih: Float[Tensor, "3*hidden inputs"],
    W_hh: Float[Tensor, "3*hidden hidden"],
    b_ih: Float[Tensor, " 3*hidden"],
    b_hh: Float[Tensor, " 3*hidden"],
    reset: str = "after",
) -> tuple[Hidden, State]:
    """All states of a gated recurrent unit, and the last one."""
    return gru_vjp(x, h0, W_ih, W_hh, b_ih, b_hh, reset)[:2]
