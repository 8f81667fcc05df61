"""Prints, warnings, changed settings, endless loops, half a stub: students write it, and each gets the fair mark."""

from pathlib import Path

import pytest

from proctor import answers, trial
from tests.proctor.support import assignment, marked

ODD = answers.every(assignment("small"), Path(__file__).with_name("odd_answers.py"))


@pytest.mark.parametrize("answer", ODD, ids=[answer.title for answer in ODD])
def test_an_odd_answer_gets_what_it_deserves(answer):
    points, text = marked("small", answer.exercise, answer.code)
    assert trial.faults(answer, points, text) == [], text
