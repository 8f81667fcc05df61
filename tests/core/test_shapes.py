import pytest
import torch

from etude.core import shapes
from etude.core.errors import ShapeError
from etude.core.shapes import bind, check_choice, check_float, check_same_shape, per_row


def test_one_name_has_one_length():
    assert bind(X=(torch.ones(5, 3), "rows features"), y=(torch.ones(5), "rows")) == {
        "rows": 5,
        "features": 3,
    }


def test_a_short_response_is_named_with_both_numbers():
    with pytest.raises(ShapeError, match="^y has 4 rows, expected 5$"):
        bind(X=(torch.ones(5, 3), "rows features"), y=(torch.ones(4), "rows"))


def test_a_length_that_is_known_is_expected():
    with pytest.raises(ShapeError, match="X has 2 features, expected 3"):
        bind({"features": 3}, X=(torch.ones(5, 2), "rows features"))


def test_a_square_has_one_name_twice():
    bind(A=(torch.ones(3, 3), "rows rows"))
    with pytest.raises(ShapeError, match="A has 4 rows, expected 3"):
        bind(A=(torch.ones(3, 4), "rows rows"))


def test_axes_in_front_may_be_left_open():
    sizes = bind(x=(torch.ones(7, 2, 5), "... rows"), y=(torch.ones(5), "... rows"))
    assert sizes == {"rows": 5}
    with pytest.raises(ShapeError, match="x has 0 axes"):
        bind(x=(torch.tensor(1.0), "... rows"))


@pytest.mark.parametrize("shape", [(5, 1), ()])
def test_a_wrong_number_of_axes_is_told_with_the_shape(shape):
    with pytest.raises(ShapeError, match=rf"y has {len(shape)} axes, shape .*; expected \(rows\)"):
        bind(y=(torch.ones(shape), "rows"))


def test_what_the_caller_knows_is_left_as_it_was():
    known = {"rows": 5}
    bind(known, X=(torch.ones(5, 3), "rows features"))
    assert known == {"rows": 5}


def test_integers_are_refused_by_name():
    check_float(x=torch.ones(2))
    with pytest.raises(TypeError, match="y holds int64, expected a floating type"):
        check_float(x=torch.ones(2), y=torch.arange(2))


def test_the_vocabulary_is_sorted_and_explained():
    words = list(shapes.VOCABULARY)
    assert words == sorted(words)
    assert all(shapes.VOCABULARY.values())


def test_every_axis_of_the_aliases_is_in_the_vocabulary():
    for alias in (shapes.Matrix, shapes.Labels, shapes.Targets, shapes.Scalar):
        assert set(alias.dim_str.split()) <= set(shapes.VOCABULARY)


def test_a_word_that_names_nothing_is_refused():
    check_choice(("after", "before"), reset="before", other="after")
    with pytest.raises(ValueError, match="other must be one of 'after', 'before', got 'later'"):
        check_choice(("after", "before"), reset="before", other="later")


def test_what_would_be_spread_out_is_refused():
    x = torch.zeros(3, 1, 4)
    check_same_shape(x=x, y=x + 1)
    with pytest.raises(ShapeError, match=r"y has shape \(3, 4\), expected that of x, \(3, 1, 4\)"):
        check_same_shape(x=x, z=x, y=x[:, 0])


def test_one_number_serves_its_row():
    x = torch.ones(2, 3, 4)
    assert torch.equal(
        (per_row(torch.tensor([1.0, 2.0]), x) * x).sum((1, 2)), torch.tensor([12.0, 24.0])
    )
