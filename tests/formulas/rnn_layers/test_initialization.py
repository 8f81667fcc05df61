import math

import pytest
import torch
from torch import nn

from etude.core.errors import ShapeError
from etude.core.random import seeded, stream
from etude.formulas.rnn_layers import initialization as init
from etude.formulas.rnn_layers.activations import gelu, relu, sigmoid, tanh
from tests.on_device import agrees_on_device

SHAPES = [(40, 300), (300, 40), (64, 8, 3, 3)]
RULES = {
    init.glorot_normal: nn.init.xavier_normal_,
    init.glorot_uniform: nn.init.xavier_uniform_,
    init.he_normal: nn.init.kaiming_normal_,
    init.he_uniform: nn.init.kaiming_uniform_,
    init.lecun_normal: lambda w, generator: nn.init.kaiming_normal_(
        w, nonlinearity="linear", generator=generator
    ),
    init.lecun_uniform: lambda w, generator: nn.init.kaiming_uniform_(
        w, nonlinearity="linear", generator=generator
    ),
}


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


# ---- the definition


def test_fans_in_the_head():
    assert init.fans((3, 5)) == (5, 3)
    assert init.fans((3, 5, 2, 4)) == (40, 24)
    with pytest.raises(ShapeError, match=r"shape is \(3,\), expected \(outputs, inputs"):
        init.fans((3,))


def test_gains_that_are_known_exactly():
    """E relu(z)² = ½; E z² = 1; E σ(z)² from the symmetry of σ is above ¼."""
    assert init.gain(relu) == pytest.approx(math.sqrt(2), rel=1e-12)
    assert init.gain(lambda z: (z, None)) == pytest.approx(1, rel=1e-12)
    assert init.gain(lambda z: (z.square(), None)) == pytest.approx(1 / math.sqrt(3), rel=1e-12)
    assert init.gain(lambda z: (z.exp(), None)) == pytest.approx(math.exp(-1), rel=1e-10)
    assert 1 < init.gain(sigmoid) < 2


@pytest.mark.parametrize("bend", [relu, tanh, gelu, sigmoid])
def test_a_gain_makes_up_for_the_activation(bend):
    """Five standard errors of a mean of a million squares."""
    squares = bend(draw(1_000_000))[0].square()
    error = 5 * squares.std() / 1000
    assert abs(squares.mean() - init.gain(bend) ** -2) < error


# ---- the references


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("shape", SHAPES)
def test_the_spread_is_that_of_torch(rule, shape):
    """The variance of n normal numbers has the standard error √(2/n); of uniform ones, less."""
    ours = rule(shape, generator=stream(1), dtype=torch.float64)
    theirs = RULES[rule](torch.empty(shape, dtype=torch.float64), generator=stream(2))
    count = math.prod(shape)
    assert ours.shape == shape
    assert abs(ours.mean()) < 5 * ours.std() / math.sqrt(count)
    assert (ours.var() / theirs.var()).log().abs() < 5 * math.sqrt(2 * 2 / count)
    if rule.__name__.endswith("uniform"):
        edge = max(ours.abs().max(), theirs.abs().max())
        assert ours.abs().max() / edge > 0.995
        assert theirs.abs().max() / edge > 0.995
        middle = (ours.abs() < edge / 2).double().mean()
        assert abs(middle - 0.5) < 5 * 0.5 / math.sqrt(count)
    else:
        beyond = (ours.abs() > 2 * ours.std()).double().mean()
        share = math.erfc(math.sqrt(2))
        assert abs(beyond - share) < 5 * math.sqrt(share / count)


@pytest.mark.parametrize(
    ("rule", "variance"),
    [(init.glorot_normal, 2 / 340), (init.glorot_uniform, 2 / 340), (init.he_normal, 2 / 300),
     (init.he_uniform, 2 / 300), (init.lecun_normal, 1 / 300), (init.lecun_uniform, 1 / 300)],
)  # fmt: skip
def test_the_variance_is_the_rule(rule, variance):
    drawn = rule((40, 300), generator=stream(3), dtype=torch.float64)
    assert abs(drawn.var() / variance - 1) < 5 * math.sqrt(2 / 12_000)


@pytest.mark.parametrize("rule", [init.glorot_normal, init.lecun_uniform, init.orthogonal])
def test_a_gain_scales_the_same_numbers(rule):
    plain, loud = (rule((4, 3), gain=g, generator=stream(4)) for g in (1.0, 3.0))
    torch.testing.assert_close(3 * plain, loud)


@pytest.mark.parametrize("shape", [(6, 6), (9, 4), (4, 9), (8, 3, 2, 2)])
def test_an_orthogonal_weight_is_that_of_torch(shape, parity):
    """Both take the Q of the same normal numbers."""
    ours = init.orthogonal(shape, gain=1.7, generator=stream(5), dtype=torch.float64)
    theirs = nn.init.orthogonal_(torch.empty(shape).double(), gain=1.7, generator=stream(5))
    parity("orthogonal", ours, theirs, reference="torch.nn.init.orthogonal_", tolerance=1e-12)
    flat = ours.flatten(1)
    small = flat @ flat.T if len(flat) <= flat.shape[1] else flat.T @ flat
    torch.testing.assert_close(small, 1.7**2 * torch.eye(len(small)).double())


