"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch

from etude.core.random import seeded
from etude.networks.gan.games import bilinear, dirac, mode_report, play
from etude.networks.gan.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)
from etude.networks.gan.optimum import (
    jensen_shannon,
    optimal_discriminator,
    optimal_value,
    value,
)
from etude.networks.gan.training import Perceptron, sample, train_against
from tests.devices.example import call


def chances(at, count=1):
    """Distributions over five states."""
    return tuple(torch.softmax(at.randn(3, 5), -1) for _ in range(count))


def network(at, inputs, outputs):
    """A small one, on the device."""
    with seeded(0):
        return at(Perceptron(inputs, outputs, 4))


def bell(at):
    """Draws two normal numbers a row, in the type of the example."""

    def draw(rows, generator):
        given = {"generator": generator, "device": generator.device, "dtype": at.dtype}
        return torch.randn(rows, 2, **given)

    return draw


EXAMPLES = {
    Perceptron: lambda at: call(3, 2, 4, device=at.device, dtype=at.dtype),
    bilinear: lambda at: (at.randn(4, 2), at.randn(4, 2)),
    dirac: lambda at: (at.randn(4, 1), at.randn(4, 1)),
    discriminator_loss: lambda at: (at.randn(6), at.randn(4)),
    generator_loss: lambda at: at.randn(6),
    gradient_penalty: lambda at: (network(at, 2, 1), at.randn(4, 2), at.randn(4, 2)),
    jensen_shannon: lambda at: chances(at, 2),
    mode_report: lambda at: call(at.randn(9, 2).detach(), at.randn(3, 2).detach(), spread=0.1),
    optimal_discriminator: lambda at: chances(at, 2),
    optimal_value: lambda at: chances(at, 2),
    play: lambda at: call(bilinear, at.randn(4, 2), at.randn(4, 2), rate=0.1, moves=3),
    r1_penalty: lambda at: (network(at, 2, 1), at.randn(4, 2)),
    sample: lambda at: (network(at, 3, 2), 4, 3),
    train_against: lambda at: call(
        network(at, 3, 2),
        network(at, 2, 1),
        bell(at),
        latent=3,
        steps=2,
        batch=4,
        gamma=0.0,
    ),  # fmt: skip
    value: lambda at: (*chances(at, 2), torch.sigmoid(at.randn(3, 5))),
}
