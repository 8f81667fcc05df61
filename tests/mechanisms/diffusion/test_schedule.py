"""The tables of a schedule and the paths through them, against diffusers and by hand."""

import math

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler

from etude.mechanisms.diffusion.schedule import Level, Schedule, spaced
from tests.mechanisms.diffusion.reference import scheduler

BETA = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "cosine": (1e-4, 0.02)}
KINDS = sorted(BETA)
SPACINGS = ["trailing", "leading", "linspace"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_tables_are_those_of_diffusers(kind, parity):
    ours, theirs = Schedule(1000, kind, BETA[kind]), scheduler(DDIMScheduler, kind, BETA[kind])
    # Theirs are float32: they keep seven digits of β, and lose one of 1 − 0.999.
    for item, mine, other in (
        ("β of a schedule", ours.beta, theirs.betas),
        (
            "ᾱ, relative",
            np.ones(1000),
            theirs.alphas_cumprod.double() / torch.tensor(ours.alpha_bar),
        ),
    ):
        parity(f"{item}, {kind}", mine, other, reference="diffusers.DDIMScheduler, float32",
               tolerance=2e-5 if kind == "cosine" else 2e-6)  # fmt: skip


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("total", [1000, 200])
def test_the_steps_are_those_of_diffusers(spacing, total):
    """Save that, for some counts, their "trailing" makes one step more than was asked for, at −1."""
    theirs = scheduler(DDIMScheduler, num_train_timesteps=total, timestep_spacing=spacing)
    for count in range(1, total + 1):
        theirs.set_timesteps(count)
        steps = theirs.timesteps.tolist()
        if len(steps) > count:
            assert spacing == "trailing"
            assert steps.pop() == -1
        assert spaced(total - 1, count, spacing) == steps


def test_the_path_of_stable_diffusion():
    schedule = Schedule()
    path = schedule.path(20, spacing="leading", offset=1, final="first")
    assert [level.step for level in path] == [*range(951, 0, -50), 0]
    theirs = scheduler(
        DDIMScheduler, "scaled_linear", BETA["scaled_linear"], steps_offset=1,
        clip_sample=False, set_alpha_to_one=False,
    )  # fmt: skip
    theirs.set_timesteps(20)
    assert [level.step for level in path[:-1]] == theirs.timesteps.tolist()
    assert schedule.alpha_bar[0] == pytest.approx(0.99915, abs=1e-12)
    assert schedule.alpha_bar[999] == pytest.approx(0.0046601, abs=1e-6)
    assert path[-1].cos ** 2 == pytest.approx(schedule.alpha_bar[0])


def test_the_share_that_is_left_is_the_product_of_what_each_step_leaves():
    schedule = Schedule(4, "linear", (0.1, 0.4))
    by_hand = [0.9, 0.9 * 0.8, 0.9 * 0.8 * 0.7, 0.9 * 0.8 * 0.7 * 0.6]
    assert schedule.alpha_bar == pytest.approx(by_hand, abs=1e-15)
    assert Schedule(3, "scaled_linear", (0.04, 0.16)).beta == pytest.approx([0.04, 0.09, 0.16])


def test_the_cosine_turns_evenly():
    """β is made so that ᾱ is a squared cosine; only the last β would be 1 and is capped."""
    schedule = Schedule(200, "cosine")
    u = np.arange(1, 200) / 200
    start = math.cos(0.008 / 1.008 * math.pi / 2)
    left = np.cos((u + 0.008) / 1.008 * math.pi / 2) / start
    assert schedule.cos[:-1] == pytest.approx(left, abs=1e-14)
    assert schedule.beta[-1] == 0.999
    assert (schedule.beta[:-1] < 0.999).all()
    angles = np.array([schedule.level(step).angle for step in range(200)])
    even = np.diff(angles)[20:-2]
    assert even == pytest.approx(math.pi / 2 / 201.6, rel=2e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_level_is_a_point_of_the_unit_circle(kind):
    schedule = Schedule(50, kind)
    levels = [schedule.level(step) for step in range(-1, 50)]
    assert levels[0] == Level(-1, 1.0, 0.0)
    for level in levels:
        assert level.cos**2 + level.sin**2 == pytest.approx(1, abs=1e-14)
        assert math.tan(level.angle) == pytest.approx(level.sigma, rel=1e-9)
        assert math.exp(-level.log_snr) == pytest.approx(level.sigma, rel=1e-12)
    angles = [level.angle for level in levels]
    assert angles == sorted(angles)
    assert levels[0].log_snr == math.inf


def test_a_batch_has_its_levels_in_its_own_type_and_shape():
    schedule = Schedule(10, "cosine")
    step = torch.tensor([9, 0, 3])
    for dtype in (torch.float32, torch.float64):
        level = schedule.at(step, torch.zeros(3, 2, 5, dtype=dtype))
        assert level.cos.shape == level.sin.shape == (3, 1, 1)
        assert level.cos.dtype == level.sin.dtype == dtype
        for row, one in enumerate(step.tolist()):
            expected = schedule.level(one)
            assert float(level.cos[row]) == pytest.approx(expected.cos, rel=1e-6)
            assert float(level.sin[row]) == pytest.approx(expected.sin, rel=1e-6)


@pytest.mark.parametrize("spacing", SPACINGS)
def test_a_path_may_begin_later(spacing):
    schedule = Schedule(100)
    path = schedule.path(5, spacing=spacing, start=59)
    steps = [level.step for level in path]
    assert len(path) == 6
    assert steps[-1] == -1
    assert steps[0] == {"trailing": 59, "linspace": 59, "leading": 48}[spacing]
    assert [level.step for level in schedule.path([7, 4, 1])] == [7, 4, 1, -1]
    assert len(schedule) == 100


def test_one_step_of_trailing_starts_from_pure_noise_and_one_of_leading_does_not():
    schedule = Schedule()
    assert schedule.path(1)[0].step == 999
    assert schedule.path(1, spacing="leading")[0].step == 0


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("message", "call"),
    [
        ("kind must be one of 'linear'", lambda: Schedule(kind="sigmoid")),
        ("steps must be at least 1, got 0", lambda: Schedule(0)),
        ("beta must hold two numbers that rise", lambda: Schedule(beta=(0.02, 0.01))),
        ("beta must hold", lambda: Schedule(beta=(0.0, 0.01))),
        ("step must lie between -1 and 9, got 10", lambda: Schedule(10).level(10)),
        ("step must lie between -1 and 9, got -2", lambda: Schedule(10).level(-2)),
        (
            "step must lie between 0 and 9",
            lambda: Schedule(10).at(torch.tensor([-1]), torch.zeros(1)),
        ),
        ("steps must lie between 1 and 10, got 11", lambda: Schedule(10).path(11)),
        ("steps must lie between 1 and 10, got 0", lambda: Schedule(10).path(0)),
        ("start must lie between 0 and 9, got 10", lambda: Schedule(10).path(2, start=10)),
        ("spacing must be one of", lambda: Schedule(10).path(2, spacing="even")),
        ("final must be one of 'data', 'first'", lambda: Schedule(10).path(2, final="zero")),
        ("steps must fall and lie below 10", lambda: Schedule(10).path([3, 3])),
        ("steps must fall and lie below 10", lambda: Schedule(10).path([10, 3])),
        ("steps must fall and lie below 10", lambda: Schedule(10).path([])),
        ("steps must fall", lambda: Schedule(10).path(10, spacing="leading", offset=1)),
    ],
)
def test_says_what_is_wrong(message, call):
    with pytest.raises(ValueError, match=message):
        call()
