"""Several variables: least squares by QR, and what the residuals say about the coefficients.

Chapter: formulas/linear_regression
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etude.core.errors import ShapeError
from etude.core.estimator import Regressor
from etude.core.shapes import Matrix, Targets, bind, check_float
from etude.formulas.linear_regression.distributions import (
    f_tail,
    student_quantile,
    student_tails,
)
from etude.formulas.linear_regression.simple import Interval

__all__ = ["Anova", "LinearRegression", "anova", "factor", "lstsq", "vif"]


class Anova(NamedTuple):
    """Does the larger model explain more than chance would?"""

    gain: Tensor  # what the residual sum of squares falls by
    degrees: int  # how many coefficients that took
    residual: Tensor  # the residual sum of squares of the larger model
    residual_degrees: int
    f: Tensor
    pvalue: Tensor


def factor(
    X: Float[Tensor, "*batch rows terms"], names: list[str] | None = None
) -> tuple[Float[Tensor, "*batch rows terms"], Float[Tensor, "*batch terms terms"]]:
    """X = QR: columns at right angles, and the triangle that mixes them back.

    Raises:
        ShapeError: there are fewer rows than columns.
        ValueError: a column is a combination of the columns before it; it is named.
    """
    check_float(X=X)
    sizes = bind(X=(X, "... rows terms"))
    rows, terms = sizes["rows"], sizes["terms"]
    if rows < terms:
        came = "one sample" if rows == 1 else f"{rows} rows"
        raise ShapeError(f"X has {came}, expected at least {terms}, one for every column")
    Q, R = torch.linalg.qr(X)
    left = R.diagonal(dim1=-2, dim2=-1).abs()  # of a column, when those before it are taken out
    rounding = 10 * rows * torch.finfo(X.dtype).eps * X.norm(dim=-2)
    dependent = (left <= rounding).reshape(-1, terms).any(dim=0).nonzero().flatten().tolist()
    if dependent:
        names = names or [f"column {column}" for column in range(terms)]
        which = ", ".join(names[column] for column in dependent)
        raise ValueError(
            f"X has rank {terms - len(dependent)}, expected {terms}: "
            f"{which} can be combined from the columns before"
        )
    return Q, R


def lstsq(X: Float[Tensor, "*batch rows terms"], y: Tensor) -> Tensor:
    """The coefficients with the least ‖y − Xβ‖², for one response or for several side by side."""
    check_float(y=y)
    several = y.ndim == X.ndim
    bind(X=(X, "... rows terms"), y=(y, "... rows targets" if several else "... rows"))
    Q, R = factor(X)
    # Eq. (least-squares-qr)
    return _solve(R, Q.mT @ y) if several else _solve(R, Q.mT @ y[..., None])[..., 0]


@dataclass(repr=False, eq=False)
class LinearRegression(Regressor):
    """The plane with the least sum of squared residuals, and how well the data know it.

    Learned:
        coef_                 (features,)  the slopes
        intercept_            ()           the height at zero; 0 without `fit_intercept`
        stderr_               (features,)  standard errors of the slopes
        intercept_stderr_     ()           that of the intercept
        tvalues_, pvalues_    (features,)  slopes in standard errors, and the test of "it is 0"
        r2_, adjusted_r2_     ()           the share of variance explained, plain and corrected
        residuals_            (rows,)
        residual_variance_    ()           s², unbiased; NaN when there are as many terms as rows
        residual_degrees_                  rows less terms
        leverage_             (rows,)      how much a row's own response moves its fitted value
        cooks_distance_       (rows,)      how much the fit would move without the row
    """

    fit_intercept: bool = True

    def fit(self, X: Matrix, y: Targets) -> "LinearRegression":
        """Solve by QR; read every standard error and leverage off the same Q and R."""
        design = self._design(X)
        rows, terms = design.shape
        Q, R = factor(design, self._names())
        # Eq. (least-squares-qr)
        beta = _solve(R, Q.mT @ y[:, None])[:, 0]
        self.residuals_ = y - design @ beta
        self.residual_degrees_ = rows - terms
        sse = self.residuals_.square().sum()
        self.residual_variance_ = sse / (self.residual_degrees_ or torch.nan)
        # Eq. (leverage)
        self.leverage_ = Q.square().sum(dim=1)
        self._inverse_root = _solve(R, torch.eye(terms, dtype=X.dtype, device=X.device))
        self._name_coefficients(beta)
        self._weigh_rows(terms)
        self._share_variance(sse, y)
        return self

    def predict(self, X: Matrix) -> Targets:
        """The height of the plane."""
        return X @ self.coef_ + self.intercept_

    def mean_interval(self, X: Matrix, level: float = 0.95) -> Interval:
        """Where the *mean* response at each row lies."""
        return self._interval(X, self._distance(X), level)

    def prediction_interval(self, X: Matrix, level: float = 0.95) -> Interval:
        """Where *one* new response at each row lies."""
        # Eq. (prediction-interval)
        return self._interval(X, 1 + self._distance(X), level)

    def _interval(self, X: Tensor, variance: Tensor, level: float) -> Interval:
        if not self.residual_degrees_:
            raise ValueError("there are as many terms as rows: no residual tells the noise")
        t = student_quantile(level, self.residual_degrees_)
        half = t * (self.residual_variance_ * variance).sqrt()
        return Interval(self.predict(X) - half, self.predict(X) + half)

    def _distance(self, X: Tensor) -> Tensor:
        """xᵀ(XᵀX)⁻¹x of every row: its leverage, had it been a row of the data."""
        return (self._design(X) @ self._inverse_root).square().sum(dim=1)

    def _design(self, X: Tensor) -> Tensor:
        return torch.cat([torch.ones_like(X[:, :1]), X], dim=1) if self.fit_intercept else X

    def _names(self) -> list[str]:
        given = getattr(self, "feature_names_in_", None)
        names = [f"column {j}" for j in range(self.n_features_in_)] if given is None else [*given]
        return ["the intercept", *names] if self.fit_intercept else names

    def _name_coefficients(self, beta: Tensor) -> None:
        # Eq. (coefficient-variance)
        stderr = (self.residual_variance_ * self._inverse_root.square().sum(dim=1)).sqrt()
        slopes = slice(1, None) if self.fit_intercept else slice(None)
        self.coef_, self.stderr_ = beta[slopes], stderr[slopes]
        none = beta.new_zeros(())
        self.intercept_, self.intercept_stderr_ = (
            (beta[0], stderr[0]) if self.fit_intercept else (none, none)
        )
        # Eq. (t-value)
        self.tvalues_ = self.coef_ / self.stderr_
        self.pvalues_ = student_tails(self.tvalues_, self.residual_degrees_)

    def _weigh_rows(self, terms: int) -> None:
        missing = 1 - self.leverage_
        # Eq. (cooks-distance)
        standardized = self.residuals_.square() / (self.residual_variance_ * missing)
        self.cooks_distance_ = standardized * self.leverage_ / (missing * terms)

    def _share_variance(self, sse: Tensor, y: Tensor) -> None:
        center = y.mean() if self.fit_intercept else 0
        degrees = len(y) - self.fit_intercept
        self._total = (y - center).square().sum()
        # Eq. (r-squared)
        self.r2_ = 1 - sse / self._total
        self.adjusted_r2_ = 1 - self.residual_variance_ / (self._total / degrees)


def anova(larger: LinearRegression, smaller: LinearRegression | None = None) -> Anova:
    """Compare nested fits to the same responses; without `smaller`, with no slopes at all."""
    sse = larger.residuals_.square().sum()
    if smaller is None:
        degrees = len(larger.coef_)
        gain = larger._total - sse
    else:
        bind(larger=(larger.residuals_, "rows"), smaller=(smaller.residuals_, "rows"))
        degrees = smaller.residual_degrees_ - larger.residual_degrees_
        gain = smaller.residuals_.square().sum() - sse
    if degrees <= 0 or gain < 0:
        raise ValueError("smaller must be nested in larger: fewer terms of the same data")
    # Eq. (f-ratio)
    f = gain / degrees / larger.residual_variance_
    pvalue = f_tail(f, degrees, larger.residual_degrees_)
    return Anova(gain, degrees, sse, larger.residual_degrees_, f, pvalue)


def vif(X: Matrix) -> Float[Tensor, " features"]:
    """How many times the variance of each slope grows because the columns resemble each other."""
    deviation = X - X.mean(dim=0)
    _, R = factor(deviation)
    inverse_root = _solve(R, torch.eye(X.shape[1], dtype=X.dtype, device=X.device))
    # Eq. (vif)
    return deviation.square().sum(dim=0) * inverse_root.square().sum(dim=1)


def _solve(R: Tensor, right: Tensor) -> Tensor:
    return torch.linalg.solve_triangular(R, right, upper=True)
