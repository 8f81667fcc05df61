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
# {{total}} points, about two hours. They go with the chapter *Linear regression* and follow its order.
#
# **How it works.** Replace `raise NotImplementedError` by your code, run that cell, then run the check below it. The check
# shows what came, what was expected and the likely cause. The same cell, with more tests, gives the points later; each
# task says what those tests look at. Stuck? Open the hints one by one.

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
# Example: the columns $(0, 1, 2, 9)$ and $(1, 0, 2, \mathrm{nan})$ share three rows, with means 1 and 1:
# $r = 1/\sqrt{2\cdot 2} = 0.5$.
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

# %% nbgrader={"grade": false, "grade_id": "correlation_matrix", "locked": false, "schema_version": 3, "solution": true}
def correlation_matrix(X: torch.Tensor) -> torch.Tensor:
    """(batch, rows, columns) with nan for missing cells, to (batch, columns, columns)."""
    ### BEGIN SOLUTION
    here = ~X.isnan()
    both = here[..., :, None] & here[..., None, :]  # (batch, rows, columns, columns)
    value = X[..., None].where(both, 0)
    mean = value.sum(-3, keepdim=True) / both.sum(-3, keepdim=True)
    away = (value - mean).where(both, 0)  # of column i, on the rows it shares with column j
    square = away.square().sum(-3)
    return (away * away.mT).sum(-3) / (square * square.mT).sqrt()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "correlation_matrix-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("correlation_matrix", points=3, read="formulas/linear_regression#correlation", misconceptions={
    "own_means": "each column's mean and spread were taken over all its own rows, not over the rows that the pair shares",
    "filled": "the holes were filled with a number, which invents data",
    "complete_rows": "a row with any hole was dropped for every pair: a pair only needs its own two columns",
    "two_divisors": "covariance and spreads were divided by different numbers, n and n − 1: one divisor, or none, cancels",
    "zero_for_constant": "a constant column got a number: 0/0 is unknown, not 0",
})


@task(0.5)
def the_worked_example():
    """Keep the rows where both are present, subtract their means, divide the products by the root of both squares."""
    x = torch.tensor([[[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [9.0, torch.nan]]])
    task.equal(correlation_matrix(x)[0, 0, 1], 0.5, {"own_means": 0.1155, "filled": -0.4264, "two_divisors": 1 / 3}, name="r")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def pair(x, y):
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
    X = X.double()
    count = (~X.isnan()).sum(1, keepdim=True)
    away = X - X.nansum(1, keepdim=True) / count
    covariance = (away[..., None] * away[:, :, None]).nanmean(1)
    spread = (away.nansum(1) * 0 + away.square().nansum(1) / count[:, 0]).sqrt()
    return covariance / (spread[:, :, None] * spread[:, None])


@task.misconception(0)
def filled(X):
    return expected(X.double().nan_to_num(0.0))


@task.misconception(0.5)
def complete_rows(X):
    whole = [table[~table.isnan().any(1)] for table in X.double()]
    return torch.cat([expected(table[None]) for table in whole])


@task.misconception(0)
def two_divisors(X):
    return expected(X, lambda x, y: pair(x, y) * (len(x) - 1) / len(x))


@task.misconception(2.5)
def zero_for_constant(X):
    return expected(X).nan_to_num(0.0)


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
    """A column without spread on the shared rows has no correlation: nan, also with itself."""
    X = table(3)
    X[:, :, 1] = 2.0
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
# both ← present i and present j; mean of i over both; away ← (x − mean), 0 where not both; r ← Σ away_i·away_j ÷ root of
# (Σ away_i² · Σ away_j²).
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
# standard deviations have the divisor $n - 1$. Return the `intercept` and the `slope` of the least-squares line through *all*
# points together.
#
# Example: (0, 0), (2, 2) is the row $(2, 1, 1, \sqrt2, \sqrt2, 1)$ and (4, 0), (6, 2) is $(2, 5, 1, \sqrt2, \sqrt2, 1)$. Together:
# slope $4/20 = 0.2$, intercept $1 - 0.2\cdot3 = 0.4$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Both groups of the example have slope 1. Why is the slope of all four points so much smaller?
#
# <details><summary>Answer</summary>
#
# The groups differ in x, by 4, and not in y: between the groups the slope is 0, and that part has most of the spread.
#
# </details>

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
    "average_of_slopes": "the slopes of the groups were averaged: one steep small group and one flat wide one weigh differently",
    "within_only": "the spread between the groups is missing: n·(x̄ − mean)² of each group belongs to the sum of squares",
    "divisor_n": "s² was multiplied by n: with the divisor n − 1, the sum of squares is (n − 1)·s²",
    "plain_means": "the groups' means were averaged without their sizes",
    "r_as_covariance": "r was used as a covariance: that is r·s_x·s_y",
})


