import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from etude.core.random import stream
from etude.formulas.optimization.first_order import sgd
from etude.formulas.optimization.quadratics import (
    convergence_rate,
    iterate_matrix,
    tuned_gradient_descent,
    tuned_heavy_ball,
    tuned_nesterov,
)
from tests.on_device import agrees_on_device

KAPPA = 100.0


def descent(slope, x, steps, **options):
    path, state = [x], {}
    for _ in range(steps):
        x, state = sgd(x, slope(x), state, **options)
        path.append(x)
    return torch.stack(path)


@given(
    lr=st.floats(1e-3, 0.5), beta=st.floats(0.01, 0.99), curvature=st.floats(0.1, 5.0),
    nesterov=st.booleans(),
)  # fmt: skip
def test_the_matrix_is_a_step(lr, beta, curvature, nesterov):
    path = descent(lambda x: curvature * x, torch.ones(1).double(), 6,
                   lr=lr, momentum=beta, nesterov=nesterov)[:, 0]  # fmt: skip
    matrix = iterate_matrix(
        torch.tensor(curvature, dtype=torch.float64), lr, beta, nesterov=nesterov
    )
    for t in range(1, 6):
        expected = matrix @ torch.stack([path[t], path[t - 1]])
        torch.testing.assert_close(path[t : t + 2].flip(0), expected, rtol=1e-10, atol=1e-10)


@given(
    lr=st.floats(1e-3, 0.5), beta=st.floats(0.0, 0.99), nesterov=st.booleans(),
    seed=st.integers(0, 9),
)  # fmt: skip
def test_the_rate_is_the_spectral_radius(lr, beta, nesterov, seed):
    curvature = 10 * torch.rand(8, generator=stream(seed), dtype=torch.float64)
    rate = convergence_rate(curvature, lr, beta, nesterov=nesterov)
    matrix = iterate_matrix(curvature, lr, beta, nesterov=nesterov)
    expected = torch.linalg.eigvals(matrix).abs().amax(-1)
    torch.testing.assert_close(rate, expected, rtol=1e-6, atol=1e-6)  # roots may nearly coincide


@pytest.mark.parametrize(
    ("tune", "nesterov"),
    [(tuned_gradient_descent, False), (tuned_heavy_ball, False), (tuned_nesterov, True)],
)
def test_the_formula_is_the_worst_rate_of_all_curvatures(tune, nesterov):
    """Equal eigenvalues turn a rounding of 1e-16 into one of 1e-8."""
    lr, beta, rate = tune(1.0, KAPPA)
    curvature = torch.linspace(1, KAPPA, 1001, dtype=torch.float64)
    worst = convergence_rate(curvature, lr, beta, nesterov=nesterov).max()
    assert worst.item() == pytest.approx(rate, abs=1e-7)


def test_the_formulas_in_the_head():
    assert tuned_gradient_descent(1.0, 3.0) == (0.5, 0.0, 0.5)
    assert tuned_heavy_ball(1.0, 9.0) == pytest.approx((0.25, 0.25, 0.5))
    assert tuned_nesterov(1.0, 4.0) == pytest.approx((0.25, 1 / 3, 0.5))


@pytest.mark.parametrize("tune", [tuned_gradient_descent, tuned_heavy_ball])
def test_no_other_setting_is_faster(tune):
    best = tune(1.0, KAPPA)
    ends = torch.tensor([1.0, KAPPA], dtype=torch.float64)
    betas = [0.0] if tune is tuned_gradient_descent else torch.linspace(0.3, 0.99, 40).tolist()
    for lr in torch.linspace(1e-3, 4 / KAPPA, 120).tolist():
        for beta in betas:
            assert convergence_rate(ends, lr, beta).max() >= best.rate - 1e-9


def test_gradient_descent_shrinks_by_exactly_its_rate():
    lr, _, rate = tuned_gradient_descent(1.0, KAPPA)
    ends = torch.tensor([1.0, KAPPA]).double()
    error = descent(lambda x: ends * x, torch.ones(2).double(), 100, lr=lr).norm(dim=1)
    assert (error[100] / error[0]).item() ** 0.01 == pytest.approx(rate, abs=1e-12)
    assert rate == pytest.approx(0.980198, abs=1e-6)


