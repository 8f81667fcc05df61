"""Who says whether a drawn sample is any good: a classifier that knows the real data, and distances.

A judge can be fooled, so have it always beside a measure that nobody trained; and numbers from two
judges, or from two sets of features, must not be compared.
"""

from functools import partial
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from etude.core.learner import AbstractLearner, train
from etude.core.shapes import bind, check_float

__all__ = ["Judge", "Verdict", "frechet", "teach", "verdict", "within_class_variance"]


class Judge(AbstractLearner):
    """A small classifier of pictures or vectors; what its last hidden layer says are the features."""

    def __init__(
        self, inputs: int, classes: int, hidden: tuple[int, ...] = (128, 64), noise: float = 0.2
    ) -> None:
        """`noise` is put on the data while it learns, so that small faults do not impress it."""
        super().__init__()
        if min(inputs, classes, *hidden) < 1 or not hidden or noise < 0:
            given = f"inputs={inputs}, classes={classes}, hidden={hidden}, noise={noise}"
            raise ValueError(f"sizes must be positive, and noise not negative, got {given}")
        sizes = [inputs, *hidden]
        pairs = zip(sizes, hidden, strict=False)
        layers = [layer for pair in pairs for layer in (nn.Linear(*pair), nn.ReLU())]
        self.body = nn.Sequential(nn.Flatten(), *layers)
        self.head = nn.Linear(sizes[-1], classes)
        self.noise = noise

    def features(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch features"]:
        """How the judge sees a sample."""
        return self.body(x)

    def forward(self, x: Float[Tensor, "batch ..."]) -> Float[Tensor, "batch classes"]:
        """A score for each class."""
        return self.head(self.features(x))

    def loss(
        self,
        x: Float[Tensor, "batch ..."],
        y: Int[Tensor, " batch"],
        *,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """How surprised it is by the true classes."""
        noisy = x + self.noise * torch.randn_like(x, generator=generator)
        return F.cross_entropy(self(noisy), y)


def teach(
    judge: Judge,
    x: Float[Tensor, "rows ..."],
    y: Int[Tensor, " rows"],
    *,
    steps: int = 800,
    batch: int = 128,
    learning_rate: float = 2e-3,
    generator: torch.Generator,
) -> Judge:
    """Let a judge learn from real data, which no generator that it will judge needs to have seen.

    Raises:
        ShapeError: there is not one class for each row.
    """
    bind({"rows": len(x)}, y=(y, "rows"))

    def batches():
        while True:
            rows = torch.randint(len(x), (batch,), generator=generator, device=generator.device)
            rows = rows.to(x.device)
            yield x[rows], y[rows]

    adam = partial(torch.optim.AdamW, fused=True)
    train(judge, batches(), steps=steps, learning_rate=learning_rate, optimizer=adam,
          generator=generator)  # fmt: skip
    return judge.requires_grad_(False).eval()


class Verdict(NamedTuple):
    """What a judge says of samples that were drawn on demand."""

    accuracy: float  # the share that is of the class that was asked for
    variance: float  # of the features within a class: how different samples of one class are
    frechet: float  # how far the features are from those of real data, in mean and covariance


@torch.no_grad()
def verdict(
    judge: Judge,
    samples: Float[Tensor, "batch ..."],
    asked: Int[Tensor, " batch"],
    real: Float[Tensor, "rows ..."],
) -> Verdict:
    """Judge samples by the classes that were asked for, and by real data.

    Raises:
        ShapeError: there is not one class for each sample.
    """
    bind({"rows": len(samples)}, asked=(asked, "rows"))
    features = judge.features(samples)
    right = judge.head(features).argmax(-1) == asked
    return Verdict(
        float(right.double().mean()),
        within_class_variance(features, asked),
        frechet(features, judge.features(real)),
    )


def within_class_variance(
    features: Float[Tensor, "rows features"], labels: Int[Tensor, " rows"]
) -> float:
    """The variance of the features, summed over them, in each class; the mean of the classes.

    Raises:
        ShapeError: there is not one label for each row.
        ValueError: a class has only one row.
    """
    bind(features=(features, "rows features"), labels=(labels, "rows"))
    kinds, counts = labels.unique(return_counts=True)
    if not len(kinds) or counts.min() < 2:
        raise ValueError(f"labels must hold at least two rows of each class, got {counts.tolist()}")
    each = [features[labels == kind].double().var(0).sum() for kind in kinds]
    return float(torch.stack(each).mean())


def frechet(a: Float[Tensor, "rows features"], b: Float[Tensor, "others features"]) -> float:
    """The Fréchet distance of two normal distributions with the moments of `a` and of `b`.

    ‖μ − ν‖² + tr A + tr B − 2 tr √(AB). The roots of the eigenvalues of AB are the singular values
    of R Sᵀ, where A = RᵀR and B = SᵀS: so no root of a rounded zero is ever taken. In float64.

    Raises:
        ShapeError: `a` and `b` have different features.
        ValueError: one of them has fewer than two rows.

    Source: Dowson & Landau (1982); Heusel et al. (2017), Eq. 6, on features of a classifier.
    """
    check_float(a=a, b=b)
    bind(a=(a, "rows features"), b=(b, "others features"))
    if min(len(a), len(b)) < 2:
        raise ValueError(f"a and b must have at least two rows, got {len(a)} and {len(b)}")
    (mean, root), (other, side) = moments(a), moments(b)
    both = torch.linalg.svdvals(root @ side.mT).sum()
    spread = root.square().sum() + side.square().sum()
    return max(0.0, float((mean - other).square().sum() + spread - 2 * both))


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """The mean, and R such that RᵀR is the covariance, in float64."""
    x = x.double()
    mean = x.mean(0)
    root = torch.linalg.qr((x - mean) / (len(x) - 1) ** 0.5, mode="r").R
    return mean, root
