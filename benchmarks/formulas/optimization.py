"""Our optimizer side by side with torch.optim, as ratios of medians.

    python benchmarks/formulas/optimization.py [--device cpu] [--repeats 15]

Models of many tensors, where the overhead of each call counts, and of few large ones, where memory
does. Ours, torch's loop over tensors, its `foreach` and, where it has one, its fused kernel take
turns within one run, so that a busy machine slows all. After it all must hold the same parameters.
L-BFGS stands beside SciPy's and torch's, with the evaluations that each needs.
"""

import argparse
import statistics
import warnings
from collections.abc import Callable
from typing import Any

import scipy.optimize
import torch
from torch import Tensor

from etude.core.device import device, threads
from etude.core.random import stream
from etude.formulas.optimization.first_order import adagrad, adam, adamw, rmsprop, sgd
from etude.formulas.optimization.optimizer import Optimizer
from etude.formulas.optimization.second_order import lbfgs
from etude.formulas.optimization.surfaces import rosenbrock
from press.stopwatch import ratio, seconds

RULES: dict[str, tuple[Callable, Any, dict[str, Any], bool]] = {
    "SGD, momentum": (sgd, torch.optim.SGD, {"lr": 1e-3, "momentum": 0.9}, True),
    "AdaGrad": (adagrad, torch.optim.Adagrad, {"lr": 1e-3}, False),
    "RMSprop": (rmsprop, torch.optim.RMSprop, {"lr": 1e-3}, False),
    "Adam": (adam, torch.optim.Adam, {"lr": 1e-3}, True),
    "AdamW": (adamw, torch.optim.AdamW, {"lr": 1e-3}, True),
}
MODELS = {
    "400 tensors of 64": [(64,)] * 400,
    "100 tensors of 64 × 64": [(64, 64)] * 100,
    "4 tensors of 1024 × 1024": [(1024, 1024)] * 4,
}


def model(shapes: list[tuple[int, ...]], where: torch.device) -> list[Tensor]:
    """Parameters with gradients; the same numbers every time."""
    g, params = stream(0), []
    for shape in shapes:
        p, slope = torch.randn(2, *shape, generator=g).to(where)
        p = p.clone().requires_grad_()
        p.grad = slope.clone()
        params.append(p)
    return params


def compare(name: str, shapes: list[tuple[int, ...]], options: argparse.Namespace) -> None:
    """Let all take turns, assert that they agree, and print medians and ratios."""
    rule, theirs, given, fused = RULES[name]
    makers = {"ours": lambda params: Optimizer(params, rule, **given)}
    kinds = ("loop", "foreach", "fused") if fused else ("loop", "foreach")
    for kind in kinds:
        extra = {"foreach": kind == "foreach"} | ({"fused": True} if kind == "fused" else {})
        makers[kind] = lambda params, extra=extra: theirs(params, **given, **extra)
    models = {kind: model(shapes, options.device) for kind in makers}
    steps = {kind: make(models[kind]).step for kind, make in makers.items()}
    for step in steps.values():
        step()  # states are made
    turns = [
        {kind: seconds(step, options.device) for kind, step in steps.items()}
        for _ in range(options.repeats)
    ]
    for kind, params in models.items():
        torch.testing.assert_close(params, models["ours"], rtol=1e-4, atol=1e-4, msg=kind)
    mine = statistics.median(turn["ours"] for turn in turns)
    cells = [f"{1e3 * mine:9.3f}"]
    for kind in ("loop", "foreach", "fused"):
        if kind not in kinds:
            cells.append(f"{'–':>9}")
            continue
        found = ratio([turn["ours"] for turn in turns], [turn[kind] for turn in turns])
        cells.append(f"{found.median:9.2f}")
    print(f"    {name:<16}{''.join(cells)}", flush=True)


def minimizers(dims: int) -> None:
    """The bent valley by three implementations of L-BFGS."""
    start = torch.tensor([-1.2, 1.0]).double().repeat(dims // 2)

    def torchs() -> int:
        x = start.clone().requires_grad_()
        descent = torch.optim.LBFGS(
            [x], max_iter=5000, max_eval=20_000, history_size=10, line_search_fn="strong_wolfe",
            tolerance_grad=1e-8, tolerance_change=0,
        )  # fmt: skip

        def closure() -> Tensor:
            descent.zero_grad()
            value = rosenbrock(x)
            value.backward()
            return value

        descent.step(closure)  # pyright: ignore[reportArgumentType]
        return descent.state[x]["func_evals"]

    def scipys() -> int:
        def both(x):
            leaf = torch.tensor(x, requires_grad=True)
            value = rosenbrock(leaf)
            return value.item(), torch.autograd.grad(value, leaf)[0].numpy()

        options = {"gtol": 1e-8, "ftol": 0, "maxiter": 5000, "maxfun": 20_000}
        found = scipy.optimize.minimize(both, start.numpy(), jac=True, method="L-BFGS-B",
                                        options=options)  # fmt: skip
        return found.nfev

    calls = {
        "ours": lambda: lbfgs(rosenbrock, start, tolerance=1e-8).evaluations,
        "scipy": scipys,
        "torch": torchs,
    }
    counts = {name: call() for name, call in calls.items()}
    turns = [{n: seconds(call, start.device) for n, call in calls.items()} for _ in range(5)]
    for name, count in counts.items():
        median = statistics.median(turn[name] for turn in turns)
        ratio = statistics.median(turn["ours"] / turn[name] for turn in turns)
        print(f"    {name:<8}{count:>6} evaluations{1e3 * median:10.1f} ms{ratio:8.2f}", flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Time every rule on every model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=torch.device, default=device())
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--dims", type=int, default=50)
    parser.add_argument("--small", action="store_true", help="a tenth of each model")
    options = parser.parse_args(arguments)
    print(f"device {options.device}, {torch.get_num_threads()} thread(s), float32; ours in")
    print("milliseconds, then the ratio of ours to torch's loop, foreach and fused: below 1 we win")
    for title, shapes in MODELS.items():
        shapes = shapes[: max(1, len(shapes) // 10)] if options.small else shapes
        print(f"{title:<20}{'ours':>9}{'/ loop':>9}{'/ foreach':>9}{'/ fused':>9}")
        for name in RULES:
            compare(name, shapes, options)
    print(f"Rosenbrock's function in {options.dims} dimensions, L-BFGS in float64; ratio of ours")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        minimizers(options.dims)


if __name__ == "__main__":
    with threads():
        main()
