"""Losses of a segmentation: per pixel, and of the whole overlap.

Chapter: networks/unet
"""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import check_float, check_same_shape

__all__ = ["dice_loss", "focal_loss"]


def dice_loss(
    logits: Float[Tensor, "batch ..."],
    target: Float[Tensor, "batch ..."],
    *,
    smooth: float = 1.0,
    per_image: bool = True,
) -> Float[Tensor, ""]:
    """1 − (2 Σ p y + ε) / (Σ p + Σ y + ε), of each picture and then averaged.

    Small objects count as much as large ones, which the mean over pixels does not grant them. An
    empty picture that is called empty costs nothing.

    Args:
        logits: scores before the sigmoid; the first axis counts pictures.
        target: the mask, 0 or 1 (or between), of the same shape.
        smooth: ε, in pixels.
        per_image: False adds all pictures up first, so that empty ones do not matter.

    Raises:
        ShapeError: target has another shape than logits.

    Source: Milletari et al. (2016), Sec. 3, with plain sums in the denominator.
    """
    check_float(logits=logits, target=target)
    check_same_shape(logits=logits, target=target)
    first = 1 if per_image else 0
    p, y = logits.sigmoid().flatten(first), target.flatten(first)
    overlap = (p * y).sum(-1)
    return (1 - (2 * overlap + smooth) / (p.sum(-1) + y.sum(-1) + smooth)).mean()


def focal_loss(
    logits: Float[Tensor, "batch ..."],
    target: Float[Tensor, "batch ..."],
    *,
    gamma: float = 2.0,
    alpha: float | None = None,
) -> Float[Tensor, ""]:
    """The cross-entropy of each pixel times (1 − p of the truth)^γ, averaged over all pixels.

    Pixels that are right and sure count next to nothing; γ = 0 is the plain cross-entropy.

    Args:
        gamma: how much less what is easy counts.
        alpha: weight of the ones, 1 − alpha being that of the zeros; None weighs them equally, by 1.

    Raises:
        ShapeError: target has another shape than logits.
        ValueError: gamma is negative, or alpha lies outside 0 to 1.

    Source: Lin et al. (2017), Eq. 4 and 5.
    """
    check_float(logits=logits, target=target)
    check_same_shape(logits=logits, target=target)
    if gamma < 0:
        raise ValueError(f"gamma must not be negative, got {gamma}")
    if alpha is not None and not 0 <= alpha <= 1:
        raise ValueError(f"alpha must lie between 0 and 1, got {alpha}")
    each = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    # log(1 − p of the truth), without the digits that 1 − p would lose
    doubt = torch.lerp(F.logsigmoid(logits), F.logsigmoid(-logits), target)
    weight = 1.0 if alpha is None else 1 - alpha + (2 * alpha - 1) * target
    return (weight * (gamma * doubt).exp() * each).mean()
