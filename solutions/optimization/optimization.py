# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Optimization algorithms: exercises
#
# {{total}} points, about {{minutes}} minutes. They go with the chapter *Optimization algorithms* and follow its order.
#
# **How it works.** Replace `raise NotImplementedError` by your code, run that cell, then run the check below it. The check
# shows what came, what was expected and the likely cause. The same cell, with more tests, gives the points later; each
# task says what those tests look at, and *tidiness* is the same everywhere: leave the arguments as they were, return
# tensors of the dtype and the device of the input, and cope with an input that is not contiguous.
# Stuck? Open the hints one by one.
#
# Gradients are given as tensors; $\alpha$ is the learning rate, $\odot$ the product of entries. No exercise needs autograd
# or `torch.optim`.

# %%
import math

import torch

# %% [markdown]
# ## 1 · Steps that are not all alike
#
# ●●○○○ · 25 minutes · {{points}}
#
# *Why it matters:* on a quadratic, a good *plan* of different steps beats the best constant one, and costs nothing more.
#
# **Task.** On $f = \frac12\theta^\top A\theta$ with curvatures between $\mu$ and $L$, $n$ steps of gradient descent with rates $\alpha_1, \dots, \alpha_n$ multiply
# the error along a curvature $\lambda$ by $\prod_i (1 - \alpha_i\lambda)$. The largest size of this product over $\mu \le \lambda \le L$ is smallest when its $n$ zeros $1/\alpha_i$
# are the Chebyshev points $\frac{L + \mu}2 + \frac{L - \mu}2\cos\frac{(2i - 1)\pi}{2n}$. Return the rates (n), the smallest first, and that largest size, the worst factor; it is the product's size at $\lambda = L$.
# `mu` and `L` are tensors with one number, $0 < \mu \le L$.
#
# Example: $\mu = 1$, $L = 9$, $n = 2$: zeros $5 \pm 2.828$, rates $(0.1277, 0.4605)$, factor $0.4706$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Some of these rates are above $2/L$. Does the error explode on the way?
#
# <details><summary>Answer</summary>
#
# It may grow for a while in the steep directions; the other rates of the same plan make up for it. With exact gradients
# all that counts is the product, so the order is free. With rounding, or noise, it is not.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "chebyshev_rates", "locked": false, "schema_version": 3, "solution": true}
def chebyshev_rates(mu: torch.Tensor, L: torch.Tensor, n: int) -> tuple[torch.Tensor, torch.Tensor]:
    """mu and L, tensors with one number: the n rates (n), ascending, and the worst factor of all n steps together ()."""
    ### BEGIN SOLUTION
    i = torch.arange(1, n + 1, dtype=mu.dtype, device=mu.device)
    zeros = (L + mu) / 2 + (L - mu) / 2 * torch.cos((2 * i - 1) * math.pi / (2 * n))
    rates = 1 / zeros
    return rates, (1 - rates * L).prod().abs()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "chebyshev_rates-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("chebyshev_rates", points=3, read="formulas/optimization#one-step-down", misconceptions={
    "all_alike": "all rates are 2/(L + μ): that is the best *constant* plan",
    "evenly_spaced": "the zeros were spread evenly between μ and L: Chebyshev points crowd at the ends",
    "zeros_returned": "the zeros came, not the rates: a rate is 1 over its zero",
    "points_of_rates": "the points were put between 1/L and 1/μ: the zeros of the product lie between μ and L",
    "whole_angles": "the angles are iπ/n: they are odd multiples of π/2n",
    "descending": "the largest rate came first",
    "one_step": "the factor of one step came: all n steps count together",
    "signed": "the worst factor has a sign: its size was asked for",
})


@task(0.5)
def the_worked_example():
    """Zeros first, then their reciprocals."""
    rates, factor = chebyshev_rates(torch.tensor(1.0), torch.tensor(9.0), 2)
    task.equal(rates, [0.12774, 0.46050], {
        "all_alike": [0.2, 0.2], "evenly_spaced": [1 / 9, 1.0], "zeros_returned": [7.82843, 2.17157],
        "descending": [0.46050, 0.12774], "points_of_rates": [0.24128, 0.86983], "whole_angles": [0.2, 1.0]}, name="rates", tolerance=1e-3)
    task.equal(factor, 0.470588, {"all_alike": 0.64, "one_step": 0.68597}, name="factor", tolerance=1e-3)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def plan(zeros, L, factor=None):
    rates = (1 / zeros).sort().values
    return rates, (1 - rates * L.double()).prod().abs() if factor is None else factor


def points(low, high, n, angles=None):
    k = torch.arange(1, n + 1).double()
    angles = (2 * k - 1) / (2 * n) if angles is None else angles
    return (low + high).double() / 2 + (high - low).double() / 2 * torch.cos(math.pi * angles)


def expected(mu, L, n):
    """The factor by Chebyshev's polynomial itself, 1 / T_n((L + μ) / (L − μ))."""
    rates, _ = plan(points(mu, L, n), L)
    gap = (L - mu).double()
    factor = 1 / torch.cosh(n * torch.acosh((L + mu).double() / gap)) if gap > 0 else torch.zeros(()).double()
    return rates, factor


@task.misconception(0)
def all_alike(mu, L, n):
    return plan(((L + mu) / 2).double().expand(n), L)


@task.misconception(0)
def evenly_spaced(mu, L, n):
    return plan(torch.linspace(float(mu), float(L), n).double(), L)


@task.misconception(0)
def zeros_returned(mu, L, n):
    return points(mu, L, n), expected(mu, L, n)[1]


@task.misconception(0)
def points_of_rates(mu, L, n):
    return plan(1 / points(1 / L, 1 / mu, n), L)


@task.misconception(0)
def whole_angles(mu, L, n):
    return plan(points(mu, L, n, torch.arange(1, n + 1).double() / n), L)


@task.misconception(0)
def descending(mu, L, n):
    rates, factor = expected(mu, L, n)
    return rates.flip(0), factor


