import pytest
import torch

from etude.core.random import seeded, stream
from tests.on_device import agrees_on_device


@pytest.mark.parametrize("seed", [0, 1])
def test_a_seed_gives_one_stream(seed):
    one, two = (torch.rand(3, generator=stream(seed)) for _ in range(2))
    assert torch.equal(one, two)


def test_seeds_differ_and_zero_is_a_seed():
    draws = [torch.rand(1, generator=stream(seed)).item() for seed in range(3)]
    assert len(set(draws)) == 3


def test_a_stream_leaves_the_global_state_alone():
    before = torch.get_rng_state()
    torch.rand(3, generator=stream(0))
    assert torch.equal(before, torch.get_rng_state())


def test_a_layer_is_the_same_under_the_same_seed_and_the_state_comes_back():
    before = torch.get_rng_state()
    layers = []
    for seed in (0, 0, 1):
        with seeded(seed):
            layers.append(torch.nn.Linear(2, 2).weight)
    assert torch.equal(layers[0], layers[1])
    assert not torch.equal(layers[0], layers[2])
    assert torch.equal(before, torch.get_rng_state())


def test_the_state_comes_back_after_an_error():
    before = torch.get_rng_state()

    def fail():
        with seeded(0):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.equal(before, torch.get_rng_state())


def test_a_stream_lives_on_its_device(fake_device):
    assert stream(0, fake_device).device == fake_device
    agrees_on_device(
        lambda x, g: torch.rand(3, generator=g, device=x.device), torch.ones(1), stream(0)
    )
