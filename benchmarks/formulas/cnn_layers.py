"""The layers of a CNN, side by side with torch.nn.functional, as ratios of medians.

    python benchmarks/formulas/cnn_layers.py [--device cpu] [--repeats 9]

Ours and theirs take turns within one run, so that a busy machine slows both. The numbers of both
are compared before they are timed.
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from etude.core.device import device, threads
from etude.core.random import stream
from etude.formulas.cnn_layers.convolution import (
    conv2d,
    conv2d_by_definition,
    conv2d_by_fourier,
)
from etude.formulas.cnn_layers.fully_connected import linear
from etude.formulas.cnn_layers.layers import through
from etude.formulas.cnn_layers.pooling import (
    average_pool2d,
    expectation_pool2d,
    l2_pool2d,
    max_pool2d,
    sum_pool2d,
)
from press.stopwatch import ratio, seconds

Formula = Callable[..., Tensor]


def value(formula: Callable) -> Formula:
    """The value of a formula, without its pullback."""
    return lambda *arguments: formula(*arguments)[0]


def with_gradient(formula: Formula) -> Callable[..., list[Tensor]]:
    """The value, and the gradient of its sum at every argument."""

    def both(*arguments):
        leaves = [argument.detach().requires_grad_() for argument in arguments]
        y = formula(*leaves)
        return [y, *torch.autograd.grad(y.sum(), leaves)]

    return both


def soft(x: Tensor) -> Tensor:
    """Expectation pooling of 2 × 2 windows from what torch.nn.functional has."""
    columns = F.unfold(x, 2, stride=2).unflatten(1, (x.shape[1], 4))
    return (columns.softmax(2) * columns).sum(2).unflatten(2, (x.shape[2] // 2, x.shape[3] // 2))


def compare(name: str, ours: Callable, theirs: Callable, arguments: tuple, options) -> None:
    """Assert that both give the same, and print their medians and the ratio."""
    torch.testing.assert_close(ours(*arguments), theirs(*arguments), rtol=1e-3, atol=1e-3)
    pairs = [
        [seconds(partial(call, *arguments), options.device) for call in (ours, theirs)]
        for _ in range(options.repeats)
    ]
    mine, other = (statistics.median(times) for times in zip(*pairs, strict=True))
    spread = ratio(*zip(*pairs, strict=True))
    print(f"{name:<44}{1e3 * mine:10.3f}{1e3 * other:10.3f}  {spread}", flush=True)


def main() -> None:
    """Time every layer on one device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=torch.device, default=device())
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    g = stream(0)

    def draw(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=g).to(options.device)

    print(f"device {options.device}, {torch.get_num_threads()} thread(s), float32, milliseconds")
    print(f"{'':<44}{'ours':>10}{'theirs':>10}  {'ratio':>7}  (middle half)")
    small = draw(1, 2, 10, 10), draw(4, 2, 3, 3), draw(4)
    compare("convolution as written, 10 × 10", conv2d_by_definition, F.conv2d, small, options)
    image = draw(16, 16, 32, 32), draw(32, 16, 3, 3), draw(32)
    compare("convolution 16 → 32, 3 × 3", value(conv2d), F.conv2d, image, options)
    ours, theirs = (with_gradient(f) for f in (partial(through, conv2d), F.conv2d))
    compare("the same and its gradient", ours, theirs, image, options)
    for size in (3, 7, 11, 15, 23, 31):
        gray = draw(4, 1, 64, 64), draw(8, 1, size, size)
        name = f"{size} × {size} on 64 × 64"
        compare(f"product of windows, {name}", value(conv2d), F.conv2d, gray, options)
        compare(f"product of spectra, {name}", conv2d_by_fourier, F.conv2d, gray, options)
    x = (draw(16, 16, 64, 64),)
    for name, pool, reference in (
        ("max", max_pool2d, lambda x: F.max_pool2d(x, 2)),
        ("average", average_pool2d, lambda x: F.avg_pool2d(x, 2)),
        ("sum", sum_pool2d, lambda x: F.avg_pool2d(x, 2, divisor_override=1)),
        ("L2-norm", l2_pool2d, lambda x: F.lp_pool2d(x, 2.0, 2)),
        ("expectation", expectation_pool2d, soft),
    ):
        formula = partial(pool, size=2)
        compare(f"{name} pooling, 2 × 2", value(formula), reference, x, options)
        first = with_gradient(partial(through, lambda x, f=formula: only_x(*f(x))))
        compare("the same and its gradient", first, with_gradient(reference), x, options)
    table = draw(256, 512), draw(256, 512), draw(256)
    compare("fully connected 512 → 256", value(linear), F.linear, table, options)
    ours, theirs = (with_gradient(f) for f in (partial(through, linear), F.linear))
    compare("the same and its gradient", ours, theirs, table, options)


def only_x(y: Tensor, pullback: Callable) -> tuple[Tensor, Callable]:
    """A formula's answer and the share of its first argument."""

    def first(dy: Tensor) -> Tensor:
        shares = pullback(dy)
        return shares[0] if isinstance(shares, tuple) else shares

    return y, first


if __name__ == "__main__":
    with threads():
        main()
