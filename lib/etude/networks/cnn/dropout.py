"""Dropout: while a network learns, each number is silenced with some probability.

Chapter: networks/cnn
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from etude.core.shapes import bind, check_float

__all__ = ["Dropout", "dropout", "dropout2d"]


def dropout(
    x: Float[Tensor, "*shape"],
    p: float = 0.5,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "*shape"]:
    """Each number is 0 with probability `p`, else 1/(1 − p) times itself; `x` after training.

    Source: Srivastava et al. (2014), Sec. 4, inverted: they divide nothing while training, and
    multiply the weights by 1 − p afterwards.

    Raises:
        ValueError: `p must lie between 0 and 1`.
    """
    return _silence(x, p, training, x.shape, generator)


def dropout2d(
    x: Float[Tensor, "batch channels height width"],
    p: float = 0.5,
    training: bool = True,
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch channels height width"]:
    """Whole channels are silenced: a pixel's neighbors know too well what it said.

    Source: Tompson et al. (2015), Sec. 3.2.
    """
    bind(x=(x, "batch channels height width"))
    return _silence(x, p, training, (*x.shape[:2], 1, 1), generator)


def _silence(
    x: Tensor, p: float, training: bool, shape: tuple[int, ...], generator: torch.Generator | None
) -> Tensor:
    check_float(x=x)
    if not 0 <= p <= 1:
        raise ValueError(f"p must lie between 0 and 1, got {p}")
    if not training or p == 0:
        return x
    kept = torch.rand(shape, generator=generator, dtype=x.dtype, device=x.device) >= p
    # Eq. (dropout)
    return x * kept / (1 - p) if p < 1 else x * kept


class Dropout(nn.Module):
    """Dropout that ends with training; `maps` silences whole channels of images."""

    def __init__(self, p: float = 0.5, *, maps: bool = False) -> None:
        super().__init__()
        if not 0 <= p <= 1:
            raise ValueError(f"p must lie between 0 and 1, got {p}")
        self.p, self.maps = p, maps

    def forward(
        self, x: Float[Tensor, "*shape"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*shape"]:
        """In training what `generator` leaves of `x`, else `x`."""
        silence = dropout2d if self.maps else dropout
        return silence(x, self.p, self.training, generator=generator)
