"""Two variables: how closely they go together, the line, and what the line is good for.

Everything is batched: rows are the last axis, data sets stand side by side in the axes before.

Chapter: formulas/linear_regression
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind, check_float
from etude.formulas.linear_regression.distributions import student_quantile, student_tails

__all__ = [
    "CorrelationTest",
    "Interval",
    "Inverse",
    "Line",
    "correlation_test",
    "inverse_predict",
    "partial_correlation",
    "pearson",
    "ranks",
    "simple_ols",
    "spearman",
]

Rows = Float[Tensor, "*#batch rows"]


class CorrelationTest(NamedTuple):
    """A correlation, the test of "no correlation", and an interval for the true one."""

    r: Tensor
    t: Tensor
    pvalue: Tensor
    low: Tensor
    high: Tensor


class Interval(NamedTuple):
    """Where a value lies, at the level that was asked for."""

    low: Tensor
    high: Tensor


class Inverse(NamedTuple):
    """The x that belongs to a y, and the set of x that the data do not exclude.

    `low ≤ x ≤ high` as a rule. Where the slope is uncertain the set goes through infinity: then
    `low > high`, and it holds every x above `low` and every x below `high`. Where the slope says
    nothing it is the whole line, from −∞ to ∞.
    """

    estimate: Tensor
    low: Tensor
    high: Tensor

    @property
    def bounded(self) -> Tensor:
        """Whether the set is an interval with two ends."""
        return (self.low <= self.high) & self.low.isfinite() & self.high.isfinite()

    def contains(self, x: Tensor) -> Tensor:
        """Whether the data do not exclude `x`."""
        above, below = x >= self.low, x <= self.high
        return torch.where(self.low <= self.high, above & below, above | below)


@dataclass(frozen=True)
class Line:
    """A straight line through points, and how well the points know it."""

    intercept: Tensor
    slope: Tensor
    r: Tensor
    deviation: Tensor  # s, the standard deviation of the residuals
    x_mean: Tensor
    x_spread: Tensor  # Σ(x − x̄)²
    rows: int

    @property
    def r2(self) -> Tensor:
        """The share of the variance of y that the line explains."""
        return self.r.square()

    @property
    def stderr(self) -> Tensor:
        """The standard error of the slope."""
        # Eq. (slope-stderr)
        return self.deviation / self.x_spread.sqrt()

    @property
    def intercept_stderr(self) -> Tensor:
        """The standard error of the intercept: that of the line's height at x = 0."""
        return self._height_stderr(torch.zeros_like(self.x_mean))

    @property
    def tvalue(self) -> Tensor:
        """The slope, counted in standard errors."""
        return self.slope / self.stderr

    @property
    def pvalue(self) -> Tensor:
        """How likely a slope at least as steep is, were the true one 0."""
        return student_tails(self.tvalue, self.rows - 2)

    def predict(self, x: Tensor) -> Tensor:
        """The height of the line."""
        return self.intercept + self.slope * x

    def mean_interval(self, x: Tensor, level: float = 0.95) -> Interval:
        """Where the *mean* of all y at `x` lies."""
        half = student_quantile(level, self.rows - 2) * self._height_stderr(x)
        return Interval(self.predict(x) - half, self.predict(x) + half)

    def prediction_interval(self, x: Tensor, level: float = 0.95) -> Interval:
        """Where *one* new y at `x` lies: the line may be off, and the new point is off the line."""
        # Eq. (simple-prediction-interval)
        error = (self.deviation.square() + self._height_stderr(x).square()).sqrt()
        half = student_quantile(level, self.rows - 2) * error
        return Interval(self.predict(x) - half, self.predict(x) + half)

    def _height_stderr(self, x: Tensor) -> Tensor:
        distance = (x - self.x_mean).square() / self.x_spread
        return self.deviation * (1 / self.rows + distance).sqrt()


def pearson(x: Rows, y: Rows) -> Float[Tensor, "*batch"]:
    """The correlation of `x` and `y`, from −1 to 1; NaN where one of them is constant."""
    _check_pair(x, y, least=2)
    # Eq. (pearson)
    r = (_direction(x) * _direction(y)).sum(dim=-1)
    return r.clamp(-1, 1)  # rounding may step over the ends


def _direction(x: Tensor) -> Tensor:
    """The deviations from the mean, as a vector of length one."""
    deviation = x - x.mean(dim=-1, keepdim=True)
    # the mean of equal numbers is rounded, so a constant is told by its ends
    constant = x.amax(dim=-1, keepdim=True) == x.amin(dim=-1, keepdim=True)
    return (deviation / deviation.norm(dim=-1, keepdim=True)).masked_fill(constant, torch.nan)


