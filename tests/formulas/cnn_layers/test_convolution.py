import pytest
import scipy.signal
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.gradient_check import gradient_check
from etude.core.random import stream
from etude.formulas.cnn_layers.convolution import (
    conv1d,
    conv2d,
    conv2d_by_definition,
    conv2d_by_fourier,
    conv_transpose2d,
    true_convolution2d,
)
from tests.on_device import agrees_on_device

TOLERANCE = {torch.float64: 1e-10, torch.float32: 1e-5}


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def layer(groups=1, outputs=4, depth=3, size=(3, 2), height=9, width=10, dtype=torch.float64):
    """An image, kernels and biases that fit."""
    return (
        draw(2, depth * groups, height, width, dtype=dtype),
        draw(outputs * groups, depth, *size, seed=1, dtype=dtype),
        draw(outputs * groups, seed=2, dtype=dtype),
    )


def autograd(function, *arguments, dy):
    """What torch gives: the value, and the gradient at every argument that is there."""
    leaves = [argument.detach().clone().requires_grad_() for argument in arguments]
    y = function(*leaves)
    return y.detach(), torch.autograd.grad(y, leaves, dy)


GEOMETRIES = {
    "plain": {},
    "stride": {"stride": (2, 3)},
    "padding": {"padding": (2, 1)},
    "dilation": {"dilation": (2, 3)},
    "groups": {"groups": 2},
    "depthwise": {"groups": 3, "depth": 1, "outputs": 1},
    "1 × 1": {"size": (1, 1)},
    "stride larger than the kernel": {"stride": 4},
    "rows never touched": {"stride": 2, "size": (2, 2)},
    "everything": {"stride": (2, 3), "padding": (1, 2), "dilation": (3, 2), "groups": 2},
}
SHAPE = ("size", "depth", "outputs")


def split(geometry):
    """What the layer is made of, and how it is applied."""
    shape = {key: geometry[key] for key in SHAPE if key in geometry}
    options = {key: value for key, value in geometry.items() if key not in SHAPE}
    return layer(groups=geometry.get("groups", 1), **shape), options


# ---- the definition


def test_a_difference_of_neighbors_in_the_head():
    x = torch.tensor([[[[1.0, 4.0, 9.0, 16.0]]]])
    y, pullback = conv2d(x, torch.tensor([[[[-1.0, 1.0]]]]), torch.tensor([10.0]))
    assert y.tolist() == [[[[13, 15, 17]]]]
    dx, dweight, dbias = pullback(torch.tensor([[[[1.0, 0.0, 2.0]]]]))
    assert dx.tolist() == [[[[-1, 1, -2, 2]]]]
    assert dweight.tolist() == [[[[19, 36]]]]
    assert dbias.tolist() == [3]


def test_the_kernel_is_not_turned():
    """A lone pixel shows the kernel upside down: cross-correlation, as in every library."""
    dot = torch.zeros(1, 1, 3, 3)
    dot[0, 0, 1, 1] = 1
    kernel = torch.arange(4.0).reshape(1, 1, 2, 2)
    assert conv2d(dot, kernel)[0][0, 0].tolist() == [[3, 2], [1, 0]]


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_product_is_the_definition(name, parity):
    arguments, options = split(GEOMETRIES[name])
    parity(
        "conv2d", conv2d(*arguments, **options)[0], conv2d_by_definition(*arguments, **options),
        reference="the sum as written", tolerance=1e-12,
    )  # fmt: skip


# ---- the reference


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", GEOMETRIES)
def test_value_and_gradients_are_those_of_torch(name, dtype, parity):
    (x, weight, bias), options = split(GEOMETRIES[name])
    arguments = x.to(dtype), weight.to(dtype), bias.to(dtype)
    y, pullback = conv2d(*arguments, **options)
    dy = draw(*y.shape, seed=3).to(dtype)
    theirs, gradients = autograd(lambda *a: F.conv2d(*a, **options), *arguments, dy=dy)
    kind = str(dtype).removeprefix("torch.")

    def same(item, ours, expected):
        assert ours.dtype == dtype
        parity(f"{item}, {kind}", ours, expected, reference="torch.nn.functional.conv2d",
               tolerance=TOLERANCE[dtype])  # fmt: skip

    same("conv2d", y, theirs)
    for item, ours, expected in zip(("x", "weight", "bias"), pullback(dy), gradients, strict=True):
        same(f"conv2d, gradient of {item}", ours, expected)


