import math
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.optim import SGD, lr_scheduler

from etude.formulas.optimization.schedules import (
    constant,
    cosine,
    inverse_sqrt,
    linear_warmup,
    one_cycle,
    step_decay,
)
from tests.on_device import agrees_on_device

SCHEDULES = {
    "constant": (partial(constant, peak=0.3), lambda o: lr_scheduler.ConstantLR(o, 1.0)),
    "step": (
        partial(step_decay, peak=0.3, every=7, factor=0.5),
        lambda o: lr_scheduler.StepLR(o, 7, 0.5),
    ),
    "cosine": (
        partial(cosine, peak=0.3, steps=60, floor=0.01),
        lambda o: lr_scheduler.CosineAnnealingLR(o, 60, 0.01),
    ),
    "linear warm-up": (
        partial(linear_warmup, peak=0.3, steps=20, start=0.25),
        lambda o: lr_scheduler.LinearLR(o, 0.25, total_iters=20),
    ),
    "linear warm-up from 0": (
        partial(linear_warmup, peak=0.3, steps=20),
        lambda o: lr_scheduler.LambdaLR(o, lambda t: min(1, t / 20)),
    ),
    "inverse square root": (  # Vaswani et al. (2017), Eq. 3, whose steps begin at 1
        partial(inverse_sqrt, peak=0.3, steps=20),
        lambda o: lr_scheduler.LambdaLR(
            o, lambda t: 20**0.5 * min((t + 1) ** -0.5, (t + 1) * 20**-1.5)
        ),
    ),
    "one cycle": (
        partial(one_cycle, peak=0.3, steps=60),
        lambda o: lr_scheduler.OneCycleLR(o, 0.3, total_steps=60),
    ),
    "one cycle, every option": (
        partial(
            one_cycle, peak=0.3, steps=60, pct_start=0.21, div_factor=3.0, final_div_factor=7.0
        ),
        lambda o: lr_scheduler.OneCycleLR(
            o, 0.3, total_steps=60, pct_start=0.21, div_factor=3.0, final_div_factor=7.0
        ),
    ),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_is_that_of_torch(name, parity):
    ours, theirs = SCHEDULES[name]
    optimizer = SGD([torch.zeros(1, requires_grad=True)], lr=0.3, momentum=0.9)
    clock, rates = theirs(optimizer), []
    for _ in range(60):
        rates.append(clock.get_last_lr()[0])
        optimizer.step()
        clock.step()
    reference = f"torch.optim.lr_scheduler.{type(clock).__name__}"
    values = ours(torch.arange(60.0, dtype=torch.float64))
    rates = torch.tensor(rates, dtype=torch.float64)
    parity(f"schedule {name}, 60 steps", values, rates, reference=reference, tolerance=1e-13)


@pytest.mark.parametrize("name", SCHEDULES)
def test_all_times_at_once_are_each_time_alone(name):
    schedule, _ = SCHEDULES[name]
    together = schedule(torch.arange(90.0, dtype=torch.float64).view(9, 10))
    alone = torch.stack([schedule(t) for t in range(90)])
    torch.testing.assert_close(together, alone.view(9, 10), rtol=0, atol=1e-16)
    assert schedule(torch.arange(3)).dtype == torch.float32
    assert schedule(torch.arange(3.0).double()).dtype == torch.float64


@given(steps=st.integers(8, 300), share=st.floats(0.2, 0.8))
def test_one_cycle_rises_once_and_falls_once(steps, share):
    rates = one_cycle(torch.arange(steps).double(), 1.0, steps=steps, pct_start=share)
    top = int(rates.argmax())
    assert (rates[: top + 1].diff() > 0).all()
    assert (rates[top:].diff() < 0).all()
    assert rates[0].item() == pytest.approx(1 / 25)
    assert rates[-1].item() == pytest.approx(1 / 25 / 1e4)
    assert abs(top - (share * steps - 1)) <= 1
    assert rates.max() <= 1


def test_ends_and_middles_in_the_head():
    assert cosine(50, 2.0, steps=100, floor=1.0).item() == pytest.approx(1.5)
    assert cosine(1e6, 2.0, steps=100, floor=1.0).item() == 1.0
    assert linear_warmup(5, 2.0, steps=10).item() == 1.0
    assert step_decay(29, 1.0, every=10).item() == pytest.approx(0.01)
    assert inverse_sqrt(39, 1.0, steps=10).item() == 0.5  # four times the time, half the rate
    assert one_cycle(1e6, 1.0, steps=50).item() == pytest.approx(1 / 250_000)
    assert constant(7, math.pi).item() == math.pi


def test_what_has_no_length_is_refused():
    for schedule in (cosine, linear_warmup, inverse_sqrt):
        with pytest.raises(ValueError, match="steps must be positive, got 0"):
            schedule(0, 1.0, steps=0)
    with pytest.raises(ValueError, match="every must be positive"):
        step_decay(0, 1.0, every=-1)
    for steps, share in ((3, 0.3), (50, 1.0), (50, 0.0)):
        with pytest.raises(ValueError, match="pct_start · steps must lie between 1 and steps"):
            one_cycle(0, 1.0, steps=steps, pct_start=share)


def test_everything_stays_on_the_device(fake_device):
    for schedule, _ in SCHEDULES.values():
        agrees_on_device(schedule, torch.arange(70.0))
