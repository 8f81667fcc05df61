"""Our samplers side by side with NumPyro's, our diagnostics with arviz's, as ratios of medians.

    python benchmarks/formulas/mcmc.py [--device cpu] [--repeats 3]

The posterior is that of a Bayesian logistic regression: tumors of the breast, 31 coefficients, in
float64. Each sampler tunes itself, then all take turns within one run, so that a busy machine slows
all. What counts is the worst effective sample size of the 31 means and of the 31 spreads, for a second
and for a gradient; the moments must agree within their standard errors. NumPyro compiles: those
seconds stand apart. It tunes every chain by itself, where ours pools what all chains have seen.
"""

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import jax
import jax.monitoring
import numpy as np
import numpyro
import torch
from arviz_stats.base.array import array_stats
from numpyro import distributions, infer
from sklearn.datasets import load_breast_cancer
from torch import Tensor

from etude.core.device import device, threads
from etude.core.random import stream
from etude.formulas.mcmc import diagnostics
from etude.formulas.mcmc.adaptation import warm_up
from etude.formulas.mcmc.hamiltonian import HamiltonianMonteCarlo
from etude.formulas.mcmc.kernel import AbstractKernel, run
from etude.formulas.mcmc.metropolis import RandomWalkMetropolis
from etude.formulas.mcmc.targets import LogisticPosterior
from press.stopwatch import seconds, timed

STEPS = 10  # leapfrog steps of a trajectory, ours and of NumPyro's HMC
WARM = 300


class Drawn(NamedTuple):
    """Draws (draws, chains, dims), and what they cost."""

    position: Tensor
    gradients: int
    seconds: float
    compiling: float = 0.0


class Sampler(NamedTuple):
    """Tuned, and ready to draw again and again; `draw` gets a seed."""

    draw: Callable[[int], Drawn]
    tuning: float  # seconds of the warm-up
    compiling: float = 0.0


def posterior(where: torch.device) -> LogisticPosterior:
    """Standardized measurements and a column of ones; malignant tumors are 1."""
    raw, benign = map(np.asarray, load_breast_cancer(return_X_y=True))
    X = np.column_stack([np.ones(len(raw)), (raw - raw.mean(axis=0)) / raw.std(axis=0)])
    X, y = (torch.from_numpy(part).to(where) for part in (X, 1.0 - benign))
    return LogisticPosterior(X, y)


def ours(kernel: AbstractKernel, begin: Tensor, draws: int) -> Callable[[int], Drawn]:
    """A kernel of ours, run."""

    def draw(seed: int) -> Drawn:
        generator = stream(seed, begin.device)
        spent, trace = timed(lambda: run(kernel, begin, draws, generator=generator), begin.device)
        return Drawn(trace.position, int(trace.evaluations.sum()), spent)

    return draw


def tuned_hmc(target: LogisticPosterior, chains: int, draws: int) -> Sampler:
    """Our HMC, warmed up."""
    where, dims = target.X.device, target.X.shape[1]
    first = HamiltonianMonteCarlo(target, step_size=0.05, steps=STEPS, jitter=0.2)
    begin = torch.randn(chains, dims, generator=stream(0), dtype=torch.float64).to(where)
    generator = stream(1, where)
    tuning, (kernel, begin) = timed(lambda: warm_up(first, begin, WARM, generator=generator), where)
    return Sampler(ours(kernel, begin, draws), tuning)


def tuned_walk(target: LogisticPosterior, guide: Tensor, draws: int) -> Sampler:
    """Our random walk, and given what it could not know: the covariance, and a start in the target."""
    factor = torch.linalg.cholesky(torch.cov(guide.flatten(0, 1).mT))
    walk = RandomWalkMetropolis(target, 2.38 / guide.shape[-1] ** 0.5, factor)
    return Sampler(ours(walk, guide[-1], draws), 0.0)


