"""DNA with a weak signal in it: random letters, and in half of the strands a planted motif."""

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from etude.data.card import Card

__all__ = ["CARD", "Strands", "log_odds", "motif", "strands"]

CARD = Card(
    name="Planted motifs",
    source="procedural: drawn anew from a generator, nothing is stored",
    license="MIT, with the code",
    rows="as many as asked for",
    fields={
        "letters": "(rows, 4, time), one-hot: A, C, G, T are channels 0 to 3",
        "bound": "(rows,), 1 where the motif was planted, else 0",
        "place": "(rows,), where the motif begins, or would have begun",
    },
    made_by="this course. Letters are uniform and independent; half of the strands get, at a "
    "uniform place, a motif whose letters are drawn from a position weight matrix",
    cautions=(
        "A real genome is not uniform, neighbors depend on each other, and proteins bind several "
        "motifs or either strand. Here the likelihood is known exactly, and that is the point.",
        "The motif is weak on purpose: even one who knows the matrix cannot tell all strands "
        "apart.",
    ),
)


class Strands(NamedTuple):
    """Pieces of DNA, and whether the protein binds them."""

    letters: Float[Tensor, "rows 4 time"]
    bound: Int[Tensor, " rows"]
    place: Int[Tensor, " rows"]


def motif(
    length: int = 8, contrast: float = 1.6, *, generator: torch.Generator
) -> Float[Tensor, "4 {length}"]:
    """A position weight matrix: the probability of each letter at each place of the motif.

    With `contrast` 0 all letters are equally likely, with a large one the motif is one word.
    """
    return (
        contrast * torch.randn(4, length, generator=generator, device=generator.device)
    ).softmax(0)


def log_odds(matrix: Float[Tensor, "4 length"]) -> Float[Tensor, "4 length"]:
    """How many nats each letter speaks for the motif and against uniform letters."""
    return (4 * matrix).log()


def strands(
    rows: int, matrix: Float[Tensor, "4 length"], *, time: int = 60, generator: torch.Generator
) -> Strands:
    """Strands of `time` letters; each gets the motif with probability one half."""
    length, where = matrix.shape[1], generator.device
    if time < length:
        raise ValueError(f"time must be at least {length}, the length of the motif, got {time}")
    letters = torch.randint(0, 4, (rows, time), generator=generator, device=where)
    bound = torch.randint(0, 2, (rows,), generator=generator, device=where)
    place = torch.randint(0, time - length + 1, (rows,), generator=generator, device=where)
    chance = torch.rand(rows, length, generator=generator, device=where)
    steps = matrix.to(where).T.cumsum(dim=1)[:, :3]  # (length, 3): where the next letter begins
    planted = (chance[..., None] > steps).sum(dim=-1)
    cells = place[:, None] + torch.arange(length, device=where)
    kept = torch.where(bound[:, None] == 1, planted, letters.gather(1, cells))
    letters = letters.scatter(1, cells, kept)
    one_hot = torch.nn.functional.one_hot(letters, 4).mT.to(matrix.dtype)
    return Strands(one_hot, bound, place)
