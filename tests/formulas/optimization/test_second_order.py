import math
from functools import partial

import numpy as np
import pytest
import scipy.optimize
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_breast_cancer

from etude.core.errors import ConvergenceWarning
from etude.core.random import stream
from etude.formulas.optimization.line_search import Trial, interpolate, strong_wolfe
from etude.formulas.optimization.second_order import (
    hessian_at,
    lbfgs,
    lbfgs_direction,
    newton_cg,
    newton_direction,
)
from etude.formulas.optimization.surfaces import beale, rosenbrock, saddle
from tests.on_device import agrees_on_device

METHODS = [lbfgs, newton_cg]


def normal(*shape, seed=0):
    return torch.randn(shape, generator=stream(seed), dtype=torch.float64)


def logistic():
    """Ridge logistic regression on standardized rows: convex, thirty unknowns."""
    X, y = load_breast_cancer(return_X_y=True)
    X = torch.tensor((X - X.mean(0)) / X.std(0))
    sign = torch.tensor(2.0 * y - 1)

    def f(w):
        return torch.nn.functional.softplus(-sign * (X @ w)).mean() + 0.05 * w.square().sum()

    return f, torch.zeros(30).double()


def scipy_of(f):
    """The same function for SciPy: value and gradient of an array."""

    def both(x):
        leaf = torch.tensor(x, requires_grad=True)
        value = f(leaf)
        return value.item(), torch.autograd.grad(value, leaf)[0].numpy()

    return both


PROBLEMS = {
    "Rosenbrock, 2 dimensions": lambda: (rosenbrock, torch.tensor([-1.2, 1.0]).double()),
    "Rosenbrock, 20 dimensions": lambda: (rosenbrock, torch.full((20,), 0.5).double()),
    "Beale": lambda: (beale, torch.tensor([1.0, 1.0]).double()),
    "saddle": lambda: (saddle, torch.tensor([1.0, 0.1]).double()),
    "logistic regression": logistic,
}


def scipy_minimum(f, x):
    """By L-BFGS-B, and then to the last digit as a root of the gradient."""
    both = scipy_of(f)
    near = scipy.optimize.minimize(both, x.numpy(), jac=True, method="L-BFGS-B")
    there = scipy.optimize.root(
        lambda x: both(x)[1], near.x, tol=1e-15,
        jac=lambda x: torch.autograd.functional.hessian(f, torch.tensor(x)).numpy(),
    )  # fmt: skip
    return torch.tensor(there.x)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("problem", PROBLEMS)
def test_the_minimum_is_that_of_scipy(method, problem, parity):
    f, x = PROBLEMS[problem]()
    theirs, ours = scipy_minimum(f, x), method(f, x, tolerance=1e-11)
    assert ours.converged
    assert ours.gradient.abs().max() <= 1e-11
    torch.testing.assert_close(ours.value, f(ours.x))
    reference = "scipy.optimize.minimize, L-BFGS-B, polished by root"
    item = f"{method.__name__}, {problem}"
    parity(f"{item}, the minimum", ours.x, theirs, reference=reference, tolerance=1e-10)
    parity(f"{item}, its value", ours.value, f(theirs), reference=reference, tolerance=1e-14)