def numpyros(kind: str, target: LogisticPosterior, chains: int, draws: int) -> Sampler:
    """NumPyro's NUTS or HMC, all chains in one program."""
    X, y = (jax.numpy.asarray(part.cpu().numpy()) for part in (target.X, target.y))

    def model() -> None:
        normal = distributions.Normal(0.0, 1.0).expand([X.shape[1]]).to_event(1)
        beta: Any = numpyro.sample("beta", normal)
        numpyro.sample("y", distributions.Bernoulli(logits=X @ beta), obs=y)  # pyright: ignore[reportArgumentType]

    # With a length of its own, 2π by default, HMC would not adapt the step size.
    options: dict[str, Any] = {"num_steps": STEPS, "trajectory_length": None}
    way = infer.NUTS(model) if kind == "NUTS" else infer.HMC(model, **options)
    chain = infer.MCMC(
        way, num_warmup=WARM, num_samples=draws, num_chains=chains, chain_method="vectorized",
        progress_bar=False,
    )  # fmt: skip

    def draw(seed: int) -> Drawn:
        with compilation() as compiled:
            start = time.perf_counter()
            chain.run(jax.random.PRNGKey(seed), extra_fields=("num_steps",))
            beta: Any = jax.block_until_ready(chain.get_samples(group_by_chain=True)["beta"])
            spent = time.perf_counter() - start - sum(compiled)
        position = torch.from_numpy(np.array(beta)).transpose(0, 1)
        used = int(chain.get_extra_fields()["num_steps"].sum())
        return Drawn(position, used, spent, sum(compiled))

    with compilation() as compiled:
        start = time.perf_counter()
        chain.warmup(jax.random.PRNGKey(0))
        jax.block_until_ready(chain.last_state)
        tuning = time.perf_counter() - start - sum(compiled)
    return Sampler(draw, tuning, sum(compiled))


@contextmanager
def compilation() -> Iterator[list[float]]:
    """Collect the seconds that JAX spends on making programs: every run of NumPyro makes one anew."""
    found: list[float] = []

    def listen(event: str, duration_secs: float, **kwargs: str | int) -> None:
        if event.startswith("/jax/core/compile/"):
            found.append(duration_secs)

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


def worth(draws: Tensor) -> float:
    """The worst effective sample size. Trajectories that cross over know means well, spreads badly."""
    return min(float(diagnostics.ess(draws, method).min()) for method in ("bulk", "sd"))


def agree(name: str, draws: Tensor, other: Tensor) -> float:
    """Means and variances within 5 of their standard errors; the largest distance.

    Raises:
        RuntimeError: they are further apart.
    """
    center, worst = other.mean(dim=(0, 1)), 0.0
    for power in (1, 2):
        pair = [(x - center) ** power for x in (draws, other)]
        error = torch.hypot(*(diagnostics.mcse(x) for x in pair))
        gap = pair[0].mean(dim=(0, 1)) - pair[1].mean(dim=(0, 1))
        worst = max(worst, float((gap / error).abs().max()))
    if worst > 5:
        raise RuntimeError(f"{name} draws from another density: {worst:.1f} standard errors away")
    return worst


def compare(target: LogisticPosterior, chains: int, options: argparse.Namespace) -> None:
    """Let all take turns; print what a second and a gradient earn."""
    draws = options.draws
    hmc = tuned_hmc(target, chains, draws)
    samplers = {
        "our HMC": hmc,
        "NumPyro NUTS": numpyros("NUTS", target, chains, draws),
        "NumPyro HMC": numpyros("HMC", target, chains, draws),
        "our random walk": tuned_walk(target, hmc.draw(99).position, 10 * draws),
    }
    turns = [
        {name: sampler.draw(10 + turn) for name, sampler in samplers.items()}
        for turn in range(options.repeats)
    ]
    sizes = [{name: worth(d.position) for name, d in turn.items()} for turn in turns]
    print(f"{chains} chains, {WARM} steps of warm-up, {draws} draws each")
    print(f"    {'':<16}{'ESS/s':>9}{'ratio':>7}{'ESS/grad':>10}{'ratio':>7}{'grad/draw':>10}"
          f"{'warm-up':>9}{'compile':>9}{'off by':>8}")  # fmt: skip
    for name, sampler in samplers.items():
        pairs = [(turn[name], turn["our HMC"], size[name], size["our HMC"])
                 for turn, size in zip(turns, sizes, strict=True)]  # fmt: skip
        rates = [(s / d.seconds, r / o.seconds * d.seconds / s) for d, o, s, r in pairs]
        earned = [(s / d.gradients, r / o.gradients * d.gradients / s) for d, o, s, r in pairs]
        (rate, faster), (each, better) = (
            [statistics.median(x) for x in zip(*both, strict=True)] for both in (rates, earned)
        )
        last = turns[-1][name]
        other = turns[0]["our HMC"].position.cpu()
        off = agree(name, last.position.cpu(), other)
        per = last.gradients / last.position[..., 0].numel()
        compiling = sampler.compiling + turns[0][name].compiling
        print(f"    {name:<16}{rate:9.0f}{faster:7.2f}{each:10.4f}{better:7.2f}{per:10.1f}"
              f"{sampler.tuning:8.2f}s{compiling:8.2f}s{off:8.1f}", flush=True)  # fmt: skip


