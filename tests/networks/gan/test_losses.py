"""The losses of both players, against torch's cross-entropy, and their penalties in closed form."""

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from etude.core.random import seeded, stream
from etude.networks.gan.losses import (
    discriminator_loss,
    generator_loss,
    gradient_penalty,
    r1_penalty,
)

GAMES = ["minimax", "non_saturating", "hinge", "wasserstein"]


def scores(seed=0, rows=64):
    return 3 * torch.randn(2, rows, generator=stream(seed), dtype=torch.float64)


@pytest.mark.parametrize("game", ["minimax", "non_saturating"])
def test_the_discriminator_has_the_cross_entropy_of_two_answers(game, parity):
    real, fake = (s.requires_grad_() for s in scores())
    both = torch.cat([real, fake])
    labels = torch.cat([torch.ones_like(real), torch.zeros_like(fake)])
    ours = discriminator_loss(real, fake, game)
    theirs = 2 * F.binary_cross_entropy_with_logits(both, labels)
    slopes = [torch.cat(torch.autograd.grad(loss, [real, fake])) for loss in (ours, theirs)]
    reference = "torch.nn.functional.binary_cross_entropy_with_logits"
    parity(f"discriminator's loss, {game}", ours, theirs, reference=reference, tolerance=1e-15)
    parity(f"gradient of it, {game}", *slopes, reference=reference, tolerance=1e-16)


def test_the_generator_has_the_cross_entropy_of_the_other_answer(parity):
    _, fake = scores()
    reference = "torch.nn.functional.binary_cross_entropy_with_logits"
    theirs = F.binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
    parity("generator's loss, non_saturating", generator_loss(fake), theirs,
           reference=reference, tolerance=1e-15)  # fmt: skip
    theirs = -F.binary_cross_entropy_with_logits(fake, torch.zeros_like(fake))
    parity("generator's loss, minimax", generator_loss(fake, "minimax"), theirs,
           reference=reference, tolerance=1e-15)  # fmt: skip


def test_the_minimax_game_sums_to_nothing():
    """What the discriminator loses on fakes the generator wins, up to the data's part."""
    real, fake = scores()
    both = discriminator_loss(real, fake, "minimax") + generator_loss(fake, "minimax")
    torch.testing.assert_close(both, F.softplus(-real).mean(), rtol=0, atol=1e-14)


def test_a_sure_discriminator_silences_one_generator_and_not_the_other():
    s = torch.tensor([-8.0], dtype=torch.float64, requires_grad=True)
    slopes = {game: float(torch.autograd.grad(generator_loss(s, game), s)[0]) for game in GAMES[:2]}
    sure = 1 / (1 + math.exp(8))
    assert slopes["minimax"] == pytest.approx(-sure, rel=1e-12)
    assert slopes["non_saturating"] == pytest.approx(-(1 - sure), rel=1e-12)
    ratio = slopes["non_saturating"] / slopes["minimax"]
    assert ratio == pytest.approx(math.exp(8), rel=1e-12)  # 2980.96


def test_hinge_and_wasserstein_by_hand():
    real, fake = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0, 1.0])
    assert float(discriminator_loss(real, fake, "hinge")) == pytest.approx(0.25 + 1.0)
    assert float(discriminator_loss(real, fake, "wasserstein")) == pytest.approx(-2 / 3 - 1.25)
    for game in ("hinge", "wasserstein"):
        assert float(generator_loss(fake, game)) == pytest.approx(2 / 3)


@pytest.mark.parametrize("game", GAMES)
def test_extreme_scores_stay_finite(game):
    far = torch.tensor([1e4, -1e4], requires_grad=True)
    loss = discriminator_loss(far, far, game) + generator_loss(far, game)
    loss.backward()
    assert loss.isfinite()
    assert far.grad.isfinite().all()


@pytest.mark.parametrize("game", GAMES)
def test_a_column_of_scores_is_as_good_as_a_row(game):
    real, fake = scores()
    assert discriminator_loss(real[:, None], fake[:, None], game) == discriminator_loss(
        real, fake, game
    )