@task.misconception(1.5)
def one_step(mu, L, n):
    rates, factor = expected(mu, L, n)
    return rates, factor ** (1 / n)


@task.misconception(2)
def signed(mu, L, n):
    rates, factor = expected(mu, L, n)
    return rates, (-1.0) ** n * factor


def valley():
    mu = task.randn(1)[0].exp()
    return mu, mu * (1 + 20 * task.randn(1)[0].abs())


@task(1)
def any_valley_and_number():
    """Odd multiples of π/2n, between μ and L."""
    for n in 1, 3, 4, 7:
        task.agree(chebyshev_rates, expected, *valley(), n, name=("rates", "factor"), parts=(0,), tolerance=1e-3)


@task(1, needs="any_valley_and_number")
def the_worst_factor():
    """The product over all n steps, its size; at both ends of the valley it is the same."""
    for n in 1, 2, 3, 5:
        task.agree(chebyshev_rates, expected, *valley(), n, name=("rates", "factor"), tolerance=2e-3)


@task(0.5, needs="any_valley_and_number")
def tidiness():
    mu, L = valley()
    task.tidy(chebyshev_rates, mu, L, 3)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# The $n$ zeros of the product are the $1/\alpha_i$. Put them where a polynomial of degree $n$ stays smallest between its ends.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Make the vector $i = 1, \dots, n$, from it the angles, the points, their reciprocals. The cosine falls, so the points fall and
# their reciprocals rise: the order is right already.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# zeros ← middle + half the width · cos(odd multiples of π/2n); rates ← 1/zeros; factor ← |product of (1 − rates·L)|
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for n = 1 only:* there the best constant plan is the best plan, 2/(L + μ).
#
# </details>
#
# **Go further** (no points). Turn a diagonal of 50 curvatures with κ = 10⁴ by a random orthogonal matrix, and run the 40 steps of n = 40 in float32, rates ascending, descending and shuffled. Which order survives, and why?

# %% [markdown]
# ## 2 · A batch with something of everything
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* a batch that takes its share from every group of the data is usually less noisy than one drawn from the whole; so are many data loaders built.
#
# **Task.** `g` (N, d) holds the gradient of each example, `group` (N) its group, integers $0 \dots S - 1$. A batch draws `take[s]` examples from group $s$, without replacement, and estimates the mean gradient by
# $\hat g = \sum_s \frac{N_s}N \bar g_s$, with $\bar g_s$ the mean of what it drew there. Return $\mathbb E\,\lVert\hat g - \bar g\rVert^2$, one number, where $\bar g$ is the mean of all gradients.
# Groups are independent; every group has $N_s \ge$ `take[s]` $\ge 1$.
#
# Example: $g = (0, 2, 5, 5, 8)$, groups $(0, 0, 1, 1, 1)$, take $(1, 2)$: $0.16\cdot1 + 0.36\cdot\frac12 \cdot 2\cdot\frac12 = 0.34$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** All examples of each group have the same gradient. How noisy is this batch, and how noisy one of the same size drawn from the whole?
#
# <details><summary>Answer</summary>
#
# This one is exact. The other is not: it does not know how many of each group it will get.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "grouped_noise", "locked": false, "schema_version": 3, "solution": true}
def grouped_noise(g: torch.Tensor, group: torch.Tensor, take: torch.Tensor) -> torch.Tensor:
    """g (N, d), group (N) and take (S), integers: the mean squared error of the batch's gradient, ()."""
    ### BEGIN SOLUTION
    error = g.new_zeros(())
    for s, b in enumerate(take.tolist()):
        mine = g[group == s]
        n = len(mine)
        spread = (mine - mine.mean(0)).square().sum() / n
        error = error + (n / len(g)) ** 2 * spread / b * (n - b) / max(n - 1, 1)
    return error
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "grouped_noise-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("grouped_noise", points=3, read="formulas/optimization#gradients-from-a-part-of-the-data", misconceptions={
    "with_replacement": "the factor (N − B)/(N − 1) is missing: without replacement no example comes twice",
    "sample_variance": "the variance was divided by N − 1: these are all the gradients of the group, divide by N",
    "plain_weights": "the share N_s/N stands unsquared: variances of multiples have squared factors",
    "ungrouped": "the groups were ignored: each group has a mean and a spread of its own",
    "around_the_whole": "spread was measured around the mean of all gradients: within a group, its own mean counts",
    "mean_over_coordinates": "a mean over the coordinates came: a squared length is their sum",
    "single_example": "a group with one example gave nan: it is known exactly",
})


@task(0.5)
def the_worked_example():
    """For each group: share squared, spread around its own mean, over what was taken, times the correction."""
    g = torch.tensor([[0.0], [2.0], [5.0], [5.0], [8.0]])
    task.equal(grouped_noise(g, torch.tensor([0, 0, 1, 1, 1]), torch.tensor([1, 2])), 0.34, {
        "with_replacement": 0.52, "sample_variance": 0.59, "plain_weights": 0.7, "ungrouped": 1.266667,
        "around_the_whole": 2.14}, name="error", tolerance=1e-3)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
import itertools


def law(g, group, take, corrected=True, ddof=0, power=2, center=None):
    g, total = g.double(), 0.0
    for s in range(len(take)):
        mine, b = g[group == s], int(take[s])
        n = len(mine)
        away = mine - (mine.mean(0) if center is None else center)
        spread = (away**2).sum() / max(n - ddof, 1)
        factor = (n - b) / (n - 1) if corrected and n > 1 else 0.0 if corrected else 1.0
        total = total + (n / len(g)) ** power * spread / b * factor
    return torch.as_tensor(total).double()


def expected(g, group, take):
    return law(g, group, take)


