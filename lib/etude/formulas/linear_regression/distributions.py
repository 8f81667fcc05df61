"""Student's t and Fisher's F, as far as tests and intervals need them.

torch has no incomplete beta function. These few numbers visit SciPy on the CPU and come back in the
type and to the device that they came from; no gradient flows through them.
"""

import torch
from scipy import special
from torch import Tensor

__all__ = ["f_tail", "student_quantile", "student_tails"]


def student_tails(t: Tensor, degrees: int) -> Tensor:
    """P(|T| ≥ |t|), the two-sided p-value."""
    return _through_scipy(lambda values: 2 * special.stdtr(degrees, -abs(values)), t)


def student_quantile(level: float, degrees: int) -> float:
    """The t that |T| stays below with probability `level`."""
    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    return float(special.stdtrit(degrees, (1 + level) / 2))


def f_tail(f: Tensor, degrees: int, residual_degrees: int) -> Tensor:
    """P(F ≥ f), the p-value of a ratio of variances."""
    return _through_scipy(lambda values: special.fdtrc(degrees, residual_degrees, values), f)


def _through_scipy(function, value: Tensor) -> Tensor:
    answer = torch.as_tensor(function(value.detach().cpu().double().numpy()))
    return answer.to(value.dtype).to(value.device)
