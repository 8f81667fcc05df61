import gc
import weakref
from functools import partial

import pytest
import torch
from torch import nn

from etude.core.random import seeded, stream
from etude.formulas.rnn_layers import gru, gru_vjp, lstm_vjp, rnn_vjp
from etude.formulas.rnn_layers.layers import GRU, LSTM, RNN, through_time
from tests.formulas.rnn_layers import onnx_reference
from tests.on_device import agrees_on_device

PAIRS = {
    "RNN": (partial(RNN, 3, 4), partial(nn.RNN, 3, 4)),
    "RNN, ReLU, no bias": (
        partial(RNN, 3, 4, "relu", bias=False),
        partial(nn.RNN, 3, 4, nonlinearity="relu", bias=False),
    ),
    "LSTM": (partial(LSTM, 3, 4), partial(nn.LSTM, 3, 4)),
    "LSTM, no bias": (partial(LSTM, 3, 4, bias=False), partial(nn.LSTM, 3, 4, bias=False)),
    "GRU": (partial(GRU, 3, 4), partial(nn.GRU, 3, 4)),
    "GRU, no bias": (partial(GRU, 3, 4, bias=False), partial(nn.GRU, 3, 4, bias=False)),
}
EVERY = pytest.mark.parametrize("name", PAIRS)


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def flat(answer):
    y, last = answer
    return [y, *((last,) if isinstance(last, torch.Tensor) else last)]


@EVERY
def test_a_seed_gives_the_parameters_of_torch(name):
    made = []
    for make in PAIRS[name]:
        with seeded(3):
            made.append(make().state_dict())
    ours, theirs = made
    assert list(ours) == list(theirs)
    for key, value in theirs.items():
        torch.testing.assert_close(ours[key], value)


@EVERY
@pytest.mark.parametrize("given", [False, True])
def test_it_loads_the_layer_of_torch(name, given, parity):
    with seeded(0):
        ours, theirs = (make().double() for make in PAIRS[name])
    ours.load_state_dict(theirs.state_dict())
    kind = type(theirs).__name__
    start = [draw(1, 2, 4, seed=k) for k in (1, 2)[: 2 if kind == "LSTM" else 1]]
    leaves = [[v.clone().requires_grad_() for v in (draw(6, 2, 3), *start)] for _ in range(2)]

    def run(model, x, *states):
        state = (tuple(states) if kind == "LSTM" else states[0]) if given else None
        return flat(model(x, state))

    answers = [run(model, *own) for model, own in zip((ours, theirs), leaves, strict=True)]
    for item, mine, expected in zip(("y", "h", "c"), *answers, strict=False):
        parity(f"module {name}: {item}", mine, expected,
               reference=f"torch.nn.{kind}", tolerance=1e-12)  # fmt: skip
    ends = [draw(*one.shape, seed=9 + k) for k, one in enumerate(answers[0])]
    wanted = [own if given else own[:1] for own in leaves]
    gradients = [
        torch.autograd.grad(answer, [*own, *model.parameters()], ends)
        for answer, own, model in zip(answers, wanted, (ours, theirs), strict=True)
    ]
    for mine, expected in zip(*gradients, strict=True):
        parity(f"module {name}: gradients", mine, expected,
               reference=f"torch.nn.{kind}", tolerance=1e-12)  # fmt: skip


def test_an_lstm_with_peepholes_is_that_of_onnx(parity):
    with seeded(0):
        layer = LSTM(3, 4, peepholes=True).double()
    x, h, c = draw(7, 2, 3), draw(1, 2, 4, seed=1), draw(1, 2, 4, seed=2)
    weights = [one.detach() for one in layer.parameters()]
    b = weights[2] + weights[3]
    expected = onnx_reference.lstm(x, h[0], c[0], *weights[:2], b, weights[4])
    y, (last, cell) = layer(x, (h, c))
    for ours, theirs in zip((y, last[0], cell[0]), expected, strict=True):
        parity("module LSTM with peepholes", ours, theirs,
               reference="onnx.reference LSTM", tolerance=1e-12)  # fmt: skip
    y.sum().backward()
    assert layer.weight_peephole_l0.grad.shape == (3, 4)
    assert layer.weight_peephole_l0.grad.all()


def test_the_reset_of_the_paper_may_be_chosen():
    with seeded(0):
        layer = GRU(3, 4, reset="before").double()
    x, h = draw(7, 2, 3), draw(2, 4, seed=1)
    expected, _ = gru(x, h, *layer.parameters(), reset="before")
    torch.testing.assert_close(layer(x, h[None])[0], expected)


