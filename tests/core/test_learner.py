import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch.optim import swa_utils

from etude.core.errors import ShapeError
from etude.core.learner import AbstractLearner, average, train
from etude.core.random import seeded, stream
from tests.on_device import agrees_on_device


class Mean(AbstractLearner):
    """Learns the mean of its data: the loss is the squared distance."""

    def __init__(self, start: float = 0.0) -> None:
        super().__init__()
        self.guess = torch.nn.Parameter(torch.tensor([start]))

    def loss(self, *batch, generator=None):
        noise = 0.0 if generator is None else torch.randn(1, generator=generator)
        return (batch[0] + noise - self.guess).square().mean()


def test_a_step_of_descent_is_what_the_formula_says():
    model = Mean()
    history = train(
        model, [torch.full((4,), 3.0)], steps=2, learning_rate=0.1, optimizer=torch.optim.SGD
    )
    assert history == pytest.approx([9.0, 2.4**2])
    assert model.guess.item() == pytest.approx(0.6 + 0.1 * 2 * 2.4)


def test_it_is_what_torch_does_step_by_step():
    batches = torch.randn(5, 4, generator=stream(0)).unbind()
    model, twin = Mean(), Mean()
    optimizer = torch.optim.AdamW(twin.parameters(), lr=0.05)
    expected = []
    for batch in batches:
        loss = twin.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        expected.append(loss.item())
    assert train(model, batches, steps=5, learning_rate=0.05) == expected
    assert torch.equal(model.guess, twin.guess)


def test_a_list_is_passed_through_again():
    batches = [torch.tensor([1.0]), torch.tensor([5.0])]
    history = train(Mean(), batches, steps=4, learning_rate=0.0)
    assert history == [1.0, 25.0, 1.0, 25.0]


def test_a_batch_may_be_several_tensors_and_a_loader_may_give_them():
    data = torch.utils.data.TensorDataset(torch.ones(6, 1), torch.zeros(6))
    loader = torch.utils.data.DataLoader(data, batch_size=3)
    assert train(Mean(), loader, steps=3, learning_rate=0.0) == [1.0] * 3


def test_no_batch_is_taken_that_is_not_needed():
    endless = iter(torch.ones(5, 1))
    train(Mean(), endless, steps=3)
    assert len(list(endless)) == 2


def test_the_generator_reaches_the_loss():
    one, two, other = (
        train(Mean(), [torch.ones(1)], steps=3, generator=stream(seed)) for seed in (0, 0, 1)
    )
    assert one == two
    assert one != other


def test_no_steps_no_history():
    assert train(Mean(), [torch.ones(1)], steps=0) == []


@pytest.mark.parametrize("given", [0, 2])
def test_batches_that_end_are_an_error_with_both_numbers(given):
    with pytest.raises(ValueError, match=f"batches ended after {given} steps, expected 3"):
        train(Mean(), iter(torch.ones(given, 1)), steps=3)


def test_a_loss_of_several_numbers_is_refused():
    class Many(Mean):
        def loss(self, *batch, generator=None):
            return (batch[0] - self.guess).square()

    with pytest.raises(ShapeError, match=r"the loss has shape \(3,\), expected one number"):
        train(Many(), [torch.ones(3)], steps=1)


@pytest.mark.parametrize(("step", "steps"), [(0, 2), (1, 2), (40, 1000)])
def test_a_loss_that_is_lost_is_told_with_its_step(step, steps):
    batches = [torch.ones(1)] * step + [torch.tensor([torch.nan])] * (steps - step)
    taken = iter(batches)
    with pytest.raises(FloatingPointError, match=f"the loss is nan at step {step}"):
        train(Mean(), taken, steps=steps)
    if steps == 1000:
        assert len(list(taken)) > 900  # it did not train on


def test_it_trains_where_the_model_is(fake_device):
    def learned(x):
        model = Mean().to(x.device)
        history = train(model, [torch.full((4,), 3.0)], steps=3, learning_rate=0.1)
        return torch.tensor(history, device=x.device), model.guess

    agrees_on_device(learned, torch.ones(1))


SCRIPT = """
import torch
from torch import distributed
from etude.core.learner import train
from tests.core.test_learner import Mean

distributed.init_process_group("gloo")
rank = distributed.get_rank()
model = Mean(start=float(4 * rank))                     # 0 and 4: they begin at the mean, 2
batch = torch.full((4,), 3.0 + 2 * rank)                # 3 and 5: the mean gradient is that of 4
train(model, [batch], steps=1, learning_rate=0.25, optimizer=torch.optim.SGD)
print(f"learned {model.guess.item()}\\n", end="")       # in one piece: both write to one place
distributed.destroy_process_group()
"""


def test_processes_follow_their_mean_gradient(tmp_path):
    script = tmp_path / "several.py"
    script.write_text(SCRIPT)
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    done = subprocess.run(
        [*launch, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("learned 3.0\n") == 2


def network(seed):
    with seeded(seed):
        return torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))


def test_an_average_is_that_of_torch():
    """`torch.optim.swa_utils`, which makes a copy of its own and keeps a count."""
    source = network(0)
    ours = copy.deepcopy(source)
    theirs = swa_utils.AveragedModel(source, multi_avg_fn=swa_utils.get_ema_multi_avg_fn(0.8))
    theirs.update_parameters(source)  # the first time it copies
    for seed in range(1, 4):
        source.load_state_dict(network(seed).state_dict())
        average(ours, source, 0.8)
        theirs.update_parameters(source)
    for mine, other in zip(ours.parameters(), theirs.module.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=1e-6, atol=1e-7)
        assert mine.requires_grad


def test_an_average_takes_the_buffers_as_they_are():
    target, source = network(0), network(1)
    source.train()(torch.randn(5, 3, generator=stream(0)))
    average(target, source, 0.5)
    assert torch.equal(target[1].running_mean, source[1].running_mean)
    assert target[1].num_batches_tracked == 1
    assert target[1].running_mean is not source[1].running_mean


def test_an_average_of_strangers_is_refused():
    with pytest.raises(ValueError, match="decay must lie between 0 and 1, got 1.5"):
        average(network(0), network(1), 1.5)
    with pytest.raises(ValueError, match="target has other parameters than source"):
        average(network(0), torch.nn.Linear(3, 2), 0.5)
