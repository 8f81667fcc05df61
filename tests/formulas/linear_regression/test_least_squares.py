import numpy as np
import pandas as pd
import pytest
import sklearn.linear_model
import statsmodels.api as sm
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes
from statsmodels.stats.outliers_influence import variance_inflation_factor

from etude.core.errors import ShapeError
from etude.core.random import stream
from etude.formulas.linear_regression.least_squares import (
    LinearRegression,
    anova,
    factor,
    lstsq,
    vif,
)
from etude.formulas.linear_regression.simple import simple_ols
from tests.on_device import agrees_on_device


def table(rows=40, features=3, seed=0, dtype=torch.float64):
    generator = stream(seed)
    X = torch.randn(rows, features, generator=generator, dtype=dtype) + 2
    y = 1 + X @ torch.arange(1, features + 1, dtype=dtype)
    return X, y + torch.randn(rows, generator=generator, dtype=dtype)


DIABETES = tuple(torch.tensor(part) for part in load_diabetes(return_X_y=True, scaled=False))
DATA = {"forty rows": table(), "diabetes": DIABETES, "hardly any freedom": table(rows=5)}


# ---- factor and solve


def test_a_line_through_three_points_in_the_head():
    X = torch.tensor([[1.0, 0.0], [1.0, 1.0], [1.0, 2.0]], dtype=torch.float64)
    beta = lstsq(X, torch.tensor([0.0, 0.0, 3.0], dtype=torch.float64))
    torch.testing.assert_close(beta, torch.tensor([-0.5, 1.5], dtype=torch.float64))


def test_the_factors_are_a_product_of_right_angles_and_a_triangle():
    X = table()[0]
    Q, R = factor(X)
    torch.testing.assert_close(Q @ R, X)
    torch.testing.assert_close(Q.T @ Q, torch.eye(3, dtype=torch.float64))
    assert torch.equal(R, R.triu())


@pytest.mark.parametrize("responses", [None, 2])
def test_coefficients_are_those_of_numpy(responses, parity):
    X, y = table()
    y = y if responses is None else torch.stack([y, X[:, 0] + 0.1 * y.square()], dim=1)
    theirs = np.linalg.lstsq(X.numpy(), y.numpy(), rcond=None)[0]
    parity("lstsq", lstsq(X, y), theirs, reference="numpy.linalg.lstsq", tolerance=1e-12)


def test_the_normal_equations_hold():
    X, y = table()
    assert (X.T @ (y - X @ lstsq(X, y))).abs().max() < 1e-10


def test_tables_side_by_side_are_tables_one_by_one():
    tables = [table(seed=seed) for seed in range(3)]
    X, y = (torch.stack(part) for part in zip(*tables, strict=True))
    torch.testing.assert_close(lstsq(X, y), torch.stack([lstsq(*one) for one in tables]))
    torch.testing.assert_close(lstsq(X, y[..., None])[..., 0], lstsq(X, y))


def test_qr_keeps_the_digits_that_the_normal_equations_lose():
    """On polynomials of degree 11 XᵀX is singular to the machine; QR finds them still."""
    x = torch.linspace(0, 1, 100, dtype=torch.float64)
    X = x[:, None] ** torch.arange(12)
    truth = torch.ones(12, dtype=torch.float64)
    y = X @ truth
    by_normal_equations = torch.linalg.solve(X.T @ X, X.T @ y)
    assert (lstsq(X, y) - truth).abs().max() < 1e-4
    assert (by_normal_equations - truth).abs().max() > 1e-3


def test_a_gradient_flows_through_the_solution():
    X, y = table(rows=6, features=2)
    assert torch.autograd.gradcheck(lstsq, (X.requires_grad_(), y.requires_grad_()))


@settings(deadline=None)
@given(seed=st.integers(0, 999), features=st.integers(2, 8), power=st.integers(-6, 6))
def test_a_combination_of_columns_is_found_and_named(seed, features, power):
    generator = stream(seed)
    X = torch.randn(30, features, generator=generator, dtype=torch.float64)
    mixed = X @ torch.randn(features, generator=generator, dtype=torch.float64) * 10.0**power
    with pytest.raises(
        ValueError, match=f"rank {features}, expected {features + 1}: column {features} "
    ):
        factor(torch.cat([X, mixed[:, None]], dim=1))
    factor(torch.cat([X, mixed[:, None] + 1e-6 * 10.0**power * X[:, :1].square()], dim=1))


def test_all_dependent_columns_are_named():
    X = table()[0]
    zero = torch.zeros(40, 1, dtype=torch.float64)
    with pytest.raises(ValueError, match="rank 3, expected 5: b, d can"):
        factor(torch.cat([X[:, :1], zero, X[:, 1:2], 2 * X[:, :1], X[:, 2:]], 1), [*"abcde"])


def test_fewer_rows_than_columns_are_refused():
    with pytest.raises(ShapeError, match="X has 2 rows, expected at least 3, one for every column"):
        lstsq(*table(rows=2))


