import pytest
import torch

from etude.core.device import device, threads


@pytest.fixture(autouse=True)
def no_choice(monkeypatch):
    monkeypatch.delenv("ETUDE_DEVICE", raising=False)
    monkeypatch.delenv("ETUDE_THREADS", raising=False)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")],
)
def test_the_fastest_that_is_there(monkeypatch, cuda, mps, expected):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert device() == torch.device(expected)


def test_the_reader_decides(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setenv("ETUDE_DEVICE", "cpu")
    assert device() == torch.device("cpu")


def test_threads_are_put_back():
    before = torch.get_num_threads()
    with threads(2) as count:
        assert count == torch.get_num_threads() == 2
    assert torch.get_num_threads() == before


def test_threads_are_read_from_the_environment(monkeypatch):
    monkeypatch.setenv("ETUDE_THREADS", "3")
    with threads() as count:
        assert count == torch.get_num_threads() == 3


def test_threads_are_put_back_after_an_error():
    before = torch.get_num_threads()

    def fail():
        with threads(3):
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert torch.get_num_threads() == before


def test_without_a_wish_nothing_changes():
    before = torch.get_num_threads()
    with threads() as count:
        assert count == before
