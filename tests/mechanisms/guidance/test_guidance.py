"""Guidance where both kinds are known exactly, and thresholds against diffusers."""

import pytest
import torch
from diffusers import DDPMScheduler

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.mechanisms.diffusion import ddim, estimator
from etude.mechanisms.diffusion.exact import Clouds
from etude.mechanisms.diffusion.parameterization import clipped, translate
from etude.mechanisms.diffusion.schedule import Schedule
from etude.mechanisms.guidance import (
    classifier_guide,
    dynamic_threshold,
    forget,
    guide,
    static_threshold,
)

SCHEDULE = Schedule(200, "cosine")
CENTERS = torch.tensor([[1.5, 0], [-1, 1], [0, -1.0]], dtype=torch.float64)
CLOUDS = Clouds(SCHEDULE, CENTERS, 0.4)
LABEL = torch.tensor([0, 1, 2, 1])


def points(rows=4):
    return torch.randn(rows, 2, generator=stream(0), dtype=torch.float64)


def log_probability(x, step):
    return CLOUDS.log_posterior(x, step)[torch.arange(4), LABEL]


@pytest.mark.parametrize("predicts", ["noise", "data", "velocity"])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0, 3.0])
def test_both_kinds_are_one_where_the_model_is_exact(predicts, weight, parity):
    """Bayes: the slope of log p(class | x) is that of log p(x | class) − log p(x)."""
    network = translate(CLOUDS, SCHEDULE, "noise", predicts)
    for step in (0, 60, 198):
        level = SCHEDULE.level(step)
        free = estimator(guide(network, weight, LABEL, 3), predicts)(points(), level)
        told = classifier_guide(estimator(network, predicts), log_probability, weight)
        for which, ours, theirs in zip(("data", "noise"), free, told(points(), level), strict=True):
            parity(f"classifier-free guidance, {which}", ours, theirs,
                   reference="classifier guidance of an exact classifier", tolerance=1e-10)  # fmt: skip


def test_both_kinds_lead_to_the_same_samples(parity):
    path, x = SCHEDULE.path(20), points()
    free = ddim(estimator(guide(CLOUDS, 2.5, LABEL, 3), "noise"), x, path)
    told = ddim(classifier_guide(estimator(CLOUDS, "noise"), log_probability, 2.5), x, path)
    parity("20 guided steps of DDIM", free, told,
           reference="classifier guidance of an exact classifier", tolerance=1e-10)  # fmt: skip


def test_the_weight_counts_from_no_condition_to_the_condition():
    x, step = points(), torch.tensor([10, 70, 150, 199])
    without, told = CLOUDS(x, step), CLOUDS(x, step, LABEL)
    for weight, expected in ((0.0, without), (1.0, told), (3.0, 3 * told - 2 * without)):
        torch.testing.assert_close(guide(CLOUDS, weight, LABEL, 3)(x, step), expected)
    # Ho & Salimans write (1 + w) told − w without: their w is one less.
    torch.testing.assert_close(
        guide(CLOUDS, 1 + 0.7, LABEL, 3)(x, step), (1 + 0.7) * told - 0.7 * without
    )


def test_each_example_may_have_its_own_weight():
    x, step = points(), torch.full((4,), 50)
    weights = torch.tensor([0.0, 1, 2, 5], dtype=torch.float64)
    together = guide(CLOUDS, weights, LABEL, 3)(x, step)
    for row, weight in enumerate(weights.tolist()):
        alone = guide(CLOUDS, weight, LABEL, 3)(x, step)[row]
        torch.testing.assert_close(together[row], alone)
    level = SCHEDULE.level(50)
    estimate = classifier_guide(estimator(CLOUDS, "noise"), log_probability, weights)
    torch.testing.assert_close(estimate(x, level)[1], together)


def test_the_network_is_asked_once():
    calls = []

    def network(x, step, condition):
        calls.append((len(x), len(step), condition.tolist()))
        return x

    guide(network, 2.0, LABEL, 3)(points(), torch.zeros(4).long())
    assert calls == [(8, 8, [3, 3, 3, 3, 0, 1, 2, 1])]


def test_conditions_may_be_vectors_or_pictures():
    def network(x, step, condition):
        return condition.flatten(1).sum(1)[:, None] * x

    condition, nothing = torch.ones(4, 3, 2).double(), torch.zeros(3, 2)
    found = guide(network, 2.0, condition, nothing)(points(), torch.zeros(4).long())
    torch.testing.assert_close(found, 12 * points())