def by_enumeration(g, group, take):
    """Every batch that can be drawn, none weighing more than another."""
    g = g.double()
    rows = [torch.where(group == s)[0].tolist() for s in range(len(take))]
    draws = [list(itertools.combinations(r, int(b))) for r, b in zip(rows, take)]
    errors = []
    for batch in itertools.product(*draws):
        estimate = sum(len(r) / len(g) * g[list(b)].mean(0) for r, b in zip(rows, batch))
        errors.append(((estimate - g.mean(0)) ** 2).sum())
    return torch.stack(errors).mean()


@task.misconception(0)
def with_replacement(g, group, take):
    return law(g, group, take, corrected=False)


@task.misconception(0)
def sample_variance(g, group, take):
    return law(g, group, take, ddof=1)


@task.misconception(0)
def plain_weights(g, group, take):
    return law(g, group, take, power=1)


@task.misconception(0)
def ungrouped(g, group, take):
    return law(g, torch.zeros_like(group), take.sum()[None])


@task.misconception(0)
def around_the_whole(g, group, take):
    return law(g, group, take, center=g.double().mean(0))


@task.misconception(0.5)
def mean_over_coordinates(g, group, take):
    return law(g, group, take) / g.shape[1]


@task.misconception(2.5)
def single_example(g, group, take):
    alone = torch.bincount(group, minlength=len(take)) == 1
    return law(g, group, take) + (torch.nan if alone.any() else 0)


def data(*sizes, coordinates=3):
    group = torch.cat([torch.full((n,), s) for s, n in enumerate(sizes)])
    order = task.randn(len(group)).argsort()
    shifts = 3 * task.randn(len(sizes), coordinates)
    return (task.randn(len(group), coordinates) + shifts[group])[order], group[order]


@task(1.5)
def against_every_batch():
    """All batches that can be drawn were drawn; the mean of their squared errors must come."""
    for sizes, take in (((3, 4), (2, 1)), ((2, 3, 4), (1, 2, 2)), ((5,), (2,))):
        given = *data(*sizes), torch.tensor(take)
        task.agree(grouped_noise, by_enumeration(*given), *given, name="error", tolerance=1e-3)
    many = *data(30, 5, 17, 8, coordinates=6), torch.tensor((3, 1, 4, 2))
    task.agree(grouped_noise, expected, *many, name="error", tolerance=1e-3)


@task(0.5, needs="against_every_batch")
def whole_and_lonely_groups():
    """A group that is taken whole adds no noise; nor does one with a single example."""
    for sizes, take in (((4, 3), (4, 3)), ((1, 5), (1, 2)), ((6, 1, 2), (6, 1, 1))):
        task.agree(grouped_noise, expected, *data(*sizes), torch.tensor(take), name="error", tolerance=1e-3)


@task(0.5, needs="against_every_batch")
def tidiness():
    task.tidy(grouped_noise, *data(4, 6), torch.tensor([2, 3]))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Errors of independent groups add. Within a group it is the law of the chapter, for that group alone.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# For each group: its size, its mean, its spread (the sum of squared lengths over its size), the law without replacement, and
# the square of its share of the data.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# for each s: mine ← g of group s; spread ← mean of ‖mine − its mean‖²; error ← error + (N_s/N)² · spread/b · (N_s − b)/(N_s − 1)
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right when all groups have one size:* the shares are not 1/S in general.
#
# </details>
#
# **Go further** (no points). Which `take` with a given sum makes the noise smallest? (Neyman, 1934.) Compare it with shares in proportion to the groups.

# %% [markdown]
# ## 3 · A ball that stops when it rolls uphill
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* momentum that is too large overshoots and swings. Throwing the velocity away at the right moment needs no tuning.
#
# **Task.** Run heavy ball with restarts on $f(\theta) = \frac12\theta^\top A\theta - b^\top\theta$, `A` symmetric. Start at `theta` with $v = 0$. In each step: $g = A\theta - b$; if $\langle g, v\rangle < 0$, the ball would roll
# uphill, so $v \leftarrow 0$; then $v \leftarrow \beta v + g$ and $\theta \leftarrow \theta - \alpha v$. Return all points (steps + 1, d), the start first, and how many restarts there were.
#
# Example: $A = (1)$, $b = (0)$, $\theta = (1)$, $\alpha = 1$, $\beta = 0.5$, 4 steps: the points are $1, 0, -\frac12, 0, \frac14$; one restart, in the third step.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Without friction ($\beta = 1$) a heavy ball never stops. Does it with restarts?
#
# <details><summary>Answer</summary>
#
# Yes: each time it begins to climb it is stopped, and its speed is lost for good.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "restarted_ball", "locked": false, "schema_version": 3, "solution": true}
def restarted_ball(
    A: torch.Tensor, b: torch.Tensor, theta: torch.Tensor, lr: float, beta: float, steps: int
) -> tuple[torch.Tensor, int]:
    """A (d, d), b (d), theta (d): the points (steps + 1, d), and the number of restarts."""
    ### BEGIN SOLUTION
    points, v, restarts = [theta], torch.zeros_like(theta), 0
    for _ in range(steps):
        g = A @ theta - b
        if g @ v < 0:
            v, restarts = torch.zeros_like(v), restarts + 1
        v = beta * v + g
        theta = theta - lr * v
        points.append(theta)
    return torch.stack(points), restarts
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "restarted_ball-check", "locked": true, "points": 4, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("restarted_ball", points=4, read="formulas/optimization#a-memory-of-direction-momentum", misconceptions={
    "never": "the velocity was never thrown away: look at the sign of ⟨g, v⟩ before you add g",
    "other_sign": "the ball was stopped while it rolled downhill: v points uphill, against the motion, so uphill is ⟨g, v⟩ < 0",
    "at_rest": "v = 0 was taken for rolling uphill: only ⟨g, v⟩ < 0 is, 0 is not",
    "new_velocity": "⟨g, v⟩ was looked at after g was added: then g's own square hides the sign",
    "by_coordinate": "single coordinates of v were thrown away: one sum decides over all of v",
    "gradient_too": "the gradient was thrown away with the velocity: the step after a restart is one of gradient descent",
    "without_b": "the gradient is Aθ − b: b is missing",
    "stale_gradient": "the gradient was computed once, or one point too late: take it at the present θ",
    "no_start": "the start is missing in the points",
})


