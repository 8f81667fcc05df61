"""The fully connected layer: every output asks every input.

Chapter: formulas/cnn_layers
"""

from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import bind, check_float
from etude.formulas.cnn_layers.windows import Pullback, expect_like

__all__ = ["linear"]


def linear(
    x: Float[Tensor, "*batch inputs"],
    weight: Float[Tensor, "outputs inputs"],
    bias: Float[Tensor, " outputs"] | None = None,
) -> tuple[Float[Tensor, "*batch outputs"], Pullback]:
    """y = xWᵀ + b, without an activation, and the map ∂L/∂y ↦ ∂L/∂(x, W, b)."""
    check_float(x=x, weight=weight)
    bind(x=(x, "... inputs"), weight=(weight, "outputs inputs"))
    # Eq. (fully-connected)
    y = x @ weight.T
    if bias is not None:
        bind(weight=(weight, "outputs inputs"), bias=(bias, "outputs"))
        y = y + bias

    def pullback(dy: Tensor) -> tuple[Tensor, Tensor, Tensor | None]:
        expect_like(dy, y)
        rows, drows = x.reshape(-1, x.shape[-1]), dy.reshape(-1, dy.shape[-1])
        # Eq. (fully-connected-backward)
        dx, dweight = dy @ weight, drows.T @ rows
        return dx, dweight, None if bias is None else drows.sum(dim=0)

    return y, pullback
