# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The layers of an RNN: exercises
#
# {{total}} points, about {{minutes}} minutes. They go with the chapter *The layers of an RNN* and follow its order.
#
# **How it works.** Replace `raise NotImplementedError` by your code, run that cell, then run the check below it. The check
# shows what came, what was expected and the likely cause. The same cell, with more tests, gives the points later; each
# task says what those tests look at, and *tidiness* is the same everywhere: leave the arguments as they were, return
# tensors of the dtype and the device of the input, and cope with an input that is not contiguous.
# Stuck? Open the hints one by one.
#
# Sequences are tensors of shape (time, batch, features), states (batch, hidden). Weights stand as in torch: one row for
# each unit of each gate, gate after gate, so that `x @ W_ih.T` has the gates side by side. $\sigma$ is the sigmoid, $\odot$
# the product of entries. Steps are counted from 0.

# %%
import math

import torch
import torch.nn.functional as F

# %% [markdown]
# ## 1 · A memory with one gate less
#
# ●●●○○ · 30 minutes · {{points}}
#
# *Why it matters:* what is forgotten makes room for what is new. Coupling the two gates saves a quarter of the weights, at
# little or no cost. And real batches hold sequences of different lengths.
#
# **Task.** Run this LSTM with peepholes, $c$ and $h$ being the states before the step, over a batch of sequences:
#
# $f = \sigma(W_fx + U_fh + p_f\odot c + b_f)$, $g = \tanh(W_gx + U_gh + b_g)$, $c' = f\odot c + (1-f)\odot g$,
# $o = \sigma(W_ox + U_oh + p_o\odot c' + b_o)$, $h' = o\odot\tanh c'$.
#
# Rows: f, g, o in the weights, f, o in `P`. Sequence $k$ has `lengths[k]` steps; behind them `x` is padding that may hold
# anything, even `nan`. Return `y`, all $h'$ with 0 in the padding, and `h`, `c` after each sequence's own last step (`h0`, `c0` if
# it is empty).
#
# Example: one unit, weights 0, $b = (0, \ln 3, -1.7)$, $P = (\frac12\ln 3, 1)$, $h_0 = 1$, $c_0 = 2$, length 1 of 2: $f = \frac34$,
# $g = 0.8$, $c = 1.7$, $o = \frac12$, $y = (0.4677, 0)$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Can $|c|$ grow without bound in this cell? Can it in the LSTM with two separate gates?
#
# <details><summary>Answer</summary>
#
# Not here: $c'$ lies between $c$ and $g$, so it never leaves the range of $c_0$ and $(-1, 1)$. With $i = f = 1$ the LSTM adds
# up to 1 at each step, without end: it can count, and that is the next exercise.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "coupled_lstm", "locked": false, "schema_version": 3, "solution": true}
def coupled_lstm(
    x: torch.Tensor,
    lengths: torch.Tensor,
    h0: torch.Tensor,
    c0: torch.Tensor,
    W_ih: torch.Tensor,
    W_hh: torch.Tensor,
    b: torch.Tensor,
    P: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """x (time, batch, inputs), lengths (batch), integers, h0 and c0 (batch, hidden), W_ih (3·hidden, inputs),
    W_hh (3·hidden, hidden), b (3·hidden), P (2, hidden): returns y (time, batch, hidden), h and c (batch, hidden)."""
    ### BEGIN SOLUTION
    h, c, outputs = h0, c0, [x.new_zeros(0, *h0.shape)]
    for t in range(len(x)):
        real = (t < lengths)[:, None]
        a_f, a_g, a_o = (x[t] @ W_ih.T + h @ W_hh.T + b).chunk(3, 1)
        f = (a_f + P[0] * c).sigmoid()
        cell = f * c + (1 - f) * a_g.tanh()
        out = (a_o + P[1] * cell).sigmoid() * cell.tanh()
        h, c = out.where(real, h), cell.where(real, c)
        outputs.append(out.where(real, 0)[None])
    return torch.cat(outputs), h, c
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "coupled_lstm-check", "locked": true, "points": 4, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("coupled_lstm", points=4, read="formulas/rnn_layers#peepholes", misconceptions={
    "old_cell": "the output gate looked at the old cell state: it comes last, and sees the new one",
    "other_way": "f and 1 − f were exchanged: f keeps the old cell state, 1 − f lets g in",
    "not_coupled": "g was added whole: what f keeps, 1 − f leaves no room for",
    "no_peepholes": "the peepholes are missing: both gates see the cell state through P",
    "peeks_at_h": "the peepholes looked at h: they look at the cell state c",
    "o_before_g": "the rows of the weights were read as f, o, g: they stand as f, g, o",
    "no_tanh": "the tanh of the cell state is missing in h",
    "runs_on": "a state went on through the padding: keep it as it was at the sequence's last step",
    "repeated": "the last output was repeated in the padding: y is 0 there",
    "nan_times_zero": "0 times nan is nan: choose with `where` instead of multiplying by a mask",
    "last_row": "h is not the last row of y: where a sequence ended earlier, that row is padding",
})


@task(0.5)
def the_worked_example():
    """The gates in order: f from the old c, then the new c, then o from it; behind the length the state stays."""
    log, zero = math.log(3), torch.zeros(3, 1)
    b, P = torch.tensor([0, log, -1.7]), torch.tensor([[log / 2], [1.0]])
    x, states = torch.zeros(2, 1, 1), (torch.ones(1, 1), torch.full((1, 1), 2.0))
    y, h, c = coupled_lstm(x, torch.tensor([1]), *states, zero, zero, b, P)
    task.equal(c, [[1.7]], {
        "other_way": [[1.1]], "not_coupled": [[2.3]], "no_peepholes": [[1.4]], "peeks_at_h": [[1.56077]],
        "o_before_g": [[1.26615]], "runs_on": [[1.44606]]}, name="c")
    task.equal(y, [[[0.4677]], [[0.0]]], {
        "old_cell": [[[0.5373]], [[0.0]]], "no_tanh": [[[0.85]], [[0.0]]],
        "repeated": [[[0.4677]], [[0.4677]]]}, name="y", tolerance=1e-3)
    task.equal(h, [[0.4677]], {"last_row": [[0.0]]}, name="h", tolerance=1e-3)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def cell(x, h, c, W_ih, W_hh, b, P, old=False, flip=False, add=False, hidden_peep=False, rows="fgo", squash=True):
    a = dict(zip(rows, (W_ih @ x + W_hh @ h + b).chunk(3)))
    f = torch.sigmoid(a["f"] + P[0] * (h if hidden_peep else c))
    g = torch.tanh(a["g"])
    keep, let_in = (1 - f, f) if flip else (f, 1 if add else 1 - f)
    new = keep * c + let_in * g
    seen = h if hidden_peep else c if old else new
    o = torch.sigmoid(a["o"] + P[1] * seen)
    return o * (torch.tanh(new) if squash else new), new


def expected(x, lengths, h0, c0, W_ih, W_hh, b, P, padding=0, **how):
    """Sequence by sequence, its own steps only."""
    x, h0, c0, *weights = (one.double() for one in (x, h0, c0, W_ih, W_hh, b, P))
    y, hs, cs = x.new_zeros(len(x), *h0.shape), [], []
    for k, length in enumerate(lengths.tolist()):
        h, c = h0[k], c0[k]
        for t in range(length):
            h, c = cell(x[t, k], h, c, *weights, **how)
            y[t, k] = h
        y[length:, k] = padding * h
        hs, cs = [*hs, h], [*cs, c]
    return y, torch.stack(hs), torch.stack(cs)


@task.misconception(0)
def old_cell(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, P, old=True)


@task.misconception(0)
def other_way(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, P, flip=True)


@task.misconception(0)
def not_coupled(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, P, add=True)


@task.misconception(0)
def no_peepholes(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, torch.zeros_like(P))


@task.misconception(0)
def peeks_at_h(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, P, hidden_peep=True)


@task.misconception(0)
def o_before_g(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, P, rows="fog")


@task.misconception(0)
def no_tanh(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, P, squash=False)


@task.misconception(1.5)
def runs_on(x, lengths, h0, c0, W_ih, W_hh, b, P):
    real = torch.arange(len(x))[:, None] < lengths
    y, h, c = expected(x, torch.full_like(lengths, len(x)), h0, c0, W_ih, W_hh, b, P)
    return y.where(real[..., None], 0), h, c


@task.misconception(1.5)
def repeated(x, lengths, h0, c0, W_ih, W_hh, b, P):
    return expected(x, lengths, h0, c0, W_ih, W_hh, b, P, padding=1)


@task.misconception(3.5)
def nan_times_zero(x, lengths, h0, c0, W_ih, W_hh, b, P):
    y, h, c = expected(x, lengths, h0, c0, W_ih, W_hh, b, P)
    ruined = x.double().sum(2, keepdim=True).cumsum(0) * 0  # nan from the first nan on
    return y + ruined, h + ruined[-1], c + ruined[-1]


@task.misconception(1.5)
def last_row(x, lengths, h0, c0, W_ih, W_hh, b, P):
    y, _, c = expected(x, lengths, h0, c0, W_ih, W_hh, b, P)
    return y, y[-1], c


def batch(*lengths, time=None, hidden=4, inputs=3):
    """Sequences of these lengths in a batch of `time` steps, states, and weights of moderate size."""
    number, time = len(lengths), max(lengths) if time is None else time
    states = task.randn(number, hidden), task.randn(number, hidden)
    weights = task.randn(3 * hidden, inputs), 0.7 * task.randn(3 * hidden, hidden), task.randn(3 * hidden)
    return task.randn(time, number, inputs), torch.tensor(lengths), *states, *weights, task.randn(2, hidden)


NAMES = "y", "h", "c"


@task(1)
def sequences_of_one_length():
    """Weights and peepholes of any size, several units and steps: follow the five equations in their order."""
    for lengths, hidden in ((1, 1, 1), 4), ((6, 6), 5), ((9,), 2):
        task.agree(coupled_lstm, expected, *batch(*lengths, hidden=hidden), name=NAMES, tolerance=1e-3)


@task(1, needs="sequences_of_one_length")
def sequences_of_different_lengths():
    """A state moves only at steps before its sequence's length; y is 0 from there on."""
    for lengths, time in ((5, 2, 3), 5), ((1, 4, 2, 6), 8):
        task.agree(coupled_lstm, expected, *batch(*lengths, time=time), name=NAMES, tolerance=1e-3)


@task(0.5, needs="sequences_of_one_length")
def an_empty_sequence():
    """Without a step the states are h0 and c0, also where they are not zero."""
    for lengths, time in ((0, 3), 4), ((2, 0, 0), 2):
        task.agree(coupled_lstm, expected, *batch(*lengths, time=time), name=NAMES, tolerance=1e-3)


@task(0.5, needs="sequences_of_different_lengths")
def anything_in_the_padding():
    """The padding holds nan and infinities; nothing of it may be seen."""
    for filling in torch.nan, torch.inf:
        x, lengths, *rest = batch(4, 1, 3, 2, time=5)
        x[torch.arange(5)[:, None] >= lengths] = filling
        task.agree(coupled_lstm, expected, x, lengths, *rest, name=NAMES, tolerance=1e-3)


@task(0.5, needs="sequences_of_one_length")
def tidiness():
    task.tidy(coupled_lstm, *batch(4, 2, 3))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# At each step compute the new states for the whole batch, as if all sequences were as long. Then let only those move that
# have a step here.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# One affine map gives all three gates; `chunk` cuts it. The order matters: f, then c′, then o. Which sequences have a step t is a
# column of booleans, and `new.where(real, old)` takes each row from one of the two; a product with a mask would let `nan` through.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# for each step: three parts ← x Wᵀ + h Uᵀ + b; f from the first and p_f·c; new c; o from the third and p_o·new c; new h; y ←
# new h where real, else 0; h, c ← the new ones where real, else the old.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for one step, wrong for two:* c was overwritten before the rest of the step had read it.
# - *Right for one sequence only:* `lengths` has one entry a sequence; give it an axis for the units.
#
# </details>
#
# **Go further** (no points). A second such layer reads every sequence from its own last step to its first, and the two outputs are
# put side by side: a bidirectional layer. Why is `x.flip(0)` wrong here, and what is right?

# %% [markdown]
# ## 2 · A bell at every N-th pulse
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* one cell with peepholes can count, because its gates see what is in it. Odometers, bar lines and
# frequency dividers do no more.
#
# **Task.** Return weights of the chapter's LSTM with peepholes, with one unit and one input: `W_ih` (4, 1), `W_hh` (4, 1),
# `b` (4), `P` (3, 1); the gates stand as i, f, g, o in the first three, as i, f, o in `P`. Gates i and f see the old c, o
# sees the new one. It starts at $h = c = 0$. The input is 1 at a pulse and 0 else, in any rhythm. At the n-th, 2n-th, 3n-th … pulse ($n \ge 1$) it shall ring, $h \ge \frac12$; at every other step
# it is silent, $|h| \le 0.01$.
#
# Example: $n = 2$, input $(1, 0, 1, 1, 1, 0)$: it rings at steps 2 and 4.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** The chapter's timer rings every N steps and has no input. What does it do here?
#
# <details><summary>Answer</summary>
#
# It counts steps, so that it rings on time only where every step is a pulse.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "bell", "locked": false, "schema_version": 3, "solution": true}
def bell(n: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """W_ih (4, 1), W_hh (4, 1), b (4), P (3, 1) of an LSTM with one unit that rings at every n-th pulse."""
    ### BEGIN SOLUTION
    sure, full = 200.0, n - 0.5  # a gate at ±sure is open or closed to all digits; the count is full above this
    W_ih = torch.tensor([[2 * sure], [0.0], [0.0], [0.0]])  # i opens for a pulse
    b = torch.tensor([-sure, sure * full, sure, -sure * full])  # g is 1: c counts
    P = torch.tensor([[0.0], [-sure], [sure]])  # f closes when the old count was full, o opens when the new one is
    return W_ih, torch.zeros(4, 1), b, P
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "bell-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("bell", points=2, read="formulas/rnn_layers#peepholes", misconceptions={
    "counts_steps": "every step was counted: the input gate, or g, must need the pulse",
    "never_forgets": "once full, it rings for ever: the forget gate must close when the old count was full",
    "half_open": "at some step it neither rings nor is silent: a gate is half open, because weights are small or its threshold "
                 "lies on a count; or a full count is too small for its tanh",
    "one_late": "it rings one pulse late: the count is full at n, so the threshold lies between n − 1 and n",
    "loses_a_pulse": "the pulse right after a ring was lost: forget the old count, but let the new pulse in",
    "rings_on": "it rings on until the next pulse: forget whenever the old count was full",
    "leaks": "the input gate does not shut tight: while it waits, the count creeps up",
    "rows_of_P": "the rows of P were read as i, o, f: they stand as i, f, o",
})


