"""The recurrent layer, the LSTM and the GRU: what holds for all three."""

import inspect
from functools import partial

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from etude.core.errors import ShapeError
from etude.core.gradient_check import gradient_check
from etude.core.random import stream
from etude.formulas.rnn_layers import gru, gru_vjp, lstm, lstm_vjp, rnn, rnn_vjp
from etude.formulas.rnn_layers.truncation import truncated_gradient
from tests.on_device import agrees_on_device

LAYERS = {  # the layer, its gates, its states, the shapes of what comes after W_hh, in units
    "recurrent": (rnn_vjp, 1, 1, [(1,)]),
    "recurrent, ReLU": (partial(rnn_vjp, nonlinearity="relu"), 1, 1, [(1,)]),
    "LSTM": (lambda *given: lstm_vjp(*given), 4, 2, [(4,)]),
    "LSTM with peepholes": (lstm_vjp, 4, 2, [(4,), (3, 1)]),
    "GRU, reset after": (gru_vjp, 3, 1, [(3,), (3,)]),
    "GRU, reset before": (partial(gru_vjp, reset="before"), 3, 1, [(3,), (3,)]),
}
EVERY = pytest.mark.parametrize("name", LAYERS)
CELLS = {"recurrent": nn.RNN, "recurrent, ReLU": partial(nn.RNN, nonlinearity="relu"),
         "LSTM": nn.LSTM, "GRU, reset after": nn.GRU}  # fmt: skip


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def arguments(name, time=5, batch=2, inputs=3, hidden=4, seed=0, dtype=torch.float64):
    _, gates, states, rest = LAYERS[name]
    rest = [(*shape[:-1], shape[-1] * hidden) for shape in rest]
    sizes = [(time, batch, inputs), *[(batch, hidden)] * states,
             (gates * hidden, inputs), (gates * hidden, hidden), *rest]  # fmt: skip
    return [draw(*size, seed=10 * seed + n, dtype=dtype) for n, size in enumerate(sizes)]


def states_of(last):
    return (last,) if isinstance(last, torch.Tensor) else tuple(last)


def packed(layer):
    """All that a layer returns as one tensor, and one gradient for each argument."""

    def formula(*given):
        y, last, pullback = layer(*given)
        both = torch.cat([y, torch.stack(states_of(last))])
        return both, lambda d: pullback(d[: len(y)], *d[len(y) :])[: len(given)]

    return formula


# ---- the definition


def test_an_echo_in_the_head():
    x, zero, one = draw(2, 1, 1), torch.zeros(1, 1).double(), torch.ones(1, 1).double()
    x[:, 0, 0] = torch.tensor([2.0, -3.0])
    y, h = rnn(x, zero + 1, 3 * one, 0.5 * one, -zero[0] - 4, "relu")
    assert y.flatten().tolist() == [2.5, 0]  # 6 + ½ − 4, then −9 + 1.25 − 4
    assert h.tolist() == [[0]]


def test_the_pullback_of_an_echo_in_the_head():
    one = torch.ones(1, 1).double()
    x = torch.tensor([2.0, 1.0]).double().reshape(2, 1, 1)
    y, h, pullback = rnn_vjp(x, one, one, 3 * one, one[0], "relu")
    assert y.flatten().tolist() == [6, 20]
    shares = pullback(torch.tensor([10.0, 1.0]).double().reshape(2, 1, 1), dh=one)
    # δ₁ = 1 + 1, δ₀ = 10 + 3 · 2
    assert [share.flatten().tolist() for share in shares] == [[16, 2], [48], [34], [28], [18]]


@EVERY
def test_one_step_after_the_other_is_the_whole(name):
    """The first symmetry: a sequence may be cut anywhere when the state is handed on."""
    layer, _, count, _ = LAYERS[name]
    x, *rest = arguments(name, time=7)
    states, weights = rest[:count], rest[count:]
    whole, last, _ = layer(x, *states, *weights)
    parts = []
    for piece in (x[:3], x[3:3], x[3:]):
        y, states, _ = layer(piece, *states_of(states), *weights)
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts), whole)
    for ours, theirs in zip(states_of(states), states_of(last), strict=True):
        torch.testing.assert_close(ours, theirs)


@EVERY
def test_the_future_does_not_change_the_past(name):
    layer, *_ = LAYERS[name]
    x, *rest = arguments(name, time=6)
    changed = torch.cat([x[:4], x[4:] + 1])
    before, after = layer(x, *rest)[0], layer(changed, *rest)[0]
    assert torch.equal(before[:4], after[:4])
    assert not torch.allclose(before[4:], after[4:])


