# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The layers of a CNN: exercises
#
# {{total}} points, about {{minutes}} minutes. They go with the chapter *The layers of a CNN* and follow its order.
#
# **How it works.** Replace `raise NotImplementedError` by your code, run that cell, then run the check below it. The check
# shows what came, what was expected and the likely cause. The same cell, with more tests, gives the points later; each
# task says what those tests look at, and *tidiness* is the same everywhere: leave the arguments as they were, return
# tensors of the dtype and the device of the input, and cope with an input that is not contiguous.
# Stuck? Open the hints one by one.
#
# Images are tensors of shape (batch, channels, height, width); rows, columns and pixels are counted from 0.

# %%
import torch
import torch.nn.functional as F

# %% [markdown]
# ## 1 · Columns on a torus
#
# ●●○○○ · 15 minutes · {{points}}
#
# *Why it matters:* a convolution is one matrix product once the patches of an image are columns. Panoramas and maps of
# the sky wrap around, so that no border needs an excuse.
#
# **Task.** Return the columns of the circular convolution: `weight.flatten(1) @ columns` will be its answers. Column
# (i, j), at index i·width + j, holds the patch that *starts* at pixel (i, j). Row $a$ and column $b$ of the patch, both from 0 to
# size − 1, are the pixel at row $i + a\cdot\text{dilation}$ and column $j + b\cdot\text{dilation}$, counted around the border: after
# the last row comes the first, as often as needed. Within a column: channel first, then $a$, then $b$. Shape:
# (batch, channels·size², height·width).
#
# Example: the image with rows (0, 1, 2), (3, 4, 5), size 2, dilation 1: the last column, at pixel 5, is (5, 3, 2, 0).
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Size 3, dilation 2: how many pixels wide is the patch? How many does it read?
#
# <details><summary>Answer</summary>
#
# Five wide, three read in each direction: nine in all.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "torus_columns", "locked": false, "schema_version": 3, "solution": true}
def torus_columns(x: torch.Tensor, size: int, dilation: int = 1) -> torch.Tensor:
    """(batch, channels, height, width) to (batch, channels·size², height·width): a patch a column, wrapped around."""
    ### BEGIN SOLUTION
    steps = [step * dilation for step in range(size)]
    patches = torch.stack([x.roll((-a, -b), (2, 3)) for a in steps for b in steps], dim=2)
    return patches.flatten(3).flatten(1, 2)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "torus_columns-check", "locked": true, "points": 2.5, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F

from proctor.marking import Task

task = Task("torus_columns", points=2.5, read="formulas/cnn_layers#convolution", misconceptions={
    "zeros_outside": "past the border came zeros: go on at the other side",
    "mirrored": "the image was shifted the wrong way: content of row i + a must come to row i, so roll by −a",
    "no_dilation": "the dilation is ignored: row a of the patch is a·dilation below its start",
    "transposed": "the patch is transposed: a counts rows and comes first, then b",
    "channel_last": "the channel comes first in a column, then a, then b",
    "product_transposed": "a patch is a column: pixels of the image along the last axis",
})


@task(0.5)
def the_worked_example():
    """Each column is the patch that starts at its pixel; past the border it goes on at the other side."""
    x = torch.arange(6.0).view(1, 1, 2, 3)
    right = [[[0.0, 1, 2, 3, 4, 5], [1, 2, 0, 4, 5, 3], [3, 4, 5, 0, 1, 2], [4, 5, 3, 1, 2, 0]]]
    task.equal(torus_columns(x, 2), right, {
        "zeros_outside": [[[0.0, 1, 2, 3, 4, 5], [1, 2, 0, 4, 5, 0], [3, 4, 5, 0, 0, 0], [4, 5, 0, 0, 0, 0]]],
        "mirrored": [[[0.0, 1, 2, 3, 4, 5], [2, 0, 1, 5, 3, 4], [3, 4, 5, 0, 1, 2], [5, 3, 4, 2, 0, 1]]],
        "transposed": [[[0.0, 1, 2, 3, 4, 5], [3, 4, 5, 0, 1, 2], [1, 2, 0, 4, 5, 3], [4, 5, 3, 1, 2, 0]]],
        "product_transposed": torch.tensor(right).mT})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def patches(x, size, dilation, sign=1):
    """(batch, channels, a, b, height·width)."""
    height, width = x.shape[2:]
    step = sign * dilation * torch.arange(size)
    rows = (torch.arange(height) + step[:, None]) % height
    columns = (torch.arange(width) + step[:, None]) % width
    return x.double()[:, :, rows[:, None, :, None], columns[None, :, None, :]].flatten(4)


def expected(x, size, dilation=1):
    return patches(x, size, dilation).flatten(1, 3)


@task.misconception(0)
def zeros_outside(x, size, dilation=1):
    return F.unfold(F.pad(x.double(), [0, dilation * (size - 1)] * 2), size, dilation)


@task.misconception(0)
def mirrored(x, size, dilation=1):
    return patches(x, size, dilation, sign=-1).flatten(1, 3)


@task.misconception(0.5)
def no_dilation(x, size, dilation=1):
    return expected(x, size)


@task.misconception(0)
def transposed(x, size, dilation=1):
    return patches(x, size, dilation).transpose(2, 3).flatten(1, 3)


@task.misconception(0.5)
def channel_last(x, size, dilation=1):
    return patches(x, size, dilation).permute(0, 2, 3, 1, 4).flatten(1, 3)


@task.misconception(0)
def product_transposed(x, size, dilation=1):
    return expected(x, size, dilation).mT


@task(1)
def dilation_and_any_image():
    """Row a of the patch is a·dilation below its start, modulo the height; columns likewise, modulo the width."""
    for size, dilation in (3, 1), (2, 2), (3, 2):
        x = task.randn(2, 3, 6, task.randint(7, 9))
        task.agree(torus_columns, expected, x, size, dilation)


@task(0.5, needs="dilation_and_any_image")
def a_patch_larger_than_the_image():
    """A long patch goes around more than once: count modulo the height and the width."""
    for size, dilation in (3, 3), (5, 1), (2, 7):
        task.agree(torus_columns, expected, task.randn(1, 2, 2, 3), size, dilation)


@task(0.5, needs="dilation_and_any_image")
def tidiness():
    task.tidy(torus_columns, task.randn(2, 2, 5, 5), 2, 2)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Fix $(a, b)$ and look at all columns at once: row $(c, a, b)$ of the result is channel $c$ of the image, shifted. By how
# much, and in which direction?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# `Tensor.roll` shifts around the border. Make one shifted image for each $(a, b)$, stack them as a new axis after the
# channels, then flatten twice.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# for a, for b: shifted ← x rolled by (−a·dilation, −b·dilation) along the last two axes; stack at axis 2; merge rows with
# columns of the image; merge channels with the stack.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Wrong only where height and width differ:* an index was taken modulo the wrong side.
# - *An error on tiny images only:* circular padding goes around once; an index modulo the side, or `roll`, as often as you like.
#
# </details>
#
# **Go further** (no points). Write the way back, columns to image, so that each pixel gets the sum of its copies. How many
# copies has each pixel, and why is the answer simpler than in the chapter's figure?

