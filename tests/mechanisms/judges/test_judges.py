"""The Fréchet distance against scipy and in closed form; a judge against what it should know."""

import numpy as np
import pytest
import scipy.linalg
import torch

from etude.core.errors import ShapeError
from etude.core.random import seeded, stream
from etude.data.digits import digits, split
from etude.mechanisms.judges import Judge, frechet, teach, verdict, within_class_variance


def cloud(rows=200, features=5, seed=0):
    g = stream(seed)
    mix = torch.randn(features, features, generator=g, dtype=torch.float64)
    return torch.randn(rows, features, generator=g, dtype=torch.float64) @ mix + seed


def by_sqrtm(a, b):
    """The formula as it is usually programmed."""
    a, b = a.double().numpy(), b.double().numpy()
    A, B = np.cov(a.T), np.cov(b.T)
    root = scipy.linalg.sqrtm(A @ B).real
    apart = ((a.mean(0) - b.mean(0)) ** 2).sum()
    return torch.tensor(apart + np.trace(A) + np.trace(B) - 2 * np.trace(root), dtype=torch.float64)


@pytest.mark.parametrize("features", [1, 2, 5, 40])
def test_the_distance_is_that_of_scipy(features, parity):
    a, b = cloud(features=features), cloud(150, features, seed=1)
    if features == 1:
        s, t = a.std(), b.std()
        expected = (a.mean() - b.mean()) ** 2 + (s - t) ** 2
    else:
        expected = by_sqrtm(a, b)
    parity("Fréchet distance", torch.tensor(frechet(a, b), dtype=torch.float64), expected,
           reference="scipy.linalg.sqrtm", tolerance=1e-12)  # fmt: skip
    low = frechet(a.float(), b.float())
    assert low == pytest.approx(float(expected), rel=1e-5)


def test_fewer_rows_than_features_are_no_trouble(parity):
    """Then the covariances have no inverse, and the eigenvalues of AB rounded zeros among them."""
    a, b = cloud(10, 30), cloud(12, 30, seed=1)
    A, B = torch.cov(a.T), torch.cov(b.T)
    values, vectors = torch.linalg.eigh(A)
    root = vectors * values.clamp_min(0).sqrt() @ vectors.T
    left = torch.linalg.eigvalsh(root @ B @ root)[-9:].sqrt().sum()  # rank 9
    expected = (a.mean(0) - b.mean(0)).square().sum() + A.trace() + B.trace() - 2 * left
    parity("Fréchet distance, singular covariances", torch.tensor(frechet(a, b), dtype=torch.float64),
           expected, reference="eigenvalues that are not zero", tolerance=1e-12)  # fmt: skip


def test_it_is_a_distance():
    a, b = cloud(), cloud(seed=1)
    assert frechet(a, a) < 1e-12
    assert frechet(a, b) == pytest.approx(frechet(b, a), rel=1e-12)
    assert frechet(a, a + 3) == pytest.approx(5 * 9, rel=1e-12), "the same shape, moved"
    turn, _ = torch.linalg.qr(torch.randn(5, 5, generator=stream(2), dtype=torch.float64))
    assert frechet(a @ turn, b @ turn) == pytest.approx(frechet(a, b), rel=1e-12)
    mean = a.mean(0)
    assert frechet(a, mean + 2 * (a - mean)) == pytest.approx(float(torch.cov(a.T).trace()))


def test_small_differences_survive():
    """Far from the origin, where means of squares would cancel."""
    a = cloud(seed=0)
    assert frechet(a + 1e6, 1.001 * (a - a.mean(0)) + a.mean(0) + 1e6) == pytest.approx(
        1e-6 * float(torch.cov(a.T).trace()), rel=1e-3
    )


def test_the_variance_within_classes_by_hand():
    features = torch.tensor([[0.0, 0], [2, 0], [5, 1], [5, 3], [5, 5]]).double()
    labels = torch.tensor([4, 4, 7, 7, 7])
    assert within_class_variance(features, labels) == pytest.approx((2 + 4) / 2)


@pytest.fixture(scope="module")
def judged():
    """A judge of digits, the digits it has not seen, and which they are."""
    learn, held = split(digits(), 597, generator=stream(0))
    with seeded(0):
        judge = Judge(64, 10)
    teach(judge, 2 * learn.images - 1, learn.labels, generator=stream(0))
    return judge, 2 * held.images - 1, held.labels


def test_a_judge_knows_digits_that_it_has_not_seen(judged):
    """Seeds 0 to 9 gave .970 to .988."""
    judge, images, labels = judged
    assert verdict(judge, images, labels, images).accuracy > 0.955
    assert not any(one.requires_grad for one in judge.parameters())


def test_a_verdict_tells_noise_from_digits(judged):
    judge, images, labels = judged
    noise = torch.randn(images.shape, generator=stream(1))
    real, drawn = verdict(judge, images, labels, images), verdict(judge, noise, labels, images)
    assert real.frechet < 1e-9
    assert drawn.frechet > 100  # seeds 0 to 9 gave 276 to 368
    assert drawn.accuracy < 0.25
    one_each = torch.stack([images[labels == kind][0] for kind in range(10)])
    copies = verdict(judge, one_each.repeat(9, 1, 1, 1), torch.arange(10).repeat(9), images)
    assert copies.variance < 1e-9 < real.variance


def test_its_features_are_what_its_scores_are_made_of(judged):
    judge, images, _ = judged
    features = judge.features(images[:7])
    assert features.shape == (7, 64)
    torch.testing.assert_close(judge(images[:7]), judge.head(features))


def test_the_loss_is_a_surprise_about_noisy_data():
    with seeded(0):
        judge = Judge(3, 2, hidden=(4,), noise=0.5).double()
    x = torch.randn(5, 3, generator=stream(1), dtype=torch.float64)
    y = torch.tensor([0, 1, 1, 0, 1])
    noisy = x + 0.5 * torch.randn(5, 3, generator=stream(2), dtype=torch.float64)
    expected = -judge(noisy).log_softmax(-1)[range(5), y].mean()
    torch.testing.assert_close(judge.loss(x, y, generator=stream(2)), expected)


@pytest.mark.usefixtures("as_a_user")
def test_says_what_is_wrong():
    a = cloud()
    with pytest.raises(ShapeError, match="b has 4 features, expected 5"):
        frechet(a, a[:, :4])
    with pytest.raises(ValueError, match="a and b must have at least two rows, got 1 and 200"):
        frechet(a[:1], a)
    with pytest.raises(TypeError, match="a holds int64, expected a floating type"):
        frechet(a.long(), a)
    with pytest.raises(ValueError, match="labels must hold at least two rows of each class"):
        within_class_variance(a[:3], torch.tensor([0, 0, 1]))
    with pytest.raises(ShapeError, match="labels has 3 rows, expected 200"):
        within_class_variance(a, torch.tensor([0, 0, 1]))
    with pytest.raises(ValueError, match="sizes must be positive, and noise not negative"):
        Judge(0, 2)
    with pytest.raises(ValueError, match="sizes must be positive"):
        Judge(3, 2, hidden=())
    judge = Judge(5, 2).double()
    with pytest.raises(ShapeError, match="y has 3 rows, expected 200"):
        teach(judge, a, torch.zeros(3).long(), generator=stream(0))
    with pytest.raises(ShapeError, match="asked has 3 rows, expected 200"):
        verdict(judge, a, torch.zeros(3).long(), a)