# ---- the references


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", CELLS)
def test_value_and_gradients_are_those_of_torch(name, dtype, parity):
    layer, _, count, _ = LAYERS[name]
    x, *rest = arguments(name, dtype=dtype)
    states, weights = rest[:count], rest[count:]
    theirs = CELLS[name](3, 4).to(dtype)
    biases = weights[2:] if len(weights) == 4 else [weights[2], torch.zeros_like(weights[2])]
    given = [*weights[:2], *biases]
    names = "weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"
    theirs.load_state_dict(dict(zip(names, given, strict=True)))
    leaves = [one.clone().requires_grad_() for one in (x, *states)]
    start = [one[None] for one in leaves[1:]]
    expected, last = theirs(leaves[0], tuple(start) if count == 2 else start[0])
    y, ours, pullback = layer(x, *states, *weights)
    kind, tolerance = str(dtype).removeprefix("torch."), 1e-12 if dtype == torch.float64 else 1e-5
    reference = f"torch.nn.{type(theirs).__name__}"
    parity(f"{name}, {kind}", y, expected, reference=reference, tolerance=tolerance)
    for mine, other in zip(states_of(ours), states_of(last), strict=True):
        parity(f"{name}, last state, {kind}", mine, other[0],
               reference=reference, tolerance=tolerance)  # fmt: skip
    dy, ends = (
        draw(*y.shape, seed=1, dtype=dtype),
        [draw(2, 4, seed=k, dtype=dtype) for k in (2, 3)],
    )
    ends = ends[:count]
    gradients = torch.autograd.grad(
        [expected, *states_of(last)], [*leaves, *theirs.parameters()],
        [dy, *(end[None] for end in ends)],
    )  # fmt: skip
    shares = [share for share in pullback(dy, *ends) if share is not None]
    words = ["x", "h0", "c0"][: 1 + count] + ["W_ih", "W_hh", "b_ih", "b_hh"]
    for item, mine, other in zip(words, shares, gradients, strict=False):
        assert mine.dtype == dtype
        parity(f"{name}, gradient of {item}, {kind}", mine, other,
               reference=reference, tolerance=tolerance)  # fmt: skip


@EVERY
def test_the_pullback_is_what_autograd_finds(name, parity):
    """Through the same forward pass: peepholes and the reset before the matrix included."""
    layer, _, count, _ = LAYERS[name]
    leaves = [one.requires_grad_() for one in arguments(name, time=9)]
    y, last, pullback = layer(*leaves)
    dy, ends = draw(*y.shape, seed=1), [draw(2, 4, seed=2 + k) for k in range(count)]
    expected = torch.autograd.grad([y, *states_of(last)], leaves, [dy, *ends])
    for ours, theirs in zip(pullback(dy, *ends)[: len(leaves)], expected, strict=True):
        parity(f"{name}, pullback", ours, theirs, reference="torch autograd", tolerance=1e-12)


@EVERY
def test_the_pullback_is_the_measured_slope(name, generator):
    layer, *_ = LAYERS[name]
    assert max(gradient_check(packed(layer), *arguments(name), generator=generator)) < 1e-7


@settings(deadline=None, max_examples=25)
@given(
    st.sampled_from(sorted(LAYERS)), st.integers(0, 4), st.integers(0, 3), st.integers(1, 4),
    st.integers(1, 3), st.integers(0, 99), st.randoms(use_true_random=False),
)  # fmt: skip
def test_the_order_of_the_batch_and_of_the_units_is_free(
    name, time, batch, inputs, hidden, seed, random
):
    """The symmetry: rename the units, in every block of rows and every column, and h is renamed."""
    layer, gates, count, _ = LAYERS[name]
    given_ = arguments(name, time, batch, inputs, hidden, seed)
    order = torch.tensor(random.sample(range(hidden), hidden))
    shuffle = torch.tensor(random.sample(range(batch), batch), dtype=torch.long)
    x, *rest = given_
    states, (W, U, *others) = rest[:count], rest[count:]

    def rows(one):
        if one.ndim == 2 and one.shape == (3, hidden) and gates == 4:
            return one[:, order]  # peepholes
        return one.unflatten(0, (gates, hidden))[:, order].flatten(0, 1)

    renamed = [rows(W), rows(U)[:, order], *map(rows, others)]
    y, last, pullback = layer(*given_)
    z, late, back = layer(x[:, shuffle], *(h[shuffle][:, order] for h in states), *renamed)
    torch.testing.assert_close(z, y[:, shuffle][..., order])
    for ours, theirs in zip(states_of(late), states_of(last), strict=True):
        torch.testing.assert_close(ours, theirs[shuffle][:, order])
    dx, dx_too = pullback(y)[0], back(z)[0]
    torch.testing.assert_close(dx_too, dx[:, shuffle])


