"""Normalization: a layer's numbers are brought to mean 0 and variance 1, then scaled as is learned.

Who is normalized together is the whole difference: a channel over the batch, or an example over
its own channels, all of them or a group.

Chapter: networks/cnn
"""

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from etude.core.errors import ShapeError
from etude.core.shapes import bind, check_float

__all__ = ["BatchNorm", "Normalized", "batch_norm", "group_norm", "layer_norm"]

Maps = Float[Tensor, "batch channels *places"]
Channels = Float[Tensor, " channels"]

EPS = 1e-5  # torch's: a variance of 0, of a channel that is silent on a batch, divides nothing by 0


class Normalized(NamedTuple):
    """A normalized batch, and what is remembered for the time when there is none."""

    y: Maps
    mean: Channels
    var: Channels


def batch_norm(
    x: Maps,
    mean: Channels,
    var: Channels,
    weight: Channels | None = None,
    bias: Channels | None = None,
    training: bool = True,
    momentum: float = 0.1,
    eps: float = EPS,
) -> Normalized:
    """Normalize each channel over batch and places; after training, by what is remembered.

    `momentum` is the share of the new batch in what is remembered. The remembered variance is the
    unbiased one, n/(n − 1) times that which divides. Nothing is changed in place.

    Source: Ioffe & Szegedy (2015), Algorithms 1 and 2.

    Raises:
        ValueError: `x has one number in each channel`, of which no variance can be taken.
    """
    check_float(x=x)
    _of_channels(x, mean=mean, var=var, weight=weight, bias=bias)
    if training:
        axes = [0, *range(2, x.ndim)]
        count = x.numel() // max(1, x.shape[1])
        if count < 2:
            raise ValueError(
                f"x has one number in each channel, shape {tuple(x.shape)}: at least 2"
            )
        here = x.mean(dim=axes)
        spread = x.var(dim=axes, correction=0)
        # Eq. (batch-norm-running)
        mean = torch.lerp(mean, here.detach(), momentum)
        var = torch.lerp(var, spread.detach() * count / (count - 1), momentum)
    else:
        here, spread = mean, var
    scale = (spread + eps).rsqrt() if weight is None else weight * (spread + eps).rsqrt()
    # Eq. (batch-norm)
    y = (x - _beside(here, x)) * _beside(scale, x)
    return Normalized(y if bias is None else y + _beside(bias, x), mean, var)


def layer_norm(
    x: Float[Tensor, "..."],
    shape: Sequence[int],
    weight: Float[Tensor, "..."] | None = None,
    bias: Float[Tensor, "..."] | None = None,
    eps: float = EPS,
) -> Float[Tensor, "..."]:
    """Normalize each example over its last axes, which have the lengths `shape`.

    Source: Ba, Kiros & Hinton (2016), Eq. 4.
    """
    check_float(x=x)
    expected, count = tuple(shape), len(shape)
    if not count or tuple(x.shape[-count:]) != expected:
        raise ShapeError(f"x has shape {tuple(x.shape)}, expected one that ends with {expected}")
    for name, tensor in (("weight", weight), ("bias", bias)):
        if tensor is not None and tuple(tensor.shape) != expected:
            raise ShapeError(f"{name} has shape {tuple(tensor.shape)}, expected {expected}")
    y = _standard(x, tuple(range(-count, 0)), eps)
    y = y if weight is None else y * weight
    return y if bias is None else y + bias


def group_norm(
    x: Maps,
    groups: int,
    weight: Channels | None = None,
    bias: Channels | None = None,
    eps: float = EPS,
) -> Maps:
    """Normalize each example over the channels of a group and all places.

    One group is a layer norm of the whole example, as many as channels an instance norm.

    Source: Wu & He (2018), Eq. 7.
    """
    check_float(x=x)
    _of_channels(x, weight=weight, bias=bias)
    if groups < 1 or x.shape[1] % groups:
        raise ValueError(f"groups must divide the {x.shape[1]} channels of x, got {groups}")
    parts = x.reshape(len(x), groups, -1)
    y = _standard(parts, (-1,), eps).reshape(x.shape)
    y = y if weight is None else y * _beside(weight, x)
    return y if bias is None else y + _beside(bias, x)


def _standard(x: Tensor, axes: tuple[int, ...], eps: float) -> Tensor:
    mean = x.mean(dim=axes, keepdim=True)
    var = x.var(dim=axes, correction=0, keepdim=True)
    # Eq. (layer-norm)
    return (x - mean) * (var + eps).rsqrt()


def _beside(channels: Tensor, x: Tensor) -> Tensor:
    """One number a channel, broadcast along the places of `x`."""
    return channels.reshape(-1, *[1] * (x.ndim - 2))


def _of_channels(x: Tensor, **channels: Tensor | None) -> None:
    if x.ndim < 2:
        raise ShapeError(f"x has {x.ndim} axes, expected (batch channels ...)")
    for name, tensor in channels.items():
        if tensor is not None:
            bind({"channels": x.shape[1]}, **{name: (tensor, "channels")})


class BatchNorm(nn.Module):
    """Batch normalization that remembers; it loads the state of `torch.nn.BatchNorm1d`, 2d or 3d."""

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, channels: int, eps: float = EPS, momentum: float = 0.1) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))
        self.register_buffer("running_mean", torch.zeros(channels))
        self.register_buffer("running_var", torch.ones(channels))
        self.register_buffer("num_batches_tracked", torch.tensor(0))

    def forward(self, x: Maps) -> Maps:
        """In training by the batch, which is remembered; else by what is remembered."""
        y, mean, var = batch_norm(
            x, self.running_mean, self.running_var, self.weight, self.bias,
            self.training, self.momentum, self.eps,
        )  # fmt: skip
        if self.training:
            self.running_mean.copy_(mean)
            self.running_var.copy_(var)
            self.num_batches_tracked += 1
        return y