# ---- the symmetry


def test_orthogonal_weights_prefer_no_direction():
    """Over the rotations the trace has mean 0 and variance 1: without the signs, it has not."""
    g = stream(6)
    traces = torch.stack([
        init.orthogonal((3, 3), generator=g, dtype=torch.float64).trace() for _ in range(4000)
    ])  # fmt: skip
    assert abs(traces.mean()) < 5 / math.sqrt(4000)
    assert abs(traces.var() - 1) < 5 * traces.square().std() / math.sqrt(4000)
    unsigned = torch.stack([torch.linalg.qr(draw(3, 3, seed=s))[0].trace() for s in range(400)])
    assert abs(unsigned.mean()) > 5 / math.sqrt(400)


# ---- thirty layers


@pytest.mark.parametrize(
    ("bend", "variance", "known"),
    [
        (relu, 2 / 512, (1.01, 0.756, 0.482)),
        (relu, 1 / 512, (0.50, 8e-4, 9e-10)),
        (tanh, 1 / 512, (0.39, 0.052, 0.017)),
        (tanh, 1e-4, (0.047, 1e-13, 1.7e-39)),
        (tanh, 25 / 9 / 512, (0.58, 0.42, 0.425)),
    ],
)
def test_signals_through_thirty_layers_have_the_known_sizes(bend, variance, known):
    g = stream(0)
    h, sizes = torch.randn(256, 512, generator=g, dtype=torch.float64), []
    for _ in range(30):
        W = init.normal((512, 512), math.sqrt(variance), generator=g, dtype=torch.float64)
        h = bend(h @ W.T)[0]
        sizes.append(h.square().mean().item())
    for layer, size in zip((1, 10, 30), known, strict=True):
        assert size / 3 < sizes[layer - 1] < 3 * size


# ---- LSUV


def deep(bend):
    with seeded(0):
        parts = [part for _ in range(8) for part in (nn.Linear(32, 32), bend())]
        return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), *parts).double()


@pytest.mark.parametrize("bend", [nn.ReLU, nn.Tanh, nn.GELU])
def test_every_layer_answers_with_variance_one(bend):
    model, x = deep(bend), draw(200, 1, 6, 6)
    told = init.lsuv(model, x, generator=stream(0), tolerance=0.01, iterations=20)
    heard, h = [], x
    for part in model:
        h = part(h)
        if hasattr(part, "weight"):
            heard.append(h.var().item())
            assert not part.bias.any()
    assert heard == pytest.approx(told, rel=1e-10)
    assert len(told) == 9
    assert max(abs(v - 1) for v in told) <= 0.01


def test_the_rows_stay_at_right_angles():
    model = deep(nn.Tanh)
    init.lsuv(model, draw(50, 1, 6, 6), generator=stream(0))
    W = model[2].weight
    product = W @ W.T / W.square().sum(1).mean()
    torch.testing.assert_close(product, torch.eye(32).double())


def test_no_hook_is_left_and_no_gradient_needed():
    model = deep(nn.Tanh)
    init.lsuv(model, draw(50, 1, 6, 6), generator=stream(0))
    assert not any(part._forward_hooks for part in model.modules())
    assert all(one.requires_grad for one in model.parameters())


def test_a_layer_that_needs_no_scaling_is_left_alone():
    layer = nn.Linear(4, 4, bias=False).double()
    x = torch.linalg.qr(draw(400, 4) - draw(400, 4).mean(0))[0] * 20
    told = init.lsuv(layer, x, generator=stream(0), tolerance=0.1)
    torch.testing.assert_close(layer.weight @ layer.weight.T, torch.eye(4).double())
    assert abs(told[0] - 1) <= 0.1


def test_what_cannot_be_scaled_is_named():
    with pytest.raises(ValueError, match="no layer with a weight"):
        init.lsuv(nn.ReLU(), draw(3, 2), generator=stream(0))
    model = nn.Linear(2, 2).double()
    with pytest.raises(ValueError, match="answers x with variance 0.0"):
        init.lsuv(model, torch.zeros(3, 2).double(), generator=stream(0))
    assert not model._forward_hooks


# ---- randomness and the device


@pytest.mark.parametrize("rule", [*RULES, init.orthogonal])
def test_a_seed_repeats_and_zero_is_a_seed(rule):
    first, again, other = (rule((5, 4), generator=stream(s)) for s in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert first.dtype == torch.get_default_dtype()
    assert rule((5, 4), generator=stream(0), dtype=torch.float64).dtype == torch.float64


@pytest.mark.parametrize("rule", [*RULES, init.orthogonal])
def test_weights_are_drawn_where_the_generator_is(rule, fake_device):
    drawn = agrees_on_device(lambda g: rule((5, 4), generator=g), stream(0))
    assert drawn.device == fake_device


def test_lsuv_works_on_the_device(fake_device):
    def scaled(model, x, generator):
        init.lsuv(model, x, generator=generator)
        return model(x)

    with seeded(0):
        model = nn.Sequential(nn.Linear(4, 4), nn.Tanh(), nn.Linear(4, 4))
    agrees_on_device(scaled, model, draw(50, 4).float(), stream(0), tolerance=1e-4)