# ---- the estimator, against what one would use otherwise


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("intercept", [True, False])
def test_the_fit_is_that_of_scikit_learn(data, intercept, parity):
    X, y = DATA[data]
    ours = LinearRegression(fit_intercept=intercept).fit(X, y)
    theirs = sklearn.linear_model.LinearRegression(fit_intercept=intercept).fit(X, y)
    reference = "sklearn LinearRegression"
    parity("coefficients", ours.coef_, theirs.coef_, reference=reference, tolerance=1e-10)
    parity("intercept", ours.intercept_, theirs.intercept_, reference=reference, tolerance=1e-10)
    parity("predictions", ours.predict(X), theirs.predict(X), reference=reference, tolerance=1e-10)
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), abs=1e-12)


@pytest.mark.parametrize("data", DATA)
@pytest.mark.parametrize("intercept", [True, False])
def test_what_it_says_of_itself_is_what_statsmodels_says(data, intercept, parity):
    X, y = DATA[data]
    ours = LinearRegression(fit_intercept=intercept).fit(X, y)
    design = sm.add_constant(X.numpy()) if intercept else X.numpy()
    theirs = sm.OLS(y.numpy(), design).fit()
    slopes, influence = slice(int(intercept), None), theirs.get_influence()

    def same(item, mine, expected, tolerance=1e-10):
        parity(item, mine, expected, reference="statsmodels OLS", tolerance=tolerance)

    same("standard errors", ours.stderr_, theirs.bse[slopes])
    if intercept:
        same("standard error of the intercept", ours.intercept_stderr_, theirs.bse[0])
    same("t-values", ours.tvalues_, theirs.tvalues[slopes])
    same("log p", ours.pvalues_.log(), np.log(theirs.pvalues[slopes]))
    same("R²", ours.r2_, theirs.rsquared)
    same("corrected R²", ours.adjusted_r2_, theirs.rsquared_adj)
    same("residual variance", ours.residual_variance_, theirs.mse_resid)
    same("leverage", ours.leverage_, influence.hat_matrix_diag)
    same("Cook's distance", ours.cooks_distance_, influence.cooks_distance[0])
    new = X[:7] + 1
    new_design = np.column_stack([np.ones(len(new))] * intercept + [new.numpy()])
    frame = theirs.get_prediction(new_design).summary_frame(alpha=0.1)
    for name, interval in (("mean", ours.mean_interval), ("obs", ours.prediction_interval)):
        ends = frame[[f"{name}_ci_lower", f"{name}_ci_upper"]].to_numpy().T.copy()
        same(f"interval, {name}", torch.stack(interval(new, level=0.9)), ends)


@pytest.mark.parametrize("intercept", [True, False])
def test_the_analysis_of_variance_is_that_of_statsmodels(intercept, parity):
    X, y = DIABETES
    ours = LinearRegression(fit_intercept=intercept)
    larger, smaller = ours.fit(X, y), LinearRegression(fit_intercept=intercept).fit(X[:, :6], y)
    design = sm.add_constant(X.numpy()) if intercept else X.numpy()
    theirs = sm.OLS(y.numpy(), design).fit()
    part = sm.OLS(y.numpy(), design[:, : 6 + intercept]).fit()
    f, p, degrees = theirs.compare_f_test(part)
    whole, nested = anova(larger), anova(larger, smaller)
    reference = "statsmodels OLS"
    parity("F of all slopes", whole.f, theirs.fvalue, reference=reference, tolerance=1e-10)
    log_p = np.log(theirs.f_pvalue)
    parity("log p of all slopes", whole.pvalue.log(), log_p, reference=reference, tolerance=1e-10)
    parity("F of four more", nested.f, f, reference=reference, tolerance=1e-10)
    parity(
        "log p of four more", nested.pvalue.log(), np.log(p), reference=reference, tolerance=1e-10
    )
    assert (whole.degrees, nested.degrees) == (10, degrees)
    assert whole.residual_degrees == theirs.df_resid
    assert whole.gain.item() == pytest.approx(theirs.ess, rel=1e-10)
    assert whole.residual.item() == pytest.approx(theirs.ssr, rel=1e-10)


def test_variance_inflation_is_that_of_statsmodels(parity):
    X = DIABETES[0]
    design = sm.add_constant(X.numpy())
    theirs = [variance_inflation_factor(design, column) for column in range(1, 11)]
    parity("variance inflation", vif(X), theirs, reference="statsmodels", tolerance=1e-10)


# ---- what it means


def test_one_feature_is_the_line():
    X, y = table(features=1)
    plane, line = LinearRegression().fit(X, y), simple_ols(X[:, 0], y)
    for ours, theirs in (
        (plane.coef_[0], line.slope),
        (plane.intercept_, line.intercept),
        (plane.stderr_[0], line.stderr),
        (plane.intercept_stderr_, line.intercept_stderr),
        (plane.r2_, line.r2),
        (plane.pvalues_[0], line.pvalue),
    ):
        torch.testing.assert_close(ours, theirs)
    ours, theirs = plane.prediction_interval(X), line.prediction_interval(X[:, 0])
    torch.testing.assert_close(torch.stack(ours), torch.stack(theirs))


