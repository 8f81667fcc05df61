"""`press test-gpu` takes a real accelerator or says that there is none; nothing is forgotten."""

import os
import subprocess
import sys

import pytest
import torch
from torch import nn

from etude.formulas.linear_regression import simple
from press import test
from press.__main__ import main
from press.layout import ROOT
from tests.data.examples import EXAMPLES
from tests.devices import discovery
from tests.devices.example import call, compare
from tests.fake_accelerator import NAME, FakeAccelerator
from tests.on_device import accelerator, holds, named

BESIDE = "tests.formulas.linear_regression.examples"
PEARSON = "etude.formulas.linear_regression.simple.pearson"


@pytest.fixture
def pretended(monkeypatch):
    """The pretended device, whatever `ETUDE_DEVICE` names."""
    monkeypatch.delenv("ETUDE_DEVICE", raising=False)
    with FakeAccelerator():
        yield


def find(monkeypatch, found):
    monkeypatch.setattr(torch.accelerator, "current_accelerator", lambda check_available: found)


def test_without_an_accelerator_it_says_so_and_fails(monkeypatch, capsys):
    find(monkeypatch, None)
    assert main(["test-gpu"]) == 1
    assert "press test-gpu: torch finds no accelerator here" in capsys.readouterr().err


def test_with_one_it_runs_the_device_tests_there(monkeypatch):
    ran = []
    find(monkeypatch, torch.device("cuda"))
    monkeypatch.setattr(test, "pytest", lambda *words, **names: ran.append((words, names)))
    assert main(["test-gpu"]) == 0
    assert ran == [(("-m", "device", "tests"), {"ETUDE_DEVICE": "cuda"})]


def test_the_tests_that_ask_for_the_device_are_marked_and_measured():
    files = ["tests/core/test_random.py", "tests/devices/test_every_callable.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-m", "device", "-k", "stream or pearson", *files],
        cwd=ROOT,
        env=os.environ | {"ETUDE_DEVICE": NAME},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    passed = {
        line.split()[0].partition("::")[2] for line in done.stdout.splitlines() if "::" in line
    }
    assert passed == {
        "test_a_stream_lives_on_its_device",
        *(
            f"test_it_leaves_the_same_on_the_device[{name}-{kind}]"
            for name in ("core.random.stream", PEARSON.removeprefix("etude."))
            for kind in ("float32", "float64")
        ),
    }
    table = done.stdout[done.stdout.index(f"{NAME}:0 against the CPU") :].splitlines()
    assert [line.split() for line in table if "linear_regression" in line] == [
        ["formulas/linear_regression", "float32", "1", "0.0e+00", "1e-04"],
        ["formulas/linear_regression", "float64", "1", "0.0e+00", "1e-10"],
    ]


def planted(x):
    """A public function that nobody gave an example."""
    return x + torch.ones(3)


class Planted:
    def public(self):
        """A method that nobody gave an example."""

    def _private(self):
        pass


@pytest.mark.parametrize(("thing", "key"), [(planted, "planted"), (Planted, "Planted.public")])
def test_a_new_public_callable_without_an_example_is_reported(monkeypatch, thing, key):
    name = thing.__name__
    monkeypatch.setattr(thing, "__module__", simple.__name__)
    if isinstance(thing, type):
        monkeypatch.setattr(thing.public, "__module__", simple.__name__)
    monkeypatch.setattr(simple, name, thing, raising=False)
    monkeypatch.setattr(simple, "__all__", [*simple.__all__, name])
    file = "tests/formulas/linear_regression/examples.py"
    assert discovery.collect()[1] == [
        f"{simple.__name__}.{key} has no example: add `{key}: lambda at: …` to {file}"
    ]


def test_an_example_of_what_is_no_longer_public_is_reported(monkeypatch):
    monkeypatch.setattr(simple, "__all__", [name for name in simple.__all__ if name != "pearson"])
    assert discovery.collect()[1] == [
        f"{PEARSON} is no public callable (any more): "
        "take it out of tests/formulas/linear_regression/examples.py"
    ]


def test_an_example_of_what_is_gone_is_reported(monkeypatch):
    monkeypatch.delitem(sys.modules, BESIDE, raising=False)
    monkeypatch.delattr(simple, "pearson")
    monkeypatch.setattr(simple, "__all__", [name for name in simple.__all__ if name != "pearson"])
    faults = discovery.collect()[1]
    assert faults[0].startswith("tests/formulas/linear_regression/examples.py: cannot import name")
    assert "pearson" in faults[0]


def test_an_exclusion_of_what_is_gone_or_has_an_example_is_reported(monkeypatch):
    monkeypatch.setitem(discovery.EXCLUDED, "etude.gone", "a reason")
    monkeypatch.setitem(discovery.EXCLUDED, PEARSON, "a reason")
    assert discovery.collect()[1] == [
        f"{PEARSON} is excluded, and has an example in tests/formulas/linear_regression/examples.py",
        "etude.gone is excluded, and gone",
    ]


