"""Two players in the plane: what theory says of each rule, to the last digit."""

import math

import pytest
import torch

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.networks.gan.games import bilinear, dirac, mode_report, play

RATE = 0.1


def players(batch=6, n=2, seed=0):
    return torch.randn(2, batch, n, generator=stream(seed), dtype=torch.float64)


def radii(course):
    return torch.cat([course.theta, course.psi], -1).square().sum(-1)


def test_both_at_once_spiral_out_at_the_known_rate():
    course = play(bilinear, *players(), rate=RATE, moves=100)
    growth = radii(course)[1:] / radii(course)[:-1]
    torch.testing.assert_close(growth, torch.full_like(growth, 1 + RATE**2), rtol=1e-13, atol=0)
    whole = radii(course)[-1] / radii(course)[0]
    torch.testing.assert_close(whole, torch.full_like(whole, 1.01**100), rtol=1e-12, atol=0)


def test_looking_ahead_spirals_in_at_the_known_rate():
    course = play(bilinear, *players(), rate=RATE, moves=50, rule="extragradient")
    growth = radii(course)[1:] / radii(course)[:-1]
    expected = torch.full_like(growth, 1 - RATE**2 + RATE**4)
    torch.testing.assert_close(growth, expected, rtol=1e-13, atol=0)


def test_by_turns_stays_on_an_ellipse():
    course = play(bilinear, *players(), rate=RATE, moves=400, rule="alternating")
    kept = radii(course) - RATE * bilinear(course.theta, course.psi)
    torch.testing.assert_close(kept, kept[:1].expand_as(kept), rtol=1e-11, atol=1e-12)
    assert radii(course).max() < 1.2 * radii(course)[0].max()


def test_one_move_of_each_rule_by_hand():
    """From θ = 1, ψ = 2 with the rate ½."""
    start = torch.tensor([[1.0]]), torch.tensor([[2.0]])
    expected = {
        "simultaneous": (0.0, 2.5),
        "alternating": (0.0, 2.0),  # ψ answers to θ = 0
        "extragradient": (-0.25, 2.0),  # by what is found at (0, 2.5)
    }
    for rule, (theta, psi) in expected.items():
        course = play(bilinear, *start, rate=0.5, moves=1, rule=rule)
        assert (float(course.theta[1]), float(course.psi[1])) == (theta, psi), rule


@pytest.mark.parametrize("rule", ["simultaneous", "alternating", "extragradient"])
def test_a_saddle_with_curvature_is_reached_by_all(rule):
    def saddle(theta, psi):
        return (theta.square() / 2 + theta * psi - psi.square() / 2).sum(-1)

    course = play(saddle, *players(), rate=RATE, moves=300, rule=rule)
    assert radii(course)[-1].max() < 1e-10


def test_the_dirac_game_circles_and_damping_ends_it():
    start = torch.tensor([[1.0]]).double(), torch.tensor([[0.5]]).double()
    free = play(dirac, *start, rate=RATE, moves=1000, rule="alternating")
    damped = play(dirac, *start, rate=RATE, moves=1000, rule="alternating", damping=0.3)
    assert radii(free)[-500:].min() > 0.5
    assert radii(damped)[-1] < 1e-10


def test_damping_is_the_r1_penalty_of_a_linear_score():
    from etude.networks.gan.losses import r1_penalty

    psi = torch.tensor([0.7], dtype=torch.float64, requires_grad=True)
    penalty = r1_penalty(lambda x: x @ psi, torch.zeros(4, 1, dtype=torch.float64), 0.3)
    (slope,) = torch.autograd.grad(penalty, psi)
    still = torch.zeros(1, 1, dtype=torch.float64), psi.detach()[None]
    course = play(bilinear, *still, rate=1.0, moves=1, damping=0.3)
    torch.testing.assert_close(course.psi[0] - course.psi[1], slope[None])


def test_the_dirac_game_is_the_minimax_value_of_two_points():
    theta, psi = torch.tensor([[0.8]]), torch.tensor([[-1.5]])
    score = float(theta * psi)
    by_hand = math.log(0.5) + math.log(1 - 1 / (1 + math.exp(-score)))
    assert float(dirac(theta, psi)) == pytest.approx(by_hand, rel=1e-6)


def test_games_do_not_disturb_each_other():
    theta, psi = players()
    together = play(bilinear, theta, psi, rate=RATE, moves=5)
    alone = play(bilinear, theta[2:3], psi[2:3], rate=RATE, moves=5)
    torch.testing.assert_close(together.theta[:, 2:3], alone.theta)


def test_nothing_is_tracked_and_nothing_changes():
    theta, psi = (one.requires_grad_() for one in players())
    before = theta.detach().clone()
    with torch.no_grad():
        course = play(bilinear, theta, psi, rate=RATE, moves=3)
    assert not course.theta.requires_grad
    assert course.theta.shape == (4, 6, 2)
    assert torch.equal(theta, before)


def test_bad_games_are_refused(as_a_user):
    theta, psi = players()
    with pytest.raises(ShapeError, match="psi has 3 batch, expected 6"):
        play(bilinear, theta, psi[:3], rate=RATE, moves=1)
    with pytest.raises(ValueError, match="rule must be one of 'simultaneous'.*got 'r1'"):
        play(bilinear, theta, psi, rate=RATE, moves=1, rule="r1")
    with pytest.raises(ValueError, match="moves must not be negative, got -1"):
        play(bilinear, theta, psi, rate=RATE, moves=-1)


CENTERS = torch.tensor([[0.0, 0.0], [10.0, 0.0], [0.0, 10.0]])


def test_clouds_by_hand():
    near = torch.tensor([[0.0, 0.59], [0.3, 0.3], [10.0, 0.0], [0.0, 0.61], [5.0, 5.0]])
    report = mode_report(near, CENTERS, spread=0.1)
    assert report.modes == 2
    assert report.high_quality == pytest.approx(3 / 5)
    assert report.counts.tolist() == [2, 1, 0]


def test_a_stray_sample_is_no_mode():
    points = torch.cat([torch.zeros(99, 2), CENTERS[1:2]])
    assert mode_report(points, CENTERS, spread=0.1).modes == 1
    assert mode_report(points, CENTERS, spread=0.1, least=0.01).modes == 2


def test_what_is_no_number_lies_nowhere_and_counts():
    points = torch.tensor([[0.0, 0.0], [math.nan, 0.0], [math.inf, 0.0], [0.0, math.nan]])
    report = mode_report(points, CENTERS, spread=0.1)
    assert report.high_quality == 0.25
    assert report.counts.sum() == 1


def test_small_far_clouds_are_measured_exactly():
    far = torch.tensor([[1e4, 1e4]]).repeat(40, 1)  # more rows than the shortcut of cdist takes
    points = far + 1e-3 * torch.tensor([[5.0, 0.0]])
    assert mode_report(points.double(), far[:1].double(), spread=1e-3).high_quality == 1.0
    assert mode_report(points.double(), far[:1].double(), spread=8e-4).high_quality == 0.0


def test_bad_reports_are_refused(as_a_user):
    with pytest.raises(ValueError, match="points is empty"):
        mode_report(CENTERS[:0], CENTERS, spread=0.1)
    with pytest.raises(ValueError, match="spread must be positive, got 0"):
        mode_report(CENTERS, CENTERS, spread=0)
    with pytest.raises(ShapeError, match="centers has 1 dim, expected 2"):
        mode_report(CENTERS, CENTERS[:, :1], spread=0.1)
