"""The layers of an RNN, side by side with autograd and with torch.nn, as ratios of medians.

    python benchmarks/formulas/rnn_layers.py [--device cpu] [--repeats 9]

Three ways through the same layer take turns within one run, so that a busy machine slows all of
them: our forward with our pullback, our forward with autograd's way back, and torch.nn's layer.
Values and gradients are compared before they are timed. The tape is compared with autograd.
"""

import argparse
import statistics
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from etude.core.device import device, threads
from etude.core.random import seeded, stream
from etude.formulas.rnn_layers import gru_vjp, layers, lstm_vjp, rnn_vjp
from etude.formulas.rnn_layers.backpropagation import Var
from press.stopwatch import ratio, seconds

LAYERS = {"RNN": (rnn_vjp, 1, 1), "LSTM": (lstm_vjp, 4, 2), "GRU": (gru_vjp, 3, 1)}
SIZES = ((100, 64, 32, 128), (100, 1, 32, 32), (20, 256, 128, 512))  # time, batch, inputs, hidden


def compare(name: str, ways: dict[str, Callable[[], list[Tensor]]], options) -> None:
    """Assert that all ways give the same; print their medians, and ratios to the last."""
    answers = [way() for way in ways.values()]
    for answer in answers:
        torch.testing.assert_close(answer, answers[-1], rtol=1e-3, atol=1e-3)
    rounds = [
        [seconds(way, options.device) for way in ways.values()] for _ in range(options.repeats)
    ]
    for number, way in enumerate(ways):
        median = statistics.median(times[number] for times in rounds)
        spread = ratio([times[number] for times in rounds], [times[-1] for times in rounds])
        print(
            f"{name if not number else '':<28}{way:<28}{1e3 * median:10.3f}  {spread}", flush=True
        )


def backward(kind: str, sizes: tuple[int, int, int, int], options) -> dict[str, Callable]:
    """Forward and back, in three ways; the gradients of all weights."""
    vjp, _, states = LAYERS[kind]
    time_, batch, inputs, hidden = sizes
    with seeded(0):
        theirs = getattr(nn, kind)(inputs, hidden).to(options.device)
        ours = getattr(layers, kind)(inputs, hidden).to(options.device)
    ours.load_state_dict(theirs.state_dict())
    x = torch.randn(time_, batch, inputs, generator=stream(0)).to(options.device)
    start = [x.new_zeros(batch, hidden) for _ in range(states)]
    own = [one.detach() for one in theirs.parameters()]
    weights = own if kind == "GRU" else [*own[:2], own[2] + own[3]]

    def by_hand() -> list[Tensor]:
        y, _, pullback = vjp(x, *start, *weights)
        return list(pullback(torch.ones_like(y))[1 + states : 4 + states])

    def by_autograd() -> list[Tensor]:
        leaves = [one.clone().requires_grad_() for one in weights]
        y, _, _ = vjp(x, *start, *leaves)
        return list(torch.autograd.grad(y.sum(), leaves)[:3])

    def by_module(model: nn.Module) -> list[Tensor]:
        return list(torch.autograd.grad(model(x)[0].sum(), list(model.parameters()))[:3])

    return {
        "our pullback": by_hand,
        "our module": partial(by_module, ours),
        "our forward, autograd": by_autograd,
        f"torch.nn.{kind}": partial(by_module, theirs),
    }


def tape(width: int, options) -> dict[str, Callable]:
    """The gradients of a network of three layers, by our tape and by torch's."""
    g = stream(0)
    x = torch.randn(128, width, generator=g).to(options.device)
    weights = [torch.randn(width, width, generator=g).to(options.device) / width**0.5] * 3

    def net(layers):
        h = x
        for W in layers:
            h = (h @ W).tanh()
        return (h * h).sum()

    def ours() -> list[Tensor]:
        variables = [Var(W) for W in weights]
        net(variables).backward()
        return [v.grad for v in variables if v.grad is not None]

    def theirs() -> list[Tensor]:
        leaves = [W.clone().requires_grad_() for W in weights]
        return list(torch.autograd.grad(net(leaves), leaves))

    return {"Var": ours, "torch.autograd": theirs}


def main() -> None:
    """Time every layer on one device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=torch.device, default=device())
    parser.add_argument("--repeats", type=int, default=9)
    options = parser.parse_args()
    print(f"device {options.device}, {torch.get_num_threads()} thread(s), float32, milliseconds")
    print(f"{'forward and back':<56}{'median':>10}  {'ratio':>7}  (middle half)")
    for sizes in SIZES:
        for kind in LAYERS:
            name = f"{kind}, {' × '.join(map(str, sizes))}"
            compare(name, backward(kind, sizes, options), options)
    for width in (16, 256):
        compare(f"three layers of {width}", tape(width, options), options)


if __name__ == "__main__":
    with threads():
        main()
