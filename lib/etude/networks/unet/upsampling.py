"""Four ways to make a map twice as large, and what they leave behind.

Chapter: networks/unet
"""

from typing import Any, Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from etude.core.shapes import check_choice

__all__ = ["Kind", "Upsample", "bilinear_kernel", "fit", "overlap_count", "pixel_shuffle"]

Kind: TypeAlias = Literal["nearest", "bilinear", "transposed", "shuffle"]


def pixel_shuffle(
    x: Float[Tensor, "batch channels height width"], factor: int
) -> Float[Tensor, "batch fewer taller wider"]:
    """Lay `factor`² channels out as the pixels of one larger channel.

    Raises:
        ValueError: the channels cannot be divided by `factor`².

    Source: Shi et al. (2016), Eq. 4, in the order of channels of torch.
    """
    batch, channels, height, width = x.shape
    if factor < 1 or channels % factor**2:
        raise ValueError(f"x has {channels} channels, expected a multiple of factor² = {factor**2}")
    tiles = x.reshape(batch, -1, factor, factor, height, width)
    # batch, channel, row of the tile, column of it, height, width → each tile inside its pixel
    return tiles.permute(0, 1, 4, 2, 5, 3).reshape(batch, -1, height * factor, width * factor)


def bilinear_kernel(stride: int, **where: Any) -> Float[Tensor, "kernel kernel"]:
    """The weights with which a transposed convolution interpolates: a tent, 2·stride wide at its foot.

    For an even stride it has 2·stride rows, for an odd one 2·stride − 1, so that it is symmetric
    about a pixel or a gap. With `padding = (kernel − stride) // 2` the result lies on the grid of
    `F.interpolate(…, mode="bilinear", align_corners=False)`. `where` is torch's `device` and `dtype`.

    Source: Long et al. (2015), Sec. 3.3.
    """
    if stride < 1:
        raise ValueError(f"stride must be positive, got {stride}")
    size = 2 * stride - stride % 2
    place = torch.arange(size, **where) - (size - 1) / 2
    tent = 1 - place.abs() / stride
    return tent[:, None] * tent[None, :]


def overlap_count(length: int, kernel: int, stride: int, **where: Any) -> Int[Tensor, " out"]:
    """From how many inputs each output of a transposed convolution gets something, along one axis.

    Where the kernel is no multiple of the stride the count goes up and down even far from the
    borders: the checkerboard. `where` is torch's `device`.

    Raises:
        ValueError: an argument is not positive.

    Source: Odena et al. (2016).
    """
    given = {"length": length, "kernel": kernel, "stride": stride}
    for name, number in given.items():
        if number < 1:
            raise ValueError(f"{name} must be positive, got {number}")
    starts = stride * torch.arange(length, **where)
    reached = starts[:, None] + torch.arange(kernel, **where)
    return torch.bincount(reached.flatten(), minlength=stride * (length - 1) + kernel)


def fit(
    x: Float[Tensor, "batch channels height width"], like: Float[Tensor, "batch others tall wide"]
) -> Float[Tensor, "batch channels tall wide"]:
    """Cut `x` at the bottom and right to the size of `like`, or repeat its last row and column.

    Halving drops the last row of an odd map; here it comes back, so that a skip fits.
    """
    tall, wide = like.shape[-2:]
    x = x[..., :tall, :wide]
    return F.pad(x, (0, wide - x.shape[-1], 0, tall - x.shape[-2]), mode="replicate")


class Upsample(nn.Module):
    """Twice the height and width, and `out_channels` channels, by one of four operators.

    "nearest" and "bilinear" enlarge and then convolve by 3 × 3. "transposed" is a transposed
    convolution by `kernel` with stride 2. "shuffle" convolves to four times the channels and lays
    them out as pixels.

    Raises:
        ValueError: `kind must be one of …`, or a kernel smaller than the stride.
    """

    def __init__(
        self, in_channels: int, out_channels: int, kind: Kind = "nearest", kernel: int = 2
    ) -> None:
        super().__init__()
        check_choice(get_args(Kind), kind=kind)
        if kernel < 2:
            raise ValueError(f"kernel must be at least the stride, 2, got {kernel}")
        self.kind: Kind = kind
        if kind == "transposed":
            # As many rows as twice the input: what the kernel adds at the border is cut.
            self.conv = nn.ConvTranspose2d(
                in_channels, out_channels, kernel, 2, (kernel - 1) // 2, (kernel - 2) % 2
            )
        else:
            wanted = 4 * out_channels if kind == "shuffle" else out_channels
            self.conv = nn.Conv2d(in_channels, wanted, 3, padding=1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out tall wide"]:
        """Enlarge."""
        if self.kind == "transposed":
            return self.conv(x)
        if self.kind == "shuffle":
            return pixel_shuffle(self.conv(x), 2)
        smooth = {"align_corners": False} if self.kind == "bilinear" else {}
        return self.conv(F.interpolate(x, scale_factor=2, mode=self.kind, **smooth))
