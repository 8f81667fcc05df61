"""The rotation and the three predictions, against diffusers, the definition and each other."""

import math

import pytest
import torch
from diffusers import DDPMScheduler
from hypothesis import given
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.mechanisms.diffusion.parameterization import (
    clipped,
    diffuse,
    estimator,
    resolve,
    rotate,
    target,
    translate,
)
from etude.mechanisms.diffusion.schedule import Schedule
from tests.mechanisms.diffusion.reference import scheduler, start, toy

PREDICTS = ["noise", "data", "velocity"]


def pair(*shape, seed=0):
    made = torch.randn(2, *shape, generator=stream(seed), dtype=torch.float64)
    return made[0], made[1]


@given(st.floats(-4, 4), st.floats(-4, 4))
def test_two_rotations_are_one_by_the_sum_of_the_angles(first, second):
    x, v = pair(3, 2)
    one, two, both = (
        torch.tensor(angle, dtype=torch.float64) for angle in (first, second, first + second)
    )
    for ours, expected in zip(rotate(*rotate(x, v, one), two), rotate(x, v, both), strict=True):
        torch.testing.assert_close(ours, expected, rtol=0, atol=1e-14)


def test_a_quarter_turn_makes_noise_of_data_and_keeps_the_length():
    data, noise = pair(5, 3)
    x, v = rotate(data, noise, torch.tensor(math.pi / 2, dtype=torch.float64))
    torch.testing.assert_close(x, noise, rtol=0, atol=1e-15)
    torch.testing.assert_close(v, -data, rtol=0, atol=1e-15)
    x, v = rotate(data, noise, torch.rand(5, generator=stream(1), dtype=torch.float64))
    torch.testing.assert_close(x**2 + v**2, data**2 + noise**2)


def test_the_velocity_is_the_speed_of_x():
    data, noise = pair(4, 2)
    angle = torch.tensor(0.7, dtype=torch.float64)
    step = 1e-6
    ahead, behind = (rotate(data, noise, angle + sign * step)[0] for sign in (1, -1))
    _, v = rotate(data, noise, angle)
    torch.testing.assert_close((ahead - behind) / (2 * step), v, rtol=0, atol=1e-9)


@pytest.mark.parametrize("kind", ["linear", "scaled_linear", "cosine"])
def test_diffusing_is_rotating_by_the_angle_of_the_level(kind):
    schedule, (data, noise) = Schedule(100, kind), pair(6, 2)
    for step in (0, 17, 99):
        level = schedule.level(step)
        by_angle = rotate(data, noise, torch.tensor(level.angle, dtype=torch.float64))
        for ours, expected in zip(diffuse(data, noise, level), by_angle, strict=True):
            torch.testing.assert_close(ours, expected, rtol=0, atol=1e-14)


def test_mixing_and_velocity_are_those_of_diffusers(parity):
    schedule, (data, noise) = Schedule(), pair(8, 3, 4, 4)
    theirs = scheduler(DDPMScheduler, "scaled_linear", (0.00085, 0.012), schedule=schedule)
    step = torch.randint(1000, (8,), generator=stream(2))
    x, v = diffuse(data, noise, schedule.at(step, data))
    parity("data and noise mixed", x, theirs.add_noise(data, noise, step),
           reference="diffusers.DDPMScheduler.add_noise", tolerance=1e-14)  # fmt: skip
    parity("velocity", v, theirs.get_velocity(data, noise, step),
           reference="diffusers.DDPMScheduler.get_velocity", tolerance=1e-14)  # fmt: skip


def test_a_step_after_a_step_is_all_steps_at_once(generator):
    """x ← √(1−β) x + √β z, 30 times: the mean and the variance of the closed form."""
    schedule, count = Schedule(30, "linear", (1e-3, 0.2)), 20_000
    x = torch.full((count,), 2.0, dtype=torch.float64)
    for beta in schedule.beta:
        fresh = torch.randn(x.shape, generator=generator, dtype=torch.float64)
        x = (1 - beta) ** 0.5 * x + beta**0.5 * fresh
    level = schedule.level(29)
    error = level.sin / count**0.5
    assert abs(x.mean() - 2 * level.cos) < 5 * error
    assert abs(x.var() - level.sin**2) < 5 * level.sin**2 * (2 / count) ** 0.5


@pytest.mark.parametrize("predicts", PREDICTS)
@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_what_a_perfect_network_says_resolves_into_the_truth(predicts, kind):
    schedule, (data, noise) = Schedule(200, kind), pair(200, 3)
    for level in (schedule.at(torch.arange(200), data), schedule.level(120)):
        x, _ = diffuse(data, noise, level)
        found = resolve(x, target(data, noise, level, predicts), level, predicts)
        for ours, expected in zip(found, (data, noise), strict=True):
            torch.testing.assert_close(ours, expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("predicts", PREDICTS)
@pytest.mark.parametrize("into", PREDICTS)
def test_a_translated_network_knows_the_same(predicts, into):
    schedule, x, network = Schedule(50, "linear", (1e-3, 0.1)), start(), toy()
    step = torch.tensor([0, 10, 20, 49])
    other = translate(network, schedule, predicts, into)
    level = schedule.at(step, x)
    for ours, expected in zip(
        resolve(x, other(x, step), level, into),
        resolve(x, network(x, step), level, predicts),
        strict=True,
    ):
        torch.testing.assert_close(ours, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("predicts", PREDICTS)
def test_an_estimate_explains_x(predicts):
    schedule, x = Schedule(50), start()
    level = schedule.level(30)
    data, noise = estimator(toy(), predicts)(x, level)
    torch.testing.assert_close(level.cos * data + level.sin * noise, x)
    data, noise = clipped(estimator(toy(), predicts), lambda data: data.clamp(-0.1, 0.1))(x, level)
    assert data.abs().max() <= 0.1
    torch.testing.assert_close(level.cos * data + level.sin * noise, x)


def test_the_network_is_told_the_step_of_every_example():
    schedule, told = Schedule(50), []

    def network(x, step):
        told.append(step)
        return x

    estimator(network, "noise")(start(rows=3), schedule.level(17))
    assert told[0].tolist() == [17, 17, 17]
    assert told[0].dtype == torch.int64


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong():
    schedule, x = Schedule(10), start()
    level = schedule.level(3)
    with pytest.raises(
        ShapeError, match=r"noise has shape \(2, 3\), expected that of data, \(4, 3\)"
    ):
        diffuse(x, x[:2], level)
    with pytest.raises(TypeError, match="data holds int64, expected a floating type"):
        diffuse(x.long(), x, level)
    with pytest.raises(ShapeError, match=r"out has shape \(4, 1\), expected that of x, \(4, 3\)"):
        estimator(lambda x, step: x[:, :1], "noise")(x, level)
    for call in (
        lambda: estimator(toy(), "score"),
        lambda: target(x, x, level, "score"),
        lambda: resolve(x, x, level, "score"),
        lambda: translate(toy(), schedule, "score"),
        lambda: translate(toy(), schedule, "noise", "score"),
    ):
        with pytest.raises(ValueError, match="must be one of 'noise', 'data', 'velocity', got"):
            call()
