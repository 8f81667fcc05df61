"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch

from etude.core.random import seeded
from etude.mechanisms.diffusion.denoiser import Diffusion, MLPDenoiser, waves
from etude.mechanisms.diffusion.exact import Clouds
from etude.mechanisms.diffusion.parameterization import (
    clipped,
    diffuse,
    estimator,
    resolve,
    rotate,
    target,
    translate,
)
from etude.mechanisms.diffusion.samplers import ddim, ddpm, dpm_solver, euler, heun, renoise
from etude.mechanisms.diffusion.schedule import Level, Schedule
from tests.devices.example import call

SCHEDULE = Schedule(8)
LEVEL = SCHEDULE.level(5)


def bent(x, step):
    """A network without parameters."""
    return torch.tanh(x + step.to(x.dtype)[:, None] / 8)


def network(at):
    with seeded(0):
        made = MLPDenoiser(2, hidden=4, layers=1, classes=2)
        torch.nn.init.normal_(made.leave.weight)
    return at(made)


def clouds(at):
    return at(Clouds(SCHEDULE, torch.eye(2), 0.5))


def walk(at, estimate=None):
    """What every sampler takes; the estimates differ, since what they are made by returns functions."""
    return estimate or estimator(bent, "velocity"), at.randn(3, 2), SCHEDULE.path(3)


def translated(predicts):
    return estimator(translate(bent, SCHEDULE, predicts, "noise"), "noise")


EXAMPLES = {
    Clouds.forward: lambda at: (clouds(at), at.randn(3, 2), at.randint(8, 3), at.randint(3, 3)),
    Clouds.log_posterior: lambda at: (clouds(at), at.randn(3, 2), at.randint(8, 3)),
    Diffusion.loss: lambda at: (
        Diffusion(network(at), SCHEDULE),
        at.randn(3, 2),
        at.randint(3, 3),
    ),
    Level.angle: lambda at: LEVEL,
    Level.log_snr: lambda at: LEVEL,
    Level.sigma: lambda at: LEVEL,
    MLPDenoiser.forward: lambda at: (
        network(at),
        at.randn(3, 2),
        at.randint(8, 3),
        at.randint(3, 3),
    ),
    Schedule.at: lambda at: (SCHEDULE, at.randint(8, 3), at.randn(3, 2)),
    Schedule.level: lambda at: (SCHEDULE, 5),
    Schedule.path: lambda at: (SCHEDULE, 3),
    clipped: lambda at: (estimator(bent, "noise"), torch.tanh),
    ddim: lambda at: call(*walk(at), eta=0.5),
    ddpm: lambda at: walk(at),
    diffuse: lambda at: (at.randn(3, 2), at.randn(3, 2), LEVEL),
    dpm_solver: lambda at: walk(at, clipped(estimator(bent, "noise"), torch.tanh)),
    estimator: lambda at: (bent, "noise"),
    euler: lambda at: walk(at, translated("data")),
    heun: lambda at: walk(at, translated("velocity")),
    renoise: lambda at: (SCHEDULE, at.randn(3, 2), 5),
    resolve: lambda at: (at.randn(3, 2), at.randn(3, 2), LEVEL, "noise"),
    rotate: lambda at: (at.randn(3, 2), at.randn(3, 2), at.randn(3)),
    target: lambda at: (at.randn(3, 2), at.randn(3, 2), LEVEL, "velocity"),
    translate: lambda at: (bent, SCHEDULE, "noise"),
    waves: lambda at: (at.randint(8, 3), at.randn(1)),
}
