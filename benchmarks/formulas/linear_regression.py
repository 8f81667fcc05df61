"""Least squares side by side with what one would otherwise pick, as ratios from one run.

    python benchmarks/formulas/linear_regression.py --rows 20000 --features 30 --device cpu

A ratio of 2 says that ours takes twice as long. Every round times all candidates in turn, so that
a busy machine is busy for all of them; the median of the rounds' ratios is printed.
"""

import argparse
import statistics
from collections.abc import Callable

import numpy as np
import scipy.stats
import sklearn.linear_model
import statsmodels.api as sm
import torch

from etude.core.random import stream
from etude.formulas.linear_regression.least_squares import LinearRegression, lstsq
from etude.formulas.linear_regression.simple import pearson, simple_ols
from press.stopwatch import seconds

Task = Callable[[], object]


def tasks(rows: int, features: int, sets: int, device: str) -> dict[str, dict[str, Task]]:
    """What is compared: a title, then candidates, ours first."""
    draws = stream(0)
    X = torch.randn(rows, features, generator=draws, dtype=torch.float64)
    y = X.sum(dim=1) + torch.randn(rows, generator=draws, dtype=torch.float64)
    many = torch.randn(2, sets, 50, generator=draws, dtype=torch.float64)
    A, b = X.numpy(), y.numpy()
    design = sm.add_constant(A)
    x_sets, y_sets = many.numpy()
    X, y, many = X.to(device), y.to(device), many.to(device)
    return {
        f"coefficients, {rows} × {features}": {
            "lstsq": lambda: lstsq(X, y),
            "torch.linalg.lstsq": lambda: torch.linalg.lstsq(X, y[:, None]).solution,
            "numpy.linalg.lstsq": lambda: np.linalg.lstsq(A, b, rcond=None),
            "scikit-learn": lambda: sklearn.linear_model.LinearRegression().fit(A, b),
        },
        f"fit with standard errors and Cook's distances, {rows} × {features}": {
            "LinearRegression": lambda: LinearRegression().fit(X, y),
            "statsmodels OLS": lambda: inference(sm.OLS(b, design).fit()),
        },
        f"{sets} lines through 50 points": {
            "simple_ols": lambda: simple_ols(*many).pvalue,
            "scipy.stats.linregress": lambda: [
                scipy.stats.linregress(*pair).pvalue for pair in zip(x_sets, y_sets, strict=True)
            ],
        },
        f"{sets} correlations of 50 points": {
            "pearson": lambda: pearson(*many),
            "numpy.corrcoef": lambda: [
                np.corrcoef(*pair)[0, 1] for pair in zip(x_sets, y_sets, strict=True)
            ],
        },
    }


def inference(fitted) -> tuple:
    """What `LinearRegression.fit` computes besides coefficients; statsmodels waits to be asked."""
    return fitted.bse, fitted.pvalues, fitted.rsquared, fitted.get_influence().cooks_distance


def compare(candidates: dict[str, Task], repeats: int, device: str) -> dict[str, tuple]:
    """Per candidate: its median time, and the median ratio of ours to it."""
    for task in candidates.values():
        task()  # the first call loads and compiles
    where = torch.device(device)
    rounds = [
        {name: seconds(task, where) for name, task in candidates.items()} for _ in range(repeats)
    ]
    ours = next(iter(candidates))
    return {
        name: (
            statistics.median(times[name] for times in rounds),
            statistics.median(times[ours] / times[name] for times in rounds),
        )
        for name in candidates
    }


def main(arguments: list[str] | None = None) -> None:
    """Compare, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=30)
    parser.add_argument("--sets", type=int, default=2_000)
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--device", default="cpu")
    wish = parser.parse_args(arguments)
    print(f"{'':<34}{'ms':>10}{'ours takes':>14}   ({wish.device}, float64)")
    chosen = tasks(wish.rows, wish.features, wish.sets, wish.device)
    for title, candidates in chosen.items():
        print(title)
        for name, (median, ratio) in compare(candidates, wish.repeats, wish.device).items():
            print(f"  {name:<32}{1e3 * median:>10.2f}{ratio:>13.3g}×")


if __name__ == "__main__":
    main()
