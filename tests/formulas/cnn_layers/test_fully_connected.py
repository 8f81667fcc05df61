import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.gradient_check import gradient_check
from etude.core.random import stream
from etude.formulas.cnn_layers.convolution import conv2d
from etude.formulas.cnn_layers.fully_connected import linear
from tests.on_device import agrees_on_device


def layer(*batch, inputs=4, outputs=3, dtype=torch.float64):
    return (
        torch.randn(*batch, inputs, generator=stream(0), dtype=dtype),
        torch.randn(outputs, inputs, generator=stream(1), dtype=dtype),
        torch.randn(outputs, generator=stream(2), dtype=dtype),
    )


def test_one_output_in_the_head():
    y, pullback = linear(
        torch.tensor([[1.0, 2.0]]), torch.tensor([[3.0, 4.0]]), torch.tensor([5.0])
    )
    assert y.tolist() == [[16]]
    assert [share.tolist() for share in pullback(torch.tensor([[10.0]]))] == [
        [[30, 40]], [[10, 20]], [10],
    ]  # fmt: skip


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("batch", [(), (5,), (2, 3)])
def test_value_and_gradients_are_those_of_torch(batch, dtype, parity):
    arguments = layer(*batch, dtype=dtype)
    y, pullback = linear(*arguments)
    dy = torch.randn(y.shape, generator=stream(3), dtype=dtype)
    leaves = [argument.clone().requires_grad_() for argument in arguments]
    expected = F.linear(*leaves)
    kind, tolerance = str(dtype).removeprefix("torch."), 1e-10 if dtype == torch.float64 else 1e-5
    reference = "torch.nn.functional.linear"
    parity(f"linear, {kind}", y, expected, reference=reference, tolerance=tolerance)
    gradients = torch.autograd.grad(expected, leaves, dy)
    for item, ours, theirs in zip(("x", "weight", "bias"), pullback(dy), gradients, strict=True):
        assert ours.dtype == dtype
        parity(f"linear, gradient of {item}, {kind}", ours, theirs,
               reference=reference, tolerance=tolerance)  # fmt: skip


def test_the_gradients_are_the_measured_slopes(generator):
    assert max(gradient_check(linear, *layer(2, 3), generator=generator)) < 1e-7


@settings(deadline=None, max_examples=30)
@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_it_is_a_convolution_whose_kernel_covers_the_image(channels, height, width, outputs):
    x, weight, bias = layer(2, inputs=channels * height * width, outputs=outputs)
    shape = (channels, height, width)
    y, back = linear(x, weight, bias)
    z, back_too = conv2d(x.unflatten(1, shape), weight.unflatten(1, shape), bias)
    torch.testing.assert_close(y, z[..., 0, 0])
    for ours, theirs in zip(back(y), back_too(z), strict=True):
        torch.testing.assert_close(ours, theirs.reshape(ours.shape))


def test_without_a_bias_there_is_none_to_learn():
    x, weight, _ = layer(5)
    y, pullback = linear(x, weight)
    torch.testing.assert_close(y, F.linear(x, weight))
    assert pullback(y)[2] is None


def test_no_rows_are_no_answers():
    x, weight, bias = layer(0)
    y, pullback = linear(x, weight, bias)
    dx, dweight, dbias = pullback(y)
    assert (y.shape, dx.shape) == ((0, 3), (0, 4))
    assert not dweight.any()
    assert not dbias.any()


def test_memory_in_another_order_changes_nothing():
    x, weight, bias = layer(4, outputs=4)
    (ours, back), (theirs, back_too) = (
        linear(x.T, weight.T, bias),
        linear(x.T.contiguous(), weight.T.contiguous(), bias),
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(back(ours.T.contiguous().T), back_too(theirs))


@pytest.mark.usefixtures("as_a_user")
def test_what_does_not_fit_is_named():
    x, weight, bias = layer(5)
    with pytest.raises(ShapeError, match="weight has 3 inputs, expected 4"):
        linear(x, weight[:, :3], bias)
    with pytest.raises(ShapeError, match="bias has 2 outputs, expected 3"):
        linear(x, weight, bias[:2])
    with pytest.raises(TypeError, match="x holds int64"):
        linear(x.long(), weight, bias)
    with pytest.raises(ShapeError, match="dy has shape"):
        linear(x, weight, bias)[1](bias)


def test_everything_stays_on_the_device(fake_device):
    def there_and_back(*arguments):
        y, pullback = linear(*arguments)
        return y, pullback(y)

    agrees_on_device(there_and_back, *layer(5))