# %% [markdown]
# ## 2 · Four numbers for any sum
#
# ●●○○○ · 20 minutes · {{points}}
#
# *Why it matters:* detectors pool over boxes of any size. A summed-area table holds, for every corner of the pixel grid, the
# sum of all pixels above and to the left. With one, a box of a million pixels costs four look-ups; the first fast face
# detector was built on it.
#
# **Task.** Return the sum of the pixels in every box, shape (batch, channels, boxes). A row of `boxes` (integers) is top,
# left, bottom, right; as in a slice, top and left are inside, bottom and right just outside. The part of a box that lies
# beyond the image holds no pixels and adds nothing. A box without pixels, because it lies outside or because its bottom is
# not below its top (or its right not right of its left), gives 0.
#
# Example: the image with rows (1, 2, 3), (4, 5, 6), (7, 8, 9). The box (1, 1, 3, 2) holds 5 and 8: 13. The box (−1, 0, 1, 9)
# holds the first row: 6.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** An image has 480 × 640 pixels: what is the table's size, if a box may begin at row 0?
#
# <details><summary>Answer</summary>
#
# 481 × 641: there is one more line between rows than there are rows, if the two outer edges count.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "box_sums", "locked": false, "schema_version": 3, "solution": true}
def box_sums(x: torch.Tensor, boxes: torch.Tensor) -> torch.Tensor:
    """x (batch, channels, height, width), boxes (boxes, 4), integers: returns (batch, channels, boxes)."""
    ### BEGIN SOLUTION
    height, width = x.shape[2:]
    table = F.pad(x.double().cumsum(2).cumsum(3), [1, 0, 1, 0])  # float64: a difference of large sums
    top, left, bottom, right = boxes.T
    top, bottom, left, right = top.clamp(0, height), bottom.clamp(0, height), left.clamp(0, width), right.clamp(0, width)
    bottom, right = bottom.maximum(top), right.maximum(left)
    below = table[:, :, bottom, right] - table[:, :, bottom, left]
    above = table[:, :, top, right] - table[:, :, top, left]
    return (below - above).to(x.dtype)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "box_sums-check", "locked": true, "points": 2.5, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F

from proctor.marking import Task

task = Task("box_sums", points=2.5, read="formulas/cnn_layers#pooling", misconceptions={
    "no_corner": "the corner above and to the left was taken away twice: add it once",
    "ends_inside": "bottom and right were taken as the last pixels inside: they are the first outside",
    "across_first": "left and top were exchanged: a row of boxes is top, left, bottom, right",
    "from_the_end": "a negative index counted from the end of the image: bring the box to the image first",
    "upside_down": "a box whose bottom is above its top has no pixels: its sum is 0, not minus that of the turned box",
    "single_precision": "the sums of a large bright image have no digits left for a small box: add up in float64",
})


@task(0.5)
def the_worked_example():
    """Rows top to bottom − 1, columns left to right − 1, as far as the image goes."""
    x = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    boxes = torch.tensor([[1, 1, 3, 2], [-1, 0, 1, 9]])
    task.equal(box_sums(x, boxes), [[[13.0, 6.0]]], {
        "no_corner": [[[12.0, 6.0]]], "ends_inside": [[[28.0, 21.0]]], "across_first": [[[11.0, 12.0]]],
        "from_the_end": [[[13.0, 0.0]]]})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(x, boxes):
    inside = [[max(edge, 0) for edge in box] for box in boxes.tolist()]
    return torch.stack([x.double()[:, :, a:b, c:d].sum((2, 3)) for a, c, b, d in inside], 2)


def look_up(x, boxes, corner=1, upright=True):
    table = F.pad(x.cumsum(2).cumsum(3), [1, 0, 1, 0])
    (top, bottom), (left, right) = (boxes[:, [k, k + 2]].clamp(0, x.shape[2 + k]).T for k in (0, 1))
    if upright:
        bottom, right = bottom.maximum(top), right.maximum(left)
    return (table[:, :, bottom, right] - table[:, :, top, right] - table[:, :, bottom, left]
            + corner * table[:, :, top, left])


@task.misconception(0)
def no_corner(x, boxes):
    return look_up(x.double(), boxes, corner=0)


@task.misconception(0)
def ends_inside(x, boxes):
    return expected(x, boxes + torch.tensor([0, 0, 1, 1]))


@task.misconception(0)
def across_first(x, boxes):
    return expected(x, boxes[:, [1, 0, 3, 2]])


@task.misconception(1.5)
def from_the_end(x, boxes):
    return torch.stack([x.double()[:, :, a:b, c:d].sum((2, 3)) for a, c, b, d in boxes.tolist()], 2)


@task.misconception(2)
def upside_down(x, boxes):
    return look_up(x.double(), boxes, upright=False)


@task.misconception(2)
def single_precision(x, boxes):
    return look_up(x, boxes)


def random_boxes(number, height, width):
    """Boxes with a pixel or more, all in the image, the first one all of it."""
    sides = [(task.randint(0, height - 2), task.randint(0, width - 2)) for _ in range(number)]
    boxes = [(a, b, task.randint(a + 1, height), task.randint(b + 1, width)) for a, b in sides]
    return torch.tensor([(0, 0, height, width), *boxes])


@task(0.5)
def boxes_in_the_image():
    """The table at the four corners: below right, less above right and below left, plus above left."""
    for height, width in (7, 12), (9, 5):
        task.agree(box_sums, expected, task.randn(2, 3, height, width), random_boxes(8, height, width))


@task(0.5)
def beyond_the_border_or_empty():
    """Bring every edge to between 0 and the side, and the bottom to below the top, before you look up."""
    x = 1 + task.randn(2, 2, 6, 9).square()
    task.agree(box_sums, expected, x, torch.tensor([[-3, 2, 4, 6], [2, 3, 99, 8], [-2, -5, 50, 4], [1, 5, 5, 12]]))
    task.agree(box_sums, expected, x, torch.tensor([[4, 2, 1, 6], [1, 3, 5, 3], [8, 2, 12, 4], [-5, 1, -2, 4], [4, 7, 2, 3]]))


@task(0.5, needs="boxes_in_the_image")
def a_small_box_in_a_large_bright_image():
    """10⁸ in float32 has steps of 8: the difference of two such sums says nothing of six pixels."""
    corners = [(300 + 15 * n, 420 + 9 * n) for n in range(6)]
    boxes = torch.tensor([(a, b, a + 2, b + 3) for a, b in corners])
    task.agree(box_sums, expected, 1000 + 10 * task.randn(1, 1, 400, 500), boxes)


@task(0.5, needs="boxes_in_the_image")
def tidiness():
    task.tidy(box_sums, task.randn(2, 2, 6, 7), random_boxes(4, 6, 7))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Let $S(r, q)$ be the sum of all pixels above line $r$ and left of line $q$. Cover the box with four such rectangles, with