@task(0.5)
def the_worked_example():
    """First the gradient, then the sign of ⟨g, v⟩, then the new v, then the step."""
    points, restarts = restarted_ball(torch.eye(1), torch.zeros(1), torch.ones(1), 1.0, 0.5, 4)
    task.equal(points, [[1.0], [0], [-0.5], [0], [0.25]], {
        "never": [[1.0], [0], [-0.5], [-0.25], [0.125]], "gradient_too": [[1.0], [0], [-0.5], [-0.5], [0]],
        "at_rest": [[1.0], [0], [0], [0], [0]], "no_start": [[0.0], [-0.5], [0], [0.25]]}, name="points")
    task.equal(restarts, 1, {"never": 0}, name="restarts")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def run(A, b, theta, lr, beta, steps, uphill=None, zero=None, slope=None, keep=True):
    A, b, theta = A.double(), b.double(), theta.double()
    slope = slope or (lambda theta, path: A.mv(theta) - b)
    uphill = uphill or (lambda g, v: (g * v).sum() < 0)
    points, v, restarts = [theta], torch.zeros_like(theta), 0
    for _ in range(steps):
        g = slope(theta, points)
        if uphill(g, v):
            restarts += 1
            v, g = zero(g, v) if zero else (v * 0, g)
        v = beta * v + g
        theta = theta - lr * v
        points.append(theta)
    return torch.stack(points if keep else points[1:]), restarts


def expected(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps)


@task.misconception(0)
def never(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, uphill=lambda g, v: False)


@task.misconception(0)
def other_sign(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, uphill=lambda g, v: (g * v).sum() > 0)


@task.misconception(2.75)
def at_rest(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, uphill=lambda g, v: (g * v).sum() <= 0)


@task.misconception(0)
def new_velocity(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, uphill=lambda g, v: (g * (beta * v + g)).sum() < 0)


@task.misconception(0.5)
def by_coordinate(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, uphill=lambda g, v: (g * v).min() < 0,
               zero=lambda g, v: (v.where(g * v >= 0, 0), g))


@task.misconception(0)
def gradient_too(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, zero=lambda g, v: (v * 0, g * 0))


@task.misconception(0.5)
def without_b(A, b, theta, lr, beta, steps):
    return run(A, 0 * b, theta, lr, beta, steps)


@task.misconception(0)
def stale_gradient(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, slope=lambda now, path: A.double().mv(path[max(len(path) - 2, 0)]) - b)


@task.misconception(0)
def no_start(A, b, theta, lr, beta, steps):
    return run(A, b, theta, lr, beta, steps, keep=False)


def valley(d, condition=30.0):
    axes = torch.linalg.qr(task.randn(d, d))[0]
    A = axes @ torch.diag(torch.logspace(0, torch.tensor(condition).log10().item(), d)) @ axes.T
    return (A + A.T) / 2, task.randn(d), 3 * task.randn(d)


@task(1.5)
def points_of_any_valley():
    """Several coordinates, b not zero, many restarts: five lines in their order."""
    for d, beta in ((2, 0.9), (4, 0.97), (3, 1.0)):
        task.agree(restarted_ball, expected, *valley(d), 0.03, beta, 60, name=("points", "restarts"), parts=(0,), tolerance=1e-3)


@task(0.75, needs="points_of_any_valley")
def the_number_of_restarts():
    """Count a restart whenever the velocity is thrown away; the first step, where v is 0, is none."""
    for d, beta in ((2, 0.95), (5, 0.99)):
        task.agree(restarted_ball, expected, *valley(d), 0.03, beta, 80, name=("points", "restarts"), tolerance=1e-3)


@task(0.5, needs="points_of_any_valley")
def no_step_and_no_momentum():
    """Without steps the start is all; without momentum it is gradient descent."""
    task.agree(restarted_ball, expected, *valley(3), 0.03, 0.9, 0, name=("points", "restarts"), tolerance=1e-3)
    task.agree(restarted_ball, expected, *valley(3), 0.03, 0.0, 20, name=("points", "restarts"), parts=(0,), tolerance=1e-3)


@task(0.75, needs="points_of_any_valley")
def points_in_the_precision_of_theta():
    """Make new tensors from theta: `torch.zeros_like(theta)`, `torch.stack`."""
    given = valley(3)
    for dtype in torch.float32, torch.float64:
        points, _ = restarted_ball(*(one.to(dtype) for one in given), 0.02, 0.9, 6)
        task.equal(points.dtype, dtype, name="points.dtype")
    task.equal(points, expected(*given, 0.02, 0.9, 6)[0], name="points")
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# The motion is $-v$. It climbs when $\langle g, -v\rangle > 0$.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# A loop of five lines. Look at the sign with the *new* gradient and the *old* velocity, before you mix them.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# g ← Aθ − b; if g·v < 0: v ← 0, count; v ← βv + g; θ ← θ − αv; append θ
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *The points are all alike:* the same tensor was appended and then changed in place.
#
# </details>
#
# **Go further** (no points). With β = 1 and restarts, how many steps does a valley of κ = 10⁴ need, compared with the best heavy ball of the chapter?

