"""Kernels on a few states, written out as matrices: what sampling can only suggest is exact here.

`matrix[i, j]` is the probability of going from i to j; rows add up to 1.

Chapter: formulas/mcmc
"""

import itertools

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind
from etude.formulas.mcmc.gibbs import full_conditional
from etude.formulas.mcmc.kernel import LogDensity

__all__ = [
    "all_states",
    "gibbs_matrix",
    "imbalance",
    "metropolis_matrix",
    "relaxation_time",
    "stationary",
]

Chances = Float[Tensor, " states"]
Transition = Float[Tensor, "states states"]


def all_states(values: Float[Tensor, " any"], dims: int) -> Float[Tensor, "states dims"]:
    """Every position with coordinates among the values, in the order of counting."""
    rows = list(itertools.product(range(len(values)), repeat=dims))
    return values[torch.tensor(rows, device=values.device)]


def metropolis_matrix(
    target: Chances, proposal: Transition, *, hastings: bool = True
) -> Transition:
    """Propose j from i with `proposal[i, j]`, accept, and stay with all that was refused.

    `hastings=False` leaves the ratio of the proposals out, to see what happens.
    """
    bind(target=(target, "states"), proposal=(proposal, "states states"))
    flow = target[:, None] * (proposal if hastings else torch.ones_like(proposal))
    # Eq. (metropolis-matrix)
    acceptance = (flow.mT / flow).nan_to_num(nan=0.0).clamp(max=1)
    moved = proposal * acceptance
    moved = moved - moved.diagonal().diag()
    return moved + (1 - moved.sum(dim=1)).diag()


def gibbs_matrix(
    log_density: LogDensity, values: Float[Tensor, " any"], dims: int, coordinate: int
) -> Transition:
    """Draw one coordinate from its full conditional; states as `all_states` counts them."""
    states = all_states(values, dims)
    chances = full_conditional(log_density, states, coordinate, values)
    stride = len(values) ** (dims - 1 - coordinate)
    here = torch.arange(len(states), device=values.device)
    digit = here // stride % len(values)
    matrix = chances.new_zeros(len(states), len(states))
    there = (here - digit * stride)[:, None] + stride * torch.arange(
        len(values), device=values.device
    )
    return matrix.scatter(1, there, chances)


def imbalance(target: Chances, matrix: Transition) -> Float[Tensor, ""]:
    """The largest |π_i P_ij − π_j P_ji|: 0 is detailed balance."""
    # Eq. (detailed-balance)
    flow = target[:, None] * matrix
    return (flow - flow.mT).abs().max()


def stationary(matrix: Transition) -> Chances:
    """The distribution that the matrix leaves as it is: πP = π and Σπ = 1.

    Raises:
        ValueError: there is more than one, because some states cannot be reached from others.
    """
    size = len(matrix)
    # The equations πP = π add up to 0 = 0: one of them makes room for Σπ = 1.
    system = torch.cat([(matrix.mT - torch.eye(size).to(matrix))[1:], torch.ones_like(matrix[:1])])
    if torch.linalg.matrix_rank(system) < size:
        raise ValueError("matrix falls apart: more than one distribution is stationary")
    wanted = torch.cat([torch.zeros_like(matrix[0, 1:]), torch.ones_like(matrix[0, :1])])
    return torch.linalg.solve(system, wanted)


def relaxation_time(target: Chances, matrix: Transition, values: Chances) -> Float[Tensor, ""]:
    """The exact autocorrelation time 1 + 2 Σρ of a function of the states, given by its values."""
    centered = values - target @ values
    # Σ_{t ≥ 0} P^t f solves (I − P + 1π) g = f for a centered f.
    everything = torch.eye(len(target)).to(matrix) - matrix + target
    summed = torch.linalg.solve(everything, centered)
    return 2 * (target * centered) @ summed / ((target * centered) @ centered) - 1
