# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Linear regression: exercises
#
# {{total}} points, about {{minutes}} minutes. They go with the chapter *Linear regression* and follow its order.
#
# **How it works.** Replace `raise NotImplementedError` by your code, run that cell, then run the check below it. The check
# shows what came, what was expected and the likely cause. The same cell, with more tests, gives the points later; each
# task says what those tests look at, and *tidiness* is the same everywhere: leave the arguments as they were, return
# tensors of the dtype and the device of the input, and cope with an input that is not contiguous.
# Stuck? Open the hints one by one.

# %%
import torch
from scipy.special import stdtrit


def t_quantile(level, degrees):
    """The t with P(-t < T < t) = level, for Student's T with so many degrees of freedom."""
    return float(stdtrit(degrees, (1 + level) / 2))

# %% [markdown]
# ## 1 · Correlations from a table with holes
#
# ●●○○○ · 20 minutes · {{points}}
#
# *Why it matters:* real tables have missing cells. Dropping every row with a hole can leave nothing of a wide table; each
# pair of columns still shares many rows.
#
# **Task.** `X` has shape (batch, rows, columns); a missing cell is `nan`. Return Pearson's correlation of every pair of
# columns, shape (batch, columns, columns). A pair is computed, its means too, from the rows in which *both* columns are
# present. A column that is constant on these rows has no correlation: `nan`.
#
# Example: the columns $(0, 2, 4, 9)$ and $(1, 0, 2, \mathrm{nan})$ share three rows, with means 2 and 1:
# $r = 2/\sqrt{8\cdot 2} = 0.5$, whatever a third column holds.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Can two columns have correlation 1 with a third, and 0 with each other?
#
# <details><summary>Answer</summary>
#
# In a full table, no: both would be straight lines in the third. With holes, yes: the three pairs use different rows.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "correlation_matrix", "locked": false, "schema_version": 3, "solution": true}
def correlation_matrix(X: torch.Tensor) -> torch.Tensor:
    """(batch, rows, columns) with nan for missing cells, to (batch, columns, columns)."""
    ### BEGIN SOLUTION
    here = ~X.isnan()
    both = here[..., :, None] & here[..., None, :]  # (batch, rows, columns, columns)
    lowest = X[..., None].where(both, torch.inf).amin(-3, keepdim=True)  # of column i, on the rows shared with j
    value = (X[..., None] - lowest).where(both, 0)  # a constant is exactly 0 now, and no large mean is left
    mean = value.sum(-3, keepdim=True) / both.sum(-3, keepdim=True)
    away = (value - mean).where(both, 0)
    root = away.square().sum(-3).sqrt()
    return (away * away.mT).sum(-3) / (root * root.mT)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "correlation_matrix-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("correlation_matrix", points=3, read="formulas/linear_regression#correlation", misconceptions={
    "own_means": "a row that only one column has moved the result: its mean and its spread were taken over all its own rows",
    "own_means_only": "a row that only one column has moved the result: its mean was taken over all its own rows",
    "filled": "the holes were filled with 0, which invents data",
    "filled_with_means": "the holes were filled with the column's mean: such a row adds to one spread and nothing to the products",
    "complete_rows": "a hole in a third column cost the pair a row: it only needs its own two columns",
    "covariance": "this is the covariance: divide it by both spreads",
    "two_divisors": "the result is too small by 1 − 1/n: covariance and spreads have different divisors; one, or none, cancels",
    "zero_for_constant": "a constant column got a number: 0/0 is unknown, not 0",
    "rounded_constant": "a constant column agrees with itself: a rounded mean gave it a spread, so compare its smallest and largest",
})


