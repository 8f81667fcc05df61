"""Small pictures on larger, empty canvases: where they lie is up to us, or to chance.

Chapter: networks/cnn
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from etude.core.errors import ShapeError
from etude.core.shapes import bind, check_float

__all__ = ["place", "random_place"]

Images = Float[Tensor, "batch channels height width"]
Canvas = Float[Tensor, "batch channels {size} {size}"]
Shift = Int[Tensor, " batch"] | int


def place(images: Images, size: int, down: Shift = 0, right: Shift = 0) -> Canvas:
    """Each image on a black square of `size` pixels, moved from its middle; one shift serves all.

    Where a margin cannot be halved, the extra row lies below and the extra column on the right.

    Raises:
        ShapeError: the canvas is smaller than the images.
        ValueError: a shift leads beyond an edge.
    """
    check_float(images=images)
    sizes = bind(images=(images, "batch channels height width"))
    batch, height, width = sizes["batch"], sizes["height"], sizes["width"]
    if size < max(height, width):
        raise ShapeError(f"size is {size}, expected at least {max(height, width)}, that of images")
    rows = _pixels("down", down, batch, height, size, images.device)
    columns = _pixels("right", right, batch, width, size, images.device)
    canvas = images.new_zeros(batch, sizes["channels"], size, size)
    each = torch.arange(batch, device=images.device)[:, None, None]
    canvas[each, :, rows[:, :, None], columns[:, None, :]] = images.permute(0, 2, 3, 1)
    return canvas


def random_place(
    images: Images,
    size: int,
    reach: int,
    *,
    generator: torch.Generator | None = None,
    noise: float = 0.0,
) -> Canvas:
    """Each image moved by up to `reach` pixels along either axis, all shifts equally likely.

    `noise` is the standard deviation of what is then added to every pixel of the canvas.
    """
    if reach < 0 or noise < 0:
        raise ValueError(f"reach and noise must not be negative, got {reach} and {noise}")
    down, right = torch.randint(
        -reach, reach + 1, (2, len(images)), generator=generator, device=images.device
    )
    canvas = place(images, size, down, right)
    return canvas + noise * torch.randn_like(canvas, generator=generator) if noise else canvas


def _pixels(
    name: str, shift: Shift, batch: int, length: int, size: int, device: torch.device
) -> Int[Tensor, "batch length"]:
    """The rows, or columns, of the canvas on which each image comes to lie."""
    shifts = torch.as_tensor(shift, device=device)
    if shifts.ndim:
        bind({"batch": batch}, **{name: (shifts, "batch")})
    margin, spare = (size - length) // 2, size - length
    first = (margin + shifts).expand(batch)
    if batch and not (0 <= int(first.min()) and int(first.max()) <= spare):
        raise ValueError(
            f"{name} must lie between {-margin} and {spare - margin}, "
            f"got {int(shifts.min())} to {int(shifts.max())}"
        )
    return first[:, None] + torch.arange(length, device=device)
