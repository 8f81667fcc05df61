"""Five samplers: equal to diffusers', to each other where they should be, and right where all is known."""

import math
from itertools import pairwise

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DDPMScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    HeunDiscreteScheduler,
)

from etude.core.random import stream
from etude.mechanisms.diffusion.exact import Clouds
from etude.mechanisms.diffusion.parameterization import (
    clipped,
    diffuse,
    estimator,
    rotate,
    translate,
)
from etude.mechanisms.diffusion.samplers import ddim, ddpm, dpm_solver, euler, heun, renoise
from etude.mechanisms.diffusion.schedule import Level, Schedule
from tests.mechanisms.diffusion.reference import (
    scheduler,
    start,
    toy,
    walk,
    walk_dpm,
    walk_sigmas,
)

BETA = {"linear": (1e-4, 0.02), "scaled_linear": (0.00085, 0.012), "cosine": (1e-4, 0.02)}
SIGMA = {"data": "zero", "first": "sigma_min"}
SAMPLERS = [ddpm, ddim, euler, heun, dpm_solver]
# spacing, steps, offset, final; the steps of "linspace" are whole numbers where 27 divides 999
SPACINGS = {
    "leading": (20, 1, "first"),
    "trailing": (20, 0, "data"),
    "linspace": (28, 0, "data"),
}


@pytest.fixture(params=sorted(BETA))
def kind(request):
    return request.param


@pytest.fixture(params=["noise", "data", "velocity"])
def predicts(request):
    return request.param


@pytest.fixture(params=sorted(SPACINGS))
def spacing(request):
    return request.param


@pytest.fixture
def setting(kind, predicts, spacing):
    """Our schedule, estimate and path, and what makes one of their schedulers alike."""
    steps, offset, final = SPACINGS[spacing]
    schedule = Schedule(1000, kind, BETA[kind])
    path = schedule.path(steps, spacing=spacing, offset=offset, final=final)

    def theirs(which, **options):
        alike = dict(timestep_spacing=spacing, steps_offset=offset) | options
        made = scheduler(which, kind, BETA[kind], predicts, schedule, **alike)
        made.set_timesteps(steps)
        return made

    to_data = schedule.path(steps, spacing=spacing, offset=offset)
    return estimator(toy(), predicts), path, to_data, theirs, final


def test_ddim_is_that_of_diffusers(setting, spacing, parity):
    estimate, path, _, theirs, final = setting
    if spacing == "linspace":
        return  # DDIMScheduler goes 1000 // 28 steps on from each, whatever its next step is
    made = theirs(DDIMScheduler, clip_sample=False, set_alpha_to_one=final == "data")
    parity("DDIM", ddim(estimate, start(), path), walk(made, toy(), start()),
           reference="diffusers.DDIMScheduler", tolerance=1e-14)  # fmt: skip
    for eta in (0.5, 1.0):
        ours = ddim(estimate, start(), path, eta=eta, generator=stream(3))
        parity("DDIM, η = ½ and 1", ours, walk(made, toy(), start(), eta=eta, generator=stream(3)),
               reference="diffusers.DDIMScheduler", tolerance=1e-12)  # fmt: skip


def test_ddpm_is_that_of_diffusers(setting, parity):
    """Their last step from step 1 adds noise of 1e-10, so that a logarithm has something to take."""
    estimate, _, path, theirs, _ = setting
    made = theirs(DDPMScheduler, clip_sample=False)
    parity("DDPM", ddpm(estimate, start(), path, generator=stream(3)),
           walk(made, toy(), start(), generator=stream(3)),
           reference="diffusers.DDPMScheduler", tolerance=5e-10)  # fmt: skip


def test_euler_is_that_of_diffusers(setting, parity):
    estimate, path, _, theirs, final = setting
    made = theirs(EulerDiscreteScheduler, final_sigmas_type=SIGMA[final])
    parity("Euler", euler(estimate, start(), path), walk_sigmas(made, toy(), start(), final),
           reference="diffusers.EulerDiscreteScheduler, float32", tolerance=1e-6)  # fmt: skip


def test_heun_is_that_of_diffusers(setting, parity):
    """Where cos is 5e-5, its step of σ from 20,000 to 20 cancels four digits in both."""
    estimate, _, path, theirs, _ = setting
    made = theirs(HeunDiscreteScheduler)
    parity("Heun", heun(estimate, start(), path), walk_sigmas(made, toy(), start()),
           reference="diffusers.HeunDiscreteScheduler", tolerance=1e-9)  # fmt: skip


