"""The two kits: one start, one answer; poolings as modules; first weights by a rule."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.random import seeded, stream
from etude.formulas.cnn_layers import pooling
from etude.formulas.rnn_layers.initialization import he_normal, normal, orthogonal
from etude.networks.cnn.layers import OURS, TORCH, Pool, initialize
from etude.networks.cnn.network import ConvNet, ConvNetConfig, LeNet
from etude.networks.cnn.normalization import BatchNorm
from etude.networks.cnn.resnet import ResNetClassifier, ResNetConfig

NETWORKS = {
    "LeNet": lambda layers: LeNet(16, layers=layers),
    "ConvNet": lambda layers: ConvNet(
        ConvNetConfig(widths=(3, 4), size=16, normalize=True, head="flatten", pool="max"), layers
    ),
    "ResNet": lambda layers: ResNetClassifier(ResNetConfig(embedding=4, widths=(4, 8)), layers),
}


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_of_our_layers_is_that_of_torch(name, parity):
    """One seed, one batch: the same scores, gradients and memories."""
    models, losses = [], []
    for layers in (OURS, TORCH):
        with seeded(3):
            models.append(NETWORKS[name](layers).double())
    ours, theirs = models
    assert list(ours.state_dict()) == list(theirs.state_dict())
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(a, b)
    ours.load_state_dict(theirs.state_dict())  # the last digit of a drawn weight may differ
    x, labels = draw(5, 1, 16, 16), torch.tensor([3, 1, 4, 1, 5])
    for model in models:
        losses.append(model.loss(x, labels))
        losses[-1].backward()
    reference = "the same network of torch.nn"
    parity(f"{name} of our layers: loss", *losses, reference=reference, tolerance=1e-12)
    for (key, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        parity(f"{name} of our layers: gradients", mine.grad, other.grad,
               reference=reference, tolerance=1e-10)  # fmt: skip
        assert mine.grad.abs().max() > 0 or "convolution.bias" in key or key.endswith("0.bias")
    for key, mine in ours.state_dict().items():
        torch.testing.assert_close(mine, theirs.state_dict()[key], rtol=1e-10, atol=1e-12)


def test_our_kit_computes_by_our_layers_only():
    for name, make in NETWORKS.items():
        found = {type(m) for m in make(OURS).modules()}
        assert not found & {nn.Conv2d, nn.Linear, nn.BatchNorm2d}, name
    assert OURS.normalization is BatchNorm


@pytest.mark.parametrize("kind", ["max", "average", "sum", "l2", "expectation"])
@pytest.mark.parametrize("size", [2, None])
def test_a_pooling_as_a_module_is_its_formula(kind, size):
    x = draw(2, 3, 4, 6)
    formula = getattr(pooling, f"{kind}_pool2d")
    expected, _ = formula(x, (4, 6) if size is None else size)
    torch.testing.assert_close(Pool(kind, size).double()(x), expected)


@pytest.mark.parametrize("size", [2, None])
def test_the_sharpness_of_an_expectation_is_learned(size):
    pool, x = Pool("expectation", size).double(), draw(2, 3, 4, 4).requires_grad_()
    y = pool(x)
    window = y.shape[2]
    y.square().sum().backward()
    leaf, m = x.detach().requires_grad_(), torch.ones((), dtype=torch.float64, requires_grad=True)
    side = 4 // window
    cells = leaf.unfold(2, side, side).unfold(3, side, side).flatten(-2)
    ((cells * m).softmax(-1) * cells).sum(-1).square().sum().backward()
    torch.testing.assert_close(x.grad, leaf.grad)
    torch.testing.assert_close(pool.sharpness.grad[0], m.grad)


def test_a_pooling_strides_and_pads_as_torch_does(parity):
    x = draw(2, 3, 9, 8)
    parity("Pool max 3, stride 2, padding 1", Pool("max", 3, 2, 1)(x), F.max_pool2d(x, 3, 2, 1),
           reference="F.max_pool2d", tolerance=0.0)  # fmt: skip


@pytest.mark.usefixtures("as_a_user")
def test_a_pooling_is_one_of_five():
    with pytest.raises(ValueError, match="kind must be one of 'max', .*, got 'mean'"):
        Pool("mean")
    with pytest.raises(ValueError, match="padding of an expectation"):
        Pool("expectation", 3, padding=1)


def test_first_weights_follow_the_rule_and_biases_are_zero():
    with seeded(0):
        net = ConvNet(ConvNetConfig(widths=(64, 64), normalize=True))
    initialize(net, he_normal, generator=stream(0))
    convolution = net.blocks[1][0]
    expected = (2 / (64 * 9)) ** 0.5
    assert convolution.weight.std().item() == pytest.approx(expected, rel=0.02)
    assert not convolution.bias.any()
    assert not net.scores.bias.any()
    assert net.blocks[1][1].weight.eq(1).all()  # the scale of a normalization has one axis


def test_a_rule_may_be_bound_and_a_seed_gives_one_start():
    starts = []
    for seed in (0, 0, 1):
        net = LeNet(16)
        initialize(net, partial(normal, std=0.5), generator=stream(seed))
        starts.append(net.maps[0].weight.detach().clone())
    assert torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], starts[2])
    initialize(net, orthogonal, generator=stream(0))
    rows = net.head[1].weight
    torch.testing.assert_close(rows.T @ rows, torch.eye(rows.shape[1]), rtol=0, atol=1e-5)


def test_double_weights_stay_double():
    net = LeNet(16).double()
    initialize(net, he_normal, generator=stream(0))
    assert net.maps[0].weight.dtype == torch.float64
