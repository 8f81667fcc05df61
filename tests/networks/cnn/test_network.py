"""Receptive fields against autograd; LeNet and the stack: sizes, heads, what moves with the image."""

import math

import pytest
import torch
from torch import nn

from etude.core.random import seeded, stream
from etude.data.canvas import place
from etude.data.digits import digits
from etude.networks.cnn.network import ConvNet, ConvNetConfig, Field, LeNet, Window, receptive_field


def draw(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def support(stack, length, answer):
    """The first and the last pixel that that answer depends on, by autograd."""
    layers = nn.Sequential(
        *(nn.Conv1d(1, 1, size, stride, padding, dilation, bias=False)
          for size, stride, padding, dilation in stack)
    ).double()  # fmt: skip
    for layer in layers:
        nn.init.ones_(layer.weight)
    x = torch.ones(1, 1, length, dtype=torch.float64, requires_grad=True)
    y = layers(x)[0, 0]
    seen = torch.autograd.grad(y[answer], x)[0][0, 0].nonzero().flatten()
    return len(y), seen.tolist()


def stacks(count, seed=0):
    g = stream(seed)

    def pick(low, high):
        return int(torch.randint(low, high + 1, (), generator=g))

    for _ in range(count):
        yield [Window(pick(1, 4), pick(1, 3), pick(0, 2), pick(1, 2)) for _ in range(pick(1, 4))]


@pytest.mark.parametrize("stack", list(stacks(40)), ids=str)
def test_a_field_is_the_support_of_a_gradient(stack):
    length = 150
    *_, last = receptive_field(stack, length)
    count, _ = support(stack, length, 0)
    assert count == last.places
    for answer in {0, 1, last.places // 2, last.places - 1}:
        _, seen = support(stack, length, answer)
        first = last.first + answer * last.jump
        wanted = range(max(0, first), min(length, first + last.size))
        assert set(seen) <= set(wanted)  # a dilated window leaves holes
        if first >= 0 and first + last.size <= length:
            assert (seen[0], seen[-1]) == (wanted[0], wanted[-1])


def test_the_input_sees_itself_and_two_threes_are_a_five():
    found = receptive_field([Window(3), Window(3)], 10)
    assert found == [Field(10, 1, 1, 0), Field(8, 3, 1, 0), Field(6, 5, 1, 0)]


def test_a_stride_doubles_what_later_windows_see():
    one, two = Window(3, 1, 1), Window(2, 2)
    assert receptive_field([one, two, one], 16)[-1] == Field(8, 8, 2, -3)
    assert receptive_field([Window(3, dilation=4)], 16)[-1] == Field(8, 9, 1, 0)


@pytest.mark.parametrize(
    ("stack", "message"),
    [
        ([Window(3), Window(9)], "at 1 a window over 9 places, of which there are 8"),
        ([Window(5, 1, 1, 3)], "at 0 a window over 13 places, of which there are 12"),
        ([Window(0)], "the impossible window"),
        ([Window(3, 1, -1)], "the impossible window"),
    ],
)
def test_an_impossible_stack_is_refused(stack, message):
    with pytest.raises(ValueError, match=message):
        receptive_field(stack, 10)


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def test_lenet_has_the_parameters_of_lenet_5():
    """156 + 2,416 + 48,120 + 10,164 + 850, as LeNet-5 is counted today."""
    assert parameters(LeNet(32)) == 61_706
    assert LeNet(32)(torch.zeros(2, 1, 32, 32)).shape == (2, 10)
    assert LeNet(16)(torch.zeros(2, 1, 16, 16)).shape == (2, 10)


def test_lenet_is_what_its_paper_draws():
    with seeded(0):
        net = LeNet(16).double()
    x = draw(3, 1, 16, 16)
    conv1, _, _, conv2, *_ = net.maps
    y = nn.functional.avg_pool2d(torch.tanh(conv1(x)), 2)
    y = nn.functional.avg_pool2d(torch.tanh(conv2(y)), 2).flatten(1)
    for k in (1, 3):
        y = torch.tanh(net.head[k](y))
    torch.testing.assert_close(net(x), net.head[5](y))


def test_too_small_a_picture_is_refused():
    with pytest.raises(ValueError, match="size must be at least 16, got 15"):
        LeNet(15)


def test_the_chapter_s_net_has_its_size():
    assert parameters(ConvNet(ConvNetConfig())) == 160 + 4_640 + 18_496 + 650
    flat = ConvNet(ConvNetConfig(head="flatten", size=8, pool="max"))
    assert flat.scores.in_features == 64 * 2 * 2
    assert flat(torch.zeros(2, 1, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("head", ["max", "average", "sum", "l2", "expectation"])
def test_maps_move_with_the_image_and_a_global_pooling_does_not_care(head):
    with seeded(0):
        net = ConvNet(ConvNetConfig(widths=(4, 5), head=head)).double()
    images = digits().images[:6].double()
    still, moved = place(images, 20), place(images, 20, 3, -2)
    with torch.no_grad():
        for a, b in zip(net.features(still), net.features(moved), strict=True):
            inside = a[..., 3:-6, 5:-3]
            torch.testing.assert_close(b[..., 6:-3, 3:-5], inside)
            assert inside.std() > 0
        torch.testing.assert_close(net(still), net(moved))


def test_a_flat_head_and_a_pooling_between_do_care():
    images = digits().images[:6].double()
    still, moved = place(images, 16), place(images, 16, 1, 0)
    for config in (ConvNetConfig(head="flatten"), ConvNetConfig(pool="max")):
        with seeded(0):
            net = ConvNet(config).double()
        with torch.no_grad():
            assert (net(still) - net(moved)).abs().max() > 1e-3


def test_pooling_by_two_forgives_a_shift_by_four():
    """Two poolings in steps of two: shifts by multiples of four only move the maps."""
    with seeded(0):
        net = ConvNet(ConvNetConfig(pool="max")).double()
    images = digits().images[:6].double()
    with torch.no_grad():
        still, moved, odd = (net(place(images, 48, down)) for down in (0, 4, 1))
    torch.testing.assert_close(still, moved)
    assert (still - odd).abs().max() > 1e-3


def test_a_picture_of_any_size_will_do_for_a_global_head():
    net = ConvNet(ConvNetConfig())
    for size in (9, 16, 31):
        assert net(torch.zeros(2, 1, size, size)).shape == (2, 10)


def test_dropout_silences_in_training_only_and_by_its_generator():
    with seeded(0):
        net = ConvNet(ConvNetConfig(drop=0.5))
    x = draw(4, 1, 16, 16, dtype=torch.float32)
    one, two, other = (net(x, stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    net.eval()
    assert torch.equal(net(x), net(x))


def test_between_convolutions_whole_maps_are_silenced_half_as_often():
    heard = []
    with seeded(0):
        net = ConvNet(ConvNetConfig(widths=(30, 4, 4), drop=0.4))
    for block in net.blocks:
        block.register_forward_pre_hook(lambda module, given: heard.append(given[0]))
    net(torch.rand(64, 1, 8, 8, generator=stream(1)) + 0.1, stream(0))
    still = net.blocks[0](heard[0])
    spoken = still.gt(0).any(-1).any(-1)
    lost = (heard[1] == 0).all(-1).all(-1) & spoken
    assert torch.equal(
        lost[:, :, None, None] | (heard[1] > 0), lost[:, :, None, None] | (still > 0)
    )
    share = lost.sum() / spoken.sum()
    assert abs(share - 0.2) < 4 * math.sqrt(0.16 / spoken.sum())


def test_dropout_of_a_row_has_the_scale_it_promises():
    with seeded(0):
        net = ConvNet(ConvNetConfig(widths=(4,), drop=0.5)).double()
    x = draw(1, 1, 16, 16).expand(4000, 1, 16, 16)
    with torch.no_grad():
        many, mean = net(x, stream(0)), net.eval()(x[:1])
    assert ((many.mean(0) - mean[0]).abs() < 5 * many.std(0) / math.sqrt(4000)).all()


@pytest.mark.usefixtures("as_a_user")
def test_a_config_that_makes_no_network_is_refused():
    with pytest.raises(ValueError, match="widths must hold at least one number"):
        ConvNetConfig(widths=())
    with pytest.raises(ValueError, match="kernel must be odd"):
        ConvNetConfig(kernel=4)
    with pytest.raises(ValueError, match="kind must be one of"):
        ConvNet(ConvNetConfig(head="mean"))
