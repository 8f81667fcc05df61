"""Styles of honest tests: what stock nbgrader gives, the pen gives."""

import pytest

from tests.proctor.pen.support import Assignment, answer, cell, check

# style: the student's cell, the test
STYLES = {
    "value": (
        "def f(x):\n    return x * 2",
        'assert f(3) == 6 and f([1]) == [1, 1] and f("a") == "aa"',
    ),
    "tensor": (
        "def mm(a, b):\n    return a @ b",
        "a, b = torch.randn(3, 4), torch.randn(4, 5)\nassert torch.allclose(mm(a, b), a @ b)",
    ),
    "in place": (
        "def scale_(x):\n    x.mul_(2)\n    return x",
        "x = torch.ones(3)\ny = scale_(x)\nassert y is x and x.tolist() == [2, 2, 2]",
    ),
    "arguments filled": (
        "def fill(a, l, d):\n    a[:] = 7\n    l.append(1)\n    d['k'] = 2",
        "a, l, d = np.zeros(3), [], {}\nfill(a, l, d)\nassert a.tolist() == [7, 7, 7] and l == [1] and d == {'k': 2}",
    ),
    "callback": (
        "def descend(f, w, n):\n    for _ in range(n):\n        w -= 0.1 * (f(w + 1e-4) - f(w - 1e-4)) / 2e-4\n    return w",
        "calls = []\ndef loss(w):\n    calls.append(w)\n    return (w - 3) ** 2\n"
        "assert abs(descend(loss, 0.0, 50) - 3) < 1e-3 and len(calls) == 100",
    ),
    "class": (
        "class Stack:\n    def __init__(self):\n        self.a = []\n    def push(self, x):\n        self.a.append(x)\n"
        "    def pop(self):\n        return self.a.pop()\n    def __len__(self):\n        return len(self.a)",
        "s = Stack()\ns.push(1)\ns.push(2)\nassert len(s) == 2 and s.pop() == 2 and s.a == [1]",
    ),
    "module": (
        "class Net(torch.nn.Module):\n    def __init__(self, i, o):\n        super().__init__()\n"
        "        self.fc = torch.nn.Linear(i, o)\n    def forward(self, x):\n        return self.fc(x)",
        "m = Net(4, 3)\nassert isinstance(m, torch.nn.Module)\ny = m(torch.randn(2, 4))\n"
        "assert y.shape == (2, 3) and sum(p.numel() for p in m.parameters()) == 15\ny.sum().backward()\n"
        "assert all(p.grad is not None for p in m.parameters())\n"
        "assert m.fc.weight.shape == (3, 4) and set(m.state_dict()) == {'fc.weight', 'fc.bias'}",
    ),
    "autograd": (
        "def my_relu(x):\n    return torch.where(x > 0, x, torch.zeros_like(x))",
        "x = torch.tensor([-1.0, 2.0], requires_grad=True)\nmy_relu(x).sum().backward()\nassert x.grad.tolist() == [0, 1]",
    ),
    "gradcheck": (
        "def cube(x):\n    return x ** 3",
        "x = torch.randn(3, dtype=torch.double, requires_grad=True)\nassert torch.autograd.gradcheck(cube, (x,))",
    ),
    "exception": (
        "def g(x):\n    if x < 0:\n        raise ValueError('negative')\n    return x",
        "try:\n    g(-1)\n    raise AssertionError\nexcept ValueError as error:\n    assert 'negative' in str(error)",
    ),
    "generator": (
        "def fib():\n    a, b = 0, 1\n    while True:\n        yield a\n        a, b = b, a + b",
        "import itertools\nassert list(itertools.islice(fib(), 6)) == [0, 1, 1, 2, 3, 5]",
    ),
    "names": (
        "accuracy = 0.93\nhistory = {'loss': [3, 2, 1]}",
        "assert accuracy > .9 and history['loss'][-1] < history['loss'][0]",
    ),
    "printed": (
        "def hello(n):\n    print('hello', n)",
        "import contextlib, io\nb = io.StringIO()\nwith contextlib.redirect_stdout(b):\n    hello('bob')\n"
        "assert b.getvalue() == 'hello bob\\n'",
    ),
    "seed": (
        "def init(n):\n    return torch.randn(n)",
        "torch.manual_seed(0)\nw = init(4)\ntorch.manual_seed(0)\nassert torch.equal(w, torch.randn(4))",
    ),
    "seed of numpy and Python": (
        "import random\ndef draw():\n    return np.random.rand(), random.random()",
        "import random\nnp.random.seed(1)\nrandom.seed(2)\nw = draw()\nnp.random.seed(1)\nrandom.seed(2)\n"
        "assert w == (np.random.rand(), random.random())",
    ),
    "generator object": (
        "def noise(n, generator):\n    return torch.randn(n, generator=generator)",
        "g, h = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)\n"
        "assert torch.equal(noise(5, g), torch.randn(5, generator=h)) and torch.equal(noise(5, g), torch.randn(5, generator=h))",
    ),
    "dataset": (
        "class Data(torch.utils.data.Dataset):\n    def __len__(self):\n        return 4\n"
        "    def __getitem__(self, i):\n        return torch.full((2,), float(i)), i",
        "ds = Data()\nx, y = ds[2]\nassert len(ds) == 4 and y == 2 and x.tolist() == [2, 2]\n"
        "xb, yb = next(iter(torch.utils.data.DataLoader(ds, batch_size=4)))\n"
        "assert xb.shape == (4, 2) and yb.tolist() == [0, 1, 2, 3]",
    ),
    "warning": (
        "import warnings\ndef w(x):\n    warnings.warn('slow')\n    return x",
        "assert w(1) == 1",
    ),
    "closure": (
        "def compose(f, g):\n    return lambda x: f(g(x))",
        "h = compose(lambda x: x + 1, lambda x: x * 2)\nassert h(5) == 11",
    ),
    "numpy": (
        "def soft(z):\n    e = np.exp(z - z.max())\n    return e / e.sum()",
        "np.testing.assert_allclose(soft(np.array([1.0, 1.0])), [.5, .5])\nassert isinstance(soft(np.zeros(2)), np.ndarray)",
    ),
    "signature": (
        "def sg(a, b=2):\n    return a + b",
        "import inspect\nassert list(inspect.signature(sg).parameters) == ['a', 'b']",
    ),
    "dataclass": (
        "from dataclasses import dataclass\n@dataclass\nclass P:\n    x: int\n    y: int",
        "assert P(1, 2) == P(1, 2) and P(1, 2).x == 1 and P(1, 2) != P(2, 2)",
    ),
    "named tuple": (
        "from collections import namedtuple\ndef split(x):\n    return x.max(dim=0)",
        "values, places = split(torch.tensor([[1., 5.], [2., 4.]]))\n"
        "assert isinstance(split(torch.eye(2)), tuple) and values.tolist() == [2, 5] and places.tolist() == [1, 0]",
    ),
    "strides": (
        "def rows(x):\n    return x.T.contiguous().T.stride(), x.stride()",
        "assert rows(torch.zeros(3, 4).T) == (torch.zeros(3, 4).T.T.contiguous().T.stride(), (1, 4))",
    ),
    "time": (
        "def fast(n):\n    return sum(range(n))",
        "import time\nt = time.perf_counter()\nfast(1000)\nassert time.perf_counter() - t < 1",
    ),
    "plot": (
        "import matplotlib.pyplot as plt\ndef draw():\n    fig, ax = plt.subplots()\n    ax.plot([1, 2, 3])\n"
        "    ax.set_title('T')\n    return ax",
        "ax = draw()\nassert ax.get_title() == 'T' and len(ax.lines) == 1 and list(ax.lines[0].get_ydata()) == [1, 2, 3]",
    ),
}
WRONG = {key: "pass" for key in STYLES}


