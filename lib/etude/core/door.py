"""The door of an estimator: arrays in, arrays out; tensors in, tensors out.

Behind it a method sees tensors only, checked. scikit-learn asks its questions of arrays, so its
errors are the user's errors; tensors get the same questions here, and stay on their device.
"""

import inspect
from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import torch
from sklearn.base import is_classifier as classifies
from sklearn.utils import get_tags
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import validate_data
from torch import Tensor

from etude.core.errors import NotFittedError, ShapeError
from etude.core.shapes import bind, check_float

__all__ = ["answers", "as_arrays", "asks_for_rows", "check_response", "learns", "name_classes"]

REAL = [np.float64, np.float32]


def asks_for_rows(name: str, method: Any) -> bool:
    """Whether this is a public verb whose first argument is `X`; `fit_transform` calls two."""
    if name.startswith(("_", "fit_")) or not inspect.isfunction(method):
        return False
    return [*inspect.signature(method).parameters][1:2] == ["X"]


def learns(method: Callable) -> Callable:
    """Wrap `fit`: check, turn labels into indices of `classes_`, then call `method` on tensors."""

    @wraps(method)
    def fit(self, X, y=None):
        receive = receive_tensors if isinstance(X, Tensor) else receive_arrays
        X, y = receive(self, X, y)
        self._learned_from = X.new_empty(0)  # remembers type and device
        return method(self, X, y)

    return fit


def answers(method: Callable) -> Callable:
    """Wrap any other verb: who asks in arrays is answered in arrays."""

    @wraps(method)
    def verb(self, X, *others, **options):
        if not hasattr(self, "_learned_from"):
            raise NotFittedError(f"{type(self).__name__} is not fitted: call fit first")
        learned = self._learned_from
        if not isinstance(X, Tensor):
            X = validate_data(self, X, dtype=REAL, reset=False)
            return as_arrays(method(self, torch.tensor(X).to(learned), *others, **options))
        check_matrix(self, X, features=self.n_features_in_)
        if X.device != learned.device:
            raise ValueError(f"X is on {X.device}, expected {learned.device}, where fit was")
        return method(self, X.to(learned.dtype), *others, **options)

    return verb


def receive_arrays(estimator: Any, X: Any, y: Any) -> tuple[Tensor, Tensor | None]:
    """Let scikit-learn check arrays, then make tensors of them."""
    tags = get_tags(estimator).target_tags
    if classifies(estimator):
        X, y = validate_data(estimator, X, y, dtype=REAL)
        check_classification_targets(y)
        estimator.classes_, y = np.unique(y, return_inverse=True)
        check_several(estimator)
    elif tags.required:
        wide = tags.multi_output
        X, y = validate_data(estimator, X, y, dtype=REAL, y_numeric=True, multi_output=wide)
        y = y.astype(X.dtype)
    else:
        X, y = validate_data(estimator, X, dtype=REAL), None
    return torch.tensor(X), None if y is None else torch.tensor(y)


def receive_tensors(estimator: Any, X: Tensor, y: Any) -> tuple[Tensor, Tensor | None]:
    """Ask the same questions of tensors."""
    check_matrix(estimator, X)
    y = check_response(estimator, X, y)
    estimator.n_features_in_ = X.shape[1]
    vars(estimator).pop("feature_names_in_", None)  # `fit` forgets the names of an earlier table
    if classifies(estimator):
        check_classification_targets(as_arrays(y))
        estimator.classes_, y = torch.unique(y, return_inverse=True)
        check_several(estimator)
    return X, y


def check_matrix(estimator: Any, X: Tensor, **sizes: int) -> None:
    """A table has two axes, numbers that are real and finite, and is not empty."""
    name = type(estimator).__name__
    bind(sizes, X=(X, "rows features"))
    check_float(X=X)
    if not X.numel():
        raise ShapeError(f"{name} needs rows and features, X has shape {tuple(X.shape)}")
    if not X.isfinite().all():
        raise ValueError(f"{name} needs finite numbers, X contains NaN or infinity")


def check_response(estimator: Any, X: Tensor, y: Any) -> Tensor | None:
    """The response, one for every row and in the type of `X`; None where none is wanted."""
    tags, name = get_tags(estimator).target_tags, type(estimator).__name__
    if not tags.required:
        return None
    if not isinstance(y, Tensor):
        kind = "None" if y is None else type(y).__name__
        raise TypeError(f"{name} needs y as a tensor where X is one, y is {kind}")
    if y.device != X.device:
        raise ValueError(f"y is on {y.device}, expected {X.device}, where X is")
    axes = "rows targets" if tags.multi_output and y.ndim == 2 else "rows"
    bind({"rows": len(X)}, y=(y, axes))
    if not y.isfinite().all():
        raise ValueError(f"{name} needs finite numbers, y contains NaN or infinity")
    return y if classifies(estimator) else y.to(X.dtype)


def check_several(estimator: Any) -> None:
    """In one class there is nothing to tell apart."""
    classes = as_arrays(estimator.classes_).tolist()
    if len(classes) < 2:
        name = type(estimator).__name__
        raise ValueError(f"{name} needs at least two classes, y has one class: {classes[0]!r}")


def as_arrays(answer: Any) -> Any:
    """Arrays for tensors, also within tuples and named tuples; anything else as it is."""
    if isinstance(answer, Tensor):
        return answer.detach().cpu().numpy()
    if isinstance(answer, tuple):
        parts = [as_arrays(part) for part in answer]
        return type(answer)(*parts) if hasattr(answer, "_fields") else tuple(parts)
    return answer


def name_classes(classes: Any, index: Any) -> Any:
    """The labels at `index`, as a tensor when `index` is one and as an array otherwise."""
    if not isinstance(index, Tensor):
        return as_arrays(classes)[index]
    if isinstance(classes, np.ndarray) and classes.dtype.kind not in "biuf":
        raise TypeError(
            f"the labels are {classes.dtype.type.__name__}, which no tensor holds: "
            "predict on arrays, or fit with numbers"
        )
    return torch.as_tensor(classes)[index]
