"""What is particular to the LSTM, its peepholes and the two GRUs."""

import math

import pytest
import torch
from torch import nn

from etude.core.random import stream
from etude.formulas.rnn_layers import gru, lstm, lstm_vjp, rnn
from etude.formulas.rnn_layers.gru import gru_cell
from etude.formulas.rnn_layers.lstm import lstm_cell
from tests.formulas.rnn_layers import onnx_reference
from tests.formulas.rnn_layers.test_recurrent import arguments, draw

LOG3 = math.log(3)


# ---- the definition


def test_a_step_of_an_lstm_in_the_head():
    """σ(±ln 3) is ¾ or ¼, tanh(½ ln 3) is ½."""
    sums = torch.tensor([[LOG3, -LOG3, LOG3 / 2, 0.0]]).double()
    i, f, g, o, c, h = lstm_cell(sums, torch.tensor([[2.0]]).double())
    assert [v.item() for v in (i, f, g, o, c)] == pytest.approx([0.75, 0.25, 0.5, 0.5, 0.875])
    assert h.item() == pytest.approx(0.5 * math.tanh(0.875))


def test_peepholes_look_before_and_after_in_the_head():
    """i and f see c = 1 before the step; o sees the new one."""
    sums, P = torch.zeros(1, 4).double(), torch.tensor([[LOG3], [-LOG3], [1.0]]).double()
    sums[0, 2] = LOG3 / 2
    i, f, g, o, c, h = lstm_cell(sums, torch.ones(1, 1).double(), P)
    assert [v.item() for v in (i, f, g, c)] == pytest.approx([0.75, 0.25, 0.5, 0.625])
    assert o.item() == pytest.approx(1 / (1 + math.exp(-0.625)))
    assert h.item() == pytest.approx(o.item() * math.tanh(0.625))


@pytest.mark.parametrize(
    ("reset", "inside"), [("after", 0.25 * (3 * 2 + 5)), ("before", 0.5 * 3 + 5)]
)
def test_a_step_of_a_gru_in_the_head(reset, inside):
    """r = ¼ and z = ¾; the state is 2, its weight 3, its bias 5."""
    h, U = torch.tensor([[2.0]]).double(), torch.tensor([[0.0], [0.0], [3.0]]).double()
    sums, bias = torch.tensor([[-LOG3, LOG3, 0.5]]).double(), torch.tensor([0.0, 0, 5]).double()
    r, z, n, u, new = gru_cell(sums, h, U, bias, reset)
    assert (r.item(), z.item()) == pytest.approx((0.25, 0.75))
    assert n.item() == pytest.approx(math.tanh(0.5 + inside))
    assert new.item() == pytest.approx(0.25 * n.item() + 0.75 * 2)
    assert u.item() == (11 if reset == "after" else 2)


def test_an_open_forget_gate_and_a_shut_input_gate_keep_every_bit():
    x, h0, c0, W, U, b = arguments("LSTM", time=1000)
    b[:4], b[4:8] = -1e4, 1e4
    _, (_, c) = lstm(0 * x, h0, c0, W, 0 * U, b)
    assert torch.equal(c, c0)


def test_an_open_keep_gate_keeps_every_bit():
    x, h0, W, U, b, c = arguments("GRU, reset after", time=1000)
    b[4:8] = 1e4
    assert torch.equal(gru(0 * x, h0, W, 0 * U, b, c)[1], h0)


def test_a_gru_whose_gates_are_fixed_is_a_recurrent_layer():
    """r = 1, z = 0: only n is left."""
    x, h0, W, U, b, c = arguments("GRU, reset after")
    b[:4], b[4:8] = 1e4, -1e4
    for reset in ("after", "before"):
        y, _ = gru(x, h0, W, U, b, c, reset)
        torch.testing.assert_close(y, rnn(x, h0, W[8:], U[8:], b[8:] + c[8:])[0])


def test_peepholes_of_zero_are_no_peepholes():
    *rest, P = arguments("LSTM with peepholes")
    torch.testing.assert_close(lstm(*rest, 0 * P)[0], lstm(*rest)[0])
    assert not torch.allclose(lstm(*rest, P)[0], lstm(*rest)[0])
    y, _, pullback = lstm_vjp(*rest)
    assert pullback(y)[6] is None


