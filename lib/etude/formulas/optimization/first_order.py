"""First-order rules: what a parameter becomes, given its gradient and what is remembered.

Every rule has one signature, `rule(p, g, state, *, lr, …) → (p, state)`. It changes none of its
arguments. The state is empty at first; its entries and all options have torch.optim's names.
`p` and `g` are tensors of one shape, or a `TensorList` of them.

Chapter: formulas/optimization
"""

from typing import Any, TypeAlias

from etude.formulas.optimization.tensor_list import Numbers, zeros_like

__all__ = ["State", "adagrad", "adam", "adamw", "lion", "nadam", "rmsprop", "sgd"]

State: TypeAlias = dict[str, Any]  # numbers like p, and plain numbers
Real: TypeAlias = float | int  # options of torch's that are 0 there are integers


def sgd(
    p: Numbers,
    g: Numbers,
    state: State,
    *,
    lr: Real,
    momentum: Real = 0.0,
    dampening: Real = 0.0,
    nesterov: bool = False,
    weight_decay: Real = 0.0,
) -> tuple[Numbers, State]:
    """Go down the slope; with `momentum`, keep most of the last velocity.

    Source: Polyak (1964), Eq. 9; Nesterov's variant as in Sutskever et al. (2013), Eq. 3 and 4,
    written, as torch does, for the point that looks ahead.

    Raises:
        ValueError: `nesterov` without momentum, or with dampening.
    """
    if nesterov and (momentum <= 0 or dampening):
        raise ValueError(
            f"nesterov needs momentum > 0 and dampening 0, got {momentum} and {dampening}"
        )
    g = decay_gradient(p, g, weight_decay)
    if momentum:
        if state:
            # Eq. (momentum)
            v = state["momentum_buffer"].mul(momentum).add(g, alpha=1 - dampening)
        else:
            v = g.mul(1)  # a copy: the gradient's memory belongs to autograd
        state = {"momentum_buffer": v}
        # Eq. (nesterov)
        g = g.add(v, alpha=momentum) if nesterov else v
    # Eq. (gradient-descent)
    return p.add(g, alpha=-lr), state


def adagrad(
    p: Numbers,
    g: Numbers,
    state: State,
    *,
    lr: Real = 1e-2,
    lr_decay: Real = 0.0,
    initial_accumulator_value: Real = 0.0,
    eps: Real = 1e-10,
    weight_decay: Real = 0.0,
) -> tuple[Numbers, State]:
    """Divide by the root of the sum of all squared gradients so far, number by number.

    Source: Duchi, Hazan & Singer (2011), the diagonal form of Figure 1.
    """
    g = decay_gradient(p, g, weight_decay)
    step = state.get("step", 0) + 1
    total = state["sum"] if state else zeros_like(p).add(initial_accumulator_value)
    # Eq. (adagrad)
    total = total.addcmul(g, g)
    rate = lr / (1 + (step - 1) * lr_decay)
    p = p.addcdiv(g, total.sqrt().add(eps), value=-rate)
    return p, {"step": step, "sum": total}


def rmsprop(
    p: Numbers,
    g: Numbers,
    state: State,
    *,
    lr: Real = 1e-2,
    alpha: Real = 0.99,
    eps: Real = 1e-8,
    momentum: Real = 0.0,
    centered: bool = False,
    weight_decay: Real = 0.0,
) -> tuple[Numbers, State]:
    """Divide by the root of a running mean of squared gradients: AdaGrad that forgets.

    `centered` divides by the root of their variance instead.

    Source: Tieleman & Hinton (2012), lecture 6e; centered as in Graves (2013), Eq. 38–41.
    """
    g = decay_gradient(p, g, weight_decay)
    square = state["square_avg"] if state else zeros_like(p)
    # Eq. (rmsprop)
    square = square.mul(alpha).addcmul(g, g, value=1 - alpha)
    new: State = {"step": state.get("step", 0) + 1, "square_avg": square}
    spread = square
    if centered:
        mean = state["grad_avg"] if state else zeros_like(p)
        new["grad_avg"] = mean = mean.lerp(g, 1 - alpha)
        # Eq. (rmsprop-centered)
        spread = square.addcmul(mean, mean, value=-1)
    scale = spread.sqrt().add(eps)
    if not momentum:
        return p.addcdiv(g, scale, value=-lr), new
    velocity = state["momentum_buffer"] if state else zeros_like(p)
    new["momentum_buffer"] = velocity = velocity.mul(momentum).addcdiv(g, scale)
    return p.add(velocity, alpha=-lr), new


