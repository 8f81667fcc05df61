import copy
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn import utils

from etude.core.random import stream
from etude.formulas.optimization.clipping import (
    clip_by_norm,
    clip_by_value,
    clip_grad_norm_,
    clip_grad_value_,
    total_norm,
)
from tests.on_device import agrees_on_device

SHAPES = [(3,), (2, 4), ()]


def gradients(seed=0, scale=1.0):
    g = stream(seed)
    return [scale * torch.randn(s, generator=g, dtype=torch.float64) for s in SHAPES]


def parameters(seed=0):
    made = [torch.zeros(s, dtype=torch.float64, requires_grad=True) for s in (*SHAPES, (2,))]
    for p, g in zip(made, gradients(seed), strict=False):
        p.grad = g.clone()
    return made  # the last one has no gradient


@pytest.mark.parametrize("order", [2.0, 1.0, 3.0, math.inf])
@pytest.mark.parametrize("limit", [0.0, 0.5, 100.0])
def test_by_norm_as_torch_does(order, limit, parity):
    ours, theirs = parameters(), parameters()
    norm = clip_grad_norm_(ours, limit, order)
    expected = utils.clip_grad_norm_(theirs, limit, order)
    flat, other = (torch.cat([p.grad.flatten() for p in ps[:3]]) for ps in (ours, theirs))
    assert ours[3].grad is None
    item = f"clipping by the norm of order {order:g} to {limit:g}"
    parity(item, torch.cat([flat, norm[None]]), torch.cat([other, expected[None]]),
           reference="torch.nn.utils.clip_grad_norm_", tolerance=1e-14)  # fmt: skip


def test_by_value_as_torch_does(parity):
    ours, theirs = parameters(), parameters()
    clip_grad_value_(ours, 0.4)
    utils.clip_grad_value_(theirs, 0.4)
    flat, other = (torch.cat([p.grad.flatten() for p in ps[:3]]) for ps in (ours, theirs))
    assert flat.abs().max() == 0.4
    parity("clipping by value", flat, other,
           reference="torch.nn.utils.clip_grad_value_", tolerance=0.0)  # fmt: skip


def test_three_four_twelve():
    given = [torch.tensor([3.0, 4.0]), torch.tensor([12.0])]
    shorter, norm = clip_by_norm(given, 6.5)
    assert norm == 13
    torch.testing.assert_close(shorter, [torch.tensor([1.5, 2.0]), torch.tensor([6.0])])
    assert [g.tolist() for g in clip_by_value(given, 6.5)] == [[3, 4], [6.5]]
    assert given[1].item() == 12  # untouched


@given(seed=st.integers(0, 99), scale=st.floats(1e-3, 1e3), limit=st.floats(1e-3, 1e3))
def test_the_direction_stays_and_the_length_is_bounded(seed, scale, limit):
    long = gradients(seed, scale)
    short, norm = clip_by_norm(long, limit)
    assert total_norm(short) <= limit
    a, b = (torch.cat([g.flatten() for g in gs]) for gs in (long, short))
    torch.testing.assert_close(b / b.norm(), a / a.norm())
    if norm < limit - 1e-6:
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_zero_gradients_stay_zero():
    short, norm = clip_by_norm([torch.zeros(3)], 1.0)
    assert (short[0].tolist(), norm.item()) == ([0, 0, 0], 0)


def test_arguments_stay():
    g = gradients()
    before = copy.deepcopy(g)
    clip_by_norm(g, 0.1)
    clip_by_value(g, 0.1)
    torch.testing.assert_close(g, before, rtol=0, atol=0)


def test_a_bound_must_be_one():
    for clip in (clip_by_norm, clip_by_value):
        with pytest.raises(ValueError, match="limit must not be negative, got -1"):
            clip(gradients(), -1.0)
        with pytest.raises(ValueError, match="got nan"):
            clip(gradients(), math.nan)
    with pytest.raises(ValueError, match="gradients is empty"):
        total_norm([])


def test_everything_stays_on_the_device(fake_device):
    agrees_on_device(clip_by_norm, gradients(), 0.5)
    agrees_on_device(clip_by_value, gradients(), 0.5)
