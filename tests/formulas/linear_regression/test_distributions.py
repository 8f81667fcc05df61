import math

import pytest
import scipy.stats
import torch

from etude.formulas.linear_regression.distributions import (
    f_tail,
    student_quantile,
    student_tails,
)
from tests.on_device import agrees_on_device

T = torch.tensor([-40.0, -2.0, 0.0, 0.5, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("degrees", [1, 2, 18, 400])
def test_tails_are_those_of_student(degrees, parity):
    theirs = torch.tensor(2 * scipy.stats.t.sf(abs(T), degrees)).log()
    parity(
        "Student's t, log of both tails", student_tails(T, degrees).log(), theirs,
        reference="scipy.stats.t", tolerance=1e-12,
    )  # fmt: skip
    level = 0.95
    assert student_quantile(level, degrees) == pytest.approx(
        scipy.stats.t.ppf((1 + level) / 2, degrees), rel=1e-12
    )


def test_one_degree_is_cauchy():
    t = torch.tensor([0.3, 1.0, 5.0], dtype=torch.float64)
    torch.testing.assert_close(student_tails(t, 1), 1 - 2 * t.atan() / math.pi)


def test_quantile_and_tails_undo_each_other():
    t = torch.tensor(student_quantile(0.9, 7), dtype=torch.float64)
    assert student_tails(t, 7).item() == pytest.approx(0.1)


def test_the_square_of_t_is_f(parity):
    torch.testing.assert_close(f_tail(T.square(), 1, 18), student_tails(T, 18))
    theirs = torch.tensor(scipy.stats.f.sf(T.square(), 3, 18)).log()
    parity(
        "Fisher's F, log of the upper tail", f_tail(T.square(), 3, 18).log(), theirs,
        reference="scipy.stats.f", tolerance=1e-12,
    )  # fmt: skip


@pytest.mark.parametrize("level", [0.0, 1.0, 95.0])
def test_a_level_is_a_probability(level):
    with pytest.raises(ValueError, match=f"level must lie between 0 and 1, got {level}"):
        student_quantile(level, 3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_kept(dtype):
    assert student_tails(T.to(dtype), 5).dtype == dtype


def test_they_come_back_to_the_device(fake_device):
    agrees_on_device(lambda t: (student_tails(t, 5), f_tail(t.square(), 2, 5)), T)