# signs.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# `cumsum` along rows, then along columns, and a line of zeros at the top and at the left. Clamp the boxes' edges; integer
# tensors index all boxes at once.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# S ← zeros around cumsum of cumsum of x, in float64; clamp top and bottom to 0 … height, left and right to 0 … width; bottom ←
# max(bottom, top), right ← max(right, left); S at (bottom, right) − (top, right) − (bottom, left) + (top, left).
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Wrong only for boxes that begin at row or column 0:* the table lacks its line of zeros, and index −1 reads the other end.
#
# </details>
#
# **Go further** (no points). How would you get the average, the variance and the L2 norm of any box with a second table?
# Why is there no such table for the maximum?

# %% [markdown]
# ## 3 · Pooling that measures energy
#
# ●●○○○ · 15 minutes · {{points}}
#
# *Why it matters:* max pooling remembers one pixel of a window; energy pooling hears all of them. Audio and texture
# networks rely on it.
#
# **Task.** Return the *root mean square* of every window: square, average, take the root. `size` is the window's side,
# `stride` its step (`None` means `size`); windows that stick out of the padded image are left out. `padding`, at most half of `size`, puts so many
# rows and columns around the image, but what is padded is no pixel: it counts neither in the sum nor in the number. A black window
# gives exactly 0, and its gradient is 0.
#
# Example: the window $\begin{pmatrix}3&4\\0&0\end{pmatrix}$ gives $\sqrt{(9+16)/4} = 2.5$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** An image of ones, size 2, padding 1. What does the corner window give, with one real pixel in it?
#
# <details><summary>Answer</summary>
#
# 1. The mean of the one real pixel is 1. Dividing by 4 would darken the border: 0.5.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "rms_pool", "locked": false, "schema_version": 3, "solution": true}
def rms_pool(x: torch.Tensor, size: int, stride: int | None = None, padding: int = 0) -> torch.Tensor:
    """(batch, channels, height, width) to (batch, channels, rows, columns): the root mean square of each window."""
    ### BEGIN SOLUTION
    step = stride or size

    def window_sum(z):
        return F.pad(z, [padding] * 4).unfold(2, size, step).unfold(3, size, step).sum((-2, -1))

    mean = window_sum(x.square()) / window_sum(torch.ones_like(x))
    silent = mean == 0  # the root's slope is infinite at 0: keep it out of the gradient
    return mean.masked_fill(silent, 1).sqrt().masked_fill(silent, 0)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "rms_pool-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F

from proctor.marking import Task

task = Task("rms_pool", points=3, read="formulas/cnn_layers#pooling", misconceptions={
    "root_of_sum": "this is the root of the sum, the L2 norm: divide by the number of pixels before the root",
    "no_root": "this is the mean of the squares: the root is missing",
    "plain_mean": "this is the plain mean: square the pixels first",
    "stride_ignored": "the stride is ignored: windows start every `stride` pixels, not every `size`",
    "stride_one": "without a stride the windows overlap: `None` means that they stand side by side",
    "padding_counts": "the border is too dark, because padded cells were counted: divide by the number of real pixels",
    "padding_ignored": "the padding was not added",
    "infinite_slope": "`sqrt` met a 0: its slope there is infinite, and infinity times 0 is nan",
    "epsilon": "a small number under the root makes the gradient finite, but a black window is no longer 0",
})


@task(0.5)
def the_worked_example():
    """Square first, then average over the window, and take the root last."""
    x = torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]])
    task.equal(rms_pool(x, 2), [[[[2.5]]]], {"root_of_sum": [[[[5.0]]]], "no_root": [[[[6.25]]]], "plain_mean": [[[[1.75]]]]})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def mean_square(x, size, stride, padding, **how):
    return F.avg_pool2d(x.double().square(), size, stride, padding, **{"count_include_pad": False, **how})


def root(mean):
    return mean.where(mean > 0, 1).sqrt() * (mean > 0)


def expected(x, size, stride=None, padding=0):
    return root(mean_square(x, size, stride, padding))


@task.misconception(0)
def root_of_sum(x, size, stride=None, padding=0):
    return root(mean_square(x, size, stride, padding, divisor_override=1))


@task.misconception(0)
def no_root(x, size, stride=None, padding=0):
    return mean_square(x, size, stride, padding)


@task.misconception(0)
def plain_mean(x, size, stride=None, padding=0):
    return F.avg_pool2d(x.double(), size, stride, padding, count_include_pad=False)


@task.misconception(0.5)
def stride_ignored(x, size, stride=None, padding=0):
    return root(mean_square(x, size, size, padding))


@task.misconception(0.5)
def stride_one(x, size, stride=None, padding=0):
    return root(mean_square(x, size, stride or 1, padding))


@task.misconception(2.5)
def padding_counts(x, size, stride=None, padding=0):
    return root(mean_square(x, size, stride, padding, count_include_pad=True))


@task.misconception(2.5)
def padding_ignored(x, size, stride=None, padding=0):
    return root(mean_square(x, size, stride, 0))


@task.misconception(2.5)
def infinite_slope(x, size, stride=None, padding=0):
    return mean_square(x, size, stride, padding).sqrt()


@task.misconception(2.5)
def epsilon(x, size, stride=None, padding=0):
    return (mean_square(x, size, stride, padding) + 1e-8).sqrt()


@task(1)
def any_size_and_stride():
    """Window (i, j) starts at row i·stride and column j·stride, and rows and columns may differ in number."""
    for size, stride in (2, None), (3, 2), (2, 3), (3, 1):
        task.agree(rms_pool, expected, task.randn(2, 3, 7, task.randint(8, 10)), size, stride)


@task(0.5, needs="any_size_and_stride")
def padding_is_no_pixel():
    """Pad with zeros, and divide by the number of real pixels under each window."""
    for size, stride, padding in (3, 1, 1), (2, None, 1), (4, 3, 2):
        task.agree(rms_pool, expected, 1 + task.randn(2, 2, 8, 9), size, stride, padding)


@task(0.5, needs="any_size_and_stride")
def a_black_window():
    """The root's slope at 0 is infinite, and infinity times 0 is nan: keep zeros away from the root."""
    x = task.randn(1, 1, 4, 4)
    x[..., :2, :2] = 0
    task.equal(rms_pool(x, 2)[0, 0, 0, 0], 0.0, {"epsilon": 1e-4}, name="the black window", tolerance=1e-7)
    slope = task.gradient(rms_pool, x, 2)[0, 0, :2, :2]
    task.equal(slope, torch.zeros(2, 2), {"infinite_slope": torch.nan}, name="the gradient in it")


@task(0.5, needs="any_size_and_stride")
def tidiness():
    task.tidy(rms_pool, task.randn(2, 2, 6, 6), 3, 2)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two window sums answer it: one of the squared image, one of an image of ones. What does the second one count?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# `Tensor.unfold(dimension, size, step)` shows all windows along one dimension as a new last one. Pad both images with zeros,
