"""A call of every public callable, made on either device: see tests/devices/example.py."""

from etude.core.random import seeded
from etude.formulas.rnn_layers.initialization import he_normal
from etude.networks.cnn.dropout import Dropout, dropout, dropout2d
from etude.networks.cnn.layers import OURS, Pool, initialize
from etude.networks.cnn.network import ConvNet, ConvNetConfig, LeNet, Window, receptive_field
from etude.networks.cnn.normalization import BatchNorm, batch_norm, group_norm, layer_norm
from etude.networks.cnn.resnet import ResNet, ResNetClassifier, ResNetConfig
from etude.networks.cnn.training import accuracy, batches, fit, logits
from tests.devices.example import call

SMALL = ConvNetConfig(widths=(3, 4), pool="max", normalize=True, drop=0.2)
RESIDUAL = ResNetConfig(embedding=2, widths=(2, 4))


def maps(at):
    """Two images of four channels."""
    return at.randn(2, 4, 3, 3)


def four(at, count):
    """So many rows of four positive numbers."""
    return [at.rand(4) + 0.5 for _ in range(count)]


def stack(at):
    """A small network on the device."""
    with seeded(0):
        return at(ConvNet(SMALL))


def residual(at, model=ResNet):
    """A small residual one, of our own layers."""
    with seeded(0):
        return at(model(RESIDUAL, OURS))


def data(at, rows=6):
    """Images of eight by eight pixels and their labels."""
    return at.randn(rows, 1, 8, 8).detach(), at.randint(10, rows)


EXAMPLES = {
    BatchNorm.forward: lambda at: (at(BatchNorm(4)), maps(at)),
    ConvNet.features: lambda at: call(stack(at), at.randn(2, 1, 8, 8), generator=at.generator()),
    ConvNet.forward: lambda at: call(stack(at), at.randn(2, 1, 8, 8), generator=at.generator()),
    ConvNet.loss: lambda at: call(stack(at), *data(at), generator=at.generator()),
    Dropout.forward: lambda at: (Dropout(0.4, maps=True), maps(at)),
    LeNet.forward: lambda at: (at(LeNet(16)), at.randn(2, 1, 16, 16)),
    Pool.forward: lambda at: (at(Pool("expectation", 2)), at.randn(2, 3, 4, 4)),
    ResNet.forward: lambda at: (residual(at), at.randn(2, 1, 8, 8)),
    ResNetClassifier.forward: lambda at: (residual(at, ResNetClassifier), at.randn(2, 1, 8, 8)),
    accuracy: lambda at: (stack(at), *data(at)),
    batch_norm: lambda at: (maps(at), *four(at, 4)),
    batches: lambda at: call(*data(at), 4, generator=at.generator()),
    dropout: lambda at: maps(at),
    dropout2d: lambda at: maps(at),
    fit: lambda at: call(stack(at), *data(at), epochs=4, batch=3, generator=at.generator()),
    group_norm: lambda at: (maps(at), 2, *four(at, 2)),
    initialize: lambda at: call(at(LeNet(16)), he_normal, generator=at.generator()),
    layer_norm: lambda at: (maps(at), (3, 3), at.randn(3, 3), at.randn(3, 3)),
    logits: lambda at: (stack(at), data(at)[0]),
    receptive_field: lambda at: ([Window(3), Window(2, 2)], 8),
}
