"""A grader is software: it is tried on right and wrong answers, written ones and one from every misconception."""

import ast
import os

import pytest

from proctor import trial
from tests.proctor.support import EXERCISES, TEXTS, every_answer, exercise, marked

ANSWERS = [(name, answer) for name in TEXTS for answer in every_answer(name)]
each_answer = pytest.mark.parametrize(
    ("name", "answer"), ANSWERS, ids=[f"{n}-{a.exercise}: {a.title}" for n, a in ANSWERS]
)
each_exercise = pytest.mark.parametrize(
    ("name", "key"), EXERCISES, ids=[f"{name}-{key}" for name, key in EXERCISES]
)


def answers_of(name, key):
    return [answer for answer in every_answer(name) if answer.exercise == key]


def section(text, title):
    """The lines of a message that belong to one check."""
    _, _, rest = text.partition(f"✗ {title}")
    return " ".join(rest.split("✓")[0].split("✗")[0].split("–  0")[0].split())


@each_answer
def test_an_answer_gets_what_it_deserves(name, answer):
    points, text = marked(name, answer.exercise, answer.code)
    assert trial.faults(answer, points, text) == [], text


@each_exercise
def test_the_solution_gets_full_marks(name, key):
    task = exercise(name, key)
    points, text = marked(name, key, task.solution)
    assert points == task.points
    assert text.count("✓") == len(task.checks) > 0


@each_exercise
def test_every_check_is_failed_by_some_answer(name, key):
    texts = [marked(name, key, a.code)[1] for a in answers_of(name, key) if not a.right]
    titles = [check.title for check in exercise(name, key).checks]
    assert [t for t in titles if not any(f"✗ {t}" in text for text in texts)] == []


@each_exercise
def test_a_value_beside_a_misconception_is_the_value_that_it_gives(name, key):
    """The function of a misconception, run as an answer, gets its sentence in every check that lists its key."""
    task = exercise(name, key)
    derived = {answer.key: answer for answer in answers_of(name, key) if answer.key}
    for check in task.checks:
        keys = {
            node.value
            for call in ast.walk(check.node)
            if isinstance(call, ast.Call)
            and len(call.args) > 2
            and isinstance(call.args[2], ast.Dict)
            for node in call.args[2].keys
        }
        for one in keys & set(derived):
            text = marked(name, key, derived[one].code)[1]
            if "counts once" not in section(text, check.title):
                assert " ".join(task.sentences[one].split()) in section(text, check.title), (
                    check.name,
                    one,
                    text,
                )


@each_exercise
def test_another_seed_marks_the_same(name, key):
    """Ten seeds for the first right answer, and for each of a chapter that is tested alone; three for all others."""
    whole = name == os.environ.get("ETUDE_ONLY", "").rpartition("/")[2]
    first = next(answer for answer in answers_of(name, key) if answer.right)
    for answer in answers_of(name, key):
        if answer.right or answer.key:
            often = answer is first or (whole and answer.right)
            seeds = [str(seed) for seed in range(1, 11 if often else 4)]
            for points, text in trial.mark_often(exercise(name, key), answer.code, seeds):
                assert points == answer.points, (answer.title, text)