# unfold height and width, sum the two new dimensions.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# squares ← windows of padded x², summed; pixels ← windows of padded ones, summed; mean ← squares / pixels; where the mean
# is 0, put 1 before the root and 0 after it.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *`nan` although you replaced it after the root:* `where` passes a zero back, and zero times infinity is `nan`; replace before the root.
# - *A column is missing:* there are ⌊(width + 2·padding − size)/stride⌋ + 1 of them.
#
# </details>
#
# **Go further** (no points). For which windows does this pooling equal max pooling? Average pooling? What does it do to a
# photograph and to its negative?

# %% [markdown]
# ## 4 · A long sequence, pooled in pieces
#
# ●●●○○ · 20 minutes · {{points}}
#
# *Why it matters:* a chromosome does not fit into memory, nor does attention over a whole book. Both are pooled piece by piece
# and merged: that is the trick inside FlashAttention.
#
# **Task.** Scores $x_i$ have the weights $p_i = e^{x_i}/\sum_j e^{x_j}$; let $L = \log\sum_i e^{x_i}$, $E = \sum_i p_i x_i$ and
# $V = \sum_i p_i(x_i - E)^2$. You never see the scores: `L`, `E` and `V`, each of shape (batch, pieces), describe the pieces of long sequences.
# Return the three numbers of the *whole* sequences, each of shape (batch). An empty piece has $L = -\infty$ and `nan` for E and V,
# and changes nothing; no sequence is all empty. Scores may be in the thousands.
#
# Example: the scores $(0, \ln 3)$ have $L = \ln 4$, $E = \tfrac34\ln 3 = 0.8240$, $V = \tfrac3{16}\ln^2 3 = 0.2263$; the single score $\ln 12$ has
# $(\ln 12, \ln 12, 0)$. Together: $L = \ln 16$, $E = 2.0697$, $V = 0.5738$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Two pieces have the same $L$, and $V = 0$ each. Is $V$ of the whole 0?
#
# <details><summary>Answer</summary>
#
# Only if their $E$ are equal too. All scores of a piece are equal, but the pieces may differ: for example one score of
# $\ln 2$ against two scores of 0.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "merge_pieces", "locked": false, "schema_version": 3, "solution": true}
def merge_pieces(
    L: torch.Tensor, E: torch.Tensor, V: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Three tensors (batch, pieces) that describe pieces; returns the three of the whole, (batch) each."""
    ### BEGIN SOLUTION
    share = L.softmax(1)  # of each piece in the sum of exponentials; no overflow
    E, V = E.where(share > 0, 0), V.where(share > 0, 0)
    whole = (share * E).sum(1)
    within, between = V, (E - whole[:, None]).square()
    return L.logsumexp(1), whole, (share * (within + between)).sum(1)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "merge_pieces-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("merge_pieces", points=3, read="formulas/cnn_layers#from-average-to-maximum", misconceptions={
    "averaged": "the pieces were averaged as equals: a piece weighs as much as its sum of exponentials, exp(L)",
    "log_weights": "the pieces were weighted by L: that is a logarithm, the weight is exp(L)",
    "within_only": "the spread between the pieces is missing: add (E of the piece − E of the whole)²",
    "logs_added": "the L were added: sums of exponentials add, their logarithms do not",
    "rounded_shares": "the shares do not add up to 1: in float32 an L in the thousands is rounded; "
                      "take softmax of the L, not exp(L_k − L)",
    "overflow": "`exp` overflowed: subtract the largest L before exp, or use softmax and logsumexp",
    "difference_of_squares": "the mean of squares less the square of the mean has no digits left when E is in the thousands",
    "empty_is_nan": "an empty piece spoiled its sequence: 0 times nan is nan, so replace the nan first",
})


@task(0.5)
def the_worked_example():
    """The second piece has three times the weight of the first: exp(ln 12) against exp(ln 4)."""
    L, E, V = merge_pieces(torch.tensor([[1.3863, 2.4849]]), torch.tensor([[0.8240, 2.4849]]), torch.tensor([[0.2263, 0.0]]))
    task.equal(L, [2.7726], {"logs_added": [3.8712]}, name="L", tolerance=1e-3)
    task.equal(E, [2.0697], {"averaged": [1.6544], "log_weights": [1.8901]}, name="E", tolerance=1e-3)
    task.equal(V, [0.5738], {"within_only": [0.0566]}, name="V", tolerance=1e-3)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def merge(L, E, V, share):
    whole = (share * E).sum(1)
    return L.logsumexp(1), whole, (share * (V + (E - whole[:, None]).square())).sum(1)


def filled(L, *others):
    return (L.double(), *(one.double().where(L > -torch.inf, 0) for one in others))


@task.misconception(0)
def averaged(L, E, V):
    L, E, V = filled(L, E, V)
    return merge(L, E, V, torch.ones_like(L) / L.shape[1])


@task.misconception(0)
def log_weights(L, E, V):
    L, E, V = filled(L, E, V)
    return merge(L, E, V, L / L.sum(1, keepdim=True))


@task.misconception(1)
def within_only(L, E, V):
    L, E, V = filled(L, E, V)
    share = L.softmax(1)
    return L.logsumexp(1), (share * E).sum(1), (share * V).sum(1)


@task.misconception(0.5)
def logs_added(L, E, V):
    L, E, V = filled(L, E, V)
    return L.sum(1), *merge(L, E, V, L.softmax(1))[1:]


@task.misconception(2.5)
def rounded_shares(L, E, V):
    _, E, V = (one.to(L.dtype) for one in filled(L, E, V))
    return merge(L, E, V, (L - L.logsumexp(1, keepdim=True)).exp())


@task.misconception(2.5)
def overflow(L, E, V):
    weight = L.exp()
    _, E, V = (one.to(L.dtype) for one in filled(L, E, V))
    total = weight.sum(1)
    return total.log(), *merge(L, E, V, weight / total[:, None])[1:]


@task.misconception(2.5)
def difference_of_squares(L, E, V):
    share = L.softmax(1)
    _, E, V = (one.to(L.dtype) for one in filled(L, E, V))
    whole = (share * E).sum(1)
    return L.logsumexp(1), whole, (share * (V + E * E)).sum(1) - whole * whole


@task.misconception(2.5)
def empty_is_nan(L, E, V):
    L, E, V = L.double(), E.double(), V.double()
    return merge(L, E, V, L.softmax(1))


def describe(x):
    share = x.softmax(1)
    E = (share * x).sum(1, keepdim=True)
    V = (share * (x - E).square()).sum(1, keepdim=True)
    return x.logsumexp(1, keepdim=True), E, V


def sequences(*lengths, shift=0.0):
    """Float32 pieces of three sequences, empty where the length is 0, and the numbers of the whole."""
    scores = [task.randn(3, n).double() * 1.5 + 1.5 * task.randn(3, 1) + shift for n in lengths]
    nothing = (torch.full((3, 1), value) for value in (-torch.inf, torch.nan, torch.nan))
    nothing = tuple(nothing)
    pieces = [describe(x) if x.shape[1] else nothing for x in scores]
    whole = tuple(number[:, 0] for number in describe(torch.cat(scores, 1)))
    return whole, tuple(torch.cat(one, 1).float() for one in zip(*pieces))


NAMES = "L", "E", "V"


@task(0.5)
def the_sum_and_the_mean():
    """L of the whole is the logsumexp of the L; a piece's share in E is its part of the sum of exponentials."""
    for lengths in (4, 9), (1, 6, 2, 30), (5,):
        whole, pieces = sequences(*lengths)
        task.agree(merge_pieces, whole, *pieces, name=NAMES, parts=(0, 1), tolerance=1e-3)


@task(0.5)
def the_spread():
    """V of the whole: the shares times (V within the piece + the squared distance of its E from the whole's)."""
    for lengths in (4, 9), (1, 6, 2, 30), (5, 5):
        whole, pieces = sequences(*lengths)
        task.agree(merge_pieces, whole, *pieces, name=NAMES, parts=(2,), tolerance=1e-3)


@task(0.5, needs="the_sum_and_the_mean")
def scores_in_the_thousands():
    """exp(3000) is no float32: subtract the largest L first, and let the shares add up to 1. Square distances, not E."""
    for shift in 3000.0, -3000.0, 2345.0:
        whole, pieces = sequences(4, 7, 3, shift=shift)
        task.agree(merge_pieces, whole, *pieces, name=NAMES, parts=(0, 1), tolerance=1e-5)
        task.agree(merge_pieces, whole, *pieces, name=NAMES, parts=(2,), tolerance=1e-2)


@task(0.5, needs="the_sum_and_the_mean")
def empty_pieces():
    """The share of an empty piece is 0, but 0 times nan is nan."""
    for lengths in (0, 5, 3), (0, 0, 4), (2, 0, 0, 6, 0):
        whole, pieces = sequences(*lengths)
        task.agree(merge_pieces, whole, *pieces, name=NAMES, tolerance=1e-3)


@task(0.5, needs="the_sum_and_the_mean")
def tidiness():
    task.tidy(merge_pieces, *sequences(3, 8, 2)[1])
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Let $Z = \sum_i e^{x_i}$. The $Z$ of the pieces add up to that of the whole. Which part of the whole's weight lies in piece $k$?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# The share of a piece is $e^{L_k - L}$; let softmax compute it, since a rounded $L$ of some thousands spoils it. $E$ is the
# mean of the $E_k$ with these shares. A variance splits into two: within the pieces, and between their means.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# share ← softmax of L over the pieces; E, V ← 0 where L is −∞; E_whole ← Σ share·E; V_whole ← Σ share·(V + (E − E_whole)²);
# L_whole ← logsumexp of L.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *`nan` only where the first pieces are empty:* −∞ − (−∞) is `nan`; take the largest L of all pieces, not of those so far.
#
# </details>
#
# **Go further** (no points). Cut a sequence into pieces of one score each. Which chapter's formula is the answer? Now let every
# score carry a vector $v_i$, and merge $\sum_i p_i v_i$: you have attention in one pass.

# %% [markdown]
# ## 5 · An exponent that learns
#
# ●●●●○ · 30 minutes · {{points}}
#
# *Why it matters:* generalized-mean pooling is another road from average ($p=1$) to maximum ($p\to\infty$). Image retrieval networks
# learn $p$, so they need its gradient.
#
# **Task.** For $y = \left(\tfrac1n\sum_i x_i^p\right)^{1/p}$ over windows of `size` × `size`, side by side, return the two gradients of the
# loss: `dx`, shaped as `x`, and `dp`, a tensor without axes like `p`. `dy` is the loss's gradient at $y$; all pixels are
# positive; all windows share `p`; `size` divides height and width. Derive both by hand, and check them with autograd if you
# like. Powers like $20^{300}$, which not even float64 holds, must not harm.
#
# Example: window $\begin{pmatrix}1&7\\1&7\end{pmatrix}$, $p=2$, $dy=1$: $y=5$, `dx` $=\begin{pmatrix}.05&.35\\.05&.35\end{pmatrix}$, `dp` $=0.7439$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Is `dp` ever negative when `dy` is 1?
#
# <details><summary>Answer</summary>
#
# Never: the generalized mean grows with $p$, and stays as it is only in a window of equal pixels.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "gem_pool_backward", "locked": false, "schema_version": 3, "solution": true}
def gem_pool_backward(
    dy: torch.Tensor, x: torch.Tensor, p: torch.Tensor, size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """dy (batch, channels, rows, columns), x (batch, channels, height, width), p (): returns dx, shaped as x, and dp ()."""
    ### BEGIN SOLUTION
    windows = x.unfold(2, size, size).unfold(3, size, size)  # (batch, channels, rows, columns, size, size)
    top = windows.amax((-2, -1), keepdim=True)
    part = windows / top  # at most 1: no power overflows
    mean = (part**p).mean((-2, -1), keepdim=True)
    y, dy = top * mean ** (1 / p), dy[..., None, None]
    dx = dy * (windows / y) ** (p - 1) / size**2
    slope = (part**p * part.log()).mean((-2, -1), keepdim=True) / (p * mean) - mean.log() / p**2
    return dx.transpose(3, 4).reshape(x.shape), (dy * y * slope).sum()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "gem_pool_backward-check", "locked": true, "points": 3.5, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F

from proctor.marking import Task

task = Task("gem_pool_backward", points=3.5, read="formulas/cnn_layers#from-average-to-maximum", misconceptions={
    "no_n": "the 1/n of the mean is missing in dx",
    "inner_power_only": "the slope of the outer power 1/p is missing in dx",
    "dy_missing": "`dy` is missing: multiply by the gradient that arrives",
    "scrambled": "the windows were put back in the wrong order: bring (rows, size) and (columns, size) side by side before reshape",
    "inner_p_only": "the outer exponent 1/p depends on p too",
    "outer_p_only": "the p inside the mean has a slope too",
    "dp_averaged": "`dp` is the average over the windows: gradients of a shared p add up",
    "overflow": "a power overflowed: divide each window by its maximum M first; dx stays as it is, dp must be multiplied by M",
    "max_not_given_back": "`dp` belongs to the window divided by its maximum: multiply it by that maximum",
})


@task(0.5)
def the_worked_example():
    """Derive dx for one pixel first; for dp, differentiate ln y."""
    x, p = torch.tensor([[[[1.0, 7.0], [1.0, 7.0]]]]), torch.tensor(2.0)
    dx, dp = gem_pool_backward(torch.ones(1, 1, 1, 1), x, p, 2)
    task.equal(dx, [[[[0.05, 0.35], [0.05, 0.35]]]], {
        "no_n": [[[[0.2, 1.4], [0.2, 1.4]]]], "inner_power_only": [[[[0.5, 3.5], [0.5, 3.5]]]]}, name="dx")
    task.equal(dp, 0.7439, {
        "inner_p_only": 4.7675, "outer_p_only": -4.0236, "max_not_given_back": 0.1063}, name="dp", tolerance=1e-3)
    task.equal(torch.as_tensor(dp).ndim, 0, name="the number of axes of dp")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def wide(z, size):
    return z.repeat_interleave(size, 2).repeat_interleave(size, 3)


def slopes(dy, x, p, size, divide=True):
    """Every pixel's dy and y, and what the inner and the outer p give to the slope of y."""
    top = F.max_pool2d(x, size) if divide else torch.ones_like(dy)
    power = (x / wide(top, size)) ** p
    mean = F.avg_pool2d(power, size)
    y = top * mean ** (1 / p)
    inside = y * F.avg_pool2d(power * x.log(), size) / (p * mean)
    return wide(dy, size), wide(y, size), inside, -y * (mean.log() / p + top.log()) / p


def both(dy, x, p, size, divide=True):
    wide_dy, wide_y, inside, outside = slopes(dy, x, p, size, divide)
    return wide_dy * (x / wide_y) ** (p - 1) / size**2, (dy * (inside + outside)).sum()


def expected(dy, x, p, size):
    return both(*in_double(dy, x, p), size)


def in_double(*tensors):
    return [one.double() for one in tensors]


@task.misconception(1)
def no_n(dy, x, p, size):
    dx, dp = expected(dy, x, p, size)
    return dx * size**2, dp


@task.misconception(1)
def inner_power_only(dy, x, p, size):
    wide_dy, *_ = slopes(*in_double(dy, x, p), size)
    return wide_dy * p * x.double() ** (p.double() - 1) / size**2, expected(dy, x, p, size)[1]


@task.misconception(0.5)
def dy_missing(dy, x, p, size):
    return expected(torch.ones_like(dy), x, p, size)


@task.misconception(1.5)
def scrambled(dy, x, p, size):
    dx, dp = expected(dy, x, p, size)
    return dx.unfold(2, size, size).unfold(3, size, size).reshape(x.shape), dp


@task.misconception(1.5)
def inner_p_only(dy, x, p, size):
    _, _, inside, _ = slopes(*in_double(dy, x, p), size)
    return expected(dy, x, p, size)[0], (dy * inside).sum()


@task.misconception(1.5)
def outer_p_only(dy, x, p, size):
    _, _, _, outside = slopes(*in_double(dy, x, p), size)
    return expected(dy, x, p, size)[0], (dy * outside).sum()


@task.misconception(2)
def dp_averaged(dy, x, p, size):
    dx, dp = expected(dy, x, p, size)
    return dx, dp / dy.numel()


@task.misconception(3)
def overflow(dy, x, p, size):
    return both(dy, x, p, size, divide=False)


@task.misconception(1.5)
def max_not_given_back(dy, x, p, size):
    return expected(dy, x / wide(F.max_pool2d(x, size), size), p, size)


def example(size, p):
    x = (0.7 * task.randn(2, 3, 2 * size, 3 * size)).exp()
    return task.randn(2, 3, 2, 3), x, torch.tensor(p), size


@task(1)
def the_gradient_of_the_pixels():
    """dx = dy · (x/y)^(p−1)/n, each window with its own dy and y."""
    for size, p in (2, 3.0), (3, 1.5), (2, 1.0):
        task.agree(gem_pool_backward, expected, *example(size, p), name=("dx", "dp"), parts=(0,), tolerance=1e-3)


@task(1)
def the_gradient_of_the_exponent():
    """p stands in two places, inside the mean and in the outer 1/p: both have a slope, and all windows add up."""
    for size, p in (2, 3.0), (3, 1.5), (2, 1.0):
        task.agree(gem_pool_backward, expected, *example(size, p), name=("dx", "dp"), parts=(1,), tolerance=1e-3)


@task(0.5, needs="the_gradient_of_the_pixels")
def an_exponent_of_300():
    """20^300 is not even a float64: divide each window by its maximum M first, and multiply its dp by M at the end."""
    dy, x, p, size = example(2, 300.0)
    top = 16 + 4 * task.randn(*dy.shape).tanh()  # from 12 to 20: every window overflows in float64
    x = x * wide(top / F.max_pool2d(x, size), size)
    task.agree(gem_pool_backward, expected, 1000 * dy, x, p, size, name=("dx", "dp"), tolerance=1e-3)


@task(0.5, needs="the_gradient_of_the_pixels")
def tidiness():
    task.tidy(gem_pool_backward, *example(2, 3.0))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Write $m$ for the mean of $x^p$, so $y = m^{1/p}$. For `dx` use the chain rule through $m$; for `dp` differentiate
# $\ln y = \tfrac1p\ln m$.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# $\partial y/\partial x_i = (x_i/y)^{p-1}/n$. For $p$: the product rule on $\tfrac1p\ln m$ has two terms; one needs the
# mean of $x^p\ln x$. A factor that all pixels of a window share comes out of the mean: $y(c\,x) = c\,y(x)$.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# windows ← x cut into (rows, columns, size, size); M ← each window's maximum; z ← windows / M; mean ← mean of zᵖ; y ← M ·
# mean^(1/p); dx ← dy · (M·z/y)^(p−1) / n; swap its two middle axes and reshape to x; dp ← sum of dy · y · (slope
# of ln(y/M), which is ln(mean)/p, with respect to p).
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *`dp` is `nan`:* $x^p$ overflowed to infinity, and ∞/∞ is `nan`.
#
# </details>
#
# **Go further** (no points). Start at $p=1$ and learn $p$ on a picture of one bright dot; where does it go, and why?

# %% [markdown]
# ## 6 · Four bugs in a gradient
#
# ●●●●○ · 20 minutes · {{points}}
#
# *Why it matters:* a wrong gradient still trains, only worse. Reading code for what it does, not for what it wants to do, is
# the craft.
#
# **Task.** `faulty` below should be the gradient of max pooling: each window sends its `dy` to its maximum; if several pixels
# share the maximum, they share `dy` equally; a pixel in several windows gets the sum, one in none gets 0. It has four bugs. Find
# inputs that show them, then write `max_pool_backward` right: mend it, or go your own way. Windows are `size` × `size`, every `stride`
# pixels; `dy` has a number for each.
#
# Example: one window $\begin{pmatrix}5&5\\1&2\end{pmatrix}$, dy = 3: `dx` $=\begin{pmatrix}1.5&1.5\\0&0\end{pmatrix}$.
#
# *Tested:* {{tested}}.

# %% nbgrader={"grade": false, "grade_id": "max_pool_backward-given", "locked": true, "schema_version": 3, "solution": false}
def faulty(dy, x, size, stride):
    dx = torch.zeros(x.shape)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            rows, columns = slice(i * size, i * size + size), slice(j * stride, j * stride + size)
            window = x[:, :, rows, columns]
            winners = window == window.amax((2, 3), keepdim=True)
            dx[:, :, rows, columns] = winners * dy[:, :, i : i + 1, j : j + 1]
    return dx

# %% [markdown]
# **Predict first.** Which of the bugs can size = stride and random float32 pixels show?
#
# <details><summary>Answer</summary>
#
# None. They need overlap, a stride that differs from the size, equal pixels, or another dtype or device: that is
# why they survive quick tests.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "max_pool_backward", "locked": false, "schema_version": 3, "solution": true}
def max_pool_backward(dy: torch.Tensor, x: torch.Tensor, size: int, stride: int) -> torch.Tensor:
    """dy (batch, channels, rows, columns), x (batch, channels, height, width): returns dx, shaped as x."""
    ### BEGIN SOLUTION
    dx = torch.zeros_like(x)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            rows, columns = slice(i * stride, i * stride + size), slice(j * stride, j * stride + size)
            window = x[:, :, rows, columns]
            winners = window == window.amax((2, 3), keepdim=True)
            share = winners / winners.sum((2, 3), keepdim=True)
            dx[:, :, rows, columns] += share * dy[:, :, i : i + 1, j : j + 1]
    return dx
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "max_pool_backward-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("max_pool_backward", points=3, read="formulas/cnn_layers#the-gradient-of-a-maximum", misconceptions={
    "everyone": "every pixel got dy: only the maximum should",
    "dy_missing": "the maximum got 1: multiply by dy",
    "steps_by_size": "windows start at i·stride and j·stride, in both directions",
    "overwritten": "a pixel that wins in two windows gets both gradients: `+=`, not `=`",
    "paid_in_full": "each winner got the whole dy: it is given out once, so divide it among them",
    "first_takes_all": "one winner took all: share equally",
})


