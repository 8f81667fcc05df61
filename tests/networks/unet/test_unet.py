"""The network: its sizes, what its skips bring, what it learns."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.metrics import iou
from etude.core.random import seeded, stream
from etude.data.curves import thin_ellipses
from etude.networks.unet.losses import dice_loss
from etude.networks.unet.unet import UNet, double_convolution


def network(**options):
    with seeded(0):
        return UNet(**options)


@pytest.mark.parametrize("up", ["nearest", "bilinear", "transposed", "shuffle"])
@pytest.mark.parametrize("size", [(8, 8), (37, 29), (9, 8), (15, 16)])
def test_the_answer_is_as_large_as_the_picture(up, size):
    net = network(in_channels=2, out_channels=3, up=up)
    assert net(torch.zeros(2, 2, *size)).shape == (2, 3, *size)


def test_it_is_what_is_written_out():
    """Two scales, step by step, with torch's functions."""
    net = network(in_channels=1, out_channels=2, widths=(4, 6)).eval()
    x = torch.randn(3, 1, 6, 8, generator=stream(0))

    def block(x, sequence):
        for conv, norm in ((sequence[0], sequence[1]), (sequence[3], sequence[4])):
            x = F.conv2d(x, conv.weight, padding=1)
            x = F.batch_norm(x, norm.running_mean, norm.running_var, norm.weight, norm.bias)
            x = F.relu(x)
        return x

    e = block(x, net.encoder[0])
    h = block(F.max_pool2d(e, 2), net.encoder[1])
    up = net.enlarge[0].conv
    d = F.conv2d(F.interpolate(h, scale_factor=2), up.weight, up.bias, padding=1)
    h = block(torch.cat([d, e], 1), net.decoder[0])
    expected = F.conv2d(h, net.head.weight, net.head.bias)
    torch.testing.assert_close(net(x), expected, rtol=1e-5, atol=1e-6)


def test_a_pixel_without_skips_comes_only_through_the_bottom():
    """Cut the bottom off, and the answer no longer depends on the picture; with skips it does."""
    x = torch.randn(2, 1, 8, 8, generator=stream(0))
    for skip, moved in ((True, True), (False, False)):
        net = network(skip=skip).eval()
        for parameter in net.enlarge[0].parameters():
            nn.init.zeros_(parameter)
        changed = (net(x)[0] - net(x)[1]).abs().max()
        assert bool(changed > 1e-6) == moved


def test_every_parameter_has_a_gradient():
    net = network(in_channels=2)
    net(torch.randn(2, 2, 16, 16, generator=stream(0))).square().mean().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())


def test_one_scale_is_a_plain_network():
    net = network(widths=(4,))
    assert len(net.decoder) == 0
    assert net(torch.zeros(2, 1, 3, 3)).shape == (2, 1, 3, 3)


def test_a_block_keeps_the_size_and_is_never_negative():
    with seeded(0):
        block = double_convolution(2, 5)
    out = block(torch.randn(3, 2, 7, 6, generator=stream(0)))
    assert out.shape == (3, 5, 7, 6)
    assert out.min() == 0


def test_what_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match="x has 3 × 8 pixels, expected at least 8 each way for 3"):
        network()(torch.zeros(1, 1, 3, 8))
    with pytest.raises(ValueError, match="widths is empty"):
        UNet(widths=())


def trained(skip, steps=80):
    """A short training on thin ellipses, and its mean IoU on others."""
    images, masks = thin_ellipses(400, generator=stream(0))
    net, g = network(skip=skip), stream(1)
    descent = torch.optim.AdamW(net.parameters(), 5e-3)
    rate = torch.optim.lr_scheduler.OneCycleLR(descent, 5e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(0, len(images), (16,), generator=g)
        out = net(images[rows])
        loss = F.binary_cross_entropy_with_logits(out, masks[rows]) + dice_loss(out, masks[rows])
        descent.zero_grad()
        loss.backward()
        descent.step()
        rate.step()
    others = thin_ellipses(100, generator=stream(2))
    with torch.no_grad():
        found = net.eval()(others.images) > 0
    return float(iou(found, others.masks > 0).mean())


def test_skips_say_where():
    """The same training with and without: thin curves do not come through the bottom."""
    assert trained(True) > trained(False) + 0.25
