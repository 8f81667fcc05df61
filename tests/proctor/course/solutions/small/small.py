# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # A small assignment
#
# {{total}} points, about {{minutes}} minutes. It has one exercise of every kind: a function, two functions, a training, a text.

# %%
import torch
import torch.nn.functional as F

# %% [markdown]
# ## 1 · Pooling that measures energy
#
# ●●○○○ · 15 minutes · {{points}}
#
# *Why it matters:* max pooling remembers one pixel of a window; energy pooling hears all of them.
#
# **Task.** Return the *root mean square* of every window: square, average, take the root. `size` is the window's side, `stride` its step
# (`None` means `size`). `padding` puts that many cells around the image, but a padded cell is no pixel: it counts neither in the sum nor in the number.
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

# %% nbgrader={"grade": true, "grade_id": "rms_pool-check", "locked": true, "points": 5, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
import torch.nn.functional as F
from proctor.marking import Task

task = Task("rms_pool", points=5, read="formulas/cnn_layers#pooling", misconceptions={
    "no_mean": "this is the root of the sum: divide by the number of pixels before the root",
    "no_root": "this is the mean of the squares: the root is missing",
    "padding_counts": "the padding was counted: divide by the number of real pixels, not by size²",
    "stride_ignored": "the stride is ignored: windows start every `stride` pixels, not every `size`",
})


@task(0.5)
def the_worked_example():
    """Square first, then average over the window, and take the root last."""
    x = torch.tensor([[[[3.0, 4.0], [0.0, 0.0]]]])
    task.equal(rms_pool(x, 2), [[[[2.5]]]], {"no_mean": 5.0, "no_root": 6.25})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(x, size, stride=None, padding=0, count=False):
    x = x.double().square()
    return F.avg_pool2d(x, size, stride, padding, count_include_pad=count).sqrt()


@task.misconception(0)
def no_mean(x, size, stride=None, padding=0):
    return expected(x, size, stride, padding) * size


@task.misconception(0)
def no_root(x, size, stride=None, padding=0):
    return expected(x, size, stride, padding) ** 2


@task.misconception(3)
def padding_counts(x, size, stride=None, padding=0):
    return expected(x, size, stride, padding, count=True)


@task.misconception(0.5)
def stride_ignored(x, size, stride=None, padding=0):
    return expected(x, size, None, padding)


@task(1.5)
def any_size_and_stride():
    """Window (i, j) starts at row i·stride and column j·stride, and rows and columns may differ in number."""
    for size, stride in (2, None), (3, 2), (2, 3), (3, 1):
        task.agree(rms_pool, expected, task.randn(2, 3, 7, task.randint(8, 10)), size, stride)


@task(1, needs="any_size_and_stride")
def a_padded_cell_is_no_pixel():
    """Pad with zeros, and divide by the number of real pixels under each window."""
    for size, stride in (3, 1), (3, 2), (4, 3):
        task.agree(rms_pool, expected, task.randn(2, 2, 8, 9), size, stride, 1)


@task(1, needs="any_size_and_stride")
def a_black_window_has_a_finite_gradient():
    """The root's slope at 0 is infinite, and infinity times 0 is nan: keep zeros away from the root."""
    x = task.randn(1, 1, 4, 4)
    x[..., :2, :2] = 0
    task.equal(rms_pool(x, 2)[0, 0, 0, 0], 0.0, name="the black window", tolerance=1e-3)
    task.equal(task.gradient(rms_pool, x, 2)[0, 0, :2, :2], torch.zeros(2, 2), name="its gradient", tolerance=1e-3)


@task(1, needs="any_size_and_stride")
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
# `Tensor.unfold(dimension, size, step)` shows all windows along one dimension as a new last one.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# squares ← windows of padded x², summed; pixels ← windows of padded ones, summed; mean ← squares / pixels.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
#
# </details>
#
# **Go further** (no points). For which inputs does this pooling equal max pooling?

