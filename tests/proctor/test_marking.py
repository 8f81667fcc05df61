"""The helper in a graded cell: it diagnoses, keeps the notebook as it was, and says where to read."""

import pytest
import torch
from torch import nn

from proctor.marking import Task, conduct, values
from proctor.marking.words import Wrong, show
from proctor.reading import in_words
from tests.proctor.support import checked

CELL = """
import torch
from proctor.marking import Task
task = Task({names}, points=2, read="formulas/cnn_layers#max-pooling", misconceptions={{
    "doubled": "everything came twice", "shifted": "one was added"}})
{body}
task.mark()"""


def mark(body, names='"f"', **world):
    return checked(CELL.format(names=names, body=body), {"__name__": "__main__", **world})


CHECK = '''
@task(2)
def right():
    """the docstring"""
    task.agree(f, expected, torch.arange(3.0))
def expected(x): return x + 3, x * 5
@task.misconception(0)
def doubled(x): return 2 * (x + 3), x * 5
@task.misconception(0)
def shifted(x): return x + 4, x * 5 + 1
'''


def test_a_right_answer_gets_its_points_and_no_misconception_is_run():
    body = CHECK.replace("return 2 * (x + 3), x * 5", "raise SystemExit('this ran')")
    assert mark(body, f=lambda x: (x + 3, x * 5))[0] == 2.0


def test_the_misconception_that_gives_what_came_is_named():
    value, text = mark(CHECK, f=lambda x: (x + 4, x * 5 + 1))
    assert value == 0.0
    assert "one was added" in text
    value, text = mark(CHECK, f=lambda x: (x + 3, x * 5 + 1))
    assert "one was added" in text  # the second of two results tells it


def test_an_unknown_mistake_gets_the_docstring_and_the_call():
    value, text = mark(CHECK, f=lambda x: (x - 9, x * 5))
    assert "the docstring" in text
    assert "f([0, 1, 2])" in text
    assert "chapter “CNN layers”, section “Max pooling” (formulas/cnn_layers#max-pooling)" in text


def test_two_misconceptions_with_the_same_value_are_both_said():
    body = '@task(2)\ndef right():\n    task.equal(f(1.0), 3, {"doubled": 5, "shifted": 5})'
    assert "everything came twice; or: one was added" in mark(body, f=lambda x: 5)[1].replace(
        "\n", " "
    )


def test_the_number_of_results_is_said():
    assert "3 values" in mark(CHECK, f=lambda x: (x, x, x))[1]
    assert "one Tensor" in mark(CHECK, f=lambda x: x)[1]


def test_nan_is_a_value():
    body = "@task(2)\ndef right():\n    task.equal(f(1.0), [torch.nan, 1.0])"
    assert mark(body, f=lambda x: torch.tensor([torch.nan, 1.0]))[0] == 2
    assert mark(body, f=lambda x: torch.tensor([0.0, 1.0]))[0] == 0
    assert mark(body, f=lambda x: torch.tensor([torch.nan, torch.nan]))[0] == 0


def test_a_place_in_a_large_tensor_is_found_beside_nan():
    body = "@task(2)\ndef right():\n    x = torch.full((5, 5), torch.nan)\n    x[3, 1] = 2\n    task.equal(f(x), x)"

    def off(x):
        return x.masked_fill(x == 2, 7)

    assert "7 at [3, 1]" in mark(body, f=off)[1]


def test_several_functions_are_one_exercise():
    body = "@task(1)\ndef one():\n    task.equal(f(1), 2)\n@task(1)\ndef other():\n    task.equal(g(2), 1)"
    assert mark(body, '"f", "g"', f=lambda x: 2, g=lambda x: 1)[0] == 2
    value, text = mark(body, '"f", "g"', f=lambda x: 2)
    assert value == 1
    assert "no function named `g`" in text


def test_a_trained_result_needs_to_be_good_enough():
    body = '@task(2)\ndef good():\n    task.at_least(f(), 0.9, {"doubled": 0.5}, name="accuracy")'
    assert mark(body, f=lambda: torch.tensor(0.91))[0] == 2
    assert "accuracy = 0.51" in mark(body, f=lambda: 0.51)[1]
    assert "everything came twice" in mark(body, f=lambda: 0.51)[1]
    assert "a finite number" in mark(body, f=lambda: float("nan"))[1]
    assert "one number" in mark(body, f=lambda: torch.ones(3))[1]
    worst = "@task(2)\ndef good():\n    task.at_most(f(), 0.1)"
    assert mark(worst, f=lambda: 0.05)[0] == 2
    assert mark(worst, f=lambda: 0.2)[0] == 0


def test_a_notebook_is_given_back_as_it_was():
    mine = object()
    world = {"__name__": "__main__", "f": lambda x: (x + 3, x * 5), "expected": mine}
    checked(CELL.format(names='"f"', body=CHECK), world)
    assert world["expected"] is mine
    assert {"task", "right", "doubled", "shifted"} & set(world) == set()


