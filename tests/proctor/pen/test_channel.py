"""The channel between a test and a student: what travels, and what a lying other side can do."""

import json
import socket
import struct
import threading
import time
from collections import Counter, OrderedDict, namedtuple

import numpy as np
import pytest
import torch

from proctor.marking import guard
from proctor.pen import channel
from proctor.pen.channel import Referee, RemoteError, StudentDied
from proctor.pen.frames import Closed, Late, Line, pair
from proctor.pen.values import Codec, Unreadable

Point = namedtuple("Point", "x y")
VALUES = {
    "numbers": (None, True, 3, -(2**70), 2.5, 1e-320, float("inf"), 3 + 4j),
    "texts": ("ä\ud800", "", b"\0\xff", bytearray(b"x")),
    "nests": ([1, [2, (3, {4})]], {"a": {(1, 2): frozenset([3])}}, range(1, 9, 2), slice(1, None, 2), ...),
    "arrays": (np.arange(6.0).reshape(2, 3), np.array(["ab", "c"]), np.float32(1.5), np.zeros((0, 3), dtype=bool)),
    "types": (torch.float64, torch.Size([2, 3]), torch.device("cpu"), np.dtype("int8"), np.float32, int, NotImplemented),
    "tensors": (
        torch.randn(3, 4), torch.zeros(0, 2), torch.tensor(2), torch.randn(2, 3, dtype=torch.bfloat16),
        torch.randn(2, dtype=torch.complex64), torch.tensor([True]), torch.randn(4, 3).T, torch.ones(1).expand(5),
        torch.randn(9)[::2],
    ),
}  # fmt: skip


def roundtrip(value):
    blobs = []
    text = json.dumps(Codec().pack(value, blobs))
    return Codec().unpack(json.loads(text), blobs)


def same(one, other):
    assert type(one) is type(other)
    if isinstance(one, torch.Tensor):
        assert one.dtype == other.dtype
        assert one.shape == other.shape
        assert one.stride() == other.stride()
        assert torch.equal(one, other)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)
    else:
        assert one == other


@pytest.mark.parametrize("kind", VALUES)
def test_a_value_arrives_as_it_was(kind):
    for value in VALUES[kind]:
        same(value, roundtrip(value))
    same(float("nan") != roundtrip(float("nan")), True)


def test_leaves_gradients_and_parameters_arrive():
    leaf = torch.ones(2, requires_grad=True)
    (leaf * 3).sum().backward()
    came = roundtrip(leaf)
    assert came.is_leaf
    assert came.requires_grad
    assert came.grad.tolist() == [3, 3]
    grown = roundtrip(leaf * 2)
    assert not grown.is_leaf
    grown += 1  # work in place is allowed, as on what was sent
    parameter = roundtrip(torch.nn.Parameter(torch.ones(2), requires_grad=False))
    assert type(parameter) is torch.nn.Parameter
    assert not parameter.requires_grad


def test_a_generator_goes_on_where_it_was():
    generator = torch.Generator().manual_seed(5)
    torch.randn(3, generator=generator)
    twin = roundtrip(generator)
    assert torch.equal(torch.randn(4, generator=generator), torch.randn(4, generator=twin))


def test_a_subclass_arrives_as_what_it_holds():
    class Lying(float):
        def __eq__(self, other):
            return True

        __hash__ = float.__hash__

    class Torch(torch.Tensor):
        @classmethod
        def __torch_function__(cls, function, types, args=(), kwargs=None):
            return True

    same(roundtrip(Lying(2.0)), 2.0)
    same(roundtrip(Point(1, 2)), (1, 2))
    same(roundtrip(OrderedDict(a=1)), {"a": 1})
    same(roundtrip(Counter("aab")), {"a": 2, "b": 1})
    same(roundtrip(torch.eye(2).max(dim=0))[0], torch.ones(2))
    assert type(roundtrip(torch.ones(2).as_subclass(Torch))) is torch.Tensor


def test_what_is_nested_too_deeply_or_too_long_does_not_travel():
    deep = []
    for _ in range(50):
        deep = [deep]
    with pytest.raises(TypeError, match="nested"):
        Codec().pack(deep, [])
    with pytest.raises(TypeError, match="too many digits"):
        Codec().pack(10**5000, [])


