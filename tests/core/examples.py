"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch

from etude.core import learner
from etude.core.door import as_arrays, check_response, name_classes
from etude.core.estimator import Classifier, Regressor
from etude.core.gradient_check import gradient_check, slopes
from etude.core.learner import train
from etude.core.metrics import dice, iou
from etude.core.random import stream
from etude.core.shapes import bind, check_choice, check_float, check_same_shape, per_row
from tests.core.test_estimator import Average, Normal
from tests.core.test_learner import Mean
from tests.devices.example import call, in_float64


def product(x, weight):
    """A formula with its pullback, for the check of gradients."""
    return x @ weight, lambda dy: (dy @ weight.T, x.T @ dy)


def classes(at):
    """A model that has learned two classes, rows, and their labels."""
    X, y = at.randn(20, 2), at(torch.arange(20) % 2 + 5)
    return Normal().fit(X, y), X, y


def masks(at, every):
    """Two masks, true at every so manieth pixel."""
    return at(torch.arange(18).reshape(2, 9) % every == 0)


def average(at):
    """A model that has learned a mean."""
    return Average().fit(at.randn(9, 2), at.randn(9))


EXAMPLES = {
    as_arrays: lambda at: call((at.randn(3), "a word")),
    check_response: lambda at: (Average(), at.randn(5, 2), at.randn(5)),
    name_classes: lambda at: (at(torch.tensor([3, 5])), at.randint(2, 4)),
    Classifier.predict: lambda at: classes(at)[:2],
    Classifier.score: classes,
    Regressor.score: lambda at: (average(at), at.randn(9, 2), at.randn(9)),
    slopes: lambda at: (lambda x: x.square().sum(), at.randn(3), 1e-2),
    gradient_check: in_float64(
        lambda at: (product, at.randn(3, 2).detach(), at.randn(2, 4).detach())
    ),
    dice: lambda at: (masks(at, 2), masks(at, 3)),
    iou: lambda at: (masks(at, 2), masks(at, 3)),
    learner.average: lambda at: (at(Mean(1.0)), at(Mean(3.0)), 0.9),
    train: lambda at: call(at(Mean()), [at.randn(4), at.randn(4)], steps=3, generator=None),
    stream: lambda at: (1, at.device),
    bind: lambda at: call(x=(at.randn(3, 2), "rows features"), y=(at.randn(3), "rows")),
    check_choice: lambda at: call(("after", "before"), reset="after"),
    check_float: lambda at: call(x=at.randn(3)),
    check_same_shape: lambda at: call(x=at.randn(2, 3), y=at.randn(2, 3)),
    per_row: lambda at: (at.randn(3), at.randn(3, 2, 2)),
}