@task(0.5)
def the_worked_example():
    """Add up the groups' sums of products and of squares, within and between, then divide."""
    root = 2**0.5
    groups = torch.tensor([[2.0, 1.0, 1.0, root, root, 1.0], [2.0, 5.0, 1.0, root, root, 1.0]])
    intercept, slope = merge_lines(groups)
    task.equal(slope, 0.2, {"average_of_slopes": 1, "within_only": 1, "divisor_n": 1 / 3, "r_as_covariance": 0.1}, name="slope")
    task.equal(intercept, 0.4, name="intercept")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def line(n, x, y, xy, xx):
    mean_x, mean_y = (n * x).sum() / n.sum(), (n * y).sum() / n.sum()
    slope = (xy + n * (x - mean_x) * (y - mean_y)).sum() / (xx + n * (x - mean_x) ** 2).sum()
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
def divisor_n(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    return line(n, x, y, n * r * s_x * s_y, n * s_x**2)


@task.misconception(1)
def plain_means(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    ones = n / n
    return line(ones, x, y, (n - 1) * r * s_x * s_y / n, (n - 1) * s_x**2 / n)


@task.misconception(0)
def r_as_covariance(groups):
    n, x, y, s_x, s_y, r = groups.double().unbind(1)
    return line(n, x, y, (n - 1) * r, (n - 1) * s_x**2)


def points_and_summary(sizes):
    """Data of several groups, and the row that describes each."""
    data, rows = [], []
    for number, size in enumerate(sizes):
        x = task.randn(size).double() * (1 + number) + 3 * number
        y = 2 * x - 5 * number + task.randn(size)
        pair = torch.stack([x, y])
        data.append(pair)
        rows.append(torch.stack([torch.tensor(float(size)).double(), *pair.mean(1), *pair.std(1), pair.corrcoef()[0, 1]]))
    return torch.cat(data, 1), torch.stack(rows).float()


def fit(data):
    x, y = data
    return tuple(torch.linalg.lstsq(torch.stack([torch.ones_like(x), x], 1), y[:, None]).solution[:, 0])


@task(1.5)
def groups_of_any_size():
    """The merged line is the least-squares line of all rows: compute it from rows of your own and compare."""
    for sizes in (5, 40), (30, 4, 11), (8, 8, 8, 9):
        data, groups = points_and_summary(sizes)
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
# **Go further** (no points). Which three more numbers would let you merge the standard error of the slope too?

# %% [markdown]
# ## 3 · Four bugs in a weighted fit
#
# ●●●●○ · 25 minutes · {{points}}
#
# *Why it matters:* a wrong standard error looks like any other number. Only a case whose answer you know can tell.
#
# **Task.** Row $i$ has variance $\sigma^2/w_i$. `faulty` should return the coefficients (intercept first) that minimize
# $\sum w_i(y_i - \hat y_i)^2$, their standard errors, and $R^2$, the share by which the line lowers that sum below its
# value for the best constant. It has four bugs: find and mend them. Shapes: `X` (rows, features), `y` and `weights` (rows).
#
# Example: $x = (0, 1, 2)$, $y = (0, 1, 5)$, weights 1: coefficients $(-0.5, 2.5)$, residuals $(0.5, -1, 0.5)$, one degree of
# freedom, standard errors $(\sqrt{1.25}, \sqrt{0.75})$, $R^2 = 1 - 1.5/14$.
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
# Two: the degrees of freedom and the diagonal. The other two are about weights, and hide when all are equal.
#
# </details>

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
    "weights_squared": "the weights went in squared: a row times w gives its squared residual the weight w²",
    "lost_degree": "the intercept is estimated too: rows − features − 1 degrees of freedom remain",
    "own_variance": "1/diagonal came: a standard error needs the diagonal of the inverse, which knows the other columns",
    "plain_mean": "R² compares with the best constant, and that is the weighted mean",
    "unweighted": "the weights were ignored",
})


