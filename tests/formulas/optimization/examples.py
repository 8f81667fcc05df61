"""A call of every public callable, made on either device: see tests/devices/example.py."""

from etude.formulas.optimization.clipping import (
    clip_by_norm,
    clip_by_value,
    clip_grad_norm_,
    clip_grad_value_,
    total_norm,
)
from etude.formulas.optimization.first_order import (
    adagrad,
    adam,
    adamw,
    lion,
    nadam,
    rmsprop,
    sgd,
)
from etude.formulas.optimization.line_search import Trial, interpolate, strong_wolfe
from etude.formulas.optimization.optimizer import Optimizer
from etude.formulas.optimization.quadratics import (
    convergence_rate,
    iterate_matrix,
    tuned_gradient_descent,
    tuned_heavy_ball,
    tuned_nesterov,
)
from etude.formulas.optimization.schedules import (
    constant,
    cosine,
    inverse_sqrt,
    linear_warmup,
    one_cycle,
    step_decay,
)
from etude.formulas.optimization.second_order import (
    lbfgs,
    lbfgs_direction,
    newton_cg,
    newton_direction,
)
from etude.formulas.optimization.surfaces import beale, rosenbrock, saddle
from etude.formulas.optimization.tensor_list import TensorList, assign, pieces, zeros_like
from tests.devices.example import call


def step(at, *names, **options):
    """A point, its gradient, and a state with some moments."""
    state = {name: at.rand(3, 2) for name in names}
    if "exp_avg_sq" in names or "square_avg" in names or "sum" in names:
        state["step"] = 4
    return call(at.randn(3, 2), at.randn(3, 2), state, **options)


def optimizer(at):
    """Two parameters with gradients, and an Adam that has made a step."""
    params = [at.randn(3, 2), at.randn(4)]
    for p in params:
        p.grad = at.rand(*p.shape).detach()
    made = Optimizer(params, adam, lr=0.1)
    made.step()
    return made


def gradients(at):
    """Of two parameters."""
    return [at.randn(3).detach(), at.randn(2, 2).detach()]


def parameters(at):
    """Two, with their gradients."""
    made = [at.randn(3), at.randn(2, 2)]
    for p in made:
        p.grad = at.randn(*p.shape).detach()
    return made


def bowl(x):
    """A quartic with its minimum at 1."""
    return ((x - 1).square() + (x - 1) ** 4).sum()


def parabola(step):
    """(t − 3)² on a line."""
    return Trial(step, (step - 3) ** 2, 2 * (step - 3))


EXAMPLES = {
    sgd: lambda at: step(at, "momentum_buffer", lr=0.1, momentum=0.9, nesterov=True),
    adagrad: lambda at: step(at, "sum", weight_decay=0.1),
    rmsprop: lambda at: step(
        at, "square_avg", "grad_avg", "momentum_buffer", momentum=0.5, centered=False
    ),
    adam: lambda at: step(at, "exp_avg", "exp_avg_sq", "max_exp_avg_sq", amsgrad=True),
    adamw: lambda at: step(at, "exp_avg", "exp_avg_sq"),
    nadam: lambda at: step(at, "exp_avg", "exp_avg_sq"),
    lion: lambda at: step(at, "exp_avg", weight_decay=0.1),
    Optimizer.step: optimizer,
    Optimizer.zero_grad: lambda at: (optimizer(at), False),
    Optimizer.add_param_group: lambda at: (optimizer(at), {"params": at.randn(2), "lr": 0.3}),
    Optimizer.state_dict: optimizer,
    Optimizer.load_state_dict: lambda at: (optimizer(at), optimizer(at).state_dict()),
    Optimizer.rate: lambda at: (o := optimizer(at), o.param_groups[0]),
    TensorList: lambda at: [at.randn(3), at.randn(2)],
    assign: lambda at: ([at.randn(3).detach()], [at.randn(3).detach()]),
    pieces: lambda at: ([[at.randn(5), at.randn(2, 3)]], 4),
    zeros_like: lambda at: at.randn(3),
    constant: lambda at: (at.rand(4), 0.1),
    cosine: lambda at: call(10 * at.rand(4), 0.1, steps=8),
    inverse_sqrt: lambda at: call(10 * at.rand(4), 0.1, steps=4),
    linear_warmup: lambda at: call(10 * at.rand(4), 0.1, steps=4),
    one_cycle: lambda at: call(10 * at.rand(4), 0.1, steps=10),
    step_decay: lambda at: call(10 * at.rand(4), 0.1, every=3),
    clip_by_norm: lambda at: (gradients(at), 0.5),
    clip_by_value: lambda at: (gradients(at), 0.5),
    clip_grad_norm_: lambda at: (parameters(at), 0.5),
    clip_grad_value_: lambda at: (parameters(at), 0.5),
    total_norm: gradients,
    convergence_rate: lambda at: (at.rand(4), 0.5, 0.3),
    iterate_matrix: lambda at: call(at.rand(4), 0.5, 0.3, nesterov=True),
    tuned_gradient_descent: lambda at: (1.0, 10.0),
    tuned_heavy_ball: lambda at: (1.0, 10.0),
    tuned_nesterov: lambda at: (1.0, 10.0),
    beale: lambda at: at.randn(3, 2),
    rosenbrock: lambda at: at.randn(3, 4),
    saddle: lambda at: at.randn(3, 2),
    interpolate: lambda at: (parabola(0.0), parabola(4.0)),
    strong_wolfe: lambda at: (parabola, parabola(0.0), 9.0),
    lbfgs: lambda at: call(bowl, at.rand(5), tolerance=1e-3),
    newton_cg: lambda at: call(bowl, at.rand(5), tolerance=1e-3),
    lbfgs_direction: lambda at: (at.rand(4), [at.rand(4), at.rand(4)], [at.rand(4), at.rand(4)]),
    newton_direction: lambda at: (at.rand(4), lambda v: 2 * v),
}
