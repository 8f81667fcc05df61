"""The small network and the loss: against diffusers, counted by hand, and where the least loss is known."""

import pytest
import torch
from diffusers.models.embeddings import get_timestep_embedding

from etude.core.errors import ShapeError
from etude.core.learner import train
from etude.core.random import seeded, stream
from etude.mechanisms.diffusion.denoiser import Diffusion, MLPDenoiser, waves
from etude.mechanisms.diffusion.exact import Clouds
from etude.mechanisms.diffusion.parameterization import diffuse, target, translate
from etude.mechanisms.diffusion.schedule import Schedule


def test_a_step_is_described_as_in_diffusers(parity):
    step = torch.arange(0, 1000, 37)
    theirs = get_timestep_embedding(step, 64, flip_sin_to_cos=True, downscale_freq_shift=0)
    parity("waves of a step", waves(step, torch.zeros(1)), theirs,
           reference="diffusers.get_timestep_embedding", tolerance=1e-4)  # fmt: skip


def test_the_waves_are_those_of_their_formula():
    step = torch.tensor([0, 3])
    found = waves(step, torch.zeros(1, dtype=torch.float64), dim=4)
    angle = 3 * torch.tensor([1.0, 0.01], dtype=torch.float64)
    expected = torch.stack(
        [torch.tensor([1.0, 1, 0, 0]).double(), torch.cat([angle.cos(), angle.sin()])]
    )
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-14)


def test_its_parameters_are_counted():
    network = MLPDenoiser(64, hidden=96, layers=2, classes=10)
    assert sum(one.numel() for one in network.parameters()) == 140_992


def small(seed=0, classes=3):
    """A network whose answer is not 0."""
    with seeded(seed):
        network = MLPDenoiser(2, hidden=8, classes=classes).double()
        torch.nn.init.normal_(network.leave.weight)
    return network


def test_before_it_learns_its_answer_is_nothing():
    network = MLPDenoiser(2, hidden=8)
    assert network(torch.randn(3, 2, generator=stream(0)), torch.tensor([0, 5, 9])).eq(0).all()


def test_it_knows_the_step_and_the_class():
    network, x = small(), torch.ones(4, 2, dtype=torch.float64)
    step, label = torch.tensor([3, 3, 3, 80]), torch.tensor([0, 1, 3, 3])
    out = network(x, step, label)
    assert len(out.unique(dim=0)) == 4
    assert torch.equal(network(x, step)[2:], out[2:]), "the last row of the table is no class"


@pytest.mark.parametrize("predicts", ["noise", "data", "velocity"])
def test_the_loss_is_a_mean_square_at_random_steps(predicts):
    schedule, network = Schedule(50), small(classes=3)
    data = torch.randn(6, 2, generator=stream(1), dtype=torch.float64)
    label = torch.tensor([0, 1, 2, 3, 0, 1])
    found = Diffusion(network, schedule, predicts).loss(data, label, generator=stream(4))
    g = stream(4)
    step = torch.randint(50, (6,), generator=g)
    noise = torch.randn(6, 2, generator=g, dtype=torch.float64)
    level = schedule.at(step, data)
    error = network(diffuse(data, noise, level)[0], step, label) - target(
        data, noise, level, predicts
    )
    torch.testing.assert_close(found, error.square().sum() / 12)


@pytest.mark.parametrize("predicts", ["noise", "velocity"])
def test_the_least_loss_is_what_x_does_not_tell(predicts):
    """For N(μ, s²) the noise keeps the variance s² cos² / (s² cos² + sin²), the velocity s² / (…)."""
    schedule, spread, count = Schedule(100, "cosine"), 0.5, 40_000
    center = torch.tensor([[1.0]], dtype=torch.float64)
    network = translate(Clouds(schedule, center, spread), schedule, "noise", predicts)
    data = 1 + spread * torch.randn(count, 1, generator=stream(0), dtype=torch.float64)
    found = Diffusion(network, schedule, predicts).loss(data, generator=stream(1))
    cos, sin = torch.tensor(schedule.cos), torch.tensor(schedule.sin)
    variance = spread**2 / (spread**2 * cos**2 + sin**2)
    left = variance * cos**2 if predicts == "noise" else variance
    error = (2 * left.square().mean() + left.var()) ** 0.5 / count**0.5
    assert abs(found - left.mean()) < 5 * error


def test_it_learns():
    """Two points: with seeds 0 to 9 the loss fell from about 1 to .015 to .030."""
    schedule = Schedule(100, "cosine")
    with seeded(0):
        model = Diffusion(MLPDenoiser(1, hidden=16, layers=1, classes=2), schedule)
    data = torch.tensor([[1.0], [-1.0]]).repeat(64, 1)
    label = torch.tensor([0, 1]).repeat(64)
    history = train(model, [(data, label)], steps=300, learning_rate=1e-2, generator=stream(0))
    assert sum(history[-20:]) / 20 < 0.1
    assert history[0] > 0.7


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong():
    with pytest.raises(
        ValueError, match="sizes must be positive, and classes not negative, got dim=0"
    ):
        MLPDenoiser(0)
    with pytest.raises(ValueError, match="predicts must be one of"):
        Diffusion(small(), Schedule(10), "score")
    with pytest.raises(ShapeError, match="x has 3 dim, expected 2"):
        small()(torch.zeros(4, 3).double(), torch.zeros(4).long())
    with pytest.raises(ShapeError, match="step has 1 batch, expected 4"):
        small()(torch.zeros(4, 2).double(), torch.zeros(1).long())
    with pytest.raises(
        ShapeError, match=r"out has shape \(4, 1\), expected that of data, \(4, 2\)"
    ):
        Diffusion(lambda x, step: x[:, :1], Schedule(10)).loss(torch.zeros(4, 2))
