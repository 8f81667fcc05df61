"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch

from etude.mechanisms.diffusion import Schedule, estimator
from etude.mechanisms.diffusion.exact import Clouds
from etude.mechanisms.guidance import (
    classifier_guide,
    dynamic_threshold,
    forget,
    guide,
    static_threshold,
)

SCHEDULE = Schedule(8)


def clouds(at):
    return at(Clouds(SCHEDULE, torch.eye(2), 0.5))


EXAMPLES = {
    classifier_guide: lambda at: (
        estimator(clouds(at), "noise"),
        lambda x, step: clouds(at).log_posterior(x, step)[:, 0],
        2.0,
    ),
    dynamic_threshold: lambda at: 0.9,
    forget: lambda at: (at.randint(3, 9), 3, 0.5),
    guide: lambda at: (clouds(at), 2.0, at.randint(2, 3), 2),
    static_threshold: lambda at: 1.0,
}