@task(0.5)
def the_worked_example():
    """The window's dy is given out once: to its maximum or, in equal parts, to all that share it."""
    x, dy = torch.tensor([[[[5.0, 5.0], [1.0, 2.0]]]]), torch.tensor([[[[3.0]]]])
    task.equal(max_pool_backward(dy, x, 2, 2), [[[[1.5, 1.5], [0.0, 0.0]]]], {
        "everyone": [[[[3.0, 3.0], [3.0, 3.0]]]], "dy_missing": [[[[0.5, 0.5], [0.0, 0.0]]]],
        "paid_in_full": [[[[3.0, 3.0], [0.0, 0.0]]]], "first_takes_all": [[[[3.0, 0.0], [0.0, 0.0]]]]})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def paint(dy, x, size, across, down=0, mode="", add=True):
    """A loop over windows, without a fault if nothing else is said; `mode` says who gets what."""
    dx = torch.zeros_like(x.double())
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            first, left = i * (down or across), j * across
            window = x[:, :, first : first + size, left : left + size].double()
            wins = (window == window.amax((2, 3), keepdim=True)).double()
            order = wins.flatten(2).cumsum(2).view(wins.shape)
            part = {"everyone": torch.ones_like(wins), "full": wins, "first": wins * (order == 1)}.get(
                mode, wins / wins.sum((2, 3), keepdim=True))
            part = part * dy[:, :, i, j, None, None].double()
            place = dx[:, :, first : first + size, left : left + size]
            place.copy_(place + part if add else part)
    return dx


