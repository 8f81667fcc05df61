"""The other side of test_remote: a student's functions, in a process of their own."""

import pickle

import torch

from proctor import trial
from proctor.marking import conduct


def serve(line, before, code):
    """In the child: run the student's cells, then answer questions until nobody asks."""
    questions, answers = line.makefile("rb"), line.makefile("wb")
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
