import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.gradient_check import gradient_check
from etude.core.random import stream
from etude.formulas.cnn_layers.reductions import (
    average,
    entropy,
    expectation,
    log_sum_exp,
    maximum,
    norm,
    total,
)
from tests.on_device import agrees_on_device

REDUCTIONS = [total, average, maximum, norm, log_sum_exp, expectation]
CELLS = st.lists(st.integers(-40, 40).map(lambda n: n / 8), min_size=1, max_size=9)


def cells(*values):
    return torch.tensor(values, dtype=torch.float64)


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def values(function, x, *rest):
    return function(x, *rest)[0]


# ---- the definition


def test_each_of_them_in_the_head():
    x = cells(3.0, 4.0, 0.0, 0.0)
    assert values(total, x) == 7
    assert values(average, x) == 1.75
    assert values(maximum, x) == 4
    assert values(norm, x) == 5
    assert values(norm, -x) == 5
    assert values(expectation, cells(0.0, math.log(3))).item() == pytest.approx(0.75 * math.log(3))
    assert values(log_sum_exp, cells(0.0, math.log(3))).item() == pytest.approx(math.log(4))


def test_each_gradient_in_the_head():
    x, one = cells(3.0, 4.0, 0.0, 4.0), torch.tensor(2.0, dtype=torch.float64)
    assert total(x)[1](one).tolist() == [2, 2, 2, 2]
    assert average(x)[1](one).tolist() == [0.5, 0.5, 0.5, 0.5]
    assert maximum(x)[1](one).tolist() == [0, 2, 0, 0]
    assert norm(cells(3.0, 4.0))[1](one).tolist() == [1.2, 1.6]


@pytest.mark.parametrize("function", REDUCTIONS)
def test_the_gradient_is_the_measured_slope(function, generator):
    worst = gradient_check(
        lambda x: (lambda y, back: (y, first(back)))(*function(x)), draw(3, 2, 5),
        generator=generator,
    )  # fmt: skip
    assert max(worst) < 1e-7


def first(pullback):
    """The share of x alone, of those that have more to give."""

    def only(dy):
        shares = pullback(dy)
        return shares[0] if isinstance(shares, tuple) else shares

    return only