def outputs(weights, pulses):
    """h of the cell at every step (time, batch), for pulses (time, batch)."""
    W, U, b, P = (torch.as_tensor(one).double() for one in weights)
    h = c = pulses.new_zeros(pulses.shape[1], 1).double()
    rows = []
    for pulse in pulses.double():
        i, f, g, o = (pulse[:, None] @ W.T + h @ U.T + b).chunk(4, 1)
        c = (f + P[1] * c).sigmoid() * c + (i + P[0] * c).sigmoid() * g.tanh()
        h = (o + P[2] * c).sigmoid() * c.tanh()
        rows.append(h[:, 0])
    return torch.stack(rows)


def rings(weights, pulses):
    """1 where it rings, 0 where it is silent; fails where it does neither."""
    for name, one, shape in zip(("W_ih", "W_hh", "b", "P"), weights, ([4, 1], [4, 1], [4], [3, 1])):
        task.equal(torch.zeros_like(torch.as_tensor(one)), torch.zeros(shape), name=name)
    h = outputs(weights, pulses)
    unclear = ((h < 0.5) & (h.abs() > 0.01)).sum()
    task.equal(unclear, 0, {"half_open": unclear}, name="the number of steps with h neither ≥ ½ nor ≤ 0.01")
    return (h >= 0.5).double()


@task(0.25)
def the_worked_example():
    """Which gate lets a pulse in, which holds the count, which empties it after the ring, which opens for the ring?"""
    pulses = torch.tensor([[1.0], [0], [1], [1], [1], [0]])
    task.equal(rings(bell(2), pulses)[:, 0], [0.0, 0, 1, 0, 1, 0], {
        "counts_steps": [0.0, 1, 0, 1, 0, 1], "never_forgets": [0.0, 0, 1, 1, 1, 1], "one_late": [0.0, 0, 0, 1, 0, 0], "rows_of_P": torch.zeros(6),
        "loses_a_pulse": [0.0, 0, 1, 0, 0, 0], "rings_on": [0.0, 0, 1, 0, 1, 1]})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def cell(n, sure=200.0, full=None, always=0.0, forget=-1.0, refuse=0.0, pulse_forgets=0.0):
    full = n - 0.5 if full is None else full
    W_ih = torch.tensor([[2 * sure * (1 - always)], [-pulse_forgets * sure * n], [0.0], [0.0]])
    i = sure * (2 * always - 1)
    f = sure * full if forget else sure
    b = torch.tensor([i, f + pulse_forgets * sure * n, sure, -sure * full])
    return W_ih, torch.zeros(4, 1), b, torch.tensor([[-refuse * sure], [forget * sure], [sure]])


@task.misconception(0.25)
def counts_steps(n):
    return cell(n, always=1.0)


@task.misconception(0)
def never_forgets(n):
    return cell(n, forget=0.0)


@task.misconception(0)
def half_open(n):
    return cell(n, sure=4.0)


@task.misconception(0)
def one_late(n):
    return cell(n, full=n + 0.5)


@task.misconception(0)
def loses_a_pulse(n):
    W_ih, W_hh, b, P = cell(n)
    return W_ih, torch.tensor([[-1000.0], [0.0], [0.0], [0.0]]), b, P


@task.misconception(0.25)
def rings_on(n):
    return cell(n, pulse_forgets=1.0)


@task.misconception(1.75)
def leaks(n):
    W_ih, W_hh, b, P = cell(n)
    return W_ih * 0.03, W_hh, torch.cat([torch.tensor([-6.0]), b[1:]]), P


@task.misconception(0)
def rows_of_P(n):
    W_ih, W_hh, b, P = cell(n)
    return W_ih, W_hh, b, P[[0, 2, 1]]


def wanted(n, pulses):
    counted = pulses.cumsum(0)
    return ((counted % n == 0) & (pulses > 0)).double()


@task(0.25)
def a_pulse_at_every_step():
    """The count starts again at 1, not at 0, where the step after a ring is a pulse: no drift in 60 steps."""
    pulses = torch.ones(60, 1)
    for n in 3, 8, task.randint(4, 12):
        task.equal(rings(bell(n), pulses), wanted(n, pulses), {
            "never_forgets": lambda n=n: rings(never_forgets(n), pulses), "one_late": lambda n=n: rings(one_late(n), pulses), "loses_a_pulse": lambda n=n: rings(loses_a_pulse(n), pulses),
            "rows_of_P": lambda n=n: rings(rows_of_P(n), pulses)}, name=f"n = {n}: the ring")


@task(1)
def any_rhythm():
    """Only a pulse may be counted, and only the step of the n-th pulse may ring."""
    pulses = (task.randn(80, 6) > 0.3).float()
    for n in 2, 7, 12, task.randint(3, 11):
        task.equal(rings(bell(n), pulses), wanted(n, pulses), {
            "counts_steps": lambda n=n: rings(counts_steps(n), pulses), "never_forgets": lambda n=n: rings(never_forgets(n), pulses),
            "one_late": lambda n=n: rings(one_late(n), pulses),
            "loses_a_pulse": lambda n=n: rings(loses_a_pulse(n), pulses), "rings_on": lambda n=n: rings(rings_on(n), pulses),
            "rows_of_P": lambda n=n: rings(rows_of_P(n), pulses)}, name=f"n = {n}: the ring")


@task(0.25)
def every_pulse_rings():
    """For n = 1 each pulse rings: a count of 1 must be enough for h ≥ ½."""
    pulses = (task.randn(30, 4) > 0).float()
    pulses[0] = 0
    task.equal(rings(bell(1), pulses), wanted(1, pulses), {
        "counts_steps": lambda: rings(counts_steps(1), pulses), "never_forgets": lambda: rings(never_forgets(1), pulses),
        "rings_on": lambda: rings(rings_on(1), pulses)}, name="n = 1: the ring")


@task(0.25, needs="any_rhythm")
def a_long_wait():
    """Between two pulses pass 200 steps: an input gate that lets in 1/400 has added half a count by then."""
    pulses = torch.zeros(620, 1)
    pulses[[2, 205, 410, 615]] = 1
    for n in 2, 4:
        task.equal(rings(bell(n), pulses), wanted(n, pulses), {
            "leaks": lambda n=n: rings(leaks(n), pulses)}, name=f"n = {n}: the ring")
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Let $c$ be the number of pulses since the last ring. What must each gate do: let in, keep, empty, show? Which of
# them must know the pulse, and which the count?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# A gate at $\sigma(\pm200)$ is open or shut to all digits. Make $g = 1$; let i depend on the input alone. The count is full above
# $n - \frac12$: f shuts when the *old* count was full, o opens when the *new* one is. Both see it through P.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# S ← 200; i: S·(2x − 1); f: S·(n − ½ − c); g: tanh(S); o: S·(c′ − n + ½). Read off the factors of x (W_ih), of c (P) and what
# is left (b); W_hh is 0.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *You want to look inside:* with `zero = torch.zeros(1, 1)`, the library's `lstm(pulses[:, None, None], zero, zero, *bell(n))`
#   (from `etude.formulas.rnn_layers.lstm`) gives h first.
# - *Right for all n but 1:* $h = \tanh c$ at a ring, and $\tanh(\tanh\frac12)$ is below ½: let a pulse count more.
#
# </details>
#
# **Go further** (no points). Build it without a peephole at the forget gate. And one that rings as long as *no* pulse came for N
# steps: a watchdog.

