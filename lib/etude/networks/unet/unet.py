"""The U-Net: an encoder, a decoder, and bridges between maps of one size.

Chapter: networks/unet
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from etude.networks.unet.upsampling import Kind, Upsample, fit

__all__ = ["UNet"]


def double_convolution(in_channels: int, out_channels: int) -> nn.Sequential:
    """Two convolutions by 3 × 3 that keep the size, each normalized and rectified."""
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv2d(channels, out_channels, 3, padding=1, bias=False),  # the norm has a shift
            nn.BatchNorm2d(out_channels), nn.ReLU(),
        ]  # fmt: skip
    return nn.Sequential(*layers)


class UNet(nn.Module):
    """One answer for every pixel, from what lies around it at every scale.

    Each of the encoder's maps is half as large as the one before; the decoder goes the same way
    back, and joins to each of its maps the encoder's map of that size. Pictures of any size pass:
    a row that halving drops comes back.

    Args:
        in_channels: of the picture.
        out_channels: answers for each pixel.
        widths: channels at each scale, the largest map first; the last one is the bottom.
        up: how a map becomes twice as large, see `Upsample`.
        skip: whether the maps are joined; without, the decoder knows only what came through the bottom.

    Source: Ronneberger et al. (2015), Fig. 1; padded, so that the answer is as large as the
    picture, and with batch normalization.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        widths: Sequence[int] = (8, 16, 32, 32),
        *,
        up: Kind = "nearest",
        skip: bool = True,
    ) -> None:
        super().__init__()
        if not widths:
            raise ValueError("widths is empty, expected the channels of at least one scale")
        self.skip = skip
        pairs = list(zip([in_channels, *widths], widths, strict=False))
        self.encoder = nn.ModuleList(double_convolution(*pair) for pair in pairs)
        self.enlarge = nn.ModuleList(Upsample(b, a, up) for a, b in pairs[:0:-1])
        self.decoder = nn.ModuleList(
            double_convolution(2 * a if skip else a, a) for a, _ in pairs[:0:-1]
        )
        self.head = nn.Conv2d(widths[0], out_channels, 1)

    def forward(
        self, x: Float[Tensor, "batch channels height width"]
    ) -> Float[Tensor, "batch out height width"]:
        """Scores before any sigmoid or softmax, as large as the picture.

        Raises:
            ValueError: the picture is too small to be halved that often.
        """
        halvings = len(self.decoder)
        if min(x.shape[-2:]) < 2**halvings:
            raise ValueError(
                f"x has {x.shape[-2]} × {x.shape[-1]} pixels, expected at least {2**halvings} "
                f"each way for {halvings} halvings"
            )
        maps = [self.encoder[0](x)]
        for block in self.encoder[1:]:
            maps.append(block(F.max_pool2d(maps[-1], 2)))
        h = maps.pop()
        for enlarge, block in zip(self.enlarge, self.decoder, strict=True):
            e = maps.pop()
            d = fit(enlarge(h), e)
            h = block(torch.cat([d, e], 1) if self.skip else d)
        return self.head(h)
