"""What a confined fork does: run the student's cells, or, as the referee, the tests, in IPython's shell."""

import math
import os
import random
import signal
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch

from proctor.pen.agent import Agent
from proctor.pen.channel import Referee, StudentDied
from proctor.pen.frames import Closed, Line
from proctor.pen.outputs import NOTHING, STREAMS, Outputs, listening
from proctor.pen.outputs import run as run_cell
from proctor.pen.sandbox import STUDENT


def score(value: Any) -> float | None:
    """A finite real number, or None."""
    if isinstance(value, (torch.Tensor, np.generic, np.ndarray)):
        try:
            value = value.item()
        except (ValueError, RuntimeError):
            return None
    fine = type(value) in (int, float) and math.isfinite(value)
    return float(value) if fine else None


def settle(ip: Any, seed: str) -> dict[str, Any]:
    """Be like a kernel that has just started."""
    os.environ["NBGRADER_EXECUTION"] = "autograde"
    os.environ["MARKING_SEED"] = seed
    tempfile.tempdir = None
    random.seed()  # noqa: TID251  a kernel begins with other numbers each time
    np.random.seed(None)  # noqa: TID251
    torch.set_num_threads(1)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    sys.path.insert(0, os.getcwd())
    ip.user_ns.clear()
    ip.init_user_ns()
    return ip.user_ns


def run(ip: Any, source: str) -> tuple[Any, Any, Any]:
    """Run a cell, which alone an interrupt may end: one that comes late must not break what waits for the next."""
    try:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        return run_cell(ip, source)
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def be_student(ip: Any, orders: Line, line: Line) -> None:
    """Take files, run cells, serve the referee, as told."""
    agent = Agent(line, settle(ip, ""))
    orders.send({"ready": True})
    while True:
        order, blobs = orders.receive()
        outputs = Outputs()
        if order["do"] == "files":
            for name, content in zip(order["names"], blobs, strict=True):
                place = Path(os.getcwd(), name)
                place.parent.mkdir(parents=True, exist_ok=True)
                place.write_bytes(content)
            orders.send({})
        elif order["do"] == "run":
            found, _, error = run_cell(ip, order["source"])
            orders.send({"outputs": found, "failed": error is not None})
        else:
            with listening(outputs):
                agent.serve()
            orders.send({})


def be_referee(ip: Any, orders: Line, line: Line, asked: dict[str, Any]) -> None:
    """Set up, run tests, tell what they gave."""
    world = settle(ip, asked["seed"])
    referee = Referee(line, asked["limits"]["call_s"])
    referee.usual = STREAMS[0]
    orders.send({"ready": True})
    while True:
        order, _ = orders.receive()
        if order["do"] == "set up":
            for source in order["sources"]:
                run(ip, source)
            orders.send({})
            continue
        for name in order["exports"]:
            if not isinstance(world.get(name), ModuleType):
                world.pop(name, None)
        names = order["wanted"]
        try:
            world.update(referee.names(names) if names else {})
        except (StudentDied, Closed, Exception) as error:
            world.update({name: gone(str(error)) for name in names})
        outputs, value, error = run(ip, order["source"])
        if referee.line.open:
            try:
                referee.line.send({"do": "end"}, seconds=2)
            except Closed:
                pass
        told = {"outputs": outputs, "failed": error is not None, "shows": value is not NOTHING,
                "value": score(value), "dead": not referee.line.open}  # fmt: skip
        orders.send(told)


def gone(why: str) -> Callable:
    """Stands for a function of a process that has ended."""

    def function(*_: object, **__: object) -> None:
        raise StudentDied(why)

    return function


def main(role: str, ip: Any, orders: Line, line: Line, asked: dict[str, Any]) -> None:
    """Play a role until the warden leaves."""
    place = STUDENT if os.path.isdir(STUDENT) else tempfile.mkdtemp()
    os.chdir(place)
    try:
        if role == "student":
            be_student(ip, orders, line)
        else:
            be_referee(ip, orders, line, asked)
    except Closed:
        pass