# %% [markdown]
# ## 2 · There and back
#
# ●○○○○ · 10 minutes · {{points}}
#
# *Why it matters:* a network is fed standardized columns, and its predictions must come back in the old units.
#
# **Task.** `standardize` returns the columns of `x` with mean 0 and standard deviation 1 (divisor n), and these means and
# deviations; a constant column becomes zeros, its deviation counts as 1. `restore` undoes it.
#
# Example: the column $(1, 3)$ becomes $(-1, 1)$, with mean 2 and deviation 1.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Which columns survive `standardize` unchanged?
#
# <details><summary>Answer</summary>
#
# Those with mean 0 and deviation 1.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "standardize", "locked": false, "schema_version": 3, "solution": true}
def standardize(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """(rows, columns) to the same, and the mean and the deviation of each column, (columns)."""
    ### BEGIN SOLUTION
    mean, deviation = x.mean(0), x.std(0, correction=0)
    deviation = deviation.masked_fill(deviation == 0, 1)
    return (x - mean) / deviation, mean, deviation
    ### END SOLUTION


def restore(z: torch.Tensor, mean: torch.Tensor, deviation: torch.Tensor) -> torch.Tensor:
    """The columns in their old units."""
    ### BEGIN SOLUTION
    return z * deviation + mean
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "standardize-check", "locked": true, "points": 5, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
from proctor.marking import Task

task = Task("standardize", "restore", points=5, read="formulas/linear_regression#many-predictors", misconceptions={
    "sample_deviation": "the deviation has the divisor n − 1; the task says n",
    "constant_is_nan": "a constant column was divided by 0",
    "all_together": "one mean and deviation for the whole table: each column has its own",
    "mean_first": "the mean was added before multiplying: undo the last step first",
})


@task(0.5)
def there_by_hand():
    """(1, 3): mean 2, deviation 1."""
    z, mean, deviation = standardize(torch.tensor([[1.0], [3.0]]))
    task.equal(z, [[-1.0], [1.0]], {"sample_deviation": [[-(0.5**0.5)], [0.5**0.5]]}, name="z")
    task.equal(mean, [2.0], name="mean")
    task.equal(deviation, [1.0], name="deviation")


@task(0.5)
def back_by_hand():
    """−1 and 1, times 3, plus 2."""
    z = torch.tensor([[-1.0], [1.0]])
    task.equal(restore(z, torch.tensor([2.0]), torch.tensor([3.0])), [[-1.0], [5.0]], {"mean_first": [[3.0], [9.0]]})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(x, correction=0):
    mean, deviation = x.mean(0), x.std(0, correction=correction)
    deviation = deviation + (deviation == 0)
    return (x - mean) / deviation, mean, deviation


@task.misconception(2)
def sample_deviation(x):
    return expected(x, correction=1)


@task.misconception(4)
def constant_is_nan(x):
    return (x - x.mean(0)) / x.std(0, correction=0), x.mean(0), x.std(0, correction=0)


@task.misconception(2.5)
def all_together(x):
    return (x - x.mean()) / x.std(correction=0), x.mean().expand(x.shape[1]), x.std(correction=0).expand(x.shape[1])


@task.misconception(3, of="restore")
def mean_first(z, mean, deviation):
    return (z + mean) * deviation


@task(1.5)
def any_table():
    """Each column by its own mean and deviation."""
    for columns in 2, 4:
        task.agree(standardize, expected, 5 + 2 * task.randn(6, columns), name=("z", "mean", "deviation"))


@task(1, needs="any_table")
def a_constant_column():
    """Its deviation is 0: divide by 1."""
    x = task.randn(6, 3)
    x[:, 1] = 7
    task.agree(standardize, expected, x, name=("z", "mean", "deviation"))


@task(1)
def any_way_back():
    """z · deviation + mean."""
    z, mean, deviation = task.randn(5, 3), task.randn(3), task.randn(3).exp()
    task.agree(restore, z * deviation + mean, z, mean, deviation)


@task(0.5, needs="any_way_back")
def tidiness():
    task.tidy(standardize, task.randn(4, 2))
    task.tidy(restore, task.randn(4, 2), task.randn(2), task.randn(2).exp())
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Which of the two numbers was used last on the way there?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# `std` takes `correction`.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# mean, deviation of each column; zeros of the deviation become ones; subtract, divide; multiply, add.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
#
# </details>
#
# **Go further** (no points). What becomes of a column with one outlier?

# %% [markdown]
# ## 3 · A classifier that you train
#
# ●●●○○ · 20 minutes · {{points}}
#
# *Why it matters:* the smallest network that learns.
#
# **Task.** Train a logistic regression on `x`, shape (rows, 2), and the labels `y`, 0 or 1, by gradient descent; return the
# labels, integers, of `x_new`. The two classes are round clouds.
#
# Example: after training on $(0, 0)$ and $(0, 1)$ with label 0, $(4, 4)$ and $(4, 5)$ with label 1, the point $(5, 5)$ gets 1.
#
# *Tested:* {{tested}}. Accuracy must be at least 0.93; ten seeds of the solution reached 0.95 to 0.99.

# %% [markdown]
# **Predict first.** Which line separates the four points best?
#
# <details><summary>Answer</summary>
#
# One halfway between the pairs.
#
# </details>

# %% nbgrader={"grade": false, "grade_id": "classify", "locked": false, "schema_version": 3, "solution": true}
def classify(x: torch.Tensor, y: torch.Tensor, x_new: torch.Tensor) -> torch.Tensor:
    """x (rows, 2), y (rows) of 0 and 1, x_new (points, 2): the labels of x_new, (points)."""
    ### BEGIN SOLUTION
    weight, bias = x.new_zeros(2), x.new_zeros(())
    center = x.mean(0)
    for _ in range(300):
        error = ((x - center) @ weight + bias).sigmoid() - y
        weight = weight - 0.5 * (x - center).T @ error / len(x)
        bias = bias - 0.5 * error.mean()
    return ((x_new - center) @ weight + bias > 0).long()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "classify-check", "locked": true, "points": 5, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
from proctor.marking import Task

task = Task("classify", points=5, read="formulas/optimization#gradient-descent", misconceptions={
    "swapped": "the labels are swapped: σ is the probability of 1",
    "probabilities": "a probability came where a label was asked",
    "through_zero": "the line goes through (0, 0): the bias is missing, or was never trained",
})


@task(1, seconds=5)
def four_points():
    """Far from the other class there is no doubt."""
    x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [4.0, 4.0], [4.0, 5.0]])
    new = torch.tensor([[5.0, 5.0], [-1.0, 0.0]])
    task.equal(classify(x, torch.tensor([0, 0, 1, 1]), new), [1, 0], {"swapped": [0, 1]}, name="labels")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def fit(x, y, bias=True):
    A = torch.cat([torch.ones_like(x[:, :1]) * bias, x], 1).double()
    weight = torch.zeros(3).double()
    for _ in range(8):
        p = (A @ weight).sigmoid()
        hessian = A.T @ ((p * (1 - p) + 1e-6)[:, None] * A) + 1e-3 * torch.eye(3).double()
        weight = weight - torch.linalg.solve(hessian, A.T @ (p - y) + 1e-3 * weight)
    return lambda new: (torch.cat([torch.ones_like(new[:, :1]) * bias, new], 1).double() @ weight).sigmoid()


