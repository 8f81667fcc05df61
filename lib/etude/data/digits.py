"""Handwritten digits of eight by eight pixels: small enough to train on while one watches."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from sklearn.datasets import load_digits
from torch import Tensor

from etude.data.card import Card

__all__ = ["CARD", "Digits", "digits", "split"]

CARD = Card(
    name="Digits",
    source="the test set of “Optical Recognition of Handwritten Digits”, UCI Machine Learning "
    "Repository, doi:10.24432/C50P49, in the copy that scikit-learn carries",
    license="CC BY 4.0",
    rows="1797 digits, about 180 of each kind",
    fields={
        "images": "(1797, 1, 8, 8), ink from 0 (none) to 1, in steps of 1/16",
        "labels": "(1797,), the digit from 0 to 9",
    },
    made_by="E. Alpaydin and C. Kaynak (1998): 13 people filled in forms; each bitmap of 32 × 32 "
    "was reduced to 8 × 8 by counting ink in blocks of 4 × 4",
    cautions=(
        "The writers follow one another: the rows are not in random order. Shuffle before "
        "splitting, and know that a random split puts one hand on both sides, which flatters "
        "every model.",
        "Thirteen hands are not all hands: ones and sevens are written otherwise elsewhere.",
        "Some digits cannot be told apart at this size, by people either.",
    ),
)


class Digits(NamedTuple):
    """Pictures and what they show."""

    images: Float[Tensor, "rows 1 8 8"]
    labels: Int[Tensor, " rows"]


def digits() -> Digits:
    """All digits, in the order in which they were written."""
    pixels, labels = load_digits(return_X_y=True)
    images = torch.as_tensor(pixels).float().div(16).reshape(-1, 1, 8, 8)
    return Digits(images, torch.as_tensor(labels).long())


def split(data: Digits, held_out: int, *, generator: torch.Generator) -> tuple[Digits, Digits]:
    """Shuffle, and hold out some rows: the rest to learn from, these to be judged by."""
    if not 0 < held_out < len(data.labels):
        raise ValueError(f"held_out must lie between 0 and {len(data.labels)}, got {held_out}")
    order = torch.randperm(len(data.labels), generator=generator, device=generator.device)
    order = order.to(data.labels.device)
    learn, judge = order[held_out:], order[:held_out]
    return (
        Digits(data.images[learn], data.labels[learn]),
        Digits(data.images[judge], data.labels[judge]),
    )