def test_dpm_solver_is_that_of_diffusers(setting, parity):
    """On our steps: theirs would leave out the last of one more."""
    estimate, path, _, theirs, final = setting
    made = theirs(DPMSolverMultistepScheduler, final_sigmas_type=SIGMA[final])
    made.set_timesteps(timesteps=[level.step for level in path[:-1]])
    parity("DPM-Solver++ 2M", dpm_solver(estimate, start(), path),
           walk_dpm(made, toy(), start(), final),
           reference="diffusers.DPMSolverMultistepScheduler", tolerance=1e-13)  # fmt: skip


@pytest.mark.parametrize("spacing", ["leading"], indirect=True)
def test_dpm_solver_as_a_pipeline_calls_it(setting, parity):
    estimate, path, _, theirs, _ = setting
    made = theirs(DPMSolverMultistepScheduler, final_sigmas_type="sigma_min")
    made.set_timesteps(timesteps=[level.step for level in path[:-1]])
    x = start()
    for t in made.timesteps:
        x = made.step(toy()(x, t.expand(len(x))), t, x).prev_sample
    parity("DPM-Solver++ 2M, step", dpm_solver(estimate, start(), path), x,
           reference="diffusers.DPMSolverMultistepScheduler, float32", tolerance=2e-6)  # fmt: skip


@pytest.mark.parametrize("spacing", ["leading"], indirect=True)
def test_a_clipped_estimate_is_that_of_diffusers(setting, parity):
    estimate, path, to_data, theirs, _ = setting
    within = clipped(estimate, lambda data: data.clamp(-0.8, 0.8))
    cut = dict(clip_sample=True, clip_sample_range=0.8)
    made = theirs(DDIMScheduler, set_alpha_to_one=False, **cut)
    parity("DDIM, clipped", ddim(within, start(), path),
           walk(made, toy(), start(), use_clipped_model_output=True),
           reference="diffusers.DDIMScheduler", tolerance=1e-13)  # fmt: skip
    parity("DDPM, clipped", ddpm(within, start(), to_data, generator=stream(3)),
           walk(theirs(DDPMScheduler, **cut), toy(), start(), generator=stream(3)),
           reference="diffusers.DDPMScheduler", tolerance=5e-10)  # fmt: skip
    parity("Heun, clipped", heun(within, start(), to_data),
           walk_sigmas(theirs(HeunDiscreteScheduler, **cut), toy(), start()),
           reference="diffusers.HeunDiscreteScheduler", tolerance=1e-9)  # fmt: skip


def test_ddpm_over_all_steps_is_that_of_diffusers(parity):
    schedule = Schedule(1000, "linear", BETA["linear"])
    made = scheduler(DDPMScheduler, schedule=schedule, clip_sample=False)
    ours = ddpm(estimator(toy(), "noise"), start(), schedule.path(1000), generator=stream(3))
    parity("DDPM, 1000 steps", ours, walk(made, toy(), start(), generator=stream(3)),
           reference="diffusers.DDPMScheduler", tolerance=1e-9)  # fmt: skip


def test_in_float32_the_samplers_keep_its_digits(kind):
    """Of an unbounded state, the relative difference from float64."""
    path = Schedule(1000, kind, BETA[kind]).path(20, spacing="leading", offset=1)
    single = start(dtype=torch.float32)
    for sampler in (ddim, euler, heun, dpm_solver):
        for predicts in ("noise", "velocity"):
            ours = sampler(estimator(toy(), predicts), start(), path)
            low = sampler(estimator(toy(dtype=torch.float32), predicts), single, path)
            assert low.dtype == torch.float32
            assert (low - ours).abs().max() < 2e-5 * ours.abs().max()


def test_ddim_is_a_rotation(kind):
    """x turns by the difference of the angles in the plane of x and velocity."""
    schedule, network = Schedule(1000, kind, BETA[kind]), toy()
    path, x = schedule.path(7), start()
    for now, then in pairwise(path):
        v = network(x, torch.full((len(x),), now.step))
        angle = torch.tensor(then.angle - now.angle, dtype=torch.float64)
        turned, _ = rotate(x, v, angle)
        x = ddim(estimator(network, "velocity"), x, [now, then])
        torch.testing.assert_close(x, turned, rtol=0, atol=1e-13)