@settings(deadline=None, max_examples=40)
@given(
    batch=st.integers(0, 3), groups=st.integers(1, 3), depth=st.integers(1, 3),
    outputs=st.integers(1, 3), height=st.integers(1, 8), width=st.integers(1, 8),
    size=st.tuples(st.integers(1, 3), st.integers(1, 3)), stride=st.integers(1, 4),
    padding=st.integers(0, 2), dilation=st.integers(1, 3), seed=st.integers(0, 99),
    biased=st.booleans(),
)  # fmt: skip
def test_any_layer_is_the_one_of_torch(
    batch, groups, depth, outputs, height, width, size, stride, padding, dilation, seed, biased
):
    assume(dilation * (size[0] - 1) < height + 2 * padding)
    assume(dilation * (size[1] - 1) < width + 2 * padding)
    x = draw(batch, groups * depth, height, width, seed=seed)
    weight = draw(groups * outputs, depth, *size, seed=seed + 1)
    bias = draw(groups * outputs, seed=seed + 2) if biased else None
    given_ = (x, weight, bias) if biased else (x, weight)
    geometry = (stride, padding, dilation, groups)
    y, pullback = conv2d(x, weight, bias, *geometry)
    dy = draw(*y.shape, seed=seed + 3)
    theirs, gradients = autograd(
        lambda x, w, b=None: F.conv2d(x, w, b, *geometry), *given_, dy=dy
    )  # fmt: skip
    torch.testing.assert_close(y, theirs)
    for ours, expected in zip(pullback(dy), gradients, strict=False):
        torch.testing.assert_close(ours, expected)
    assert (pullback(dy)[2] is None) != biased


@pytest.mark.parametrize("options", [{}, {"stride": 2, "padding": 2, "dilation": 3, "groups": 2}])
def test_sequences_are_convolved_as_torch_does(options, parity):
    groups = options.get("groups", 1)
    arguments = (draw(2, 3 * groups, 15), draw(4 * groups, 3, 4, seed=1), draw(4 * groups, seed=2))
    y, pullback = conv1d(*arguments, **options)
    dy = draw(*y.shape, seed=3)
    theirs, gradients = autograd(lambda *a: F.conv1d(*a, **options), *arguments, dy=dy)
    reference = "torch.nn.functional.conv1d"
    parity("conv1d", y, theirs, reference=reference, tolerance=1e-10)
    for item, ours, expected in zip(("x", "weight", "bias"), pullback(dy), gradients, strict=True):
        parity(f"conv1d, gradient of {item}", ours, expected, reference=reference, tolerance=1e-10)
    assert conv1d(*arguments[:2], **options)[1](dy)[2] is None


@pytest.mark.parametrize(
    "options", [{}, {"stride": (2, 3), "padding": (1, 0), "output_padding": (1, 2), "groups": 2}]
)
def test_the_transposed_layer_is_the_one_of_torch(options, parity):
    depth = 2
    groups = options.get("groups", 1)
    y, weight, bias = draw(2, 4, 4, 3), draw(4, depth, 3, 2, seed=1), draw(groups * depth, seed=2)
    x, pullback = conv_transpose2d(y, weight, bias, **options)
    dx = draw(*x.shape, seed=3)
    theirs, gradients = autograd(
        lambda *a: F.conv_transpose2d(*a, **options), y, weight, bias, dy=dx
    )
    reference = "torch.nn.functional.conv_transpose2d"
    parity("conv_transpose2d", x, theirs, reference=reference, tolerance=1e-10)
    for item, ours, expected in zip(("y", "weight", "bias"), pullback(dx), gradients, strict=True):
        parity(f"conv_transpose2d, gradient of {item}", ours, expected,
               reference=reference, tolerance=1e-10)  # fmt: skip
    assert conv_transpose2d(y, weight, **options)[1](dx)[2] is None


