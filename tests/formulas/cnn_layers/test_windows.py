import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from etude.core.errors import ShapeError
from etude.core.gradient_check import gradient_check
from etude.core.random import stream
from etude.formulas.cnn_layers.windows import expect_like, pair, places, windows
from tests.on_device import agrees_on_device


def image(*shape, seed=0, dtype=torch.float64):
    return torch.randn(shape, generator=stream(seed), dtype=dtype)


def test_windows_of_a_small_image_in_the_head():
    cells, _ = windows(torch.arange(6.0).reshape(1, 1, 2, 3), 2)
    assert cells.tolist() == [[[[[[0, 1], [3, 4]], [[1, 2], [4, 5]]]]]]


def test_each_pixel_gets_what_its_copies_got():
    _, put_back = windows(torch.zeros(1, 1, 3, 3), 2)
    counted = put_back(torch.ones(1, 1, 2, 2, 2, 2))
    assert counted.tolist() == [[[[1, 2, 1], [2, 4, 2], [1, 2, 1]]]]


def test_windows_copy_no_number():
    x = image(2, 3, 8, 9)
    cells, _ = windows(x, 3, 2)
    assert cells.untyped_storage().data_ptr() == x.untyped_storage().data_ptr()


GEOMETRY = {
    "size": st.tuples(st.integers(1, 4), st.integers(1, 4)),
    "stride": st.tuples(st.integers(1, 5), st.integers(1, 5)),
    "padding": st.tuples(st.integers(0, 2), st.integers(0, 2)),
    "dilation": st.tuples(st.integers(1, 3), st.integers(1, 3)),
}


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2), st.integers(1, 3), st.integers(10, 13), st.integers(0, 9),
       st.fixed_dictionaries(GEOMETRY))  # fmt: skip
def test_windows_are_the_columns_of_torch(batch, channels, height, seed, geometry):
    x = image(batch, channels, height, 11, seed=seed)
    cells, _ = windows(x, **geometry)
    columns = F.unfold(x, kernel_size=geometry.pop("size"), **geometry)
    ours = cells.permute(0, 1, 4, 5, 2, 3).reshape(columns.shape)
    assert torch.equal(ours, columns)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2), st.integers(1, 2), st.integers(10, 13), st.integers(0, 9),
       st.fixed_dictionaries(GEOMETRY))  # fmt: skip
def test_putting_back_is_the_adjoint_of_cutting(batch, channels, height, seed, geometry):
    """⟨windows(x), c⟩ = ⟨x, pullback(c)⟩ for all x and c: that is what a gradient is."""
    x = image(batch, channels, height, 11, seed=seed)
    cells, put_back = windows(x, **geometry)
    share = torch.randn(cells.shape, generator=stream(seed + 1), dtype=x.dtype)
    back = put_back(share)
    assert back.shape == x.shape
    torch.testing.assert_close((cells * share).sum(), (x * back).sum())


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 7), st.integers(0, 3),
       st.integers(1, 3))  # fmt: skip
def test_places_are_counted(length, size, stride, padding, dilation):
    last = length + 2 * padding - dilation * (size - 1)
    assert places(length, size, stride, padding, dilation) == len(range(0, last, stride))


def test_pixels_between_the_windows_get_nothing():
    _, put_back = windows(image(1, 1, 7, 7), 2, 3)
    back = put_back(torch.ones(1, 1, 2, 2, 2, 2, dtype=torch.float64))
    assert back[0, 0, 2].tolist() == back[0, 0, 5].tolist() == back[0, 0, 6].tolist() == [0] * 7
    assert back.sum() == 16


def test_the_gradient_is_the_measured_slope(generator):
    x = image(2, 2, 5, 6)
    worst = gradient_check(
        lambda x: windows(x, (2, 3), (2, 1), (1, 0), (1, 2)), x, generator=generator
    )
    assert max(worst) < 1e-7


def test_padding_is_what_was_asked_for():
    cells, _ = windows(torch.zeros(1, 1, 2, 2), 3, padding=1, fill=7.0)
    assert cells[0, 0, 0, 0].tolist() == [[7, 7, 7], [7, 0, 0], [7, 0, 0]]


def test_an_image_seen_through_a_transpose_is_cut_alike():
    x = image(2, 3, 6, 8)
    turned, straight = x.mT, x.mT.contiguous()
    assert not turned.is_contiguous()
    (ours, back), (theirs, back_too) = windows(turned, 3, 2), windows(straight, 3, 2)
    assert torch.equal(ours, theirs)
    assert torch.equal(back(ours), back_too(theirs))


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": 0}, "size must be at least 1, got 0"),
        ({"size": (2, 2, 2)}, "size must be one number or two"),
        ({"size": 2, "stride": 0}, "stride must be at least 1, got 0"),
        ({"size": 2, "padding": -1}, "padding must be at least 0, got -1"),
        ({"size": 2, "dilation": (1, 0)}, r"dilation must be at least 1, got \(1, 0\)"),
        ({"size": (3, 6)}, r"size reaches over \(3, 6\) pixels, x has only \(4, 5\)"),
        ({"size": 3, "dilation": 2}, r"size reaches over \(5, 5\) pixels"),
    ],
)
def test_a_window_that_cannot_be_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        windows(image(1, 1, 4, 5), **arguments)


@pytest.mark.usefixtures("as_a_user")
def test_an_image_that_is_none_is_named():
    with pytest.raises(ShapeError, match="x has 3 axes"):
        windows(image(1, 4, 5), 2)
    with pytest.raises(TypeError, match="x holds int64"):
        windows(torch.ones(1, 1, 4, 4, dtype=torch.long), 2)


def test_a_gradient_of_another_shape_is_refused():
    with pytest.raises(ShapeError, match=r"dcells has shape \(1,\), expected"):
        windows(image(1, 1, 4, 4), 2)[1](torch.ones(1))
    with pytest.raises(ShapeError, match=r"dy has shape \(2,\), expected \(2, 3\)"):
        expect_like(torch.ones(2), torch.ones(2, 3))


def test_a_pair_is_one_number_twice_or_two():
    assert (pair(2, "size"), pair((2, 3), "size")) == ((2, 2), (2, 3))


def test_windows_are_cut_where_the_image_is(fake_device):
    def there_and_back(x):
        cells, put_back = windows(x, 2, 2, 1)
        return cells, put_back(cells)

    agrees_on_device(there_and_back, image(2, 2, 5, 5))