# %% [markdown]
# ## 4 · Adam for rows that come now and then
#
# ●●●●○ · 35 minutes · {{points}}
#
# *Why it matters:* in an embedding only the rows of the words in the batch have a gradient. Ordinary Adam would go on moving the others, and its bias correction would be wrong for rare words.
#
# **Task.** `p`, `m`, `v` are (n, d), `count` (n) says how often each row was updated. A batch brings `values` (k, d) for `rows` (k); gradients of a row that stands several times are summed first.
# Only rows that stand in `rows` change: their count grows by 1, and with a row's *own* new count $t$
#
# $m \leftarrow \beta_1m + (1 - \beta_1)g$, $\;v \leftarrow \beta_2v + (1 - \beta_2)g^2$, $\;p \leftarrow p - \alpha\,\frac{m/(1 - \beta_1^t)}{\sqrt{v/(1 - \beta_2^t)} + \epsilon}$.
#
# Return the new `p`, `m`, `v`, `count`.
#
# Example: one row of one number, $p = 1$, $m = v = 0$, count 0, values $(2)$ and $(1)$ for row 0, $\alpha = 0.1$, $\beta_1 = 0.9$, $\beta_2 = 0.99$: $g = 3$, $m = 0.3$, $v = 0.09$, $p = 0.9$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** A row gets its first gradient in step 1000. How long is its step, if the bias is corrected with 1000 instead of 1?
#
# <details><summary>Answer</summary>
#
# $m = 0.1g$ and $v = 0.01g^2$ (with $\beta_2 = .99$) give, uncorrected after many steps, $\alpha\cdot0.1/0.1 = \alpha$: the two errors happen to cancel. With $\beta_2 = 0.999$ and $t = 1000$, $1 - \beta_2^t \approx 0.63$ and the step is $\alpha\cdot0.1/\sqrt{0.001/0.63} \approx 2.5\alpha$.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "rowwise_adam", "locked": false, "schema_version": 3, "solution": true}
def rowwise_adam(
    p: torch.Tensor, m: torch.Tensor, v: torch.Tensor, count: torch.Tensor, rows: torch.Tensor, values: torch.Tensor,
    lr: float, beta1: float, beta2: float, eps: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """p, m, v (n, d), count (n) integers, rows (k) integers, values (k, d): the new p, m, v and count."""
    ### BEGIN SOLUTION
    seen, place = rows.unique(return_inverse=True)
    g = values.new_zeros(len(seen), values.shape[1]).index_add(0, place, values)
    p, m, v, count = p.clone(), m.clone(), v.clone(), count.clone()
    count[seen] += 1
    m[seen] = beta1 * m[seen] + (1 - beta1) * g
    v[seen] = beta2 * v[seen] + (1 - beta2) * g.square()
    t = count[seen, None].to(p.dtype)
    p[seen] -= lr * (m[seen] / (1 - beta1**t)) / ((v[seen] / (1 - beta2**t)).sqrt() + eps)
    return p, m, v, count
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "rowwise_adam-check", "locked": true, "points": 4, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("rowwise_adam", points=4, read="formulas/optimization#adam", misconceptions={
    "one_clock": "one count served for all rows: each row corrects its bias with its own",
    "old_count": "the bias was corrected with the count before this update: the first update has t = 1",
    "all_decay": "m and v of rows without a gradient decayed: what is not in `rows` stays as it is",
    "last_wins": "of a row that stands several times only one gradient was used: they are summed",
    "each_in_turn": "a row that stands several times was updated several times: sum first, update once",
    "eps_inside": "eps stands inside the root: it is added after it",
    "uncorrected": "the bias correction is missing: m and v begin at 0",
    "uncorrected_v": "v is not corrected: divide it by 1 − β₂ᵗ, too",
    "squared_sum": "the squares of single gradients were added up: v gets the square of the sum",
})


@task(0.75)
def the_worked_example():
    """Sum the row's gradients, count, then Adam with t = 1."""
    zero = torch.zeros(1, 1)
    p, m, v, count = rowwise_adam(torch.ones(1, 1), zero, zero.clone(), torch.tensor([0]), torch.tensor([0, 0]),
                                  torch.tensor([[2.0], [1.0]]), 0.1, 0.9, 0.99, 1e-8)
    task.equal(m, [[0.3]], {"last_wins": [[0.1]], "each_in_turn": [[0.28]]}, name="m")
    task.equal(v, [[0.09]], {"squared_sum": [[0.05]]}, name="v")
    task.equal(p, [[0.9]], {"uncorrected_v": [[0.0]], "squared_sum": [[0.865836]]}, name="p")
    task.equal(count, [1], {"each_in_turn": [2]}, name="count")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def one_row(p, m, v, t, gradients, lr, beta1, beta2, eps, inside=False, correct=(True, True), squares=False):
    g = sum(gradients)
    m = m + (1 - beta1) * (g - m)
    v = v + (1 - beta2) * ((sum(one**2 for one in gradients) if squares else g**2) - v)
    a = m / (1 - beta1**t) if correct[0] else m
    b = v / (1 - beta2**t) if correct[1] else v
    return p - lr * a / ((b + eps).sqrt() if inside else b.sqrt() + eps), m, v


def by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, clock=lambda t, count: t, pick=lambda g: g, in_turn=False, **how):
    p, m, v, values = (one.double().clone() for one in (p, m, v, values))
    count, total = count.clone(), int(count.max()) + 1
    for row in sorted(set(rows.tolist())):
        gradients = pick([values[k] for k in range(len(rows)) if rows[k] == row])
        for some in [[g] for g in gradients] if in_turn else [gradients]:
            count[row] += 1
            t = clock(int(count[row]), total)
            p[row], m[row], v[row] = one_row(p[row], m[row], v[row], t, some, lr, beta1, beta2, eps, **how)
    return p, m, v, count


def expected(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps)


@task.misconception(0.75)
def one_clock(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, clock=lambda t, total: total)


@task.misconception(0)
def old_count(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, clock=lambda t, total: t - 1)


