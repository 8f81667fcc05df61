import math

import pytest
import torch

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.data.canvas import place, random_place
from etude.data.digits import digits
from tests.on_device import agrees_on_device


def by_loop(images, size, down, right):
    canvas = torch.zeros(len(images), images.shape[1], size, size, dtype=images.dtype)
    top, left = (size - images.shape[2]) // 2, (size - images.shape[3]) // 2
    for k, image in enumerate(images):
        for row in range(images.shape[2]):
            for column in range(images.shape[3]):
                place = top + int(down[k]) + row, left + int(right[k]) + column
                canvas[k, :, place[0], place[1]] = image[:, row, column]
    return canvas


@pytest.mark.parametrize(("height", "width", "size"), [(3, 3, 7), (2, 4, 7), (5, 2, 8)])
def test_every_pixel_lies_where_its_image_was_moved(height, width, size):
    images = torch.randn(5, 2, height, width, generator=stream(0))
    reach = (size - max(height, width)) // 2
    down, right = torch.randint(-reach, reach + 1, (2, 5), generator=stream(1))
    assert torch.equal(place(images, size, down, right), by_loop(images, size, down, right))


def test_one_shift_serves_all_and_none_is_the_middle():
    images = torch.randn(3, 1, 2, 2, generator=stream(0))
    all_one = torch.ones(3, dtype=torch.long)
    assert torch.equal(place(images, 6, 1, -1), place(images, 6, all_one, -all_one))
    assert torch.equal(place(images, 6)[:, :, 2:4, 2:4], images)
    assert place(images, 6).count_nonzero() == images.count_nonzero()


def test_the_odd_row_lies_below():
    assert place(torch.ones(1, 1, 2, 2), 5)[0, 0].nonzero().tolist() == [
        [1, 1],
        [1, 2],
        [2, 1],
        [2, 2],
    ]
    assert place(torch.ones(1, 1, 2, 2), 5, 2, 2)[0, 0, 3:, 3:].all()


def test_a_gradient_reaches_the_image():
    images = torch.randn(2, 1, 3, 3, generator=stream(0), requires_grad=True)
    place(images, 7, 1, 2).square().sum().backward()
    torch.testing.assert_close(images.grad, 2 * images.detach())


def test_no_images_are_no_canvases():
    assert place(torch.zeros(0, 1, 8, 8), 16).shape == (0, 1, 16, 16)
    assert random_place(torch.zeros(0, 1, 8, 8), 16, 4, generator=stream(0)).shape[0] == 0


def test_all_shifts_are_equally_likely():
    dots = torch.ones(9 * 2000, 1, 1, 1)
    seen = random_place(dots, 5, 1, generator=stream(0)).sum(0)[0]
    assert seen.count_nonzero() == 9
    share = 1 / 9
    spread = math.sqrt(share * (1 - share) / len(dots))
    assert (seen[1:4, 1:4] / len(dots) - share).abs().max() < 4 * spread


def test_rows_and_columns_are_moved_apart():
    seen = random_place(torch.ones(4000, 1, 1, 1), 5, 2, generator=stream(0))
    rows, columns = (seen.flatten(1).argmax(1).div(5, rounding_mode="floor") - 2,
                     seen.flatten(1).argmax(1) % 5 - 2)  # fmt: skip
    assert (rows * columns).double().mean().abs() < 4 * 2 / math.sqrt(4000)


def test_noise_lies_on_the_whole_canvas():
    blank = random_place(torch.zeros(50, 1, 8, 8), 16, 4, generator=stream(0), noise=0.3)
    assert blank.std().item() == pytest.approx(0.3, rel=4 / math.sqrt(2 * blank.numel()))
    assert blank.mean().abs() < 4 * 0.3 / math.sqrt(blank.numel())
    assert blank[:, :, 0].std() > 0.25


def test_a_seed_gives_one_canvas():
    images = digits().images[:20]
    one, two, other = (
        random_place(images, 16, 4, generator=stream(seed), noise=0.1) for seed in (0, 0, 1)
    )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


def test_what_cannot_be_is_said():
    images = torch.ones(3, 1, 8, 8)
    with pytest.raises(ShapeError, match="size is 7, expected at least 8"):
        place(images, 7)
    with pytest.raises(ValueError, match="down must lie between -4 and 4, got 5 to 5"):
        place(images, 16, 5)
    with pytest.raises(ValueError, match="right must lie between -4 and 5, got -5 to 0"):
        place(images, 17, 0, torch.tensor([0, -5, 0]))
    with pytest.raises(ValueError, match="must not be negative, got -1 and 0.0"):
        random_place(images, 16, -1)
    with pytest.raises(ValueError, match="must not be negative, got 1 and -0.1"):
        random_place(images, 16, 1, noise=-0.1)


@pytest.mark.usefixtures("as_a_user")
def test_a_wrong_number_of_shifts_is_said():
    with pytest.raises(ShapeError, match="down has 2 batch, expected 3"):
        place(torch.ones(3, 1, 8, 8), 16, torch.zeros(2, dtype=torch.long))
    with pytest.raises(TypeError, match="images holds int64, expected a floating type"):
        place(torch.ones(3, 1, 8, 8, dtype=torch.long), 16)


def test_it_stands_where_the_images_are(fake_device):
    images = digits().images[:4]
    shifts = torch.tensor([0, 1, -1, 2])
    agrees_on_device(lambda x, down: place(x, 16, down, -1), images, shifts)
    agrees_on_device(lambda x, g: random_place(x, 16, 4, generator=g, noise=0.1), images, stream(0))
