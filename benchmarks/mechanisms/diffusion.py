"""Sampling side by side with the schedulers of diffusers, as ratios of medians.

    python benchmarks/mechanisms/diffusion.py [--device cpu] [--repeats 9] [--small]

Both walk the same time steps from the same noise, with the same network, and take turns within one
run, so that a busy machine slows both. The ends are compared before anything is timed. A network that
costs nothing shows the sampler alone; beside a small one it hardly counts.
"""

import argparse
import statistics
from collections.abc import Callable, Sequence

import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)
from torch import Tensor

from etude.core.device import device, threads
from etude.core.random import seeded, stream
from etude.mechanisms.diffusion import (
    MLPDenoiser,
    Schedule,
    ddim,
    ddpm,
    dpm_solver,
    estimator,
    euler,
    heun,
)
from press.stopwatch import ratio, seconds

STEPS = 25
SIZES = ((64, 64), (16, 3 * 64 * 64), (16, 4 * 128 * 128))  # batch, numbers of one example
PAIRS = {
    "DDPM": (ddpm, DDPMScheduler, {"clip_sample": False}),
    "DDIM": (ddim, DDIMScheduler, {"clip_sample": False}),
    "Euler": (euler, EulerDiscreteScheduler, {}),
    "Heun": (heun, HeunDiscreteScheduler, {}),
    "DPM-Solver++": (dpm_solver, DPMSolverMultistepScheduler, {}),
}
BETA = {"beta_schedule": "scaled_linear", "beta_start": 0.00085, "beta_end": 0.012}


def theirs(kind: type, network: Callable, x: Tensor, options: dict) -> Tensor:
    """Sample as a pipeline of diffusers does."""
    scheduler = kind(**BETA, prediction_type="v_prediction", timestep_spacing="trailing", **options)
    scheduler.set_timesteps(STEPS, device=x.device)
    draws = {"generator": stream(1, x.device)} if kind is DDPMScheduler else {}
    over_sigma = kind in (EulerDiscreteScheduler, HeunDiscreteScheduler)
    y = x * (1 + scheduler.sigmas[0] ** 2) ** 0.5 if over_sigma else x
    with torch.no_grad():
        for t in scheduler.timesteps:
            out = network(scheduler.scale_model_input(y, t), t.long().expand(len(x)))
            y = scheduler.step(out, t, y, **draws).prev_sample
    return y


def compare(name: str, network: Callable, x: Tensor, options) -> None:
    """Assert that both ends are equal; print medians, and the ratio of ours to theirs."""
    path = Schedule().path(STEPS)
    for solver, (ours, kind, given) in PAIRS.items():

        def mine(ours=ours) -> Tensor:
            return ours(estimator(network, "velocity"), x, path, generator=stream(1, x.device))

        def other(kind=kind, given=given) -> Tensor:
            return theirs(kind, network, x, given)

        torch.testing.assert_close(mine(), other(), rtol=1e-3, atol=1e-3)
        rounds = [[seconds(way, options.device) for way in (mine, other)]
                  for _ in range(options.repeats)]  # fmt: skip
        medians = [1e3 * statistics.median(column) for column in zip(*rounds, strict=True)]
        spread = ratio(*zip(*rounds, strict=True))
        print(f"{name:<34}{solver:<14}{medians[0]:10.2f}{medians[1]:10.2f}  {spread}", flush=True)


def main(given: Sequence[str] | None = None) -> None:
    """Time every sampler on one device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=torch.device, default=device())
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--small", action="store_true", help="sizes for a test")
    options = parser.parse_args(given)
    print(f"device {options.device}, {torch.get_num_threads()} thread(s), float32, milliseconds")
    print(f"{STEPS} steps{'':<40}{'ours':>10}{'diffusers':>10}  {'ratio':>7}  (middle half)")
    for batch, dim in SIZES[: 1 if options.small else None]:
        x = torch.randn(batch, dim, generator=stream(0)).to(options.device)
        compare(f"no network, {batch} × {dim}", lambda x, step: 0.5 * x, x, options)
    with seeded(0):
        network = MLPDenoiser(64).to(options.device)
        torch.nn.init.normal_(network.leave.weight, std=0.1)
    rows = 8 if options.small else 600
    x = torch.randn(rows, 64, generator=stream(0)).to(options.device)
    compare(f"141 k parameters, {rows} × 64", network, x, options)


if __name__ == "__main__":
    with threads():
        main()