@task.misconception(0.75)
def all_decay(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    new_p, new_m, new_v, new_count = expected(p, m, v, count, rows, values, lr, beta1, beta2, eps)
    still = torch.ones(len(p), 1, dtype=torch.bool)
    still[rows] = False
    return new_p, torch.where(still, beta1 * new_m, new_m), torch.where(still, beta2 * new_v, new_v), new_count


@task.misconception(2.5)
def last_wins(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, pick=lambda g: g[-1:])


@task.misconception(2.5)
def each_in_turn(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, in_turn=True)


@task.misconception(3.25)
def eps_inside(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, inside=True)


@task.misconception(0.75)
def uncorrected(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, correct=(False, False))


@task.misconception(0)
def uncorrected_v(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, correct=(True, False))


@task.misconception(2.5)
def squared_sum(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    return by_row(p, m, v, count, rows, values, lr, beta1, beta2, eps, squares=True)


NAMES = "p", "m", "v", "count"


def table(n, rows, d=3):
    """A table in the middle of its training."""
    count = torch.tensor([task.randint(0, 5) for _ in range(n)])
    rows = torch.tensor(rows)
    m, v = 0.3 * task.randn(n, d), task.randn(n, d).square()
    return task.randn(n, d), m, v, count, rows, task.randn(len(rows), d), 0.1, 0.8, 0.98


@task(1.25)
def rows_once():
    """Each row by its own count; the others stay to the last bit."""
    for rows in ([4, 0, 2], [1], [5, 3, 0, 2]):
        task.agree(rowwise_adam, expected, *table(6, rows), 1e-8, name=NAMES, tolerance=1e-3)


@task(0.75, needs="rows_once")
def rows_several_times():
    """Sum the gradients of equal rows, then one update."""
    for rows in ([2, 2, 0, 2], [1, 3, 1, 3, 3, 4]):
        task.agree(rowwise_adam, expected, *table(5, rows), 1e-8, name=NAMES, tolerance=1e-3)


@task(0.75, needs="rows_once")
def a_large_eps():
    """It is added to the root, not under it."""
    for rows in ([0, 2], [3, 1]):
        task.agree(rowwise_adam, expected, *table(4, rows), 0.5, name=NAMES, tolerance=1e-3)


@task(0.25, needs="rows_once")
def no_rows():
    """A batch without rows changes nothing."""
    p, m, v, count, _, values, *options = table(4, [0])
    task.agree(rowwise_adam, expected, p, m, v, count, torch.zeros(0, dtype=torch.long), values[:0], *options, 1e-8, name=NAMES)


@task(0.25, needs="rows_once")
def tidiness():
    task.tidy(rowwise_adam, *table(5, [3, 1, 3]), 1e-8)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Reduce the batch first to one gradient for each row that occurs. The rest is Adam on these rows.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# `unique` gives the rows that occur and, with `return_inverse`, where each value belongs; `index_add` sums. Index `p`, `m`, `v`, `count`
# with the same rows, on copies. `t` needs an axis for the columns.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# seen, place ← unique rows; g ← sums by place; on the rows `seen` of copies: count + 1; m; v; p with t = the new count
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *A row with count 0 gives nan:* the count was used before it grew.
#
# </details>
#
# **Go further** (no points). Compare with ordinary Adam on a table of 1000 words whose frequencies fall like 1/rank: how far do rare rows travel without a gradient?

# %% [markdown]
# ## 5 · Decay as the paper has it
#
# ●●○○○ · 20 minutes · {{points}}
#
# *Why it matters:* the learning rate of torch also scales its weight decay; in the paper it does not. Who copies one number from the other trains another model.
#
# **Task.** Do one step of AdamW in the form of Loshchilov and Hutter's Algorithm 2. `theta`, `g`, `m`, `v` have one shape, `decayed` says where weights decay (biases do not), `t` counts from 1, `eta` is the schedule's multiplier:
#
# $m \leftarrow \beta_1m + (1 - \beta_1)g$, $\;v \leftarrow \beta_2v + (1 - \beta_2)g^2$, $\;\theta \leftarrow \theta - \eta\left(\alpha\frac{\hat m}{\sqrt{\hat v} + \epsilon} + \lambda\theta\right)$,
#
# with $\hat m = m/(1 - \beta_1^t)$, $\hat v = v/(1 - \beta_2^t)$, and $\lambda\theta$ only where `decayed`. Use $\beta_1 = 0.9$, $\beta_2 = 0.999$, $\epsilon = 10^{-8}$. Return $\theta$, $m$, $v$.
#
# Example: $\theta = (1, 1)$, $g = (2, 2)$, $m = v = 0$, $t = 1$, $\alpha = 0.1$, $\lambda = 0.2$, $\eta = 0.5$, `decayed` $= (1, 0)$: $\theta = (0.85, 0.95)$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Two weights have the same size; one has gradients a thousand times larger. Which of them does L2 in Adam shrink more? And decoupled decay?
#
# <details><summary>Answer</summary>
#
# L2 shrinks the one with small gradients more, because it is divided by their size like everything else. Decoupled decay treats both alike.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "paper_adamw", "locked": false, "schema_version": 3, "solution": true}
def paper_adamw(
    theta: torch.Tensor, g: torch.Tensor, m: torch.Tensor, v: torch.Tensor, t: int,
    lr: float, decay: float, eta: float, decayed: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """theta, g, m, v of one shape, decayed of that shape, bool: the new theta, m and v."""
    ### BEGIN SOLUTION
    m = 0.9 * m + 0.1 * g
    v = 0.999 * v + 0.001 * g.square()
    step = lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
    return theta - eta * (step + decay * theta.where(decayed, 0)), m, v
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "paper_adamw-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("paper_adamw", points=3, read="formulas/optimization#adam", misconceptions={
    "as_torch": "the learning rate α scales the decay: here only η does",
    "everywhere": "everything decayed: only what is marked does",
    "nothing": "nothing decayed",
    "l2": "the decay was added to the gradient: then Adam divides it by the gradient's size, which is L2",
    "not_scheduled": "η does not scale the decay: it scales both parts",
    "after": "the decay acts on θ after Adam's step: both parts see the old θ",
    "not_corrected": "the bias correction is missing",
    "exchanged": "what is not marked decayed: the mask is the other way round",
    "eps_inside": "eps stands inside the root: it is added after it",
})


@task(0.5)
def the_worked_example():
    """η times the sum of Adam's step and the decay of the marked weights."""
    two = torch.full((2,), 2.0)
    theta, m, v = paper_adamw(torch.ones(2), two, torch.zeros(2), torch.zeros(2), 1, 0.1, 0.2, 0.5, torch.tensor([True, False]))
    task.equal(m, [0.2, 0.2], {"l2": [0.22, 0.2]}, name="m")
    task.equal(theta, [0.85, 0.95], {
        "as_torch": [0.94, 0.95], "everywhere": [0.85, 0.85], "nothing": [0.95, 0.95], "not_scheduled": [0.75, 0.95],
        "after": [0.855, 0.95], "exchanged": [0.95, 0.85], "not_corrected": [0.741886, 0.841886]}, name="theta")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def step(theta, g, m, v, t, lr, scheduled, correct=True, inside=False):
    """Adam's own step, in float64: torch.optim agrees, but its first step imports a compiler."""
    g, m, v = (one.double() for one in (g, m, v))
    new_m, new_v = m.lerp(g, 0.1), v.lerp(g * g, 0.001)
    c1, c2 = (1 - 0.9**t, 1 - 0.999**t) if correct else (1, 1)
    size = (new_v / c2 + 1e-8).sqrt() if inside else (new_v / c2).sqrt() + 1e-8
    return -scheduled * lr * (new_m / c1) / size, new_m, new_v


def expected(theta, g, m, v, t, lr, decay, eta, decayed, factor=None, before=True, correct=True, inside=False):
    way, new_m, new_v = step(theta, g, m, v, t, lr, eta, correct, inside)
    old = theta.double()
    shrink = (eta * decay if factor is None else factor) * torch.where(decayed, 1.0, 0.0)
    return (old + way - shrink * old if before else (old + way) * (1 - shrink)), new_m, new_v


@task.misconception(0)
def as_torch(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, decayed, eta * lr * decay)


@task.misconception(0)
def everywhere(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, torch.ones_like(decayed))


@task.misconception(0)
def nothing(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, torch.zeros_like(decayed))


@task.misconception(0)
def l2(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g + decay * theta * decayed, m, v, t, lr, 0.0, eta, decayed)


@task.misconception(0)
def not_scheduled(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, decayed, decay)


@task.misconception(0)
def after(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, decayed, before=False)


@task.misconception(0)
def not_corrected(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, decayed, correct=False)


@task.misconception(0)
def exchanged(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, ~decayed)


@task.misconception(2.5)
def eps_inside(theta, g, m, v, t, lr, decay, eta, decayed):
    return expected(theta, g, m, v, t, lr, decay, eta, decayed, inside=True)


NAMES = "theta", "m", "v"


def moment(*shape):
    """The middle of a training."""
    return task.randn(*shape), task.randn(*shape), 0.5 * task.randn(*shape), task.randn(*shape).square()


@task(1.5)
def any_moment():
    """Both parts see the old θ, and η scales both."""
    for shape, t, lr, decay, eta in (((5,), 3, 0.2, 0.1, 0.7), ((2, 3), 40, 0.05, 0.3, 1.0), ((4, 2), 1, 0.3, 0.05, 0.25)):
        mask = task.randn(*shape) > 0
        task.agree(paper_adamw, expected, *moment(*shape), t, lr, decay, eta, mask, name=NAMES, tolerance=1e-3)


@task(0.5, needs="any_moment")
def nothing_to_do():
    """With η = 0 the weights stay, and the moments go on; with λ = 0 it is Adam, for tiny gradients too."""
    mask = torch.tensor([True, False, True])
    task.agree(paper_adamw, expected, *moment(3), 7, 0.1, 0.2, 0.0, mask, name=NAMES, tolerance=1e-3)
    task.agree(paper_adamw, expected, *moment(3), 7, 0.1, 0.0, 0.5, mask, name=NAMES, tolerance=1e-3)
    theta, g, m, v = moment(3)
    task.agree(paper_adamw, expected, theta, 1e-4 * g, 0 * m, 0 * v, 1, 0.1, 0.0, 0.5, mask, name=NAMES, tolerance=1e-3)


@task(0.5, needs="any_moment")
def tidiness():
    task.tidy(paper_adamw, *moment(2, 3), 4, 0.1, 0.2, 0.5, torch.tensor([[True, False, True], [False, True, True]]))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two arrows are added and then scaled by η: Adam's step, and the way home to zero.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Compute the new moments, correct both, divide. Where `decayed` is false, the second arrow is 0: `theta.where(decayed, 0)`.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# m, v ← running means; step ← α m̂/(√v̂ + ε); θ ← θ − η (step + λ θ where decayed)
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right at t = 1 only for m and v of zero:* the powers of β are powers of t, not of t − 1.
#
# </details>
#
# **Go further** (no points). For which λ′ does torch's `AdamW(weight_decay=λ′)` with rate ηα take exactly this step? What happens to it when α is halved?

# %% [markdown]
# ## 6 · Warm up, hold, cool down
#
# ●●○○○ · 20 minutes · {{points}}
#
# *Why it matters:* this schedule needs no end that is known in advance: hold as long as you like, and cool down when you must stop. Large language models are trained so.
#
# **Task.** Return the learning rate at each step of `t` (integers, any shape), for a run of `total` steps. In the first `warm` steps it rises from 0 by equal amounts, $\alpha\,\frac{t + 1}{\text{warm}}$, so that step warm − 1 has the full
# $\alpha$. It stays there. In the last `cool` steps, $\text{total} - \text{cool} \le t < \text{total}$, it is $\alpha\left(1 - (1 - r)\sqrt{u}\right)$ with $u = \frac{t + 1 - (\text{total} - \text{cool})}{\text{cool}}$, so that the last step has $r\alpha$. From step `total` on it is $r\alpha$, also if `cool` is 0; warm + cool ≤ total.
# Either phase may have no steps. Return float32.
#
# Example: $\alpha = 1$, warm 2, cool 4, total 8, $r = 0$, steps $0, 1, 3, 4, 7, 9$: $0.5, 1, 1, 0.5, 0, 0$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Linear or square root: which of the two cools faster at first?
#
# <details><summary>Answer</summary>
#
# The square root: after a quarter of the time it has done half of the way.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "trapezoid", "locked": false, "schema_version": 3, "solution": true}
def trapezoid(t: torch.Tensor, lr: float, warm: int, cool: int, total: int, r: float) -> torch.Tensor:
    """t, integers of any shape: the learning rate at each, float32, of that shape."""
    ### BEGIN SOLUTION
    t = t.to(torch.float32)
    rate = torch.full_like(t, lr)
    if warm:
        rate = rate * ((t + 1) / warm).clamp(max=1)
    if cool:
        u = ((t + 1 - (total - cool)) / cool).clamp(0, 1)
        return rate * (1 - (1 - r) * u.sqrt())
    return rate.where(t < total, lr * r)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "trapezoid-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("trapezoid", points=3, read="formulas/optimization#schedules-and-clipping", misconceptions={
    "starts_at_zero": "warming up is one step late: step 0 has α/warm, a rate of 0 would waste it",
    "cools_late": "cooling down is one step late: the last step of the run has rα",
    "linear": "the rate falls linearly: it is the square root of u",
    "to_zero": "it cools down to 0: the floor is rα",
    "climbs_again": "after the end the rate is not rα: it stays at the floor",
    "no_warmth": "with warm = 0 the rate is nan or 0: then it is α from the first step",
    "cosine": "a cosine came: the square root of u was asked for",
})


