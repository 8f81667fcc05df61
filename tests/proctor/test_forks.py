"""A fork is clean whatever its client has done, and leaves nothing behind."""

import gc
import os
import resource
import time

import pytest
import torch

from proctor import forks

SERVER = forks.shared("proctor.trial")


def differentiate(line):
    """In a child: what autograd refuses in a fork of a process that has used it."""
    x = torch.ones(3, requires_grad=True)
    x.square().sum().backward()
    line.sendall(repr(x.grad.tolist()).encode())


def vanish(line):
    """In a child: leave without a word."""
    os._exit(3)


def test_a_child_may_differentiate_after_its_client_has():
    torch.ones(3, requires_grad=True).sum().backward()
    _, line = SERVER.fork("tests.proctor.test_forks:differentiate")
    assert line.recv(100) == b"[2.0, 2.0, 2.0]"


def test_a_child_that_vanishes_closes_its_line_and_leaves_no_process():
    pid, line = SERVER.fork("tests.proctor.test_forks:vanish")
    assert line.recv(100) == b""
    for _ in range(100):
        if not os.path.exists(f"/proc/{pid}"):
            break
        time.sleep(0.05)
    assert not os.path.exists(f"/proc/{pid}")


def test_a_long_request_arrives_whole():
    before = ["x = 1"] * 100_000
    _, line = SERVER.fork("proctor.trial:run_answer", before=[], code="", check="", seeds=before)
    line.close()


def test_the_server_leaves_with_its_client():
    own = forks.Forks()
    own.warm(["math", "no_such_module"])
    own.end()
    assert own.server.poll() == 0


def collect(line):
    """In a child: how many pages it had to copy to look for garbage."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    gc.collect()
    line.sendall(str(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before).encode())


@pytest.mark.parametrize("modules", [[], ["sklearn.linear_model", "statsmodels.api"]])
def test_a_child_that_looks_for_garbage_copies_little_of_what_it_shares(modules):
    """Without the freeze it is thousands of pages, in every fork."""
    server = forks.Forks(["proctor.trial"])
    if modules:
        server.warm(modules)
    _, line = server.fork("tests.proctor.test_forks:collect")
    assert int(line.recv(100)) < 1000
    server.end()