def crowd(target: LogisticPosterior, options: argparse.Namespace) -> None:
    """What more chains cost: the time of a step, to that of 16."""
    sampler = HamiltonianMonteCarlo(target, step_size=0.05, steps=STEPS, jitter=0.2)
    begin = torch.randn(1024, target.X.shape[1], generator=stream(0), dtype=torch.float64)
    begin, generator = begin.to(target.X.device) / 4, stream(1, target.X.device)
    counts = [count for count in (16, 64, 256, 1024) if count <= options.chains[-1] * 16]
    calls = {c: lambda c=c: run(sampler, begin[:c], 20, generator=generator) for c in counts}
    turns = [{c: seconds(call, begin.device) for c, call in calls.items()}
             for _ in range(options.repeats + 1)][1:]  # fmt: skip
    for count in counts:
        step = statistics.median(turn[count] for turn in turns) / 20
        ratio = statistics.median(turn[count] / turn[16] for turn in turns)
        print(
            f"    {count:>5} chains{1e3 * step:9.2f} ms a step{ratio:8.1f} times that of 16 chains"
        )


def trust(options: argparse.Namespace) -> None:
    """Diagnostics of many quantities at once, beside arviz's, which looks at one after the other."""
    draws = torch.randn(1000, 4, options.quantities, generator=stream(0), dtype=torch.float64)
    draws[1:] += 0.5 * draws[:-1]
    here, there = draws.to(options.device), draws.numpy()
    methods = (("ess", "bulk"), ("ess", "tail"), ("rhat", "rank"), ("mcse", "mean"))
    for name, method in methods:
        given: dict[str, Any] = {"prob": (0.05, 0.95)} if method == "tail" else {}
        mine, theirs = getattr(diagnostics, name), getattr(array_stats, name)

        def own(f=mine, method=method) -> Tensor:
            return f(here, method)

        def arviz(f=theirs, method=method, given=given) -> np.ndarray:
            return f(there, chain_axis=1, draw_axis=0, method=method, **given)

        turns = [(timed(own, options.device), timed(arviz, options.device))
                 for _ in range(options.repeats)]  # fmt: skip
        (_, ours_), (_, arviz_) = turns[0]
        torch.testing.assert_close(ours_.cpu(), torch.as_tensor(arviz_), rtol=1e-6, atol=0)
        ratio = statistics.median(a[0] / b[0] for a, b in turns)
        spent = statistics.median(a[0] for a, _ in turns)
        print(f"    {name + ', ' + method:<16}{1e3 * spent:9.1f} ms{ratio:9.3f}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Compare samplers, chains and diagnostics."""
    parser = argparse.ArgumentParser(description=__doc__)
    # Apple's MPS knows no float64.
    here = device() if device().type != "mps" else torch.device("cpu")
    parser.add_argument("--device", type=torch.device, default=here)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--draws", type=int, default=150)
    parser.add_argument("--chains", type=int, nargs="+", default=[16, 64])
    parser.add_argument("--quantities", type=int, default=300)
    options = parser.parse_args(arguments)
    if torch.get_num_threads() == 1:  # before JAX starts
        os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    jax.config.update("jax_enable_x64", True)
    print(f"device {options.device}, {torch.get_num_threads()} thread(s), float64; JAX on "
          f"{jax.devices()[0].platform}; ratio of ours to theirs: above 1 we win")  # fmt: skip
    target = posterior(options.device)
    for chains in options.chains:
        compare(target, chains, options)
    crowd(target, options)
    print(f"diagnostics of {options.quantities} quantities, 1000 draws of 4 chains; time of ours, "
          "and its ratio to arviz's: below 1 we win")  # fmt: skip
    trust(options)


if __name__ == "__main__":
    with threads():
        main()
