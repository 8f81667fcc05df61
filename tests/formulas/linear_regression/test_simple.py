import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression as Reference

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.data.painters import jobs
from etude.formulas.linear_regression.simple import (
    correlation_test,
    inverse_predict,
    partial_correlation,
    pearson,
    ranks,
    simple_ols,
    spearman,
)
from tests.on_device import agrees_on_device


def pairs(*shape, slope=0.5, seed=0, dtype=torch.float64):
    """Rows whose y follows x, in as many data sets as asked for."""
    x, noise = torch.randn(2, *shape, generator=stream(seed), dtype=dtype)
    return x, 1 + slope * x + noise


X3 = torch.stack([*pairs(40), pairs(40, seed=5)[1]], dim=-1)


# ---- correlation


def test_four_points_in_the_head():
    x = torch.tensor([1.0, 2.0, 3.0, 4.0])
    y = torch.tensor([1.0, 3.0, 2.0, 4.0])
    assert pearson(x, y).item() == pytest.approx(0.8)
    assert spearman(x, y**3).item() == pytest.approx(0.8)


@pytest.mark.parametrize("ours_and_theirs", [(pearson, "pearsonr"), (spearman, "spearmanr")])
def test_correlations_are_those_of_scipy(ours_and_theirs, parity):
    ours, name = ours_and_theirs
    x, y = pairs(30)
    y = y.mul(2).round()  # ties
    theirs = getattr(scipy.stats, name)(x, y).statistic
    parity(ours.__name__, ours(x, y), theirs, reference=f"scipy.stats.{name}", tolerance=1e-14)


def test_ranks_are_those_of_scipy_with_ties_shared(parity):
    x = torch.randint(0, 5, (7, 30), generator=stream(0)).double()
    parity(
        "ranks", ranks(x), scipy.stats.rankdata(x, axis=-1),
        reference="scipy.stats.rankdata", tolerance=0,
    )  # fmt: skip


def test_data_sets_side_by_side_are_data_sets_one_by_one():
    x, y = pairs(2, 3, 20)
    for function in (pearson, spearman):
        one_by_one = torch.stack([function(a, b) for a, b in zip(x[1], y[1], strict=True)])
        torch.testing.assert_close(function(x, y)[1], one_by_one)
    torch.testing.assert_close(pearson(x[1], y[1, 0]), pearson(x[1], y[1, 0].expand(3, -1)))


@settings(deadline=None)
@given(scale=st.floats(0.01, 100), shift=st.floats(-100, 100), seed=st.integers(0, 99))
def test_correlation_knows_no_units_but_a_sign(scale, shift, seed):
    x, y = pairs(12, seed=seed)
    torch.testing.assert_close(pearson(scale * x + shift, y), pearson(x, y))
    torch.testing.assert_close(pearson(-x, y), -pearson(x, y))
    torch.testing.assert_close(pearson(y, x), pearson(x, y))


def test_any_increasing_relation_has_rank_correlation_one():
    x = pairs(20)[0]
    assert spearman(x, x.exp()) == 1
    assert pearson(x, x.exp()) < 1


def test_a_parabola_is_uncorrelated_on_a_symmetric_grid():
    x = torch.linspace(-1, 1, 201, dtype=torch.float64)
    assert pearson(x, x.square()).abs() < 1e-12


def test_a_far_away_origin_costs_no_digits():
    x, y = pairs(50)
    torch.testing.assert_close(pearson(x + 1e6, y), pearson(x, y), rtol=1e-8, atol=0)


@pytest.mark.parametrize("constant", [0.0, 0.1, 1e6 / 3])
def test_a_constant_has_no_correlation(constant):
    x = pairs(9)[0]  # of nine times 0.1 the mean is not quite 0.1
    for function in (pearson, spearman):
        assert function(x, torch.full_like(x, constant)).isnan()
        assert function(torch.full_like(x, constant), x).isnan()


def test_a_straight_line_is_one_and_never_more():
    for seed in range(50):
        x = pairs(7, seed=seed)[0]
        assert pearson(x, 3 * x + 1) <= 1
        assert pearson(x, 3 * x + 1) == pytest.approx(1)


