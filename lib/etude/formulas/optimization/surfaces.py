"""Functions of two or more variables on which the ways of descent are looked at.

The last axis holds the coordinates, the axes before it stand for points side by side.

Chapter: formulas/optimization
"""

from jaxtyping import Float
from torch import Tensor

from etude.core.shapes import check_float

__all__ = ["beale", "rosenbrock", "saddle"]


def rosenbrock(x: Float[Tensor, "*points dims"]) -> Float[Tensor, "*points"]:
    """A bent valley with a flat floor; 0 at (1, …, 1).

    Source: Rosenbrock (1960), in any even or odd number of dimensions from two on.
    """
    check_float(x=x)
    now, then = x[..., :-1], x[..., 1:]
    return (100 * (then - now.square()).square() + (1 - now).square()).sum(dim=-1)


def beale(x: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points"]:
    """Steep walls and a plain; 0 at (3, ½).

    Source: Beale (1958).
    """
    check_float(x=x)
    a, b = x[..., 0], x[..., 1]
    terms = ((1.5, b), (2.25, b**2), (2.625, b**3))
    return sum((value - a + a * power).square() for value, power in terms)  # pyright: ignore


def saddle(x: Float[Tensor, "*points 2"]) -> Float[Tensor, "*points"]:
    """½x² − ½y² + ¼y⁴: a pass at the origin, and two minima of −¼ at (0, ±1)."""
    check_float(x=x)
    a, b = x[..., 0], x[..., 1]
    return a.square() / 2 - b.square() / 2 + b**4 / 4