HOSTILE = [
    {"is": "tensor", "at": 0, "dtype": "float32", "shape": [10**9], "strides": [1]},
    {"is": "tensor", "at": 0, "dtype": "float32", "shape": [2], "strides": [10**6]},
    {"is": "tensor", "at": 0, "dtype": "load", "shape": [1], "strides": [1]},
    {"is": "tensor", "at": 7, "dtype": "float32", "shape": [1], "strides": [1]},
    {"is": "array", "at": 0, "dtype": "O", "shape": [1]},
    {"is": "array", "at": 0, "dtype": "<f8", "shape": [10**12]},
    {"is": "scalar", "at": 0, "dtype": "|O8"},
    {"is": "type", "of": "eval"}, {"is": "type", "of": "__import__"}, {"is": "torch dtype", "of": "hub"},
    {"is": "dict", "of": [[{"is": "list", "of": []}, 1]]}, {"is": "dict", "of": 3}, {"is": "list"},
    {"is": "range", "of": [1, 2, 0]}, {"is": "set", "of": [{"is": "dict", "of": []}]},
    {"is": "bytes", "at": -9}, {"is": "generator", "at": 0}, {"is": "device", "of": "nowhere"},
    {"is": "yours", "of": 1}, {"is": "argument", "at": 5}, {"is": "handle", "of": 1}, {"is": ["list"]}, {"x": 1}, [1],
    {"is": "complex", "of": ["1", None]}, {"is": "nonsense"},
]  # fmt: skip


@pytest.mark.parametrize("packed", HOSTILE, ids=str)
def test_what_is_no_value_is_unreadable(packed):
    with pytest.raises(Unreadable):
        Codec().unpack(packed, [b"12345678"])


def test_a_nest_without_end_is_unreadable():
    packed = 1
    for _ in range(100):
        packed = {"is": "list", "of": [packed]}
    with pytest.raises(Unreadable, match="nested"):
        Codec().unpack(packed, [])


# ------------------------------------------------------------------------------------ frames


def ends():
    raw, theirs = socket.socketpair()
    return raw, Line(theirs, json_cap=1000)


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff" * 100, struct.pack("<I", 2000) + b"x", struct.pack("<I", 4) + b"nope", struct.pack("<I", 2) + b"[]",
        struct.pack("<I", 7) + b"[1, 2]]", struct.pack("<I", 9) + b"[1, [-1]]", struct.pack("<I", 20) + b"[1, [99999999999999]]",
        struct.pack("<I", 300) + b"[" * 300, struct.pack("<I", 10) + b'[1, ["a"]]', struct.pack("<I", 50) + b"half",
    ],
)  # fmt: skip
def test_what_is_no_message_closes_the_line(sent):
    raw, line = ends()
    raw.sendall(sent)
    with pytest.raises(Closed):
        line.receive(0.1)
    with pytest.raises(Closed):
        line.receive(0.1)
    assert not line.open


def test_who_says_nothing_is_late_and_may_still_speak():
    raw, line = ends()
    with pytest.raises(Late):
        line.receive(0.02)
    text = json.dumps([{"a": 1}, [3]]).encode()
    raw.sendall(struct.pack("<I", len(text)) + text + b"xyz")
    assert line.receive(1) == ({"a": 1}, [b"xyz"])


def test_an_interruption_in_mid_message_closes_the_line():
    raw, line = ends()
    raw.sendall(struct.pack("<I", 90) + b"[")
    start = time.monotonic()
    with pytest.raises(guard.OutOfTime), guard.at_most(0.1):
        line.receive(5)
    assert time.monotonic() - start < 4
    assert not line.open


def test_who_does_not_read_is_given_up():
    _, line = ends()
    with pytest.raises(Closed):
        line.send("x", [bytes(10_000_000)], 0.1)


# ------------------------------------------------------------------------------------ a lying student