def test_euler_in_sigma_is_ddim(setting):
    estimate, path, *_ = setting
    expected = ddim(estimate, start(), path)
    scale = float(expected.abs().max().clamp_min(1))
    assert (euler(estimate, start(), path) - expected).abs().max() < 1e-12 * scale


def test_ddpm_is_ddim_that_draws_all_it_may(setting):
    estimate, path, *_ = setting
    ours, expected = (
        sampler(estimate, start(), path, generator=stream(9), **options)
        for sampler, options in ((ddpm, {}), (ddim, {"eta": 1.0}))
    )
    scale = float(expected.abs().max().clamp_min(1))
    assert (ours - expected).abs().max() < 1e-10 * scale  # sin² − fresh² cancels some digits


@pytest.mark.parametrize("sampler", SAMPLERS)
@pytest.mark.parametrize("predicts", ["noise", "data", "velocity"])
def test_where_the_data_are_one_point_every_sampler_ends_there(sampler, predicts):
    """The exact estimate is then constant, and no step can err, not even a single one."""
    schedule, point = Schedule(1000, "scaled_linear"), torch.tensor([0.3, -2.0, 1.0]).double()

    def network(x, step):
        level = schedule.at(step, x)
        data, noise = point.expand_as(x), (x - level.cos * point) / level.sin
        velocity = level.cos * noise - level.sin * data
        return {"noise": noise, "data": data, "velocity": velocity}[predicts]

    for steps in (1, 2, 9):
        path = schedule.path(steps)
        made = sampler(estimator(network, predicts), start(), path, generator=stream(0))
        torch.testing.assert_close(made, point.expand(4, 3), rtol=0, atol=1e-11)


# Normal data, N(μ, s²): everything is known.

CENTER, SPREAD = torch.tensor([0.7, -0.4], dtype=torch.float64), 0.5


def exact(x, level):
    """The best estimate of data and noise."""
    variance = (level.cos * SPREAD) ** 2 + level.sin**2
    noise = level.sin * (x - level.cos * CENTER) / variance
    return (x - level.sin * noise) / level.cos, noise


def flow(x, now, then):
    """Where the flow without noise brings x: the same quantile of a wider or narrower normal."""
    widths = [math.hypot(level.cos * SPREAD, level.sin) for level in (now, then)]
    return then.cos * CENTER + (x - now.cos * CENTER) * widths[1] / widths[0]


def even(steps, first=-3.0, last=3.0):
    """Levels evenly spaced in λ."""
    lambdas = [first + (last - first) * index / steps for index in range(steps + 1)]
    return [Level(0, 1 / math.hypot(1, math.exp(-one)), 1 / math.hypot(1, math.exp(one)))
            for one in lambdas]  # fmt: skip


def rms(x):
    return float(x.square().mean().sqrt())


@pytest.mark.parametrize(("sampler", "order"), [(ddim, 1), (euler, 1), (heun, 2), (dpm_solver, 2)])
def test_twice_the_steps_leave_a_half_or_a_quarter_of_the_error(sampler, order):
    x = start(500, 2)
    path = even(40)
    errors = [
        rms(sampler(exact, x, even(steps)) - flow(x, path[0], path[-1])) for steps in (40, 80, 160)
    ]
    for coarse, fine in pairwise(errors):
        assert abs(math.log2(coarse / fine) - order) < 0.15
    there_and_back = [
        rms(sampler(exact, sampler(exact, x, even(n)[::-1]), even(n)) - x) for n in (40, 80)
    ]
    assert math.log2(there_and_back[0] / there_and_back[1]) > order - 0.15


@pytest.mark.parametrize("predicts", ["noise", "velocity"])
def test_ddim_inverts_the_data_and_samples_them_again(predicts, generator):
    """Stable Diffusion's schedule: rms .049 with 50 steps and .014 with 200 were measured first."""
    schedule = Schedule()
    network = translate(Clouds(schedule, CENTER[None], SPREAD), schedule, "noise", predicts)
    estimate = estimator(network, predicts)
    data = CENTER + SPREAD * torch.randn(4000, 2, generator=generator, dtype=torch.float64)
    errors = []
    for steps in (50, 100, 200):
        path = schedule.path(steps, spacing="leading", offset=1, final="first")
        latent = ddim(estimate, data, path[::-1])
        assert 0.9 < latent.std() < 1.1
        errors.append(rms(ddim(estimate, latent, path) - data))
    assert errors[0] < 0.06
    assert errors[2] < 0.02
    for coarse, fine in pairwise(errors):
        assert 0.8 < math.log2(coarse / fine) < 1.1