def test_a_gradient_flows_through_the_correlation():
    x, y = pairs(6)
    assert torch.autograd.gradcheck(pearson, (x.requires_grad_(), y.requires_grad_()))


def test_the_test_of_a_correlation_is_that_of_scipy(parity):
    x, y = pairs(25)
    ours, theirs = correlation_test(x, y, level=0.9), scipy.stats.pearsonr(x, y)
    ends = theirs.confidence_interval(0.9)
    how = {"reference": "scipy.stats.pearsonr", "tolerance": 1e-12}
    parity("log p of r", ours.pvalue.log(), np.log(theirs.pvalue), **how)
    parity("Fisher's z interval", [ours.low, ours.high], [ends.low, ends.high], **how)


def test_no_correlation_is_rejected_as_often_as_promised(generator):
    x, y = torch.randn(2, 4000, 8, generator=generator, dtype=torch.float64)
    found = correlation_test(x, y)
    four_errors = 4 * (0.05 * 0.95 / 4000) ** 0.5
    assert abs((found.pvalue < 0.05).double().mean() - 0.05) < four_errors


def test_correlation_and_slope_are_tested_alike():
    x, y = pairs(3, 25)
    torch.testing.assert_close(correlation_test(x, y).pvalue, simple_ols(x, y).pvalue)
    torch.testing.assert_close(correlation_test(x, y).t, simple_ols(x, y).tvalue)


# ---- the line


@pytest.mark.parametrize("slope", [0.5, -3.0, 0.0])
def test_the_line_is_that_of_scipy(slope, parity):
    x, y = pairs(30, slope=slope)
    ours, theirs = simple_ols(x, y), scipy.stats.linregress(x, y)
    for mine, name in (
        (ours.slope, "slope"),
        (ours.intercept, "intercept"),
        (ours.r, "rvalue"),
        (ours.stderr, "stderr"),
        (ours.intercept_stderr, "intercept_stderr"),
    ):
        expected, reference = getattr(theirs, name), "scipy.stats.linregress"
        parity(f"line: {name}", mine, expected, reference=reference, tolerance=1e-12)
    p, reference = np.log(theirs.pvalue), "scipy.stats.linregress"
    parity("line: log p", ours.pvalue.log(), p, reference=reference, tolerance=1e-12)


def test_the_slope_is_the_correlation_with_units():
    x, y = pairs(4, 30)
    line = simple_ols(x, y)
    torch.testing.assert_close(line.slope, line.r * y.std(-1) / x.std(-1))
    standard = [(z - z.mean(-1, True)) / z.std(-1, keepdim=True) for z in (x, y)]
    torch.testing.assert_close(simple_ols(*standard).slope, line.r)


def test_both_slopes_multiply_to_r_squared(generator):
    workers, hours, _ = jobs(generator=generator)
    one, other = simple_ols(workers, hours), simple_ols(hours, workers)
    assert abs(one.slope * other.slope - one.r2) < 1e-12


def test_the_painters_are_as_the_page_says(generator):
    workers, hours, _ = jobs(generator=generator)
    line = simple_ols(workers, hours)
    assert -0.85 < line.r < -0.7
    assert line.predict(torch.tensor(16.0)).item() == pytest.approx(-10.2, abs=0.05)
    assert simple_ols(1 / workers, hours).r2 > 0.97
    assert simple_ols(workers.log(), hours.log()).slope.item() == pytest.approx(-0.93, abs=0.001)


def test_residuals_are_orthogonal_to_the_line():
    x, y = pairs(30)
    residual = y - simple_ols(x, y).predict(x)
    assert abs(residual.sum()) < 1e-12
    assert abs((residual * x).sum()) < 1e-12
    share = 1 - residual.var() / y.var()
    torch.testing.assert_close(simple_ols(x, y).r2, share)


def test_a_constant_x_has_no_line():
    x, y = pairs(2, 9)
    x[1] = 0.1
    with pytest.raises(ValueError, match="x is constant"):
        simple_ols(x, y)