def test_the_pullback_is_the_gradient_that_autograd_uses():
    called = []

    def layer(x):
        return 3 * x, x[-1] + 1, lambda dy, dh: called.append((dy, dh)) or 7 * dy + dh

    x = draw(2, 1, 1).requires_grad_()
    y, h = through_time(lambda x: layer(x)[:2] + (lambda *d: (layer(x)[2](*d),),), x)
    (y.sum() + 2 * h.sum()).backward()
    assert x.grad.flatten().tolist() == [9, 9]
    assert len(called) == 1


@pytest.mark.parametrize("peepholes", [False, True])
def test_autograds_own_check_passes(peepholes):
    sizes = [(3, 2, 2), (2, 2), (2, 2), (8, 2), (8, 2), (8,), *[(3, 2)] * peepholes]
    leaves = [draw(*size, seed=n).requires_grad_() for n, size in enumerate(sizes)]
    assert torch.autograd.gradcheck(partial(through_time, lstm_vjp), leaves)


@pytest.mark.parametrize("layer", [rnn_vjp, partial(gru_vjp, reset="before")])
def test_a_second_derivative_is_refused_and_not_wrong(layer):
    gates = 1 if layer is rnn_vjp else 3
    sizes = [
        (3, 2, 2),
        (2, 2),
        (2 * gates, 2),
        (2 * gates, 2),
        *[(2 * gates,)] * (2 - (gates == 1)),
    ]
    leaves = [draw(*size, seed=n).requires_grad_() for n, size in enumerate(sizes)]
    y, _ = through_time(layer, *leaves)
    (slope,) = torch.autograd.grad(y.square().sum(), leaves[:1], create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_a_loss_on_the_outputs_alone_needs_no_last_state():
    layer = LSTM(3, 4)
    y, _ = layer(draw(5, 2, 3, dtype=torch.float32))
    y.sum().backward()
    assert all(one.grad.isfinite().all() for one in layer.parameters())


def test_nothing_is_kept_after_use():
    layer = LSTM(3, 2)
    y, (h, c) = layer(draw(4, 1, 3).float())
    watches = [weakref.ref(one) for one in (y, h, c)]
    gc.disable()
    try:
        del y, h, c
        assert [watch() for watch in watches] == [None] * 3
    finally:
        gc.enable()


def test_a_state_that_is_handed_on_with_its_history_is_walked_once():
    layer = RNN(1, 2)
    x = torch.ones(3, 1, 1)
    _, h = layer(x)
    h.sum().backward()
    with pytest.raises(RuntimeError, match="second time"):
        layer(x, h)[0].sum().backward()
    layer(x, h.detach())[0].sum().backward()


def test_a_network_of_them_learns_to_remember():
    """The first input, +1 or −1, comes back at the end, five steps later."""
    with seeded(1):
        layer, out = GRU(1, 8), nn.Linear(8, 1)
    x = 0.1 * draw(6, 64, 1).float()
    target = x[0].sign()
    x[0] = target
    descent = torch.optim.Adam([*layer.parameters(), *out.parameters()], lr=0.03)
    for _ in range(80):
        descent.zero_grad()
        loss = nn.functional.softplus(-target * out(layer(x)[0][-1])).mean()
        loss.backward()
        descent.step()
    assert (out(layer(x)[0][-1]).sign() == target).all()


def test_options_that_do_not_exist_are_named():
    with pytest.raises(ValueError, match="nonlinearity must be one of .* got 'gelu'"):
        RNN(3, 4, "gelu")
    with pytest.raises(ValueError, match="reset must be one of .* got 'never'"):
        GRU(3, 4, reset="never")
    with pytest.raises(ValueError, match="hidden_size must be at least 1, got 0"):
        LSTM(3, 0)
    with pytest.raises(ValueError, match="input_size must be at least 1, got 0"):
        GRU(0, 3)


@pytest.mark.parametrize("make", [RNN, partial(LSTM, peepholes=True), partial(GRU, bias=False)])
def test_everything_moves_to_the_device(make, fake_device):
    with seeded(0):
        model = make(3, 4)

    def gradients(model, x):
        y, last = model(x)
        return (y, last, *torch.autograd.grad(y.square().sum(), list(model.parameters())))

    agrees_on_device(gradients, model, draw(5, 2, 3).float(), tolerance=1e-5)
