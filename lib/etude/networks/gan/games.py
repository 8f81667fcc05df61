"""Games of two players in the plane: what happens when both follow their gradients.

θ wants the payoff small and ψ wants it large. Many games are played at once, one a row.

Chapter: networks/gan
"""

import math
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind, check_choice, check_float

__all__ = ["Course", "ModeReport", "Payoff", "Rule", "bilinear", "dirac", "mode_report", "play"]

Rule: TypeAlias = Literal["simultaneous", "alternating", "extragradient"]

# (batch, n) and (batch, m) → (batch,), each game from its own row.
Payoff: TypeAlias = Callable[[Tensor, Tensor], Tensor]


class Course(NamedTuple):
    """Where the players were, before the first move and after each."""

    theta: Float[Tensor, "moves batch n"]
    psi: Float[Tensor, "moves batch m"]


def bilinear(theta: Tensor, psi: Tensor) -> Tensor:
    """θ·ψ, the smallest game: its only equilibrium is (0, 0), and gradients circle around it."""
    return (theta * psi).sum(-1)


def dirac(theta: Tensor, psi: Tensor) -> Tensor:
    """A generator that only draws θ, data that is only 0, and a discriminator with the score ψ·x.

    log σ(ψ·0) + log(1 − σ(ψ·θ)): the minimax value, −2 log 2 at the equilibrium (0, 0).

    Source: Mescheder et al. (2018), Definition 2.1, where a large score means "drawn".
    """
    return F.logsigmoid(-bilinear(theta, psi)) - math.log(2)


def play(
    payoff: Payoff,
    theta: Float[Tensor, "batch n"],
    psi: Float[Tensor, "batch m"],
    *,
    rate: float,
    moves: int,
    rule: Rule = "simultaneous",
    damping: float = 0.0,
) -> Course:
    """Both players follow their gradients.

    "simultaneous": both move at once. "alternating": ψ answers to where θ already is.
    "extragradient": both look where a move would lead, and move by the gradients found there.
    `damping` γ takes γ/2‖ψ‖² from what ψ wants, which is the R1 penalty of a linear score.

    Raises:
        ShapeError: the players have different numbers of games.
        ValueError: `rule must be one of …`, or `moves` is negative.

    Source: Korpelevich (1976) for the extragradient; Mescheder et al. (2018), Sec. 3 and 4.1.
    """
    check_float(theta=theta, psi=psi)
    bind(theta=(theta, "batch n"), psi=(psi, "batch m"))
    check_choice(get_args(Rule), rule=rule)
    if moves < 0:
        raise ValueError(f"moves must not be negative, got {moves}")

    def slopes(theta: Tensor, psi: Tensor) -> tuple[Tensor, Tensor]:
        with torch.enable_grad():
            here = [theta.detach().requires_grad_(), psi.detach().requires_grad_()]
            down, up = torch.autograd.grad(payoff(*here).sum(), here)
        return down, up - damping * psi

    at = theta.detach(), psi.detach()
    course = [at]
    for _ in range(moves):
        theta, psi = at
        down, up = slopes(theta, psi)
        if rule == "alternating":
            up = slopes(theta - rate * down, psi)[1]
        elif rule == "extragradient":
            down, up = slopes(theta - rate * down, psi + rate * up)
        at = theta - rate * down, psi + rate * up
        course.append(at)
    return Course(*map(torch.stack, zip(*course, strict=True)))


class ModeReport(NamedTuple):
    """Which clouds a generator has found."""

    modes: int  # clouds that hold enough of the samples
    high_quality: float  # the part of the samples that lies in a cloud
    counts: Tensor  # (modes,), samples in each cloud


def mode_report(
    points: Float[Tensor, "points dim"],
    centers: Float[Tensor, "modes dim"],
    *,
    spread: float,
    reach: float = 6.0,
    least: float = 0.02,
) -> ModeReport:
    """Count the clouds that samples fall into: within `reach` standard deviations of a center.

    A cloud is found when it holds at least `least` of all samples. A sample that is not a
    number lies nowhere, and counts among all.

    Raises:
        ShapeError: points and centers have different dimensions.
        ValueError: there are no points, or `spread` is not positive.
    """
    check_float(points=points, centers=centers)
    bind(points=(points, "points dim"), centers=(centers, "modes dim"))
    if not len(points):
        raise ValueError("points is empty: there is nothing to report on")
    if not spread > 0:
        raise ValueError(f"spread must be positive, got {spread}")
    exact = "donot_use_mm_for_euclid_dist"  # the other way cancels digits where clouds are small
    every = torch.cdist(points, centers, compute_mode=exact).nan_to_num(nan=torch.inf)
    distance, nearest = every.min(1)
    inside = distance < reach * spread
    counts = torch.zeros(len(centers), dtype=torch.long, device=points.device)
    counts = counts.index_add(0, nearest, inside.long())
    return ModeReport(
        int((counts >= least * len(points)).sum()), float(inside.double().mean()), counts
    )