@task(0.5)
def the_worked_example():
    """With equal weights this is ordinary least squares; check each number against the example."""
    x, y = torch.tensor([[0.0], [1.0], [2.0]]), torch.tensor([0.0, 1.0, 5.0])
    coefficients, errors, r2 = weighted_report(x, y, torch.ones(3))
    task.equal(coefficients, [-0.5, 2.5], name="coefficients")
    task.equal(errors, [1.25**0.5, 0.75**0.5], {
        "lost_degree": [0.625**0.5, 0.375**0.5], "own_variance": [0.5**0.5, 0.3**0.5]}, name="standard errors")
    task.equal(r2, 1 - 1.5 / 14, name="R²")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(X, y, weights, power=1, lost=0, own=False, plain=False):
    X, y, weights = X.double(), y.double(), weights.double()
    A = torch.cat([torch.ones_like(X[:, :1]), X], 1)
    gram = A.T @ (weights[:, None] ** power * A)
    coefficients = torch.linalg.solve(gram, A.T @ (weights**power * y))
    squared = (weights * (y - A @ coefficients) ** 2).sum()
    diagonal = 1 / gram.diagonal() if own else gram.inverse().diagonal()
    middle = y.mean() if plain else (weights * y).sum() / weights.sum()
    errors = (squared / (len(X) - A.shape[1] + lost) * diagonal).sqrt()
    return coefficients, errors, 1 - squared / (weights * (y - middle) ** 2).sum()


@task.misconception(0.5)
def weights_squared(X, y, weights):
    return expected(X, y, weights, power=2)


@task.misconception(2.5)
def lost_degree(X, y, weights):
    return expected(X, y, weights, lost=1)


@task.misconception(2.5)
def own_variance(X, y, weights):
    return expected(X, y, weights, own=True)


@task.misconception(3.5)
def plain_mean(X, y, weights):
    return expected(X, y, weights, plain=True)


@task.misconception(0.5)
def unweighted(X, y, weights):
    return expected(X, y, weights / weights)


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
# Make cases whose answer you know: all weights equal; one weight 2 against the same row written twice; two correlated
# features; an outlier with weight almost 0.
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
# - *Right with one feature, wrong with three:* the diagonal was inverted, not the matrix.
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
# Example: $x = (0, 1, 2, 3)$, $y = (1, 2, 2, 5)$: slope 1.2, $s^2 = 1.8/2$. At $x_0 = 1.5$ with $m = 4$:
# $2.5 \pm 4.303\sqrt{0.9\,(\tfrac14 + \tfrac14)} = (-0.386, 5.386)$.
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
    "line_only": "this holds the line, not new observations: their mean adds σ²/m",
    "one_observation": "this holds one new observation: the mean of m has the variance σ²/m",
    "normal_quantile": "1.96 came: σ is estimated from few rows, so the quantile is Student's t",
    "one_sided": "the level was put on one side: a two-sided interval leaves half of the rest on each",
    "wrong_degrees": "two coefficients were estimated: n − 2 degrees of freedom, for s² and for t",
})


