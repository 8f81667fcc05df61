import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.gradient_check import gradient_check
from etude.core.random import stream
from etude.formulas.cnn_layers.pooling import (
    average_pool2d,
    expectation_pool2d,
    l2_pool2d,
    log_sum_exp_pool2d,
    max_pool2d,
    pool2d,
    sum_pool2d,
)
from etude.formulas.cnn_layers.reductions import maximum
from tests.on_device import agrees_on_device

FOUR = [max_pool2d, sum_pool2d, average_pool2d, l2_pool2d]
ALL = [*FOUR, log_sum_exp_pool2d, expectation_pool2d]


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def first(pullback):
    def only(dy):
        shares = pullback(dy)
        return shares[0] if isinstance(shares, tuple) else shares

    return only


def in_torch(function, x, size, stride, padding=0, dilation=1):
    """The same pooling, of what torch.nn.functional has; the rest from its unfolded columns."""
    sides = size if isinstance(size, tuple) else (size, size)
    area = sides[0] * sides[1]
    if function is max_pool2d:
        return F.max_pool2d(x, size, stride, padding, dilation)
    if dilation == 1 and function is average_pool2d:
        return F.avg_pool2d(x, size, stride, padding)
    if dilation == 1 and function is sum_pool2d:
        return F.avg_pool2d(x, size, stride, padding, divisor_override=1)
    if dilation == 1 and padding == 0 and function is l2_pool2d:
        return F.lp_pool2d(x, 2.0, size, stride)
    columns = F.unfold(x, size, dilation, padding, stride or size).unflatten(1, (x.shape[1], area))
    reduced = {
        average_pool2d: lambda c: c.mean(2),
        sum_pool2d: lambda c: c.sum(2),
        l2_pool2d: lambda c: c.square().sum(2).sqrt(),
        log_sum_exp_pool2d: lambda c: c.logsumexp(2),
        expectation_pool2d: lambda c: (c.softmax(2) * c).sum(2),
    }[function](columns)
    return reduced.unflatten(2, max_pool2d(x, size, stride, padding, dilation)[0].shape[2:])


GEOMETRIES = {
    "side by side": (2, None, 0, 1),
    "overlapping": (3, 1, 0, 1),
    "uneven": ((3, 2), (2, 3), 0, 1),
    "stride larger than the window": (2, 4, 0, 1),
    "1 × 1": (1, None, 0, 1),
    "padded": (3, 2, 1, 1),
    "dilated": (2, 1, 0, 3),
    "everything": ((3, 4), (2, 1), (1, 2), (3, 2)),
}


# ---- the definition


def test_windows_advance_by_the_stride():
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    assert max_pool2d(x, 2)[0].tolist() == [[[[5, 7], [13, 15]]]]
    assert max_pool2d(x, 2, 1)[0].tolist() == [[[[5, 6, 7], [9, 10, 11], [13, 14, 15]]]]
    assert sum_pool2d(x, 2)[0].tolist() == [[[[10, 18], [42, 50]]]]
    assert average_pool2d(x, 2)[0].tolist() == [[[[2.5, 4.5], [10.5, 12.5]]]]


def test_the_norm_is_a_root_of_a_sum_and_not_of_a_mean():
    x = torch.tensor([[[[3.0, -4.0], [0.0, 0.0]]]])
    y, pullback = l2_pool2d(x, 2)
    assert y.tolist() == [[[[5]]]]
    torch.testing.assert_close(pullback(10 * torch.ones_like(y)), 2 * x)


def test_where_windows_overlap_gradients_add_up():
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 9
    y, pullback = max_pool2d(x, 2, 1)
    dx = pullback(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]]))
    assert dx[0, 0].tolist() == [[0, 0, 0], [0, 10, 0], [0, 0, 0]]


def test_channels_stay_apart():
    x = draw(2, 3, 6, 6)
    for function in ALL:
        apart = torch.cat([function(x[:, [c]], 2)[0] for c in range(3)], dim=1)
        torch.testing.assert_close(function(x, 2)[0], apart)