# ---- truncated


def by_definition(layer, x, states, parameters, dy, k1, k2):
    """Σ over losses t and steps s of ∂L_t/∂θ through step s, each step with weights of its own."""
    copies = [[one.clone().requires_grad_() for one in parameters] for _ in x]
    outputs, now = [], states
    for t, weights in enumerate(copies):
        y, last, _ = layer(x[t : t + 1], *now, *weights)
        now = states_of(last)
        outputs.append((y[0] * dy[t]).sum())
    total = [torch.zeros_like(one) for one in parameters]
    for t, loss in enumerate(outputs):
        end = min((t // k1 + 1) * k1, len(x))
        for s in range(max(0, end - k2), t + 1):
            shares = torch.autograd.grad(loss, copies[s], retain_graph=True)
            total = [a + b for a, b in zip(total, shares, strict=True)]
    return total


@EVERY
@pytest.mark.parametrize(("k1", "k2"), [(1, 1), (1, 3), (2, 3), (3, 3), (4, 7), (2, 20), (9, 9)])
def test_truncation_is_the_double_sum(name, k1, k2):
    layer, _, count, _ = LAYERS[name]
    x, *rest = arguments(name, time=7)
    dy = draw(7, 2, 4, seed=1)
    ours = truncated_gradient(layer, x, rest[:count], rest[count:], dy, k1, k2)
    theirs = by_definition(layer, x, rest[:count], rest[count:], dy, k1, k2)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-11, atol=1e-12)


@EVERY
def test_a_long_reach_truncates_nothing(name):
    layer, _, count, _ = LAYERS[name]
    x, *rest = arguments(name, time=6)
    y, _, pullback = layer(x, *rest)
    whole = pullback(y)[1 + count :]
    cut = truncated_gradient(layer, x, rest[:count], rest[count:], y, 2, 6)
    for a, b in zip(cut, whole, strict=False):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    short = truncated_gradient(layer, x, rest[:count], rest[count:], y, 2, 2)
    assert not torch.allclose(short[1], whole[1])


def test_a_truncation_of_no_steps_is_refused():
    x, h0, *weights = arguments("recurrent")
    for k1, k2 in ((0, 2), (3, 2)):
        with pytest.raises(ValueError, match=f"1 ≤ k1 ≤ k2, got {k1} and {k2}"):
            truncated_gradient(rnn_vjp, x, [h0], weights, draw(5, 2, 4), k1, k2)
    with pytest.raises(ShapeError, match="dy has shape"):
        truncated_gradient(rnn_vjp, x, [h0], weights, draw(5, 2, 3), 5, 5)
    nothing = truncated_gradient(rnn_vjp, x[:0], [h0], weights, draw(0, 2, 4), 1, 2)
    assert [one.shape for one in nothing] == [one.shape for one in weights]
    assert not any(one.any() for one in nothing)


# ---- the edge


@EVERY
def test_no_steps_leave_the_state(name):
    layer, _, count, _ = LAYERS[name]
    given_ = arguments(name, time=0)
    y, last, pullback = layer(*given_)
    assert y.shape == (0, 2, 4)
    for ours, start in zip(states_of(last), given_[1:], strict=False):
        assert torch.equal(ours, start)
    ends = [draw(2, 4, seed=k) for k in range(count)]
    dx, *shares = pullback(y, *ends)
    assert dx.shape == (0, 2, 3)
    for share, end in zip(shares, ends, strict=False):
        assert torch.equal(share, end)
    for share, weight in zip(shares[count:], given_[1 + count :], strict=False):
        assert share.shape == weight.shape
        assert not share.any()


@EVERY
def test_memory_in_another_order_changes_nothing(name):
    layer, *_ = LAYERS[name]
    given_ = arguments(name)
    turned = [one.mT.contiguous().mT if one.ndim > 1 else one for one in given_]
    (y, _, back), (z, _, back_too) = layer(*given_), layer(*turned)
    torch.testing.assert_close(z, y)
    for a, b in zip(back_too(z.mT.contiguous().mT), back(y), strict=True):
        assert (a is None) == (b is None)
        if a is not None:
            torch.testing.assert_close(a, b)


@EVERY
def test_arguments_are_left_alone(name):
    layer, *_ = LAYERS[name]
    given_ = arguments(name)
    copies = [one.clone() for one in given_]
    y, _, pullback = layer(*given_)
    kept = y.clone()
    first, second = pullback(y), pullback(y)
    assert all(torch.equal(a, b) for a, b in zip(given_, copies, strict=True))
    assert torch.equal(y, kept)
    assert all(a is None or torch.equal(a, b) for a, b in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("short", "long", "name"),
    [(rnn, rnn_vjp, "recurrent"), (lstm, lstm_vjp, "LSTM with peepholes"),
     (gru, gru_vjp, "GRU, reset after")],
)  # fmt: skip
def test_the_short_form_is_the_long_one_without_the_way_back(short, long, name):
    names, expected = (list(inspect.signature(f).parameters) for f in (short, long))
    assert names == expected
    given_ = arguments(name)
    y, last = short(*given_)
    expected, late, _ = long(*given_)
    assert torch.equal(y, expected)
    assert all(map(torch.equal, states_of(last), states_of(late)))
    option = {"recurrent": "relu", "GRU, reset after": "before"}.get(name)
    if option:
        assert torch.equal(short(*given_, option)[0], long(*given_, option)[0])
        assert not torch.equal(short(*given_, option)[0], y)


# ---- the error


@pytest.mark.usefixtures("as_a_user")
@EVERY
def test_what_does_not_fit_is_named(name):
    layer, gates, count, _ = LAYERS[name]
    x, *rest = arguments(name)
    with pytest.raises(ShapeError, match=r"x has 2 axes"):
        layer(x[0], *rest)
    with pytest.raises(ShapeError, match="h0 has 1 batch, expected 2"):
        layer(x, rest[0][:1], *rest[1:])
    with pytest.raises(ShapeError, match="W_ih has 3 inputs, expected 2"):
        layer(x[..., :2], *rest)
    with pytest.raises(ShapeError, match=f"W_hh has {4 * gates - 1} rows, expected {4 * gates}"):
        layer(x, *rest[: count + 1], rest[count + 1][:-1], *rest[count + 2 :])
    with pytest.raises(ShapeError, match=f"b(_ih)? has 1 rows, expected {4 * gates}"):
        layer(x, *rest[: count + 2], rest[count + 2][:1], *rest[count + 3 :])
    with pytest.raises(TypeError, match="x holds int64, expected a floating type"):
        layer(x.long(), *rest)
    y, _, pullback = layer(x, *rest)
    with pytest.raises(ShapeError, match=r"dy has shape \(2, 4\), expected \(5, 2, 4\)"):
        pullback(y[0])
    with pytest.raises(ShapeError, match=r"dh has shape \(4,\), expected \(2, 4\)"):
        pullback(y, y[0, 0])


@pytest.mark.usefixtures("as_a_user")
def test_a_word_or_a_peephole_that_does_not_fit_is_named():
    with pytest.raises(ValueError, match="nonlinearity must be one of 'tanh', 'relu', got 'gelu'"):
        rnn(*arguments("recurrent"), nonlinearity="gelu")
    with pytest.raises(ValueError, match="reset must be one of 'after', 'before', got 'later'"):
        gru(*arguments("GRU, reset after"), reset="later")
    *rest, P = arguments("LSTM with peepholes")
    with pytest.raises(ShapeError, match="P has 2 gates, expected 3"):
        lstm(*rest, P[:2])
    with pytest.raises(ShapeError, match="P has 3 hidden, expected 4"):
        lstm(*rest, P[:, :3])
    y, _, pullback = lstm_vjp(*rest, P)
    with pytest.raises(ShapeError, match=r"dc has shape \(4,\), expected \(2, 4\)"):
        pullback(y, None, y[0, 0])


# ---- the device


@EVERY
def test_everything_stays_on_the_device(name, fake_device):
    layer, *_ = LAYERS[name]

    def there_and_back(*given_):
        y, last, pullback = layer(*given_)
        return y, last, pullback(y, *states_of(last))

    agrees_on_device(there_and_back, *arguments(name))


def test_truncation_stays_on_the_device(fake_device):
    def there_and_back(x, h0, c0, *weights):
        y, _, _ = lstm_vjp(x, h0, c0, *weights)
        return truncated_gradient(lstm_vjp, x, [h0, c0], weights, y, 2, 3)

    agrees_on_device(there_and_back, *arguments("LSTM with peepholes"))
