"""Dice and focal loss: closed forms, limits, small cases by hand; the metrics against scikit-learn."""

import math

import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import f1_score, jaccard_score

from etude.core.errors import ShapeError
from etude.core.metrics import dice, iou
from etude.core.random import stream
from etude.networks.unet.losses import dice_loss, focal_loss


def scores(seed=0, shape=(3, 1, 4, 5)):
    logits = torch.randn(2, *shape, generator=stream(seed), dtype=torch.float64)
    return 2 * logits[0], (logits[1] > 0.3).double()


def test_dice_by_hand():
    """Two pixels of probability ½, one of them true: overlap ½, sizes 1 and 1."""
    logits, y = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    assert float(dice_loss(logits, y, smooth=0.0)) == pytest.approx(1 - 2 * 0.5 / 2)
    assert float(dice_loss(logits, y, smooth=1.0)) == pytest.approx(1 - 2 / 3)


def test_dice_of_sure_answers_is_one_minus_the_score():
    logits, y = scores()
    loss = dice_loss(1e3 * logits, y, smooth=0.0)
    torch.testing.assert_close(loss, 1 - dice(logits > 0, y > 0).double().mean())


def test_an_empty_picture_called_empty_costs_nothing():
    logits = torch.full((1, 9), -50.0)
    assert float(dice_loss(logits, torch.zeros(1, 9))) == pytest.approx(0, abs=1e-6)


def test_each_picture_counts_alike_or_all_pixels_do():
    """A small object that is missed: half of the pictures, few of the pixels."""
    y = torch.zeros(2, 100)
    y[0, :2] = y[1, :80] = 1
    logits = 50 * (y - 0.5)
    logits[0] = -25.0
    assert float(dice_loss(logits, y)) == pytest.approx((1 - 1 / 3) / 2, abs=1e-5)
    together = dice_loss(logits, y, per_image=False)
    assert float(together) == pytest.approx(1 - 161 / 163, abs=1e-5)


def test_the_gradient_of_dice():
    logits, y = scores()
    given = logits.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: dice_loss(x, y), (given,))


def test_without_gamma_the_focal_loss_is_the_cross_entropy(parity):
    logits, y = scores()
    reference = "torch.nn.functional.binary_cross_entropy_with_logits"
    theirs = F.binary_cross_entropy_with_logits(logits, y)
    parity("focal loss, γ = 0", focal_loss(logits, y, gamma=0.0), theirs,
           reference=reference, tolerance=1e-15)  # fmt: skip
    weighted = F.binary_cross_entropy_with_logits(
        logits, y, weight=torch.where(y > 0, 0.25, 0.75).double()
    )
    parity("focal loss, γ = 0, α = ¼", focal_loss(logits, y, gamma=0.0, alpha=0.25), weighted,
           reference=reference, tolerance=1e-15)  # fmt: skip


@pytest.mark.parametrize("gamma", [0.5, 2.0])
def test_the_focal_loss_is_its_formula(gamma):
    logits, y = scores()
    p = torch.where(y > 0, logits.sigmoid(), 1 - logits.sigmoid())
    expected = (-((1 - p) ** gamma) * p.log()).mean()
    torch.testing.assert_close(focal_loss(logits, y, gamma=gamma), expected)


def test_what_is_easy_counts_next_to_nothing():
    """p = .9 of the truth: (1 − .9)² = a hundredth of its cross-entropy."""
    logits, y = torch.tensor([[math.log(9.0)]]), torch.ones(1, 1)
    ratio = focal_loss(logits, y) / focal_loss(logits, y, gamma=0.0)
    assert float(ratio) == pytest.approx(0.01, rel=1e-4)


def test_extreme_scores_stay_finite():
    logits = torch.tensor([[1e4, -1e4]], requires_grad=True)
    y = torch.tensor([[0.0, 1.0]])
    (focal_loss(logits, y) + dice_loss(logits, y)).backward()
    assert logits.grad.isfinite().all()


def test_other_shapes_and_weights_are_refused(as_a_user):
    logits, y = scores()
    for loss in (dice_loss, focal_loss):
        with pytest.raises(
            ShapeError, match=r"target has shape \(3, 4, 5\), expected .* \(3, 1, 4, 5\)"
        ):
            loss(logits, y[:, 0])
        with pytest.raises(TypeError, match="target holds int64"):
            loss(logits, y.long())
    with pytest.raises(ValueError, match="gamma must not be negative, got -1"):
        focal_loss(logits, y, gamma=-1)
    with pytest.raises(ValueError, match="alpha must lie between 0 and 1, got 2"):
        focal_loss(logits, y, alpha=2)


def test_the_metrics_are_those_of_scikit_learn(parity):
    logits, y = scores(shape=(4, 1, 6, 6))
    found, truth = logits > 0, y > 0
    for name, ours, theirs in (("IoU", iou, jaccard_score), ("Dice", dice, f1_score)):
        expected = [
            theirs(t.flatten(), f.flatten())
            for t, f in zip(truth.numpy(), found.numpy(), strict=True)
        ]
        parity(name, ours(found, truth), expected,
               reference=f"sklearn.metrics.{theirs.__name__}", tolerance=1e-7)  # fmt: skip


def test_two_empty_masks_agree(as_a_user):
    nothing = torch.zeros(2, 3, 3, dtype=torch.bool)
    assert iou(nothing, nothing).tolist() == dice(nothing, nothing).tolist() == [1.0, 1.0]
    with pytest.raises(ShapeError, match=r"truth has shape \(1, 3, 3\)"):
        iou(nothing, nothing[:1])
