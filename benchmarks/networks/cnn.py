"""A training step of convolutional networks beside the reference at the same sizes, as ratios.

    python benchmarks/networks/cnn.py [--device cpu] [--repeats 9] [--small]

A step is the loss of one batch, its gradients and AdamW. Ours of our own layers, ours of torch's
layers, and the reference take turns within one run, so that a busy machine slows all; before they
are timed all three have loaded one state and must have the same loss. The reference of the ResNet
is transformers' `ResNetForImageClassification`, that of the others is built of torch.nn.
"""

import argparse
import statistics
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import ResNetConfig as TheirConfig
from transformers import ResNetForImageClassification

from etude.core.device import device, threads
from etude.core.random import seeded, stream
from etude.networks.cnn.layers import OURS, TORCH
from etude.networks.cnn.network import ConvNet, ConvNetConfig, LeNet
from etude.networks.cnn.resnet import ResNetClassifier, ResNetConfig
from press.stopwatch import ratio, seconds

Step = Callable[[], float]


def lenet() -> nn.Module:
    """LeNet-5 of torch.nn."""
    return nn.Sequential(
        nn.Conv2d(1, 6, 5), nn.Tanh(), nn.AvgPool2d(2),
        nn.Conv2d(6, 16, 5), nn.Tanh(), nn.AvgPool2d(2), nn.Flatten(),
        nn.Linear(400, 120), nn.Tanh(), nn.Linear(120, 84), nn.Tanh(), nn.Linear(84, 10),
    )  # fmt: skip


def stack(widths: tuple[int, ...]) -> nn.Module:
    """Convolutions and a global maximum of torch.nn."""
    parts: list[nn.Module] = []
    for before, after in zip((1, *widths), widths, strict=False):
        parts += [nn.Conv2d(before, after, 3, padding=1), nn.ReLU()]
    last = [nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(widths[-1], 10)]
    return nn.Sequential(*parts, *last)


def resnet(config: ResNetConfig) -> nn.Module:
    """The same network from transformers."""
    kind = "bottleneck" if config.bottleneck else "basic"
    theirs = TheirConfig(
        num_channels=config.channels, embedding_size=config.embedding, layer_type=kind,
        hidden_sizes=list(config.widths), depths=list(config.depths), num_labels=config.classes,
    )  # fmt: skip
    return ResNetForImageClassification(theirs)


def candidates(small: bool) -> Iterator[tuple[str, Callable, Callable, tuple[int, ...]]]:
    """Name, ours of given layers, the reference, and the shape of a batch."""
    batch = 4 if small else 64
    yield "LeNet-5, 32 × 32", lambda kit: LeNet(32, layers=kit), lenet, (batch, 1, 32, 32)
    widths = (4, 4) if small else (16, 32, 64)
    config = ConvNetConfig(widths=widths)
    yield (
        f"stack {'-'.join(map(str, widths))}, 16 × 16",
        lambda kit: ConvNet(config, kit), lambda: stack(widths), (batch, 1, 16, 16),
    )  # fmt: skip
    sizes: Sequence[int] = (4, 8) if small else (16, 32, 64, 128)
    for bottleneck in (False, True):
        deep = ResNetConfig(
            channels=3, stem="large", embedding=sizes[0], bottleneck=bottleneck,
            widths=tuple(sizes), depths=(1,) * len(sizes) if small else (2,) * len(sizes),
        )  # fmt: skip
        name = (
            f"ResNet {'-'.join(map(str, sizes))}, {'bottleneck' if bottleneck else 'basic'} layers"
        )
        yield (
            f"{name}, 64 × 64",
            lambda kit, deep=deep: ResNetClassifier(deep, kit), lambda deep=deep: resnet(deep),
            (min(batch, 16), 3, 64, 64),
        )  # fmt: skip


def training(model: nn.Module, images: Tensor, labels: Tensor) -> Step:
    """One step of training; it returns the loss before the step."""
    descent = torch.optim.AdamW(model.parameters(), lr=1e-4)

    def step() -> float:
        scores: Any = model(images)
        loss = F.cross_entropy(getattr(scores, "logits", scores), labels)
        descent.zero_grad()
        loss.backward()
        descent.step()
        return loss.item()

    return step


def main(given: Sequence[str] | None = None) -> None:
    """Time every network on one device."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--device", type=torch.device, default=device())
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--small", action="store_true", help="sizes for a test")
    options = parser.parse_args(given)
    print(
        f"device {options.device}, {torch.get_num_threads()} thread(s), float32, milliseconds a step"
    )
    head = (
        f"{'our layers':>12}{'torch layers':>14}{'reference':>12}{'ours/ref':>11}{'torch/ref':>11}"
    )
    print(f"{'':<50}{head}")
    for name, ours, theirs, shape in candidates(options.small):
        with seeded(0):
            models = [ours(OURS), ours(TORCH), theirs()]
        values = list(models[1].state_dict().values())
        for model in (models[0], models[2]):
            model.load_state_dict(dict(zip(model.state_dict(), values, strict=True)))
        images = torch.randn(shape, generator=stream(0)).to(options.device)
        labels = torch.randint(10, shape[:1], generator=stream(1)).to(options.device)
        steps = [training(model.to(options.device).train(), images, labels) for model in models]
        losses = torch.tensor([step() for step in steps])
        torch.testing.assert_close(losses, losses[-1:].expand(3), rtol=1e-4, atol=1e-5)
        rounds = [[seconds(step, options.device) for step in steps] for _ in range(options.repeats)]
        columns = list(zip(*rounds, strict=True))
        one, two, reference = (1e3 * statistics.median(times) for times in columns)
        ratios = [ratio(times, columns[2]).median for times in columns[:2]]
        print(
            f"{name:<50}{one:12.1f}{two:14.1f}{reference:12.1f}{ratios[0]:11.2f}{ratios[1]:11.2f}",
            flush=True,
        )


if __name__ == "__main__":
    with threads():
        main()