def expected(dy, x, size, stride):
    return paint(dy, x, size, stride)


@task.misconception(0)
def everyone(dy, x, size, stride):
    return paint(dy, x, size, stride, mode="everyone")


@task.misconception(0)
def dy_missing(dy, x, size, stride):
    return expected(torch.ones_like(dy), x, size, stride)


@task.misconception(2.5)
def steps_by_size(dy, x, size, stride):
    return paint(dy, x, size, stride, down=size)


@task.misconception(2.5)
def overwritten(dy, x, size, stride):
    return paint(dy, x, size, stride, add=False)


@task.misconception(1.5)
def paid_in_full(dy, x, size, stride):
    return paint(dy, x, size, stride, mode="full")


@task.misconception(1.5)
def first_takes_all(dy, x, size, stride):
    return paint(dy, x, size, stride, mode="first")


@task(0.5)
def separate_windows_without_ties():
    """The maximum of a window gets its dy, every other pixel 0."""
    for size in 2, 3:
        task.agree(max_pool_backward, expected, task.randn(2, 2, 2, 3), task.randn(2, 2, 2 * size, 3 * size), size, size)


@task(0.5)
def the_stride_differs_from_the_size():
    """Windows start at i·stride and j·stride, in both directions; pixels between them get 0."""
    for size, stride in (2, 3), (1, 2):
        dy = task.randn(2, 2, 3 + (size == 1), 3 + (size == 1))
        task.agree(max_pool_backward, expected, dy, task.randn(2, 2, 8, 8), size, stride)


