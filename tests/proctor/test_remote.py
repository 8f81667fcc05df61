"""The seam for an engine that keeps students' code in another process: graded cells run unchanged on remote functions.

Calls cross as data, changed arguments come back, and `tidy` runs on this side. `gradient` needs autograd to
cross, so here it is sent as a whole.
"""

import pickle

import pytest
import torch

from proctor import forks, trial
from proctor.marking import Task, conduct
from proctor.marking.student import Student
from tests.proctor.support import TEXTS, every_answer, exercise

ANSWERS = [
    (name, answer)
    for name in TEXTS
    for answer in every_answer(name)
    if not answer.key or answer.key == every_answer(name)[-1].key
]


class Remote:
    """A function that lives in a child process."""

    def __init__(self, before, code, names):
        server = forks.shared("proctor.trial")
        _, line = server.fork("tests.proctor.remote:serve", before=before, code=code)
        self.questions, self.answers = line.makefile("wb"), line.makefile("rb")
        line.close()
        self.there = self.ask("names", "", (names,))

    def ask(self, verb, name, args=(), named=None):
        pickle.dump((verb, name, args, named or {}), self.questions)
        self.questions.flush()
        fine, value = pickle.load(self.answers)
        if not fine:
            raise value
        return value

    def function(self, name):
        def call(*args, **named):
            value, changed = self.ask("call", name, args, named)
            for mine, theirs in zip(args, changed, strict=True):
                if isinstance(mine, torch.Tensor) and not conduct.same(mine, theirs):
                    with torch.no_grad():
                        mine.copy_(theirs)
            return value

        return call

    def end(self):
        self.questions.close()
        self.answers.close()


def remote_mark(task, code, monkeypatch):
    remote = Remote([cell.source for cell in task.before], code, task.names)
    world = {"__name__": "__main__", **{name: remote.function(name) for name in remote.there}}

    def gradient(self, function: Student, x, *rest):
        return remote.ask("gradient", function.name, (x, rest))

    monkeypatch.setattr(Task, "gradient", gradient)
    outputs = trial.run_cell(task.check.source, world, "the graded cell")
    remote.end()
    return trial.graded(task, outputs), trial.said(outputs)


@pytest.mark.parametrize(
    ("name", "answer"), ANSWERS, ids=[f"{n}-{a.exercise}: {a.title}" for n, a in ANSWERS]
)
def test_a_remote_function_gets_the_same_points(name, answer, monkeypatch):
    points, text = remote_mark(exercise(name, answer.exercise), answer.code, monkeypatch)
    assert points == answer.points, text
