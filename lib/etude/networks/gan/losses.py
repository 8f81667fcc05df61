"""What each player makes small, from scores before any sigmoid.

A score s is the logarithm of the odds that a sample is real: D = σ(s).

Chapter: networks/gan
"""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind, check_choice, check_float, check_same_shape, per_row

__all__ = ["Game", "discriminator_loss", "generator_loss", "gradient_penalty", "r1_penalty"]

Game: TypeAlias = Literal["minimax", "non_saturating", "hinge", "wasserstein"]

# Scores of a batch, one for each sample: (batch,) or (batch, 1).
Discriminator: TypeAlias = Callable[[Tensor], Tensor]


def discriminator_loss(
    real: Float[Tensor, "batch ..."],
    fake: Float[Tensor, "others ..."],
    game: Game = "non_saturating",
) -> Float[Tensor, ""]:
    """How badly the scores tell real from fake, averaged over either batch.

    "minimax" and "non_saturating" differ for the generator only: for the discriminator both are
    the cross-entropy of the two answers.

    Args:
        real: scores of samples from the data.
        fake: scores of samples from the generator; as many or not.

    Raises:
        ValueError: `game must be one of …`.

    Source: Goodfellow et al. (2014), Eq. 1; Lim & Ye (2017), Eq. 5 (hinge); Arjovsky et al.
    (2017), Eq. 3 (wasserstein), with its sign turned: here everyone descends.
    """
    checked(game, real=real, fake=fake)
    if game == "hinge":
        return F.relu(1 - real).mean() + F.relu(1 + fake).mean()
    if game == "wasserstein":
        return fake.mean() - real.mean()
    return F.softplus(-real).mean() + F.softplus(fake).mean()


def generator_loss(
    fake: Float[Tensor, "batch ..."], game: Game = "non_saturating"
) -> Float[Tensor, ""]:
    """How badly the fakes pass, averaged.

    Where the discriminator is sure (s far below 0) the slope of "minimax" is −σ(s), next to
    nothing; that of "non_saturating" is −(1 − σ(s)), next to −1.

    Raises:
        ValueError: `game must be one of …`.

    Source: Goodfellow et al. (2014), Sec. 3.
    """
    checked(game, fake=fake)
    if game == "minimax":
        return -F.softplus(fake).mean()
    if game == "non_saturating":
        return F.softplus(-fake).mean()
    return -fake.mean()


def r1_penalty(
    discriminator: Discriminator, real: Float[Tensor, "batch ..."], gamma: float = 1.0
) -> Float[Tensor, ""]:
    """γ/2 E‖∇ₓ s(x)‖² over the data: a discriminator that is flat where the real samples are.

    Its gradient reaches the parameters of the discriminator; `real` itself is left as it is.
    Samples of a batch must not see each other (no batch normalization), or their slopes mix.

    Source: Mescheder et al. (2018), Eq. 9.
    """
    check_float(real=real)
    slope = input_gradient(discriminator, real)
    return gamma / 2 * slope.flatten(1).square().sum(1).mean()


def gradient_penalty(
    discriminator: Discriminator,
    real: Float[Tensor, "batch ..."],
    fake: Float[Tensor, "batch ..."],
    weight: float = 10.0,
    *,
    generator: torch.Generator | None = None,
) -> Float[Tensor, ""]:
    """λ E(‖∇ s(x̂)‖ − 1)² at places between real and fake, where a critic must have slope one.

    Each pair is mixed at a place of its own, drawn uniformly.

    Source: Gulrajani et al. (2017), Eq. 3 and Algorithm 1.
    """
    check_float(real=real, fake=fake)
    check_same_shape(real=real, fake=fake)
    place = torch.rand(len(real), generator=generator, dtype=real.dtype, device=real.device)
    slope = input_gradient(
        discriminator, torch.lerp(fake.detach(), real.detach(), per_row(place, real))
    )
    return weight * (slope.flatten(1).norm(dim=1) - 1).square().mean()


def input_gradient(discriminator: Discriminator, x: Tensor) -> Tensor:
    """The slope of each sample's score at the sample, with its history, also inside `no_grad`."""
    with torch.enable_grad():
        x = x.detach().requires_grad_()
        # Each score depends on its own sample, so the gradient of the sum is all slopes at once.
        return torch.autograd.grad(discriminator(x).sum(), x, create_graph=True)[0]


def checked(game: str, **scores: Tensor) -> None:
    """Know the game, and refuse scores that are none, or empty."""
    check_float(**scores)
    check_choice(get_args(Game), game=game)
    for name, tensor in scores.items():
        if tensor.ndim > 2 or (tensor.ndim == 2 and tensor.shape[1] != 1):
            bind(**{name: (tensor, "batch")})  # says what was expected and what came
        if not tensor.numel():
            raise ValueError(f"{name} is empty: a mean over no scores")