@task(0.5)
def overlapping_windows_add_up():
    """A pixel that wins in two windows gets both gradients: `+=`, not `=`."""
    for size, wide in (3, 8), (4, 7):
        dy = task.randn(2, 2, 1, wide - size + 1)
        task.agree(max_pool_backward, expected, dy, task.randn(2, 2, size, wide), size, 1)


@task(0.5)
def ties_share_equally():
    """Divide by the number of winners: the window's dy is given out once, not once for each winner."""
    for x in [[2.0, 2, 0, 1], [0, 2, 1, 1]], [[0.0, 0, 3, 1], [0, 0, 2, 3]]:
        task.agree(max_pool_backward, expected, 1 + task.randn(1, 1, 1, 2).square(), torch.tensor([[x]]), 2, 2)


@task(0.5, needs="ties_share_equally")
def tidiness():
    task.tidy(max_pool_backward, task.randn(2, 2, 2, 2), task.randn(2, 2, 4, 4), 2, 2)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Make each sentence of the task into one tiny input: two windows that overlap; stride 3 with size 2; a window of equal
# pixels; a float64 image.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Run `faulty` on each input and compare with what the sentence promises, by hand. Mend one line at a time.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# dx like x, all zero; for each window: where it starts (both directions!), who wins, how many win; *add* each winner's
# share to dx.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *The gradients of a window sum to more than its `dy`:* ties were paid in full.
# - *`float32` comes out of a `float64` image:* the result was not made like x.
#
# </details>
#
# **Go further** (no points). `torch.nn.functional.max_pool2d` gives a tie to one pixel only. Which is better for training,
# and can you show it?