def key_of(style: str) -> str:
    return style.replace(" ", "-")


@pytest.fixture(scope="module")
def styles():
    cells = [cell("import torch\nimport numpy as np", "imports", locked=True)]
    for style, (code, asks) in STYLES.items():
        cells += [answer(code, f"{key_of(style)}-sol"), check(asks, key_of(style))]
    return Assignment(cells)


@pytest.fixture(scope="module")
def graded(styles):
    right = {f"{key_of(style)}-sol": code for style, (code, _) in STYLES.items()}
    wrong = {key: "pass" for key in right}
    hands = [
        styles.handed("right", styles.filled(right)),
        styles.handed("wrong", styles.filled(wrong)),
    ]
    return styles.mark(hands)


@pytest.mark.parametrize("style", STYLES)
def test_a_style_of_tests_gives_what_nbgrader_gives(style, graded):
    assert graded["right"].scores[key_of(style)] == 2, graded["right"].outputs[key_of(style)]
    assert graded["wrong"].scores[key_of(style)] == 0


LATE = """import os, signal, threading
assert f(1) == 1
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()"""


def test_an_interrupt_that_comes_after_its_cell_harms_no_other():
    """As the warden's does when a test ends in the moment at which its time is up."""
    slow = "import time\ntime.sleep(1.5)\n\ndef g(x):\n    return 2 * x"
    task = Assignment([
        answer("def f(x):\n    return x", "f"), check(LATE, "f-check"),
        answer(slow, "g"), check("assert g(2) == 4", "g-check"),
    ])  # fmt: skip
    marked = task.mark(
        [task.handed("ada", task.filled({"f": "def f(x):\n    return x", "g": slow}))]
    )
    assert marked["ada"].scores == {"f-check": 2, "g-check": 2}, marked["ada"].text