def test_ddpm_draws_what_the_data_are(generator):
    """Against the moments of its own chain, followed in closed form, and against the data's."""
    schedule, count = Schedule(1000, "linear", BETA["linear"]), 4000
    path = schedule.path(1000)
    x = torch.randn(count, 2, generator=generator, dtype=torch.float64)
    drawn = ddpm(exact, x, path, generator=generator)
    mean, variance = torch.zeros(2, dtype=torch.float64), 1.0
    for now, then in pairwise(path):
        kept = (now.cos / then.cos) ** 2
        share = then.sin**2 / now.sin**2
        wide = (now.cos * SPREAD) ** 2 + now.sin**2
        slope = now.cos * SPREAD**2 / wide  # of the estimate of the data, as a line in x
        to_data, to_x = then.cos * (1 - kept) / now.sin**2, kept**0.5 * share
        factor = to_data * slope + to_x
        mean = factor * mean + to_data * (1 - slope * now.cos) * CENTER
        variance = factor**2 * variance + (1 - kept) * share
    assert (mean - CENTER).abs().max() < 1e-2
    assert variance == pytest.approx(SPREAD**2, rel=2e-2)
    error = (variance / count) ** 0.5
    assert (drawn.mean(0) - mean).abs().max() < 5 * error
    assert (drawn.var(0) - variance).abs().max() < 5 * variance * (2 / count) ** 0.5
    assert (drawn.mean(0) - CENTER).abs().max() < 5 * error + 1e-2
    covariance = torch.cov(drawn.T)[0, 1]
    assert abs(covariance) < 5 * variance / count**0.5


def test_a_part_of_a_path_may_be_walked_at_a_time():
    estimate, path = estimator(toy(), "velocity"), Schedule().path(9)
    for sampler in (ddpm, ddim, euler, heun):
        x, g = start(), stream(1)
        for pair in pairwise(path):
            x = sampler(estimate, x, pair, generator=g)
        assert torch.equal(x, sampler(estimate, start(), path, generator=stream(1)))


def test_estimates_are_counted():
    """Heun asks twice a step, but once in the last; the others once a step."""
    calls, path = [], Schedule().path(6)

    def counted(x, level):
        calls.append(level.step)
        return estimator(toy(), "velocity")(x, level)

    for sampler, expected in zip(SAMPLERS, (6, 6, 6, 11, 6), strict=True):
        calls.clear()
        sampler(counted, start(), path, generator=stream(0))
        assert len(calls) == expected


def test_a_sampler_leaves_its_start_as_it_was():
    for sampler in SAMPLERS:
        x = start()
        sampler(estimator(toy(), "noise"), x, Schedule().path(3), generator=stream(0))
        assert torch.equal(x, start())


def test_a_guide_is_noised_to_where_its_path_begins(generator):
    schedule = Schedule()
    guide = torch.full((4000, 2), 3.0, dtype=torch.float64)
    level = schedule.path(10, start=600)[0]
    assert level.step == 600
    x = renoise(schedule, guide, 600, generator=generator)
    noise = torch.randn(4000, 2, generator=stream(0), dtype=torch.float64)
    assert torch.equal(x, diffuse(guide, noise, level)[0])
    assert abs(x.mean() - 3 * level.cos) < 5 * level.sin / 8000**0.5


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong():
    schedule, x, estimate = Schedule(10), start(), estimator(toy(), "noise")
    path = schedule.path(3)
    for sampler in SAMPLERS:
        with pytest.raises(ValueError, match="path must have at least two levels, got 1"):
            sampler(estimate, x, path[:1])
        with pytest.raises(ValueError, match="path has no noise at level 0"):
            sampler(estimate, x, path[::-1])
        with pytest.raises(TypeError, match="x holds int64, expected a floating type"):
            sampler(estimate, x.long(), path)
    rising = schedule.path(3, final="first")[::-1]
    for call in (lambda: ddpm(estimate, x, rising), lambda: ddim(estimate, x, rising, eta=0.5)):
        with pytest.raises(ValueError, match="path must lead from noise to data"):
            call()
    with pytest.raises(ValueError, match="eta must lie between 0 and 1, got 2"):
        ddim(estimate, x, path, eta=2)
    with pytest.raises(ValueError, match="step must lie between -1 and 9, got 10"):
        renoise(schedule, x, 10)
