"""The game on finitely many points, where its best move and its value are known.

Chapter: networks/gan
"""

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind, check_float

__all__ = ["jensen_shannon", "optimal_discriminator", "optimal_value", "value"]


def value(
    p: Float[Tensor, "... states"], q: Float[Tensor, "... states"], D: Float[Tensor, "... states"]
) -> Float[Tensor, " ..."]:
    """What the discriminator wants large: E_p[log D] + E_q[log(1 − D)], in nats.

    A point that never comes counts nothing, whatever `D` says there: 0 · log 0 = 0.

    Args:
        p, q: probabilities of the data and of the generator, along the last axis.
        D: the probability that the discriminator gives to "real", at each point.

    Source: Goodfellow et al. (2014), Eq. 1.
    """
    distributions(p=p, q=q)
    return (torch.xlogy(p, D) + torch.special.xlog1py(q, -D)).sum(-1)


def optimal_discriminator(
    p: Float[Tensor, "... states"], q: Float[Tensor, "... states"]
) -> Float[Tensor, "... states"]:
    """The move against which no other is better: p / (p + q); ½ where neither ever goes.

    Source: Goodfellow et al. (2014), Proposition 1.
    """
    distributions(p=p, q=q)
    both = p + q
    return torch.where(both > 0, p / both.where(both > 0, 1.0), 0.5)


def jensen_shannon(
    p: Float[Tensor, "... states"], q: Float[Tensor, "... states"]
) -> Float[Tensor, " ..."]:
    """Half the divergences of `p` and of `q` from their middle, in nats: from 0 (equal) to log 2 (apart)."""
    distributions(p=p, q=q)
    middle = (p + q) / 2
    terms = [torch.xlogy(one, one / middle.where(middle > 0, 1.0)) for one in (p, q)]
    return (terms[0] + terms[1]).sum(-1) / 2


def optimal_value(
    p: Float[Tensor, "... states"], q: Float[Tensor, "... states"]
) -> Float[Tensor, " ..."]:
    """The value of the game at its best discriminator: 2 JSD(p‖q) − 2 log 2.

    Source: Goodfellow et al. (2014), Theorem 1.
    """
    return value(p, q, optimal_discriminator(p, q))


def distributions(**given: Tensor) -> None:
    """Refuse what is no distribution along the last axis.

    Raises:
        ShapeError: they have different numbers of states.
        ValueError: `q sums to 2, expected 1`, or has a negative entry.
    """
    check_float(**given)
    bind({}, **{name: (tensor, "... states") for name, tensor in given.items()})
    for name, tensor in given.items():
        if tensor.numel() and tensor.min() < 0:
            raise ValueError(f"{name} has an entry of {tensor.min():g}, expected none below 0")
        total = tensor.sum(-1)
        off = (total - 1).abs() > 1e-4
        if off.any():
            raise ValueError(f"{name} sums to {total[off].flatten()[0]:g}, expected 1")