@pytest.mark.parametrize("dims", [2, 10, 20])
def test_it_asks_no_more_than_scipy_does(dims):
    x = torch.tensor([-1.2, 1.0]).double().repeat(dims // 2)
    theirs = scipy.optimize.minimize(
        scipy.optimize.rosen, x.numpy(), jac=scipy.optimize.rosen_der, method="L-BFGS-B",
        options={"gtol": 1e-8, "ftol": 0},
    )  # fmt: skip
    assert lbfgs(rosenbrock, x, tolerance=1e-8).evaluations <= 1.2 * theirs.nfev


@given(count=st.integers(1, 6), seed=st.integers(0, 50))
def test_the_two_loops_are_the_dense_update(count, seed):
    """H built by Eq. 7.16 of Nocedal and Wright, from the same H₀."""
    A = normal(6, 6, seed=seed)
    A = A @ A.T + 0.1 * torch.eye(6)
    steps = list(normal(count, 6, seed=seed + 100))
    changes = [A @ s for s in steps]
    s, y = steps[-1], changes[-1]
    H = torch.eye(6).double() * (s @ y) / (y @ y)
    for s, y in zip(steps, changes, strict=True):
        turn = torch.eye(6).double() - torch.outer(s, y) / (y @ s)
        H = turn @ H @ turn.T + torch.outer(s, s) / (y @ s)
        torch.testing.assert_close(H @ y, s, rtol=1e-6, atol=1e-6)  # the secant equation
    g = normal(6, seed=seed + 200)
    torch.testing.assert_close(lbfgs_direction(g, steps, changes), H @ g, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("method", METHODS)
def test_any_shape_of_unknowns(method):
    goal = normal(2, 3, 4)
    found = method(
        lambda x: ((x - goal) ** 4 + (x - goal) ** 2).sum(), torch.zeros(2, 3, 4).double()
    )
    torch.testing.assert_close(found.x, goal, rtol=0, atol=1e-6)
    assert method(lambda x: (x - 2) ** 2, torch.tensor(5.0).double()).x.item() == pytest.approx(2)


def test_newton_jumps_to_the_minimum_of_a_quadratic():
    A = normal(8, 8)
    A = A @ A.T + torch.eye(8)
    b = normal(8, seed=1)
    d = newton_direction(1e-9 * b, lambda v: A @ v)  # a small gradient asks for precision
    torch.testing.assert_close(d, -1e-9 * torch.linalg.solve(A, b), rtol=1e-3, atol=0)
    torch.testing.assert_close(newton_direction(b, lambda v: A @ v, most=1),
                               -b * (b @ b) / (b @ (A @ b)))  # fmt: skip


def test_newton_turns_away_where_the_hessian_bends_down():
    H = torch.tensor([-1.0, 2.0]).double()
    for g in ([1.0, 0.0], [1.0, 0.1], [0.3, 1.0]):
        d = newton_direction(torch.tensor(g).double(), lambda v: H * v)
        assert (d * torch.tensor(g)).sum() < 0
        assert d.isfinite().all()
    flat = newton_direction(torch.tensor([2.0]).double(), torch.zeros_like)
    assert flat.tolist() == [-2]


def test_the_product_with_the_hessian(generator):
    x, v = torch.randn(2, 7, generator=generator, dtype=torch.float64)
    expected = torch.autograd.functional.hessian(rosenbrock, x) @ v
    product = hessian_at(rosenbrock, x)
    for _ in range(2):
        torch.testing.assert_close(product(v), expected)
    assert hessian_at(lambda x: 3 * x.sum(), x)(v).tolist() == [0] * 7


@pytest.mark.parametrize("method", METHODS)
def test_gradients_may_be_given(method):
    scale = torch.tensor([1.0, 10.0, 100.0]).double()
    calls = []

    def pair(x):
        calls.append(1)
        return (scale * x * x).sum() / 2, scale * x

    options = {} if method is lbfgs else {"hessian_product": lambda x, v: scale * v}
    found = method(pair, torch.ones(3).double(), tolerance=1e-9, **options)
    assert found.converged
    assert found.x.abs().max() < 1e-9
    assert len(calls) == found.evaluations


def test_at_the_minimum_nothing_is_done():
    for method in METHODS:
        found = method(rosenbrock, torch.ones(4).double())
        assert (found.iterations, found.evaluations, found.converged) == (0, 1, True)
        assert method(lambda x: x.sum(), torch.zeros(0)).converged


@pytest.mark.parametrize("method", METHODS)
def test_arguments_stay_and_nothing_is_tracked(method):
    x = torch.tensor([-1.2, 1.0], dtype=torch.float64, requires_grad=True)
    found = method(rosenbrock, x)
    assert x.tolist() == [-1.2, 1]
    assert x.grad is None
    for tensor in found[:3]:
        assert not tensor.requires_grad


@pytest.mark.parametrize("method", METHODS)
def test_walls_of_infinity_are_stepped_back_from(method):
    found = method(lambda x: (x - x.log()).sum(), torch.tensor([9.0, 0.01]).double())
    torch.testing.assert_close(found.x, torch.ones(2).double(), rtol=0, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_single_precision_comes_as_near_as_it_can(method):
    found = method(rosenbrock, torch.tensor([-1.2, 1.0]), tolerance=1e-3)
    assert found.x.dtype == torch.float32
    assert found.converged
    torch.testing.assert_close(found.x, torch.ones(2), rtol=0, atol=5e-3)


@pytest.mark.parametrize("method", METHODS)
def test_who_does_not_arrive_is_warned(method):
    with pytest.warns(ConvergenceWarning, match="stopped after 2 iterations with a gradient of"):
        found = method(rosenbrock, torch.tensor([-1.2, 1.0]), most=2)
    assert not found.converged
    with pytest.warns(ConvergenceWarning):  # there is no minimum
        assert not method(lambda x: x.sum(), torch.zeros(1).double(), most=50).converged


@pytest.mark.usefixtures("as_a_user")
def test_what_cannot_be_minimized_is_named():
    x = torch.ones(2)
    for method in METHODS:
        with pytest.raises(TypeError, match="x holds int64"):
            method(rosenbrock, x.long())
        with pytest.raises(ValueError, match=r"one number, and a gradient of shape \(2,\)"):
            method(lambda x: (x.sum(), x.sum()), x)
        with pytest.raises(ValueError, match="f must be finite at x, got the value nan"):
            method(lambda x: x.sum() * math.nan, x)
    with pytest.raises(ValueError, match="memory must be at least 1, got 0"):
        lbfgs(rosenbrock, x, memory=0)
    with pytest.raises(ValueError, match="give newton_cg a hessian_product as well"):
        newton_cg(lambda x: (x.square().sum(), 2 * x), x)


def on_line(f, x):
    """A function of one number as a line search sees it."""

    def along(step):
        leaf = torch.tensor(x + step, dtype=torch.float64, requires_grad=True)
        value = f(leaf)
        return Trial(step, value.item(), torch.autograd.grad(value, leaf)[0].item())

    return along


@given(
    bend=st.floats(0.1, 3.0), first=st.floats(1e-3, 1e3), curvature=st.floats(0.01, 0.9),
    shift=st.floats(0.5, 20.0),
)  # fmt: skip
def test_a_step_fulfills_both_conditions_of_wolfe(bend, first, curvature, shift):
    """On the function of Moré and Thuente (1994), Eq. 5.1, moved and stretched."""
    along = on_line(lambda t: -(t / shift) / ((t / shift) ** 2 + bend), 0.0)
    start, decrease = along(0.0), 1e-3
    found = strong_wolfe(along, start, first, decrease=decrease, curvature=curvature)
    assert found is not None
    assert found.value <= start.value + decrease * found.step * start.slope
    assert abs(found.slope) <= curvature * abs(start.slope)


def test_behind_a_hump_the_search_turns_back():
    """A second step that is higher than the first closes the bracket, low enough or not."""
    heights, tried = {1.0: -1.0, 2.0: -0.9}, []

    def along(step):
        tried.append(step)
        return Trial(step, heights.get(step, -1.2), -1.0 if step in heights else 0.0)

    found = strong_wolfe(along, Trial(0.0, 0.0, -1.0))
    assert tried[:2] == [1, 2]
    assert found is not None
    assert 1 < found.step < 2


def test_scipy_accepts_the_same_step(parity):
    """Where the first step does, both take it; elsewhere both fulfill the conditions."""
    f = lambda t: (t - 1) ** 2  # noqa: E731
    along = on_line(f, 0.0)
    ours = strong_wolfe(along, along(0.0), 1.0)
    theirs = scipy.optimize.line_search(
        lambda x: float(f(x[0])), lambda x: 2 * (x - 1), np.zeros(1), np.ones(1)
    )
    parity("line search, the accepted step", ours.step, theirs[0],
           reference="scipy.optimize.line_search", tolerance=1e-15)  # fmt: skip


def test_the_cubic_is_exact_on_cubics(generator):
    for a, b, c in torch.randn(50, 3, generator=generator, dtype=torch.float64).tolist():
        f = lambda t, a=a, b=b, c=c: a * t**3 / 3 + b * t * t / 2 + c * t  # noqa: E731
        slope = lambda t, a=a, b=b, c=c: a * t * t + b * t + c  # noqa: E731
        if b * b > 4.01 * a * c:
            bottom = (-b + math.sqrt(b * b - 4 * a * c)) / (2 * a)  # where it bends up
            ends = [Trial(t, f(t), slope(t)) for t in (bottom - 0.3, bottom + 0.5)]
            for pair in (ends, ends[::-1]):
                assert interpolate(*pair) == pytest.approx(bottom, abs=1e-6)
    line = Trial(0.0, 0.0, -1.0), Trial(2.0, -2.0, -1.0)
    assert interpolate(*line) in (1.0, pytest.approx(2.0), pytest.approx(0.0))
    assert interpolate(line[0], line[0]) == 0


def test_a_line_search_that_finds_nothing_says_so():
    down = on_line(lambda t: -t, 0.0)
    assert strong_wolfe(down, down(0.0), 1.0, most=10) is None
    with pytest.raises(ValueError, match="start must lead downhill, got the slope 1"):
        strong_wolfe(down, Trial(0.0, 0.0, 1.0))
    with pytest.raises(ValueError, match="0 < decrease < curvature < 1"):
        strong_wolfe(down, down(0.0), decrease=0.9, curvature=0.1)


def test_the_surfaces_are_those_of_the_books(parity):
    x = normal(5, 4)
    expected = [scipy.optimize.rosen(row.numpy()) for row in x]
    parity("Rosenbrock's function", rosenbrock(x), expected,
           reference="scipy.optimize.rosen", tolerance=1e-13)  # fmt: skip
    assert beale(torch.tensor([3.0, 0.5])) == 0
    assert beale(torch.zeros(2)) == 1.5**2 + 2.25**2 + 2.625**2
    points = torch.tensor([[0.0, 0], [0, 1], [0, -1], [2, 0]])
    assert saddle(points).tolist() == [0, -0.25, -0.25, 2]


@pytest.mark.usefixtures("as_a_user")
def test_surfaces_are_no_place_for_whole_numbers():
    for f in (rosenbrock, beale, saddle):
        with pytest.raises(TypeError, match="x holds int64"):
            f(torch.ones(2, dtype=torch.int64))


def test_everything_stays_on_the_device(fake_device):
    for method in METHODS:
        agrees_on_device(
            partial(method, rosenbrock, tolerance=1e-4), torch.tensor([-1.2, 1.0]).double()
        )
    for surface in (rosenbrock, beale, saddle):
        agrees_on_device(surface, torch.rand(3, 2))