def test_the_heavy_ball_is_slowed_by_a_polynomial():
    """Two equal eigenvalues: the error is (1 + n(1 ∓ ρ))(±ρ)ⁿ, exactly."""
    lr, beta, rho = tuned_heavy_ball(1.0, KAPPA)
    ends = torch.tensor([1.0, KAPPA]).double()
    path = descent(lambda x: ends * x, torch.ones(2).double(), 200, lr=lr, momentum=beta)
    n = torch.arange(201).double()
    exact = torch.stack([(1 + n * (1 - rho)) * rho**n, (1 + n * (1 + rho)) * (-rho) ** n], 1)
    torch.testing.assert_close(path, exact, rtol=1e-6, atol=1e-16)
    error = path.norm(dim=1)
    assert rho < (error[200] / error[0]).item() ** (1 / 200) < 0.85
    assert rho < (error[200] / error[199]).item() < rho * (1 + 1 / 199)


def test_the_edge_of_stability():
    for beta in (0.0, 0.5, 0.9):
        edge = 2 * (1 + beta) / 7
        steep = torch.tensor(7.0, dtype=torch.float64)
        assert convergence_rate(steep, edge * 0.999, beta) < 1
        assert convergence_rate(steep, edge, beta).item() == pytest.approx(1, abs=1e-7)
        assert convergence_rate(steep, edge * 1.001, beta) > 1


def bent(x):
    """Lessard et al. (2016), Eq. 4.11: curvature 25, 1, 25."""
    return torch.where(x < 1, 25 * x, torch.where(x < 2, x + 24, 25 * x - 24))


def test_the_heavy_ball_cycles_where_nesterov_arrives():
    start = torch.tensor([3.3], dtype=torch.float64)
    lr, beta, _ = tuned_heavy_ball(1.0, 25.0)
    loop = descent(bent, start, 900, lr=lr, momentum=beta)[-6:]
    torch.testing.assert_close(loop[:3], loop[3:], rtol=1e-9, atol=1e-9)
    assert loop.abs().min() > 0.5
    lr, beta, _ = tuned_nesterov(1.0, 25.0)
    assert descent(bent, start, 900, lr=lr, momentum=beta, nesterov=True)[-1].abs() < 1e-12


@given(seed=st.integers(0, 50))
def test_a_smooth_convex_function_falls_as_promised(seed):
    """f(xₜ) − f* ≤ L‖x₀ − x*‖²/2t for lr = 1/L, on a sum of log cosh."""
    A = torch.randn(8, 4, generator=stream(seed), dtype=torch.float64)
    L = torch.linalg.matrix_norm(A, 2) ** 2
    x = torch.randn(4, generator=stream(seed + 100), dtype=torch.float64)
    path = descent(lambda x: A.T @ (A @ x).tanh(), x, 60, lr=1 / L.item())
    value = (path @ A.T).cosh().log().sum(-1)[1:]
    assert (value <= L * x.square().sum() / (2 * torch.arange(1, 61)) + 1e-12).all()


def test_noise_leaves_a_floor():
    """Var θ = ασ²/(λ(2 − αλ)), within five standard errors of independent chains."""
    noise = torch.randn(400, 20_000, generator=stream(0), dtype=torch.float64)
    x = torch.zeros(20_000).double()
    for step in noise:
        x, _ = sgd(x, 2 * x + 3 * step, {}, lr=0.3)
    expected = 0.3 * 9 / (2 * (2 - 0.6))
    assert abs(x.var() - expected) < 5 * expected * math.sqrt(2 / 20_000)


def test_batches_vary_as_the_formula_says():
    """σ²/B with replacement, and (N − B)/(N − 1) of it without; five standard errors."""
    N, draws = 30, 20_000
    single = torch.randn(N, generator=stream(0), dtype=torch.float64)
    sigma2 = single.var(correction=0)
    for B in (1, 5, 29):
        anew = torch.randint(N, (draws, B), generator=stream(B))
        once = torch.rand(draws, N, generator=stream(B)).argsort(1)[:, :B]
        for rows, factor in ((anew, 1.0), (once, (N - B) / (N - 1))):
            square = (single[rows].mean(1) - single.mean()).square()
            expected = sigma2 / B * factor
            assert abs(square.mean() - expected) < 5 * square.std() / math.sqrt(draws)


def test_curvatures_must_be_in_order():
    for tune in (tuned_gradient_descent, tuned_heavy_ball, tuned_nesterov):
        for pair in ((0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)):
            with pytest.raises(ValueError, match="expected 0 < least ≤ largest"):
                tune(*pair)
        assert tune(2.0, 2.0).rate == 0


def test_everything_stays_on_the_device(fake_device):
    agrees_on_device(convergence_rate, torch.rand(5), 0.1, 0.9)
    agrees_on_device(iterate_matrix, torch.rand(5), 0.1)
