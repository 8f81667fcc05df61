"""The four operators: torch's shuffle and interpolation, the checkerboard, odd sizes."""

import pytest
import torch
import torch.nn.functional as F

from etude.core.random import seeded, stream
from etude.networks.unet.upsampling import (
    Upsample,
    bilinear_kernel,
    fit,
    overlap_count,
    pixel_shuffle,
)

KINDS = ["nearest", "bilinear", "transposed", "shuffle"]


def maps(channels=3, height=5, width=4, batch=2):
    shape = batch, channels, height, width
    return torch.randn(shape, generator=stream(0), dtype=torch.float64)


@pytest.mark.parametrize("factor", [1, 2, 3])
def test_the_shuffle_is_that_of_torch(factor, parity):
    x = maps(2 * factor**2)
    parity(f"pixel shuffle by {factor}", pixel_shuffle(x, factor), F.pixel_shuffle(x, factor),
           reference="torch.nn.functional.pixel_shuffle", tolerance=0.0)  # fmt: skip


def test_four_channels_become_a_tile():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1)
    assert pixel_shuffle(x, 2).tolist() == [[[[1.0, 2.0], [3.0, 4.0]]]]


def test_channels_that_make_no_tile_are_refused():
    with pytest.raises(ValueError, match="x has 3 channels, expected a multiple of factor² = 4"):
        pixel_shuffle(maps(3), 2)


@pytest.mark.parametrize("stride", [1, 2, 3, 4])
def test_a_transposed_convolution_by_the_tent_interpolates(stride, parity):
    """Away from the borders, where interpolation repeats the last pixel and the other adds zeros."""
    x, kernel = maps(1, 9, 8), bilinear_kernel(stride, dtype=torch.float64)
    padding = (len(kernel) - stride) // 2
    ours = F.conv_transpose2d(x, kernel[None, None], stride=stride, padding=padding)
    theirs = F.interpolate(x, scale_factor=stride, mode="bilinear", align_corners=False)
    inside = (..., slice(stride, -stride), slice(stride, -stride))
    assert ours.shape == theirs.shape
    parity(f"bilinear kernel, stride {stride}", ours[inside], theirs[inside],
           reference="torch.nn.functional.interpolate", tolerance=2e-15)  # fmt: skip


def test_the_tent_of_stride_two_by_hand():
    row = torch.tensor([0.25, 0.75, 0.75, 0.25])
    assert torch.equal(bilinear_kernel(2), row[:, None] * row)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 2), (4, 2), (2, 2), (5, 3), (6, 3), (2, 3)])
def test_overlaps_are_what_ones_add_up_to(kernel, stride):
    ones = torch.ones(1, 1, 9)
    added = F.conv_transpose1d(ones, torch.ones(1, 1, kernel), stride=stride)
    assert overlap_count(9, kernel, stride).tolist() == added.flatten().tolist()


def test_a_kernel_that_is_no_multiple_of_the_stride_leaves_a_checkerboard():
    inside = slice(4, -4)
    assert set(overlap_count(9, 3, 2)[inside].tolist()) == {1, 2}
    assert set(overlap_count(9, 4, 2)[inside].tolist()) == {2}
    with pytest.raises(ValueError, match="stride must be positive, got 0"):
        overlap_count(9, 3, 0)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("kernel", [2, 3, 4, 5])
def test_every_operator_doubles(kind, kernel):
    with seeded(0):
        up = Upsample(3, 5, kind, kernel).double()
    assert up(maps()).shape == (2, 5, 10, 8)


def test_three_operators_leave_a_flat_map_flat_and_the_fourth_may_not():
    """With constant weights, inside: what is not flat is the operator's own pattern."""
    flat, spread = torch.ones(1, 2, 8, 8), {}
    for kind, kernel in (("nearest", 2), ("bilinear", 2), ("transposed", 4), ("transposed", 3)):
        up = Upsample(2, 1, kind, kernel)
        torch.nn.init.constant_(up.conv.weight, 0.1)
        inside = up(flat)[..., 3:-3, 3:-3].detach()
        spread[kind, kernel] = float(inside.max() - inside.min())
    assert spread.pop(("transposed", 3)) > 0.1
    assert max(spread.values()) < 1e-6


@pytest.mark.parametrize("kind", ["nearest", "bilinear"])
def test_the_enlargement_is_that_of_torch(kind):
    with seeded(0):
        up = Upsample(3, 2, kind).double()
    smooth = {"align_corners": False} if kind == "bilinear" else {}
    larger = F.interpolate(maps(), scale_factor=2, mode=kind, **smooth)
    expected = F.conv2d(larger, up.conv.weight, up.conv.bias, padding=1)
    torch.testing.assert_close(up(maps()), expected)


def test_a_map_is_cut_or_its_border_repeated():
    x = torch.arange(6.0).reshape(1, 1, 2, 3)
    larger = fit(x, torch.zeros(1, 5, 3, 4))[0, 0]
    assert larger.tolist() == [[0, 1, 2, 2], [3, 4, 5, 5], [3, 4, 5, 5]]
    assert fit(x, torch.zeros(1, 5, 1, 2))[0, 0].tolist() == [[0, 1]]
    assert torch.equal(fit(x, x), x)


def test_unknown_operators_are_refused(as_a_user):
    with pytest.raises(ValueError, match="kind must be one of 'nearest', .*got 'cubic'"):
        Upsample(1, 1, "cubic")
    with pytest.raises(ValueError, match="kernel must be at least the stride, 2, got 1"):
        Upsample(1, 1, "transposed", 1)
