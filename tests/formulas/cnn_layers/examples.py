"""A call of every public callable, made on either device: see tests/devices/example.py."""

from etude.formulas.cnn_layers.convolution import (
    conv1d,
    conv2d,
    conv2d_by_definition,
    conv2d_by_fourier,
    conv_transpose2d,
    true_convolution2d,
)
from etude.formulas.cnn_layers.fully_connected import linear
from etude.formulas.cnn_layers.layers import Conv2d, ExpectationPool, Linear, through
from etude.formulas.cnn_layers.pooling import (
    average_pool2d,
    expectation_pool2d,
    l2_pool2d,
    log_sum_exp_pool2d,
    max_pool2d,
    pool2d,
    sum_pool2d,
)
from etude.formulas.cnn_layers.reductions import (
    average,
    entropy,
    expectation,
    log_sum_exp,
    maximum,
    norm,
    total,
)
from etude.formulas.cnn_layers.windows import expect_like, grid, pair, places, windows
from tests.devices.example import call


def convolution(at):
    """Two images, three kernels and their biases; stride 2, padding 1, dilation 1, two groups."""
    return at.randn(2, 4, 5, 6), at.randn(6, 2, 3, 2), at.randn(6), 2, 1, 1, 2


def pooling(at):
    """Two images, in overlapping windows."""
    return at.randn(2, 2, 5, 5), 3, 2


def cells(at):
    """Three windows of five cells."""
    return at.randn(3, 5)


EXAMPLES = {
    conv2d: convolution,
    conv2d_by_definition: lambda at: (at.randn(1, 2, 3, 4), at.randn(2, 1, 2, 2), None, 2, 1, 1, 2),
    conv2d_by_fourier: lambda at: (at.randn(2, 2, 5, 6), at.randn(3, 2, 3, 2), at.randn(3)),
    conv1d: lambda at: (at.randn(2, 4, 7), at.randn(6, 2, 3), at.randn(6), 2, 1, 1, 2),
    conv_transpose2d: lambda at: (at.randn(2, 3, 4, 4), at.randn(3, 2, 3, 3), at.randn(2), 2, 1),
    true_convolution2d: lambda at: (at.randn(5, 6), at.randn(3, 2)),
    linear: lambda at: (at.randn(2, 3, 4), at.randn(5, 4), at.randn(5)),
    Conv2d.forward: lambda at: (at(Conv2d(1, 4, 2)), at.randn(2, 1, 5, 5)),
    Linear.forward: lambda at: (at(Linear(4, 3)), at.randn(2, 4)),
    ExpectationPool.forward: lambda at: (at(ExpectationPool(channels=2)), at.randn(2, 2, 5)),
    through: lambda at: (linear, at.randn(2, 4), at.randn(3, 4), None),
    pool2d: lambda at: (norm, *pooling(at)),
    average_pool2d: pooling,
    expectation_pool2d: lambda at: call(*pooling(at), sharpness=at.randn(2)),
    l2_pool2d: pooling,
    log_sum_exp_pool2d: pooling,
    max_pool2d: pooling,
    sum_pool2d: pooling,
    average: cells,
    entropy: cells,
    expectation: lambda at: (at.randn(3, 5), at.randn(3)),
    log_sum_exp: cells,
    maximum: cells,
    norm: cells,
    total: cells,
    expect_like: lambda at: (at.randn(2, 3), at.randn(2, 3)),
    grid: lambda at: (at.randn(1, 1, 5, 6), 3, 2, 1, 1),
    pair: lambda at: (2, "size"),
    places: lambda at: (7, 3),
    windows: lambda at: (at.randn(2, 2, 5, 6), (3, 2), 2, 1),
}
