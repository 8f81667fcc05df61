"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch

from etude.core.random import seeded
from etude.mechanisms.judges import Judge, frechet, teach, verdict, within_class_variance
from tests.devices.example import call


def judge(at):
    with seeded(0):
        return at(Judge(4, 2, hidden=(3,)))


EXAMPLES = {
    Judge.features: lambda at: (judge(at), at.randn(3, 2, 2)),
    Judge.forward: lambda at: (judge(at), at.randn(3, 2, 2)),
    Judge.loss: lambda at: (judge(at), at.randn(3, 2, 2), at.randint(2, 3)),
    frechet: lambda at: (at.randn(8, 3).detach(), at.randn(6, 3).detach()),
    teach: lambda at: call(
        judge(at), at.randn(6, 2, 2).detach(), at.randint(2, 6), steps=2, batch=4
    ),
    verdict: lambda at: (
        judge(at),
        at.randn(4, 2, 2),
        at(torch.tensor([0, 0, 1, 1])),
        at.randn(6, 2, 2),
    ),
    within_class_variance: lambda at: (
        at.randn(4, 3).detach(),
        at(torch.tensor([0, 0, 1, 1])),
    ),
}
