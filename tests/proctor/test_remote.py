"""The seam for an engine that keeps students' code in another process: graded cells run unchanged on remote functions.

Calls cross as data, changed arguments come back, and `tidy` runs on this side. `gradient` needs autograd to
cross, so here it is sent as a whole.
"""

import os
import pickle

import pytest
import torch

from proctor import trial
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
        (ours_in, theirs_out), (theirs_in, ours_out) = os.pipe(), os.pipe()
        if (child := os.fork()) == 0:
            os.close(ours_in), os.close(ours_out)
            self.serve(before, code, os.fdopen(theirs_in, "rb"), os.fdopen(theirs_out, "wb"))
            os._exit(0)
        os.close(theirs_in), os.close(theirs_out)
        self.child = child
        self.questions, self.answers = os.fdopen(ours_out, "wb"), os.fdopen(ours_in, "rb")
        self.there = self.ask("names", "", (names,))

    def serve(self, before, code, questions, answers):
        torch.set_num_threads(1)
        world = {"__name__": "__main__"}
        for source in (*before, code):
            trial.run_cell(source, world, "the student's cell")
        while True:
            try:
                verb, name, args, named = pickle.load(questions)
            except EOFError:
                return
            try:
                if verb == "names":
                    said = True, [one for one in args[0] if callable(world.get(one))]
                elif verb == "gradient":
                    said = True, conduct.gradient(world[name], *args)
                else:
                    said = True, (world[name](*args, **named), args)
                text = pickle.dumps(said)
            except BaseException as error:
                text = pickle.dumps(
                    (
                        False,
                        RuntimeError(f"{type(error).__name__}: {error}")
                        if isinstance(error, SystemExit)
                        else error,
                    )
                )
            answers.write(text)
            answers.flush()

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
        self.questions.close(), self.answers.close()
        os.waitpid(self.child, 0)


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
