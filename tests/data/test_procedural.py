import math

import pytest
import torch

from etude.core.random import stream
from etude.data.curves import thin_ellipses
from etude.data.painters import jobs
from etude.data.planar import blobs, moons, ring, spirals
from tests.on_device import agrees_on_device

WORLDS = [blobs, moons, ring, spirals]


@pytest.mark.parametrize("world", WORLDS)
def test_a_seed_gives_one_world(world):
    one, two, other = (world(50, generator=stream(seed)) for seed in (0, 0, 1))
    assert torch.equal(one.X, two.X)
    assert torch.equal(one.y, two.y)
    assert not torch.equal(one.X, other.X)


@pytest.mark.parametrize("world", WORLDS)
def test_it_stands_where_its_generator_is(world, fake_device):
    agrees_on_device(lambda generator: world(30, generator=generator), stream(0))


@pytest.mark.parametrize("world", WORLDS)
def test_no_rows_are_no_rows(world):
    assert world(0, generator=stream(0)).X.shape == (0, 2)


@pytest.mark.parametrize(("world", "classes"), [(blobs, 3), (moons, 2), (ring, 8), (spirals, 2)])
def test_classes_are_equally_likely(world, classes):
    counts = world(8000, generator=stream(0)).y.bincount()
    assert len(counts) == classes
    share = 1 / classes
    assert (counts / 8000 - share).abs().max() < 4 * math.sqrt(share * (1 - share) / 8000)


@pytest.mark.parametrize(("world", "radius", "spread"), [(ring, 1.0, 0.05), (blobs, 3.0, 1.0)])
def test_clouds_stand_evenly_on_a_circle(world, radius, spread):
    X, y = world(20_000, generator=stream(0))
    classes = int(y.max()) + 1
    for index in range(classes):
        cloud, angle = X[y == index], 2 * math.pi * index / classes
        center = radius * torch.tensor([math.cos(angle), math.sin(angle)])
        assert (cloud.mean(dim=0) - center).norm() < 6 * spread / math.sqrt(len(cloud))
        assert cloud.std(dim=0) == pytest.approx([spread] * 2, rel=4 / math.sqrt(2 * len(cloud)))


def test_without_noise_the_moons_are_half_circles():
    X, y = moons(500, spread=0.0, generator=stream(0))
    upper, lower = X[y == 0], X[y == 1]
    torch.testing.assert_close(upper.norm(dim=1), torch.ones(len(upper)))
    torch.testing.assert_close(
        (lower - torch.tensor([1.0, 0.5])).norm(dim=1), torch.ones(len(lower))
    )
    assert upper[:, 1].min() >= 0
    assert lower[:, 1].max() <= 0.5


def test_without_noise_one_arm_is_the_other_turned_by_half():
    X, y = spirals(500, spread=0.0, turns=1.5, generator=stream(0))
    radius = X.norm(dim=1)
    angle = radius * 3 * math.pi + math.pi * y
    torch.testing.assert_close(X, torch.stack([radius * angle.cos(), radius * angle.sin()], 1))
    assert 0.05 < radius.min() < 0.06
    assert 1.04 < radius.max() < 1.06


@pytest.mark.parametrize("confounded", [False, True])
def test_jobs_are_a_table_with_whole_painters(confounded):
    workers, hours, size = jobs(4, generator=stream(0), confounded=confounded)
    assert workers.shape == hours.shape == size.shape == (48,)
    assert torch.equal(workers, workers.round())
    assert workers.min() >= 1
    assert (hours > 0).all()


@pytest.mark.parametrize("confounded", [False, True])
def test_jobs_follow_their_law_and_their_noise(confounded):
    workers, hours, size = jobs(1000, generator=stream(0), confounded=confounded)
    law = size / workers**0.6 if confounded else size / workers
    noise = ((hours if confounded else hours - 0.5) / law).log()
    spread = 0.1 if confounded else 0.08
    assert noise.mean().abs() < 4 * spread / math.sqrt(12_000)
    assert noise.std().item() == pytest.approx(spread, rel=4 / math.sqrt(24_000))


def test_designed_crews_are_balanced_and_confounded_ones_suit_the_house():
    workers, _, size = jobs(100, generator=stream(0))
    assert workers.long().bincount().tolist() == [0] + [100] * 12
    assert size.unique().tolist() == [40]
    workers, _, size = jobs(100, generator=stream(0), confounded=True)
    assert (workers - size / 10).mean().abs() < 4 * 0.77 / math.sqrt(1200) + 0.02
    large = size > 30  # no crew is cut off at one painter
    chosen = (workers - size / 10)[large].std().item()  # the foreman's whim, and rounding
    assert chosen == pytest.approx((0.7**2 + 1 / 12) ** 0.5, rel=4 / math.sqrt(1800))
    assert (10 <= size).all()
    assert (size < 100).all()


@pytest.mark.parametrize("confounded", [False, True])
def test_jobs_stand_where_their_generator_is(confounded, fake_device):
    agrees_on_device(lambda generator: jobs(generator=generator, confounded=confounded), stream(0))
    assert jobs(generator=stream(0, fake_device), dtype=torch.float32).hours.dtype == torch.float32


def test_curves_lie_where_their_masks_say():
    """Without noise a curve is brighter than anything else that is not on the filled ellipse."""
    images, masks = thin_ellipses(300, generator=stream(0), noise=0.0)
    assert images.shape == masks.shape == (300, 1, 32, 32)
    assert set(masks.unique().tolist()) == {0.0, 1.0}
    assert images[masks > 0].min() == pytest.approx(0.8)
    assert images[masks == 0].max() < 0.6
    assert float(masks.mean()) == pytest.approx(0.135, abs=0.01)


def test_curves_are_drawn_from_their_generator(fake_device):
    agrees_on_device(lambda generator: thin_ellipses(5, 16, generator=generator), stream(0))
    one, other = (thin_ellipses(5, generator=stream(seed)).images for seed in (0, 1))
    assert not torch.equal(one, other)


def test_no_threshold_finds_the_curves():
    images, masks = thin_ellipses(500, generator=stream(0))
    scores = []
    for level in torch.linspace(0, 1, 21):
        found = images > level
        both, either = (found & (masks > 0)).sum(), (found | (masks > 0)).sum()
        scores.append(float(both / either))
    assert 0.4 < max(scores) < 0.6
