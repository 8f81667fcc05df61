import gc
import weakref
from functools import partial

import pytest
import torch
from torch import nn

from etude.core.random import seeded, stream
from etude.formulas.cnn_layers.convolution import conv2d
from etude.formulas.cnn_layers.layers import Conv2d, ExpectationPool, Linear, through
from etude.formulas.cnn_layers.pooling import l2_pool2d, max_pool2d
from etude.formulas.cnn_layers.reductions import expectation, maximum
from tests.on_device import agrees_on_device

CONVOLUTIONS = {
    "plain": ((3, 4, 3), {}),
    "all options": (
        (4, 6, (3, 2)),
        {"stride": (2, 1), "padding": (1, 2), "dilation": (1, 2), "groups": 2},
    ),
    "without bias": ((3, 4, 1), {"bias": False}),
}


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def same_as(ours, theirs, x, item, parity):
    """Load their state; the answers and all gradients are theirs."""
    ours, theirs = ours.double(), theirs.double()
    ours.load_state_dict(theirs.state_dict())
    leaves = x.clone().requires_grad_(), x.clone().requires_grad_()
    answers = ours(leaves[0]), theirs(leaves[1])
    reference = f"torch.nn.{type(theirs).__name__}"
    parity(item, *answers, reference=reference, tolerance=1e-10)
    dy = draw(*answers[0].shape, seed=1)
    gradients = [
        torch.autograd.grad(y, [leaf, *model.parameters()], dy)
        for y, leaf, model in zip(answers, leaves, (ours, theirs), strict=True)
    ]
    names = ["x", *dict(theirs.named_parameters())]
    for name, mine, expected in zip(names, *gradients, strict=True):
        parity(f"{item}, gradient of {name}", mine, expected, reference=reference, tolerance=1e-10)


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_it_loads_the_convolution_of_torch(name, parity):
    shape, options = CONVOLUTIONS[name]
    same_as(Conv2d(*shape, **options), nn.Conv2d(*shape, **options), draw(2, shape[0], 8, 9),
            "Conv2d", parity)  # fmt: skip


@pytest.mark.parametrize("bias", [True, False])
def test_it_loads_the_linear_layer_of_torch(bias, parity):
    same_as(Linear(5, 3, bias), nn.Linear(5, 3, bias), draw(2, 4, 5), "Linear", parity)


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (lambda: Conv2d(4, 6, (3, 2), groups=2), lambda: nn.Conv2d(4, 6, (3, 2), groups=2)),
        (lambda: Linear(5, 3), lambda: nn.Linear(5, 3)),
    ],
)
def test_a_seed_gives_the_parameters_of_torch(ours, theirs):
    """Same bounds, same order of drawing: a network of either kind starts at the same place."""
    with seeded(3):
        mine = ours()
    with seeded(3):
        expected = theirs()
    for key, value in expected.state_dict().items():
        torch.testing.assert_close(mine.state_dict()[key], value)


def test_the_pullback_is_the_gradient_that_autograd_uses():
    called = []

    def formula(x):
        return 3 * x, lambda dy: called.append(dy) or 7 * dy

    x = draw(2).requires_grad_()
    through(formula, x).sum().backward()
    assert x.grad.tolist() == [7, 7]
    assert len(called) == 1


@pytest.mark.parametrize(
    "formula", [maximum, partial(l2_pool2d, size=2), partial(max_pool2d, size=2)]
)
def test_autograds_own_check_passes(formula):
    x = draw(2, 2, 4, 4).requires_grad_()
    assert torch.autograd.gradcheck(lambda x: through(formula, x), (x,))


def test_autograds_own_check_passes_with_parameters():
    x, weight, bias = draw(2, 2, 5, 5), draw(3, 2, 2, 2, seed=1), draw(3, seed=2)
    leaves = [tensor.requires_grad_() for tensor in (x, weight, bias)]
    assert torch.autograd.gradcheck(lambda *a: through(partial(conv2d, stride=2), *a), leaves)
    assert torch.autograd.gradcheck(
        lambda x, m: through(expectation, x, m), (x, bias[:2, None].detach().requires_grad_())
    )


def test_a_second_derivative_is_refused_and_not_wrong():
    x = draw(3).requires_grad_()
    (slope,) = torch.autograd.grad(through(maximum, x).square(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_nothing_is_kept_after_use():
    layer = Linear(3, 2)
    y = layer(draw(4, 3).float())
    watch = weakref.ref(y)
    gc.disable()
    try:
        del y
        assert watch() is None
    finally:
        gc.enable()


def test_expectation_over_all_places_has_one_sharpness_or_one_a_channel():
    x = draw(2, 3, 4, 5).float()
    layer = ExpectationPool(0.5)
    torch.testing.assert_close(layer(x), expectation(x.flatten(2), 0.5)[0])
    assert [p.shape for p in layer.parameters()] == [(1,)]
    each = ExpectationPool(0.5, channels=3)
    torch.testing.assert_close(each(x), layer(x))
    each(x).square().sum().backward()
    layer(x).square().sum().backward()
    torch.testing.assert_close(each.sharpness.grad.sum()[None], layer.sharpness.grad)


def test_a_fixed_sharpness_is_not_trained():
    layer = ExpectationPool(2.0, trainable=False)
    x = draw(2, 3, 4).float().requires_grad_()
    layer(x).sum().backward()
    assert layer.sharpness.grad is None
    assert x.grad is not None


def test_a_network_of_them_learns_where_the_line_is():
    """Vertical or horizontal: 2 × 2 kernels, a soft maximum and one sum tell all of them apart."""
    x = 0.2 * draw(64, 1, 6, 6).float()
    label = torch.arange(64) % 2
    x[label == 1, :, :, 2] += 1
    x[label == 0, :, 2, :] += 1
    with seeded(0):
        model = nn.Sequential(Conv2d(1, 4, 2), ExpectationPool(channels=4), Linear(4, 2))
    descent = torch.optim.Adam(model.parameters(), lr=0.03)
    for _ in range(80):
        descent.zero_grad()
        nn.functional.cross_entropy(model(x), label).backward()
        descent.step()
    assert (model(x).argmax(dim=1) == label).all()


def test_channels_that_cannot_be_grouped_are_named():
    with pytest.raises(ValueError, match="groups must divide .* got 2, 3 and 4"):
        Conv2d(3, 4, 1, groups=2)
    with pytest.raises(ValueError, match="kernel_size must be at least 1"):
        Conv2d(3, 4, 0)


def test_everything_moves_to_the_device(fake_device):
    with seeded(0):
        model = nn.Sequential(Conv2d(1, 4, 2), ExpectationPool(channels=4), Linear(4, 2))

    def gradients(model, x):
        y = model(x)
        return (y, *torch.autograd.grad(y.square().sum(), list(model.parameters())))

    agrees_on_device(gradients, model, draw(2, 1, 5, 5).float(), tolerance=1e-5)
