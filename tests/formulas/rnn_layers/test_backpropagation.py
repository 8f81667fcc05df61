import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.formulas.rnn_layers import rnn_vjp
from etude.formulas.rnn_layers.backpropagation import Var, unbroadcast
from tests.on_device import agrees_on_device


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def gradients(function, *values):
    """By our tape and by torch's, of the sum of what comes out."""
    mine, theirs = [Var(v) for v in values], [v.clone().requires_grad_() for v in values]
    ours, expected = function(*mine), function(*theirs)
    torch.testing.assert_close(ours.value, expected.detach())
    ours.backward(torch.ones_like(ours.value))
    shares = torch.autograd.grad(expected.sum(), theirs, allow_unused=True)
    return [(v.grad, share) for v, share in zip(mine, shares, strict=True)]


def mlp(x, W1, b1, W2, b2):
    out = (x @ W1 + b1).tanh() @ W2 + b2
    z = out.exp()
    return -(z / z.sum(1, keepdim=True)).log().sum() / 32


# ---- the definition


def test_a_diamond_in_the_head():
    """L = (wx)², by way of a shared node: dL/dw = 2wx·x."""
    w, x = Var(torch.tensor(3.0)), Var(torch.tensor(5.0))
    a = w * x
    y = a * a
    y.backward()
    assert [v.grad.item() for v in (y, a, w, x)] == [1, 30, 150, 90]


def test_a_node_is_complete_before_it_passes_on():
    """The long way and the short way from a to y: depth, not the order of discovery, decides."""
    a = Var(torch.tensor(2.0))
    long = ((a * 3.0) + 1.0) * 5.0
    y = a * long
    y.backward()
    assert a.grad.item() == 35 + 2 * 15  # long + a · d long/da


def test_stretched_axes_are_summed_in_the_head():
    dy = torch.arange(6.0).reshape(2, 3)
    assert unbroadcast(dy, (3,)).tolist() == [3, 5, 7]
    assert unbroadcast(dy, (2, 1)).tolist() == [[3], [12]]
    assert unbroadcast(dy, (1, 1)).tolist() == [[15]]
    assert unbroadcast(dy, ()).tolist() == 15
    assert unbroadcast(dy, (2, 3)) is dy


# ---- the reference


def test_the_gradients_of_a_network_are_those_of_autograd(parity):
    values = (
        draw(32, 5),
        draw(5, 16, seed=1),
        draw(16, seed=2),
        draw(16, 4, seed=3),
        draw(4, seed=4),
    )
    for name, (ours, theirs) in zip(
        ("x", "W1", "b1", "W2", "b2"), gradients(mlp, *values), strict=True
    ):
        parity(f"tape, gradient of {name}", ours, theirs,
               reference="torch autograd", tolerance=1e-12)  # fmt: skip


OPERATIONS = {
    "add": lambda a, b: a + b,
    "subtract": lambda a, b: a - b,
    "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / b,
    "number on the left": lambda a, b: (2.0 - a) * (3.0 / b) + (1.0 + a) * (2.0 * b),
    "number on the right": lambda a, b: (a - 2.0) * (b / 3.0) + (a + 1.0) * (b * 2.0),
    "negative": lambda a, b: -a * b,
    "exp": lambda a, b: a.exp() * b,
    "log": lambda a, b: (a * a + 0.5).log() * b,
    "tanh": lambda a, b: a.tanh() * b,
    "relu": lambda a, b: a.relu() * b,
    "sum": lambda a, b: a.sum() * b.sum(),
    "sum over an axis": lambda a, b: (a * b).sum(dim=-1).exp(),
    "sum over an axis, kept": lambda a, b: (a * b) / (a * a + b * b).sum(dim=0, keepdim=True),
    "sum over axes": lambda a, b: (a * b).sum(dim=(0, 1)),
    "reshape": lambda a, b: (a * b).reshape(3, 2).exp(),
    "transpose": lambda a, b: (a * b).mT.exp() * draw(3, 2, seed=7),
    "matrices": lambda a, b: a @ (a * b).mT,
    "twice": lambda a, b: a * a * a + a / a,
}


@pytest.mark.parametrize("name", OPERATIONS)
@pytest.mark.parametrize("shape", [(2, 3), (1, 3), (2, 1), (3,), (1,), ()])
def test_every_operation_has_autograds_gradient(name, shape):
    for ours, theirs in gradients(OPERATIONS[name], draw(2, 3), 1 + draw(*shape, seed=1).square()):
        if theirs is None:
            assert ours is None
        else:
            torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(
    "shapes", [((4, 2, 3), (3, 5)), ((2, 3), (4, 3, 5)), ((1, 2, 3), (4, 3, 5))]
)
def test_stacks_of_matrices_are_multiplied_and_shared(shapes):
    for ours, theirs in gradients(
        lambda a, b: (a @ b).tanh(), *(draw(*s, seed=len(s)) for s in shapes)
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)


