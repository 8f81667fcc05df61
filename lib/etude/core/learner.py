"""One training loop for everything that has a loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, distributed, nn

from etude.core.errors import ShapeError

__all__ = ["AbstractLearner", "average", "train"]

CHECK_EVERY = 32  # steps between two looks at the loss: on a GPU each look waits for it


class AbstractLearner(nn.Module, ABC):
    """A module that knows how wrong it is."""

    @abstractmethod
    def loss(self, *batch: Tensor, generator: torch.Generator | None = None) -> Float[Tensor, ""]:
        """The number that training makes small."""


def train(
    model: AbstractLearner,
    batches: Iterable[Any],
    *,
    steps: int,
    learning_rate: float = 1e-3,
    optimizer: Callable[..., Any] = torch.optim.AdamW,
    generator: torch.Generator | None = None,
) -> list[float]:
    """Descend the loss for `steps` batches and return what it was at every step.

    `batches` is passed through again when it ends before `steps`; a batch is a tensor or several.
    Under `torchrun`, with a process group, all processes follow their mean gradient: give each
    one batches of its own.

    Raises:
        ValueError: `batches` ended and cannot be passed through again.
        ShapeError: the loss is not one number.
        FloatingPointError: the loss is no longer finite.
    """
    agree(model, of="parameters")
    descent = optimizer(model.parameters(), lr=learning_rate)
    history = []
    for batch in islice(placed(batches, model, steps), steps):
        loss = model.loss(*batch, generator=generator)
        history.append(one_number(loss))
        if len(history) % CHECK_EVERY == 1 or len(history) == steps:
            require_finite(history)
        descent.zero_grad()
        loss.backward()
        agree(model, of="gradients")
        descent.step()
    return torch.stack(history).tolist() if history else []


def placed(batches: Iterable[Any], model: nn.Module, steps: int) -> Iterator[tuple[Tensor, ...]]:
    """Batches without end, as tuples of tensors where the model is."""
    where, given = next(model.parameters()).device, 0
    while True:
        before = given
        for batch in batches:
            batch = (batch,) if isinstance(batch, Tensor) else batch
            yield tuple(tensor.to(where) for tensor in batch)
            given += 1
        if given == before:
            raise ValueError(
                f"batches ended after {given} steps, expected {steps}: "
                "give a list or a DataLoader, or a generator that does not end"
            )


def one_number(loss: Tensor) -> Tensor:
    """The loss without its history."""
    if loss.numel() != 1:
        raise ShapeError(f"the loss has shape {tuple(loss.shape)}, expected one number: average it")
    return loss.detach().reshape(())


def require_finite(history: list[Tensor]) -> None:
    """Stop at a loss from which no step leads back."""
    lost = (~torch.stack(history).isfinite()).nonzero()
    if len(lost):
        step = int(lost[0])
        raise FloatingPointError(
            f"the loss is {history[step].item()} at step {step}: "
            "lower learning_rate, or look at that batch"
        )


def agree(model: nn.Module, *, of: str) -> None:
    """Give every process the mean of all parameters, or of all gradients."""
    if not (distributed.is_available() and distributed.is_initialized()):
        return
    for parameter in model.parameters():
        shared = parameter.data if of == "parameters" else parameter.grad
        if shared is not None:
            distributed.all_reduce(shared)
            shared /= distributed.get_world_size()


@torch.no_grad()
def average(target: nn.Module, source: nn.Module, decay: float) -> None:
    """Let `target` follow `source`: θ' ← d θ' + (1 − d) θ for parameters, and a copy of buffers.

    Raises:
        ValueError: `decay must lie between 0 and 1`, or the modules have other parameters.

    Source: Polyak & Juditsky (1992) average uniformly; the exponential form as in Lillicrap et
    al. (2016), Algorithm 1, with τ = 1 − d.
    """
    if not 0 <= decay <= 1:
        raise ValueError(f"decay must lie between 0 and 1, got {decay}")
    theirs = dict(source.named_parameters())
    mine = dict(target.named_parameters())
    if {name: p.shape for name, p in mine.items()} != {name: p.shape for name, p in theirs.items()}:
        raise ValueError("target has other parameters than source: make it with copy.deepcopy")
    for name, parameter in mine.items():
        parameter.lerp_(theirs[name], 1 - decay)
    for name, buffer in source.named_buffers():
        target.get_buffer(name).copy_(buffer)