# ---- the reference


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("name", GEOMETRIES)
@pytest.mark.parametrize("function", FOUR)
def test_value_and_gradient_are_those_of_torch(function, name, dtype, parity):
    size, stride, padding, dilation = GEOMETRIES[name]
    compare(function, draw(2, 3, 9, 11).to(dtype), (size, stride, padding, dilation), parity)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("geometry", [(2, None, 1), (3, 1, 1), ((3, 2), (2, 3), 2)])
@pytest.mark.parametrize("function", [log_sum_exp_pool2d, expectation_pool2d])
def test_soft_poolings_are_those_of_unfolded_columns(function, geometry, dtype, parity):
    compare(function, draw(2, 3, 9, 11).to(dtype), geometry, parity)


def compare(function, x, geometry, parity):
    y, pullback = function(x, *geometry)
    dy = draw(*y.shape, seed=1).to(x.dtype)
    leaf = x.clone().requires_grad_()
    if function in FOUR:
        expected = in_torch(function, leaf, *geometry)
    else:
        expected = in_torch(function, leaf, geometry[0], geometry[1], 0, geometry[2])
    kind, tolerance = ("float64", 1e-10) if x.dtype == torch.float64 else ("float32", 1e-5)
    parity(f"{function.__name__}, {kind}", y, expected,
           reference="torch.nn.functional", tolerance=tolerance)  # fmt: skip
    parity(f"{function.__name__}, gradient, {kind}", first(pullback)(dy),
           torch.autograd.grad(expected, leaf, dy)[0],
           reference="torch.nn.functional", tolerance=tolerance)  # fmt: skip
    assert (y.dtype, first(pullback)(dy).dtype) == (x.dtype, x.dtype)


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(0, 2), height=st.integers(4, 9), width=st.integers(4, 9),
    size=st.integers(1, 4), stride=st.none() | st.integers(1, 5), seed=st.integers(0, 99),
)  # fmt: skip
def test_any_pooling_is_the_one_of_torch(batch, height, width, size, stride, seed):
    x = draw(batch, 2, height, width, seed=seed)
    for function in FOUR:
        y, pullback = function(x, size, stride)
        leaf = x.clone().requires_grad_()
        if not batch:  # which torch's lp_pool2d and max_pool2d refuse, or not, by version
            assert (len(y), pullback(y).shape) == (0, x.shape)
            continue
        expected = in_torch(function, leaf, size, stride)
        dy = draw(*y.shape, seed=seed + 1)
        torch.testing.assert_close(y, expected)
        torch.testing.assert_close(pullback(dy), torch.autograd.grad(expected, leaf, dy)[0])


@pytest.mark.parametrize("function", ALL)
def test_the_gradient_is_the_measured_slope(function, generator):
    x = draw(2, 2, 5, 6)

    def formula(x):
        y, pullback = function(x, (2, 3), (1, 2))
        return y, first(pullback)

    assert max(gradient_check(formula, x, generator=generator)) < 1e-7


# ---- the symmetry


def test_a_sum_is_so_many_averages():
    x = draw(2, 3, 8, 8)
    torch.testing.assert_close(sum_pool2d(x, 4)[0], 16 * average_pool2d(x, 4)[0])


def test_pooling_by_whole_blocks_forgets_only_whole_shifts():
    x = draw(1, 1, 12, 12)
    for function in ALL:
        moved = function(x[..., 3:], 3)[0]
        torch.testing.assert_close(moved, function(x, 3)[0][..., 1:])
        assert not torch.allclose(function(x[..., 1:10], 3)[0], function(x[..., :9], 3)[0])


@pytest.mark.parametrize(("sharpness", "limit"), [(0.0, average_pool2d), (1e5, max_pool2d)])
def test_expectation_lies_between_average_and_maximum(sharpness, limit):
    x = draw(2, 3, 6, 6)
    torch.testing.assert_close(expectation_pool2d(x, 3, sharpness=sharpness)[0], limit(x, 3)[0])


@pytest.mark.parametrize("shape", [(), (1,), (2,)])
def test_the_sharpness_is_learned_for_all_channels_or_for_each(shape, generator):
    x, sharpness = draw(2, 2, 4, 5), 1 + 0.3 * draw(*shape, seed=1)
    worst = gradient_check(
        lambda x, m: expectation_pool2d(x, 2, 1, sharpness=m), x, sharpness, generator=generator
    )
    assert max(worst) < 1e-7


