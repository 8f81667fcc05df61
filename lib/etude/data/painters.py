"""Painters and hours: more painters finish sooner, yet in the records more painters took longer."""

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.data.card import Card

__all__ = ["CARD", "Jobs", "jobs"]

CARD = Card(
    name="Painters",
    source="procedural: drawn anew from a generator, nothing is stored",
    license="MIT, with the code",
    rows="12 · `per_crew`",
    fields={
        "workers": "(rows,), how many painters came: whole numbers",
        "hours": "(rows,), until the house was painted",
        "size": "(rows,), the work in it, in hours of one painter",
    },
    made_by="this course, after the example of the source overview. Designed jobs: 40 hours of "
    "work shared by 1 to 12 painters, 8% noise, and half an hour to set up. Confounded jobs: "
    "houses of 10 to 100 hours of work get about one painter for each ten hours; a crew of n "
    "paints n⁰·⁶ times as fast as one, with 10% noise",
    cautions=(
        "The laws are simple inventions. Real crews wait for paint to dry.",
        "The noise multiplies the hours, so its size in hours is not constant: the equal variance "
        "that least squares assumes is there only after taking logarithms, and only nearly.",
        "Confounded jobs are what records look like when the foreman sends more painters to larger "
        "houses. No formula can tell from `workers` and `hours` alone which of the two it sees.",
    ),
)


class Jobs(NamedTuple):
    """One row for every house that was painted."""

    workers: Float[Tensor, " rows"]
    hours: Float[Tensor, " rows"]
    size: Float[Tensor, " rows"]


def jobs(
    per_crew: int = 4,
    *,
    generator: torch.Generator,
    confounded: bool = False,
    dtype: torch.dtype = torch.float64,
) -> Jobs:
    """Twelve sizes of crew, each on equal houses; or, confounded, crews that suit the house."""
    rows, like = 12 * per_crew, {"dtype": dtype, "device": generator.device}
    if not confounded:
        workers = torch.arange(1, 13, **like).repeat_interleave(per_crew)
        size = torch.full((rows,), 40.0, **like)
        noise = torch.randn(rows, generator=generator, **like)
        return Jobs(workers, size / workers * (0.08 * noise).exp() + 0.5, size)
    size = 10 + 90 * torch.rand(rows, generator=generator, **like)
    choice, noise = torch.randn(2, rows, generator=generator, **like)
    workers = (size / 10 + 0.7 * choice).clamp_min(1).round()
    return Jobs(workers, size / workers**0.6 * (0.1 * noise).exp(), size)
