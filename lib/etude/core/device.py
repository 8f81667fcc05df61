"""Where a notebook computes: chosen once, by the machine or by the reader."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["device", "threads"]


def device() -> torch.device:
    """`ETUDE_DEVICE` where it is set, else CUDA, else Apple's MPS, else the CPU."""
    if chosen := os.environ.get("ETUDE_DEVICE"):
        return torch.device(chosen)
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


@contextmanager
def threads(count: int | None = None) -> Iterator[int]:
    """Compute with `count` threads inside, `ETUDE_THREADS` by default, as before afterwards."""
    before = torch.get_num_threads()
    torch.set_num_threads(count or int(os.environ.get("ETUDE_THREADS", before)))
    try:
        yield torch.get_num_threads()
    finally:
        torch.set_num_threads(before)
