import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from etude.core.random import stream
from etude.formulas.optimization.first_order import (
    adagrad,
    adam,
    adam_moments,
    adamw,
    lion,
    nadam,
    rmsprop,
    sgd,
)
from etude.formulas.optimization.tensor_list import TensorList
from tests.on_device import agrees_on_device

RULES = [
    ("gradient descent", sgd, "SGD", {"lr": 1e-3}),
    ("heavy ball", sgd, "SGD", {"lr": 1e-3, "momentum": 0.9}),
    ("heavy ball, dampened", sgd, "SGD", {"lr": 1e-3, "momentum": 0.9, "dampening": 0.3}),
    ("Nesterov, weight decay", sgd, "SGD",
     {"lr": 1e-3, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ("AdaGrad", adagrad, "Adagrad", {"lr": 0.1}),
    ("AdaGrad, every option", adagrad, "Adagrad",
     {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.3, "eps": 1e-3,
      "weight_decay": 0.1}),
    ("RMSprop", rmsprop, "RMSprop", {"lr": 0.01}),
    ("RMSprop, centered", rmsprop, "RMSprop", {"lr": 0.01, "centered": True, "alpha": 0.9}),
    ("RMSprop, momentum", rmsprop, "RMSprop", {"lr": 0.003, "momentum": 0.9, "weight_decay": 0.1}),
    ("RMSprop, centered, momentum", rmsprop, "RMSprop",
     {"lr": 0.003, "momentum": 0.9, "centered": True, "eps": 1e-3}),
    ("Adam", adam, "Adam", {"lr": 0.05}),
    ("Adam, L2", adam, "Adam", {"lr": 0.05, "weight_decay": 0.1, "eps": 1e-3, "betas": (0.8, 0.9)}),
    ("AMSGrad", adam, "Adam", {"lr": 0.05, "amsgrad": True, "betas": (0.9, 0.9)}),
    ("AdamW", adamw, "AdamW", {"lr": 0.05, "weight_decay": 0.1}),
    ("AdamW, AMSGrad", adamw, "AdamW", {"lr": 0.05, "amsgrad": True, "betas": (0.9, 0.9)}),
    ("NAdam", nadam, "NAdam", {"lr": 0.01}),
    ("NAdam, L2", nadam, "NAdam", {"lr": 0.01, "weight_decay": 0.1, "momentum_decay": 0.1}),
]  # fmt: skip
EVERY = [(rule, options) for _, rule, _, options in RULES] + [(lion, {"weight_decay": 0.1})]


def bumpy(dtype=torch.float64):
    """A function of six numbers that is neither convex nor quadratic."""
    A = torch.randn(6, 6, generator=stream(0), dtype=dtype)
    b = torch.randn(6, generator=stream(1), dtype=dtype)
    return lambda x: (A @ x - b).square().sum() + x.cos().sum()


def slope(f, x):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(f(x), x)[0]


def descent(rule, f, x, steps, **options):
    path, state = [], {}
    for _ in range(steps):
        x, state = rule(x, slope(f, x), state, **options)
        path.append(x)
    return torch.stack(path)


@pytest.fixture
def default_type(dtype):
    """Torch's NAdam keeps its product of momentums in the default type."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    yield
    torch.set_default_dtype(before)


@pytest.mark.usefixtures("default_type")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("name", "rule", "theirs", "options"), RULES)
def test_two_hundred_steps_are_those_of_torch(name, rule, theirs, options, dtype, parity):
    f, x = bumpy(dtype), torch.ones(6, dtype=dtype, requires_grad=True)
    optimizer, path = getattr(torch.optim, theirs)([x], **options), []
    for _ in range(200):
        optimizer.zero_grad()
        f(x).backward()
        optimizer.step()
        path.append(x.detach().clone())
    ours = descent(rule, f, torch.ones(6, dtype=dtype), 200, **options)
    assert ours.dtype == dtype
    kind, tolerance = str(dtype).removeprefix("torch."), 1e-14 if dtype == torch.float64 else 1e-5
    parity(f"{name}, 200 steps, {kind}", ours, torch.stack(path),
           reference=f"torch.optim.{theirs}", tolerance=tolerance)  # fmt: skip


def test_lion_is_the_algorithm_as_printed():
    """Algorithm 2 of Chen et al. (2023), number by number."""
    f, p, m = bumpy(), [1.0] * 6, [0.0] * 6
    for _ in range(50):
        g = slope(f, torch.tensor(p, dtype=torch.float64)).tolist()
        for i in range(6):
            c = 0.9 * m[i] + (1 - 0.9) * g[i]
            p[i] -= 0.01 * (math.copysign(1, c) + 0.1 * p[i])
            m[i] = 0.99 * m[i] + (1 - 0.99) * g[i]
    ours = descent(lion, f, torch.ones(6).double(), 50, lr=0.01, weight_decay=0.1)[-1]
    torch.testing.assert_close(ours, torch.tensor(p).double(), rtol=1e-6, atol=1e-6)


def test_one_step_in_the_head():
    p, g = torch.tensor([2.0, 1.0]), torch.tensor([2.0, 10.0])  # ½(x² + 10 y²) at (2, 1)
    torch.testing.assert_close(sgd(p, g, {}, lr=0.1)[0], torch.tensor([1.8, 0.0]))
    for rule in (adagrad, adam):  # the first step has length lr, whatever the gradient is
        torch.testing.assert_close(rule(p, g, {}, lr=0.1)[0], p - 0.1)
    torch.testing.assert_close(rmsprop(p, g, {}, lr=0.1)[0], p - 1.0)  # √(1 − α) is 1/10
    torch.testing.assert_close(lion(p, -g, {}, lr=0.1)[0], p + 0.1)


@pytest.mark.parametrize(("rule", "options"), EVERY)
def test_no_argument_is_changed(rule, options):
    f, p, state = bumpy(), torch.ones(6).double(), {}
    for _ in range(3):
        g = slope(f, p)
        before = p.clone(), g.clone(), {k: torch.as_tensor(v).clone() for k, v in state.items()}
        moved, new = rule(p, g, state, **options)
        torch.testing.assert_close((p, g), before[:2], rtol=0, atol=0)
        for name, value in state.items():
            torch.testing.assert_close(torch.as_tensor(value), before[2][name], rtol=0, atol=0)
        memory = {v.data_ptr() for v in new.values() if isinstance(v, torch.Tensor)}
        assert not memory & {p.data_ptr(), g.data_ptr()}  # autograd will write there again
        p, state = moved, new


@pytest.mark.parametrize(("rule", "options"), EVERY)
def test_a_list_of_tensors_is_each_of_them_alone(rule, options):
    shapes, singles, states = [(3,), (2, 4), ()], [], [{}, {}, {}]
    p = [torch.randn(s, generator=stream(i)).double() for i, s in enumerate(shapes)]
    together, state = TensorList(p), {}
    for step in range(4):
        g = [torch.randn(s, generator=stream(10 * step + i)).double() for i, s in enumerate(shapes)]
        together, state = rule(together, TensorList(g), state, **options)
        singles = [rule(p[i], g[i], states[i], **options) for i in range(3)]
        p, states = [one[0] for one in singles], [one[1] for one in singles]
    for i in range(3):
        torch.testing.assert_close(together.tensors[i], p[i], rtol=1e-13, atol=1e-13)


@given(scale=st.floats(1e-2, 1e4), seed=st.integers(0, 99))
def test_adaptive_rules_do_not_care_for_units(scale, seed):
    """Gradients in other units leave the path, but for eps, as it is."""
    gradients = torch.randn(20, 5, generator=stream(seed), dtype=torch.float64)
    for rule in (adagrad, rmsprop, adam, nadam, lion):
        options = {"lr": 0.1} if rule is lion else {"lr": 0.1, "eps": 1e-30}
        ends = []
        for factor in (1.0, scale):
            p, state = torch.zeros(5).double(), {}
            for g in gradients:
                p, state = rule(p, factor * g, state, **options)
            ends.append(p)
        torch.testing.assert_close(*ends, rtol=1e-8, atol=1e-8)


def test_the_bias_correction_gives_constant_gradients_constant_steps():
    p, state, g = torch.zeros(2).double(), {}, torch.tensor([3.0, -0.02]).double()
    for step in range(1, 50):
        p, state = adam(p, g, state, lr=0.1, eps=1e-30)
        torch.testing.assert_close(p, -0.1 * step * g.sign(), rtol=1e-12, atol=0)


def test_epsilon_stands_outside_the_root():
    g = torch.full((1,), 1e-6).double()
    for rule, options in ((adam, {}), (adagrad, {"eps": 1e-8}), (rmsprop, {"alpha": 0.0})):
        step = -rule(torch.zeros(1).double(), g, {}, lr=1.0, **options)[0]
        assert step.item() == pytest.approx(1e-6 / (1e-6 + 1e-8), rel=1e-9)


def test_weights_that_are_not_asked_for_stay():
    zero = torch.zeros(3).double()
    for rule, _ in EVERY:
        p, _ = rule(torch.ones(3).double(), zero, {}, lr=0.1, weight_decay=0.0)
        assert p.tolist() == [1, 1, 1]


def test_amsgrad_never_takes_a_longer_step_than_before():
    """The divisor cannot fall, so under gradients of one size that come and go steps shrink."""
    p, state, last = torch.zeros(1).double(), {}, None
    for g in [10.0] + [0.1] * 200:
        p, state = adam(p, torch.tensor([g]).double(), state, betas=(0.0, 0.9), amsgrad=True)
        divisor = state["max_exp_avg_sq"].item()
        assert last is None or divisor >= last
        last = divisor
    assert last > 100 * state["exp_avg_sq"].item()


@pytest.mark.parametrize("decoupled", [True, False])
def test_decoupled_decay_does_not_ask_for_the_gradient(decoupled):
    """Gradients that alternate cancel; what is left is the decay, and L2 spares the busy weight."""
    p, state = torch.ones(2).double(), {}
    for step in range(1000):
        g = torch.tensor([1.0, 100.0]).double() * (-1) ** step
        p, state = adam(
            p, g, state, lr=1e-3, weight_decay=0.5, decoupled_weight_decay=decoupled
        )  # fmt: skip
    share = math.exp(-0.5)
    if decoupled:
        torch.testing.assert_close(p, torch.full((2,), share).double(), rtol=0.01, atol=0.01)
    else:
        assert p[0] < 0.7
        assert p[1] > 0.98


def test_with_a_large_epsilon_adam_is_the_heavy_ball():
    """Choi et al. (2019): Adam contains momentum, here dampened, and freed of its start."""
    f, big = bumpy(), 1e8
    p, state = torch.ones(6).double(), {}
    q, other = torch.ones(6).double(), torch.zeros(6).double()
    for step in range(1, 101):
        p, state = adam(p, slope(f, p), state, lr=1e-3 * big, eps=big)
        other = 0.9 * other + 0.1 * slope(f, q)
        q = q - 1e-3 * other / (1 - 0.9**step)
    torch.testing.assert_close(p, q, rtol=1e-6, atol=1e-6)


def reddi(rule, steps=20_000, **options):
    x, state = torch.zeros(()).double(), {}
    for t in range(1, steps + 1):
        g = torch.tensor(3.0 if t % 3 == 1 else -1.0).double()
        x, state = rule(x, g, state, lr=0.1 / math.sqrt(t), **options)
        x = x.clamp(-1, 1)
    return x.item()


def test_adam_ends_at_the_worst_point_of_reddi_kale_and_kumar():
    short = {"betas": (0.0, 0.1), "eps": 0.0}
    assert reddi(adam, **short) == pytest.approx(0.9998, abs=1e-5)
    assert reddi(adam, amsgrad=True, **short) == pytest.approx(-0.99975, abs=1e-5)
    assert reddi(sgd) == pytest.approx(-0.9993, abs=1e-5)


def test_nesterov_needs_a_momentum_and_no_dampening():
    p = torch.ones(2)
    with pytest.raises(ValueError, match="nesterov needs momentum > 0"):
        sgd(p, p, {}, lr=0.1, nesterov=True)
    with pytest.raises(ValueError, match="dampening 0, got 0.9 and 0.1"):
        sgd(p, p, {}, lr=0.1, momentum=0.9, dampening=0.1, nesterov=True)


def test_the_moments_are_weighted_means(generator):
    gradients = torch.randn(30, 4, generator=generator).double()
    state = {}
    for g in gradients:
        step, mean, square, state = adam_moments(g, g, state, (0.9, 0.99))
    for beta, moment, values in ((0.9, mean, gradients), (0.99, square, gradients.square())):
        weights = (1 - beta) * beta ** torch.arange(29, -1, -1).double()
        torch.testing.assert_close(moment, (weights[:, None] * values).sum(0))
        assert weights.sum().item() == pytest.approx(1 - beta**step)


def test_everything_stays_on_the_device(fake_device):
    for rule, options in EVERY:

        def twice(p, g, rule=rule, options=options):
            p, state = rule(p, g, {}, **options)
            return rule(p, g, state, **options)

        agrees_on_device(twice, torch.ones(3).double(), torch.arange(1.0, 4.0).double())
