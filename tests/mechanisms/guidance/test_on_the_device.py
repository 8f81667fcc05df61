"""What guidance returns are functions: here they are called on the device."""

import torch

from etude.core.random import stream
from etude.mechanisms.diffusion import Schedule, ddim, estimator
from etude.mechanisms.diffusion.exact import Clouds
from etude.mechanisms.diffusion.parameterization import clipped
from etude.mechanisms.guidance import classifier_guide, dynamic_threshold, guide, static_threshold

SCHEDULE = Schedule(8)
CENTERS = torch.eye(2)
LABEL = torch.tensor([0, 1, 1])


def samples(device):
    clouds = Clouds(SCHEDULE, CENTERS.to(device), 0.5)
    label, weight = LABEL.to(device), torch.tensor([1.0, 2.0, 3.0]).to(device)
    x = torch.randn(3, 2, generator=stream(0)).to(device)
    rows = torch.arange(3, device=device)
    ways = (
        estimator(guide(clouds, weight, label, 2), "noise"),
        classifier_guide(
            estimator(clouds, "noise"),
            lambda x, step: clouds.log_posterior(x, step)[rows, label],
            weight,
        ),
    )
    for way in ways:
        for threshold in (static_threshold(), dynamic_threshold(0.9)):
            yield ddim(clipped(way, threshold), x, SCHEDULE.path(4))


def test_guided_samples_are_those_of_the_cpu(fake_device):
    for there, here in zip(samples(fake_device), samples("cpu"), strict=True):
        assert there.device == fake_device
        torch.testing.assert_close(there.cpu(), here)
