"""Two networks trained against each other: the estimated divergence, the modes of the ring, the moves."""

import copy
import math

import pytest
import torch
from scipy import integrate, stats
from torch import nn

from etude.core.random import seeded, stream
from etude.data.planar import ring
from etude.networks.gan.games import mode_report
from etude.networks.gan.losses import discriminator_loss, generator_loss, r1_penalty
from etude.networks.gan.training import Perceptron, sample, train_against
from tests.on_device import accelerator, agrees_on_device


def pair(latent=2, outputs=2, width=16, seed=0):
    with seeded(seed):
        return Perceptron(latent, outputs, width), Perceptron(outputs, 1, width)


def bell(rows, generator):
    return torch.randn(rows, 2, generator=generator, device=generator.device) + 1


def test_the_moves_are_those_written_out():
    """Three moves by torch's own optimizer, one line after the other."""
    ours, theirs = pair(), pair()
    trained = train_against(*ours, bell, latent=2, steps=3, batch=8, gamma=0.5, generator=stream(1))
    g, (G, D) = stream(1), theirs
    smooth = copy.deepcopy(G)
    adam = [torch.optim.Adam(one.parameters(), 2e-3, (0.0, 0.99)) for one in theirs]
    for step in range(3):
        for one in adam:
            one.param_groups[0]["lr"] = 2e-3 * (1 - step / 3)
        real = bell(8, g)
        loss = discriminator_loss(D(real), D(sample(G, 8, 2, generator=g).detach()))
        adam[1].zero_grad()
        (loss + r1_penalty(D, real, 0.5)).backward()
        adam[1].step()
        adam[0].zero_grad()
        generator_loss(D(sample(G, 8, 2, generator=g))).backward()
        adam[0].step()
        for mean, now in zip(smooth.parameters(), G.parameters(), strict=True):
            mean.data = 0.99 * mean.data + 0.01 * now.data
    for mine, other in zip((*ours, trained.G), (G, D, smooth), strict=True):
        for a, b in zip(mine.parameters(), other.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert len(trained.discriminator_losses) == len(trained.generator_losses) == 3


class Still(nn.Module):
    """A generator of N(μ, 1) that nothing moves: the discriminator alone plays."""

    def __init__(self, mean):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(()))
        self.mean = mean

    def forward(self, noise):
        return noise + self.mean + 0 * self.weight


@pytest.mark.parametrize("mean", [0.5, 1.0, 2.0])
def test_the_value_that_is_reached_is_the_divergence(mean):
    """Of N(0, 1) and N(μ, 1): JSD = (V + 2 log 2) / 2 at the best discriminator, against quadrature."""
    with seeded(0):
        D = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))

    def draw(rows, generator):
        return torch.randn(rows, 1, generator=generator)

    train_against(
        Still(mean), D, draw, latent=1, steps=600, batch=512, generator=stream(0),
        learning_rate=1e-2, betas=(0.9, 0.999),
    )  # fmt: skip
    x = draw(400_000, stream(1))
    with torch.no_grad():
        V = -float(discriminator_loss(D(x), D(draw(400_000, stream(2)) + mean)))

    def density(x):
        a, b = stats.norm.pdf(x), stats.norm.pdf(x, mean)
        return (a * math.log(2 * a / (a + b)) + b * math.log(2 * b / (a + b))) / 2

    exact = integrate.quad(density, -10, 12)[0]
    assert (V + 2 * math.log(2)) / 2 == pytest.approx(exact, abs=0.005)


def test_the_penalty_finds_every_cloud_of_the_ring():
    clouds = 8
    angle = 2 * math.pi * torch.arange(clouds) / clouds
    centers = 2 * torch.stack([angle.cos(), angle.sin()], 1)
    with seeded(0):
        G, D = Perceptron(8, 2), Perceptron(2, 1)
    trained = train_against(
        G, D, lambda rows, g: ring(rows, radius=2.0, spread=0.04, generator=g).X,
        latent=8, steps=1500, gamma=0.1, generator=stream(0),
    )  # fmt: skip
    with torch.no_grad():
        points = sample(trained.G, 4000, 8, generator=stream(1))
    report = mode_report(points, centers, spread=0.04)
    assert report.modes == clouds
    assert report.high_quality > 0.4


def test_the_same_stream_plays_the_same_game():
    runs = [train_against(*pair(), bell, latent=2, steps=4, generator=stream(3)) for _ in range(2)]
    assert runs[0].generator_losses == runs[1].generator_losses


def test_both_stay_where_they_are_when_no_move_is_played():
    G, D = pair()
    before = copy.deepcopy(G.state_dict())
    trained = train_against(G, D, bell, latent=2, steps=0, generator=stream(0))
    assert trained.generator_losses == []
    assert all(torch.equal(value, before[name]) for name, value in G.state_dict().items())


def test_a_lost_game_says_so():
    G, D = pair()
    with pytest.raises(FloatingPointError, match="the loss is nan"):
        train_against(
            G,
            D,
            lambda rows, g: torch.full((rows, 2), math.nan),
            latent=2,
            steps=2,
            generator=stream(0),
        )


def test_bad_games_are_refused():
    for steps, batch in ((-1, 4), (2, 0)):
        with pytest.raises(ValueError, match=f"got {steps} and {batch}"):
            train_against(*pair(), bell, latent=2, steps=steps, batch=batch, generator=stream(0))


def test_training_stays_on_the_device(fake_device):
    def losses(x, generator):
        players = (one.to(x.device) for one in pair())
        trained = train_against(
            *players, bell, latent=2, steps=3, batch=8, gamma=0.1, generator=generator
        )
        assert all(p.device.type == x.device.type for p in trained.G.parameters())
        return torch.tensor(trained.generator_losses, device=x.device)

    agrees_on_device(losses, torch.zeros(1), stream(0))
    assert accelerator().type
