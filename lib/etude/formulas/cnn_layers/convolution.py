"""Convolution as deep learning means it: one small question, asked at every place of an image.

Chapter: formulas/cnn_layers
"""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.errors import ShapeError
from etude.core.shapes import bind, check_float
from etude.formulas.cnn_layers.windows import Pair, Pullback, expect_like, grid, pair, windows

__all__ = [
    "conv1d",
    "conv2d",
    "conv2d_by_definition",
    "conv2d_by_fourier",
    "conv_transpose2d",
    "true_convolution2d",
]

Image = Float[Tensor, "batch channels height width"]
Kernels = Float[Tensor, "out_channels group_channels kernel_height kernel_width"]
Bias = Float[Tensor, " out_channels"] | None
Answers = Float[Tensor, "batch out_channels out_height out_width"]


def conv2d_by_definition(
    x: Image,
    weight: Kernels,
    bias: Bias = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> Answers:
    """The sum as it is written: to be read and to test by, not to be used."""
    check_kernels(x, weight, bias, groups)
    outputs, depth, tall, wide = weight.shape
    (rows, columns), _, (down, right), (above, left), (spread, gap) = grid(
        x, (tall, wide), stride, padding, dilation
    )
    y = x.new_zeros(len(x), outputs, rows, columns)
    for o, i, j in itertools.product(range(outputs), range(rows), range(columns)):
        first = o // (outputs // groups) * depth  # the first channel of the group of o
        for u in range(tall):
            for v in range(wide):
                row, column = down * i + spread * u - above, right * j + gap * v - left
                if 0 <= row < x.shape[2] and 0 <= column < x.shape[3]:
                    pixels = x[:, first : first + depth, row, column]
                    # Eq. (convolution)
                    y[:, o, i, j] += pixels @ weight[o, :, u, v]
    return y if bias is None else y + bias[:, None, None]


def conv2d(
    x: Image,
    weight: Kernels,
    bias: Bias = None,
    stride: Pair = 1,
    padding: Pair = 0,
    dilation: Pair = 1,
    groups: int = 1,
) -> tuple[Answers, Pullback]:
    """One matrix product, and the map ∂L/∂y ↦ ∂L/∂(x, weight, bias)."""
    check_kernels(x, weight, bias, groups)
    outputs, depth, tall, wide = weight.shape
    cells, put_back = windows(x, (tall, wide), stride, padding, dilation)
    batch, _, rows, columns = cells.shape[:4]
    inside, count = depth * tall * wide, rows * columns

    apart = cells.reshape(batch, groups, depth, rows, columns, tall, wide)
    U = apart.permute(0, 1, 2, 5, 6, 3, 4).reshape(batch, groups, inside, count)
    W = weight.reshape(groups, outputs // groups, inside)
    # Eq. (convolution-product)
    y = (W @ U).reshape(batch, outputs, rows, columns)
    y = y if bias is None else y + bias[:, None, None]

    def pullback(dy: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        expect_like(dy, y)
        dY = dy.reshape(batch, groups, outputs // groups, count)
        # Eq. (convolution-backward)
        dW, dU = (dY @ U.mT).sum(dim=0), W.mT @ dY
        dapart = dU.reshape(batch, groups, depth, tall, wide, rows, columns)
        dcells = dapart.permute(0, 1, 2, 5, 6, 3, 4).reshape(cells.shape)
        dbias = None if bias is None else dy.sum(dim=(0, 2, 3))
        return put_back(dcells), dW.reshape(weight.shape), dbias

    return y, pullback


def conv1d(
    x: Float[Tensor, "batch channels time"],
    weight: Float[Tensor, "out_channels group_channels kernel_time"],
    bias: Bias = None,
    stride: int = 1,
    padding: int = 0,
    dilation: int = 1,
    groups: int = 1,
) -> tuple[Float[Tensor, "batch out_channels out_time"], Pullback]:
    """Along a sequence: an image of one row."""
    bind(x=(x, "batch channels time"))
    bind(weight=(weight, "outputs channels time"))
    y, back = conv2d(
        x[:, :, None], weight[:, :, None], bias, (1, stride), (0, padding), (1, dilation), groups
    )

    def pullback(dy: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        dx, dweight, dbias = back(dy[:, :, None])
        return dx[:, :, 0], dweight[:, :, 0], dbias

    return y[:, :, 0], pullback


def conv2d_by_fourier(x: Image, weight: Kernels, bias: Bias = None) -> Answers:
    """The same answers, with stride 1 and no padding, by the product of two spectra.

    Its cost does not depend on the size of the kernel.
    """
    check_kernels(x, weight, bias, groups=1)
    size, (tall, wide) = x.shape[2:], weight.shape[2:]
    (rows, columns), *_ = grid(x, (tall, wide), stride=1, padding=0, dilation=1)
    pixels, kernels = torch.fft.rfft2(x), torch.fft.rfft2(weight, s=size)
    # the conjugate turns the kernel around: without it this would be a true convolution
    # Eq. (convolution-theorem)
    product = torch.einsum("nchw,ochw->nohw", pixels, kernels.conj())
    y = torch.fft.irfft2(product, s=size)[:, :, :rows, :columns]
    return y if bias is None else y + bias[:, None, None]


def true_convolution2d(
    f: Float[Tensor, "height width"], g: Float[Tensor, "kernel_height kernel_width"]
) -> Float[Tensor, "out_height out_width"]:
    """What mathematics calls a convolution, at all places where `f` and `g` overlap."""
    bind(f=(f, "height width"), g=(g, "height_ width_"))
    around = (g.shape[0] - 1, g.shape[1] - 1)
    # Eq. (true-convolution)
    y, _ = conv2d(f[None, None], g.flip(0, 1)[None, None], padding=around)
    return y[0, 0]


def conv_transpose2d(
    y: Answers,
    weight: Kernels,
    bias: Float[Tensor, " channels"] | None = None,
    stride: Pair = 1,
    padding: Pair = 0,
    output_padding: Pair = 0,
    groups: int = 1,
) -> tuple[Image, Pullback]:
    """The gradient of a convolution as a layer: every answer paints its kernel."""
    bind(y=(y, "batch channels height width"))
    options = {"stride": stride, "padding": padding, "groups": groups}
    steps, cut = pair(stride, "stride"), pair(padding, "padding", least=0)
    more = pair(output_padding, "output_padding", least=0)
    size = (
        step * (length - 1) + kernel - 2 * less + extra
        for step, length, kernel, less, extra in zip(
            steps, y.shape[2:], weight.shape[2:], cut, more, strict=True
        )
    )
    canvas = y.new_zeros(len(y), groups * weight.shape[1], *size)
    # Eq. (convolution-transposed)
    x = conv2d(canvas, weight, **options)[1](y)[0]
    x = x if bias is None else x + bias[:, None, None]

    def pullback(dx: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        expect_like(dx, x, "dx")
        dy, back = conv2d(dx, weight, **options)
        return dy, back(y)[1], None if bias is None else dx.sum(dim=(0, 2, 3))

    return x, pullback


def check_kernels(x: Tensor, weight: Tensor, bias: Tensor | None, groups: int) -> None:
    """Hold that every kernel has as many channels as the image has in a group."""
    check_float(x=x, weight=weight)
    if weight.dtype != x.dtype:
        kinds = [str(tensor.dtype).removeprefix("torch.") for tensor in (weight, x)]
        raise TypeError(f"weight holds {kinds[0]}, x {kinds[1]}: expected the same")
    sizes = bind(x=(x, "batch channels height width"))
    outputs = bind(weight=(weight, "outputs channels height width"))["outputs"]
    if groups < 1 or sizes["channels"] % groups or outputs % groups:
        raise ValueError(
            f"groups must divide the {sizes['channels']} channels of x "
            f"and the {outputs} kernels of weight, got {groups}"
        )
    depth = sizes["channels"] // groups
    if weight.shape[1] != depth:
        raise ShapeError(f"weight has {weight.shape[1]} channels, expected {depth}")
    if bias is not None:
        bind({"outputs": outputs}, bias=(bias, "outputs"))
