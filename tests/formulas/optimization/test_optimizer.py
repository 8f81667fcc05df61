import copy
from functools import partial

import pytest
import torch
from torch import nn

from etude.core.learner import AbstractLearner, train
from etude.core.random import seeded, stream
from etude.formulas.optimization.first_order import adagrad, adam, adamw, nadam, rmsprop, sgd
from etude.formulas.optimization.optimizer import Optimizer
from etude.formulas.optimization.schedules import cosine
from etude.formulas.optimization.tensor_list import CACHE, TensorList, assign, pieces, zeros_like

PAIRS = [
    (sgd, torch.optim.SGD, {"lr": 0.05}),
    (sgd, torch.optim.SGD, {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    (adagrad, torch.optim.Adagrad, {"lr": 0.05}),
    (rmsprop, torch.optim.RMSprop, {"lr": 0.01, "centered": True, "momentum": 0.5}),
    (adam, torch.optim.Adam, {"lr": 0.01, "amsgrad": True}),
    (adamw, torch.optim.AdamW, {"lr": 0.01, "weight_decay": 0.1}),
    (nadam, torch.optim.NAdam, {"lr": 0.01}),
]


@pytest.fixture(autouse=True)
def _double():
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def twins():
    """Two equal networks, data, and a function that walks one with an optimizer."""
    with seeded(0):
        one = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 1))
    x = torch.randn(16, 4, generator=stream(1))

    def walk(model, optimizer, steps):
        for _ in range(steps):
            optimizer.zero_grad()
            (model(x).squeeze() - x.sum(1)).square().mean().backward()
            optimizer.step()

    return one, copy.deepcopy(one), walk


def same(one, two, tolerance=1e-13):
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("rule", "theirs", "options"), PAIRS)
def test_a_network_trains_as_with_torch(rule, theirs, options, parity):
    one, two, walk = twins()
    walk(one, Optimizer(one.parameters(), rule, **options), 100)
    walk(two, theirs(two.parameters(), **options), 100)
    ours, expected = (nn.utils.parameters_to_vector(m.parameters()) for m in (one, two))
    name = f"Optimizer, {rule.__name__}{' with momentum' if 'momentum' in options else ''}"
    parity(f"{name}, a network after 100 steps", ours, expected,
           reference=f"torch.optim.{theirs.__name__}", tolerance=1e-12)  # fmt: skip


@pytest.mark.parametrize(("rule", "theirs", "options"), PAIRS)
def test_each_goes_on_from_the_state_of_the_other(rule, theirs, options):
    one, two, walk = twins()
    mine, other = Optimizer(one.parameters(), rule, **options), theirs(two.parameters(), **options)
    walk(one, mine, 5)
    walk(two, other, 5)
    swapped, back = Optimizer(two.parameters(), rule, lr=9.0), theirs(one.parameters(), lr=9.0)
    swapped.load_state_dict(copy.deepcopy(other.state_dict()))
    back.load_state_dict(copy.deepcopy(mine.state_dict()))
    walk(two, swapped, 20)
    walk(one, back, 20)
    same(one, two)


def test_groups_have_options_of_their_own():
    one, two, walk = twins()

    def groups(model):
        return [
            {"params": list(model[0].parameters()), "lr": 0.1},
            {"params": model[2].weight, "weight_decay": 0.3},
            {"params": [model[2].bias]},
        ]

    walk(one, Optimizer(groups(one), adamw, lr=0.01), 30)
    walk(two, torch.optim.AdamW(groups(two), lr=0.01), 30)
    same(one, two)


def test_a_parameter_without_a_gradient_keeps_its_place_and_its_clock():
    """Steps are counted for each parameter: one that comes later starts at 1."""
    ends = []
    for make in (partial(Optimizer, rule=adam), torch.optim.Adam):
        p, q = torch.ones(3, requires_grad=True), torch.ones(3, requires_grad=True)
        optimizer = make([p, q], lr=0.1)
        for step in range(9):
            optimizer.zero_grad()
            (p.square().sum() + (q.square().sum() if step % 3 else 0)).backward()
            optimizer.step()
        ends.append(torch.cat([p, q]).detach())
        assert [int(s["step"]) for s in optimizer.state_dict()["state"].values()] == [9, 6]
    torch.testing.assert_close(*ends, rtol=1e-14, atol=1e-14)


def test_types_may_be_mixed():
    p, q = torch.ones(3, requires_grad=True), torch.ones(2).float().requires_grad_()
    optimizer = Optimizer([p, q], adam, lr=0.1)
    (p.sum() + q.sum()).backward()
    optimizer.step()
    optimizer.step()
    torch.testing.assert_close(p.detach(), torch.full((3,), 0.8))
    assert (q.dtype, optimizer.state[1]["exp_avg"].dtype) == (torch.float32, torch.float32)


def test_a_schedule_is_asked_once_a_step_and_stays_when_a_state_is_loaded():
    one, two, walk = twins()
    schedule = partial(cosine, peak=0.1, steps=20)
    optimizer = Optimizer(one.parameters(), sgd, lr=schedule)
    walk(one, optimizer, 10)
    assert optimizer.rate(optimizer.param_groups[0]) == pytest.approx(0.05)
    resumed = Optimizer(one.parameters(), sgd, lr=schedule)
    resumed.load_state_dict(optimizer.state_dict())
    walk(one, resumed, 10)
    other = torch.optim.SGD(two.parameters(), lr=0.1)
    clock = torch.optim.lr_scheduler.CosineAnnealingLR(other, 20)
    for _ in range(20):
        walk(two, other, 1)
        clock.step()
    same(one, two)


