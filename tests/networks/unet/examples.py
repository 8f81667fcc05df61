"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch

from etude.core.random import seeded
from etude.networks.unet.losses import dice_loss, focal_loss
from etude.networks.unet.unet import UNet
from etude.networks.unet.upsampling import (
    Upsample,
    bilinear_kernel,
    fit,
    overlap_count,
    pixel_shuffle,
)
from tests.devices.example import call


def built(at, kind, *arguments, **options):
    """A module, on the device."""
    with seeded(0):
        return at(kind(*arguments, **options))


def mask(at):
    """Ones and zeros."""
    return (at.rand(2, 1, 4, 4).detach() > 0.5).to(at.dtype)


EXAMPLES = {
    UNet.forward: lambda at: (built(at, UNet, widths=(2, 3)), at.randn(2, 1, 5, 4)),
    Upsample.forward: lambda at: (built(at, Upsample, 2, 3, "shuffle"), at.randn(2, 2, 3, 4)),
    bilinear_kernel: lambda at: call(3, dtype=at.dtype, device=at.device),
    dice_loss: lambda at: (at.randn(2, 1, 4, 4), mask(at)),
    fit: lambda at: (at.randn(2, 3, 4, 4), at(torch.zeros(2, 1, 5, 3))),
    focal_loss: lambda at: (at.randn(2, 1, 4, 4), mask(at)),
    overlap_count: lambda at: call(5, 3, 2, device=at.device),
    pixel_shuffle: lambda at: (at.randn(2, 8, 3, 3), 2),
}
