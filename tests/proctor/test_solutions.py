"""What the official solutions survive beyond what is asked of a student."""

import torch

from tests.proctor.support import exercise


def solution(name, key):
    """The function of a solution, with what its notebook gives."""
    task, world = exercise(name, key), {}
    for source in (*(cell.source for cell in task.before), task.solution):
        exec(source, world)
    return world[key]


def test_correlations_survive_rounding_large_means_and_columns_that_share_little():
    correlation_matrix = solution("linear_regression", "correlation_matrix")
    x = torch.randn(1, 7, 2, generator=torch.Generator().manual_seed(0))
    wanted = torch.corrcoef(x[0].T)[0, 1]
    X = torch.cat([x, torch.full((1, 7, 1), 0.1), torch.full((1, 7, 1), torch.nan)], 2)
    X[0, 0, 3] = 5.0
    r = correlation_matrix(X)[0]
    torch.testing.assert_close(r[0, 1], wanted)
    assert r[2:].isnan().all()
    assert r[:, 2:].isnan().all()
    far = (x * 100).round() + 1e6
    near = far.double() - 1e6
    torch.testing.assert_close(correlation_matrix(far), correlation_matrix(near).float())


def test_a_group_of_one_point_adds_what_lies_between():
    merge_lines = solution("linear_regression", "merge_lines")
    alone = torch.tensor([[1.0, x, 3 - 2 * x, 0, 0, 0] for x in (0.0, 1.0, 5.0)])
    intercept, slope = merge_lines(alone)
    torch.testing.assert_close((intercept.item(), slope.item()), (3.0, -2.0), rtol=0, atol=1e-5)