def ranks(x: Float[Tensor, "*batch rows"]) -> Float[Tensor, "*batch rows"]:
    """1 for the smallest; equal numbers share the mean of their ranks."""
    ordered, x = x.sort(dim=-1).values, x.contiguous()
    below = torch.searchsorted(ordered, x)
    up_to = torch.searchsorted(ordered, x, right=True)
    return (below + up_to + 1).to(x.dtype) / 2


def spearman(x: Rows, y: Rows) -> Float[Tensor, "*batch"]:
    """The correlation of the ranks: 1 for every increasing relation, straight or not."""
    _check_pair(x, y, least=2)
    # Eq. (spearman)
    return pearson(ranks(x), ranks(y))


def correlation_test(x: Rows, y: Rows, level: float = 0.95) -> CorrelationTest:
    """Test "no correlation" by Student's t; bound the true one by Fisher's z."""
    rows = _check_pair(x, y, least=4)
    r = pearson(x, y)
    # Eq. (correlation-t)
    t = r * ((rows - 2) / (1 - r.square())).sqrt()
    half = torch.special.ndtri(r.new_tensor((1 + level) / 2)) / (rows - 3) ** 0.5
    # Eq. (fisher-z)
    z = r.atanh()
    return CorrelationTest(r, t, student_tails(t, rows - 2), (z - half).tanh(), (z + half).tanh())


def simple_ols(x: Rows, y: Rows) -> Line:
    """The line with the least sum of squared vertical distances."""
    rows = _check_pair(x, y, least=3)
    if (x.amax(dim=-1) == x.amin(dim=-1)).any():
        raise ValueError("x is constant: every slope through its mean fits equally well")
    x_mean, y_mean = x.mean(dim=-1), y.mean(dim=-1)
    dx, dy = x - x_mean[..., None], y - y_mean[..., None]
    x_spread = dx.square().sum(dim=-1)
    # Eq. (simple-line)
    slope = (dx * dy).sum(dim=-1) / x_spread
    intercept = y_mean - slope * x_mean
    residual = dy - slope[..., None] * dx
    deviation = (residual.square().sum(dim=-1) / (rows - 2)).sqrt()
    return Line(intercept, slope, pearson(x, y), deviation, x_mean, x_spread, rows)


def inverse_predict(line: Line, y: Tensor, level: float = 0.95) -> Inverse:
    """The x at which a new `y` was seen, with the interval of Fieller.

    Source: Fieller (1954); an x is kept when `y` lies in the prediction interval at x.
    """
    t = student_quantile(level, line.rows - 2)
    height = y - line.predict(line.x_mean)
    # Eq. (fieller)
    a = line.slope.square() - (t * line.stderr).square()
    c = height.square() - (t * line.deviation).square() * (1 + 1 / line.rows)
    root = ((height * line.slope).square() - a * c).sqrt()  # NaN when every x is kept
    low, high = ((height * line.slope + sign * root) / a for sign in (-1, 1))
    everything = root.isnan()
    return Inverse(
        line.x_mean + height / line.slope,
        (line.x_mean + low).masked_fill(everything, -torch.inf),
        (line.x_mean + high).masked_fill(everything, torch.inf),
    )


def partial_correlation(
    X: Float[Tensor, "*batch rows features"],
) -> Float[Tensor, "*batch features features"]:
    """The correlation of every pair of columns, given all the other columns."""
    check_float(X=X)
    sizes = bind(X=(X, "... rows features"))
    if sizes["rows"] <= sizes["features"]:
        raise ValueError(f"X has {sizes['rows']} rows, expected more than {sizes['features']}")
    _, root = torch.linalg.qr(_direction(X.mT).mT)
    left = root.diagonal(dim1=-2, dim2=-1).abs()  # NaN for a constant column
    if not (left > sizes["rows"] * torch.finfo(X.dtype).eps).all():
        raise ValueError("a column of X is constant, or a combination of the others")
    identity = torch.eye(sizes["features"], dtype=X.dtype, device=X.device)
    inverse_root = torch.linalg.solve_triangular(root, identity, upper=True)
    precision = inverse_root @ inverse_root.mT
    scale = precision.diagonal(dim1=-2, dim2=-1).rsqrt()
    # Eq. (partial-correlation)
    partial = -precision * scale[..., :, None] * scale[..., None, :]
    return partial + 2 * identity  # the formula leaves −1 where a column meets itself


def _check_pair(x: Tensor, y: Tensor, least: int) -> int:
    check_float(x=x, y=y)
    rows = bind(x=(x, "... rows"), y=(y, "... rows"))["rows"]
    if rows < least:
        raise ValueError(f"x has {rows} rows, expected at least {least}")
    return rows
