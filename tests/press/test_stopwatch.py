"""Seconds of a call, and ratios of rounds."""

import time

import pytest
import torch

from press.stopwatch import ratio, seconds, timed


def test_a_call_is_timed_and_answers():
    spent, answer = timed(lambda: time.sleep(0.02) or 7, torch.device("cpu"))
    assert answer == 7
    assert spent >= 0.02
    assert seconds(lambda: time.sleep(0.02), torch.device("cpu")) >= 0.02


def test_the_device_is_waited_for_before_and_after(monkeypatch):
    order = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda: order.append("wait"))
    seconds(lambda: order.append("call"), torch.device("cuda"))
    assert order == ["wait", "call", "wait"]


def test_ratios_are_those_of_rounds():
    """Of 1, 2, …, 8 the median is 4.5, and the middle half lies between 3 and 6."""
    found = ratio([8, 1, 6, 3, 4, 5, 2, 7], [1] * 8)
    assert found == (4.5, 3, 6)
    assert str(found) == "   4.50  (3.00 – 6.00)"
    slowed = ratio([1, 100], [2, 200])
    assert slowed.median == 0.5
    with pytest.raises(ValueError, match="shorter"):
        ratio([1, 2], [1])