@task.misconception(0)
def swapped(x, y, x_new):
    return (fit(x, y)(x_new) < 0.5).long()


@task.misconception(0)
def probabilities(x, y, x_new):
    return fit(x, y)(x_new)


@task.misconception(1)
def through_zero(x, y, x_new):
    return (fit(x, y, bias=False)(x_new) > 0.5).long()


def share(came, right):
    return (came == right).double().mean()


def clouds(rows, shift):
    y = (torch.arange(rows) % 2).long()
    return task.randn(rows, 2) + 3.5 * y[:, None] * torch.tensor([1.0, 0.5]) + shift, y


@task(2.5, seconds=5)
def two_clouds():
    """Train until it separates them; center x, or the bias learns slowly."""
    for shift in 0.0, 6.0:
        x, y = clouds(200, shift)
        new, right = clouds(400, shift)
        came = torch.as_tensor(classify(x, y, new))
        if ((came != 0) & (came != 1)).any():
            task.agree(classify, right, x, y, new, name="labels")
        task.at_least(share(came, right), 0.93, {
            "through_zero": lambda x=x, y=y, new=new, right=right: share(through_zero(x, y, new), right)}, name="accuracy")


@task(1, needs="two_clouds", seconds=5)
def one_label_is_rare():
    """The bias must follow the share of the labels."""
    x, y = clouds(200, 2.0)
    keep = (y == 0) | (torch.arange(200) % 10 == 1)
    new, right = clouds(400, 2.0)
    task.at_least(share(torch.as_tensor(classify(x[keep], y[keep], new)), right), 0.85, name="accuracy")


@task(0.5, needs="two_clouds", seconds=5)
def tidiness():
    task.tidy(classify, *clouds(20, 0.0), task.randn(3, 2))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# What is the gradient of the loss with respect to the logit?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# It is σ − y. The rest is a loop.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# repeat: error ← σ(x·w + b) − y; w ← w − rate · mean of x·error; b ← b − rate · mean error.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
#
# </details>
#
# **Go further** (no points). Watch the length of the weight if you never stop.

# %% [markdown]
# ## 4 · In your own words
#
# ●●○○○ · 15 minutes · {{points}}
#
# *Why it matters:* who cannot explain it has not understood it.
#
# **Task.** A weather service pools hourly rain over a day by its maximum, its mean, or its root mean square. Name one use for each, in at most
# eight sentences.
#
# Example: for the capacity of a drain, the maximum.
#
# **Rubric.** One point for each use that fits its pooling (3) · says what is lost (1) · eight sentences or fewer (1).

# %% [markdown]
# **Predict first.** Which of the three changes most when one hour is wrong?
#
# <details><summary>Answer</summary>
#
# The maximum.
#
# </details>

# %% [markdown] nbgrader={"grade": true, "grade_id": "explain", "locked": false, "points": 5, "schema_version": 3, "solution": true}
# ### BEGIN SOLUTION
# The maximum sizes a drain, the mean fills a reservoir, the root mean square tells of erosion, which grows with intensity.
# ### END SOLUTION

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Who pays for the worst hour, and who for the sum?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# One use for each.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# Use, pooling, what is lost.
#
# </details>
