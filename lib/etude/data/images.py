"""Two photographs, for whatever needs a real picture: a temple, a flower."""

import torch
from jaxtyping import Float
from sklearn.datasets import load_sample_image
from torch import Tensor

from etude.data.card import Card

__all__ = ["CARD", "china", "flower"]

CARD = Card(
    name="Two photographs",
    source="scikit-learn's sample images, retrieved from Flickr in 2011: "
    "flickr.com/photos/danielbuechele/6061409035 and flickr.com/photos/vultilion/6056698931",
    license="CC BY 2.0; attribution as above, “some rights reserved”",
    rows="2 pictures of 427 × 640 pixels",
    fields={
        "china()": "(3, 427, 640), a temple under a bright sky; red, green, blue from 0 to 1",
        "flower()": "(3, 427, 640), a dahlia before dark leaves; red, green, blue from 0 to 1",
    },
    made_by="danielbuechele (temple) and vultilion (flower), photographers",
    cautions=(
        "The files are JPEG: blocks of 8 × 8 pixels and softened colors are part of the data.",
        "Values are gamma-encoded (sRGB), not amounts of light: to average them is not what a lens "
        "does.",
        "Two pictures show a method; they are no evidence that it works on others.",
    ),
)

Picture = Float[Tensor, "3 height width"]


def china() -> Picture:
    """A Chinese temple: straight edges, fine ornament, a smooth sky."""
    return _picture("china.jpg")


def flower() -> Picture:
    """A flower: round shapes, saturated color, a blurred background."""
    return _picture("flower.jpg")


def _picture(name: str) -> Picture:
    return torch.tensor(load_sample_image(name)).permute(2, 0, 1).float().div(255)