@pytest.mark.parametrize("function", REDUCTIONS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_value_and_gradient_are_those_of_autograd(function, dtype, parity):
    x = draw(4, 3, 6).to(dtype)
    theirs = {
        total: lambda x: x.sum(-1),
        average: lambda x: x.mean(-1),
        maximum: lambda x: x.amax(-1),
        norm: lambda x: torch.linalg.vector_norm(x, dim=-1),
        log_sum_exp: lambda x: x.exp().sum(-1).log(),
        expectation: lambda x: (x.exp() * x).sum(-1) / x.exp().sum(-1),
    }[function]
    leaf = x.clone().requires_grad_()
    y, pullback = function(x)
    dy = draw(4, 3, seed=1).to(dtype)
    expected = theirs(leaf)
    kind, tolerance = str(dtype).removeprefix("torch."), 1e-10 if dtype == torch.float64 else 1e-5
    name = f"{function.__name__}, {kind}"
    parity(name, y, expected, reference="torch autograd", tolerance=tolerance)
    parity(f"gradient of {name}", first(pullback)(dy),
           torch.autograd.grad(expected, leaf, dy)[0],
           reference="torch autograd", tolerance=tolerance)  # fmt: skip
    assert (y.dtype, first(pullback)(dy).dtype) == (dtype, dtype)


# ---- what expectation pooling is


def test_sharpness_leads_from_the_least_over_the_average_to_the_largest():
    x = draw(20, 6)
    for sharpness, limit in ((0.0, x.mean(-1)), (1e6, x.amax(-1)), (-1e6, x.amin(-1))):
        torch.testing.assert_close(values(expectation, x, sharpness), limit)


@settings(deadline=None, max_examples=60)
@given(CELLS, st.floats(-4, 4), st.floats(0.01, 3))
def test_more_sharpness_never_lowers_the_answer(numbers, sharpness, more):
    x = cells(*numbers)
    before, after = (values(expectation, x, m) for m in (sharpness, sharpness + more))
    assert after >= before - 1e-12


@settings(deadline=None, max_examples=60)
@given(CELLS)
def test_log_sum_exp_is_the_expectation_and_the_entropy(numbers):
    """The identity that the overview's "up to a constant" forgets: H depends on the data."""
    x = cells(*numbers)
    gap = values(log_sum_exp, x) - values(expectation, x) - entropy(x)
    assert gap.abs() < 1e-12
    assert -1e-12 <= entropy(x) <= math.log(len(numbers)) + 1e-12


@settings(deadline=None, max_examples=60)
@given(CELLS.map(lambda numbers: [abs(number) for number in numbers]))
def test_four_poolings_of_positive_cells_are_ordered(numbers):
    x = cells(*numbers)
    ladder = [values(function, x) for function in (average, maximum, norm, total)]
    assert all(low <= high + 1e-12 for low, high in zip(ladder, ladder[1:], strict=False))


@settings(deadline=None, max_examples=60)
@given(CELLS)
def test_smooth_maxima_stand_around_the_maximum(numbers):
    x = cells(*numbers)
    largest, room = values(maximum, x), math.log(len(numbers)) + 1e-12
    assert values(average, x) - 1e-12 <= values(expectation, x) <= largest + 1e-12
    assert largest - 1e-12 <= values(log_sum_exp, x) <= largest + room


@settings(deadline=None, max_examples=60)
@given(CELLS, st.randoms(use_true_random=False))
def test_the_order_of_the_cells_does_not_matter(numbers, random):
    shuffled = random.sample(numbers, len(numbers))
    for function in REDUCTIONS:
        torch.testing.assert_close(
            values(function, cells(*numbers)), values(function, cells(*shuffled))
        )


@settings(deadline=None, max_examples=60)
@given(CELLS, st.floats(-3, 3))
def test_adding_to_every_cell_adds_to_the_answer(numbers, shift):
    x = cells(*numbers)
    for function in (average, maximum, log_sum_exp, expectation):
        torch.testing.assert_close(values(function, x + shift), values(function, x) + shift)
        share = first(function(x)[1])(torch.ones((), dtype=x.dtype))
        torch.testing.assert_close(share.sum(), torch.ones((), dtype=x.dtype))


@pytest.mark.parametrize("shape", [(), (3,), (1, 3), (4, 3)])
def test_a_sharpness_is_learned_wherever_it_is_shared(shape, generator):
    x, sharpness = draw(4, 3, 5), 1 + 0.3 * draw(*shape, seed=1)
    worst = gradient_check(expectation, x, sharpness, generator=generator)
    assert max(worst) < 1e-7


def test_the_slope_of_the_sharpness_is_a_variance():
    x = draw(7)
    p = (2 * x).softmax(-1)
    variance = (p * x.square()).sum() - (p * x).sum().square()
    _, dm = expectation(x, 2.0)[1](torch.ones((), dtype=x.dtype))
    torch.testing.assert_close(dm, variance)


# ---- the edge


def test_large_cells_do_not_overflow():
    x = torch.tensor([1e4, -1e4, 1e4], dtype=torch.float32)
    for function, expected in ((expectation, 1e4), (log_sum_exp, 1e4 + math.log(2))):
        y, pullback = function(x)
        assert y.item() == pytest.approx(expected)
        assert first(pullback)(torch.ones(())).isfinite().all()
    assert entropy(x).item() == pytest.approx(math.log(2))


def test_cells_that_are_all_zero_have_a_norm_and_a_gradient():
    x = torch.zeros(2, 4, dtype=torch.float64)
    x[1, 0] = 2
    y, pullback = norm(x)
    assert y.tolist() == [0, 2]
    assert pullback(torch.ones_like(y)).tolist() == [[0, 0, 0, 0], [1, 0, 0, 0]]


def test_among_equals_the_first_gets_the_gradient():
    y, pullback = maximum(cells(5.0, 5.0, 1.0, 2.0))
    assert pullback(torch.ones_like(y)).tolist() == [1, 0, 0, 0]


def test_a_nan_is_not_hidden():
    for function in REDUCTIONS:
        assert values(function, cells(1.0, math.nan, 2.0)).isnan()


@pytest.mark.parametrize("function", REDUCTIONS)
def test_one_cell_is_its_own_answer(function):
    x = draw(6, 1).abs()
    y, pullback = function(x)
    torch.testing.assert_close(y, x[:, 0])
    torch.testing.assert_close(first(pullback)(2 * y), 2 * x)


@pytest.mark.parametrize("function", REDUCTIONS)
def test_nothing_on_the_other_axes_is_nothing(function):
    y, pullback = function(draw(0, 4))
    assert y.shape == (0,)
    assert first(pullback)(y).shape == (0, 4)


@pytest.mark.parametrize("function", REDUCTIONS)
def test_memory_in_another_order_changes_nothing(function):
    x = draw(5, 4).mT
    assert not x.is_contiguous()
    (ours, back), (theirs, back_too) = function(x), function(x.contiguous())
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(first(back)(ours), first(back_too)(theirs))


# ---- the error


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("function", [*REDUCTIONS, entropy])
def test_what_cannot_be_reduced_is_named(function):
    with pytest.raises(TypeError, match="x holds int64"):
        function(torch.arange(3))
    for empty in (torch.zeros(3, 0), torch.tensor(1.0)):
        with pytest.raises(ShapeError, match="expected at least one cell"):
            function(empty)


@pytest.mark.parametrize("function", REDUCTIONS)
def test_a_gradient_that_would_be_broadcast_is_refused(function):
    _, pullback = function(draw(2, 3, 4))
    with pytest.raises(ShapeError, match=r"dy has shape \(3,\), expected \(2, 3\)"):
        first(pullback)(draw(3))


@pytest.mark.usefixtures("as_a_user")
def test_a_sharpness_of_another_shape_is_named():
    with pytest.raises(ShapeError, match=r"sharpness has shape \(2,\), expected one that fits"):
        expectation(draw(4, 3, 5), draw(2))
    with pytest.raises(ShapeError, match="sharpness has shape"):
        expectation(draw(3, 5), draw(4, 3))


# ---- the device


@pytest.mark.parametrize("function", REDUCTIONS)
def test_everything_stays_on_the_device(function, fake_device):
    def there_and_back(x):
        y, pullback = function(x)
        return y, pullback(y)

    agrees_on_device(there_and_back, draw(3, 5))


def test_entropy_and_sharpness_stay_on_the_device(fake_device):
    agrees_on_device(lambda x, m: (entropy(x), *expectation(x, m)[1](x[:, 0])), draw(3, 5), draw(3))