@task(0.5)
def the_worked_example():
    """Count the steps of each phase from 1."""
    t = torch.tensor([0, 1, 3, 4, 7, 9])
    task.equal(trapezoid(t, 1.0, 2, 4, 8, 0.0), [0.5, 1, 1, 0.5, 0, 0], {
        "starts_at_zero": [0, 0.5, 1, 0.5, 0, 0], "cools_late": [0.5, 1, 1, 1, 0.133975, 0],
        "linear": [0.5, 1, 1, 0.75, 0, 0], "cosine": [0.5, 1, 1, 0.853553, 0, 0]}, name="rate")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def plan(t, lr, warm, cool, total, r, first=1, late=0, fall=math.sqrt, beyond=True):
    """Step by step, in plain Python."""
    def rate(step):
        if step >= total:
            return lr * r if beyond else lr
        if step >= total - cool and cool:
            u = min(max((step + 1 - late - (total - cool)) / cool, 0.0), 1.0)
            return lr * (1 - (1 - r) * fall(u))
        return lr * min(1.0, (step + first) / warm) if warm else lr
    return torch.tensor([rate(step) for step in t.flatten().tolist()]).reshape(t.shape)


def expected(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, r)


@task.misconception(0)
def starts_at_zero(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, r, first=0)


@task.misconception(0)
def cools_late(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, r, late=1)