@pytest.mark.parametrize("size", [(1, 1), (3, 4), (9, 10)])
def test_the_spectrum_gives_the_same_answers(size, parity):
    arguments = layer(size=size)
    parity("conv2d by Fourier", conv2d_by_fourier(*arguments), F.conv2d(*arguments),
           reference="torch.nn.functional.conv2d", tolerance=1e-10)  # fmt: skip
    parity("conv2d by Fourier", conv2d_by_fourier(*arguments[:2]), F.conv2d(*arguments[:2]),
           reference="torch.nn.functional.conv2d", tolerance=1e-10)  # fmt: skip


# ---- the true convolution


def test_the_true_convolution_is_that_of_scipy(parity):
    f, g = draw(6, 7), draw(3, 4, seed=1)
    theirs = scipy.signal.convolve2d(f, g)
    parity("true convolution", true_convolution2d(f, g), theirs,
           reference="scipy.signal.convolve2d", tolerance=1e-12)  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=3, max_size=3),
       st.integers(0, 99))  # fmt: skip
def test_the_true_convolution_is_a_product(shapes, seed):
    """It commutes, and it does not matter which pair is taken first."""
    f, g, h = (draw(*shape, seed=seed + n) for n, shape in enumerate(shapes))
    star = true_convolution2d
    torch.testing.assert_close(star(f, g), star(g, f))
    torch.testing.assert_close(star(star(f, g), h), star(f, star(g, h)))
    torch.testing.assert_close(star(f, torch.ones(1, 1, dtype=f.dtype)), f)


# ---- the symmetry


@pytest.mark.parametrize("name", GEOMETRIES)
def test_the_gradients_are_the_measured_slopes(name, generator):
    shape = {key: GEOMETRIES[name][key] for key in SHAPE if key in GEOMETRIES[name]}
    options = {key: value for key, value in GEOMETRIES[name].items() if key not in SHAPE}
    small = {"outputs": 2, "depth": 2, "height": 6, "width": 6}
    arguments = layer(options.get("groups", 1), **(small | shape))
    worst = gradient_check(lambda *a: conv2d(*a, **options), *arguments, generator=generator)
    assert max(worst) < 1e-7


def test_a_shifted_image_gives_shifted_answers():
    x, weight, bias = layer()
    moved = conv2d(x[..., 2:, 1:], weight, bias)[0]
    torch.testing.assert_close(moved, conv2d(x, weight, bias)[0][..., 2:, 1:])


def test_answers_are_linear_in_image_and_kernel():
    x, weight, _ = layer()
    double = conv2d(2 * x, weight)[0]
    torch.testing.assert_close(double, 2 * conv2d(x, weight)[0])
    torch.testing.assert_close(double, conv2d(x, 2 * weight)[0])


def test_examples_do_not_see_each_other():
    x, weight, bias = layer()
    one_by_one = torch.cat([conv2d(one[None], weight, bias)[0] for one in x])
    torch.testing.assert_close(conv2d(x, weight, bias)[0], one_by_one)


def test_rows_that_no_window_touches_get_no_gradient():
    x, weight, bias = layer(size=(2, 2), height=9)
    y, pullback = conv2d(x, weight, bias, stride=2)
    dx, _, _ = pullback(torch.ones_like(y))
    assert torch.equal(dx[:, :, 8], torch.zeros_like(dx[:, :, 8]))
    assert dx.shape == x.shape


# ---- the edge


def test_no_examples_are_no_answers():
    x, weight, bias = layer()
    y, pullback = conv2d(x[:0], weight, bias)
    assert y.shape == (0, 4, 7, 9)
    dx, dweight, dbias = pullback(y)
    assert dx.shape == (0, 3, 9, 10)
    assert not dweight.any()
    assert not dbias.any()


