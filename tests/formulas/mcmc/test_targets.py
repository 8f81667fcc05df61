import pytest
import torch
from scipy import stats
from sklearn.linear_model import LogisticRegression

from etude.core.gradient_check import slopes
from etude.core.random import stream
from etude.formulas.mcmc.finite import all_states
from etude.formulas.mcmc.targets import Banana, Funnel, Gaussian, Ising, LogisticPosterior, Mixture
from tests.formulas.mcmc.invariance import FIVE_SIGMA, normal, worst

FACTOR = torch.tensor([[1.0, 0.0], [0.8, 0.6]]).double()
MEAN = torch.tensor([1.0, -1.0]).double()
GAUSSIAN = Gaussian(MEAN, FACTOR)
HILLS = Mixture(torch.tensor([[-2.0, 0.0], [2.0, 1.0]]).double(), 0.5)


def test_the_gaussian_is_scipys(parity):
    x = 3 * normal(30, 2)
    theirs = stats.multivariate_normal(MEAN.numpy(), (FACTOR @ FACTOR.mT).numpy()).logpdf(x.numpy())
    parity("normal log-density", GAUSSIAN(x), theirs,
           reference="scipy.stats.multivariate_normal", tolerance=1e-12)  # fmt: skip


def test_draws_of_a_target_are_its_own():
    draws = GAUSSIAN.sample(40_000, stream(0))
    z = torch.linalg.solve_triangular(FACTOR, (draws - MEAN).mT, upper=False).mT
    assert worst(z) > FIVE_SIGMA
    hills = HILLS.sample(40_000, stream(0))
    second = (hills @ torch.tensor([4.0, 1.0]).double()) > 0.5
    assert abs(second.double().mean() - 0.5) < 5 * 0.5 / 200
    assert worst((hills[second] - HILLS.means[1]) / 0.5) > FIVE_SIGMA


@pytest.mark.parametrize("target", [Banana(0.4, 1.2), Funnel(0.8)])
def test_straightened_it_is_a_normal_density_times_the_stretch(target, parity):
    """log p(x) = log N(z; 0, I) + log |∂z/∂x|, the determinant by autograd."""
    x = normal(6, 2)
    z = target.straighten(x)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda p: target.straighten(p[None])[0]))(x)
    standard = Gaussian(torch.zeros(2).double(), torch.eye(2).double())
    parity(f"{type(target).__name__} log-density", target(x), standard(z) + jacobian.det().abs().log(),
           reference="change of variables", tolerance=1e-12)  # fmt: skip


def test_the_funnel_bends_back(parity):
    z = normal(20, 4)
    parity("funnel there and back", Funnel().straighten(Funnel().bend(z)), z,
           reference="the identity", tolerance=1e-12)  # fmt: skip


@pytest.mark.parametrize(
    "target", [GAUSSIAN, Banana(0.2, 1.2), HILLS], ids=["gaussian", "banana", "hills"]
)
def test_a_density_integrates_to_one(target):
    grid = torch.linspace(-12, 12, 601, dtype=torch.float64)
    points = torch.cartesian_prod(grid, grid)
    mass = target(points).exp().sum() * (grid[1] - grid[0]) ** 2
    assert mass.item() == pytest.approx(1, abs=1e-6)


def test_the_mode_of_the_logistic_posterior_is_ridge_regressions():
    g = stream(0)
    X = torch.randn(80, 3, generator=g, dtype=torch.float64)
    y = (X @ torch.tensor([1.0, -2.0, 0.5]).double() + torch.randn(80, generator=g) > 0).double()
    target = LogisticPosterior(X, y, 1.5)
    model = LogisticRegression(C=1.5**2, fit_intercept=False, tol=1e-12, max_iter=1000)
    mode = torch.from_numpy(model.fit(X.numpy(), y.numpy()).coef_)
    assert target.value_and_gradient(mode)[1].abs().max() < 1e-5
    assert (target(mode) > target(mode + 0.01 * normal(50, 3))).all()


def test_value_and_gradient_are_one_function_and_its_slope(parity):
    X, y = normal(20, 3), (normal(20, 1, 1)[:, 0] > 0).double()
    target = LogisticPosterior(X, y, 0.7)
    x = normal(4, 3, 2)
    value, gradient = target.value_and_gradient(x)
    parity("logistic posterior", value, target(x), reference="its own log-density", tolerance=1e-13)
    measured = slopes(lambda p: target(p).sum(), x)
    parity("gradient of the logistic posterior", gradient, measured,
           reference="central differences", tolerance=1e-8)  # fmt: skip
    likelihood = stats.bernoulli(torch.sigmoid(x @ X.mT).numpy()).logpmf(y.numpy()).sum(-1)
    prior = stats.norm(0, 0.7).logpdf(x.numpy()).sum(-1)
    apart = value - torch.from_numpy(likelihood + prior)
    assert (apart - apart[0]).abs().max() < 1e-11  # a constant


def test_large_logits_do_not_overflow():
    target = LogisticPosterior(1e4 * torch.ones(2, 1), torch.tensor([0.0, 1.0]))
    value, gradient = target.value_and_gradient(torch.tensor([[5.0], [-5.0]]))
    assert value.isfinite().all()
    assert gradient.isfinite().all()


def test_ising_counts_every_pair_of_neighbors_once():
    target = Ising(2, 3, 1.0)
    assert target(torch.ones(1, 6)).item() == 7  # 4 across, 3 down
    assert Ising(2, 3, 1.0, 0.5)(-torch.ones(1, 6)).item() == 7 - 3
    checkers = torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0, -1.0]])
    assert target(checkers).item() == -7
    states = all_states(torch.tensor([-1.0, 1.0]).double(), 6)
    energy = target(states)
    for k in range(6):
        flipped = states.clone()
        flipped[:, k] *= -1
        assert ((energy - target(flipped)).abs() <= 6).all()  # at most three neighbors


@pytest.mark.usefixtures("as_a_user")
def test_says_what_does_not_fit():
    with pytest.raises(ValueError, match="factor has 2 dims, expected 3"):
        Gaussian(torch.zeros(3).double(), FACTOR)
    with pytest.raises(ValueError, match="y has 2 rows, expected 3"):
        LogisticPosterior(torch.ones(3, 1), torch.ones(2))