def test_a_strong_weight_leaves_the_data():
    """With w = 4 guided samples of the first cloud lie farther out than the cloud."""
    x = torch.randn(500, 2, generator=stream(1), dtype=torch.float64)
    label, path = torch.zeros(500).long(), SCHEDULE.path(40)
    far = [
        ddim(estimator(guide(CLOUDS, weight, label, 3), "noise"), x, path)[:, 0]
        for weight in (1.0, 4.0)
    ]
    assert abs(far[0].mean() - 1.5) < 0.05
    assert far[1].mean() > 1.8
    assert far[1].std() < far[0].std()


def test_no_gradient_is_left_behind():
    x = points().requires_grad_()
    data, noise = classifier_guide(estimator(CLOUDS, "noise"), log_probability, 1.0)(
        x, SCHEDULE.level(9)
    )
    assert x.grad is None
    with torch.no_grad():
        again = classifier_guide(estimator(CLOUDS, "noise"), log_probability, 1.0)(
            x, SCHEDULE.level(9)
        )
    assert torch.equal(again[0], data.detach())
    assert torch.equal(again[1], noise.detach())


def test_some_labels_are_forgotten(generator):
    labels = torch.arange(10_000) % 10
    found = forget(labels, 10, 0.15, generator=generator)
    gone = found == 10
    assert abs(gone.double().mean() - 0.15) < 5 * (0.15 * 0.85 / 10_000) ** 0.5
    assert torch.equal(found[~gone], labels[~gone])
    assert labels.max() == 9, "the labels themselves stay"
    assert torch.equal(forget(labels, 10, 0.0, generator=generator), labels)
    assert (forget(labels, 10, 1.0, generator=generator) == 10).all()


@pytest.mark.parametrize("shape", [(6, 40, 1), (6, 3, 4, 5)])
@pytest.mark.parametrize("percentile", [0.5, 0.9, 0.995])
def test_the_dynamic_threshold_is_that_of_diffusers(shape, percentile, parity):
    theirs = DDPMScheduler(
        thresholding=True, dynamic_thresholding_ratio=percentile, sample_max_value=5
    )
    scale = torch.tensor([0.1, 0.5, 1, 2, 4, 20.0]).view(6, *[1] * (len(shape) - 1))
    for dtype in (torch.float32, torch.float64):
        data = (scale * torch.randn(shape, generator=stream(0))).to(dtype)
        parity("dynamic threshold", dynamic_threshold(percentile, 5.0)(data),
               theirs._threshold_sample(data), reference="diffusers.DDPMScheduler",
               tolerance=0.0)  # fmt: skip


def test_thresholds_by_hand():
    data = torch.tensor([[0.5, -0.2, 0.1, 0.3], [4.0, -2.0, 1.0, 0.5]]).double()
    assert torch.equal(dynamic_threshold(1.0)(data), data / torch.tensor([[1.0], [4.0]]))
    # The middle of .5, 1, 2, 4 is 1.5.
    expected = torch.tensor([1.0, -1, 1 / 1.5, 0.5 / 1.5]).double()
    torch.testing.assert_close(dynamic_threshold(0.5)(data)[1], expected)
    assert torch.equal(dynamic_threshold(1.0, most=1.0)(data), data.clamp(-1, 1))
    assert torch.equal(static_threshold()(data), data.clamp(-1, 1))
    assert static_threshold(0.3)(data).abs().max() == 0.3


def test_a_threshold_bounds_what_a_guided_sample_becomes():
    """With w = 10 the estimates overshoot; with the threshold what is left at the end is within."""
    x, path = points(), SCHEDULE.path(20)
    estimate = estimator(guide(CLOUDS, 10.0, LABEL, 3), "noise")
    assert ddim(estimate, x, path).abs().max() > 2
    assert ddim(clipped(estimate, static_threshold(2.0)), x, path).abs().max() <= 2


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong():
    with pytest.raises(ValueError, match="percentile must lie between 0 and 1, got 99.5"):
        dynamic_threshold(99.5)
    with pytest.raises(ValueError, match=r"most must be at least 1, got 0\.5"):
        dynamic_threshold(0.9, 0.5)
    with pytest.raises(ValueError, match="limit must be positive, got 0"):
        static_threshold(0)
    with pytest.raises(ValueError, match=r"share must lie between 0 and 1, got 1\.5"):
        forget(LABEL, 3, 1.5)
    step = torch.zeros(4).long()
    with pytest.raises(ShapeError, match="weight has 2 rows, expected 4"):
        guide(CLOUDS, torch.ones(2).double(), LABEL, 3)(points(), step)
    with pytest.raises(ShapeError, match="step has 4 rows, expected 2"):
        guide(CLOUDS, 1.0, LABEL[:2], 3)(points(), step)
