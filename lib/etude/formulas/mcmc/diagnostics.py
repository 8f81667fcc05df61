"""How far to trust draws: R̂, effective sample sizes, Monte Carlo standard errors.

Draws have shape (draws, chains, …): each place of the further axes is one quantity. Numbers are
arviz's, method by method; a quantity that holds NaN is answered with NaN.

Source: Vehtari, Gelman, Simpson, Carpenter & Bürkner (2021); autocorrelations: Geyer (1992).

Chapter: formulas/mcmc
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float
from scipy import special
from torch import Tensor

__all__ = [
    "Summary",
    "autocorrelation",
    "autocovariance",
    "autocorrelation_time",
    "ess",
    "mcse",
    "quantile",
    "rank_normalize",
    "rhat",
    "split",
    "summarize",
]

Draws = Float[Tensor, "draws chains *quantities"]
Quantities = Float[Tensor, "*quantities"]


class Summary(NamedTuple):
    """What to read before believing; each of the shape of one draw."""

    mean: Tensor
    sd: Tensor
    mcse: Tensor  # of the mean
    ess_bulk: Tensor
    ess_tail: Tensor
    rhat: Tensor


def summarize(draws: Draws) -> Summary:
    """Mean, standard deviation, and how well they are known."""
    everything = draws.flatten(0, 1)
    return Summary(
        everything.mean(dim=0), everything.std(dim=0), mcse(draws),
        ess(draws, "bulk"), ess(draws, "tail"), rhat(draws),
    )  # fmt: skip


def autocovariance(draws: Draws) -> Draws:
    """Of every chain at every lag, by FFT; the sums are divided by all draws, whatever the lag."""
    n = len(draws)
    centered = draws - draws.mean(dim=0)
    spectrum = torch.fft.rfft(centered, n=2 * n, dim=0)  # padded: nothing wraps around
    power = spectrum.real.square() + spectrum.imag.square()
    # Eq. (autocovariance)
    return torch.fft.irfft(power, n=2 * n, dim=0)[:n] / n


def autocorrelation(draws: Draws) -> Draws:
    """The autocovariance over the one at lag 0."""
    covariance = autocovariance(draws)
    return covariance / covariance[:1]


def split(draws: Draws) -> Float[Tensor, "half twice *quantities"]:
    """Both halves of every chain as chains of their own; of an odd number the middle goes.

    Raises:
        ValueError: fewer than 4 draws.
    """
    if len(draws) < 4:
        raise ValueError(f"draws has {len(draws)} draws, expected at least 4")
    half = len(draws) // 2
    return torch.cat([draws[:half], draws[-half:]], dim=1)


def rank_normalize(draws: Draws) -> Draws:
    """Normal quantiles of the ranks among all draws of all chains; ties share their mean rank."""
    flat = draws.flatten(0, 1).movedim(0, -1).contiguous()
    ordered, order = flat.sort(dim=-1)
    size = flat.shape[-1]
    place = torch.arange(1, size + 1, device=draws.device).expand_as(order)
    tied = F.pad(ordered[..., 1:] == ordered[..., :-1], (1, 1))  # with the neighbor before, behind
    first = place.masked_fill(tied[..., :-1], 0).cummax(dim=-1).values
    last = place.masked_fill(tied[..., 1:], size).flip(-1).cummin(dim=-1).values.flip(-1)
    rank = (first + last).to(draws.dtype) / 2
    # Eq. (rank-normalization)
    z = torch.special.ndtri((rank - 3 / 8) / (size + 1 / 4))
    return torch.empty_like(z).scatter(-1, order, z).movedim(-1, 0).view(draws.shape)


def rhat(draws: Draws, method: str = "rank") -> Quantities:
    """Spread of all chains together over the spread within them, 1 when they tell the same.

    `"rank"`, the larger of `"z_scale"` and `"folded"`; `"split"`, without ranks; `"identity"`,
    without halves.

    Raises:
        ValueError: one chain only, fewer than 4 draws, or a method that does not exist.
    """
    if draws.shape[1] < 2:
        raise ValueError(f"draws has {draws.shape[1]} chain, expected at least 2")
    halves = split(draws)
    if method == "identity":
        return _guard(draws, _ratio(draws))
    if method == "split":
        return _guard(draws, _ratio(halves))
    folded = (halves - _median(halves)).abs()
    wanted = {"rank": (halves, folded), "z_scale": (halves,), "folded": (folded,)}
    if method not in wanted:
        raise ValueError(f"method must be rank, z_scale, folded, split or identity, got {method!r}")
    each = [_ratio(rank_normalize(x)) for x in wanted[method]]
    worst = torch.fmax(each[0], each[-1])  # two values only, folded, are one: no ratio of its own
    return _guard(draws, worst)


def _ratio(draws: Draws) -> Quantities:
    n = len(draws)
    within = draws.var(dim=0).mean(dim=0)
    between = n * draws.mean(dim=0).var(dim=0)
    # Eq. (rhat)
    return ((between / within + n - 1) / n).sqrt()


def ess(draws: Draws, method: str = "bulk", prob: float | None = None) -> Quantities:
    """How many independent draws would estimate as well.

    `"bulk"`: of the mean of the normalized ranks; `"mean"`, `"sd"`; `"quantile"` at `prob`; `"tail"`:
    the smaller of the quantiles at `prob` (.05) and 1 − `prob`.

    Raises:
        ValueError: fewer than 4 draws, a method that does not exist, `prob` missing or outside 0–1.
    """
    if method == "tail":
        low = 0.05 if prob is None else prob
        return torch.minimum(ess(draws, "quantile", low), ess(draws, "quantile", 1 - low))
    if method == "quantile":
        draws_or_less = (draws <= quantile(draws, _probability(prob))).to(draws.dtype)
        return _guard(draws, _effective(split(draws_or_less)))
    if method == "bulk":
        return _guard(draws, _effective(rank_normalize(split(draws))))
    if method == "mean":
        return _guard(draws, _effective(split(draws)))
    if method == "sd":
        return _guard(draws, _effective(split((draws - draws.mean(dim=(0, 1))).square())))
    raise ValueError(f"method must be bulk, tail, mean, sd or quantile, got {method!r}")


def _effective(draws: Draws) -> Quantities:
    """Draws over the autocorrelation time, chains pooled; all equal draws count as independent."""
    n, chains = draws.shape[:2]
    covariance = autocovariance(draws)
    within = covariance[0].mean(dim=0) * n / (n - 1)
    total = within * (n - 1) / n
    if chains > 1:
        total = total + draws.mean(dim=0).var(dim=0)
    # Eq. (pooled-autocorrelation)
    rho = 1 - (within - covariance.mean(dim=1)) / total
    rho[0] = 1
    # Eq. (effective-sample-size)
    size = n * chains / autocorrelation_time(rho).clamp(min=1 / math.log10(n * chains))
    constant = draws.amax(dim=(0, 1)) == draws.amin(dim=(0, 1))
    return torch.where(constant, size.new_tensor(n * chains), size)


def autocorrelation_time(rho: Float[Tensor, "lags *quantities"]) -> Quantities:
    """−1 + 2 Σ ρ over Geyer's pairs ρ₂ₖ + ρ₂ₖ₊₁, while positive, and made to fall.

    For a reversible chain these sums are positive and fall with k: what is not so is noise.

    Source: Geyer (1992), section 3.3; the last, even term is arviz's refinement.
    """
    last = max((len(rho) - 3) // 2, 0)  # of the pairs that are looked at
    pairs = rho[: 2 * last + 2].unflatten(0, (-1, 2))
    sums = pairs.sum(dim=1)
    count = (sums > 0).long().cumprod(dim=0).sum(dim=0).clamp(max=last)[None]
    index = torch.arange(len(sums), device=rho.device).view(-1, *[1] * (rho.ndim - 1))
    # Eq. (geyer)
    falling = sums.cummin(dim=0).values.masked_fill(index >= count, 0).sum(dim=0)
    even, both = pairs[:, 0].gather(0, count)[0], sums.gather(0, count)[0]
    time = -1 + 2 * falling + torch.where((even > 0) | (both >= 0), even, 0)
    return time.masked_fill(rho.isnan().any(dim=0), torch.nan)


def mcse(draws: Draws, method: str = "mean", prob: float | None = None) -> Quantities:
    """The standard error of an estimate made of these draws: `"mean"`, `"sd"`, or `"quantile"` at `prob`.

    Raises:
        ValueError: as `ess`.
    """
    everything = draws.flatten(0, 1)
    if method == "mean":
        # Eq. (mcse)
        return everything.std(dim=0) / ess(draws, "mean").sqrt()
    if method == "sd":
        squares = (everything - everything.mean(dim=0)).square()
        # The variance of a mean of squares, carried to its root; each square counts as a draw.
        variance = squares.square().mean(dim=0) - squares.mean(dim=0).square()
        return (variance / ess(draws, "mean") / squares.mean(dim=0) / 4).sqrt()
    if method != "quantile":
        raise ValueError(f"method must be mean, sd or quantile, got {method!r}")
    level, size = _probability(prob), len(everything)
    count = ess(draws, "quantile", level).detach().cpu().double().numpy()  # torch has no beta
    ordered = everything.sort(dim=0).values
    ends = []
    for one_sd, whole in ((0.1586553, torch.floor), (0.8413447, torch.ceil)):
        place = special.betaincinv(count * level + 1, count * (1 - level) + 1, one_sd) * size - 1
        index = whole(torch.as_tensor(place).nan_to_num(nan=0.0)).clamp(0, size - 1).long()
        ends.append(ordered.gather(0, index.to(draws.device)[None])[0])
    return _guard(draws, (ends[1] - ends[0]) / 2)


def quantile(draws: Draws, prob: float) -> Quantities:
    """Of all draws of all chains, linear between two neighbors, as numpy does it bit by bit."""
    size = draws.shape[0] * draws.shape[1]
    place = (size - 1) * prob
    low, high, t = _smallest(draws, int(place)), _smallest(draws, math.ceil(place)), place % 1
    # A last digit decides which draws are "at most the quantile".
    return low + (high - low) * t if t < 0.5 else high - (high - low) * (1 - t)


def _median(draws: Draws) -> Quantities:
    """With numpy's rounding: of the two draws in the middle, which are equally far, neither is first."""
    size = draws.shape[0] * draws.shape[1]
    return (_smallest(draws, (size - 1) // 2) + _smallest(draws, size // 2)) / 2


def _smallest(draws: Draws, place: int) -> Quantities:
    """What would stand at a place if all draws were sorted, which is not done."""
    return draws.flatten(0, 1).kthvalue(place + 1, dim=0).values


def _probability(prob: float | None) -> float:
    if prob is None or not 0 < prob < 1:
        raise ValueError(f"prob must be between 0 and 1, got {prob}")
    return prob


def _guard(draws: Draws, answer: Quantities) -> Quantities:
    """NaN where a draw is NaN."""
    return answer.masked_fill(draws.isnan().any(dim=1).any(dim=0), torch.nan)
