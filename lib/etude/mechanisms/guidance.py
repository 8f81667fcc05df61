"""Ask for more of what a condition says than a model would give: guidance, and its thresholds.

The weight w is counted so that 0 ignores the condition, 1 obeys it as the model learned to, and more
exaggerates. Ho & Salimans (2022) count from there: their w is ours minus 1.

Chapter: mechanisms/guidance
"""

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from etude.core.shapes import bind, per_row
from etude.mechanisms.diffusion.parameterization import Estimate, Network, resolve
from etude.mechanisms.diffusion.schedule import Level

__all__ = [
    "classifier_guide",
    "dynamic_threshold",
    "forget",
    "guide",
    "static_threshold",
]


def guide(
    network: Network, weight: float | Tensor, condition: Tensor, nothing: Tensor | int | float
) -> Network:
    """A network of (x, step) that goes from its answer to `nothing` towards that to `condition`.

    Noise, data and velocity may be guided alike. Each question is put once, for a batch of twice
    the size.

    Args:
        weight: w, one for all or one for each example, (batch,).
        condition: what the network takes as its third argument, an example a row.
        nothing: the same without a condition, for one row or for all.

    Source: Ho & Salimans (2022), Eq. 6.
    """
    without = torch.as_tensor(nothing, dtype=condition.dtype, device=condition.device)
    both = torch.cat([without.expand_as(condition), condition])

    def guided(x: Tensor, step: Tensor) -> Tensor:
        bind({"rows": len(condition)}, step=(step, "rows"))
        twice = torch.cat([x, x]), torch.cat([step, step])
        free, told = network(*twice, both).chunk(2)
        # Eq. (guidance-free)
        return free + column(weight, x) * (told - free)

    return guided


def classifier_guide(
    estimate: Estimate, log_probability: Callable[[Tensor, Tensor], Tensor], weight: float | Tensor
) -> Estimate:
    """Shift an unconditional estimate by how a classifier's answer rises with x.

    Args:
        estimate: of the data and the noise, from `estimator`.
        log_probability: log p(class | x, step) of each example, (batch,), differentiable in x.
        weight: w; 1 is Bayes' rule.

    Source: Dhariwal & Nichol (2021), Algorithm 2.
    """

    def guided(x: Tensor, level: Level) -> tuple[Tensor, Tensor]:
        _, noise = estimate(x, level)
        step = torch.full((len(x),), int(level.step), device=x.device)
        with torch.enable_grad():
            leaf = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(log_probability(leaf, step).sum(), leaf)
        # Eq. (guidance-classifier)
        return resolve(x, noise - column(weight, x) * level.sin * slope, level, "noise")

    return guided


def forget(
    labels: Int[Tensor, " batch"],
    nothing: int,
    share: float,
    *,
    generator: torch.Generator | None = None,
) -> Int[Tensor, " batch"]:
    """Replace some labels by “nothing”, so that one network learns both answers.

    Raises:
        ValueError: `share` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share must lie between 0 and 1, got {share}")
    drawn: Bool[Tensor, " batch"] = (
        torch.rand(labels.shape, generator=generator, device=labels.device) < share
    )
    return labels.masked_fill(drawn, nothing)


def static_threshold(limit: float = 1.0) -> Callable[[Tensor], Tensor]:
    """Cut the estimate of the data off at ±`limit`."""
    if not limit > 0:
        raise ValueError(f"limit must be positive, got {limit}")
    return lambda data: data.clamp(-limit, limit)


def dynamic_threshold(
    percentile: float = 0.995, most: float = math.inf
) -> Callable[[Tensor], Tensor]:
    """Cut each example off where `percentile` of its numbers lie within, and shrink it to ±1.

    A cut within ±1 is moved to 1, one beyond `most` to `most`.

    Raises:
        ValueError: `percentile` is not between 0 and 1, or `most` is below 1.

    Source: Saharia et al. (2022), Section 2.3.
    """
    if not 0 <= percentile <= 1:
        raise ValueError(f"percentile must lie between 0 and 1, got {percentile}")
    if not most >= 1:
        raise ValueError(f"most must be at least 1, got {most}")

    def threshold(data: Tensor) -> Tensor:
        # Eq. (guidance-threshold)
        limit = torch.quantile(data.flatten(1).abs(), percentile, dim=1).clamp(1, most)
        limit = per_row(limit, data)
        return data.clamp(-limit, limit) / limit

    return threshold


def column(weight: float | Tensor, x: Tensor) -> float | Tensor:
    """One number for all, or one for each example with an axis for each of its axes."""
    if isinstance(weight, Tensor) and weight.ndim:
        bind({"rows": len(x)}, weight=(weight, "rows"))
        return per_row(weight, x)
    return weight
