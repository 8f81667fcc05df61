"""The caller's mistakes, by name."""

from sklearn.exceptions import ConvergenceWarning, NotFittedError

__all__ = ["ConvergenceWarning", "NotFittedError", "ShapeError"]


class ShapeError(ValueError):
    """An axis has another length, or there are more or fewer axes, than expected."""
