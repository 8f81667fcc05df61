"""Every axis has a name, and the name is checked."""

from typing import TypeAlias

from jaxtyping import Float, Int
from torch import Tensor

from etude.core.errors import ShapeError

__all__ = [
    "VOCABULARY",
    "Labels",
    "Matrix",
    "Scalar",
    "Targets",
    "bind",
    "check_choice",
    "check_float",
    "check_same_shape",
    "per_row",
]

Matrix: TypeAlias = Float[Tensor, "rows features"]
Labels: TypeAlias = Int[Tensor, " rows"]
Targets: TypeAlias = Float[Tensor, " rows"]
Scalar: TypeAlias = Float[Tensor, ""]

VOCABULARY = {
    "actions": "what an agent can do",
    "batch": "independent examples, side by side",
    "bins": "intervals of a histogram, or bands of frequency",
    "chains": "runs of a sampler, side by side",
    "channels": "colors of a picture, or maps made from it",
    "classes": "kinds that a label tells apart",
    "clusters": "groups that are found and not given",
    "dim": "numbers that describe one token or position",
    "dims": "coordinates of a point that is sampled",
    "features": "numbers that describe one row",
    "frames": "pictures of a film, or windows of a sound",
    "heads": "attentions side by side",
    "height": "rows of pixels, the first one on top",
    "points": "places in space",
    "rows": "examples of a table",
    "samples": "numbers of a sound, or draws from a distribution",
    "states": "situations of an agent, or of a hidden chain",
    "targets": "responses that are predicted together",
    "terms": "columns of a design: the features, and the intercept where there is one",
    "time": "positions of a sequence",
    "vocab": "tokens that exist",
    "width": "columns of pixels, the first one on the left",
}


def bind(sizes: dict[str, int] | None = None, /, **arguments: tuple[Tensor, str]) -> dict[str, int]:
    """Give every axis its name and return the lengths: one name, one length.

    `bind(X=(X, "rows features"), y=(y, "rows"))` holds that `X` and `y` have equally many rows;
    `bind({"features": 3}, X=(X, "rows features"))` that there are three features. A leading
    `...` stands for any axes in front.

    Raises:
        ShapeError: `y has 4 rows, expected 5`.
    """
    known = dict(sizes or {})
    for name, (tensor, axes) in arguments.items():
        words = axes.split()
        shape = tuple(tensor.shape)
        if words[:1] == ["..."]:
            words = words[1:]
            shape = shape[-len(words) :]
        if len(shape) != len(words):
            raise ShapeError(
                f"{name} has {len(shape)} axes, shape {tuple(tensor.shape)}; expected ({axes})"
            )
        for word, length in zip(words, shape, strict=True):
            expected = known.setdefault(word, length)
            if length != expected:
                raise ShapeError(f"{name} has {length} {word}, expected {expected}")
    return known


def check_float(**arguments: Tensor) -> None:
    """Refuse integers, on which means and slopes would be cut to whole numbers.

    Raises:
        TypeError: `x holds int64, expected a floating type`.
    """
    for name, tensor in arguments.items():
        if not tensor.is_floating_point():
            kind = str(tensor.dtype).removeprefix("torch.")
            raise TypeError(f"{name} holds {kind}, expected a floating type: {name}.double()")


def check_choice(choices: tuple[str, ...], **arguments: str) -> None:
    """Refuse a word that names nothing.

    Raises:
        ValueError: `reset must be one of 'after', 'before', got 'later'`.
    """
    for name, word in arguments.items():
        if word not in choices:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {word!r}")


def check_same_shape(**arguments: Tensor) -> None:
    """Refuse what would be spread out unseen: all have the shape of the first.

    Raises:
        ShapeError: `target has shape (3, 4), expected that of logits, (3, 1, 4)`.
    """
    (first, like), *others = arguments.items()
    for name, tensor in others:
        if tensor.shape != like.shape:
            came, wanted = tuple(tensor.shape), tuple(like.shape)
            raise ShapeError(f"{name} has shape {came}, expected that of {first}, {wanted}")


def per_row(numbers: Float[Tensor, " rows"], like: Tensor) -> Tensor:
    """One number for each row of `like`, with an axis of length 1 for each of its other axes."""
    return numbers.view(-1, *[1] * (like.ndim - 1))