@task(0.5)
def the_worked_example():
    """Keep the rows where both are present, subtract their means, divide the products by the root of both squares."""
    x = torch.tensor([[[0.0, 1.0, 1.0], [2.0, 0.0, 3.0], [4.0, 2.0, torch.nan], [9.0, torch.nan, 5.0]]])
    task.equal(correlation_matrix(x)[0, 0, 1], 0.5, {
        "own_means": 0.2441, "own_means_only": 0.3411, "filled": -0.2930, "filled_with_means": 0.2114,
        "complete_rows": -1, "covariance": 2 / 3, "two_divisors": 1 / 3}, name="r")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def pair(x, y):
    if len(x) < 2 or x.min() == x.max() or y.min() == y.max():
        return torch.nan
    x, y = x - x.mean(), y - y.mean()
    return (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt()


def expected(X, pair=pair):
    X = X.double()
    result = X.new_empty(len(X), X.shape[2], X.shape[2])
    for table, into in zip(X, result):
        for i in range(X.shape[2]):
            for j in range(X.shape[2]):
                shared = ~(table[:, i] + table[:, j]).isnan()
                into[i, j] = pair(table[shared, i], table[shared, j])
    return result


@task.misconception(0)
def own_means(X):
    away = X.double() - X.double().nanmean(1, keepdim=True)
    covariance = (away[..., None] * away[:, :, None]).nanmean(1)
    spread = away.square().nanmean(1).sqrt()
    return covariance / (spread[:, :, None] * spread[:, None])


@task.misconception(0)
def own_means_only(X):
    away = X.double() - X.double().nanmean(1, keepdim=True)
    return expected(away, lambda x, y: (x * y).sum() / (x.square().sum() * y.square().sum()).sqrt())


@task.misconception(0)
def filled(X):
    return expected(X.double().nan_to_num(0.0))


@task.misconception(0)
def filled_with_means(X):
    return expected(X.double().where(~X.isnan(), X.double().nanmean(1, keepdim=True)))


@task.misconception(0)
def covariance(X):
    return expected(X, lambda x, y: (x * y).mean() - x.mean() * y.mean())


@task.misconception(0)
def complete_rows(X):
    whole = [table[~table.isnan().any(1)] for table in X.double()]
    return torch.cat([expected(table[None]) for table in whole])


@task.misconception(0)
def two_divisors(X):
    return expected(X, lambda x, y: pair(x, y) * (len(x) - 1) / len(x))


@task.misconception(2.5)
def zero_for_constant(X):
    return expected(X).nan_to_num(0.0)


@task.misconception(2.5)
def rounded_constant(X):
    return expected(X).where(~expected(X).isnan(), torch.eye(X.shape[2]).double())


def table(columns):
    """A batch of two tables with a hole in about a quarter of the cells."""
    X = task.randn(2, 12, columns)
    X[:, :, 1:] += 0.7 * X[:, :, :1]
    return X.where(task.randn(2, 12, columns) > -0.7, torch.nan)


@task(1)
def every_pair_on_its_own_rows():
    """Three columns, two tables: each pair has its own rows, its own means and its own spreads."""
    for columns in 2, 3, 5:
        task.agree(correlation_matrix, expected, table(columns), tolerance=1e-3)


@task(0.5, needs="every_pair_on_its_own_rows")
def a_constant_column():
    """A column without spread has no correlation: nan, also with itself, and though the mean of seven 0.1 is rounded."""
    for X, value in (table(3), 2.0), (task.randn(1, 7, 3), 0.1):
        X[:, :, 1] = value
        task.agree(correlation_matrix, expected, X, tolerance=1e-3)


@task(0.5, needs="every_pair_on_its_own_rows")
def a_mean_far_from_zero():
    """Σxy − n·x̄·ȳ is the difference of two huge numbers: subtract the means before you multiply."""
    task.agree(correlation_matrix, expected, (table(3) + 4096).double().float(), tolerance=5e-3)


@task(0.5, needs="every_pair_on_its_own_rows")
def tidiness():
    task.tidy(correlation_matrix, table(3))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Which rows do columns 3 and 5 share? Once you have their mask, the formula of the chapter needs nothing but masked sums.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Two loops over columns are fine. Without loops: the mask of all pairs has shape (batch, rows, columns, columns), and so
# have the deviations: column i, minus its mean on the rows shared with j.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# both ← present i and present j; low ← smallest of i over both; x ← x − low, so that a constant is exactly 0 and a large
# mean does no harm; mean of x over both; away ← x − mean, 0 where not both; r ← Σ away_i·away_j ÷ (root of Σ away_i² ·
# root of Σ away_j²).
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Everything is* `nan`: a `nan` times 0 is still `nan`; put 0 in its place with `where` before you sum.
#
# </details>
#
# **Go further** (no points). Find a table with holes whose correlation matrix has a negative eigenvalue. What would go
# wrong if you gave it to a method that expects a covariance?

# %% [markdown]
# ## 2 · One line from two archives
#
# ●●○○○ · 20 minutes · {{points}}
#
# *Why it matters:* hospitals and companies may publish summaries, not rows. Least squares needs no more than sums, and sums
# can be added.
#
# **Task.** Each row of `groups`, shape (groups, 6), describes data you never see: $n$, $\bar x$, $\bar y$, $s_x$, $s_y$, $r$; the
# standard deviations have the divisor $n - 1$. Where a group is a single point, or constant in x or y, the $s$ concerned
# and $r$ are 0, not `nan`. Return the `intercept` and the `slope` of the least-squares line through *all* points
# together.
#
# Example: (0, 5), (2, 7) is the row $(2, 1, 6, \sqrt2, \sqrt2, 1)$; (4, 1), (6, 0), (8, 2) is $(3, 6, 1, 2, 1, 0.5)$. Around the
# common means, 4 and 3, $S_{xx} = 40$ and $S_{xy} = -26$: slope $-0.65$, intercept $3 + 0.65\cdot4 = 5.6$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** The two groups of the example rise, with slopes 1 and 0.25. How can the line through all points fall?
#
# <details><summary>Answer</summary>
#
# The group with the larger x has the smaller y: between the groups the slope is −1, and most of the spread of x is there.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "merge_lines", "locked": false, "schema_version": 3, "solution": true}
def merge_lines(groups: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """(groups, 6): n, mean of x, mean of y, s_x, s_y, r; returns intercept and slope, two scalars."""
    ### BEGIN SOLUTION
    n, x, y, s_x, s_y, r = groups.unbind(1)
    mean_x, mean_y = (n * x).sum() / n.sum(), (n * y).sum() / n.sum()
    within_xy, within_xx = (n - 1) * r * s_x * s_y, (n - 1) * s_x**2
    between_xy, between_xx = n * (x - mean_x) * (y - mean_y), n * (x - mean_x) ** 2
    slope = (within_xy + between_xy).sum() / (within_xx + between_xx).sum()
    return mean_y - slope * mean_x, slope
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "merge_lines-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("merge_lines", points=3, read="formulas/linear_regression#the-straight-line", misconceptions={
    "average_of_slopes": "the slopes of the groups were averaged: add sums, not slopes, for there is a slope between groups too",
    "within_only": "the spread between the groups is missing: n·(x̄ − mean)² of each group belongs to the sum of squares",
    "between_without_n": "the spread between the groups weighs too little: each of a group's n points is that far from the mean",
    "divisor_n": "the spread within the groups weighs too much: with the divisor n − 1, the sum of squares is (n − 1)·s²",
    "plain_means": "the groups' means were averaged without their sizes",
    "r_as_covariance": "a correlation was added to sums of products: the covariance is r·s_x·s_y",
    "spread_of_y": "the spread of y came into the denominator: the slope of y on x divides by that of x",
    "swapped": "the two came in the other order: intercept first, then slope",
    "divided_by_s": "a group of one point spoiled the sums: 0/0 is nan, so form r·s_x·s_y without dividing by s_x",
})


@task(0.5)
def the_worked_example():
    """Add up the groups' sums of products and of squares, within and between, then divide."""
    groups = torch.tensor([[2.0, 1.0, 6.0, 2**0.5, 2**0.5, 1.0], [3.0, 6.0, 1.0, 2.0, 1.0, 0.5]])
    intercept, slope = merge_lines(groups)
    task.equal(slope, -0.65, {
        "average_of_slopes": 0.55, "within_only": 0.4, "between_without_n": -9 / 23, "divisor_n": -0.5,
        "plain_means": -0.6606, "r_as_covariance": -0.7, "spread_of_y": -26 / 34, "swapped": 5.6}, name="slope")
    task.equal(intercept, 5.6, name="intercept")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def line(n, x, y, xy, xx, share=None, between=None):
    share = n / n.sum() if share is None else share
    mean_x, mean_y = (share * x).sum(), (share * y).sum()
    between = n if between is None else between
    slope = (xy + between * (x - mean_x) * (y - mean_y)).sum() / (xx + between * (x - mean_x) ** 2).sum()
    return mean_y - slope * mean_x, slope


