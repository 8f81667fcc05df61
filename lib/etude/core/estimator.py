"""Estimators are scikit-learn's: dataclasses that learn, in torch, behind one door."""

from collections.abc import Callable
from typing import Any

from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.metrics import accuracy_score, r2_score
from torch import Tensor

from etude.core.door import (
    answers,
    as_arrays,
    asks_for_rows,
    check_response,
    learns,
    name_classes,
)

__all__ = ["Classifier", "Estimator", "Regressor", "Transformer"]


class Estimator(BaseEstimator):
    """Puts the door before every public verb of a leaf whose first argument is `X`."""

    n_features_in_: int

    def __init_subclass__(cls, *, door: bool = True, **keywords: Any) -> None:
        super().__init_subclass__(**keywords)
        for name, method in list(vars(cls).items()):
            if door and asks_for_rows(name, method):
                setattr(cls, name, learns(method) if name == "fit" else answers(method))


class Regressor(RegressorMixin, Estimator, door=False):
    """Predicts a number for every row; a leaf gives `fit` and `predict`."""

    predict: Callable[..., Any]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of the variance of `y` that the prediction explains, R²."""
        if isinstance(X, Tensor):
            y = check_response(self, X, y)
        return r2_score(as_arrays(y), as_arrays(self.predict(X)), sample_weight=sample_weight)


class Classifier(ClassifierMixin, Estimator, door=False):
    """Names a class for every row; a leaf gives `fit` and one of the verbs in `EVIDENCE`."""

    classes_: Any
    EVIDENCE = ("predict_log_proba", "predict_proba", "decision_function")

    def __init_subclass__(cls, **keywords: Any) -> None:
        if "predict_log_proba" in vars(cls) and "predict_proba" not in vars(cls):
            cls.predict_proba = predict_proba
        super().__init_subclass__(**keywords)

    def predict(self, X: Any) -> Any:
        """The likeliest class of every row, in the type that `fit` was given."""
        weigh = next(getattr(self, name) for name in self.EVIDENCE if hasattr(self, name))
        evidence = weigh(X)
        best = evidence.argmax(-1) if evidence.ndim == 2 else (evidence > 0) * 1
        return name_classes(self.classes_, best)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of rows whose class is named correctly."""
        if isinstance(X, Tensor):
            y = check_response(self, X, y)
        return accuracy_score(as_arrays(y), as_arrays(self.predict(X)), sample_weight=sample_weight)


class Transformer(TransformerMixin, Estimator, door=False):
    """Describes every row by other numbers; a leaf gives `fit` and `transform`."""


def predict_proba(self: Any, X: Any) -> Any:
    """P(c | x): the log-probabilities without their logarithm."""
    return self.predict_log_proba(X).exp()
