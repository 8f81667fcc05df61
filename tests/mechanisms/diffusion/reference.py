"""The schedulers of diffusers, driven as its pipelines drive them, in float64 as far as they allow.

Their tables are float32; here they are replaced by the same tables in float64. `EulerDiscreteScheduler`
casts the sample to float32 in each step, and stays there. So does `DPMSolverMultistepScheduler.step`;
its two updates do not, and are called directly.
"""

import warnings

import torch
from diffusers import (
    HeunDiscreteScheduler,
)

KINDS = {"linear": "linear", "scaled_linear": "scaled_linear", "cosine": "squaredcos_cap_v2"}
PREDICTS = {"noise": "epsilon", "data": "sample", "velocity": "v_prediction"}


def scheduler(kind, name="linear", beta=(0.0001, 0.02), predicts="noise", schedule=None, **options):
    """One of theirs, with our table in float64 where one is given."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = kind(
            beta_schedule=KINDS[name],
            beta_start=beta[0],
            beta_end=beta[1],
            prediction_type=PREDICTS[predicts],
            **options,
        )
    if schedule is not None:
        first = made.final_alpha_cumprod != 1 if hasattr(made, "final_alpha_cumprod") else False
        made.alphas_cumprod = torch.tensor(schedule.alpha_bar)
        if hasattr(made, "final_alpha_cumprod"):
            made.final_alpha_cumprod = made.alphas_cumprod[0] if first else torch.tensor(1.0)
    return made


def sigmas_in_float64(made, steps, final):
    """σ at the steps and at the end, as they should be."""
    alpha_bar = made.alphas_cumprod.double()
    table = ((1 - alpha_bar) / alpha_bar).sqrt()
    last = table[:1] if final == "first" else torch.zeros(1, dtype=torch.float64)
    return torch.cat([table[torch.tensor(steps)], last])


def walk(made, network, x, **options):
    """DDPM and DDIM: the sample is x itself."""
    for t in made.timesteps:
        out = network(x, t.long().expand(len(x)))
        x = made.step(out, int(t), x, **options).prev_sample
    return x


def walk_sigmas(made, network, x, final="data"):
    """Euler and Heun: the sample is x / cos, and at the end the data, or x / cos of step 0."""
    if isinstance(made, HeunDiscreteScheduler):
        steps = [int(t) for t in made.timesteps[::2]]
        made.sigmas = sigmas_in_float64(made, steps, final)
        middle = made.sigmas[1:-1].repeat_interleave(2)
        made.sigmas = torch.cat([made.sigmas[:1], middle, made.sigmas[-1:]])
    else:
        made.sigmas = sigmas_in_float64(made, [int(t) for t in made.timesteps], final)
    y = x * (made.sigmas[0] ** 2 + 1).sqrt()
    for t in made.timesteps:
        out = network(made.scale_model_input(y, t), t.long().expand(len(x)))
        y = made.step(out, t, y).prev_sample
    return y / (made.sigmas[-1] ** 2 + 1).sqrt()


def walk_dpm(made, network, x, final="data"):
    """DPM-Solver++ by its two updates, second order but for the first step and a last one to the data."""
    steps = made.timesteps.tolist()
    made.sigmas = sigmas_in_float64(made, steps, final)
    outs = [x, x]
    for index, t in enumerate(steps):
        made._step_index = index
        out = network(x, torch.full((len(x),), t))
        outs = [outs[1], made.convert_model_output(out, sample=x)]
        if index == 0 or (index == len(steps) - 1 and final == "data"):
            x = made.dpm_solver_first_order_update(outs[1], sample=x)
        else:
            x = made.multistep_dpm_solver_second_order_update(outs, sample=x)
    return x


def toy(dim=3, dtype=torch.float64):
    """A network whose answer is bounded and depends on x and on the step."""
    g = torch.Generator().manual_seed(5)
    mix = torch.randn(dim, dim, generator=g, dtype=torch.float64).to(dtype)

    def network(x, step):
        return torch.tanh(x @ mix + torch.sin(step.to(x.dtype) / 97)[:, None])

    return network


def start(rows=4, dim=3, dtype=torch.float64):
    g = torch.Generator().manual_seed(6)
    return torch.randn(rows, dim, generator=g, dtype=torch.float64).to(dtype)
