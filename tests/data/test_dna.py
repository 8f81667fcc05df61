import math

import pytest
import torch

from etude.core.random import stream
from etude.data.dna import log_odds, motif, strands
from tests.on_device import agrees_on_device


def test_a_matrix_holds_probabilities():
    matrix = motif(12, generator=stream(0))
    torch.testing.assert_close(matrix.sum(dim=0), torch.ones(12))
    assert (matrix > 0).all()


def test_without_contrast_there_is_no_motif():
    matrix = motif(contrast=0.0, generator=stream(0))
    torch.testing.assert_close(matrix, torch.full((4, 8), 0.25))
    torch.testing.assert_close(log_odds(matrix), torch.zeros(4, 8))


def test_every_place_of_a_strand_has_one_letter():
    letters, bound, place = strands(50, motif(generator=stream(0)), generator=stream(1))
    assert letters.shape == (50, 4, 60)
    assert torch.equal(letters.sum(dim=1), torch.ones(50, 60))
    assert set(bound.tolist()) == {0, 1}
    assert 0 <= place.min() <= place.max() <= 52


def test_planted_letters_follow_the_matrix_and_the_others_do_not():
    matrix, rows = motif(generator=stream(0)), 40_000
    letters, bound, place = strands(rows, matrix, time=20, generator=stream(1))
    cells = (place[:, None] + torch.arange(8))[:, None].expand(-1, 4, -1)
    at_place = letters.gather(2, cells)
    error = 5 * math.sqrt(0.25 / (rows / 2.1))  # five standard errors of a share, at worst
    assert (at_place[bound == 1].mean(dim=0) - matrix).abs().max() < error
    assert (at_place[bound == 0].mean(dim=0) - 0.25).abs().max() < error
    assert abs(bound.float().mean() - 0.5) < 5 * math.sqrt(0.25 / rows)
    outside = letters.sum(dim=2) - at_place.sum(dim=2)
    assert (outside.mean(dim=0) / 12 - 0.25).abs().max() < 5 * math.sqrt(0.25 / (12 * rows))


def test_every_place_is_equally_likely():
    place = strands(13_000, motif(generator=stream(0)), time=20, generator=stream(1)).place
    assert (place.bincount(minlength=13) / 13_000 - 1 / 13).abs().max() < 5 * math.sqrt(
        1 / 13 / 13_000
    )


def test_a_motif_as_long_as_the_strand_is_the_strand():
    word = torch.eye(4)[:, [2, 0, 3]]
    letters, bound, _ = strands(20, word, time=3, generator=stream(0))
    assert (letters[bound == 1] == word).all()


def test_a_seed_gives_one_world():
    one, two, other = (
        strands(9, motif(generator=stream(0)), generator=stream(s)) for s in (0, 0, 1)
    )
    assert torch.equal(one.letters, two.letters)
    assert not torch.equal(one.letters, other.letters)


def test_a_strand_too_short_is_named():
    with pytest.raises(ValueError, match="time must be at least 8, the length of the motif, got 7"):
        strands(3, motif(generator=stream(0)), time=7, generator=stream(1))


def test_it_stands_where_its_generator_is(fake_device):
    agrees_on_device(
        lambda a, b: tuple(strands(30, motif(generator=a), generator=b)), stream(0), stream(1)
    )
