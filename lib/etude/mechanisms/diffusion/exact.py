"""The denoiser that nobody has to train: for data from round clouds it is known in closed form.

Chapter: mechanisms/diffusion
"""

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from etude.core.shapes import bind, check_float
from etude.mechanisms.diffusion.schedule import Level, Schedule

__all__ = ["Clouds"]


class Clouds(nn.Module):
    """The best possible prediction of the noise, for data from equally likely normal clouds.

    At any level x is again from round clouds, with centers cos · center and variance (cos · spread)² + sin².
    The class is the cloud; its number `len(centers)`, or no label, means all of them.

    Raises:
        ValueError: `spread` is negative.
    """

    centers: Tensor

    def __init__(
        self, schedule: Schedule, centers: Float[Tensor, "modes dim"], spread: float
    ) -> None:
        super().__init__()
        check_float(centers=centers)
        bind(centers=(centers, "modes dim"))
        if spread < 0:
            raise ValueError(f"spread must not be negative, got {spread}")
        self.schedule, self.spread = schedule, spread
        self.register_buffer("centers", centers)

    def forward(
        self,
        x: Float[Tensor, "batch dim"],
        step: Int[Tensor, " batch"],
        label: Int[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch dim"]:
        """E[noise | x, class] = sin · (x − cos · E[center | x, class]) / variance."""
        level = self.schedule.at(step, x)
        share = self.log_posterior(x, step).exp()
        if label is not None:
            told = torch.eye(len(self.centers), dtype=x.dtype, device=x.device)
            share = torch.cat([told, told[:1]])[label].where((label < len(told))[:, None], share)
        # Eq. (diffusion-exact)
        return level.sin * (x - level.cos * (share @ self.centers)) / self._variance(level)

    def log_posterior(
        self, x: Float[Tensor, "batch dim"], step: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch modes"]:
        """log P(cloud | x), what the best possible classifier of noisy points says."""
        level = self.schedule.at(step, x)
        bind({"dim": self.centers.shape[1]}, x=(x, "batch dim"))
        moved = torch.as_tensor(level.cos)[:, None] * self.centers
        away = (x[:, None] - moved).square().sum(-1)
        return (-away / (2 * self._variance(level))).log_softmax(-1)

    def _variance(self, level: Level) -> float | Tensor:
        return level.cos**2 * self.spread**2 + level.sin**2
