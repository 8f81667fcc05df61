import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.gradient_check import gradient_check
from etude.core.random import stream
from etude.formulas.rnn_layers.activations import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from tests.on_device import agrees_on_device

THEIRS = {
    sigmoid: torch.sigmoid,
    tanh: torch.tanh,
    relu: torch.relu,
    leaky_relu: F.leaky_relu,
    elu: F.elu,
    gelu: F.gelu,
    silu: F.silu,
    softplus: lambda x: F.softplus(x, threshold=1e3),  # torch's shortcut above 20 is off by e⁻²⁰
    softmax: lambda x: x.softmax(-1),
    log_softmax: lambda x: x.log_softmax(-1),
}
EVERY = pytest.mark.parametrize("bend", THEIRS)
NUMBERS = st.floats(-30, 30)


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def number(value):
    return torch.tensor(value, dtype=torch.float64)


def slope(bend, x):
    return bend(x)[1](torch.ones_like(x))


# ---- the definition


def test_each_of_them_in_the_head():
    log3 = math.log(3)
    for bend, x, y in (
        (sigmoid, log3, 0.75), (sigmoid, -log3, 0.25), (tanh, log3 / 2, 0.5), (relu, 3.0, 3),
        (relu, -3.0, 0), (leaky_relu, -3.0, -0.03), (elu, -log3, -2 / 3), (elu, 2.0, 2),
        (silu, log3, 0.75 * log3), (softplus, log3, math.log(4)), (softplus, 0.0, math.log(2)),
        (gelu, 0.0, 0), (gelu, 1.0, 0.8413447460685429),
    ):  # fmt: skip
        assert bend(number(x))[0].item() == pytest.approx(y, rel=1e-12)
    p, _ = softmax(torch.tensor([0.0, log3]).double())
    assert p.tolist() == pytest.approx([0.25, 0.75])
    assert log_softmax(torch.tensor([0.0, log3]).double())[0].exp().tolist() == pytest.approx(
        [0.25, 0.75]
    )


def test_each_slope_in_the_head():
    log3 = math.log(3)
    for bend, x, y in (
        (sigmoid, 0.0, 0.25), (sigmoid, log3, 3 / 16), (tanh, 0.0, 1), (tanh, log3 / 2, 0.75),
        (relu, 2.0, 1), (relu, 0.0, 0), (leaky_relu, -1.0, 0.01), (leaky_relu, 0.0, 0.01),
        (elu, -log3, 1 / 3), (silu, 0.0, 0.5), (softplus, log3, 0.75), (gelu, 0.0, 0.5),
        (gelu, 1.0, 0.8413447460685429 + math.exp(-0.5) / math.sqrt(2 * math.pi)),
    ):  # fmt: skip
        assert slope(bend, number(x)).item() == pytest.approx(y, rel=1e-12)
    x, v = torch.tensor([0.0, log3]).double(), torch.tensor([8.0, 0.0]).double()
    assert softmax(x)[1](v).tolist() == pytest.approx([1.5, -1.5])  # ¼ (8 − 2), ¾ (0 − 2)
    assert log_softmax(x)[1](v).tolist() == pytest.approx([6, -6])  # 8 − ¼ · 8, 0 − ¾ · 8


@pytest.mark.parametrize(("bend", "option"), [(leaky_relu, 0.3), (elu, 2.0)])
def test_an_option_is_the_slope_or_the_end_on_the_left(bend, option, generator):
    x = 3 * draw(40)
    theirs = {leaky_relu: F.leaky_relu, elu: F.elu}[bend]
    torch.testing.assert_close(bend(x, option)[0], theirs(x, option))
    assert gradient_check(lambda x: bend(x, option), x, generator=generator)[0] < 1e-7


# ---- the references


@EVERY
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_value_and_slope_are_those_of_torch(bend, dtype, parity):
    x = (4 * draw(60, 7)).to(dtype)
    leaf = x.clone().requires_grad_()
    expected = THEIRS[bend](leaf)
    dy = draw(60, 7, seed=1).to(dtype)
    y, pullback = bend(x)
    kind, tolerance = str(dtype).removeprefix("torch."), 1e-12 if dtype == torch.float64 else 1e-5
    assert (y.dtype, pullback(dy).dtype) == (dtype, dtype)
    reference = f"torch {bend.__name__}"
    parity(f"{bend.__name__}, {kind}", y, expected, reference=reference, tolerance=tolerance)
    parity(f"gradient of {bend.__name__}, {kind}", pullback(dy),
           torch.autograd.grad(expected, leaf, dy)[0],
           reference=reference, tolerance=tolerance)  # fmt: skip


@EVERY
def test_the_pullback_is_the_measured_slope(bend, generator):
    assert gradient_check(bend, 2 * draw(3, 5), generator=generator)[0] < 1e-7


