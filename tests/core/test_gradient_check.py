import pytest
import torch

from etude.core.gradient_check import gradient_check, slopes
from tests.on_device import agrees_on_device

X = torch.tensor([[1.0, 2.0], [3.0, 4.0]], dtype=torch.float64)


def product(x, y):
    return x * y, lambda dz: (dz * y, dz * x)


def test_the_slope_of_a_cube_is_three_squares():
    torch.testing.assert_close(slopes(lambda x: x.pow(3).sum(), X), 3 * X.square())


def test_a_right_pullback_is_found_right(generator):
    assert max(gradient_check(product, X, X + 1, generator=generator)) < 1e-9


def test_each_wrong_gradient_is_found_by_itself(generator):
    def wrong(x, y):
        return x * y, lambda dz: (dz * y, 1.01 * dz * x)

    right, off = gradient_check(wrong, X, X + 1, generator=generator)
    assert right < 1e-9
    assert off > 1e-3


def test_a_gradient_that_is_right_only_in_sum_is_found(generator):
    """The loss is a random mixture: what cancels in a plain sum does not cancel in it."""

    def turned(x):
        return 2 * x, lambda dy: 2 * dy.flip(0)

    (off,) = gradient_check(turned, X, generator=generator)
    assert off > 1e-3


def test_nothing_has_no_error(generator):
    assert gradient_check(lambda x: (x, lambda dy: dy), X[:0], generator=generator) == [0]


def test_arguments_are_left_as_they_were(generator):
    before = X.clone()
    gradient_check(product, X, X + 1, generator=generator)
    assert torch.equal(X, before)


def test_what_cannot_be_checked_is_said(generator):
    with pytest.raises(TypeError, match="argument 1 holds torch.float32"):
        gradient_check(product, X, X.float(), generator=generator)
    with pytest.raises(ValueError, match="the pullback gave 2 gradients, expected 1"):
        gradient_check(lambda x: (x, lambda dy: (dy, dy)), X, generator=generator)
    with pytest.raises(ValueError, match=r"a gradient has shape \(2,\), its argument \(2, 2\)"):
        gradient_check(lambda x: (x, lambda dy: dy.sum(0)), X, generator=generator)


def test_slopes_are_measured_where_the_argument_is(fake_device):
    agrees_on_device(lambda x: slopes(lambda x: x.square().sum(), x), X)


def test_a_check_works_where_the_arguments_are(fake_device):
    generator = torch.Generator().manual_seed(0)
    here = X.to(fake_device)
    assert max(gradient_check(product, here, here, generator=generator)) < 1e-9