# %% [markdown]
# ## 3 · A GRU without a manual
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* frameworks agree on the name GRU, not on its rows, its signs or its reset. Weights that are read with the
# wrong manual raise no error; they only predict badly.
#
# **Task.** A GRU with known weights, $W, U, b, b'$ in the order of the stub, turned `x` into `y`, starting from `h0`. Both gates
# are $\sigma(Wx + b + Uh + b')$; three things are unknown. The rows stand as r, z, n or as z, r, n, alike in all four. The gate z *keeps*, $h' = (1-z)\odot n + z\odot h$, or *replaces*, $h' = z\odot n + (1-z)\odot h$. The
# reset comes *after* the matrix, $n = \tanh(W_nx + b_n + r\odot(U_nh + b'_n))$, or *before*,
# $n = \tanh(W_nx + b_n + U_n(r\odot h) + b'_n)$. Find out from the record, and return the outputs (more, batch, hidden) for
# the inputs `new` that follow it directly.
#
# Example: one unit, $W = 0$, $U = (0, 0, -2\ln 3)$, $b = (\ln 3, 0, 0)$, $b' = (0, 0, \frac12\ln 3)$, $h_0 = 1$: from $x = (0)$
# came $y = (0.625)$. So $z = \frac34$ stands first and keeps; $r = \frac12$ comes before; $n = -\frac12$. A further input 0 gives 0.4346.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** The record has one step, from $h_0 = 0$, and $b' = 0$. Which of the three questions can it answer?
#
# <details><summary>Answer</summary>
#
# Two: which rows are those of z, and whether it keeps or replaces. The reset multiplies zeros, before or after.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "continue_gru", "locked": false, "schema_version": 3, "solution": true}
def continue_gru(
    new: torch.Tensor,
    x: torch.Tensor,
    y: torch.Tensor,
    h0: torch.Tensor,
    W_ih: torch.Tensor,
    W_hh: torch.Tensor,
    b_ih: torch.Tensor,
    b_hh: torch.Tensor,
) -> torch.Tensor:
    """new (more, batch, inputs), x (time, batch, inputs), y (time, batch, hidden), h0 (batch, hidden),
    W_ih (3·hidden, inputs), W_hh (3·hidden, hidden), b_ih and b_hh (3·hidden): returns (more, batch, hidden)."""
    ### BEGIN SOLUTION
    W, U, b, c = (one.chunk(3) for one in (W_ih, W_hh, b_ih, b_hh))

    def run(x, h, r, keeps, before):
        outputs = []
        for step in x:
            gates = [(step @ W[k].T + b[k] + h @ U[k].T + c[k]).sigmoid() for k in (r, 1 - r)]
            reset, z = gates if keeps else (gates[0], 1 - gates[1])
            inner = (reset * h) @ U[2].T + c[2] if before else reset * (h @ U[2].T + c[2])
            n = (step @ W[2].T + b[2] + inner).tanh()
            h = (1 - z) * n + z * h
            outputs.append(h)
        return torch.stack(outputs)

    manuals = [(r, keeps, before) for r in (0, 1) for keeps in (True, False) for before in (True, False)]
    misfit = [float((run(x, h0, *manual) - y).square().sum()) for manual in manuals]
    return run(new, y[-1], *manuals[misfit.index(min(misfit))])
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "continue_gru-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("continue_gru", points=3, read="formulas/rnn_layers#the-gru", misconceptions={
    "as_torch": "the record was not asked: this is what torch's rows, signs and reset give",
    "rows_assumed": "the rows were taken as r, z, n whatever the record says",
    "z_assumed": "z was taken to keep whatever the record says",
    "after_assumed": "the reset was taken to come after the matrix whatever the record says",
    "before_assumed": "the reset was taken to come before the matrix whatever the record says",
    "biases_left": "the rows of b and b′ stand in the same order as those of W and U: all four are exchanged, or none",
    "bias_outside": "the bias b′ stands inside the brackets that r multiplies when the reset comes after",
    "starts_again": "the new inputs began at h0: they follow the record, so begin at its last output",
    "first_step_only": "only the first step was compared: from a state of zeros it says nothing about the reset",
})


@task(0.5)
def the_worked_example():
    """Run all eight manuals over the record; go on, from its last output, with the one that fits."""
    log, zero, one = math.log(3), torch.zeros(1, 1, 1), torch.ones(1, 1)
    weights = torch.zeros(3, 1), torch.tensor([[0.0], [0], [-2 * log]]), torch.tensor([log, 0, 0]), torch.tensor([0, 0, log / 2])
    task.equal(continue_gru(zero, zero, torch.tensor([[[0.625]]]), one, *weights), [[[0.4346]]], {
        "as_torch": [[[0.0376]]], "rows_assumed": [[[0.0891]]], "biases_left": [[[0.0891]]], "after_assumed": [[[0.3712]]],
        "starts_again": [[[0.625]]]}, tolerance=1e-3)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def manuals():
    return [(first, keeps, reset) for first in "rz" for keeps in (True, False) for reset in ("after", "before")]


def blocks(weights, first, biases=True):
    """The rows of every weight in the order r, z, n, in float64."""
    r, z = (0, 1) if first == "r" else (1, 0)
    return [[one.double().chunk(3)[k] for k in ((r, z, 2) if biases or one.ndim == 2 else (0, 1, 2))] for one in weights]


def simulate(x, h, weights, first, keeps, reset, inside=True, biases=True):
    W, U, b, c = blocks(weights, first, biases)
    h, outputs = h.double(), []
    for step in x.double():
        r, z = ((step @ W[k].T + b[k] + h @ U[k].T + c[k]).sigmoid() for k in (0, 1))
        z = z if keeps else 1 - z
        if reset == "before":
            inner = (r * h) @ U[2].T + c[2]
        else:
            inner = r * (h @ U[2].T + c[2]) if inside else r * (h @ U[2].T) + c[2]
        h = z * h + (1 - z) * (step @ W[2].T + b[2] + inner).tanh()
        outputs.append(h)
    return torch.stack(outputs)


def known(x, h, weights, first, keeps, reset):
    """The outputs when the manual is known: torch's own cell after mending the rows, or six lines."""
    if reset == "before":
        return simulate(x, h, weights, first, keeps, reset)
    sign = torch.tensor(1.0 if keeps else -1.0).double()
    W, U, b, c = (torch.cat([r, sign * z, n]) for r, z, n in blocks(weights, first))
    h, outputs = h.double(), []
    for step in x.double():
        h = torch.gru_cell(step, h, W, U, b, c)
        outputs.append(h)
    return torch.stack(outputs)


def best(new, x, y, h0, *weights, among=None, steps=None, start=None, **how):
    def misfit(manual):
        return float((simulate(x[:steps], h0, weights, *manual, **how) - y[:steps]).abs().sum())

    start = y[-1] if start is None else start
    return simulate(new, start, weights, *min(among or manuals(), key=misfit), **how)


@task.misconception(0)
def as_torch(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, among=manuals()[:1])


@task.misconception(0)
def rows_assumed(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, among=manuals()[:4])


@task.misconception(0.5)
def z_assumed(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, among=[one for one in manuals() if one[1]])


@task.misconception(0.5)
def after_assumed(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, among=manuals()[::2])


@task.misconception(2)
def before_assumed(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, among=manuals()[1::2])


@task.misconception(0)
def biases_left(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, biases=False)


@task.misconception(2.5)
def bias_outside(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, inside=False)


@task.misconception(0)
def starts_again(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, start=h0)