def adam(
    p: Numbers,
    g: Numbers,
    state: State,
    *,
    lr: Real = 1e-3,
    betas: tuple[Real, Real] = (0.9, 0.999),
    eps: Real = 1e-8,
    weight_decay: Real = 0.0,
    amsgrad: bool = False,
    decoupled_weight_decay: bool = False,
) -> tuple[Numbers, State]:
    """A running mean of gradients over the root of one of their squares, both freed of their bias.

    `amsgrad` never forgets the largest mean square. `weight_decay` is added to the gradient, or,
    `decoupled`, shrinks the parameter by itself.

    Source: Kingma & Ba (2015), Algorithm 1; AMSGrad: Reddi, Kale & Kumar (2018), Algorithm 2, with
    Adam's bias correction as in torch; decoupled: Loshchilov & Hutter (2019), Algorithm 2.
    """
    if decoupled_weight_decay:
        # Eq. (decoupled-decay)
        p = p.mul(1 - lr * weight_decay)
    else:
        g = decay_gradient(p, g, weight_decay)
    step, mean, square, moments = adam_moments(p, g, state, betas)
    if amsgrad:
        # Eq. (amsgrad)
        square = state.get("max_exp_avg_sq", zeros_like(p)).maximum(square)
        moments["max_exp_avg_sq"] = square
    # Eq. (bias-correction)
    bias1, bias2 = 1 - betas[0] ** step, 1 - betas[1] ** step
    scale = square.sqrt().div(bias2**0.5).add(eps)
    # Eq. (adam)
    return p.addcdiv(mean, scale, value=-lr / bias1), moments


def adamw(
    p: Numbers,
    g: Numbers,
    state: State,
    *,
    lr: Real = 1e-3,
    betas: tuple[Real, Real] = (0.9, 0.999),
    eps: Real = 1e-8,
    weight_decay: Real = 1e-2,
    amsgrad: bool = False,
) -> tuple[Numbers, State]:
    """Adam whose weight decay does not pass through the mean square.

    Source: Loshchilov & Hutter (2019), Algorithm 2, the decay scaled by `lr` as in torch.
    """
    return adam(
        p, g, state, lr=lr, betas=betas, eps=eps,
        weight_decay=weight_decay, amsgrad=amsgrad, decoupled_weight_decay=True,
    )  # fmt: skip


def nadam(
    p: Numbers,
    g: Numbers,
    state: State,
    *,
    lr: Real = 2e-3,
    betas: tuple[Real, Real] = (0.9, 0.999),
    eps: Real = 1e-8,
    weight_decay: Real = 0.0,
    momentum_decay: Real = 4e-3,
) -> tuple[Numbers, State]:
    """Adam with Nesterov's look ahead, and a momentum that warms up.

    Source: Dozat (2016), Algorithm 2, with its schedule of the momentum.
    """
    g = decay_gradient(p, g, weight_decay)
    step, mean, square, moments = adam_moments(p, g, state, betas)
    now, then = (betas[0] * (1 - 0.5 * 0.96 ** (t * momentum_decay)) for t in (step, step + 1))
    moments["mu_product"] = product = state.get("mu_product", 1.0) * now
    scale = square.sqrt().div((1 - betas[1] ** step) ** 0.5).add(eps)
    # Eq. (nadam)
    p = p.addcdiv(g, scale, value=-lr * (1 - now) / (1 - product))
    return p.addcdiv(mean, scale, value=-lr * then / (1 - product * then)), moments


def lion(
    p: Numbers,
    g: Numbers,
    state: State,
    *,
    lr: Real = 1e-4,
    betas: tuple[Real, Real] = (0.9, 0.99),
    weight_decay: Real = 0.0,
) -> tuple[Numbers, State]:
    """Only the sign of a momentum counts: every number moves by `lr`; the decay is decoupled.

    Source: Chen et al. (2023), Algorithm 2.
    """
    mean = state["exp_avg"] if state else zeros_like(p)
    # Eq. (lion)
    direction = mean.lerp(g, 1 - betas[0]).sign()
    p = p.mul(1 - lr * weight_decay).add(direction, alpha=-lr)
    return p, {"exp_avg": mean.lerp(g, 1 - betas[1])}


def adam_moments(
    p: Numbers, g: Numbers, state: State, betas: tuple[Real, Real]
) -> tuple[int, Numbers, Numbers, State]:
    """The count of steps, the running means of gradients and of squares, and both as a state."""
    step = state.get("step", 0) + 1
    mean = state["exp_avg"] if state else zeros_like(p)
    square = state["exp_avg_sq"] if state else zeros_like(p)
    # Eq. (adam-moments)
    mean = mean.lerp(g, 1 - betas[0])
    square = square.mul(betas[1]).addcmul(g, g, value=1 - betas[1])
    return step, mean, square, {"step": step, "exp_avg": mean, "exp_avg_sq": square}


def decay_gradient(p: Numbers, g: Numbers, weight_decay: Real) -> Numbers:
    """The gradient of the loss and of the penalty ½ · weight_decay · ‖p‖²."""
    return g.add(p, alpha=weight_decay) if weight_decay else g