def test_prediction_intervals_hold_what_they_promise(generator):
    x, noise = torch.randn(2, 2000, 20, generator=generator, dtype=torch.float64)
    line = simple_ols(x, 1 + 2 * x + noise)
    x0, noise = torch.randn(2, 2000, generator=generator, dtype=torch.float64)
    new = 1 + 4 * x0 + noise
    new_interval, mean_interval = (
        line.prediction_interval(2 * x0),
        line.mean_interval(2 * x0),
    )
    four_errors = 4 * (0.05 * 0.95 / 2000) ** 0.5

    def share(interval, value):
        return ((interval.low < value) & (value < interval.high)).double().mean()

    assert abs(share(new_interval, new) - 0.95) < four_errors
    assert abs(share(mean_interval, 1 + 4 * x0) - 0.95) < four_errors
    assert share(mean_interval, new) < 0.65  # the interval of the mean is not one of a new value


def test_intervals_grow_with_their_level_and_away_from_the_mean():
    line = simple_ols(*pairs(20))
    x = line.x_mean + torch.tensor([-2.0, 0.0, 2.0])
    for interval in (line.prediction_interval, line.mean_interval):
        narrow, wide = interval(x, level=0.5), interval(x, level=0.99)
        assert (wide.low < narrow.low).all()
        assert (narrow.high < wide.high).all()
        width = narrow.high - narrow.low
        assert width[1] < width[0]
        torch.testing.assert_close(width[0], width[2])


# ---- back from y to x


def test_the_estimate_is_the_place_where_the_line_has_the_height():
    line = simple_ols(*pairs(20, slope=2.0))
    torch.testing.assert_close(
        line.predict(inverse_predict(line, torch.tensor(1.7)).estimate), torch.tensor(1.7).double()
    )


@pytest.mark.parametrize("slope", [2.0, -2.0, 0.6, 0.4, 0.05])
def test_an_x_is_kept_when_y_lies_in_its_prediction_interval(slope):
    line = simple_ols(*pairs(20, slope=slope))
    x = torch.linspace(-30, 30, 6001, dtype=torch.float64)
    for y in (-4.0, 0.9, 1.5, 6.0):
        inside = line.prediction_interval(x, level=0.9)
        expected = (inside.low <= y) & (y <= inside.high)
        found = inverse_predict(line, torch.tensor(y, dtype=torch.float64), level=0.9)
        assert torch.equal(found.contains(x), expected)


def three_kinds():
    """A steep line; one whose slope is barely seen, asked far away; the same, asked at its mean."""
    steep, flat = simple_ols(*pairs(20, slope=3.0)), simple_ols(*pairs(20, slope=0.05))
    far, near = torch.tensor([50.0, 1.0], dtype=torch.float64)
    return inverse_predict(steep, far), inverse_predict(flat, far), inverse_predict(flat, near)


def test_a_set_is_an_interval_or_goes_through_infinity_or_is_everything():
    interval, through_infinity, everything = three_kinds()
    assert interval.bounded
    assert interval.low < interval.estimate < interval.high
    assert not through_infinity.bounded
    assert through_infinity.low > through_infinity.high
    assert not everything.bounded
    assert (everything.low, everything.high) == (-torch.inf, torch.inf)
    inside = torch.tensor([-1e6, 0.0, 1e6])
    assert through_infinity.contains(inside).tolist() == [True, False, True]
    assert everything.contains(inside).all()


@pytest.mark.parametrize("slope", [2.0, 0.3])
def test_the_sets_hold_the_true_x_as_often_as_promised(slope, generator):
    x, noise = torch.randn(2, 4000, 12, generator=generator, dtype=torch.float64)
    line = simple_ols(x, 1 + slope * x + noise)
    true, noise = torch.randn(2, 4000, generator=generator, dtype=torch.float64)
    kept = inverse_predict(line, 1 + slope * true + noise).contains(true)
    assert abs(kept.double().mean() - 0.95) < 4 * (0.05 * 0.95 / 4000) ** 0.5


# ---- given the others


def residual_correlation(X, one, other):
    rest = [column for column in range(X.shape[1]) if column not in (one, other)]
    given = X[:, rest].numpy()
    left = [X[:, c].numpy() - Reference().fit(given, X[:, c]).predict(given) for c in (one, other)]
    return np.corrcoef(*left)[0, 1]