@task.misconception(2.5)
def first_step_only(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    return best(new, x, y, h0, W_ih, W_hh, b_ih, b_hh, steps=1)


def record(manual, zeros=False):
    """The arguments, and the outputs that the manual gives for the new inputs."""
    x, new, h0 = task.randn(5, 3, 2), task.randn(6, 3, 2), task.randn(3, 4)
    weights = task.randn(12, 2), task.randn(12, 4), task.randn(12), task.randn(12)
    if zeros:
        h0, weights = torch.zeros_like(h0), (*weights[:3], torch.zeros(12))
    y = known(x, h0, weights, *manual)
    return known(new, y[-1], weights, *manual), new, x, y.float(), h0, *weights


@task(0.5)
def the_reset_comes_after():
    """Rows r, z, n or z, r, n; z keeps or replaces: four manuals, and r multiplies the bias b′ too."""
    for manual in manuals()[::2]:
        task.agree(continue_gru, *record(manual), tolerance=1e-3)


@task(1)
def the_reset_comes_before():
    """The same four, where r multiplies the state and the matrix comes next."""
    for manual in manuals()[1::2]:
        task.agree(continue_gru, *record(manual), tolerance=1e-3)


@task(0.5)
def a_record_that_starts_at_zero():
    """From a state of zeros, without b′, the first step fits with either reset: compare all steps."""
    for manual in manuals():
        task.agree(continue_gru, *record(manual, zeros=True), tolerance=1e-3)


@task(0.5, needs="the_reset_comes_before")
def tidiness():
    task.tidy(continue_gru, *record(manuals()[1])[1:])
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Three questions with two answers each: eight manuals. The record tells which one made it; you need not think, only try.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Write one function that runs a GRU over inputs from a given state, with three switches. Run it eight times over `x`, and
# keep the switches whose outputs are nearest to `y`.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# run(inputs, h, which block is r, keeps?, before?): for each step: both gates; n, with r at its place; h ← the mixture;
# collect. For all eight: misfit ← Σ (run(x, h0, …) − y)². Return run(new, last output of y, the best).
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Several manuals fit the example equally well:* b and b′ play different parts; only b′ stands beside U.
#
# </details>
#
# **Go further** (no points). Which of the eight can be turned into which other by changing the weights alone? Write the weights for
# `torch.nn.GRU` where that can be done, and show that a reset *before* the matrix cannot be.

# %% [markdown]
# ## 4 · A loss over the moves that are allowed
#
# ●●○○○ · 20 minutes · {{points}}
#
# *Why it matters:* a chess move, an SQL token, a letter after a prefix: often most classes are impossible. Torch's loss
# spreads smoothing over the impossible ones too; where their logits are $-\infty$, it is infinite.
#
# **Task.** For each row, $p$ is the softmax over the `allowed` classes, 0 elsewhere. The target $q$ gives $1-\varepsilon$ to the row's
# `label`, an allowed class, and spreads $\varepsilon$ evenly over *all* $K$ allowed classes, the label included. The loss is
# $-\sum q_k\log p_k$ over the allowed classes. Return the losses, and the gradient at the logits when `dloss` arrives at the
# losses. Logits at forbidden classes may hold anything.
#
# Example: logits $(0, \ln 3, 5)$, the last one forbidden, label 0, $\varepsilon = \frac12$, dloss 2: $p = (\frac14, \frac34, 0)$,
# $q = (\frac34, \frac14, 0)$, loss 1.1117, gradient $(-1, 1, 0)$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** What is the sum of each row of the gradient?
#
# <details><summary>Answer</summary>
#
# 0: p and q both sum to 1. Adding a number to all allowed logits changes nothing, so no gradient points that way.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "allowed_loss", "locked": false, "schema_version": 3, "solution": true}
def allowed_loss(
    dloss: torch.Tensor,
    logits: torch.Tensor,
    label: torch.Tensor,
    allowed: torch.Tensor,
    smoothing: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    """dloss (rows), logits (rows, classes), label (rows), integers, allowed (rows, classes), boolean:
    returns the losses (rows) and the gradient at the logits (rows, classes)."""
    ### BEGIN SOLUTION
    log_p = logits.masked_fill(~allowed, -torch.inf).log_softmax(1)
    spread = allowed.to(logits.dtype)
    here = torch.arange(logits.shape[1], device=logits.device) == label[:, None]
    q = (1 - smoothing) * here + smoothing * spread / spread.sum(1, keepdim=True)
    loss = -(q * log_p.masked_fill(~allowed, 0)).sum(1)
    return loss, dloss[:, None] * (log_p.exp() - q)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "allowed_loss-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F

from proctor.marking import Task

task = Task("allowed_loss", points=2, read="formulas/rnn_layers#activations", misconceptions={
    "over_all": "the smoothing was spread over forbidden classes too: divide ε by the number of allowed ones",
    "over_others": "the label got no share of the smoothing: ε is spread over all allowed classes, the label included",
    "hard_gradient": "the gradient forgot the smoothing: it is p − q with the same q as in the loss",
    "no_smoothing": "the smoothing is missing: this is −log p of the label",
    "dloss_missing": "`dloss` is missing: each row of p − q times the gradient that arrives at its loss",
    "wrong_sign": "the gradient points downhill: it is p − q, not q − p",
    "averaged": "the gradient was divided by the number of rows: the losses are not averaged here",
    "not_normalized": "p does not sum to 1: softmax over all classes, then a mask, loses the forbidden part",
    "zero_times_infinity": "log p is −∞ at a forbidden class, and 0 · (−∞) is nan: put 0 in its place before you multiply by q",
    "overflow": "`exp` overflowed, or the log of a 0 was taken: use log_softmax on the allowed logits",
    "forbidden_seen": "what stands at a forbidden class came into the result: 0 times nan is nan, so replace it first",
})


@task(0.25)
def the_worked_example():
    """Softmax over the allowed ones only; the gradient of −Σ q log p is p − q, times dloss."""
    logits, allowed = torch.tensor([[0.0, 1.0986123, 5.0]]), torch.tensor([[True, True, False]])
    loss, gradient = allowed_loss(torch.tensor([2.0]), logits, torch.tensor([0]), allowed, 0.5)
    task.equal(loss, [1.1117], {
        "over_all": [0.9721], "over_others": [0.8370], "no_smoothing": [1.3863], "not_normalized": [4.7518],
        "zero_times_infinity": [torch.nan]},
        name="loss", tolerance=1e-3)
    task.equal(gradient, [[-1.0, 1.0, 0.0]], {
        "hard_gradient": [[-1.5, 1.5, 0.0]], "dloss_missing": [[-0.5, 0.5, 0.0]], "wrong_sign": [[1.0, -1.0, 0.0]]},
        name="gradient", tolerance=1e-3)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(dloss, logits, label, allowed, smoothing):
    """Row by row on the allowed classes alone, with torch's loss and autograd: forbidden classes do not exist."""
    losses, gradient = [], torch.zeros_like(logits, dtype=torch.float64)
    for row, (z, here) in enumerate(zip(logits.double(), allowed)):
        with torch.enable_grad():
            some = z[here].clone().requires_grad_()
            at = here[: label[row]].sum()
            loss = F.cross_entropy(some[None], at[None], label_smoothing=smoothing)
            gradient[row, here] = torch.autograd.grad(dloss[row].double() * loss, some)[0]
        losses.append(loss.detach())
    return torch.stack(losses), gradient


def by_hand(dloss, logits, label, allowed, smoothing, share=None, hard=False, wide=False):
    every, logits = logits.double(), logits.double().masked_fill(~allowed, 0)
    one = F.one_hot(label, logits.shape[1]).double()
    share = allowed.double() / allowed.sum(1, keepdim=True) if share is None else share
    q = (1 - smoothing) * one + smoothing * share
    log_p = logits.where(allowed, -torch.inf).log_softmax(1)
    p, log_p = log_p.exp(), log_p.where(allowed, 0)
    if wide:
        log_p = every.log_softmax(1) * allowed
        p = log_p.exp() * allowed
    return -(q * log_p).sum(1), dloss.double()[:, None] * (p - (one if hard else q))


@task.misconception(0)
def over_all(dloss, logits, label, allowed, smoothing):
    return by_hand(dloss, logits, label, allowed, smoothing, allowed.double() / allowed.shape[1])


@task.misconception(0)
def over_others(dloss, logits, label, allowed, smoothing):
    others = allowed & (F.one_hot(label, logits.shape[1]) == 0)
    return by_hand(dloss, logits, label, allowed, smoothing, others.double() / others.sum(1, keepdim=True).clamp(min=1))


@task.misconception(0.5)
def hard_gradient(dloss, logits, label, allowed, smoothing):
    return by_hand(dloss, logits, label, allowed, smoothing, hard=True)


@task.misconception(0)
def no_smoothing(dloss, logits, label, allowed, smoothing):
    return by_hand(dloss, logits, label, allowed, 0.0)


@task.misconception(0.5)
def dloss_missing(dloss, logits, label, allowed, smoothing):
    return by_hand(torch.ones_like(dloss), logits, label, allowed, smoothing)


@task.misconception(0.5)
def wrong_sign(dloss, logits, label, allowed, smoothing):
    return by_hand(-dloss, logits, label, allowed, smoothing)[0], by_hand(-dloss, logits, label, allowed, smoothing)[1]


@task.misconception(0.75)
def averaged(dloss, logits, label, allowed, smoothing):
    loss, gradient = by_hand(dloss, logits, label, allowed, smoothing)
    return loss, gradient / len(loss)


@task.misconception(0)
def not_normalized(dloss, logits, label, allowed, smoothing):
    return by_hand(dloss, logits, label, allowed, smoothing, wide=True)


@task.misconception(0.5)
def zero_times_infinity(dloss, logits, label, allowed, smoothing):
    loss, gradient = by_hand(dloss, logits, label, allowed, smoothing)
    return loss.where(allowed.all(1), torch.nan), gradient


@task.misconception(1.75)
def overflow(dloss, logits, label, allowed, smoothing):
    power = logits.masked_fill(~allowed, 0).exp() * allowed
    p = power / power.sum(1, keepdim=True)
    q = (1 - smoothing) * F.one_hot(label, logits.shape[1]) + smoothing * allowed / allowed.sum(1, keepdim=True)
    return -(q * p.where(allowed, 1).log()).sum(1), dloss[:, None] * (p - q)


@task.misconception(1.75)
def forbidden_seen(dloss, logits, label, allowed, smoothing):
    loss, gradient = by_hand(dloss, logits, label, allowed, smoothing)
    return loss + (logits * ~allowed * 0).sum(1), gradient + logits * ~allowed * 0


def rows(number, classes, scale=2.0):
    """Random rows of which about half the classes are allowed, the label always."""
    label = torch.stack([torch.tensor(task.randint(0, classes - 1)) for _ in range(number)])
    allowed = (task.randn(number, classes) > 0) | (torch.arange(classes) == label[:, None])
    return task.randn(number), scale * task.randn(number, classes), label, allowed


NAMES = "loss", "gradient"


@task(0.5)
def the_loss():
    """Every smoothing from 0 to 1, and any number of allowed classes, one or all of them."""
    for number, classes, smoothing in (6, 5, 0.1), (4, 9, 0.0), (5, 3, 1.0), (8, 2, 0.3):
        task.agree(allowed_loss, expected, *rows(number, classes), smoothing, name=NAMES, parts=(0,), tolerance=1e-3)


@task(0.5)
def the_gradient():
    """dloss times p − q, for each row its own."""
    for number, classes, smoothing in (6, 5, 0.1), (4, 9, 0.2), (5, 3, 1.0), (8, 4, 0.3):
        task.agree(allowed_loss, expected, *rows(number, classes), smoothing, name=NAMES, parts=(1,), tolerance=1e-3)


@task(0.25, needs="the_gradient")
def logits_in_the_thousands():
    """exp(1000) is infinite, and log 0 too: log_softmax subtracts the largest allowed logit first."""
    task.agree(allowed_loss, expected, *rows(6, 5, 2000.0), 0.1, name=NAMES, tolerance=1e-3)


@task(0.25, needs="the_loss")
def anything_at_forbidden_classes():
    """Forbidden logits are nan, infinite or huge: none of it may be seen, and their gradient is 0."""
    for anything in torch.nan, torch.inf, -torch.inf, 1e30:
        dloss, logits, label, allowed = rows(5, 6)
        logits = logits.where(allowed, anything)
        came, wanted = allowed_loss(dloss, logits, label, allowed, 0.2), expected(dloss, logits, label, allowed, 0.2)
        seen = forbidden_seen(dloss, logits, label, allowed, 0.2)  # the only one to name here: nan has many causes
        for name, *three in zip(NAMES, came, wanted, seen):
            task.equal(*three[:2], {"forbidden_seen": three[2]}, name=name, tolerance=1e-3)


@task(0.25, needs="the_gradient")
def a_large_vocabulary_and_tidiness():
    """300,000 classes: a softmax's Jacobian would need 360 GB, and p − q needs none."""
    dloss, logits, label, allowed = rows(1, 300_000)
    task.agree(allowed_loss, expected, dloss * 1e4, logits, label, allowed, 0.2, name=NAMES, tolerance=1e-3)
    task.tidy(allowed_loss, *rows(4, 5), 0.2)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# With the forbidden classes cut out of a row it is the ordinary loss. Its gradient needs no Jacobian: $\log p_k = z_k -
# \log\sum_j e^{z_j}$, so $-\sum q_k\log p_k$ has the slope $p_k - q_k$ at $z_k$.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# $-\infty$ in place of forbidden logits gives them $p = 0$. In the loss, 0 in place of their $\log p = -\infty$.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# z ← logits, −∞ where forbidden; log p ← log_softmax of z; q ← ε·allowed/K, plus 1 − ε at the label; loss ← −Σ q·(log p, 0
# where forbidden); gradient ← dloss·(exp(log p) − q).
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *float32 for float64 logits:* an integer divided by an integer has the default dtype.
#
# </details>
#
# **Go further** (no points). Which logits make the loss smallest for given q, and how small is it then? Smoothing was invented to
# stop logits from growing without end: show that it does.

# %% [markdown]
# ## 5 · Layers that keep lengths
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* a product of orthogonal maps neither explodes nor vanishes; ten thousand layers of such convolutions
# have been trained. But `qr` alone does not draw them evenly.
#
# **Task.** Turn standard normal `noise` into a weight of its shape. For a matrix (outputs, inputs): $WW^\top = \text{gain}^2 I$ if it
# is wide, $W^\top W = \text{gain}^2 I$ if it is tall, both if it is square; as the noise varies, $W$ must be uniform (Haar): turning
# or mirroring it gives the same distribution. For a convolution (outputs, inputs, height, width) with outputs ≥ inputs and odd
# sides: all zero but the tap in the middle, which is such a matrix. Draw nothing: the noise is all the chance there is.
#
# Example: noise $(3, 4)^\top$, gain 2: $(1.2, 1.6)^\top$, or $(-1.2, -1.6)^\top$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** `torch.linalg.qr` works by reflections, and gives $R_{11}$ the sign opposite to that of the matrix's first
# entry, to lose no digits. What can you say of $Q_{11}$, over many random matrices?
#
# <details><summary>Answer</summary>
#
# It is the first entry divided by $R_{11}$, so it is never positive. In a uniform Q both signs are equally likely.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "orthogonal_weight", "locked": false, "schema_version": 3, "solution": true}
def orthogonal_weight(noise: torch.Tensor, gain: float = 1.0) -> torch.Tensor:
    """Normal noise (outputs, inputs) or (outputs, inputs, height, width): returns a weight of the same shape."""
    ### BEGIN SOLUTION
    weight = torch.zeros_like(noise)
    middle = tuple(side // 2 for side in noise.shape[2:])
    tap = noise[(..., *middle)]
    tall = tap if len(tap) >= tap.shape[1] else tap.T
    Q, R = torch.linalg.qr(tall)
    Q = gain * Q * R.diagonal().sign()  # the one factorization with a positive diagonal: uniform
    weight[(..., *middle)] = Q if tall is tap else Q.T
    return weight
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "orthogonal_weight-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F

from proctor.marking import Task

task = Task("orthogonal_weight", points=2, read="formulas/rnn_layers#initialization", misconceptions={
    "no_signs": "the entries lean to one side: multiply each column of Q by the sign of R's diagonal entry",
    "first_row": "the signs came from Q's own entries: then those are never negative; they belong to R's diagonal",
    "unit_columns": "rows or columns have length 1, but are not orthogonal to each other",
    "gain_twice": "the gain came in as its square: multiply the weight by it once",
    "gain_missing": "the gain is missing",
    "flattened": "this is orthogonal as a matrix (outputs, inputs·height·width), as torch does it: a convolution with it "
                 "does not keep lengths",
    "every_tap": "every tap is orthogonal, and the sum over the taps is not: only the middle one may be there",
    "first_tap": "the tap is not in the middle: at the border of the image something is lost",
    "noise_unused": "the same noise gave another weight: draw nothing, the noise is given",
})


@task(0.25)
def the_worked_example():
    """One column, of length gain."""
    weight = torch.as_tensor(orthogonal_weight(torch.tensor([[3.0], [4.0]]), 2.0))
    task.equal(weight.abs(), [[1.2], [1.6]], {"gain_twice": [[2.4], [3.2]], "gain_missing": [[0.6], [0.8]]}, name="|weight|")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def haar(G):
    """The orthogonal factor of the polar decomposition, in float64."""
    U, _, Vh = torch.linalg.svd(G.double(), full_matrices=False)
    return U @ Vh


def middle_tap(noise, matrix):
    if noise.ndim == 2:
        return matrix(noise)
    weight = torch.zeros_like(noise.double())
    at = noise.shape[2] // 2, noise.shape[3] // 2
    weight[:, :, at[0], at[1]] = matrix(noise[:, :, at[0], at[1]])
    return weight


def raw_qr(G):
    return torch.linalg.qr(G.double())[0] if len(G) >= G.shape[1] else torch.linalg.qr(G.double().T)[0].T


@task.misconception(1.5)
def no_signs(noise, gain=1.0):
    return gain * middle_tap(noise, raw_qr)


@task.misconception(1.5)
def first_row(noise, gain=1.0):
    def signed(G):
        Q = raw_qr(G if len(G) >= G.shape[1] else G.T)
        Q = Q * Q[0].sign()
        return Q if len(G) >= G.shape[1] else Q.T

    return gain * middle_tap(noise, signed)


@task.misconception(0.25)
def unit_columns(noise, gain=1.0):
    return gain * middle_tap(noise, lambda G: G.double() / G.double().norm(dim=int(len(G) < G.shape[1]), keepdim=True))


@task.misconception(0)
def gain_twice(noise, gain=1.0):
    return gain**2 * middle_tap(noise, haar)


@task.misconception(0)
def gain_missing(noise, gain=1.0):
    return middle_tap(noise, haar)


@task.misconception(1.5)
def flattened(noise, gain=1.0):
    return gain * haar(noise.flatten(1)).view(noise.shape)


@task.misconception(1.5)
def every_tap(noise, gain=1.0):
    if noise.ndim == 2:
        return gain * haar(noise)
    return gain * haar(noise.permute(2, 3, 0, 1)).permute(2, 3, 0, 1)


@task.misconception(1.5)
def first_tap(noise, gain=1.0):
    if noise.ndim == 2:
        return gain * haar(noise)
    weight = torch.zeros_like(noise.double())
    weight[:, :, 0, 0] = gain * haar(noise[:, :, 0, 0])
    return weight


@task.misconception(1)
def noise_unused(noise, gain=1.0):
    return gain * middle_tap(noise, lambda G: haar(torch.randn(G.shape)))


def products(weight):
    """The products of its rows, if it is wide, or of its columns."""
    weight = torch.as_tensor(weight).double()
    return weight @ weight.T if len(weight) <= weight.shape[1] else weight.T @ weight


def convolved(weight, x):
    """The length of every image before and after; zeros around the image."""
    weight = torch.as_tensor(weight).double()
    y = F.conv2d(x.double(), weight, padding=(weight.shape[2] // 2, weight.shape[3] // 2))
    return y.flatten(1).norm(dim=1) / x.double().flatten(1).norm(dim=1)


def unevenness(weights):
    """The largest |mean| of an entry, or of a product of two different ones, in standard errors: uniform, all means are 0."""
    entries = torch.stack([torch.as_tensor(one).double().flatten() for one in weights])
    a, b = torch.triu_indices(entries.shape[1], entries.shape[1], 1)
    seen = torch.cat([entries, entries[:, a] * entries[:, b]], 1)
    return (seen.mean(0).abs() / (seen.std(0) / len(seen) ** 0.5)).max()


@task(0.5)
def wide_tall_and_square():
    """The shorter side is orthonormal, times gain: transpose a wide matrix before you factor it."""
    for shape, gain in ((4, 4), 1.0), ((6, 3), 2.0), ((2, 5), 0.5), ((1, 4), 3.0):
        noise = task.randn(*shape)
        task.equal(products(orthogonal_weight(noise, gain)), gain**2 * torch.eye(min(shape)), {
            "unit_columns": lambda noise=noise, gain=gain: products(unit_columns(noise, gain)),
            "gain_twice": lambda noise=noise, gain=gain: products(gain_twice(noise, gain)),
            "gain_missing": lambda noise=noise: products(gain_missing(noise))}, name=f"the products for a {shape} matrix")
        task.equal(list(orthogonal_weight(noise, gain).shape), shape, name="the shape")


@task(0.5, needs="wide_tall_and_square")
def uniform():
    """Over many draws every entry has the mean 0, and so has every product of two; and the noise alone makes the weight."""
    for _ in range(3):
        noise = task.randn(8, 7)
        first, again = orthogonal_weight(noise), orthogonal_weight(noise)
        task.equal(again, first, {"noise_unused": again}, name="a second weight from the same noise")
    for shape in (3, 3), (4, 2), (2, 3):
        many = [task.randn(*shape) for _ in range(300)]
        task.at_most(unevenness([orthogonal_weight(one) for one in many]), 5, {
            "no_signs": lambda many=many: unevenness([no_signs(one) for one in many]),
            "first_row": lambda many=many: unevenness([first_row(one) for one in many])},
            name=f"over 300 draws of {shape}, the largest mean, in standard errors,")


@task(0.5)
def a_convolution_keeps_lengths():
    """Only the middle tap, so that each pixel goes through one orthogonal map and no two meet."""
    for shape in (5, 3, 3, 3), (4, 4, 1, 5), (3, 1, 5, 3):
        noise, x = task.randn(*shape), task.randn(3, shape[1], 6, 7)
        task.equal(convolved(orthogonal_weight(noise, 2.0), x), [2.0] * 3, {
            "flattened": lambda noise=noise, x=x: convolved(flattened(noise, 2.0), x),
            "every_tap": lambda noise=noise, x=x: convolved(every_tap(noise, 2.0), x),
            "first_tap": lambda noise=noise, x=x: convolved(first_tap(noise, 2.0), x),
            "unit_columns": lambda noise=noise, x=x: convolved(unit_columns(noise, 2.0), x),
            "gain_twice": lambda noise=noise, x=x: convolved(gain_twice(noise, 2.0), x),
            "gain_missing": lambda noise=noise, x=x: convolved(gain_missing(noise), x)}, name="length after / before")


@task(0.25, needs="wide_tall_and_square")
def tidiness():
    task.tidy(orthogonal_weight, task.randn(5, 3), 2.0)
    task.tidy(orthogonal_weight, task.randn(3, 2, 3, 3), 2.0)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Gram–Schmidt on the columns of a normal matrix gives a uniform answer, because a normal matrix, turned, is as normal as
# before. `qr` is Gram–Schmidt up to the signs of the columns. Whose choice are those?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# $A = QR = (QS)(SR)$ for every diagonal $S$ of signs. Choose $S$ so that the diagonal of $SR$ is positive: then the factorization is
# unique, and depends on the noise alone. Factor the transpose of a wide matrix.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# G ← noise, or its middle tap; transpose if wide; Q, R ← qr; column j of Q times the sign of R_jj, times gain; transpose back;
# for a convolution put it into the middle of zeros.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *A square matrix where a wide one should be:* `qr` of a wide matrix has a square Q; factor the transpose.
#
# </details>
#
# **Go further** (no points). The orthogonal factor of $G$'s polar decomposition, $G(G^\top G)^{-1/2}$, is uniform too. Why? And how
# would you draw *rotations* only, with determinant 1?

# %% [markdown]
# ## 6 · Broadcasting from the left
#
# ●●●○○ · 20 minutes · {{points}}
#
# *Why it matters:* a gain for each example and channel, a shift for each example: such conditioning (FiLM) aligns shapes at
# their *first* axes, as Julia and MATLAB do and torch does not. What is repeated on the way forward is summed on the way back.
#
# **Task.** $y = \text{scale}\odot x + \text{shift}$, where the shapes of all three are aligned from the left: missing axes are added at the
# *end*, then axes of size 1 are stretched. The result has the shape of `dy`, the loss's gradient at $y$. Return the gradients at `scale`, `x`
# and `shift`, each shaped as its tensor. Any of the three may be smaller than `dy`; a scalar has no axes.
#
# Example: scale $(2, 3)$, x with rows $(1, 0)$, $(2, 1)$, a scalar shift, dy with rows $(1, 2)$, $(3, 4)$: dscale $= (1, 10)$, dx has the
# rows $(2, 4)$, $(9, 12)$, dshift $= 10$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** What does torch make of `scale * x` in the example? And if x had three columns?
#
# <details><summary>Answer</summary>
#
# It aligns from the right: it multiplies the *columns* by 2 and 3, and says nothing. With three columns it finds 2 against 3,
# and refuses.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "film_pullback", "locked": false, "schema_version": 3, "solution": true}
def film_pullback(
    dy: torch.Tensor, scale: torch.Tensor, x: torch.Tensor, shift: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Tensors of shapes that broadcast from the left to that of dy: returns three gradients, shaped as the last three."""
    ### BEGIN SOLUTION
    def stretched(one):
        return one.reshape(*one.shape, *[1] * (dy.ndim - one.ndim))

    def gathered(gradient, one):
        """Sum over every axis along which one was repeated."""
        for axis, side in enumerate(stretched(one).shape):
            if side == 1:
                gradient = gradient.sum(axis, keepdim=True)
        return gradient.reshape(one.shape)

    return gathered(dy * stretched(x), scale), gathered(dy * stretched(scale), x), gathered(dy, shift)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "film_pullback-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("film_pullback", points=2, read="formulas/rnn_layers#backpropagation", misconceptions={
    "from_the_right": "the shapes were aligned from the right, as torch does: here missing axes stand at the end",
    "averaged": "the copies' gradients were averaged: they add up",
    "axes_kept": "axes of size 1 were left over: the gradient has the shape of its tensor",
    "ones_not_summed": "an axis of size 1 was not summed: it was stretched, like a missing one",
    "one_copy": "only the first copy's gradient was taken: each copy sends one back, and they add up",
    "x_missing": "`dscale` forgot x: the slope of scale·x at scale is x",
    "scale_missing": "`dx` forgot scale: the slope of scale·x at x is scale",
    "shift_scaled": "the gradient at shift was multiplied by scale: a shift goes into y as it is",
})


@task(0.25)
def the_worked_example():
    """The gradient of each copy, as if none were shared; then sum over the copies."""
    dy, x = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 0.0], [2.0, 1.0]])
    dscale, dx, dshift = film_pullback(dy, torch.tensor([2.0, 3.0]), x, torch.tensor(1.0))
    task.equal(dscale, [1.0, 10.0], {
        "from_the_right": [7.0, 4.0], "averaged": [0.5, 5.0], "axes_kept": [[1.0], [10.0]], "one_copy": [1.0, 6.0],
        "x_missing": [3.0, 7.0]}, name="dscale")
    task.equal(dx, [[2.0, 4.0], [9.0, 12.0]], {
        "from_the_right": [[2.0, 6.0], [6.0, 12.0]], "scale_missing": dy}, name="dx")
    task.equal(dshift, 10.0, {"averaged": 2.5, "one_copy": 1.0, "shift_scaled": 27.0}, name="dshift")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def widen(one, number):
    return one.double().reshape(*one.shape, *[1] * (number - one.ndim))


def expected(dy, scale, x, shift):
    """By autograd, on shapes that torch understands."""
    with torch.enable_grad():
        leaves = [one.detach().double().clone().requires_grad_() for one in (scale, x, shift)]
        wide = [widen(one, dy.ndim) for one in leaves]
        return torch.autograd.grad((dy.double() * (wide[0] * wide[1] + wide[2])).sum(), leaves)


def gather(gradient, shape, how=torch.sum, ones=True):
    """Reduce the axes where the shape ends or, if `ones`, has a 1."""
    axes = [axis for axis in range(gradient.ndim) if axis >= len(shape) or (ones and shape[axis] == 1)]
    for axis in reversed(axes):
        gradient = how(gradient, axis)
        if axis < len(shape):
            gradient = gradient.unsqueeze(axis)
    return gradient


def three(dy, scale, x, shift, **how):
    parts = dy.double() * widen(x, dy.ndim), dy.double() * widen(scale, dy.ndim), dy.double()
    return tuple(gather(part, one.shape, **how) for part, one in zip(parts, (scale, x, shift)))


@task.misconception(0)
def from_the_right(dy, scale, x, shift):
    with torch.enable_grad():
        leaves = [one.detach().double().clone().requires_grad_() for one in (scale, x, shift)]
        return torch.autograd.grad((dy.double() * (leaves[0] * leaves[1] + leaves[2])).sum(), leaves)


@task.misconception(0)
def averaged(dy, scale, x, shift):
    return three(dy, scale, x, shift, how=torch.mean)


@task.misconception(0)
def axes_kept(dy, scale, x, shift):
    return tuple(widen(one, dy.ndim) for one in expected(dy, scale, x, shift))


@task.misconception(1)
def ones_not_summed(dy, scale, x, shift):
    return three(dy, scale, x, shift, ones=False)


@task.misconception(0)
def one_copy(dy, scale, x, shift):
    return three(dy, scale, x, shift, how=lambda gradient, axis: gradient.select(axis, 0))


@task.misconception(0)
def x_missing(dy, scale, x, shift):
    dscale, dx, dshift = three(dy, scale, x, shift)
    return gather(dy.double(), scale.shape), dx, dshift


@task.misconception(0)
def scale_missing(dy, scale, x, shift):
    dscale, dx, dshift = three(dy, scale, x, shift)
    return dscale, gather(dy.double(), x.shape), dshift


@task.misconception(0)
def shift_scaled(dy, scale, x, shift):
    dscale, dx, dshift = three(dy, scale, x, shift)
    return dscale, dx, gather(dy.double() * widen(scale, dy.ndim), shift.shape)


def tensors(whole, *shapes):
    return task.randn(*whole), *(task.randn(*shape) for shape in shapes)


NAMES = "dscale", "dx", "dshift"


@task(0.5)
def missing_axes():
    """A shape that ends early was repeated along the axes that follow: sum over those."""
    for whole, *shapes in ((3, 3), (3,), (3, 3), (3,)), ((2, 3, 4), (2, 3), (2, 3, 4), (2,)), ((2, 3, 2), (2,), (2, 3, 2), (2, 3)):
        task.agree(film_pullback, expected, *tensors(whole, *shapes), name=NAMES, tolerance=1e-3)


@task(0.5)
def axes_of_size_one():
    """An axis of size 1 was stretched: sum over it, and keep it."""
    for whole, *shapes in ((4, 3, 2), (1, 3), (4, 3, 2), (4, 1, 2)), ((2, 5), (1, 5), (2, 5), (1, 1)), ((3, 2), (3, 2), (3, 2), (1,)):
        task.agree(film_pullback, expected, *tensors(whole, *shapes), name=NAMES, tolerance=1e-3)


@task(0.5, needs="missing_axes")
def scalars_and_a_small_x():
    """x may be repeated as well, and a tensor without axes was repeated along all of them."""
    for whole, *shapes in ((3, 4), (3, 4), (3,), ()), ((2, 3, 2), (), (2,), (2, 3, 2)), ((4,), (), (), (4,)), ((2, 2), (2,), (1, 2), ()):
        task.agree(film_pullback, expected, *tensors(whole, *shapes), name=NAMES, tolerance=1e-3)


@task(0.25, needs="missing_axes")
def tidiness():
    task.tidy(film_pullback, *tensors((2, 3, 4), (2, 3), (2, 3, 4), (2, 1)))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Pretend that nothing is shared: every entry of $y$ has a scale, an x and a shift of its own. Write down those gradients, all
# shaped as dy. Then remember who is who: copies of one number send their gradients to one place.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Give each tensor as many axes as `dy` has, by a reshape with 1s at the end; torch then multiplies as wanted. One helper brings a
# gradient of dy's shape back to a given shape: sum where the side is 1, then reshape.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# wide(t) ← t with 1s appended to its shape; back(gradient, t): for each axis where wide(t) has side 1: sum over it, keeping the
# axis; reshape to t's shape. dscale ← back(dy·wide(x), scale), dx ← back(dy·wide(scale), x), dshift ← back(dy, shift).
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *A tensor that needs no sum comes back as one number:* `z.sum(())` sums over everything.
#
# </details>
#
# **Go further** (no points). Which operation is the pullback of a sum over an axis? And the pullback of *that*?

# %% [markdown]
# ## 7 · A tape with an operation that cheats
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* rounding has slope 0, so nothing would be learned through it. Quantized networks pretend on the way back that
# it was not there: a *straight-through* gradient. A tape allows it; a pullback is what you say it is.
#
# **Task.** Rows of `x` are the nodes 0, 1, …; each operation on `tape` makes the next node, as large as a row, from earlier ones,
# elementwise: `("add", i, j)`, `("mul", i, j)`, `("logsumexp", i, j, …)`, $\log(e^{v_i} + e^{v_j} + \dots)$ of one or more nodes, and
# `("round", i)`, `torch.round`, through which the gradient passes as if it were the identity. Return the values of all nodes,
# and for each node the gradient of the *sum of the last node's elements*. A node may be used often, also twice in one
# operation, or never.
#
# Example: x with rows $(1.4)$, $(2)$, tape `[("mul", 0, 0), ("round", 2), ("mul", 3, 1), ("add", 4, 0)]`: values
# $1.4, 2, 1.96, 2, 4, 5.4$, gradients $6.6, 2, 2, 2, 1, 1$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** In which order must nodes be visited on the way back, so that each one is done with when it passes its
# gradient on?
#
# <details><summary>Answer</summary>
#
# From the last to the first: every user of a node stands behind it on the tape.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "run_tape", "locked": false, "schema_version": 3, "solution": true}
def run_tape(tape: list[tuple], x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """x (inputs, size), a tape of operations: returns values and gradients, both (inputs + operations, size)."""
    ### BEGIN SOLUTION
    values = list(x)
    for name, *at in tape:
        given = [values[i] for i in at]
        if name == "logsumexp":
            values.append(torch.stack(given).logsumexp(0))
        else:
            act = {"add": torch.add, "mul": torch.mul, "round": torch.round}[name]
            values.append(act(*given))
    values = torch.stack(values)
    gradients = torch.zeros_like(values)
    gradients[-1] = 1
    for node in reversed(range(len(x), len(values))):
        name, *at = tape[node - len(x)]
        for place, i in enumerate(at):
            slope = 1
            if name == "mul":
                slope = values[at[1 - place]]
            if name == "logsumexp":
                slope = (values[i] - values[node]).exp()
            gradients[i] += slope * gradients[node]
    return values, gradients
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "run_tape-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("run_tape", points=2, read="formulas/rnn_layers#backpropagation", misconceptions={
    "overwritten": "a node that is used twice got only one gradient: `+=`, not `=`",
    "once_for_both": "a node that stands twice in one operation got its gradient once: each place sends one",
    "round_stops": "the gradient stopped at `round`: its slope is 0, but its pullback here is the identity",
    "forwards": "the tape was walked forwards: a node passed its gradient on before it had all of it",
    "all_are_outputs": "every node started with the gradient 1: only the last one does",
    "seeded_with_value": "the last node started with its value: the slope of a sum at what is summed is 1",
    "not_a_share": "the slopes of logsumexp do not sum to 1: they are the softmax of its arguments",
    "over_entries": "`logsumexp` went over the elements of a node: it goes over the nodes, element by element",
    "overflow": "`exp` of a large value is infinite: subtract the largest, or the result, before exp",
})


@task(0.25)
def the_worked_example():
    """Values forwards; then, from the last node back, each passes its gradient, times its slope, to those it was made of."""
    tape = [("mul", 0, 0), ("round", 2), ("mul", 3, 1), ("add", 4, 0)]
    values, gradients = run_tape(tape, torch.tensor([[1.4], [2.0]]))
    task.equal(values, [[1.4], [2.0], [1.96], [2.0], [4.0], [5.4]], name="values")
    task.equal(gradients, [[6.6], [2.0], [2.0], [2.0], [1.0], [1.0]], {
        "overwritten": [[2.8], [2.0], [2.0], [2.0], [1.0], [1.0]], "once_for_both": [[3.8], [2.0], [2.0], [2.0], [1.0], [1.0]],
        "round_stops": [[1.0], [2.0], [0.0], [2.0], [1.0], [1.0]], "forwards": [[1.0], [0.0], [0.0], [0.0], [1.0], [1.0]],
        "all_are_outputs": [[18.8], [5.0], [6.0], [5.0], [2.0], [1.0]],
        "seeded_with_value": [[35.64], [10.8], [10.8], [10.8], [5.4], [5.4]]}, name="gradients")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(tape, x):
    """By autograd; rounding is x + (round(x) − x), the bracket taken as a constant."""
    with torch.enable_grad():
        values = [row.detach().double().clone().requires_grad_() for row in x]
        for name, *at in tape:
            given = torch.stack([values[i] for i in at])
            if name == "round":
                new = given[0] + (given[0].round() - given[0]).detach()
            else:
                new = {"add": given.sum, "mul": given.prod, "logsumexp": given.logsumexp}[name](0)
            values.append(new)
        slopes = torch.autograd.grad(values[-1].sum(), values, allow_unused=True)
    slopes = [torch.zeros_like(value) if slope is None else slope for slope, value in zip(slopes, values)]
    return torch.stack(values).detach(), torch.stack(slopes)


def by_hand(tape, x, straight=1.0, order=-1, start="last", add=True, twice=True, share=True, plain=False, entries=False):
    values = list(x if plain else x.double())
    for name, *at in tape:
        given = torch.stack([values[i] for i in at])
        whole = given.logsumexp(1, keepdim=True).sum(0).expand_as(given[0]) if entries else given.logsumexp(0)
        whole = given.exp().sum(0).log() if plain else whole
        values.append({"add": given.sum(0), "mul": given.prod(0), "round": given[0].round(), "logsumexp": whole}[name])
    values = torch.stack(values)
    slopes = torch.ones_like(values) if start == "all" else torch.zeros_like(values)
    slopes[-1] = values[-1] if start == "value" else 1
    for node in list(range(len(x), len(values)))[::order]:
        name, *at = tape[node - len(x)]
        for place, i in enumerate(at):
            if not twice and i in at[:place]:
                continue
            slope = torch.ones_like(values[0])
            if name == "mul":
                slope = values[at[1 - place]]
            elif name == "round":
                slope = straight * slope
            elif name == "logsumexp":
                slope = values[i].exp() / values[node].exp() if plain else (values[i] - values[node]).exp()
                slope = slope if share else values[i].exp()
            slopes[i] = slope * slopes[node] + (slopes[i] if add else 0)
    return values, slopes


@task.misconception(0)
def overwritten(tape, x):
    return by_hand(tape, x, add=False)


@task.misconception(0)
def once_for_both(tape, x):
    return by_hand(tape, x, twice=False)


@task.misconception(1)
def round_stops(tape, x):
    return by_hand(tape, x, straight=0.0)


@task.misconception(0)
def forwards(tape, x):
    return by_hand(tape, x, order=1)


@task.misconception(0)
def all_are_outputs(tape, x):
    return by_hand(tape, x, start="all")


@task.misconception(0)
def seeded_with_value(tape, x):
    return by_hand(tape, x, start="value")


@task.misconception(1.25)
def not_a_share(tape, x):
    return by_hand(tape, x, share=False)


@task.misconception(1.25)
def over_entries(tape, x):
    return by_hand(tape, x, entries=True)


@task.misconception(1.75)
def overflow(tape, x):
    return by_hand(tape, x, plain=True)


NAMES = "values", "gradients"


def random_tape(inputs, operations, names):
    """Random operations on recent nodes, and additions until every node counts for the last."""
    tape, total = [], inputs + operations
    for node in range(inputs, total):
        name = names[task.randint(0, len(names) - 1)]
        count = {"round": 1, "logsumexp": task.randint(1, 3)}.get(name, 2)
        recent = max(0, node - 4)
        tape.append((name, *(task.randint(recent, node - 1) for _ in range(count))))
    used = {i for _, *at in tape for i in at}
    for node in set(range(total - 1)) - used:
        tape.append(("add", inputs + len(tape) - 1, node))
    return tape


@task(0.5)
def shared_nodes_add_up():
    """Each use of a node sends a gradient back, twice for an operation that uses it twice: add them."""
    for tape in [("mul", 0, 1), ("add", 2, 2), ("mul", 3, 2)], [("add", 0, 0), ("mul", 2, 0), ("mul", 3, 3), ("add", 4, 1)]:
        task.agree(run_tape, expected, tape, task.randn(2, 3), name=NAMES, tolerance=1e-3)
    for _ in range(4):
        task.agree(run_tape, expected, random_tape(3, 5, ["add", "mul"]), task.randn(3, 2), name=NAMES, tolerance=1e-3)


@task(0.5)
def logsumexp_and_round():
    """logsumexp shares its gradient out by softmax; round passes it on whole, and takes halves to the even side as torch.round does."""
    task.agree(run_tape, expected, [("round", 0), ("mul", 1, 0)], torch.tensor([[2.5, -0.5]]), name=NAMES, tolerance=1e-3)
    for tape in [("logsumexp", 0, 1, 2)], [("logsumexp", 0, 0, 1), ("mul", 3, 2)], [("logsumexp", 1), ("round", 3), ("mul", 4, 0), ("add", 5, 2)]:
        task.agree(run_tape, expected, tape, task.randn(3, 4), name=NAMES, tolerance=1e-3)
    for _ in range(4):
        tape = random_tape(3, 6, ["add", "mul", "logsumexp", "round"])
        task.agree(run_tape, expected, tape, task.randn(3, 2), name=NAMES, tolerance=1e-3)


@task(0.25, needs="shared_nodes_add_up")
def nodes_without_influence():
    """What the last node was not made of has the gradient 0, whatever it was used for."""
    for tape in [("mul", 0, 0), ("add", 2, 1), ("mul", 1, 1)], [("mul", 1, 2), ("add", 0, 0)]:
        task.agree(run_tape, expected, tape, task.randn(3 if len(tape) == 2 else 2, 2), name=NAMES, tolerance=1e-3)


@task(0.25, needs="logsumexp_and_round")
def values_in_the_hundreds():
    """exp(300) is infinite in float32, and 0/0 is nan: a share is exp(value − logsumexp)."""
    for shift in 300.0, -300.0:
        tape = [("logsumexp", 0, 1, 2), ("add", 3, 0), ("logsumexp", 4, 3)]
        task.agree(run_tape, expected, tape, shift + task.randn(3, 2), name=NAMES, tolerance=1e-3)


@task(0.25, needs="shared_nodes_add_up")
def tidiness():
    task.tidy(run_tape, [("mul", 0, 1), ("logsumexp", 2, 0), ("round", 1), ("add", 3, 4)], task.randn(2, 3))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Each operation needs two rules: what it computes, and, for each place of its arguments, by what it multiplies a gradient that comes
# back. Nothing else knows about derivatives.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Keep a list of values. The gradients start at 0, the last at 1. Walk the tape backwards; at each operation, go through its
# places and *add* slope times gradient to the node that stands there.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# slope at a place: add, round: 1; mul: the value at the other place; logsumexp: exp(value there − the node's value). For node from
# last to first operation, for each place: gradient[argument] += slope · gradient[node].
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *`list.index` finds the wrong place:* in `("mul", 2, 2)` both places hold the same node; count places, not nodes.
#
# </details>
#
# **Go further** (no points). Check your gradients by central differences, $(f(x+\epsilon)-f(x-\epsilon))/2\epsilon$, without `round`. Why is $\epsilon
# \approx \sqrt[3]{\text{eps}}$ a good choice, and what do the differences say *with* `round`?

# %% [markdown]
# ## 8 · Back through the memory
#
# ●●●●○ · 30 minutes · {{points}}
#
# *Why it matters:* this is all of back-propagation through time: two gradients walk back through the steps, one along h, one
# along c, and leave their traces in the weights.
#
# **Task.** Exercise 1's LSTM ran over sequences of one length. What is left are its gates *after* their sigmoid or tanh, f, g, o,
# in `gates`; its cell states in `c`, where $c[0]$ is the initial one; `h0`; and `W_hh` and `P`. `dy` is the loss's gradient at all
# outputs $h$. Return the gradients at `W_hh`, `P`, `h0` and $c[0]$. The inputs are gone, so work it out by hand.
#
# Example: one unit, one step, $f = \frac34$, $g = 0.8$, $o = \frac12$, $c = (2, 1.7)$, $h_0 = 1$, W_hh all 1, $P = (\frac12\ln 3, 1)$, dy = 1:
# $dW = (0.0667, 0.0267, 0.2339)$, $dP = (0.1334, 0.3975)$, $dh_0 = 0.3272$, $dc_0 = 0.2589$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** P is 0, W_hh is 0, f is 1 everywhere. By how much does the gradient along c shrink in a hundred steps?
#
# <details><summary>Answer</summary>
#
# Not at all: each step multiplies it by f. That is what the cell was built for; with f = 0.9 only 0.003 % is left.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "coupled_backward", "locked": false, "schema_version": 3, "solution": true}
def coupled_backward(
    dy: torch.Tensor,
    gates: torch.Tensor,
    c: torch.Tensor,
    h0: torch.Tensor,
    W_hh: torch.Tensor,
    P: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """dy (time, batch, hidden), gates (3, time, batch, hidden), c (time + 1, batch, hidden), h0 (batch, hidden),
    W_hh (3·hidden, hidden), P (2, hidden): returns dW_hh, dP, dh0 and dc0, shaped as W_hh, P, h0 and h0."""
    ### BEGIN SOLUTION
    f, g, o = gates
    top = c[1:].tanh()
    h = torch.cat([h0[None], o * top])
    dW, dP, dh, dc = (torch.zeros_like(one) for one in (W_hh, P, h0, h0))
    for t in reversed(range(len(dy))):
        dh = dh + dy[t]
        a_o = dh * top[t] * o[t] * (1 - o[t])
        dc = dc + dh * o[t] * (1 - top[t] ** 2) + P[1] * a_o
        a_f = dc * (c[t] - g[t]) * f[t] * (1 - f[t])
        a_g = dc * (1 - f[t]) * (1 - g[t] ** 2)
        a = torch.cat([a_f, a_g, a_o], 1)  # the gradients before sigmoid and tanh
        dW = dW + a.T @ h[t]
        dP = dP + torch.stack([a_f * c[t], a_o * c[t + 1]]).sum(1)
        dh, dc = a @ W_hh, f[t] * dc + P[0] * a_f
    return dW, dP, dh, dc
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "coupled_backward-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("coupled_backward", points=3, read="formulas/rnn_layers#through-time", misconceptions={
    "transposed": "the way back from a gate to h goes through the transpose of its matrix: in rows, a times U, not a times Uᵀ",
    "not_coupled": "f also takes room from g: the slope of f·c + (1 − f)·g at f is c − g",
    "g_kept_whole": "g goes into the new cell state with the factor 1 − f",
    "no_slopes": "the slopes of sigmoid and tanh are missing: s(1 − s) and 1 − g², of the values that are given",
    "no_tanh": "h is o·tanh c: the gradient on its way to c passes the slope of tanh, 1 − tanh²",
    "o_blind": "the output gate saw the new cell state: its peephole brings a gradient to c too",
    "f_blind": "the forget gate saw the old cell state: its peephole brings a gradient to it too",
    "o_saw_old": "dP of the output gate: it saw the new cell state, not the old one",
    "own_h": "dW takes the h *before* the step: that is what W_hh was multiplied with",
    "no_way_along_h": "the gradient along h stops: h goes into all three gates of the next step, through W_hh",
    "no_way_along_c": "the gradient along c stops: each step passes on f times what it has",
    "last_step_only": "the steps' contributions to dW and dP were not added up",
})


@task(0.5)
def the_worked_example():
    """dh to o and c; o's peephole to c; c to f, g and the old c; f's peephole to the old c; all gates to the old h."""
    dy, gates, h0 = torch.ones(1, 1, 1), torch.tensor([0.75, 0.8, 0.5]).view(3, 1, 1, 1), torch.ones(1, 1)
    c, P = torch.tensor([2.0, 1.7]).view(2, 1, 1), torch.tensor([[math.log(3) / 2], [1.0]])
    dW, dP, dh0, dc0 = coupled_backward(dy, gates, c, h0, torch.ones(3, 1), P)
    task.equal(dc0, [[0.2589]], {
        "not_coupled": [[0.2834]], "no_slopes": [[1.4062]], "no_tanh": [[0.6411]],
        "o_blind": [[0.0546]], "f_blind": [[0.2223]]}, name="dc0", tolerance=1e-3)
    task.equal(dW, [[0.0667], [0.0267], [0.2339]], {
        "g_kept_whole": [[0.0667], [0.1067], [0.2339]], "own_h": [[0.0312], [0.0125], [0.1094]]}, name="dW_hh", tolerance=2e-3)
    task.equal(dP, [[0.1334], [0.3975]], {"o_saw_old": [[0.1334], [0.4677]]}, name="dP", tolerance=1e-3)
    task.equal(dh0, [[0.3272]], name="dh0", tolerance=1e-3)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def lesson(time, number, hidden, loud=None):
    """What a run leaves behind, in float64, and the gradients that autograd gives; dy only at step `loud`, if it is given."""
    x, W_ih, b = task.randn(time, number, 2), task.randn(3 * hidden, 2), task.randn(3 * hidden)
    given = 0.7 * task.randn(3 * hidden, hidden), task.randn(2, hidden), task.randn(number, hidden), task.randn(number, hidden)
    dy = task.randn(time, number, hidden).double()
    if loud is not None:
        dy = dy * (torch.arange(time) == loud)[:, None, None]
    with torch.enable_grad():
        W_hh, P, h0, c0 = leaves = [one.double().requires_grad_() for one in given]
        h, cells, gates, loss = h0, [c0], [], 0
        for t in range(time):
            a_f, a_g, a_o = torch.nn.functional.linear(torch.cat([x[t].double(), h], 1), torch.cat([W_ih.double(), W_hh], 1), b.double()).chunk(3, 1)
            f, g = torch.sigmoid(a_f + P[0] * cells[-1]), torch.tanh(a_g)
            cells.append(torch.lerp(g, cells[-1], f))
            o = torch.sigmoid(a_o + P[1] * cells[-1])
            h = o * cells[-1].tanh()
            gates.append(torch.stack([f, g, o]))
            loss = loss + (dy[t] * h).sum()
        wanted = torch.autograd.grad(loss, leaves)
    left = torch.stack(gates, 1), torch.stack(cells), h0, W_hh, P
    return wanted, dy, *(one.detach() for one in left)


def back(dy, gates, c, h0, W_hh, P, *but):
    """Step by step, with the faults that `but` names."""
    dy, gates, c, h0, W_hh, P = (one.double() for one in (dy, gates, c, h0, W_hh, P))
    f, g, o = gates
    slope_f, slope_g, slope_o = (torch.ones_like(gates) if "no_slopes" in but else torch.stack([f - f * f, 1 - g * g, o - o * o]))
    h = torch.cat([h0[None], o * c[1:].tanh()])
    dW, dP, dh, dc = torch.zeros_like(W_hh), torch.zeros_like(P), torch.zeros_like(h0), torch.zeros_like(h0)
    for t in range(len(dy) - 1, -1, -1):
        dh = dh + dy[t]
        a_o = dh * c[t + 1].tanh() * slope_o[t]
        dc = dc + dh * o[t] * (1 if "no_tanh" in but else 1 - c[t + 1].tanh() ** 2)
        dc = dc + (0 if "o_blind" in but else P[1] * a_o)
        a_f = dc * (c[t] if "not_coupled" in but else c[t] - g[t]) * slope_f[t]
        a_g = dc * (1 if "g_kept_whole" in but else 1 - f[t]) * slope_g[t]
        a = torch.cat([a_f, a_g, a_o], 1)
        if "last_step_only" in but:
            dW, dP = 0 * dW, 0 * dP
        dW = dW + a.T @ h[t + ("own_h" in but)]
        dP = dP + torch.stack([(a_f * c[t]).sum(0), (a_o * c[t + ("o_saw_old" not in but)]).sum(0)])
        dh = sum(part @ U.T for part, U in zip(a.chunk(3, 1), W_hh.chunk(3))) if "transposed" in but else a @ W_hh
        dc = f[t] * dc + (0 if "f_blind" in but else P[0] * a_f)
        if t and "no_way_along_h" in but:
            dh = 0 * dh
        if t and "no_way_along_c" in but:
            dc = 0 * dc
    return dW, dP, dh, dc


@task.misconception(0.5)
def transposed(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "transposed")


@task.misconception(0)
def not_coupled(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "not_coupled")


@task.misconception(0)
def g_kept_whole(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "g_kept_whole")


@task.misconception(0)
def no_slopes(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "no_slopes")


@task.misconception(0)
def no_tanh(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "no_tanh")


@task.misconception(0)
def o_blind(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "o_blind")


@task.misconception(0)
def f_blind(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "f_blind")


@task.misconception(0)
def o_saw_old(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "o_saw_old")


@task.misconception(0)
def own_h(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "own_h")


@task.misconception(1.5)
def no_way_along_h(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "no_way_along_h")


@task.misconception(1.5)
def no_way_along_c(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "no_way_along_c")


@task.misconception(1.5)
def last_step_only(dy, gates, c, h0, W_hh, P):
    return back(dy, gates, c, h0, W_hh, P, "last_step_only")


NAMES = "dW_hh", "dP", "dh0", "dc0"


@task(0.5)
def one_step():
    """Inside one step: from h to o and c, from c to f, g and the old c; several units and sequences."""
    for number, hidden in (1, 3), (4, 2):
        task.agree(coupled_backward, *lesson(1, number, hidden), name=NAMES, tolerance=1e-6)


@task(0.75)
def many_steps():
    """Two gradients go back in time, along h and along c; weights and peepholes collect from every step."""
    for time, number, hidden in (2, 3, 4), (9, 1, 3), (30, 2, 2):
        task.agree(coupled_backward, *lesson(time, number, hidden), name=NAMES, tolerance=1e-6)


@task(0.5)
def only_one_output_counts():
    """A loss at one step: later steps send nothing, earlier ones get it only through h and c."""
    for loud in 0, 3, 6:
        task.agree(coupled_backward, *lesson(7, 2, 3, loud), name=NAMES, tolerance=1e-6)


@task(0.25, needs="many_steps")
def every_digit():
    """The arguments are float64, and so is the answer, to nine digits: float32 came in somewhere."""
    task.agree(coupled_backward, *lesson(12, 3, 3), name=NAMES, tolerance=1e-9)


@task(0.5, needs="one_step")
def tidiness():
    task.tidy(coupled_backward, *lesson(3, 2, 4)[1:])
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Draw one step as a graph: which quantities does each arrow come from? Then walk it from right to left. Into h flow two gradients
# (from y, from the next step), into c up to four.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Call $a_f, a_g, a_o$ the gradients *before* sigmoid and tanh; all else follows from them: $dW = \sum a^\top h_{t-1}$,
# $dh_{t-1} = a\,W_{hh}$, $dp_f = \sum a_f\odot c_{t-1}$, $dp_o = \sum a_o\odot c_t$. Compute $a_o$ first: through the peephole, c waits for it.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# dh, dc ← 0; for t from the last: dh += dy[t]; a_o ← dh·tanh c_t·o(1 − o); dc += dh·o·(1 − tanh² c_t) + p_o·a_o; a_f ← dc·(c_{t−1} −
# g)·f(1 − f); a_g ← dc·(1 − f)·(1 − g²); collect dW, dP; dh ← [a_f, a_g, a_o] W_hh; dc ← f·dc + p_f·a_f.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *All of one step is right, two steps are not:* what goes from step to step, dh and dc, was overwritten or not passed on.
# - *Right to six digits only:* somewhere float32 came in.
#
# </details>
#
# **Go further** (no points). Truncated back-propagation cuts both gradients every k steps. Which of your lines changes, and for which weights is the
# result farthest off?
