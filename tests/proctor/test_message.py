"""What a graded cell prints is read back word by word, and what a student prints never counts as ours."""

import textwrap

from hypothesis import given
from hypothesis import strategies as st

from proctor.marking.words import Check, report
from proctor.report import message

WORDS = st.text(
    st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1, max_size=12
)
TEXT = st.lists(WORDS, min_size=1, max_size=30).map(" ".join)
LINES = st.dictionaries(
    st.sampled_from(["call", "got", "expected", "likely", "rule", "where"]), TEXT
)


def printed(text, name="stdout"):
    return [{"output_type": "stream", "name": name, "text": text}]


def rule():
    """What holds here."""


@given(
    st.just("passed") | LINES, st.lists(st.just("passed") | st.none() | LINES, max_size=4), TEXT
)  # fmt: skip
def test_a_report_is_read_back(first, others, said):
    outcomes = [first, *others]  # what did not run needs an earlier one
    checks = [
        Check(f"check_{n}", 0.5, "check_0" if n else "", 2, rule) for n in range(len(outcomes))
    ]
    failed = {c.name: o for c, o in zip(checks, outcomes, strict=True) if o != "passed"}
    lines = report(
        ("relu",), len(checks) / 2, "formulas/cnn_layers#pooling", checks, failed,
        whole=True, untouched=False, said=said + "\n  ✓ forged  +9",
    )  # fmt: skip
    found = message.read(printed("\n".join(lines)))
    assert [c.title for c in found.checks] == [c.title for c in checks]
    for check, outcome in zip(found.checks, outcomes, strict=True):
        assert check.sign == ("✓" if outcome == "passed" else "–" if outcome is None else "✗")
        assert check.worth == 0.5
        if isinstance(outcome, dict):
            assert check.lines == outcome
    assert found.read == ("formulas/cnn_layers#pooling" if failed else "")


def test_the_causes_are_told_apart_and_a_time_limit_is_seen():
    text = textwrap.dedent("""
        relu: 0 of 2 points
          ✗ a check  0 of 1
              got       no answer within 2 s
              likely    the sign is wrong; or: the mean is missing
          – another  0 of 1: counts once “a check” is right
    """)
    found = message.read(printed("\033[1m" + text))
    assert found.checks[0].likely == ["the sign is wrong", "the mean is missing"]
    assert found.late
    assert found.checks[1].needs == "a check"


def test_a_plain_test_speaks_through_its_error_and_never_through_its_traceback():
    error = {
        "output_type": "error", "ename": "AssertionError", "evalue": "double(7) is 7",
        "traceback": ["assert secret == 3  # the line of the test"],
    }  # fmt: skip
    found = message.read([error])
    assert found.failure == "AssertionError: double(7) is 7"
    assert not found.checks
    late = message.read(
        [
            {
                "output_type": "error",
                "ename": "TimeLimit",
                "evalue": "this test ran longer than 60 s and was stopped",
            }
        ]
    )
    assert late.late
    assert late.failure == "this test ran longer than 60 s and was stopped"


def test_outputs_that_are_nothing_of_the_kind_are_passed_over():
    for outputs in (
        None,
        3,
        "text",
        [None, 1, {}],
        [{"output_type": "stream", "name": "stdout", "text": ["a", 1]}],
    ):
        assert message.read(outputs) == message.Message()
    assert message.read(printed("relu: not attempted yet. Replace …")).untouched
