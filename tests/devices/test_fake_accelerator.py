"""The pretended device is itself pretended well: same numbers as the CPU, same refusals as CUDA.

What takes the fixture `fake_device` also runs on a real accelerator, and holds the pretense to it.
"""

import copy

import pytest
import torch
from torch import nn

from tests.fake_accelerator import FakeAccelerator, register
from tests.on_device import agrees_on_device

DEVICE = register()


class TinyBlock(nn.Module):
    """A transformer block small enough for a test."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norms = nn.ModuleList([nn.LayerNorm(dim), nn.LayerNorm(dim)])
        self.mlp = nn.Sequential(nn.Linear(dim, 4 * dim), nn.GELU(), nn.Linear(4 * dim, dim))

    def forward(self, x):
        h = self.norms[0](x)
        x = x + self.attention(h, h, h, need_weights=False)[0]
        return x + self.mlp(self.norms[1](x))


MODELS = {
    "block": lambda: TinyBlock(16, 2),
    "lstm": lambda: nn.LSTM(16, 16, batch_first=True),
    "gru": lambda: nn.GRU(16, 16, batch_first=True),
}


def losses(device, make, steps=20):
    from etude.core.random import seeded, stream

    generator = stream(0, device)
    with seeded(0):
        model = make().to(device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    history = []
    for _ in range(steps):
        x = torch.randn(4, 5, 16, generator=generator, device=device)
        y = model(x)
        y = y[0] if isinstance(y, tuple) else y
        loss = (y - 0.5 * x).pow(2).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        history.append(loss.item())
        if loss.item() > 1e6:  # control flow that depends on data
            break
    return history


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_a_training_run_gives_the_same_numbers_as_on_the_cpu(make):
    here = losses(torch.device("cpu"), make)
    with FakeAccelerator():
        there = losses(DEVICE, make)
    assert there == pytest.approx(here, rel=1e-4)
    assert len(set(here)) == len(here)


def test_a_constant_on_the_cpu_is_refused(fake_device):
    x = torch.zeros(2, 3, device=fake_device)
    assert (x + torch.arange(3, device=x.device)).device == fake_device
    with pytest.raises(RuntimeError, match="same device"):
        x + torch.arange(3)


def test_a_generator_of_the_cpu_is_refused_on_the_device_and_the_reverse(fake_device):
    with pytest.raises(RuntimeError, match="generator"):
        torch.randn(3, device=fake_device, generator=torch.Generator())
    with pytest.raises(RuntimeError, match="generator"):
        torch.randn(3, generator=torch.Generator(fake_device))
    assert torch.randn(3, device=fake_device, generator=torch.Generator(fake_device)).shape == (3,)


def test_numpy_needs_the_cpu_first(fake_device):
    x = torch.ones(2, device=fake_device)
    with pytest.raises(TypeError, match="numpy"):
        x.numpy()
    assert x.cpu().numpy().sum() == 2


def test_indices_of_the_device_do_not_look_into_a_tensor_of_the_cpu(fake_device):
    index = torch.tensor([0, 1], device=fake_device)
    with pytest.raises(RuntimeError, match="indices"):
        torch.arange(3)[index]
    assert torch.arange(3, device=fake_device)[index].device == fake_device


def test_indices_of_the_cpu_are_refused_by_an_embedding(fake_device):
    with pytest.raises(RuntimeError, match="same device"):
        nn.Embedding(3, 2).to(fake_device)(torch.tensor([0, 1]))


def test_a_tensor_that_is_no_buffer_stays_behind_and_is_found(fake_device):
    class Forgetful(nn.Module):
        def __init__(self):
            super().__init__()
            self.mask = torch.ones(3)

        def forward(self, x):
            return x * self.mask

    with pytest.raises(RuntimeError, match="same device"):
        Forgetful().to(fake_device)(torch.zeros(2, 3, device=fake_device))


def test_sampling_copies_and_autocast_work(fake_device):
    with torch.no_grad():
        model = TinyBlock(16, 2).to(fake_device).eval()
        average = copy.deepcopy(model)
        x = torch.randn(2, 5, 16, device=fake_device)
        out = model(x)
        token = torch.multinomial(out[:, -1].softmax(-1), 1)
        x = torch.cat([x, torch.zeros(2, 1, 16, device=fake_device)], 1)
        x[:, -1, 0] = token[:, 0].float()
        torch.testing.assert_close(average(x[:, :5]).cpu(), out.cpu())
        assert out.mean().item() == pytest.approx(out.cpu().numpy().mean(), abs=1e-6)
        x[x > 0] = 0
        assert (x <= 0).all()
        model.load_state_dict({name: value.cpu() for name, value in model.state_dict().items()})
        with torch.autocast(fake_device.type, dtype=torch.bfloat16):
            model(x)


def test_linear_algebra_and_its_gradient_work(fake_device):
    def solve(X, y):
        Q, R = torch.linalg.qr(X)
        return torch.linalg.solve_triangular(R, Q.mT @ y[:, None], upper=True)

    draw = torch.Generator().manual_seed(0)
    X, y = (torch.randn(*shape, generator=draw).double() for shape in ((6, 2), (6,)))
    agrees_on_device(solve, X, y)
    X = X.to(fake_device).requires_grad_()
    solve(X, y.to(fake_device)).sum().backward()
    assert X.grad is not None
    assert X.grad.device == fake_device


def test_the_comparison_finds_an_answer_left_on_the_cpu(fake_device):
    def leaves(x):
        return x.cpu()

    with pytest.raises(AssertionError, match="leaves left its answer on cpu"):
        agrees_on_device(leaves, torch.ones(2))


def test_the_comparison_finds_another_number(fake_device):
    def differs(x):
        return x + (x.device.type == "cpu")

    with pytest.raises(AssertionError):
        agrees_on_device(differs, torch.ones(2))


def test_the_comparison_repeats_a_draw_from_the_same_seed(fake_device):
    def draw(x, generator):
        return torch.randn_like(x, generator=generator)

    agrees_on_device(draw, torch.ones(2), torch.Generator().manual_seed(3))


def test_the_world_is_as_before_afterwards():
    generator = torch.Generator
    with FakeAccelerator():
        assert torch.Generator is not generator
    assert torch.Generator is generator