# ---- the symmetry


@settings(deadline=None, max_examples=60)
@given(st.lists(NUMBERS, min_size=1, max_size=8))
def test_left_and_right_belong_together(numbers):
    x = torch.tensor(numbers, dtype=torch.float64)

    def value(bend, at):
        return bend(at)[0]

    close = torch.testing.assert_close
    close(value(sigmoid, x) + value(sigmoid, -x), torch.ones_like(x))
    close(value(tanh, -x), -value(tanh, x))
    close(value(tanh, x), 2 * value(sigmoid, 2 * x) - 1)
    for bend in (gelu, silu, softplus, relu):  # the two sides differ by the straight line
        close(value(bend, x) - value(bend, -x), x)
    close(slope(softplus, x), value(sigmoid, x))
    for bend in (sigmoid, tanh):
        close(slope(bend, x), slope(bend, -x))


@settings(deadline=None, max_examples=60)
@given(st.lists(NUMBERS, min_size=1, max_size=8), st.floats(-100, 100))
def test_a_softmax_sees_only_differences(numbers, shift):
    x = torch.tensor(numbers, dtype=torch.float64)
    p, pullback = softmax(x)
    torch.testing.assert_close(softmax(x + shift)[0], p)
    torch.testing.assert_close(p.sum(), number(1.0))
    torch.testing.assert_close(log_softmax(x)[0].exp(), p)
    share = pullback(draw(len(numbers)))
    assert share.sum().abs() < 1e-12  # raising all scores changes nothing


# ---- the edge


@EVERY
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_far_out_nothing_overflows(bend, dtype):
    x = torch.tensor([-1e4, -100, 0, 100, 1e4], dtype=dtype)
    y, pullback = bend(x)
    assert y.isfinite().all()
    assert pullback(torch.ones_like(x)).isfinite().all()


@pytest.mark.parametrize("at", [-30.0, 20.0, 30.0, 300.0])
def test_small_slopes_are_not_rounded_away(at):
    """From 37 on σ(x) is 1 in float64, and σ(1 − σ) would be 0."""
    for bend, expected in ((sigmoid, math.exp(-abs(at))), (tanh, 4 * math.exp(-2 * abs(at)))):
        assert slope(bend, number(at)).item() == pytest.approx(expected, rel=1e-8, abs=0)


def test_small_values_on_the_left_are_not_rounded_away():
    for bend, at, expected in (
        (sigmoid, -30.0, math.exp(-30)), (softplus, -30.0, math.exp(-30)),
        (gelu, -12.0, -12 * math.erfc(12 / math.sqrt(2)) / 2), (tanh, 1e-20, 1e-20),
        (silu, -40.0, -40 * math.exp(-40)),
    ):  # fmt: skip
        assert bend(number(at))[0].item() == pytest.approx(expected, rel=1e-9, abs=0)


def test_a_share_too_small_to_write_has_a_logarithm():
    x = torch.tensor([0.0, 1000.0])
    assert softmax(x)[0].tolist() == [0, 1]
    assert log_softmax(x)[0].tolist() == [-1000, 0]


def test_an_impossible_class_has_no_share_and_no_slope():
    x = torch.tensor([0.0, -math.inf, 0.0]).double()
    p, pullback = softmax(x)
    assert p.tolist() == [0.5, 0, 0.5]
    assert pullback(torch.tensor([1.0, 5.0, 0.0]).double()).tolist() == [0.25, 0, -0.25]


@EVERY
def test_a_nan_is_not_hidden(bend):
    assert bend(torch.tensor([1.0, math.nan]))[0].isnan().any()


@EVERY
def test_no_numbers_are_no_answers(bend):
    y, pullback = bend(draw(0, 3))
    assert y.shape == (0, 3)
    assert pullback(y).shape == (0, 3)


# ---- the error


@pytest.mark.usefixtures("as_a_user")
@EVERY
def test_what_does_not_fit_is_named(bend):
    with pytest.raises(TypeError, match="x holds int64, expected a floating type"):
        bend(torch.arange(3))
    _, pullback = bend(draw(2, 3))
    with pytest.raises(ShapeError, match=r"has shape \(3,\), expected \(2, 3\)"):
        pullback(draw(3))


@pytest.mark.parametrize("bend", [softmax, log_softmax])
def test_shares_of_nothing_are_refused(bend):
    for empty in (torch.zeros(3, 0), torch.tensor(1.0)):
        with pytest.raises(ShapeError, match="expected at least one class"):
            bend(empty)


# ---- the device


@EVERY
def test_everything_stays_on_the_device(bend, fake_device):
    def there_and_back(x):
        y, pullback = bend(x)
        return y, pullback(y)

    agrees_on_device(there_and_back, draw(3, 5))
