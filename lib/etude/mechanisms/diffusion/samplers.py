"""Five ways from noise to data, with one signature: estimate, x, path and a generator.

A path is what `Schedule.path` gives, or any part of it: a sampler that remembers nothing (all but
`dpm_solver`) may be called level by level. Backwards a path leads from data to noise.

Chapter: mechanisms/diffusion
"""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import check_float
from etude.mechanisms.diffusion.parameterization import Estimate, diffuse
from etude.mechanisms.diffusion.schedule import Level, Schedule

__all__ = ["ddim", "ddpm", "dpm_solver", "euler", "heun", "renoise"]


@torch.no_grad()
def ddpm(
    estimate: Estimate,
    x: Float[Tensor, "batch ..."],
    path: Sequence[Level],
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """Draw each x from what it would be, given the next one and the estimated data.

    Raises:
        ValueError: the path has fewer than two levels, or its noise rises.

    Source: Ho et al. (2020), Eq. 6 and 7, with the smaller variance.
    """
    for now, then in legs(x, path, falling=True):
        data, _ = estimate(x, now)
        kept = (now.cos / then.cos) ** 2  # α, the share of the data's power that a step keeps
        share = then.sin**2 / now.sin**2
        # Eq. (diffusion-posterior)
        mean = then.cos * (1 - kept) / now.sin**2 * data + kept**0.5 * share * x
        x = mean + ((1 - kept) * share) ** 0.5 * torch.randn_like(x, generator=generator)
    return x


@torch.no_grad()
def ddim(
    estimate: Estimate,
    x: Float[Tensor, "batch ..."],
    path: Sequence[Level],
    *,
    generator: torch.Generator | None = None,
    eta: float = 0.0,
) -> Float[Tensor, "batch ..."]:
    """Turn the estimated pair of data and noise to the next level.

    With η = 0 nothing is drawn; with η = 1 it is `ddpm`.

    Raises:
        ValueError: the path has fewer than two levels, or rises where η is not 0.

    Source: Song et al. (2021), Eq. 12 and 16.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie between 0 and 1, got {eta}")
    for now, then in legs(x, path, falling=eta > 0):
        data, noise = estimate(x, now)
        if eta == 0:
            # Eq. (diffusion-ddim)
            x = then.cos * data + then.sin * noise
            continue
        kept = (now.cos / then.cos) ** 2
        fresh = eta * then.sin / now.sin * (1 - kept) ** 0.5
        x = then.cos * data + (then.sin**2 - fresh**2) ** 0.5 * noise
        x = x + fresh * torch.randn_like(x, generator=generator)
    return x


@torch.no_grad()
def euler(
    estimate: Estimate,
    x: Float[Tensor, "batch ..."],
    path: Sequence[Level],
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """Follow the slope of x / cos over σ in straight pieces. Nothing is drawn.

    Raises:
        ValueError: the path has fewer than two levels.

    Source: Karras et al. (2022), Algorithm 1 without its correction.
    """
    for now, then in legs(x, path):
        _, slope = estimate(x, now)
        # Eq. (diffusion-flow)
        x = then.cos * (x / now.cos + (then.sigma - now.sigma) * slope)
    return x


@torch.no_grad()
def heun(
    estimate: Estimate,
    x: Float[Tensor, "batch ..."],
    path: Sequence[Level],
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """Go by the mean of the slopes at both ends of a piece: two estimates a step, but the last.

    Raises:
        ValueError: the path has fewer than two levels.

    Source: Karras et al. (2022), Algorithm 1.
    """
    for now, then in legs(x, path):
        _, slope = estimate(x, now)
        whole, stride = x / now.cos, then.sigma - now.sigma
        x = then.cos * (whole + stride * slope)
        if then.sin:
            _, there = estimate(x, then)
            # Eq. (diffusion-heun)
            x = then.cos * (whole + stride * (slope + there) / 2)
    return x


@torch.no_grad()
def dpm_solver(
    estimate: Estimate,
    x: Float[Tensor, "batch ..."],
    path: Sequence[Level],
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """DPM-Solver++ (2M): over λ, with the data drawn on in a line from the last two estimates.

    One estimate a step. Nothing is drawn.

    Raises:
        ValueError: the path has fewer than two levels.

    Source: Lu et al. (2022), Algorithm 2.
    """
    before, last = None, 0.0
    for now, then in legs(x, path):
        data, _ = estimate(x, now)
        stride = then.log_snr - now.log_snr
        ahead = data
        if before is not None and then.sin:  # the last stride is infinite, no line leads there
            ahead = data + stride / (2 * last) * (data - before)
        # Eq. (diffusion-dpm-solver)
        x = then.sin / now.sin * x - then.cos * math.expm1(-stride) * ahead
        before, last = data, stride
    return x


def renoise(
    schedule: Schedule,
    guide: Float[Tensor, "batch ..."],
    start: int,
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "batch ..."]:
    """A guide as it would look at step `start`: from there a path leads to data that resemble it.

    Raises:
        ValueError: `start` is outside of the schedule.

    Source: Meng et al. (2022), SDEdit.
    """
    noise = torch.randn_like(guide, generator=generator)
    return diffuse(guide, noise, schedule.level(start))[0]


def legs(x: Tensor, path: Sequence[Level], *, falling: bool = False) -> list[tuple]:
    """The pairs of levels between which a sampler goes, checked before it sets out."""
    check_float(x=x)
    if len(path) < 2:
        raise ValueError(f"path must have at least two levels, got {len(path)}")
    clean = [index for index, level in enumerate(path[:-1]) if not level.sin]
    if clean:
        raise ValueError(f"path has no noise at level {clean[0]}: only its last may be the data")
    found = list(pairwise(path))
    if falling and any(then.sin > now.sin for now, then in found):
        raise ValueError("path must lead from noise to data where noise is drawn, but it rises")
    return found