def test_tensors_may_stand_on_either_side():
    t = draw(2, 3)
    a = Var(draw(3, 2, seed=1))
    for y in (t @ a, (t.mT + a).mT, (t.mT * a).mT, (t.mT - a).mT, (t.mT / a).mT):
        assert isinstance(y, Var)
    torch.testing.assert_close((t.mT - a).value, t.mT - a.value)
    torch.testing.assert_close((t @ a).value, t @ a.value)
    torch.testing.assert_close((t.mT / a).value, t.mT / a.value)


def test_a_recurrent_layer_on_the_tape_has_the_gradients_of_its_pullback():
    given_ = (
        draw(6, 2, 3),
        draw(2, 4, seed=1),
        draw(4, 3, seed=2),
        draw(4, 4, seed=3),
        draw(4, seed=4),
    )
    dy = draw(6, 2, 4, seed=5)
    x, *rest = given_
    h, W, U, b = map(Var, rest)
    loss, start = Var(torch.zeros(()).double()), h
    for step, d in zip(x, dy, strict=True):
        h = (step @ W.mT + h @ U.mT + b).tanh()
        loss = loss + (h * d).sum()
    loss.backward()
    _, _, pullback = rnn_vjp(*given_)
    for v, share in zip((start, W, U, b), pullback(dy)[1:], strict=True):
        torch.testing.assert_close(v.grad, share, rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.integers(1, 3), max_size=4), st.data())
def test_unbroadcast_is_the_transpose_of_broadcasting(whole, data):
    """⟨dy, broadcast(x)⟩ = ⟨unbroadcast(dy), x⟩, for every shape that fits."""
    kept = data.draw(st.integers(0, len(whole)))
    shape = [data.draw(st.sampled_from([1, n])) for n in whole[len(whole) - kept :]]
    dy, x = draw(*whole), draw(*shape, seed=1)
    share = unbroadcast(dy, tuple(shape))
    assert share.shape == x.shape
    torch.testing.assert_close((share * x).sum(), (dy * x.broadcast_to(whole)).sum())


# ---- the edge


def test_a_second_walk_adds():
    a = Var(torch.tensor(2.0))
    y = a * a
    y.backward()
    y.backward()
    assert a.grad.item() == 8


def test_what_is_not_below_is_not_touched():
    a, b = Var(torch.tensor(2.0)), Var(torch.tensor(3.0))
    unused = a * b
    (a * 5.0).backward()
    assert (a.grad.item(), b.grad, unused.grad) == (5, None, None)


def test_a_mixture_of_many_numbers_may_be_walked_back():
    a = Var(torch.tensor([1.0, 2.0]))
    (a * a).backward(torch.tensor([1.0, 10.0]))
    assert a.grad.tolist() == [2, 40]


def test_five_thousand_generations_need_no_recursion():
    a = Var(torch.tensor(1.0))
    y = a
    for _ in range(5000):
        y = y + a
    y.backward()
    assert a.grad.item() == 5001
    assert len(y.ancestry()) == 5001


def test_the_same_sums_give_the_same_digits():
    def shares():
        a = Var(draw(50, dtype=torch.float32))
        y = sum(((a * float(k)).exp() for k in range(20)), Var(torch.zeros(())))
        y.sum().backward()
        return a.grad

    assert all(torch.equal(shares(), shares()) for _ in range(5))


def test_a_variable_says_what_it_holds():
    assert repr(Var(torch.tensor(2.0))) == "Var(2.0)"


# ---- the error


def test_what_does_not_fit_is_named():
    a = Var(draw(2, 3))
    with pytest.raises(ShapeError, match=r"only a scalar needs no dy, this has shape \(2, 3\)"):
        a.backward()
    with pytest.raises(ShapeError, match=r"@ needs matrices, got shape \(3,\)"):
        a @ Var(draw(3))
    with pytest.raises(ShapeError, match=r"@ needs matrices, got shape \(\)"):
        a @ 2.0
    for shape in ((2, 2), (4, 2, 3)):
        with pytest.raises(ShapeError, match=r"does not broadcast to \(2, 3\)"):
            unbroadcast(draw(2, 3), shape)


# ---- the device


def test_everything_stays_on_the_device(fake_device):
    def there_and_back(*values):
        variables = [Var(v) for v in values]
        y = mlp(*variables).relu() + 1.0
        y.backward()
        return y.value, [v.grad for v in variables]

    agrees_on_device(
        there_and_back, draw(3, 5), draw(5, 4, seed=1), draw(4, seed=2), draw(4, 2, seed=3),
        draw(2, seed=4),
    )  # fmt: skip