def test_the_square_of_t_is_the_f_of_leaving_one_out():
    X, y = table()
    larger, smaller = LinearRegression().fit(X, y), LinearRegression().fit(X[:, :2], y)
    torch.testing.assert_close(anova(larger, smaller).f, larger.tvalues_[2].square())


def test_leverage_moves_the_fit_and_cook_counts_how_far():
    X, y = table(rows=12)
    model = LinearRegression().fit(X, y)
    fitted = model.predict(X)
    assert model.leverage_.sum().item() == pytest.approx(4)  # as many as coefficients
    for row in (0, 5):
        pushed = y.clone()
        pushed[row] += 1
        moved = LinearRegression().fit(X, pushed).predict(X)[row] - fitted[row]
        torch.testing.assert_close(moved, model.leverage_[row])
        rest = torch.arange(12) != row
        without = LinearRegression().fit(X[rest], y[rest]).predict(X)
        cook = (without - fitted).square().sum() / (4 * model.residual_variance_)
        torch.testing.assert_close(model.cooks_distance_[row], cook)


@settings(deadline=None)
@given(seed=st.integers(0, 99), scale=st.sampled_from([1e-3, 7.0, 1e4]))
def test_units_change_coefficients_and_nothing_that_they_say(seed, scale):
    X, y = table(seed=seed)
    plain, scaled = LinearRegression().fit(X, y), LinearRegression().fit(X * scale + 5, y * 3)
    torch.testing.assert_close(scaled.coef_, plain.coef_ * 3 / scale)
    for name in ("tvalues_", "pvalues_", "r2_", "leverage_", "cooks_distance_"):
        ours, theirs = getattr(scaled, name), getattr(plain, name)
        torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)


def test_columns_at_right_angles_inflate_nothing():
    X = torch.tensor([[1, 1], [1, -1], [-1, 1], [-1, -1]], dtype=torch.float64)
    torch.testing.assert_close(vif(X), torch.ones(2, dtype=torch.float64))


def test_slopes_are_found_when_rows_far_from_the_origin(generator):
    year = 2000 + torch.arange(30, dtype=torch.float64)
    model = LinearRegression().fit(year[:, None], 3 * (year - 2000))
    assert model.coef_.item() == pytest.approx(3, rel=1e-9)


def test_as_many_terms_as_rows_fit_exactly_and_know_nothing_of_the_noise():
    X, y = table(rows=4)
    model = LinearRegression().fit(X, y)
    torch.testing.assert_close(model.predict(X), y)
    assert model.residual_variance_.isnan()
    assert model.stderr_.isnan().all()
    with pytest.raises(ValueError, match="as many terms as rows"):
        model.prediction_interval(X)


# ---- errors at the door


def test_a_constant_feature_is_the_intercept_again_and_is_named():
    X, y = table()
    X[:, 1] = 0.1
    with pytest.raises(ValueError, match="rank 3, expected 4: column 1 can be combined"):
        LinearRegression().fit(X, y)
    LinearRegression(fit_intercept=False).fit(X, y)


def test_columns_of_a_table_are_named_as_in_the_table():
    X, y = table()
    frame = pd.DataFrame(X.numpy(), columns=["workers", "size", "floors"])
    frame["rooms"] = 2 * frame["size"]
    with pytest.raises(ValueError, match="rank 4, expected 5: rooms can be combined"):
        LinearRegression().fit(frame, y.numpy())


def test_models_of_other_data_are_not_nested():
    X, y = table()
    larger, smaller = LinearRegression().fit(X, y), LinearRegression().fit(X[:, :1], y)
    with pytest.raises(ValueError, match="smaller must be nested"):
        anova(smaller, larger)
    with pytest.raises(ShapeError, match="smaller has 39 rows, expected 40"):
        anova(larger, LinearRegression().fit(X[1:, :1], y[1:]))


@pytest.mark.usefixtures("as_a_user")
def test_a_short_or_whole_y_is_named():
    X, y = table()
    with pytest.raises(ShapeError, match="y has 39 rows, expected 40"):
        lstsq(X, y[:39])
    with pytest.raises(TypeError, match="y holds int64"):
        lstsq(X, y.long())
    with pytest.raises(TypeError, match="X holds int64"):
        lstsq(X.long(), y)


# ---- where and in which type


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_kept(dtype):
    X, y = table(dtype=dtype)
    model = LinearRegression().fit(X, y)
    answers = [model.coef_, model.pvalues_, model.cooks_distance_, *model.prediction_interval(X)]
    answers += [anova(model).pvalue, vif(X), lstsq(X, y)]
    assert {answer.dtype for answer in answers} == {dtype}


def test_everything_stays_on_the_device(fake_device):
    def everything(X, y):
        model = LinearRegression().fit(X, y)
        learned = {name: value for name, value in vars(model).items() if name.endswith("_")}
        return learned, model.prediction_interval(X), tuple(anova(model)), vif(X), lstsq(X, y)

    agrees_on_device(everything, *table())