def answered(*answers, count=1):
    """A referee whose student gives these answers to every question."""
    ours, theirs = pair()

    def student():
        with_number = 0
        try:
            for _ in range(count):
                asked, _ = theirs.receive(5)
                with_number = asked["number"]
                for answer in answers:
                    blobs = []
                    if isinstance(answer, tuple):
                        answer, blobs = answer
                    if isinstance(answer, dict) and "number" not in answer and "back" not in answer:
                        answer = answer | {"number": with_number}
                    theirs.send(answer, blobs)
                if answers and isinstance(answers[-1], dict) and "back" in answers[-1]:
                    while True:
                        theirs.receive(5)
                        theirs.send(answers[-1])
        except Closed:
            pass

    threading.Thread(target=student, daemon=True).start()
    referee = Referee(ours, seconds=0.2)
    referee.other_end = theirs  # open as long as the referee is
    return referee


def test_a_late_answer_to_another_question_is_dropped():
    referee = answered({"number": 77, "value": 1}, {"value": 2})
    assert referee.call(1, (), {}) == 2


@pytest.mark.parametrize("answer", ["nonsense", 3, None, [1]])
def test_nonsense_ends_the_student(answer):
    with pytest.raises(StudentDied):
        answered(answer).call(1, (), {})


@pytest.mark.parametrize(
    "answer",
    [{}, {"value": {"is": "nonsense"}}, {"value": 1, "changed": [[9, 1]]}, {"value": 1, "changed": 3},
     {"value": 1, "changed": [[0, {"is": "tensor"}]]}],
)  # fmt: skip
def test_an_answer_that_is_no_value_is_an_error_of_the_student(answer):
    referee = answered(answer)
    if not answer:
        assert referee.call(1, (torch.ones(2),), {}) is None
        return
    with pytest.raises(RemoteError, match="no value"):
        referee.call(1, (torch.ones(2),), {})


def test_no_answer_is_out_of_time_and_nobody_is_asked_again(monkeypatch):
    referee = answered()
    start = time.monotonic()
    with pytest.raises(guard.OutOfTime):
        referee.call(1, (), {})
    assert time.monotonic() - start < 5
    with pytest.raises(StudentDied):
        referee.call(1, (), {})


def test_a_flood_of_calls_back_is_ended(monkeypatch):
    monkeypatch.setattr(channel, "CALLS_BACK", 50)
    referee = answered({"back": 1, "args": [], "named": {}})
    called = []
    referee.keep(lambda: called.append(1))
    with pytest.raises(StudentDied, match="too often"):
        referee.call(1, (), {})
    assert len(called) == 50


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ({"kinds": ["ValueError"], "text": "x"}, ValueError), ({"kinds": ["MyError", "KeyError"], "text": "x"}, KeyError),
        ({"kinds": ["SystemExit"], "text": ""}, SystemExit), ({"kinds": ["KeyboardInterrupt"]}, RemoteError),
        ({"kinds": ["StopIteration"]}, RemoteError), ({"kinds": ["GeneratorExit", "eval"]}, RemoteError),
        ({"kinds": ["UnicodeDecodeError"], "text": "x"}, (RemoteError, UnicodeError)), ({"late": True}, guard.OutOfTime), ({}, RemoteError),
    ],
)  # fmt: skip
def test_an_error_arrives_as_a_kind_of_pythons_own(said, kind):
    with pytest.raises(kind):
        answered({"error": said}).call(1, (), {})


def test_the_place_of_an_error_comes_along():
    with pytest.raises(ValueError, match="x") as caught:
        answered(
            {"error": {"kinds": ["ValueError"], "text": "x", "where": "line 2 of your cell: y"}}
        ).call(1, (), {})
    assert caught.value.where == "line 2 of your cell: y"


def test_a_wrong_mutation_does_not_pass_for_the_right_one():
    blobs = []
    packed = Codec().pack(torch.tensor([7.0, 8.0]), blobs)
    x = torch.zeros(2)
    answered(({"value": None, "changed": [[0, packed]]}, blobs)).call(1, (x,), {})
    assert x.tolist() == [7, 8]


def test_modules_are_never_the_students():
    handle = {"is": "handle", "of": 1, "kinds": ["builtins.module"], "name": "torch"}
    pairs = {
        "is": "list",
        "of": [
            {"is": "list", "of": ["torch", handle]},
            {"is": "list", "of": ["f", 3]},
            {"is": "list", "of": ["g", 4]},
        ],
    }
    assert answered({"value": pairs}).names(["torch", "f"]) == {"f": 3}