def test_what_is_no_score_or_no_game_is_refused(as_a_user):
    real, fake = scores()
    with pytest.raises(ValueError, match="game must be one of 'minimax', .*got 'least squares'"):
        generator_loss(fake, "least squares")
    with pytest.raises(ValueError, match="real has 2 axes"):
        discriminator_loss(real.reshape(8, 8), fake)
    with pytest.raises(ValueError, match="fake is empty"):
        generator_loss(fake[:0])
    with pytest.raises(TypeError, match="fake holds int64"):
        generator_loss(torch.tensor([1, 2]))


class Quadratic(nn.Module):
    """s(x) = xᵀAx, whose slope is (A + Aᵀ)x."""

    def __init__(self, seed=0):
        super().__init__()
        self.A = nn.Parameter(torch.randn(3, 3, generator=stream(seed), dtype=torch.float64))

    def forward(self, x):
        return torch.einsum("bi,ij,bj->b", x, self.A, x)


def data(seed=1, rows=5):
    return torch.randn(rows, 3, generator=stream(seed), dtype=torch.float64)


def test_r1_of_a_quadratic_form_and_its_gradient():
    D, x, gamma = Quadratic(), data(), 0.7
    slope = x @ (D.A + D.A.T)
    expected = gamma / 2 * slope.square().sum(1).mean()
    penalty = r1_penalty(D, x, gamma)
    torch.testing.assert_close(penalty, expected, rtol=1e-14, atol=0)
    ours, theirs = (torch.autograd.grad(loss, D.A)[0] for loss in (penalty, expected))
    torch.testing.assert_close(ours, theirs, rtol=1e-13, atol=1e-13)
    assert not x.requires_grad
    assert D.A.grad is None


def test_r1_of_pictures_adds_all_pixels():
    D = nn.Sequential(nn.Flatten(), nn.Linear(12, 1, bias=False))
    x = torch.randn(4, 3, 2, 2, generator=stream(0))
    expected = 0.5 * D[1].weight.square().sum()
    torch.testing.assert_close(r1_penalty(D, x, 1.0), expected)


def test_r1_passes_second_derivatives_of_a_network():
    with seeded(0):
        D = nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = data()
    bias = D[0].bias

    def penalty(b):
        def frozen(x):
            return torch.func.functional_call(D, {"0.bias": b}, (x,))

        return r1_penalty(frozen, x, 1.0)

    assert torch.autograd.gradcheck(penalty, (bias.detach().clone().requires_grad_(),))


def test_penalties_work_where_gradients_are_off():
    with torch.no_grad():
        assert r1_penalty(Quadratic(), data()) > 0


def test_the_gradient_penalty_of_a_plane_is_its_steepness():
    """s(x) = wᵀx has slope w everywhere, so it does not matter where one looks."""
    w = torch.tensor([3.0, 0.0, 4.0], dtype=torch.float64, requires_grad=True)
    real, fake = data(1), data(2)
    penalty = gradient_penalty(lambda x: x @ w, real, fake, 10.0, generator=stream(0))
    assert float(penalty.detach()) == pytest.approx(10 * (5 - 1) ** 2, rel=1e-14)
    (slope,) = torch.autograd.grad(penalty, w)
    torch.testing.assert_close(slope, 10 * 2 * (5 - 1) * w.detach() / 5)


def test_the_gradient_penalty_looks_between_the_pairs():
    """s(x) = ‖x‖²/2 has slope x: each place is a mixture of its own pair, one number a pair."""
    seen = []

    def D(x):
        seen.append(x.detach())
        return x.square().sum(1) / 2

    real, fake = torch.ones(500, 3).double(), torch.zeros(500, 3).double()
    gradient_penalty(D, real, fake, generator=stream(0))
    places = seen[0]
    assert (places == places[:, :1]).all(), "one place for all numbers of a pair"
    assert len(places[:, 0].unique()) == 500
    assert abs(float(places[:, 0].mean()) - 0.5) < 5 * math.sqrt(1 / 12 / 500)
    again = gradient_penalty(D, real, fake, generator=stream(0))
    assert again == gradient_penalty(D, real, fake, generator=stream(0))


def test_pairs_have_one_shape(as_a_user):
    with pytest.raises(
        ValueError, match=r"fake has shape \(4, 3\), expected that of real, \(5, 3\)"
    ):
        gradient_penalty(Quadratic(), data(), data(rows=4))
