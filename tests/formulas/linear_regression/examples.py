"""A call of every public callable, made on either device: see tests/devices/example.py."""

from etude.formulas.linear_regression.distributions import f_tail, student_quantile, student_tails
from etude.formulas.linear_regression.least_squares import (
    LinearRegression,
    anova,
    factor,
    lstsq,
    vif,
)
from etude.formulas.linear_regression.simple import (
    Inverse,
    Line,
    correlation_test,
    inverse_predict,
    partial_correlation,
    pearson,
    ranks,
    simple_ols,
    spearman,
)


def pair(at):
    """Two variables of eight rows."""
    return at.randn(8), at.randn(8)


def line(at):
    """The line through them."""
    return simple_ols(*pair(at))


def plane(at):
    """A fit with two slopes."""
    return LinearRegression().fit(at.randn(9, 2), at.randn(9))


EXAMPLES = {
    f_tail: lambda at: (at.rand(4), 2, 5),
    student_quantile: lambda at: (0.95, 5),
    student_tails: lambda at: (at.randn(4), 5),
    pearson: pair,
    spearman: pair,
    correlation_test: pair,
    simple_ols: pair,
    ranks: lambda at: at(at.randn(8).round()),
    partial_correlation: lambda at: at.randn(9, 3),
    inverse_predict: lambda at: (line(at), at.randn(3)),
    Inverse.bounded: lambda at: inverse_predict(line(at), at.randn(3)),
    Inverse.contains: lambda at: (inverse_predict(line(at), at.randn(3)), at.randn(3)),
    Line.intercept_stderr: line,
    Line.mean_interval: lambda at: (line(at), at.randn(3)),
    Line.predict: lambda at: (line(at), at.randn(3)),
    Line.prediction_interval: lambda at: (line(at), at.randn(3)),
    Line.pvalue: line,
    Line.r2: line,
    Line.stderr: line,
    Line.tvalue: line,
    factor: lambda at: at.randn(6, 3),
    lstsq: lambda at: (at.randn(6, 3), at.randn(6)),
    vif: lambda at: at.randn(9, 3),
    LinearRegression.fit: lambda at: (LinearRegression(), at.randn(9, 2), at.randn(9)),
    LinearRegression.predict: lambda at: (plane(at), at.randn(3, 2)),
    LinearRegression.mean_interval: lambda at: (plane(at), at.randn(3, 2)),
    LinearRegression.prediction_interval: lambda at: (plane(at), at.randn(3, 2)),
    anova: plane,
}