@task.misconception(0.5)
def average_of_slopes(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    slope = (n * r * s_y / s_x).sum() / n.sum()
    return (n * (y - slope * x)).sum() / n.sum(), slope


@task.misconception(0.5)
def within_only(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    slope = ((n - 1) * r * s_x * s_y).sum() / ((n - 1) * s_x**2).sum()
    return (n * (y - slope * x)).sum() / n.sum(), slope


@task.misconception(0.5)
def between_without_n(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    return line(n, x, y, (n - 1) * r * s_x * s_y, (n - 1) * s_x**2, between=n / n)


@task.misconception(0.5)
def divisor_n(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    return line(n, x, y, n * r * s_x * s_y, n * s_x**2)


@task.misconception(0.5)
def plain_means(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    return line(n, x, y, (n - 1) * r * s_x * s_y, (n - 1) * s_x**2, share=1 / len(n))


@task.misconception(0)
def r_as_covariance(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    return line(n, x, y, (n - 1) * r, (n - 1) * s_x**2)


@task.misconception(0)
def spread_of_y(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    _, slope = line(n, y, x, (n - 1) * r * s_x * s_y, (n - 1) * s_y**2)
    return (n * (y - slope * x)).sum() / n.sum(), slope


@task.misconception(0)
def swapped(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    return line(n, x, y, (n - 1) * r * s_x * s_y, (n - 1) * s_x**2)[::-1]


@task.misconception(2.5)
def divided_by_s(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    squares = (n - 1) * s_x**2
    return line(n, x, y, squares * (r * s_y / s_x), squares)


def points_and_summary(sizes, still=None):
    """Data of several groups, and the row that describes each; the first may stand still in x (0) or y (1)."""
    data, rows = [], []
    for number, size in enumerate(sizes):
        x = task.randn(size).double() * (1 + number) + 3 * number
        y = 2 * x - 5 * number + task.randn(size)
        pair = torch.stack([x, y])
        if number == 0 and still is not None:
            pair[still] = pair[still, 0].round()
        data.append(pair)
        rows.append(torch.stack([torch.tensor(float(size)).double(), *pair.mean(1), *pair.std(1), pair.corrcoef()[0, 1]]))
    return torch.cat(data, 1), torch.stack(rows).nan_to_num(0.0).float()


def fit(data):
    x, y = data
    return tuple(torch.linalg.lstsq(torch.stack([torch.ones_like(x), x], 1), y[:, None]).solution[:, 0])


@task(1)
def groups_of_any_size():
    """The merged line is the least-squares line of all rows: compute it from rows of your own and compare."""
    for sizes in (5, 40), (30, 4, 11), (8, 8, 8, 9):
        data, groups = points_and_summary(sizes)
        task.agree(merge_lines, fit(data), groups, name=("intercept", "slope"), tolerance=1e-3)


@task(0.5, needs="groups_of_any_size")
def a_single_point_or_a_constant_group():
    """Where s and r are 0 there is nothing within the group: what is between the groups counts all the same."""
    for sizes, still in ((1, 7, 1), None), ((6, 4), 0), ((6, 4), 1):
        data, groups = points_and_summary(sizes, still)
        task.agree(merge_lines, fit(data), groups, name=("intercept", "slope"), tolerance=1e-3)


@task(0.5)
def one_group_alone():
    """With one group the slope is r·s_y/s_x: (n − 1) cancels, and there is nothing between groups."""
    data, groups = points_and_summary((9,))
    task.agree(merge_lines, fit(data), groups, name=("intercept", "slope"), tolerance=1e-3)


@task(0.5, needs="groups_of_any_size")
def tidiness():
    task.tidy(merge_lines, points_and_summary((5, 7))[1])
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# The slope is $S_{xy}/S_{xx}$ around the *common* mean. What is $\sum (x_i - c)^2$ of one group, if $c$ is not its own mean?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# $\sum (x_i - c)^2 = (n-1)s_x^2 + n(\bar x - c)^2$, and the same for products. Add these over the groups.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# common means, weighted by n; S_xy ← Σ (n − 1)·r·s_x·s_y + n·(x̄ − mean_x)·(ȳ − mean_y); S_xx likewise; slope ← S_xy/S_xx;
# the line passes through the common means.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for equal groups only:* a mean was taken without the sizes.
#
# </details>
#
# **Go further** (no points). Which of these can be had from the same rows, and how: the standard error of the slope
# through all points; a test whether the groups share one line; Spearman's correlation?

# %% [markdown]
# ## 3 · Four bugs in a weighted fit
#
# ●●●●○ · 25 minutes · {{points}}
#
# *Why it matters:* a wrong standard error looks like any other number. Only a case whose answer you know can tell.
#
# **Task.** Row $i$ has variance $\sigma^2/w_i$. `faulty` should return the coefficients (intercept first) that minimize
# $\sum w_i(y_i - \hat y_i)^2$, their standard errors, and $R^2$, the share by which the line lowers that sum below its
# value for the best constant. It has four bugs; one of them stands in two places, so that five edits mend it. Write
# `weighted_report`, which returns what `faulty` should. Shapes: `X` (rows, features), `y` and `weights` (rows).
#
# Example: $x = (0, 1, 2)$, $y = (0, 1, 5)$, weights $(2, 4, 2)$: coefficients $(-0.75, 2.5)$, residuals $(0.75, -0.75, 0.75)$,
# weighted squares 4.5 with one degree of freedom, standard errors $(\sqrt{1.6875}, \sqrt{1.125})$, $R^2 = 1 - 4.5/29.5$.
#
# *Tested:* {{tested}}.

# %% nbgrader={"grade": false, "grade_id": "weighted_report-given", "locked": true, "schema_version": 3, "solution": false}
def faulty(X, y, weights):
    A = torch.cat([torch.ones_like(X[:, :1]), X], 1)
    gram = A.T @ (weights[:, None] ** 2 * A)
    coefficients = torch.linalg.solve(gram, A.T @ (weights**2 * y))
    squared = weights * (y - A @ coefficients) ** 2
    variance = squared.sum() / (len(X) - X.shape[1])
    errors = (variance / gram.diagonal()).sqrt()
    r2 = 1 - squared.sum() / (weights * (y - y.mean()) ** 2).sum()
    return coefficients, errors, r2

# %% [markdown]
# **Predict first.** All weights are 1. Which of the four bugs still show?
#
# <details><summary>Answer</summary>
#
# Two. The other two are about weights, and hide when all are equal.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "weighted_report", "locked": false, "schema_version": 3, "solution": true}
def weighted_report(
    X: torch.Tensor, y: torch.Tensor, weights: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Coefficients (features + 1), their standard errors (features + 1), and R², a scalar."""
    ### BEGIN SOLUTION
    A = torch.cat([torch.ones_like(X[:, :1]), X], 1)
    root = weights.sqrt()
    Q, R = torch.linalg.qr(root[:, None] * A)
    coefficients = torch.linalg.solve_triangular(R, Q.T @ (root * y)[:, None], upper=True)[:, 0]
    squared = (weights * (y - A @ coefficients) ** 2).sum()
    inverse = torch.linalg.solve_triangular(R, torch.eye(len(R), dtype=X.dtype, device=X.device), upper=True)
    errors = (squared / (len(X) - A.shape[1])).sqrt() * inverse.norm(dim=1)  # (AᵀWA)⁻¹ = R⁻¹R⁻ᵀ
    middle = (weights * y).sum() / weights.sum()
    return coefficients, errors, 1 - squared / (weights * (y - middle) ** 2).sum()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "weighted_report-check", "locked": true, "points": 4, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("weighted_report", points=4, read="formulas/linear_regression#many-predictors", misconceptions={
    "pulls_too_much": "a row of weight 2 pulls at the coefficients like the same row written four times: twice would be right",
    "too_sure_with_few_rows": "the standard errors are too small, most of all when there are few rows",
    "blind_to_alike_columns": "the standard errors do not grow when two columns become alike, though their effects can then hardly be told apart",
    "moved_by_weightless_rows": "the coefficients forget a row of weight almost 0 wherever it moves, and R² does not",
    "unweighted": "the weights change nothing",
    "weights_counted": "the standard errors shrink when every weight is doubled: only the ratios of weights mean anything",
    "variances": "these are variances: a standard error has the unit of its coefficient",
    "still_faulty": "this is what `faulty` gives",
})


@task(0.5)
def the_worked_example():
    """Go through the example by hand; the first number that differs tells which line of yours to read."""
    x, y = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([0.0, 1.0, 5.0])
    coefficients, errors, r2 = weighted_report(x, y, torch.tensor([2.0, 4.0, 2.0]))
    task.equal(coefficients, [-0.75, 2.5], {
        "pulls_too_much": [-1, 2.5], "unweighted": [-0.5, 2.5], "still_faulty": [-1, 2.5]}, name="coefficients")
    task.equal(errors, [1.6875**0.5, 1.125**0.5], {
        "too_sure_with_few_rows": [0.84375**0.5, 0.5625**0.5], "blind_to_alike_columns": [0.5625**0.5, 0.375**0.5],
        "weights_counted": [0.28125**0.5, 0.1875**0.5], "variances": [1.6875, 1.125]}, name="standard errors")
    task.equal(r2, 1 - 4.5 / 29.5, {"moved_by_weightless_rows": 1 - 4.5 / 30}, name="R²")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(X, y, weights, power=1, rows=None, lost=0, own=False, plain=False):
    X, y, weights = X.double(), y.double(), weights.double()
    A = torch.cat([torch.ones_like(X[:, :1]), X], 1)
    gram = A.T @ (weights[:, None] ** power * A)
    coefficients = torch.linalg.solve(gram, A.T @ (weights**power * y))
    squared = (weights * (y - A @ coefficients) ** 2).sum()
    diagonal = 1 / gram.diagonal() if own else gram.inverse().diagonal()
    middle = y.mean() if plain else (weights * y).sum() / weights.sum()
    rows = len(X) if rows is None else rows
    errors = (squared / (rows - A.shape[1] + lost) * diagonal).sqrt()
    return coefficients, errors, 1 - squared / (weights * (y - middle) ** 2).sum()


@task.misconception(0)
def pulls_too_much(X, y, weights):
    return expected(X, y, weights, power=2)


@task.misconception(2.5)
def too_sure_with_few_rows(X, y, weights):
    return expected(X, y, weights, lost=1)


@task.misconception(2.5)
def blind_to_alike_columns(X, y, weights):
    return expected(X, y, weights, own=True)


@task.misconception(3)
def moved_by_weightless_rows(X, y, weights):
    return expected(X, y, weights, plain=True)


@task.misconception(0)
def unweighted(X, y, weights):
    return expected(X, y, weights / weights)


@task.misconception(2)
def weights_counted(X, y, weights):
    return expected(X, y, weights, rows=weights.double().sum())


@task.misconception(2.5)
def variances(X, y, weights):
    coefficients, errors, r2 = expected(X, y, weights)
    return coefficients, errors**2, r2


@task.misconception(0)
def still_faulty(X, y, weights):
    return expected(X, y, weights, power=2, lost=1, own=True, plain=True)


NAMES = "coefficients", "standard errors", "R²"


def example(rows=14, features=3):
    X = task.randn(rows, features) + task.randn(rows, 1) + 2
    weights = task.randn(rows).exp()
    return X, X.sum(1) + 2 * weights.log() + 2 * task.randn(rows), weights


@task(1)
def the_coefficients():
    """Multiply each row of the design and of y by the root of its weight, then solve ordinary least squares."""
    for features in 1, 3:
        task.agree(weighted_report, expected, *example(features=features), name=NAMES, parts=(0,), tolerance=1e-3)


@task(1, needs="the_coefficients")
def the_standard_errors():
    """σ² estimated from the weighted squares, times the diagonal of (AᵀWA)⁻¹."""
    for features in 1, 3:
        task.agree(weighted_report, expected, *example(features=features), name=NAMES, parts=(1,), tolerance=1e-3)


@task(0.5, needs="the_coefficients")
def r_squared():
    """1 − the weighted squares left by the line / those left by the weighted mean."""
    task.agree(weighted_report, expected, *example(), name=NAMES, parts=(2,), tolerance=1e-3)


@task(0.5, needs="the_coefficients")
def only_the_ratio_of_weights_matters():
    """All weights times 7 change none of the three: σ² absorbs the unit."""
    X, y, weights = example()
    once = weighted_report(X, y, weights)
    for name, one, seven in zip(NAMES, once, weighted_report(X, y, 7 * weights)):
        task.equal(seven, one, name=f"with all weights times 7, {name}", tolerance=1e-3)


@task(0.5, needs="the_coefficients")
def tidiness():
    task.tidy(weighted_report, *example())
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Make cases whose answer you know. All weights equal: ordinary least squares. One weight 2 against the same row written
# twice: the same coefficients and $R^2$ (not the same errors, see below). All weights doubled: nothing changes. A row of
# weight almost 0, moved far away: nothing changes. Two features almost alike: large errors.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Write each quantity of the task as a formula, in order: the minimized sum, the estimate of σ², the covariance of the
# coefficients, the best constant. Then read `faulty` line by line beside it.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# A ← ones beside X; solve AᵀWA β = AᵀWy; squares ← Σ w·residual²; σ² ← squares ÷ (rows − columns of A); errors ← root of σ² ·
# diagonal of (AᵀWA)⁻¹; R² ← 1 − squares ÷ Σ w·(y − weighted mean)².
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right errors for centered features that do not go together, else not:* what do they know of the other columns?
#
# </details>
#
# **Go further** (no points). A weight of 2 and the same row twice give the same coefficients, but not the same standard
# errors. Which of the two is right, and when?

# %% [markdown]
# ## 4 · An interval for a mean of m
#
# ●●●○○ · 20 minutes · {{points}}
#
# *Why it matters:* a painter is judged on a week of jobs, not on one. The mean of several new observations is steadier than
# one, and less certain than the line.
#
# **Task.** Fit the straight line to `x` and `y`, shape (rows). For every entry of `x0`, return `lower` and `upper`, shaped as
# `x0`, of the interval that holds, with probability `level`, the mean of `m` new independent observations at that x.
# `t_quantile` is given above.
#
# Example: $x = (0, 1, 2, 3)$, $y = (1, 2, 2, 5)$: slope 1.2, $s^2 = 1.8/2$. At $x_0 = 3.5$, with $m = 2$ and level 0.8:
# $4.9 \pm 1.886\sqrt{0.9\,(\tfrac12 + \tfrac14 + \tfrac45)} = (2.673, 7.127)$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** To what does the interval shrink as m grows without end? To a point?
#
# <details><summary>Answer</summary>
#
# No: to the confidence interval of the line itself. The new observations' noise averages out, the old data's does not.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "interval_of_mean", "locked": false, "schema_version": 3, "solution": true}
def interval_of_mean(
    x: torch.Tensor, y: torch.Tensor, x0: torch.Tensor, m: int, level: float = 0.95
) -> tuple[torch.Tensor, torch.Tensor]:
    """x and y (rows), x0 (points): the lower and the upper ends, both (points)."""
    ### BEGIN SOLUTION
    away = x - x.mean()
    slope = (away * y).sum() / away.square().sum()
    residual = y - y.mean() - slope * away
    variance = residual.square().sum() / (len(x) - 2)
    spread = 1 / m + 1 / len(x) + (x0 - x.mean()).square() / away.square().sum()
    middle, half = y.mean() + slope * (x0 - x.mean()), t_quantile(level, len(x) - 2) * (variance * spread).sqrt()
    return middle - half, middle + half
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "interval_of_mean-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
from scipy.special import stdtrit

from proctor.marking import Task

task = Task("interval_of_mean", points=3, read="formulas/linear_regression#prediction-intervals", misconceptions={
    "line_only": "the interval is too narrow, it holds the line: the mean of the new observations adds σ²/m",
    "one_observation": "the interval is too wide, it holds one new observation: the mean of m has the variance σ²/m",
    "all_over_root_m": "the interval shrinks to a point as m grows: the new noise averages out, the line's error does not",
    "no_distance": "the interval is as wide far from x̄ as near it: the line is less certain there",
    "level_ignored": "the level changed nothing: this is the interval for 0.95",
    "normal_quantile": "the quantile is the normal's: σ is estimated from few rows, so take Student's t",
    "one_sided": "the level was put on one side: a two-sided interval leaves half of the rest on each",
    "wrong_degrees": "two coefficients were estimated: n − 2 degrees of freedom, not n − 1, for s² and for t",
    "divisor_n": "the interval is too narrow: s² is the mean of the squared residuals, divide by n − 2 instead of n",
    "divisor_n1": "the interval is too narrow: s² has the divisor n − 1, as `var` has; two coefficients were estimated",
    "degrees_of_t": "the interval is too narrow: t has n − 1 degrees of freedom, s² is known by n − 2",
    "no_root": "the half width is t·s²·(…): the root is missing",
    "swapped": "the two came in the other order: lower first, then upper",
})


@task(0.5)
def the_worked_example():
    """Two independent errors add up here, that of the line at x0 and that of the new mean: what is the variance of each?"""
    x, y = torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 2.0, 5.0])
    lower, upper = interval_of_mean(x, y, torch.tensor([3.5]), 2, 0.8)
    task.equal(upper, [7.12711], {
        "line_only": [6.73303], "one_observation": [7.46125], "all_over_root_m": [6.71108], "no_distance": [6.44919],
        "level_ignored": [9.98187], "normal_quantile": [6.41364], "one_sided": [6.15275], "wrong_degrees": [6.47938],
        "divisor_n": [6.47480], "divisor_n1": [6.71842], "degrees_of_t": [6.83434], "no_root": [7.53044],
        "swapped": [2.67289]}, name="upper")
    task.equal(lower, [2.67289], name="lower")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(x, y, x0, m, level=0.95, new=None, line=None, divisor=None, quantile=None, power=0.5):
    x, y, x0 = x.double(), y.double(), x0.double()
    A = torch.stack([torch.ones_like(x), x], 1)
    solved = torch.linalg.lstsq(A, y[:, None]).solution[:, 0]
    variance = (y - A @ solved).square().sum() / (divisor or len(x) - 2)
    at = torch.stack([torch.ones_like(x0), x0], 1)
    line = (at @ (A.T @ A).inverse() * at).sum(1) if line is None else line
    spread = (1 / m if new is None else new) + line
    half = (quantile or stdtrit(len(x) - 2, (1 + level) / 2)) * (variance * spread) ** power
    return at @ solved - half, at @ solved + half


@task.misconception(0)
def line_only(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, new=0)


@task.misconception(1)
def one_observation(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, new=1)


@task.misconception(1)
def all_over_root_m(x, y, x0, m, level=0.95):
    lower, upper = expected(x, y, x0, 1, level)
    middle, half = (lower + upper) / 2, (upper - lower) / 2
    return middle - half / m**0.5, middle + half / m**0.5


@task.misconception(0)
def no_distance(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, line=1 / len(x))


@task.misconception(0)
def level_ignored(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m)


@task.misconception(0)
def normal_quantile(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, quantile=stdtrit(1e9, (1 + level) / 2))


@task.misconception(0)
def one_sided(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, quantile=stdtrit(len(x) - 2, level))


@task.misconception(0)
def wrong_degrees(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, divisor=len(x) - 1, quantile=stdtrit(len(x) - 1, (1 + level) / 2))


@task.misconception(0)
def divisor_n(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, divisor=len(x))


@task.misconception(0)
def divisor_n1(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, divisor=len(x) - 1)


@task.misconception(0)
def degrees_of_t(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, quantile=stdtrit(len(x) - 1, (1 + level) / 2))


@task.misconception(0)
def no_root(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, power=1)


@task.misconception(0)
def swapped(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level)[::-1]


def example(rows):
    x = 3 + 2 * task.randn(rows)
    return x, 1 - 0.5 * x + task.randn(rows), task.randn(5) * 4


@task(1)
def any_place_with_any_m_and_level():
    """Away from x̄ the interval widens; more new observations, more rows or a lower level make it narrower."""
    for rows, m, level in (6, 1, 0.95), (9, 3, 0.9), (30, 50, 0.5):
        x, y, x0 = example(rows)
        task.agree(interval_of_mean, expected, x, y, x0, m, level, name=("lower", "upper"), tolerance=1e-3)


@task(1, seconds=4)
def new_observations_fall_inside():
    """Over many data sets, with m = 1 and level 0.7, seven of ten new observations must fall inside: no more, no less."""
    data = 1000
    x, x0 = torch.tensor([-1.0, 0.0, 3.0]), torch.tensor([1.5, 6.0])
    inside = torch.zeros(2)
    for _ in range(data):
        lower, upper = interval_of_mean(x, 2 * x + task.randn(3), x0, 1, 0.7)
        new = 2 * x0 + task.randn(2)
        inside += (torch.as_tensor(lower) <= new) & (new <= torch.as_tensor(upper))
    for share in inside / data:
        task.at_least(share, 0.7 - 4.5 * (0.7 * 0.3 / data) ** 0.5, name="the share inside")
        task.at_most(share, 0.7 + 4.5 * (0.7 * 0.3 / data) ** 0.5, name="the share inside")


@task(0.5, needs="any_place_with_any_m_and_level")
def tidiness():
    task.tidy(interval_of_mean, *example(7), 2)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# The error is a difference: the mean of the new observations minus the line's estimate. The two are independent. What is
# the variance of each?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# σ²/m for the new mean, σ²(1/n + (x0 − x̄)²/Sxx) for the line. Put s² in the place of σ², and t in the place of the
# normal quantile.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# fit; s² ← squares of residuals ÷ (n − 2); spread ← 1/m + 1/n + (x0 − x̄)²/Sxx; half ← t_quantile(level, n − 2)·√(s²·spread);
# estimate ± half.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for one place, wrong for several:* `x0` has a length of its own; do not mix it with the rows.
#
# </details>
#
# **Go further** (no points). You will look at five values of x0 and want *all* five intervals to hold at once, with
# probability 0.95. Which level must each have?

# %% [markdown]
# ## 5 · Reading the scale backwards
#
# ●●●●○ · 30 minutes · {{points}}
#
# *Why it matters:* an instrument is calibrated once, then read backwards: which x gave these readings? The answer is an
# interval that may have no end.
#
# **Task.** `x`, `y` (rows) calibrate a line of y on x. The `readings` (m), with mean $\bar y_0$, belong to one unknown
# $x_0$. Return three scalars: the estimate, and the lower and upper end of Fieller's interval: all $x_0$ with
# $(\bar y_0 - \hat y(x_0))^2 \le t^2 s^2\,\bigl(\tfrac1m + \tfrac1n + (x_0-\bar x)^2/S_{xx}\bigr)$. Line and readings both
# tell of the noise: $s^2$ is the sum of their squared deviations, divided by $n - 2 + m - 1$; $t$ has the same degrees of
# freedom. Where these $x_0$ reach to infinity, return `-inf` and `inf` (the chapter's `inverse_predict` returns, of two rays,
# both ends, low above high).
#
# Example: $x = (0, 1, 2, 3)$, $y = (0.5, 1.5, 3.5, 6.5)$, readings $(5, 7)$, level 0.8: slope 2, $s^2 = (1 + 2)/3$,
# $t = 1.638$; the estimate is 3, the ends are 2.241 and 4.224.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Is the estimate in the middle of the interval?
#
# <details><summary>Answer</summary>
#
# Only at x̄. Elsewhere the end far from x̄ is farther away: the line is less certain there, and so is what you read from it.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "calibrate", "locked": false, "schema_version": 3, "solution": true}
def calibrate(
    x: torch.Tensor, y: torch.Tensor, readings: torch.Tensor, level: float = 0.95
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """x and y (rows), readings (m): the estimate of x0, and the ends of its interval."""
    ### BEGIN SOLUTION
    away, n, m = x - x.mean(), len(x), len(readings)
    s_xx = away.square().sum()
    slope = (away * y).sum() / s_xx
    residual, rise = y - y.mean() - slope * away, readings.mean() - y.mean()
    noise = residual.square().sum() + (readings - readings.mean()).square().sum()
    c = t_quantile(level, n + m - 3) ** 2 * noise / (n + m - 3)
    # a·d² − 2·b·d + e ≤ 0 for d = x0 − x̄
    a, b, e = slope**2 - c / s_xx, slope * rise, rise**2 - c * (1 / m + 1 / n)
    estimate, infinite = x.mean() + rise / slope, torch.full_like(slope, torch.inf)
    if a <= 0:
        return estimate, -infinite, infinite
    root = (b**2 - a * e).sqrt()
    return estimate, x.mean() + (b - root) / a, x.mean() + (b + root) / a
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "calibrate-check", "locked": true, "points": 4, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch
from scipy.special import stdtrit

from proctor.marking import Task

task = Task("calibrate", points=4, read="formulas/linear_regression#inverse-prediction", misconceptions={
    "reversed_line": "the estimate is too near the mean: this is the line of x on y, and that is another one",
    "symmetric": "the estimate is in the middle: solve the inequality for x0, whose right side grows with x0 too",
    "one_reading": "the interval is too wide: the mean of m readings has the variance σ²/m",
    "no_distance": "the line counts as equally certain everywhere: (x0 − x̄)²/Sxx is missing",
    "line_noise_only": "the readings' own scatter is missing from s², and their m − 1 from the degrees of freedom",
    "degrees_of_line": "the interval is too wide: t has n − 2 degrees of freedom, and s² is known by n − 2 + m − 1",
    "mean_for_free": "the interval is too narrow: the mean of the readings is estimated, which leaves m − 1 of m",
    "level_ignored": "the level changed nothing: this is the interval for 0.95",
    "swapped": "the ends came in the other order: estimate, lower, upper",
    "always_bounded": "the slope may be 0 within its error: then no bounded interval holds all x0",
})


@task(0.5)
def the_worked_example():
    """For which d = x0 − x̄ are the two sides of the inequality equal? Put the ends of the example in and see."""
    x, y = torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([0.5, 1.5, 3.5, 6.5])
    estimate, lower, upper = calibrate(x, y, torch.tensor([5.0, 7.0]), 0.8)
    task.equal(estimate, 3, {"reversed_line": 2.92857}, name="estimate")
    task.equal(upper, 4.22392, {
        "symmetric": 3.89703, "one_reading": 4.40299, "no_distance": 3.70916, "line_noise_only": 3.92530,
        "degrees_of_line": 4.50859, "mean_for_free": 3.92030, "level_ignored": 7.45843, "swapped": 2.24073}, name="upper end")
    task.equal(lower, 2.24073, name="lower end")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(x, y, readings, level=0.95, new=None, own=True, free=0, of_t=None, far=1, bounded=False, delta=False):
    x, y, readings = x.double(), y.double(), readings.double()
    n, m = len(x), len(readings)
    A = torch.stack([torch.ones_like(x), x - x.mean()], 1)
    height, slope = torch.linalg.lstsq(A, y[:, None]).solution[:, 0]
    noise = (y - height - slope * A[:, 1]).square().sum()
    degrees = n - 2
    if own:
        noise, degrees = noise + (readings - readings.mean()).square().sum(), degrees + m - 1 + free
    c, s_xx = stdtrit(of_t or degrees, (1 + level) / 2) ** 2 * noise / degrees, A[:, 1].square().sum() / far
    rise = readings.mean() - height
    fixed = 1 / n + (1 / m if new is None else new)
    estimate = x.mean() + rise / slope
    if delta:
        half = (c * (fixed + (rise / slope) ** 2 / s_xx)).sqrt() / slope.abs()
        return estimate, estimate - half, estimate + half
    a = slope**2 - c / s_xx
    if a <= 0 and not bounded:
        return estimate, estimate - torch.inf, estimate + torch.inf
    root = (a * c * fixed + c * rise**2 / s_xx).clamp(min=0).sqrt()
    ends = torch.stack([slope * rise - root, slope * rise + root]) / a + x.mean()
    return estimate, ends.min(), ends.max()


@task.misconception(0)
def reversed_line(x, y, readings, level=0.95):
    x, y, readings = x.double(), y.double(), readings.double()
    A = torch.stack([torch.ones_like(y), y], 1)
    solved = torch.linalg.lstsq(A, x[:, None]).solution[:, 0]
    noise = (x - A @ solved).square().sum() / (len(x) - 2)
    estimate = solved[0] + solved[1] * readings.mean()
    spread = 1 / len(readings) + 1 / len(x) + (readings.mean() - y.mean()) ** 2 / (y - y.mean()).square().sum()
    half = stdtrit(len(x) - 2, (1 + level) / 2) * (noise * spread).sqrt()
    return estimate, estimate - half, estimate + half


@task.misconception(1)
def symmetric(x, y, readings, level=0.95):
    return expected(x, y, readings, level, delta=True)


@task.misconception(1.5)
def one_reading(x, y, readings, level=0.95):
    return expected(x, y, readings, level, new=1)


@task.misconception(1)
def no_distance(x, y, readings, level=0.95):
    return expected(x, y, readings, level, far=1e-12)


@task.misconception(1.5)
def line_noise_only(x, y, readings, level=0.95):
    return expected(x, y, readings, level, own=False)


@task.misconception(1.5)
def degrees_of_line(x, y, readings, level=0.95):
    return expected(x, y, readings, level, of_t=len(x) - 2)


@task.misconception(1.5)
def mean_for_free(x, y, readings, level=0.95):
    return expected(x, y, readings, level, free=1)


@task.misconception(1.5)
def level_ignored(x, y, readings, level=0.95):
    return expected(x, y, readings)


@task.misconception(1)
def swapped(x, y, readings, level=0.95):
    estimate, lower, upper = expected(x, y, readings, level)
    return estimate, upper, lower


@task.misconception(3.5)
def always_bounded(x, y, readings, level=0.95):
    return expected(x, y, readings, level, bounded=True)


def example(rows, m, slope, noise=0.4):
    x = 2 * task.randn(rows) + 5
    return x, 1 + slope * x + noise * task.randn(rows), 1 + slope * 8 + noise * task.randn(m)


NAMES = "estimate", "lower end", "upper end"


@task(1)
def the_estimate():
    """Invert the line of y on x at the mean of the readings."""
    for slope in 2.0, -1.5:
        task.agree(calibrate, expected, *example(10, 3, slope), name=NAMES, parts=(0,), tolerance=1e-3)


@task(1.5, needs="the_estimate")
def the_interval():
    """Both ends solve the equation; the lower one comes first, also for a falling line."""
    for rows, m, slope, level in (8, 3, 1.0, 0.95), (12, 5, -0.8, 0.9), (20, 2, 2.0, 0.99):
        task.agree(calibrate, expected, *example(rows, m, slope), level, name=NAMES, tolerance=1e-3)


@task(0.5, needs="the_estimate")
def a_slope_that_may_be_zero():
    """When slope² ≤ t²s²/Sxx the inequality holds far away on both sides: no end."""
    x = torch.tensor([0.0, 1.0, 2.0, 3.0, 4.0, 5.0])
    y = torch.tensor([0.3, -0.2, 0.4, -0.1, 0.2, 0.3])
    task.agree(calibrate, expected, x, y + task.randn(1), torch.tensor([0.5, 0.7]), name=NAMES, tolerance=1e-3)


@task(0.5, needs="the_interval")
def tidiness():
    task.tidy(calibrate, *example(9, 3, 1.5))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Write $d = x_0 - \bar x$. Both sides of the inequality are quadratic in $d$. When does a quadratic inequality hold between two
# numbers, and when outside of them?
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# With $c = t^2s^2$ and the rise $\bar y_0 - \bar y$: bring everything to the left, $a\,d^2 - 2b\,d + e \le 0$. The sign of
# $a = \hat\beta_1^2 - c/S_{xx}$ decides.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# noise ← residuals² + (readings − their mean)²; c ← t²·noise/(n + m − 3); a ← slope² − c/Sxx; b ← slope·rise;
# e ← rise² − c·(1/m + 1/n); if a ≤ 0: no ends; ends ← x̄ + (b ± √(b² − a·e))/a.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *The ends are swapped for a falling line:* divide by $a$, which is positive, and not by the slope.
#
# </details>
#
# **Go further** (no points). For a flat slope the solution is either every number or two rays. Tell the two apart, and say
# what each means for the instrument.

# %% [markdown]
# ## 6 · Which curve predicts best?
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* $R^2$ of hours and $R^2$ of log hours cannot be compared. Errors in hours, on jobs the fit has not seen, can.
#
# **Task.** For positive `x` and `y` (rows), return a tensor of shape (3,): the root mean squared leave-one-out error, in
# units of y, of these fits: y on x · y on 1/x · log y on log x. For the last, predict log y without the row, then take
# `exp` of the prediction. No refitting is needed: where the fit is a line, the error on a row left out is
# $e_i/(1-h_i)$, with residual $e_i$ and leverage $h_i$ of the full fit.
#
# Example: $x = (1, 2, 4, 5)$, $y = (8, 5, 3, 2)$. Without the first row the others lie on $y = 7 - x$: error 2. The
# other errors are $-1.385$, $-0.154$, $0.857$: $\sqrt{6.675/4} = 1.292$. The other two fits give 1.006 and 1.009.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Can the leave-one-out error be smaller than the error on the fitted rows?
#
# <details><summary>Answer</summary>
#
# Never, on the scale of the fit: each residual is divided by 1 − h, a number below 1.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "errors_left_out", "locked": false, "schema_version": 3, "solution": true}
def errors_left_out(x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """x and y (rows), positive: the three errors, for x, 1/x and log-log."""
    ### BEGIN SOLUTION
    def predict(u, v):
        """The line of v on u at every row, fitted without that row."""
        away = u - u.mean()
        residual = v - v.mean() - (away * v).sum() / away.square().sum() * away
        leverage = 1 / len(u) + away.square() / away.square().sum()
        return v - residual / (1 - leverage)

    predictions = torch.stack([predict(x, y), predict(1 / x, y), predict(x.log(), y.log()).exp()])
    return (y - predictions).square().mean(1).sqrt()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "errors_left_out-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("errors_left_out", points=3, read="formulas/linear_regression#transformations", misconceptions={
    "rows_it_has_seen": "the errors are too small, they are those of the fit itself: divide each residual by 1 − leverage",
    "multiplied": "the residuals were multiplied by 1 − leverage: a row that pulls the line hides its error, so divide",
    "summed": "the error grows with the number of rows: average the squares, do not add them",
    "degrees": "the squares were divided by n − 2: these errors are on rows not seen, so their mean is fair as it is",
    "no_root": "these are mean squares, in squared units of y: the root is missing",
    "in_logarithms": "the third error is in logarithms: take exp of the prediction, then compare with y",
    "exp_of_the_error": "the exponential was taken of the error: take it of the prediction, then subtract",
    "exp_forgotten": "a predicted logarithm was subtracted from y: take exp of it first",
    "divided_after_exp": "the third residual was divided by 1 − leverage after exp: that is true where the fit is a line, in logarithms",
})


@task(0.5)
def the_worked_example():
    """Leave a row out, draw the line through the other three, and look where it passes that row."""
    x, y = torch.tensor([1.0, 2.0, 4.0, 5.0]), torch.tensor([8.0, 5.0, 3.0, 2.0])
    task.equal(errors_left_out(x, y), [1.29185, 1.00599, 1.00946], {
        "rows_it_has_seen": [0.59161, 0.32877, 0.29617], "multiplied": [0.32307, 0.20489, 0.14828],
        "summed": [2.58370, 2.01199, 2.01891], "degrees": [1.82695, 1.42269, 1.42759],
        "no_root": [1.66888, 1.01202, 1.01900], "in_logarithms": [1.29185, 1.00599, 0.18947],
        "exp_of_the_error": [1.29185, 1.00599, 0.97962], "exp_forgotten": [1.29185, 1.00599, 3.53761],
        "divided_after_exp": [1.29185, 1.00599, 0.93972]})

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def left_out(u, v, x0):
    """The line through all rows but one, at the one, by refitting."""
    u, v = u - x0, v - 0
    away = u - u.mean()
    return v.mean() - (away * v).sum() / away.square().sum() * u.mean()


def predictions(u, v, seen=False, multiplied=False):
    rows = range(len(u))
    held = torch.stack([left_out(u[[j for j in rows if j != i or seen]], v[[j for j in rows if j != i or seen]], u[i]) for i in rows])
    if multiplied:
        full = predictions(u, v, seen=True)
        held = v - (v - full) ** 2 / (v - held).where(v != held, torch.ones_like(v))
    return held


def errors(x, y, back=torch.exp, **how):
    x, y = x.double(), y.double()
    log = predictions(x.log(), y.log(), **how)
    three = torch.stack([predictions(x, y, **how), predictions(1 / x, y, **how), back(log)])
    return y - three, y.log() - log, y - log


def root_mean_square(errors):
    return errors.square().mean(-1).sqrt()


def expected(x, y):
    return root_mean_square(errors(x, y)[0])


@task.misconception(0)
def rows_it_has_seen(x, y):
    return root_mean_square(errors(x, y, seen=True)[0])


@task.misconception(0)
def multiplied(x, y):
    return root_mean_square(errors(x, y, multiplied=True)[0])


@task.misconception(0)
def summed(x, y):
    return expected(x, y) * len(x) ** 0.5


@task.misconception(0)
def degrees(x, y):
    return expected(x, y) * (len(x) / (len(x) - 2)) ** 0.5


@task.misconception(0)
def no_root(x, y):
    return expected(x, y) ** 2


@task.misconception(0.5)
def in_logarithms(x, y):
    return torch.cat([expected(x, y)[:2], root_mean_square(errors(x, y)[1])[None]])


@task.misconception(0.5)
def exp_of_the_error(x, y):
    return torch.cat([expected(x, y)[:2], root_mean_square(errors(x, y)[1].exp())[None]])


@task.misconception(0.5)
def exp_forgotten(x, y):
    return torch.cat([expected(x, y)[:2], root_mean_square(errors(x, y)[2])[None]])


@task.misconception(0.5)
def divided_after_exp(x, y):
    stretched = errors(x, y)[1] / errors(x, y, seen=True)[1]  # 1/(1 − leverage)
    return torch.cat([expected(x, y)[:2], root_mean_square(errors(x, y, seen=True)[0][2] * stretched)[None]])


def jobs(rows):
    """Hours for 40 hours of work, by 1 to 12 painters."""
    x = torch.randint(1, 13, (rows,), generator=task.stream).float()
    x[:3] = torch.tensor([1.0, 4.0, 12.0])
    return x, 40 / x * (0.15 * task.randn(rows)).exp()


@task(0.5)
def the_straight_line():
    """e/(1 − h) of the plain line, squared, averaged, rooted."""
    for rows in 5, 20:
        task.agree(errors_left_out, expected, *jobs(rows), parts=(0,), tolerance=1e-3)


@task(1.5, needs="the_straight_line")
def all_three_in_units_of_y():
    """The same for 1/x; for logarithms predict, go back by exp, and only then subtract."""
    for rows in 5, 20:
        task.agree(errors_left_out, expected, *jobs(rows), tolerance=1e-3)


@task(0.5, needs="all_three_in_units_of_y")
def tidiness():
    task.tidy(errors_left_out, *jobs(9))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# One small function that predicts every row without that row, for any pair (u, v), is called three times.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# $h_i = 1/n + (u_i - \bar u)^2/S_{uu}$. The prediction without row i is $v_i - e_i/(1 - h_i)$. In the example compare it with
# the line through the other three points.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# predict(u, v): fit, residuals e, leverages h, return v − e/(1 − h). Errors ← y − predict(x, y), y − predict(1/x, y),
# y − exp(predict(log x, log y)); root of the mean of squares of each.
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *The winner changes when hours become minutes:* an error in logarithms was compared with errors in hours.
#
# </details>
#
# **Go further** (no points). `exp` of a predicted mean logarithm estimates the *median* of y. How would you estimate its
# mean, and does that lower the error?
