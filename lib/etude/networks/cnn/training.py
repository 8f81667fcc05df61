"""What every classifier of images needs: a loss, shuffled batches, a schedule, a count at the end.

Chapter: networks/cnn
"""

import math
from abc import abstractmethod
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from etude.core.learner import AbstractLearner, train
from etude.core.shapes import bind
from etude.formulas.optimization.first_order import adamw
from etude.formulas.optimization.optimizer import Optimizer
from etude.formulas.optimization.schedules import one_cycle

__all__ = ["AbstractClassifier", "accuracy", "batches", "fit", "logits"]

Images = Float[Tensor, "batch channels height width"]
Labels = Int[Tensor, " batch"]
Augment = Callable[[Tensor, torch.Generator], Tensor]


class AbstractClassifier(AbstractLearner):
    """A network whose answer is a score for each class, before any softmax."""

    @abstractmethod
    def forward(
        self, x: Images, generator: torch.Generator | None = None
    ) -> Float[Tensor, "batch classes"]:
        """The scores; `generator` decides what dropout silences."""

    def loss(self, *batch: Tensor, generator: torch.Generator | None = None) -> Float[Tensor, ""]:
        """The cross-entropy of the scores and the labels, averaged over the batch."""
        images, labels = batch
        bind(images=(images, "batch channels height width"), labels=(labels, "batch"))
        # Eq. (cnn-cross-entropy)
        return F.cross_entropy(self(images, generator), labels)


def batches(
    images: Images,
    labels: Labels,
    size: int = 64,
    *,
    generator: torch.Generator,
    augment: Augment | None = None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end: in each epoch every example once, in a new order, the last batch smaller.

    `augment(images, generator)` changes each batch before it is seen.
    """
    bind(images=(images, "batch channels height width"), labels=(labels, "batch"))
    if size < 1 or not len(labels):
        raise ValueError(f"size must be positive and labels not empty, got {size}, {len(labels)}")
    while True:
        order = torch.randperm(len(labels), generator=generator, device=generator.device)
        for rows in order.to(labels.device).split(size):
            seen = images[rows]
            yield (augment(seen, generator) if augment else seen), labels[rows]


def fit(
    model: AbstractClassifier,
    images: Images,
    labels: Labels,
    *,
    epochs: int,
    generator: torch.Generator,
    rule: Callable[..., Any] = adamw,
    peak: float = 3e-3,
    batch: int = 64,
    augment: Augment | None = None,
) -> list[float]:
    """Train for some epochs under a one-cycle schedule; the loss at each step.

    The model is left as it was found, in training or not.
    """
    steps = epochs * math.ceil(len(labels) / batch)

    def descent(parameters: Any, lr: float) -> Optimizer:
        return Optimizer(parameters, rule, lr=partial(one_cycle, peak=lr, steps=steps))

    mode = model.training
    model.train()
    try:
        return train(
            model, batches(images, labels, batch, generator=generator, augment=augment),
            steps=steps, learning_rate=peak, optimizer=descent, generator=generator,
        )  # fmt: skip
    finally:
        model.train(mode)


@torch.no_grad()
def logits(model: nn.Module, images: Images, batch: int = 256) -> Float[Tensor, "batch classes"]:
    """The scores without dropout and with the remembered statistics, a few images at a time."""
    mode = model.training
    model.eval()
    try:
        return torch.cat([model(part) for part in images.split(batch)])
    finally:
        model.train(mode)


def accuracy(model: nn.Module, images: Images, labels: Labels) -> float:
    """The share of images whose largest score is that of their label."""
    bind(images=(images, "batch channels height width"), labels=(labels, "batch"))
    return float((logits(model, images).argmax(1) == labels).double().mean())
