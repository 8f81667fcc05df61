"""How much of a mask was found: overlap over union, and overlap over the mean size."""

from jaxtyping import Bool, Float
from torch import Tensor

from etude.core.shapes import check_same_shape

__all__ = ["dice", "iou"]


def iou(
    found: Bool[Tensor, "batch ..."], truth: Bool[Tensor, "batch ..."]
) -> Float[Tensor, " batch"]:
    """|A ∩ B| / |A ∪ B| of each picture (Jaccard's index); 1 where both are empty."""
    both, either, _ = counts(found, truth)
    return (both / either.clamp_min(1)).where(either > 0, 1.0)


def dice(
    found: Bool[Tensor, "batch ..."], truth: Bool[Tensor, "batch ..."]
) -> Float[Tensor, " batch"]:
    """2 |A ∩ B| / (|A| + |B|) of each picture (the F₁ score of its pixels); 1 where both are empty."""
    both, _, sizes = counts(found, truth)
    return (2 * both / sizes.clamp_min(1)).where(sizes > 0, 1.0)


def counts(found: Tensor, truth: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Pixels in both masks, in either, and in one and the other added; one number a picture."""
    check_same_shape(found=found, truth=truth)
    found, truth = found.flatten(1), truth.flatten(1)
    return (found & truth).sum(1), (found | truth).sum(1), found.sum(1) + truth.sum(1)