def test_partial_correlation_is_that_of_residuals(parity):
    X = (
        torch.randn(50, 4, generator=stream(0), dtype=torch.float64)
        @ torch.ones(4, 4).triu().double()
    )
    expected = [
        [residual_correlation(X, i, j) if i != j else 1.0 for j in range(4)] for i in range(4)
    ]
    parity(
        "partial correlations", partial_correlation(X), expected,
        reference="residuals of sklearn LinearRegression", tolerance=1e-12,
    )  # fmt: skip


def test_for_three_variables_it_is_the_formula():
    xy, xz, yz = (pearson(X3[:, i], X3[:, j]) for i, j in ((0, 1), (0, 2), (1, 2)))
    formula = (xy - xz * yz) / ((1 - xz**2) * (1 - yz**2)).sqrt()
    torch.testing.assert_close(partial_correlation(X3)[0, 1], formula)


def test_two_variables_have_nothing_else_given():
    X = X3[:, :2]
    torch.testing.assert_close(partial_correlation(X)[0, 1], pearson(*X.T))
    torch.testing.assert_close(partial_correlation(X).diagonal(), torch.ones(2).double())


def test_the_sign_flips_given_the_size_of_the_house(generator):
    workers, hours, size = jobs(25, generator=generator, confounded=True)
    assert pearson(workers, hours) > 0.5
    assert partial_correlation(torch.stack([workers, hours, size], dim=1).log())[0, 1] < -0.7


def test_partial_correlations_side_by_side():
    both = torch.stack([X3, X3.flip(-1)])
    torch.testing.assert_close(partial_correlation(both)[1], partial_correlation(X3).flip(0, 1))


def test_a_column_made_of_others_is_refused():
    made = torch.cat([X3, X3.sum(dim=1, keepdim=True)], dim=1)
    for X in (made, torch.cat([X3, torch.ones(40, 1).double()], dim=1)):
        with pytest.raises(ValueError, match="a column of X"):
            partial_correlation(X)
    with pytest.raises(ValueError, match="X has 3 rows, expected more than 3"):
        partial_correlation(X3[:3])


# ---- what is asked of every function


TWO = [pearson, spearman, correlation_test, simple_ols]


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("function", TWO)
def test_a_short_y_is_named(function):
    x, y = pairs(8)
    with pytest.raises(ShapeError, match="y has 7 rows, expected 8"):
        function(x, y[:7])


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("function", TWO)
def test_whole_numbers_are_refused_by_name(function):
    with pytest.raises(TypeError, match="x holds int64"):
        function(torch.arange(8), pairs(8)[1])
    with pytest.raises(TypeError, match="y holds int64"):
        function(pairs(8)[0], torch.arange(8))


@pytest.mark.usefixtures("as_a_user")
def test_whole_numbers_are_refused_in_a_table():
    with pytest.raises(TypeError, match="X holds int64"):
        partial_correlation(torch.arange(8).reshape(4, 2))


@pytest.mark.parametrize(("function", "least"), list(zip(TWO, [2, 2, 4, 3], strict=True)))
def test_a_row_too_few_is_told(function, least):
    function(*pairs(least))
    with pytest.raises(ValueError, match=f"x has {least - 1} rows, expected at least {least}"):
        function(*pairs(least - 1))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_kept(dtype):
    x, y = pairs(12, dtype=dtype)
    line = simple_ols(x, y)
    answers = [
        pearson(x, y), spearman(x, y), *correlation_test(x, y), line.pvalue, line.stderr,
        *inverse_predict(line, y[0]), *line.prediction_interval(x),
        partial_correlation(X3.to(dtype)),
    ]  # fmt: skip
    assert {answer.dtype for answer in answers} == {dtype}


def test_everything_stays_on_the_device(fake_device):
    def everything(x, y, X):
        line = simple_ols(x, y)
        return (
            pearson(x, y), spearman(x, y), tuple(correlation_test(x, y)), line.pvalue,
            line.intercept_stderr, line.r2, tuple(line.prediction_interval(x)),
            tuple(inverse_predict(line, y[0])), inverse_predict(line, y[0]).bounded,
            inverse_predict(line, y[0]).contains(x), partial_correlation(X),
        )  # fmt: skip

    agrees_on_device(everything, *pairs(12), X3)
