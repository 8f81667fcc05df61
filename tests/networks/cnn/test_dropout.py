"""Dropout: what is silenced, how the rest is scaled, when it ends."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.random import seeded, stream
from etude.networks.cnn.dropout import Dropout, dropout, dropout2d

SHAPE = (40, 50, 3, 4)  # 24,000 numbers, 2,000 maps


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


@pytest.mark.parametrize("p", [0.1, 0.5, 0.8])
def test_what_is_left_is_scaled_and_the_mean_stays(p):
    x = torch.ones(SHAPE, dtype=torch.float64)
    y = dropout(x, p, generator=stream(0))
    assert y.unique().tolist() == pytest.approx([0, 1 / (1 - p)])
    assert abs((y == 0).double().mean() - p) < 4 * math.sqrt(p * (1 - p) / x.numel())


def test_zeros_and_mean_square_are_those_of_torch(parity):
    """Both draw their own masks: shares agree within five standard errors of the difference."""
    p, count = 0.3, 400_000
    x = torch.ones(count)
    with seeded(0):
        theirs = F.dropout(x, p)
    ours = dropout(x, p, generator=stream(1))
    error = 5 * math.sqrt(2 * p * (1 - p) / count)
    for item, of in (("zeros", lambda y: y == 0), ("mean square", lambda y: y.square())):
        parity(f"dropout: {item}", of(ours).double().mean(), of(theirs).double().mean(),
               reference="F.dropout", tolerance=error * (1 if item == "zeros" else 1 / (1 - p) ** 2))  # fmt: skip


def test_whole_maps_are_silenced_together():
    y = dropout2d(torch.ones(SHAPE), 0.3, generator=stream(0)).flatten(2)
    assert torch.equal(y.amin(2), y.amax(2))
    gone = (y[..., 0] == 0).double()
    assert abs(gone.mean() - 0.3) < 4 * math.sqrt(0.21 / gone.numel())
    assert 0 < gone.mean(1).std()  # not the same maps in each image
    assert 0 < gone.mean(0).std()


def test_every_number_is_decided_for_itself():
    y = dropout(torch.ones(SHAPE), 0.5, generator=stream(0)) == 0
    for axis in range(4):
        assert (y.double().mean(axis) - y.double().mean()).abs().max() > 0


def test_the_gradient_passes_where_the_number_did():
    x = draw(30, 5).requires_grad_()
    y = dropout(x, 0.4, generator=stream(0))
    y.sum().backward()
    torch.testing.assert_close(x.grad, (y != 0).double() / 0.6)


def test_after_training_nothing_happens():
    x = draw(4, 3)
    assert torch.equal(dropout(x, 0.5, training=False), x)
    layer = Dropout(0.5)
    assert not torch.equal(layer(x, stream(0)), x)
    assert torch.equal(layer.eval()(x, stream(0)), x)


@pytest.mark.parametrize("silence", [dropout, dropout2d])
def test_the_ends_of_the_scale(silence):
    x = draw(2, 3, 4, 4)
    assert torch.equal(silence(x, 0.0), x)
    assert torch.equal(silence(x, 1.0), torch.zeros_like(x))


def test_a_seed_gives_one_mask():
    x = torch.ones(100)
    one, two, other = (dropout(x, generator=stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_the_module_is_the_function():
    x = draw(4, 3, 2, 2)
    assert torch.equal(Dropout(0.3)(x, stream(0)), dropout(x, 0.3, generator=stream(0)))
    maps = Dropout(0.3, maps=True)
    assert torch.equal(maps(x, stream(0)), dropout2d(x, 0.3, generator=stream(0)))
    assert list(nn.Sequential(maps).state_dict()) == []


def test_the_mean_of_many_masks_is_the_scale_of_a_linear_layer():
    """Srivastava's test-time scaling is exact where nothing bends: E[Wy] = Wx."""
    x, W = draw(6), draw(3, 6, seed=1)
    many = dropout(x.expand(200_000, 6), 0.5, generator=stream(2)) @ W.T
    error = (W.square() @ x.square()).sqrt() / math.sqrt(len(many))  # p/(1−p) = 1
    assert ((many.mean(0) - W @ x).abs() < 4.5 * error).all()


@pytest.mark.parametrize("p", [-0.1, 1.5])
def test_a_probability_is_one(p):
    for make in (lambda: dropout(torch.ones(3), p), lambda: Dropout(p)):
        with pytest.raises(ValueError, match=f"p must lie between 0 and 1, got {p}"):
            make()


@pytest.mark.usefixtures("as_a_user")
def test_whole_numbers_and_missing_axes_are_refused():
    with pytest.raises(TypeError, match="x holds int64, expected a floating type"):
        dropout(torch.ones(3, dtype=torch.long))
    with pytest.raises(ValueError, match=r"x has 2 axes, shape \(3, 4\)"):
        dropout2d(torch.ones(3, 4))