def test_memory_in_another_order_changes_nothing():
    x, weight, bias = layer(size=(3, 3), height=9, width=9)
    last = x.to(memory_format=torch.channels_last)
    assert not last.is_contiguous()
    (ours, back), (theirs, back_too) = (
        conv2d(last, weight.mT, bias),
        conv2d(x, weight.mT.contiguous(), bias),
    )
    torch.testing.assert_close(ours, theirs)
    torch.testing.assert_close(back(ours.mT.contiguous().mT), back_too(theirs))


def test_arguments_are_left_as_they_were():
    arguments = layer()
    before = [argument.clone() for argument in arguments]
    y, pullback = conv2d(*arguments, stride=2, padding=1)
    dy = torch.ones_like(y)
    pullback(dy)
    assert all(map(torch.equal, arguments, before))
    assert torch.equal(dy, torch.ones_like(y))


# ---- the error


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("function", [conv2d, conv2d_by_definition, conv2d_by_fourier])
def test_what_does_not_fit_is_named(function):
    x, weight, bias = layer()
    with pytest.raises(ShapeError, match="weight has 2 channels, expected 3"):
        function(x, weight[:, :2], bias)
    with pytest.raises(ShapeError, match="bias has 3 outputs, expected 4"):
        function(x, weight, bias[:3])
    with pytest.raises(ShapeError, match="x has 3 axes"):
        function(x[0], weight, bias)
    with pytest.raises(TypeError, match="weight holds int64"):
        function(x, weight.long(), bias)
    with pytest.raises(TypeError, match="weight holds float32, x float64"):
        function(x, weight.float(), bias)


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("function", [conv2d, conv2d_by_definition])
def test_groups_that_do_not_divide_are_named(function):
    x, weight, bias = layer()
    for groups in (0, 2, 3):
        with pytest.raises(ValueError, match=f"3 channels of x .* 4 kernels .* got {groups}"):
            function(x, weight, bias, groups=groups)


@pytest.mark.usefixtures("as_a_user")
def test_a_kernel_larger_than_the_image_is_named():
    x, weight, bias = layer(size=(3, 3), height=2)
    for function in (conv2d, conv2d_by_definition, conv2d_by_fourier):
        with pytest.raises(ShapeError, match=r"reaches over \(3, 3\) pixels, x has only \(2, 10\)"):
            function(x, weight, bias)


@pytest.mark.usefixtures("as_a_user")
def test_a_sequence_is_not_an_image():
    with pytest.raises(ShapeError, match="x has 4 axes"):
        conv1d(draw(1, 3, 5, 5), draw(2, 3, 2))
    with pytest.raises(ShapeError, match="weight has 4 axes"):
        conv1d(draw(1, 3, 5), draw(2, 3, 2, 2))
    with pytest.raises(ShapeError, match="g has 3 axes"):
        true_convolution2d(draw(3, 3), draw(1, 2, 2))
    with pytest.raises(ShapeError, match="y has 3 axes"):
        conv_transpose2d(draw(1, 3, 5), draw(3, 3, 2, 2))


def test_a_gradient_that_would_be_broadcast_is_refused():
    y, pullback = conv2d(*layer())
    with pytest.raises(ShapeError, match="dy has shape"):
        pullback(y[:, :1])
    x, pullback = conv_transpose2d(draw(1, 2, 3, 3), draw(2, 2, 2, 2))
    with pytest.raises(ShapeError, match="dx has shape"):
        pullback(x[:, :1])


# ---- the device


def test_everything_stays_on_the_device(fake_device):
    def everything(x, weight, bias):
        y, pullback = conv2d(x, weight, bias, 2, 1)
        sequence, back = conv1d(x[:, :, 0], weight[..., 0], bias)
        painted, back_too = conv_transpose2d(y, weight)
        return (
            y, pullback(y), sequence, back(sequence), painted, back_too(painted),
            conv2d_by_definition(x, weight, bias, 3), true_convolution2d(x[0, 0], weight[0, 0]),
        )  # fmt: skip

    agrees_on_device(everything, *layer(dtype=torch.float32), tolerance=1e-4)


def test_the_spectrum_stays_on_the_device(fake_device):
    agrees_on_device(conv2d_by_fourier, *layer(dtype=torch.float32), tolerance=1e-4)
