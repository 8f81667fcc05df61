"""First weights: random, but of a size that lets a signal through many layers, both ways.

Weights are drawn on the device of the generator. A layer's weight is (outputs, inputs), or
(outputs, inputs, height, width) for a convolution.

Chapter: formulas/rnn_layers
"""

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from etude.core.errors import ShapeError

__all__ = [
    "fans",
    "gain",
    "glorot_normal",
    "glorot_uniform",
    "he_normal",
    "he_uniform",
    "lecun_normal",
    "lecun_uniform",
    "lsuv",
    "normal",
    "orthogonal",
    "uniform",
]


def fans(shape: Sequence[int]) -> tuple[int, int]:
    """(fan in, fan out): how many numbers a unit hears, and how many hear it.

    Raises:
        ShapeError: the shape has fewer than two axes.
    """
    if len(shape) < 2:
        raise ShapeError(f"shape is {tuple(shape)}, expected (outputs, inputs, ...)")
    outputs, inputs, *window = shape
    return inputs * math.prod(window), outputs * math.prod(window)


def gain(activation: Callable[[Tensor], tuple[Tensor, object]], nodes: int = 128) -> float:
    """1/√E[φ(z)²] for a standard normal z: what a layer must make up for its activation.

    The mean is a sum over `nodes` Gauss–Hermite nodes: √2 for a ReLU, 1.59 for tanh.

    Source: He et al. (2015), Eq. 7, for any φ.
    """
    z, weight = np.polynomial.hermite_e.hermegauss(nodes)
    value, _ = activation(torch.from_numpy(z))
    mean = torch.from_numpy(weight / weight.sum()) @ value.square()
    # Eq. (gain)
    return float(mean.rsqrt())


def normal(
    shape: Sequence[int],
    std: float,
    *,
    generator: torch.Generator,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Normal numbers around 0; `std` is a standard deviation, not a variance."""
    drawn = torch.randn(*shape, generator=generator, device=generator.device, dtype=dtype)
    return std * drawn


def uniform(
    shape: Sequence[int],
    std: float,
    *,
    generator: torch.Generator,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Uniform numbers around 0 of standard deviation `std`: they reach to ±√3 std."""
    drawn = torch.rand(*shape, generator=generator, device=generator.device, dtype=dtype)
    return math.sqrt(3) * std * (2 * drawn - 1)


def lecun_std(shape: Sequence[int], gain: float) -> float:
    # Eq. (lecun)
    return gain / math.sqrt(fans(shape)[0])


def glorot_std(shape: Sequence[int], gain: float) -> float:
    # Eq. (glorot)
    return gain * math.sqrt(2 / sum(fans(shape)))


def lecun_normal(shape: Sequence[int], *, gain: float = 1.0, **options) -> Tensor:
    """Variance gain²/fan in: an affine layer keeps the size of its input. Source: LeCun (1998)."""
    return normal(shape, lecun_std(shape, gain), **options)


def lecun_uniform(shape: Sequence[int], *, gain: float = 1.0, **options) -> Tensor:
    """As `lecun_normal`, from an interval."""
    return uniform(shape, lecun_std(shape, gain), **options)


def glorot_normal(shape: Sequence[int], *, gain: float = 1.0, **options) -> Tensor:
    """Variance 2 gain²/(fan in + fan out), between what signal and gradient ask for.

    Source: Glorot & Bengio (2010), Eq. 12.
    """
    return normal(shape, glorot_std(shape, gain), **options)


def glorot_uniform(shape: Sequence[int], *, gain: float = 1.0, **options) -> Tensor:
    """As `glorot_normal`, from an interval. Source: Glorot & Bengio (2010), Eq. 16."""
    return uniform(shape, glorot_std(shape, gain), **options)


def he_normal(shape: Sequence[int], **options) -> Tensor:
    """Variance 2/fan in: the 2 makes up for the half that a ReLU takes. Source: He et al. (2015)."""
    # Eq. (he)
    return lecun_normal(shape, gain=math.sqrt(2), **options)


def he_uniform(shape: Sequence[int], **options) -> Tensor:
    """As `he_normal`, from an interval."""
    return lecun_uniform(shape, gain=math.sqrt(2), **options)


def orthogonal(
    shape: Sequence[int],
    *,
    gain: float = 1.0,
    generator: torch.Generator,
    dtype: torch.dtype | None = None,
) -> Tensor:
    """Rows, or columns where these are fewer, of length `gain` and at right angles: W Wᵀ = gain² I.

    A square one is a uniformly (Haar) random rotation or reflection. All axes after the first are
    taken together.

    Source: Saxe et al. (2014); Mezzadri (2007) for the signs.
    """
    fans(shape)
    rows, columns = shape[0], math.prod(shape[1:])
    drawn = normal((rows, columns), 1.0, generator=generator, dtype=dtype)
    q, r = torch.linalg.qr(drawn if rows >= columns else drawn.T)
    # Eq. (orthogonal)
    q = q * torch.where(r.diagonal() < 0, -1, 1)  # what QR leaves open, and must not choose
    return gain * (q if rows >= columns else q.T).reshape(*shape)


@torch.no_grad()
def lsuv(
    model: nn.Module,
    x: Tensor,
    *,
    generator: torch.Generator,
    tolerance: float = 0.05,
    iterations: int = 10,
) -> list[float]:
    """Orthogonal weights, then layer after layer divided by the spread that is measured on `x`.

    Layers are the modules with a weight of two or more axes, in the order in which they stand;
    their biases become 0. Returns the variance of each layer's answers to `x` afterwards.

    Raises:
        ValueError: `model` has no such layer, or one answers `x` with a constant.

    Source: Mishkin & Matas (2016), Algorithm 1.
    """
    layers = {
        module: weight
        for module in model.modules()
        for name, weight in module.named_parameters(recurse=False)
        if name == "weight" and weight.ndim > 1
    }
    if not layers:
        raise ValueError("model has no layer with a weight of two or more axes")
    for module, weight in layers.items():
        weight.copy_(orthogonal(weight.shape, generator=generator, dtype=weight.dtype))
        for name, bias in module.named_parameters(recurse=False):
            if name == "bias":
                bias.zero_()
    return [_scale(model, *layer, x, tolerance, iterations) for layer in layers.items()]


def _scale(
    model: nn.Module, layer: nn.Module, weight: Tensor, x: Tensor, tolerance: float, most: int
) -> float:
    """Bring one layer's answers to variance 1, and say how close it came."""
    heard: list[float] = []
    hook = layer.register_forward_hook(lambda module, given, y: heard.append(float(y.var())))
    try:
        model(x)
        while abs(heard[-1] - 1) > tolerance and len(heard) <= most:
            if not heard[-1] > 0:
                raise ValueError(f"{layer} answers x with variance {heard[-1]}, expected more")
            # Eq. (lsuv)
            weight.div_(math.sqrt(heard[-1]))
            model(x)
    finally:
        hook.remove()
    return heard[-1]
