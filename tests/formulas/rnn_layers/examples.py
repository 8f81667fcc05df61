"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch
from torch import nn

from etude.formulas.rnn_layers.activations import (
    elu,
    gelu,
    leaky_relu,
    log_softmax,
    relu,
    sigmoid,
    silu,
    softmax,
    softplus,
    tanh,
)
from etude.formulas.rnn_layers.backpropagation import Var, unbroadcast
from etude.formulas.rnn_layers.gru import gru, gru_cell, gru_vjp
from etude.formulas.rnn_layers.initialization import (
    fans,
    gain,
    glorot_normal,
    glorot_uniform,
    he_normal,
    he_uniform,
    lecun_normal,
    lecun_uniform,
    lsuv,
    normal,
    orthogonal,
    uniform,
)
from etude.formulas.rnn_layers.layers import GRU, LSTM, RNN, through_time
from etude.formulas.rnn_layers.lstm import lstm, lstm_cell, lstm_vjp
from etude.formulas.rnn_layers.recurrent import rnn, rnn_vjp
from etude.formulas.rnn_layers.sequences import (
    arriving,
    check_layer,
    expect_like,
    in_time,
    over_time,
    shifted,
)
from etude.formulas.rnn_layers.truncation import truncated_gradient
from tests.devices.example import call


def recurrent(at):
    """Three steps of two sequences of two inputs, and three units."""
    return at.randn(3, 2, 2), at.randn(2, 3), at.randn(3, 2), at.randn(3, 3), at.randn(3)


def memory(at):
    """The same for an LSTM with peepholes."""
    weights = at.randn(12, 2), at.randn(12, 3), at.randn(12), at.randn(3, 3)
    return at.randn(3, 2, 2), at.randn(2, 3), at.randn(2, 3), *weights


def gated(at):
    """The same for a GRU."""
    weights = at.randn(9, 2), at.randn(9, 3), at.randn(9), at.randn(9)
    return at.randn(3, 2, 2), at.randn(2, 3), *weights


def numbers(at):
    """Twelve numbers, in threes."""
    return at.randn(4, 3)


def sizes(at):
    """The shape of a convolution, on the device of the generator."""
    return call((3, 2, 2, 2), dtype=at.dtype)


def truncated(at):
    """An LSTM whose gradient walks back two steps."""
    x, h0, c0, *weights = memory(at)
    return lstm_vjp, x, [h0, c0], weights, at.randn(3, 2, 3), 1, 2


def network(at):
    """Two layers and what goes through them."""
    return call(at(nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2))), at.randn(8, 3))


def two(at):
    """Variables of shapes that broadcast."""
    return Var(at.randn(2, 3)), Var(at.randn(3))


def one(at):
    """A variable of positive numbers."""
    return Var(at.rand(2, 3) + 0.1)


def walked(at):
    """A computation that ends in a number."""
    a, b = two(at)
    return ((a * b).tanh() @ a.mT).sum()


EXAMPLES = {
    rnn: recurrent,
    rnn_vjp: recurrent,
    lstm: memory,
    lstm_vjp: memory,
    lstm_cell: lambda at: (at.randn(2, 12), at.randn(2, 3), at.randn(3, 3)),
    gru: gated,
    gru_vjp: lambda at: call(*gated(at), reset="before"),
    gru_cell: lambda at: (at.randn(2, 9), at.randn(2, 3), at.randn(9, 3), at.randn(9)),
    truncated_gradient: truncated,
    through_time: lambda at: (lstm_vjp, *memory(at)),
    RNN.forward: lambda at: (at(RNN(2, 3, "relu")), at.randn(4, 2, 2)),
    LSTM.forward: lambda at: (at(LSTM(2, 3, peepholes=True)), at.randn(4, 2, 2)),
    GRU.forward: lambda at: (at(GRU(2, 3, bias=False)), at.randn(4, 2, 2)),
    sigmoid: numbers,
    tanh: numbers,
    relu: numbers,
    leaky_relu: numbers,
    elu: numbers,
    gelu: numbers,
    silu: numbers,
    softplus: numbers,
    softmax: numbers,
    log_softmax: numbers,
    fans: lambda at: (torch.Size([3, 2, 2]),),
    gain: lambda at: (tanh,),
    normal: lambda at: call((3, 2), 0.5, dtype=at.dtype),
    uniform: lambda at: call((3, 2), 0.5, dtype=at.dtype),
    glorot_normal: lambda at: call((3, 2), generator=at.generator(), dtype=at.dtype),
    glorot_uniform: lambda at: call((3, 2), generator=at.generator(), dtype=at.dtype),
    he_normal: lambda at: call((3, 2), generator=at.generator(), dtype=at.dtype),
    he_uniform: lambda at: call((3, 2), generator=at.generator(), dtype=at.dtype),
    lecun_normal: lambda at: call((3, 2), generator=at.generator(), dtype=at.dtype),
    lecun_uniform: lambda at: call((3, 2), generator=at.generator(), dtype=at.dtype),
    orthogonal: sizes,
    lsuv: network,
    unbroadcast: lambda at: (at.randn(4, 2, 3), (2, 1)),
    Var.exp: one,
    Var.log: one,
    Var.tanh: one,
    Var.relu: one,
    Var.sum: lambda at: call(one(at), dim=0),
    Var.reshape: lambda at: (one(at), 3, 2),
    Var.mT: one,
    Var.backward: walked,
    Var.ancestry: walked,
    arriving: lambda at: (None, at.randn(2, 3)),
    check_layer: lambda at: (
        1, at.randn(3, 2, 2), {"h0": at.randn(2, 3)}, at.randn(3, 2), at.randn(3, 3),
        {"b": at.randn(3)},
    ),
    expect_like: lambda at: (at.randn(2, 3), at.randn(2, 3)),
    in_time: lambda at: ([at.randn(2, 3), at.randn(2, 3)], at.randn(2, 3)),
    over_time: lambda at: (at.randn(3, 2, 4), at.randn(3, 2, 5)),
    shifted: lambda at: (at.randn(2, 3), at.randn(4, 2, 3)),
}  # fmt: skip
