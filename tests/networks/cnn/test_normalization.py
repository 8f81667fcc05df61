"""Normalization: values, memories and gradients are torch's; what each axis is normalized with."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.errors import ShapeError
from etude.core.random import seeded, stream
from etude.networks.cnn.normalization import BatchNorm, batch_norm, group_norm, layer_norm

SHAPES = [(6, 4), (5, 4, 7), (3, 4, 5, 6), (2, 4, 2, 3, 2)]


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def positive(*shape, seed=0):
    return draw(*shape, seed=seed).square() + 0.1


def gradients(y, leaves, seed=9):
    return torch.autograd.grad(y, leaves, draw(*y.shape, seed=seed))


def compared(item, reference, mine, theirs, parity, tolerance=1e-12):
    """Two functions of leaves of their own: the same values, the same gradients."""
    (ours, own), (expected, other) = mine, theirs
    parity(item, ours, expected, reference=reference, tolerance=tolerance)
    for slope, wanted in zip(gradients(ours, own), gradients(expected, other), strict=True):
        parity(f"{item}, gradients", slope, wanted, reference=reference, tolerance=tolerance)


def twice(*tensors):
    return [[t.clone().requires_grad_() for t in tensors] for _ in range(2)]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("affine", [True, False])
def test_batch_norm_is_that_of_torch(shape, training, affine, parity):
    mine, theirs = twice(3 + 2 * draw(*shape), *(draw(4, seed=k) for k in (1, 2) if affine))
    mean, var = draw(4, seed=3), positive(4, seed=4)
    x, *scales = mine
    y, new_mean, new_var = batch_norm(x, mean, var, *(scales or (None, None)), training, 0.2, 1e-4)
    x, *scales = theirs
    theirs_mean, theirs_var = mean.clone(), var.clone()
    expected = F.batch_norm(x, theirs_mean, theirs_var, *scales, training=training,
                            momentum=0.2, eps=1e-4)  # fmt: skip
    item = f"batch_norm, {'training' if training else 'afterwards'}"
    compared(item, "F.batch_norm", (y, mine), (expected, theirs), parity)
    for name, ours, other in (("mean", new_mean, theirs_mean), ("variance", new_var, theirs_var)):
        parity(f"{item}, remembered {name}", ours, other,
               reference="F.batch_norm", tolerance=1e-12)  # fmt: skip


def test_in_float32_to_its_last_digits(parity):
    x = 3 + 2 * draw(16, 4, 9, 9, dtype=torch.float32)
    mean, var = torch.zeros(4), torch.ones(4)
    expected = F.batch_norm(x, mean.clone(), var.clone(), training=True)
    parity("batch_norm, float32", batch_norm(x, mean, var).y, expected,
           reference="F.batch_norm", tolerance=1e-6)  # fmt: skip


def test_a_channel_becomes_standard_whatever_its_scale():
    x = 1e3 + 50 * draw(8, 3, 5, 5)
    y = batch_norm(x, torch.zeros(3).double(), torch.ones(3).double()).y
    assert y.mean((0, 2, 3)).abs().max() < 1e-10
    torch.testing.assert_close(y.var((0, 2, 3), correction=0), torch.ones(3).double(), rtol=1e-7, atol=0)  # fmt: skip


def test_training_makes_the_examples_of_a_batch_see_each_other():
    x, given = draw(4, 2, 3), (torch.zeros(2).double(), torch.ones(2).double())
    other = x.clone()
    other[3] += 5
    for training in (True, False):
        alike = torch.allclose(
            *(batch_norm(z, *given, training=training).y[:3] for z in (x, other))
        )
        assert alike is not training


def test_what_is_remembered_has_no_history():
    x = draw(4, 2, 3).requires_grad_()
    _, mean, var = batch_norm(x, draw(2), positive(2))
    assert not mean.requires_grad
    assert not var.requires_grad


def test_nothing_given_is_changed():
    x, mean, var = draw(4, 2, 3), draw(2), positive(2)
    before = [t.clone() for t in (x, mean, var)]
    batch_norm(x, mean, var)
    assert all(torch.equal(a, b) for a, b in zip(before, (x, mean, var), strict=True))


@pytest.mark.parametrize(
    ("axes", "theirs"), [(2, nn.BatchNorm1d), (3, nn.BatchNorm1d), (4, nn.BatchNorm2d)]
)
def test_it_loads_the_batch_norm_of_torch_and_back(axes, theirs, parity):
    ours, other = BatchNorm(3).double(), theirs(3).double()
    with torch.no_grad():
        other.weight.copy_(draw(3))
        other.bias.copy_(draw(3, seed=1))
    ours.load_state_dict(other.state_dict())
    reference = f"torch.nn.{theirs.__name__}"
    for step in range(3):
        x = 2 + draw(4, 3, 5, 6, seed=step)[(..., *[0] * (4 - axes))]
        parity("BatchNorm, three batches", ours(x), other(x), reference=reference, tolerance=1e-12)
    assert ours.num_batches_tracked == 3
    for model in (ours, other):
        model.eval()
    parity("BatchNorm, afterwards", ours(x), other(x), reference=reference, tolerance=1e-12)
    for name, value in other.state_dict().items():
        torch.testing.assert_close(ours.state_dict()[name], value, rtol=1e-12, atol=1e-12)
    fresh = theirs(3).double()
    fresh.load_state_dict(ours.state_dict())
    torch.testing.assert_close(fresh.eval()(x), ours(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("shape", [(5,), (4, 5), (2, 4, 5)])
@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm_is_that_of_torch(shape, affine, parity):
    mine, theirs = twice(2 + draw(3, 2, 4, 5), *(draw(*shape, seed=k) for k in (1, 2) if affine))
    ours = layer_norm(mine[0], shape, *mine[1:], eps=1e-4)
    expected = F.layer_norm(theirs[0], shape, *theirs[1:], eps=1e-4)
    compared("layer_norm", "F.layer_norm", (ours, mine), (expected, theirs), parity)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("groups", [1, 2, 4])
@pytest.mark.parametrize("affine", [True, False])
def test_group_norm_is_that_of_torch(shape, groups, affine, parity):
    if len(shape) == 2 and groups == 4:
        groups = 2  # groups of one number are 0, and so are all gradients
    mine, theirs = twice(2 + draw(*shape), *(draw(4, seed=k) for k in (1, 2) if affine))
    ours = group_norm(mine[0], groups, *mine[1:], eps=1e-4)
    expected = F.group_norm(theirs[0], groups, *theirs[1:], eps=1e-4)
    compared("group_norm", "F.group_norm", (ours, mine), (expected, theirs), parity)


def test_one_group_is_a_layer_norm_of_the_example():
    x = draw(3, 4, 5)
    torch.testing.assert_close(group_norm(x, 1), layer_norm(x, (4, 5)))


def test_an_example_alone_is_normalized_by_layers_and_groups():
    x = draw(1, 4)
    assert layer_norm(x, (4,)).isfinite().all()
    with pytest.raises(ValueError, match=r"x has one number in each channel, shape \(1, 4\)"):
        batch_norm(x, torch.zeros(4).double(), torch.ones(4).double())


def test_a_silent_channel_stays_silent():
    x = torch.ones(4, 2, 3, dtype=torch.float64)
    for y in (batch_norm(x, torch.zeros(2).double(), torch.ones(2).double()).y, group_norm(x, 2)):
        assert torch.equal(y, torch.zeros_like(x))


@pytest.mark.usefixtures("as_a_user")
def test_what_does_not_fit_is_said():
    x = draw(2, 4, 3)
    two, four = torch.zeros(2).double(), torch.ones(4).double()
    with pytest.raises(ShapeError, match="mean has 2 channels, expected 4"):
        batch_norm(x, two, four)
    with pytest.raises(ShapeError, match="weight has 2 channels, expected 4"):
        group_norm(x, 2, two)
    with pytest.raises(ValueError, match="groups must divide the 4 channels of x, got 3"):
        group_norm(x, 3)
    with pytest.raises(ShapeError, match=r"expected one that ends with \(4,\)"):
        layer_norm(x, (4,))
    with pytest.raises(ShapeError, match=r"bias has shape \(2,\), expected \(3,\)"):
        layer_norm(x, (3,), None, two)
    with pytest.raises(ShapeError, match=r"x has 1 axes, expected \(batch channels"):
        group_norm(two, 1)
    with pytest.raises(TypeError, match="x holds int64"):
        batch_norm(torch.ones(2, 4, dtype=torch.long), four, four)


def test_a_network_learns_through_it():
    with seeded(0):
        net = nn.Sequential(nn.Linear(3, 8), BatchNorm(8), nn.ReLU(), nn.Linear(8, 1))
    x = draw(64, 3, dtype=torch.float32)
    y, descent = x[:, :1] * x[:, 1:2], torch.optim.Adam(net.parameters(), 0.02)
    losses = []
    for _ in range(300):
        loss = F.mse_loss(net(x), y)
        losses.append(loss.item())
        descent.zero_grad()
        loss.backward()
        descent.step()
    assert losses[-1] < 0.2 * losses[0]