# ---- the edge


def test_a_black_window_has_a_finite_gradient():
    x = draw(1, 1, 4, 4)
    x[..., :2, :2] = 0
    y, pullback = l2_pool2d(x, 2)
    dx = pullback(torch.ones_like(y))
    assert y[0, 0, 0, 0] == 0
    assert dx.isfinite().all()
    assert not dx[..., :2, :2].any()


def test_padding_never_is_the_largest():
    x = -1 - draw(1, 2, 4, 4).abs()
    y, pullback = max_pool2d(x, 2, padding=1)
    assert (y < 0).all()
    assert pullback(torch.ones_like(y)).sum() == y.numel()


def test_padding_counts_in_an_average():
    y, _ = average_pool2d(torch.ones(1, 1, 2, 2), 2, padding=1)
    assert y.unique().tolist() == [0.25]


@pytest.mark.parametrize("function", ALL)
def test_one_window_over_everything_is_global_pooling(function):
    x = draw(3, 2, 5, 7)
    assert function(x, (5, 7))[0].shape == (3, 2, 1, 1)


@pytest.mark.parametrize("function", ALL)
def test_memory_in_another_order_changes_nothing(function):
    x = draw(2, 3, 6, 6).to(memory_format=torch.channels_last)
    assert not x.is_contiguous()
    (ours, back), (theirs, back_too) = function(x, 2), function(x.contiguous(), 2)
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(first(back)(ours.mT.contiguous().mT), first(back_too)(theirs))


@pytest.mark.parametrize("function", ALL)
def test_no_examples_are_no_answers(function):
    y, pullback = function(draw(0, 2, 4, 4), 2)
    assert y.shape == (0, 2, 2, 2)
    assert first(pullback)(y).shape == (0, 2, 4, 4)


@pytest.mark.parametrize("function", ALL)
def test_arguments_are_left_as_they_were(function):
    x = draw(1, 1, 4, 4)
    before = x.clone()
    y, pullback = function(x, 3, 1)
    pullback(y)
    assert torch.equal(x, before)


# ---- the error


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("function", ALL)
def test_what_does_not_fit_is_named(function):
    x = draw(1, 1, 4, 4)
    with pytest.raises(ShapeError, match=r"size reaches over \(5, 5\) pixels"):
        function(x, 5)
    with pytest.raises(ValueError, match="stride must be at least 1, got 0"):
        function(x, 2, 0)
    with pytest.raises(TypeError, match="x holds int64"):
        function(x.long(), 2)
    with pytest.raises(ShapeError, match="x has 2 axes"):
        function(x[0, 0], 2)


@pytest.mark.usefixtures("as_a_user")
def test_a_window_of_padding_alone_has_no_largest_pixel():
    with pytest.raises(ValueError, match="padding must be at most half of size, got 2 and 3"):
        max_pool2d(draw(1, 1, 4, 4), 3, padding=2)


@pytest.mark.usefixtures("as_a_user")
def test_a_sharpness_for_other_channels_is_named():
    with pytest.raises(ShapeError, match="sharpness has 3 channels, expected 2"):
        expectation_pool2d(draw(1, 2, 4, 4), 2, sharpness=draw(3))


@pytest.mark.parametrize("function", ALL)
def test_a_gradient_that_would_be_broadcast_is_refused(function):
    y, pullback = function(draw(1, 2, 4, 4), 2)
    with pytest.raises(ShapeError, match="dy has shape"):
        pullback(y[:, :1])


# ---- the device


@pytest.mark.parametrize("function", ALL)
def test_everything_stays_on_the_device(function, fake_device):
    def there_and_back(x):
        y, pullback = function(x, 3, 2)
        return y, pullback(y)

    agrees_on_device(there_and_back, draw(2, 2, 7, 7))


def test_a_learned_sharpness_and_any_reduction_stay_on_the_device(fake_device):
    def both(x, m):
        y, pullback = expectation_pool2d(x, 2, sharpness=m)
        return y, pullback(y), pool2d(maximum, x, 2)[0]

    agrees_on_device(both, draw(2, 2, 4, 4), draw(2))