# %% [markdown]
# ## 7 · A classifier for raw pixels
#
# ●●○○○ · 15 minutes · {{points}}
#
# *Why it matters:* most bugs of a network's deployment sit before its first layer: other axes, another normalization. Fold both
# into the weights, and none of it can be forgotten.
#
# **Task.** A fully connected layer was trained elsewhere, on images (height, width, channels), each channel normalized to
# (pixel − mean)/std, then flattened in that order. Return weight and bias of the layer that gives the same outputs on *raw* images
# (channels, height, width), flattened in *that* order. `weight` is (outputs, height·width·channels), `mean` and `std` (channels), `size` is
# (height, width); `bias` (outputs) is `None` for a layer without bias.
#
# Example: size (2, 2), two channels, weight $(2, 3, 4, 9, 6, 0, 8, 6)$, bias 1, mean $(1, 2)$, std $(2, 3)$: weight
# $(1, 2, 3, 4, 1, 3, 0, 2)$ and bias $1 - (1 + 2 + 3 + 4)\cdot1 - (1 + 3 + 0 + 2)\cdot2 = -21$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** In the example, which pixel and which channel does the 9 belong to?
#
# <details><summary>Answer</summary>
#
# The second pixel of the first row, the second channel: in (height, width, channels) the channels of a pixel stand side by side.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "fold_into_layer", "locked": false, "schema_version": 3, "solution": true}
def fold_into_layer(
    weight: torch.Tensor,
    mean: torch.Tensor,
    std: torch.Tensor,
    size: tuple[int, int],
    bias: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """weight (outputs, height·width·channels), mean and std (channels), bias (outputs): the new weight and bias."""
    ### BEGIN SOLUTION
    scaled = weight.view(len(weight), *size, len(mean)) / std
    shift = (scaled * mean).sum((1, 2, 3))
    return scaled.permute(0, 3, 1, 2).flatten(1), -shift if bias is None else bias - shift
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "fold_into_layer-check", "locked": true, "points": 2.5, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F

from proctor.marking import Task

task = Task("fold_into_layer", points=2.5, read="formulas/cnn_layers#the-fully-connected-layer", misconceptions={
    "old_order": "the weights stand in the old order, pixel by pixel: the new layer reads channel by channel",
    "read_as_channels_first": "the old weights were read as (channels, height, width): the channel is their last axis",
    "turned": "height and width were exchanged on the way: the new order is channels, height, width",
    "times_std": "the weight was multiplied by std: the pixel is divided by it, so divide",
    "bias_kept": "the bias is as it was: a constant −mean/std, times its weight, belongs to it for each pixel",
    "bias_raised": "the bias moved the wrong way: the mean is subtracted",
    "mean_not_scaled": "the bias was lowered by weight·mean: the mean is divided by std too",
})


@task(0.5)
def the_worked_example():
    """The same outputs on raw pixels: what multiplies x is the weight, what remains is the bias."""
    weight, bias = torch.tensor([[2.0, 3.0, 4.0, 9.0, 6.0, 0.0, 8.0, 6.0]]), torch.tensor([1.0])
    new, shifted = fold_into_layer(weight, torch.tensor([1.0, 2.0]), torch.tensor([2.0, 3.0]), (2, 2), bias)
    task.equal(new, [[1.0, 2.0, 3.0, 4.0, 1.0, 3.0, 0.0, 2.0]], {
        "old_order": [[1.0, 1.0, 2.0, 3.0, 3.0, 0.0, 4.0, 2.0]],
        "read_as_channels_first": [[1.0, 1.5, 2.0, 4.5, 2.0, 0.0, 8 / 3, 2.0]],
        "turned": [[1.0, 3.0, 2.0, 4.0, 1.0, 0.0, 3.0, 2.0]],
        "times_std": [[4.0, 8.0, 12.0, 16.0, 9.0, 27.0, 0.0, 18.0]]}, name="weight")
    task.equal(shifted, [-21.0], {"bias_kept": [1.0], "bias_raised": [23.0], "mean_not_scaled": [-55.0]}, name="bias")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(weight, mean, std, size, bias=None):
    """What the old layer answers to a black image, and to one bright pixel after another."""
    channels, outputs = len(mean), len(weight)
    old = torch.zeros(outputs, dtype=torch.float64) if bias is None else bias.double()

    def answer(raw):
        normal = (raw.permute(0, 2, 3, 1) - mean.double()) / std.double()
        return F.linear(normal.flatten(1), weight.double(), old)

    number = channels * size[0] * size[1]
    black = answer(torch.zeros(1, channels, *size, dtype=torch.float64))[0]
    bright = answer(torch.eye(number, dtype=torch.float64).view(number, channels, *size))
    return (bright - black).T, black


def old_bias(weight, bias):
    return weight.double().new_zeros(len(weight)) if bias is None else bias.double()


@task.misconception(1)
def old_order(weight, mean, std, size, bias=None):
    return (weight.double().unflatten(1, (-1, len(mean))) / std).flatten(1), expected(weight, mean, std, size, bias)[1]


@task.misconception(0)
def read_as_channels_first(weight, mean, std, size, bias=None):
    scaled = weight.double().unflatten(1, (len(mean), -1)) / std[:, None]
    return scaled.flatten(1), old_bias(weight, bias) - (scaled * mean[:, None]).sum((1, 2))


@task.misconception(1)
def turned(weight, mean, std, size, bias=None):
    scaled = weight.double().unflatten(1, (*size, len(mean))) / std
    return scaled.transpose(1, 3).flatten(1), expected(weight, mean, std, size, bias)[1]


@task.misconception(0)
def times_std(weight, mean, std, size, bias=None):
    return expected(weight, mean, 1 / std.double(), size, bias)


@task.misconception(1)
def bias_kept(weight, mean, std, size, bias=None):
    return expected(weight, mean, std, size, bias)[0], old_bias(weight, bias)


@task.misconception(1)
def bias_raised(weight, mean, std, size, bias=None):
    return expected(weight, -mean, std, size, bias)


@task.misconception(1)
def mean_not_scaled(weight, mean, std, size, bias=None):
    moved = (weight.double().unflatten(1, (-1, len(mean))) * mean).sum((1, 2))
    return expected(weight, mean, std, size, bias)[0], old_bias(weight, bias) - moved


def layer(outputs, channels, size):
    weight = task.randn(outputs, size[0] * size[1] * channels)
    return weight, 1 + task.randn(channels), 0.5 + task.randn(channels).abs(), size


NAMES = "weight", "bias"


@task(0.5)
def the_weight():
    """Divide each weight by its channel's std, then bring the axes to (channels, height, width)."""
    for channels, size in (3, (2, 4)), (2, (3, 2)):
        task.agree(fold_into_layer, expected, *layer(5, channels, size), task.randn(5), name=NAMES, parts=(0,), tolerance=1e-3)


@task(0.5)
def the_bias():
    """Every pixel of a channel lowers the bias by its new weight times the channel's mean."""
    for channels, size in (3, (2, 4)), (2, (3, 2)):
        task.agree(fold_into_layer, expected, *layer(5, channels, size), task.randn(5), name=NAMES, parts=(1,), tolerance=1e-3)


@task(0.5, needs="the_bias")
def a_layer_without_bias():
    """The old layer had no bias, the new one needs it: it begins at 0."""
    task.agree(fold_into_layer, expected, *layer(4, 3, (3, 2)), name=NAMES, parts=(1,), tolerance=1e-3)


@task(0.5, needs="the_weight")
def tidiness():
    task.tidy(fold_into_layer, *layer(4, 3, (2, 3)), task.randn(4))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# What does the layer do to *one* pixel? $w\,(x - \text{mean})/\text{std}$ is a number times $x$, plus a number. Where do the
# two go?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# See each row of the weight as an image (height, width, channels). Then `std` and `mean` fit its last axis, and one
# `permute` brings it into the new order.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# W ← weight as (outputs, height, width, channels), divided by std; shift ← Σ over each W·mean; new weight ← W with axes
# (outputs, channels, height, width), flattened; new bias ← bias (or 0) − shift.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for one channel only:* with one channel both orders are the same.
#
# </details>
#
# **Go further** (no points). The first layer is a convolution with padding, and the normalization is folded into it. Why do
# its answers change at the border, and with what would you have to pad?