@task(0.5)
def the_worked_example():
    """Estimate ± t·s·√(1/m + 1/n + (x0 − x̄)²/Sxx)."""
    x, y = torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([1.0, 2.0, 2.0, 5.0])
    lower, upper = interval_of_mean(x, y, torch.tensor([1.5]), 4)
    task.equal(upper, [5.3863], {"line_only": [4.5410], "one_observation": [7.0637], "normal_quantile": [3.8148],
                                 "one_sided": [4.4588], "wrong_degrees": [4.2431]}, name="upper", tolerance=2e-4)
    task.equal(lower, [-0.3863], name="lower", tolerance=2e-4)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(x, y, x0, m, level=0.95, new=None, degrees=None, quantile=None):
    x, y, x0 = x.double(), y.double(), x0.double()
    degrees = len(x) - 2 if degrees is None else degrees
    A = torch.stack([torch.ones_like(x), x], 1)
    solved = torch.linalg.lstsq(A, y[:, None]).solution[:, 0]
    variance = (y - A @ solved).square().sum() / degrees
    at = torch.stack([torch.ones_like(x0), x0], 1)
    spread = (1 / m if new is None else new) + (at @ (A.T @ A).inverse() * at).sum(1)
    half = (quantile or stdtrit(degrees, (1 + level) / 2)) * (variance * spread).sqrt()
    return at @ solved - half, at @ solved + half


@task.misconception(0)
def line_only(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, new=0)


@task.misconception(1)
def one_observation(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, new=1)


@task.misconception(0)
def normal_quantile(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, quantile=stdtrit(1e9, (1 + level) / 2))


@task.misconception(0)
def one_sided(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, quantile=stdtrit(len(x) - 2, level))


@task.misconception(0)
def wrong_degrees(x, y, x0, m, level=0.95):
    return expected(x, y, x0, m, level, degrees=len(x) - 1)


def example(rows):
    x = 3 + 2 * task.randn(rows)
    return x, 1 - 0.5 * x + task.randn(rows), task.randn(5) * 4


@task(1)
def any_place_number_and_level():
    """Away from x̄ the interval widens; more new observations, more rows or a lower level make it narrower."""
    for rows, m, level in (6, 1, 0.95), (9, 3, 0.9), (30, 50, 0.5):
        x, y, x0 = example(rows)
        task.agree(interval_of_mean, expected, x, y, x0, m, level, name=("lower", "upper"), tolerance=1e-3)


@task(1, seconds=4)
def new_observations_fall_inside():
    """Over many data sets, with m = 1 and level 0.8, four of five new observations must fall inside: no more, no less."""
    data = 1000
    x, x0 = torch.tensor([-1.0, 0.0, 1.0, 3.0]), torch.tensor([1.5, 6.0])
    inside = torch.zeros(2)
    for _ in range(data):
        lower, upper = interval_of_mean(x, 2 * x + task.randn(4), x0, 1, 0.8)
        new = 2 * x0 + task.randn(2)
        inside += (torch.as_tensor(lower) <= new) & (new <= torch.as_tensor(upper))
    for share in inside / data:
        task.at_least(share, 0.8 - 5 * (0.8 * 0.2 / data) ** 0.5, name="the share inside")
        task.at_most(share, 0.8 + 5 * (0.8 * 0.2 / data) ** 0.5, name="the share inside")


@task(0.5, needs="any_place_number_and_level")
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
# - *The interval has the same width everywhere:* the line is less certain far from x̄.
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
# *Why it matters:* an instrument is calibrated once, then read backwards: which x gave these readings? The answer is an interval that may
# have no end.
#
# **Task.** `x`, `y` (rows) calibrate a line of y on x. The `readings` (m) belong to one unknown $x_0$. Return three scalars: the estimate, and the ends
# of Fieller's interval: all $x_0$ with
# $(\bar y_0 - \hat y(x_0))^2 \le t^2 s^2\,\bigl(\tfrac1m + \tfrac1n + (x_0-\bar x)^2/S_{xx}\bigr)$. Line and readings both tell of the noise: $s^2$ = their squared
# deviations together ÷ $(n - 2 + m - 1)$, $t$ likewise. If these $x_0$ are no bounded interval: `-inf` and `inf`.
#
# Example: $x = (0, 1, 2, 3)$, $y = (0.1, 1.9, 3.9, 6.1)$, readings $(2.9, 3.1)$: slope 2, $s^2 = (0.04 + 0.02)/3$; $1.5$ and $(1.304, 1.696)$.
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
    "reversed_line": "x was regressed on y: that line is another one, flatter towards the mean",
    "symmetric": "estimate ± a half width came: solve the inequality, whose right side grows with x0 too",
    "one_reading": "the readings count as one: their mean has the variance σ²/m",
    "line_noise_only": "the readings' own scatter is missing from s², and their m − 1 from the degrees of freedom",
    "always_bounded": "the slope may be 0 within its error: then no bounded interval holds all x0",
})


