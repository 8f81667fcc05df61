"""Start at exact draws, let a kernel move them: they must be exact draws still.

Every chain starts by itself, so the moved draws are independent, and no autocorrelation blurs the
comparison. What is left to chance is stated at five standard errors, with a generator of its own.
"""

import torch
from scipy import stats

from etude.core.random import stream
from etude.formulas.mcmc.kernel import run

FIVE_SIGMA = 5.7e-7  # two-sided


def moved(kernel, draws, steps=3, seed=1):
    return run(kernel, draws, steps, generator=stream(seed)).position[-1]


def worst(z):
    """The smallest p-value that z, (chains, dims), are independent standard normal numbers."""
    count, dims = z.shape
    found = [stats.kstest(z[:, i], "norm").pvalue for i in range(dims)]
    products = {"mean": z, "square": z.square() - 1, "skew": z**3 - 3 * z}
    products["pairs"] = (z[:, :, None] * z[:, None]).flatten(1)[:, 1:dims] if dims > 1 else z
    for values in products.values():
        error = values.std(dim=0) / count**0.5
        found += (2 * stats.norm.sf((values.mean(dim=0) / error).abs())).tolist()
    return min(found)


def normal(count, dims, seed=0):
    return torch.randn(count, dims, generator=stream(seed), dtype=torch.float64)