# ---- the references


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", ["LSTM", "LSTM with peepholes"])
def test_the_lstm_is_that_of_onnx(name, dtype, parity):
    given = [0.7 * one for one in arguments(name, time=9, seed=3)]
    y, (h, c) = lstm(*(one.to(dtype) for one in given))
    expected = onnx_reference.lstm(*given)
    kind, tolerance = str(dtype).removeprefix("torch."), 1e-12 if dtype == torch.float64 else 1e-5
    for item, ours, theirs in zip(("y", "h", "c"), (y, h, c), expected, strict=True):
        parity(f"{name}: {item}, {kind}", ours, theirs,
               reference="onnx.reference LSTM", tolerance=tolerance)  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("reset", ["after", "before"])
def test_both_grus_are_those_of_onnx(reset, dtype, parity):
    given = [0.7 * one for one in arguments("GRU, reset after", time=9, seed=4)]
    y, h = gru(*(one.to(dtype) for one in given), reset)
    expected = onnx_reference.gru(*given, reset)
    kind, tolerance = str(dtype).removeprefix("torch."), 1e-12 if dtype == torch.float64 else 1e-5
    for item, ours, theirs in zip(("y", "h"), (y, h), expected, strict=True):
        parity(f"GRU, reset {reset}: {item}, {kind}", ours, theirs,
               reference="onnx.reference GRU", tolerance=tolerance)  # fmt: skip


def test_the_two_resets_differ():
    given = arguments("GRU, reset after")
    assert (gru(*given)[0] - gru(*given, "before")[0]).abs().max() > 0.01


# ---- the timer


def timer(N, time, peepholes=True, k=200.0):
    """One cell without input: it grows by tanh ½ until it is above θ, fires and forgets."""
    theta = (N - 0.5) * math.tanh(0.5)
    b = torch.tensor([k, k * theta, 0.5, -k * theta]).double()
    P = torch.tensor([[0.0], [-k], [k]]).double() if peepholes else None
    rest, none = torch.zeros(1, 1).double(), torch.zeros(4, 1).double()
    y, _ = lstm(torch.zeros(time, 1, 1).double(), rest, rest, none, none, b, P)
    return (y[:, 0, 0] > 0.5).nonzero().flatten().tolist()


def test_a_timer_of_eight_fires_at_every_eighth_step():
    assert timer(8, 40) == [7, 15, 23, 31, 39]


@pytest.mark.parametrize("N", range(2, 13))
def test_a_timer_fires_at_every_nth_step_and_never_without_peepholes(N):
    assert timer(N, 90) == list(range(N - 1, 90, N))
    assert timer(N, 90, peepholes=False) == []


# ---- what the gates are for


def test_the_gradient_of_an_lstm_may_still_explode():
    x, h0, c0, W, U, b = arguments("LSTM", time=80, hidden=16, seed=1)
    b[16:32] = 3
    sizes = []
    for size in (0.1, 3.0):
        y, _, pullback = lstm_vjp(x, h0, c0, W, size * U, b)
        dy = torch.zeros_like(y)
        dy[-1] = draw(2, 16, seed=9)
        sizes.append(pullback(dy)[1].norm())
    assert sizes[0] < 1 < 1e3 < sizes[1]


def test_onnx_rows_are_reordered_and_back():
    W = torch.arange(8.0).reshape(8, 1)
    there = onnx_reference.reordered(W, "ifgo", "iofg")
    assert there.flatten().tolist() == [0, 1, 6, 7, 2, 3, 4, 5]
    assert torch.equal(onnx_reference.reordered(there, "iofg", "ifgo"), W)


def test_a_torch_lstm_of_one_unit_has_our_order_of_gates():
    """Rows that differ by gate: any other order gives another answer."""
    layer = nn.LSTM(1, 1).double()
    weights = [draw(4, 1, seed=5), draw(4, 1, seed=6), draw(4, seed=7)]
    names = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0"
    state = dict(zip(names, weights, strict=True)) | {"bias_hh_l0": torch.zeros(4).double()}
    layer.load_state_dict(state)
    x = torch.randn(6, 1, 1, generator=stream(8), dtype=torch.float64)
    rest = torch.zeros(1, 1).double()
    torch.testing.assert_close(lstm(x, rest, rest, *weights)[0], layer(x)[0])
