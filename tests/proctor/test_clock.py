"""A check ends on time, whatever the student's code does with the exception that ends it."""

import contextlib
import sys
import time

import pytest
import torch

from proctor.marking import guard
from proctor.marking.guard import OutOfTime, at_most, off_the_clock
from tests.proctor.support import checked


def forever():
    n = 0
    while True:
        n += 1


def a_bare_except():
    while True:
        try:
            while True:
                pass
        except:  # noqa: E722
            pass


def a_sleeper():
    while True:
        try:
            time.sleep(0.01)
        except BaseException:
            pass


def finally_that_goes_on():
    while True:
        try:
            forever()
        finally:
            continue  # noqa: B012


def nested_loops():
    while True:
        try:
            while True:
                try:
                    while True:
                        try:
                            forever()
                        except:  # noqa: E722
                            pass
                finally:
                    continue  # noqa: B012
        except:  # noqa: E722
            pass


def a_generator():
    def endless():
        while True:
            with contextlib.suppress(Exception):
                yield 1

    while True:
        try:
            for _ in endless():
                pass
        except:  # noqa: E722
            pass


def context_managers():
    with torch.no_grad():
        while True:
            with contextlib.suppress(BaseException):
                forever()


def finally_that_returns():
    def inner():
        try:
            forever()
        finally:
            return 1  # noqa: B012

    while True:
        inner()


def the_handler_itself():
    while True:
        try:
            raise ValueError
        except:  # noqa: E722
            try:
                forever()
            except:  # noqa: E722
                pass


def functions_in_functions():
    def safely(function):
        try:
            return function()
        except BaseException:
            return None

    while True:
        [safely(lambda: safely(forever)) for _ in range(10**9)]


def recursion():
    def again():
        try:
            return again()
        except:  # noqa: E722
            return again()

    again()


def an_answer_that_came_late():
    try:
        forever()
    except BaseException:
        return 3


def another_error_made_of_it():
    try:
        forever()
    except BaseException as error:
        raise ValueError("something else") from error


STUBBORN = [
    a_bare_except, a_sleeper, finally_that_goes_on, nested_loops, a_generator, context_managers, finally_that_returns,
    the_handler_itself, functions_in_functions, recursion, an_answer_that_came_late, another_error_made_of_it, forever,
]  # fmt: skip


@pytest.mark.parametrize("function", STUBBORN, ids=[f.__name__ for f in STUBBORN])
def test_nothing_swallows_the_end(function, monkeypatch):
    # what is raised in a dying frame goes there
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    tracing, depth, start = sys.gettrace(), sys.getrecursionlimit(), time.process_time()
    with torch.enable_grad(), pytest.raises(OutOfTime), at_most(0.1):
        function()
    assert time.process_time() - start < 3
    assert sys.gettrace() is tracing
    assert sys.exception() is None
    assert sys.getrecursionlimit() == depth


def test_what_ends_in_time_is_left_alone():
    with at_most(5):
        value = sum(range(1000))
    assert value == 499500
    with pytest.raises(ZeroDivisionError), at_most(5):
        _ = 1 / 0


def test_waiting_for_a_busy_machine_is_not_working():
    """The limit is the code's own seconds: 0.3 s asleep do not count against 0.2 s of work."""
    with at_most(0.2):
        time.sleep(0.3)


def work(seconds):
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


def checks_then_works(seconds):
    with off_the_clock():
        work(seconds)
    work(seconds)


def test_what_a_check_does_itself_is_not_the_students_work():
    with at_most(0.2):
        for _ in range(3):
            with off_the_clock():
                work(0.15)
        work(0.1)
    with pytest.raises(OutOfTime), at_most(0.2):
        checks_then_works(0.3)


def test_a_check_has_a_limit_of_its_own(monkeypatch):
    monkeypatch.setattr(guard, "SPARED", 0.1)
    start = time.process_time()
    with pytest.raises(OutOfTime), at_most(0.1), off_the_clock():
        forever()
    assert time.process_time() - start < 1


def test_a_misconception_is_named_on_however_slow_a_machine():
    """The reference answer and each misconception take longer than the student has."""
    cell = """
import time
from proctor.marking import Task
def busy():
    until = time.thread_time() + 0.3
    while time.thread_time() < until: pass
def answer(x): return x + 1
def expected(x): busy(); return x + 2
task = Task("answer", points=1, read="a/b#c", misconceptions={"one": "one was added", "none": "none was"})
@task.misconception(0)
def none(x): busy(); return x
@task.misconception(0)
def one(x): busy(); return x + 1
@task(1, seconds=0.2)
def values():
    task.agree(answer, expected, 3)
task.mark()
"""
    score, said = checked(cell)
    assert score == 0
    assert "one was added" in said
