"""Randomness that can be repeated: objects hold a seed, functions take a generator."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["seeded", "stream"]


def stream(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own on `device`, which nothing else draws from."""
    return torch.Generator(device=device).manual_seed(seed)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed what accepts no generator (`nn.Linear`), and put the global state back afterwards."""
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        torch.manual_seed(seed)
        yield