@task.misconception(0)
def linear(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, r, fall=lambda u: u)


@task.misconception(0.5)
def to_zero(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, 0.0)


@task.misconception(1)
def climbs_again(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, r, beyond=False)


@task.misconception(2.5)
def no_warmth(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, r) * (1 if warm else torch.nan)


@task.misconception(0)
def cosine(t, lr, warm, cool, total, r):
    return plan(t, lr, warm, cool, total, r, fall=lambda u: (1 - math.cos(math.pi * u)) / 2)


@task(1)
def a_whole_run():
    """Every step of it: three phases, and the floor at the end."""
    for lr, warm, cool, total, r in ((0.3, 5, 12, 40, 0.1), (2.0, 1, 3, 9, 0.5), (0.01, 30, 20, 60, 0.0)):
        task.agree(trapezoid, expected, torch.arange(total), lr, warm, cool, total, r, name="rate", tolerance=1e-3)


@task(0.5, needs="a_whole_run")
def after_the_end():
    """It stays at the floor, however long."""
    for lr, warm, cool, total, r in ((0.5, 3, 6, 20, 0.2), (1.5, 2, 2, 10, 0.7)):
        task.agree(trapezoid, expected, torch.arange(total - 2, total + 50), lr, warm, cool, total, r, name="rate", tolerance=1e-3)


@task(0.5, needs="a_whole_run")
def without_a_phase():
    """No steps to warm up, none to cool down, or neither."""
    for warm, cool in ((0, 5), (4, 0), (0, 0), (3, 7)):
        task.agree(trapezoid, expected, torch.arange(14), 0.8, warm, cool, 10, 0.3, name="rate", tolerance=1e-3)


@task(0.5, needs="a_whole_run")
def tidiness():
    """The shape of t, float32, and t as it was."""
    t = torch.tensor([[0, 9], [4, 2], [7, 30]])
    before = t.clone()
    rate = trapezoid(t.T, 0.4, 3, 4, 10, 0.25)
    task.equal(rate, plan(t.T, 0.4, 3, 4, 10, 0.25), name="rate")
    task.equal(t, before, name="t after the call")
    task.equal(rate.dtype, torch.float32, name="rate.dtype")
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Three pieces; each is a line with clamped ends, or its root.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Work with the whole tensor: the rise is `((t + 1) / warm).clamp(max=1)`, the fall a function of $u$ clamped to $[0, 1]$, and the rate is their product with α. Mind a phase of no steps: no division by 0.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# rise ← min(1, (t + 1)/warm), or 1; u ← clamp((t + 1 − (total − cool))/cool, 0, 1), or, without cooling, 1 from total on and 0 before; rate ← α · rise · (1 − (1 − r)√u)
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right up to the end, wrong after it, without cooling:* then the rate drops to the floor at once.
#
# </details>
#
# **Go further** (no points). Train the digits of the chapter with this schedule and with a cosine. Stop both at half the time: what can you still do with each?