def test_an_example_in_the_wrong_place_is_reported(monkeypatch):
    monkeypatch.setitem(EXAMPLES, simple.pearson, lambda at: (at.randn(8), at.randn(8)))
    assert discovery.collect()[1] == [
        f"{PEARSON}: its example belongs into tests/formulas/linear_regression/examples.py, "
        "not into tests/data/examples.py"
    ]


def leaves_its_answer(x):
    return torch.zeros(3, dtype=x.dtype)


def cuts_the_gradient(x):
    return x.detach() if x.device.type == NAME else x * 1


def bends_the_gradient(x):
    return x * x.detach() + (x - x.detach()) * (x.device.type == NAME)


def changes_the_number(x):
    return x + 1e-6 * (x.device.type == NAME)


def forgets_the_type(x):
    return x.float() if x.dtype == torch.float64 else x.double()


def draws_on_the_cpu(x, *, generator):
    return x + torch.randn(3, generator=generator)


def asks_for_arrays(x):
    return torch.as_tensor(x.detach().numpy())


def stays_inside(x):
    return lambda dy: dy, [{"deep": (x, torch.zeros(3))}]


def pulls_back_to_the_cpu(x):
    return x, lambda dy: dy.cpu()


class Forgetful(nn.Module):
    def __init__(self):
        super().__init__()
        self.mask = torch.ones(3)

    def forward(self, x):
        return x


class Remembers:
    def fit(self, x):
        self.mean_ = x.mean().cpu()
        return x


CAUGHT = {
    planted: (RuntimeError, "same device"),
    draws_on_the_cpu: (RuntimeError, "generator"),
    asks_for_arrays: (TypeError, "numpy"),
    leaves_its_answer: (AssertionError, "leaves_its_answer: the answer lives on cpu"),
    cuts_the_gradient: (AssertionError, "a gradient flows to .* on one of the two devices only"),
    bends_the_gradient: (AssertionError, "bends_the_gradient differs from the CPU"),
    changes_the_number: (AssertionError, "changes_the_number differs from the CPU"),
    forgets_the_type: (AssertionError, "the answer is torch.float64, the data are torch.float32"),
    stays_inside: (AssertionError, r"the answer\[1\]\[0\]\['deep'\]\[1\] lives on cpu"),
    pulls_back_to_the_cpu: (AssertionError, r"the answer\[1\] lives on cpu"),
}


@pytest.mark.parametrize("function", CAUGHT, ids=lambda function: function.__name__)
def test_a_function_that_is_not_where_its_arguments_are_is_caught(function, pretended):
    error, message = CAUGHT[function]
    with pytest.raises(error, match=message):
        compare(function, lambda at: at.randn(3), torch.float32)


def test_a_module_and_a_model_that_keep_a_tensor_behind_are_caught(pretended):
    with pytest.raises(AssertionError, match="argument 0.mask lives on cpu"):
        compare(Forgetful.forward, lambda at: (at(Forgetful()), at.randn(3)), torch.float32)
    with pytest.raises(AssertionError, match="argument 0.mean_ lives on cpu"):
        compare(Remembers.fit, lambda at: (Remembers(), at.randn(3)), torch.float32)


def test_an_honest_function_passes_whatever_it_returns(pretended):
    def honest(x, *, scale, generator):
        noise = torch.randn(3, generator=generator, device=x.device, dtype=x.dtype)
        return [x * scale + noise / 0, None, "a word", x.argmax().item()]

    assert compare(honest, lambda at: call(at.randn(3), scale=at.rand(3)), torch.float64) == 0


def is_far_off(x, *, generator):
    return x + 1.0 * (x.device.type == NAME)


def test_on_a_named_device_rounding_is_allowed_and_a_draw_has_no_difference(pretended, monkeypatch):
    monkeypatch.setenv("ETUDE_DEVICE", NAME)
    assert 0 < compare(changes_the_number, lambda at: at.randn(3), torch.float32) < 1e-5
    with pytest.raises(AssertionError, match="differs from the CPU by .*, at most 1e-10"):
        compare(changes_the_number, lambda at: at.randn(3), torch.float64)
    with pytest.raises(AssertionError, match="differs from the CPU"):  # given no generator
        compare(is_far_off, lambda at: call(at.randn(3), generator=None), torch.float32)
    assert compare(is_far_off, lambda at: at.randn(3), torch.float32) == 0


@pytest.mark.parametrize(
    ("name", "device", "double"),
    [("cpu", f"{NAME}:0", True), ("cuda", "cuda:0", True), ("cuda:1", "cuda:1", True)]
    + [("mps", "mps:0", False)],
)
def test_the_device_is_the_one_that_is_named(monkeypatch, name, device, double):
    monkeypatch.setenv("ETUDE_DEVICE", name)
    assert str(accelerator()) == device
    assert [holds(dtype) for dtype in (torch.float32, torch.float64)] == [True, double]
    assert named() == (name != "cpu")