@task(0.5)
def the_worked_example():
    """Solve the quadratic inequality in d = x0 − x̄."""
    x, y = torch.tensor([0.0, 1.0, 2.0, 3.0]), torch.tensor([0.1, 1.9, 3.9, 6.1])
    estimate, lower, upper = calibrate(x, y, torch.tensor([2.9, 3.1]))
    task.equal(estimate, 1.5, name="estimate")
    task.equal(upper, 1.69589, {"symmetric": 1.69488, "one_reading": 1.75288, "line_noise_only": 1.76596,
                                "reversed_line": 1.76322}, name="upper end")
    task.equal(lower, 1.30411, name="lower end")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def expected(x, y, readings, level=0.95, new=None, own=True, bounded=False, delta=False):
    x, y, readings = x.double(), y.double(), readings.double()
    n, m = len(x), len(readings)
    A = torch.stack([torch.ones_like(x), x - x.mean()], 1)
    height, slope = torch.linalg.lstsq(A, y[:, None]).solution[:, 0]
    noise = (y - height - slope * A[:, 1]).square().sum()
    degrees = n - 2
    if own:
        noise, degrees = noise + (readings - readings.mean()).square().sum(), degrees + m - 1
    c, s_xx = stdtrit(degrees, (1 + level) / 2) ** 2 * noise / degrees, A[:, 1].square().sum()
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


@task.misconception(1.5)
def line_noise_only(x, y, readings, level=0.95):
    return expected(x, y, readings, level, own=False)


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
# **Task.** For positive `x` and `y` (rows), return three numbers: the root mean squared leave-one-out error, in units of y, of
# these fits: y on x · y on 1/x · log y on log x. For the last, predict log y without the row, then take `exp` of the
# prediction. No refitting is needed: the residual without row i is $e_i/(1-h_i)$, $h_i$ the leverage.
#
# Example: $x = (1, 2, 4)$, $y = (4, 2, 1)$. Without the first row the line gives 2.5, without the second 3, without the third $-2$: errors 1.5,
# $-1$, 3, so $\sqrt{12.25/3} = 2.0207$. The other two fits are exact: 0, 0.
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
    "rows_it_has_seen": "the errors are those of the fit itself: divide each residual by 1 − leverage",
    "multiplied": "the residuals were multiplied by 1 − leverage: a row that pulls the line hides its error, so divide",
    "summed": "the squares were added, not averaged",
    "in_logarithms": "the third error is in logarithms: take exp of the prediction, then compare with y",
    "exp_of_the_error": "exp was taken of the error: take it of the prediction, then subtract",
})


@task(0.5)
def the_worked_example():
    """Leave a row out, draw the line through the other two, and look where it passes that row."""
    x, y = torch.tensor([1.0, 2.0, 4.0]), torch.tensor([4.0, 2.0, 1.0])
    task.equal(errors_left_out(x, y), [2.0207, 0.0, 0.0], {
        "rows_it_has_seen": [0.4629, 0.0, 0.0], "multiplied": [0.2490, 0.0, 0.0], "summed": [3.5, 0.0, 0.0],
        "exp_of_the_error": [2.0207, 0.0, 1.0]}, tolerance=2e-4)

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
    return y - three, y.log() - log


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


@task.misconception(1)
def in_logarithms(x, y):
    return torch.cat([expected(x, y)[:2], root_mean_square(errors(x, y)[1])[None]])


@task.misconception(0.5)
def exp_of_the_error(x, y):
    return torch.cat([expected(x, y)[:2], root_mean_square(errors(x, y)[1].exp())[None]])


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
def all_three_in_hours():
    """The same for 1/x; for logarithms predict, go back by exp, and only then subtract."""
    for rows in 5, 20:
        task.agree(errors_left_out, expected, *jobs(rows), tolerance=1e-3)


@task(0.5, needs="all_three_in_hours")
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
# the line through the other two points.
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