def test_a_student_sees_no_name_of_the_graded_cell():
    world = {"__name__": "__main__"}
    exec("def f(x):\n    return expected(x)", world)
    _, text = checked(CELL.format(names='"f"', body=CHECK), world)
    assert "NameError: name 'expected' is not defined" in text


def test_names_of_checks_and_needs_are_checked():
    for body in (
        "@task(1)\ndef a(): pass\n@task(1)\ndef a(): pass",
        '@task(1, needs="later")\ndef a(): pass',
        "@task.misconception(0)\ndef unsaid(x): pass",
        "@task.misconception(2)\ndef doubled(x): pass",
    ):
        with pytest.raises(ValueError):
            mark(body, f=abs)


def tidy(function, *arguments):
    conduct.tidy(function, arguments)


def test_tidiness_with_integers_modules_and_several_results():
    with torch.no_grad():
        layer, picture = nn.Linear(2, 2), torch.arange(4).view(2, 2)
    tidy(lambda x, k: {"sum": x.sum(0), "index": x.argmax(0) + k}, torch.randn(3, 2), 1)
    tidy(lambda k: k + 1, picture)
    tidy(lambda net, x: net(x), layer, torch.randn(3, 2))
    with pytest.raises(Wrong, match="an argument was changed"):
        tidy(lambda k: k.add_(1), picture)
    with pytest.raises(Wrong, match="an argument was changed"):
        tidy(lambda net, x: net.weight.data.zero_().sum() + x, layer, torch.randn(2))
    with pytest.raises(Wrong, match="an argument was changed"):
        tidy(lambda net, x: (net.eval(), x)[1], layer, torch.randn(2))
    with pytest.raises(Wrong, match="default device"):
        tidy(lambda x: torch.zeros(x.shape, dtype=x.dtype), torch.randn(2))
    with pytest.raises(Wrong, match="float32"):
        tidy(lambda net, x: net.float()(x.float()), layer, torch.randn(3, 2))
    assert layer.training
    assert layer.weight.abs().sum() > 0


def test_copies_are_deep():
    generator = torch.Generator().manual_seed(3)
    twin, other = conduct.copied((generator, [torch.ones(2)]))
    assert torch.equal(torch.rand(3, generator=twin), torch.rand(3, generator=generator))
    assert other[0] is not None
    layer = nn.Linear(1, 1)
    assert conduct.copied(layer).weight is not layer.weight


def test_values_are_short_and_readable():
    assert show(torch.tensor([[1.0, 2.5], [-0.0, 1e-7]])) == "[[1, 2.5], [0, 1e-07]]"
    assert show(torch.ones(5, 5)) == "tensor of shape (5, 5)"
    assert show(nn.Linear(1, 1)) == "Linear(…)"
    assert show(torch.tensor([True])) == "[True]"


def test_a_section_is_named_as_people_name_it():
    named = in_words("formulas/linear_regression#inverse-prediction")
    assert named == "chapter “Linear regression”, section “Inverse prediction”"
    named = in_words("formulas/mcmc#hamiltonian-monte-carlo")
    assert named == "chapter “MCMC”, section “Hamiltonian Monte Carlo”"


def test_a_dtype_is_compared_as_one():
    values.compare(torch.float64, torch.float64, 0, "y.dtype", str)
    with pytest.raises(Wrong) as wrong:
        values.compare(torch.float32, torch.float64, 0, "y.dtype", str)
    assert wrong.value.lines["got"] == "y.dtype = torch.float32"
    assert wrong.value.lines["expected"] == "torch.float64"


def test_shares_that_do_not_add_up_are_no_mark(monkeypatch):
    monkeypatch.setenv("NBGRADER_EXECUTION", "autograde")
    with pytest.raises(RuntimeError, match="the checks are worth 1 points, not 2"):
        mark("@task(1)\ndef right():\n    task.equal(f(1), 2)", f=lambda x: 2)


def test_validate_hears_a_failure_and_the_student_sees_no_score(monkeypatch):
    body = "@task(0.4)\ndef right():\n    task.equal(f(1), 2)"
    value, text = mark(body, f=lambda x: 2)
    assert value is None
    assert "so far, so good" in text
    monkeypatch.setenv("NBGRADER_EXECUTION", "validate")
    with pytest.raises(Exception, match="not right yet") as caught:
        mark(body, f=lambda x: 3)
    assert caught.value._render_traceback_() == [str(caught.value)]


def test_a_task_is_all_that_a_cell_imports():
    import proctor.marking

    assert proctor.marking.__all__ == ["Task"]
    assert Task.__module__ == "proctor.marking.task"


def test_after_one_endless_loop_the_next_checks_wait_less():
    body = "@task(1, seconds=0.4)\ndef one():\n    f()\n@task(1, seconds=0.4)\ndef two():\n    f()"

    def f():
        while True:
            pass

    _, text = mark(body, f=f)
    assert "no answer within 0.4 s" in text
    assert "no answer within 0.1 s" in text