def test_gradients_are_forgotten_in_either_way():
    p = torch.ones(2, requires_grad=True)
    optimizer = Optimizer([p], sgd, lr=0.1, momentum=0.9)
    p.sum().backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    assert p.grad.tolist() == [0, 0]
    assert optimizer.state[0]["momentum_buffer"].tolist() == [1, 1]
    optimizer.zero_grad()
    assert p.grad is None
    optimizer.step()
    assert p.tolist() == pytest.approx([0.9, 0.9])  # nothing to follow, nothing moves


def test_a_closure_is_called_before_the_step():
    p = torch.ones(1, requires_grad=True)
    optimizer = Optimizer([p], sgd, lr=0.25)

    def closure():
        optimizer.zero_grad()
        loss = p.square().sum()
        loss.backward()
        return loss

    assert [optimizer.step(closure).item() for _ in range(2)] == [1, 0.25]


def test_large_tensors_are_cut_and_nothing_else_changes():
    shapes = [(CACHE + 7,), (3, 5), (2, CACHE)]
    ours, theirs = (
        [torch.randn(s, generator=stream(i)).requires_grad_() for i, s in enumerate(shapes)]
        for _ in range(2)
    )
    with torch.no_grad():  # one that is not contiguous in memory
        for params in (ours, theirs):
            params.append(torch.randn(300, 200, generator=stream(9)).T.requires_grad_())
    pair = Optimizer(ours, adam, lr=0.01), torch.optim.Adam(theirs, lr=0.01)
    for step in range(4):
        for optimizer, params in zip(pair, (ours, theirs), strict=True):
            for i, p in enumerate(params):
                p.grad = torch.randn(p.shape, generator=stream(10 * step + i))
            optimizer.step()
    for p, q in zip(ours, theirs, strict=True):
        torch.testing.assert_close(p, q, rtol=1e-14, atol=1e-14)


def test_pieces_are_all_numbers_once_and_none_is_too_large():
    columns = [[torch.arange(float(n)) for n in (5, 23, 0, 2)] for _ in range(2)]
    found = list(pieces(columns, size=10))
    assert [sum(t.numel() for t in part[0]) for part in found] == [5, 10, 10, 5]
    for column, kind in zip(columns, zip(*found, strict=True), strict=True):
        torch.testing.assert_close(torch.cat(column), torch.cat([t for part in kind for t in part]))
    assert list(pieces(columns, size=99)) == [columns]
    fours = [[torch.zeros(4)] * 5]
    assert [len(part[0]) for part in pieces(fours, size=10)] == [2, 2, 1]


def test_a_list_of_tensors_answers_with_their_methods():
    x = TensorList([torch.tensor([4.0]), torch.tensor([9.0, 16.0])])
    assert [t.tolist() for t in x.sqrt().add(x, alpha=2).tensors] == [[10], [21, 36]]
    assert [t.tolist() for t in zeros_like(x).tensors] == [[0], [0, 0]]
    assign(x.tensors, x.mul(2).tensors)
    assert [t.tolist() for t in x.tensors] == [[8], [18, 32]]
    with pytest.raises(AttributeError, match="TensorList has no matmul; it has add"):
        x.matmul(x)


class Mean(AbstractLearner):
    def __init__(self):
        super().__init__()
        self.guess = nn.Parameter(torch.zeros(()))

    def loss(self, x, *, generator=None):
        return (x - self.guess).square().mean()


def test_the_one_training_loop_takes_it():
    losses = train(
        Mean(), [torch.full((4,), 3.0)], steps=200, learning_rate=0.1,
        optimizer=partial(Optimizer, rule=adam),
    )  # fmt: skip
    assert losses[0] == 9
    assert losses[-1] < 1e-3


@pytest.mark.usefixtures("as_a_user")
def test_what_cannot_be_optimized_is_named():
    p = torch.ones(2, requires_grad=True)
    for params, options, kind, message in (
        ([], {}, ValueError, "params is empty"),
        ([p, p], {}, ValueError, "params holds a tensor twice"),
        ([p * 2], {}, ValueError, "only leaves can move"),
        ([torch.ones(2).long()], {}, TypeError, "params holds int64"),
        ([torch.ones(2, dtype=torch.complex128)], {}, TypeError, "params holds complex128"),
        ([p], {"momentum": 0.9}, TypeError, "adam has no option momentum; it has lr, betas"),
        ([{"params": [p], "beta": 1}], {}, TypeError, "adam has no option beta;"),
        ([p], {"lr": -1.0}, ValueError, r"lr must lie in \[0, inf\), got -1.0"),
        ([p], {"betas": (0.9, 1.0)}, ValueError, r"betas must lie in \[0, 1.0\), got \(0.9, 1.0\)"),
        ([p], {"eps": float("nan")}, ValueError, "eps must lie"),
    ):
        with pytest.raises(kind, match=message):
            Optimizer(params, adam, **options)
    with pytest.raises(TypeError, match="lr is missing"):
        Optimizer([p], sgd)
    state = Optimizer([p], adam).state_dict()
    with pytest.raises(ValueError, match=r"groups of \[1\] parameters, expected \[2\]"):
        Optimizer([p, torch.ones(1, requires_grad=True)], adam).load_state_dict(state)
