import pytest
import torch
from sklearn.datasets import load_digits

from etude.core.random import stream
from etude.data.digits import CARD, Digits, digits, split
from etude.data.images import china, flower
from tests.on_device import agrees_on_device


def test_digits_are_what_scikit_learn_bundles():
    images, labels = digits()
    bundle = load_digits()
    assert torch.equal(images[:, 0].double() * 16, torch.tensor(bundle.images))
    assert torch.equal(labels, torch.tensor(bundle.target))
    assert (images.dtype, images.min(), images.max()) == (torch.float32, 0, 1)


def test_the_card_counts_what_there_is():
    images, labels = digits()
    assert CARD.rows.startswith(str(len(images)))
    assert labels.bincount().sub(180).abs().max() <= 6


def test_a_split_holds_every_digit_once():
    whole = digits()
    learn, judge = split(whole, 297, generator=stream(0))
    assert (len(learn.labels), len(judge.labels)) == (1500, 297)
    both = torch.cat([learn.images, judge.images]).flatten(1)
    assert torch.equal(both.unique(dim=0), whole.images.flatten(1).unique(dim=0))
    assert torch.equal(torch.cat([learn.labels, judge.labels]).bincount(), whole.labels.bincount())


def test_a_split_keeps_pictures_with_their_labels():
    whole = Digits(torch.arange(9.0).reshape(9, 1, 1, 1).expand(9, 1, 8, 8), torch.arange(9))
    for part in split(whole, 4, generator=stream(1)):
        assert torch.equal(part.images[:, 0, 0, 0].long(), part.labels)
        assert not torch.equal(part.labels, part.labels.sort().values)


@pytest.mark.parametrize("held_out", [0, 1797])
def test_a_split_leaves_something_on_both_sides(held_out):
    with pytest.raises(ValueError, match=f"between 0 and 1797, got {held_out}"):
        split(digits(), held_out, generator=stream(0))


def test_a_split_works_where_the_data_are(fake_device):
    agrees_on_device(lambda *data: split(Digits(*data), 300, generator=stream(0)), *digits())


@pytest.mark.parametrize("picture", [china, flower])
def test_pictures_are_red_green_blue_from_0_to_1(picture):
    values = picture()
    assert (values.shape, values.dtype) == ((3, 427, 640), torch.float32)
    assert values.min() >= 0
    assert 0.9 < values.max() <= 1


def test_the_flower_is_red_and_the_sky_is_bright():
    red, green, blue = flower()[:, 200:220, 310:330].mean(dim=(1, 2))
    assert red > 1.5 * max(green, blue)
    assert china()[:, :40].mean() > 0.6
