"""The door, tried with the smallest estimators that walk through it."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.utils.estimator_checks import check_estimator

from etude.core.errors import ShapeError
from etude.core.estimator import Classifier, Regressor, Transformer
from etude.core.random import stream


class Two(NamedTuple):
    one: torch.Tensor
    other: torch.Tensor


@dataclass(repr=False, eq=False)
class Normal(Classifier):
    """One normal for every class and feature: gives log-probabilities."""

    smoothing: float = 1e-9

    def fit(self, X, y):
        groups = [X[y == index] for index in range(len(self.classes_))]
        self.prior_ = X.new_tensor([len(rows) for rows in groups]).div(len(X)).log()
        self.mean_ = torch.stack([rows.mean(dim=0) for rows in groups])
        self.var_ = torch.stack([rows.var(dim=0, correction=0) for rows in groups])
        self.var_ += self.smoothing * X.var(dim=0, correction=0).max()
        return self

    def predict_log_proba(self, X):
        distance = (X[:, None, :] - self.mean_).square() / self.var_
        log_normal = -0.5 * (distance + (2 * math.pi * self.var_).log())
        return (self.prior_ + log_normal.sum(dim=-1)).log_softmax(dim=-1)


@dataclass(repr=False, eq=False)
class Nearest(Classifier):
    """The class of the nearest mean: gives decisions, one number for two classes."""

    def fit(self, X, y):
        self.mean_ = torch.stack([X[y == index].mean(dim=0) for index in range(len(self.classes_))])
        return self

    def decision_function(self, X):
        nearness = -torch.cdist(X, self.mean_)
        return nearness[:, 1] - nearness[:, 0] if len(self.mean_) == 2 else nearness


@dataclass(repr=False, eq=False)
class Frequent(Classifier):
    """The commonest class, whatever the row: gives probabilities."""

    def fit(self, X, y):
        self.share_ = y.bincount().to(X.dtype) / len(y)
        return self

    def predict_proba(self, X):
        return self.share_.expand(len(X), -1)


@dataclass(repr=False, eq=False)
class Average(Regressor):
    """The mean response, whatever the row."""

    def fit(self, X, y):
        self.mean_ = y.mean()
        return self

    def predict(self, X):
        return self.mean_.expand(len(X))

    def both(self, X, shift=0.0):
        """A verb of its own, with an option, that answers twice."""
        return Two(self.predict(X), self.predict(X) + X.new_tensor(shift))

    def pair(self, X):
        return self.predict(X), "a word"

    def twice(self, number):
        return 2 * number


@dataclass(repr=False, eq=False)
class Center(Transformer):
    """Takes the mean off; looks at no response."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(dim=0)
        return self

    def transform(self, X):
        return X - self.mean_


@dataclass(repr=False, eq=False)
class Double(Transformer):
    """Fits and transforms at once in its own way."""

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return 2 * X

    def fit_transform(self, X, y=None):
        return self.fit(X).transform(X)


X = torch.randn(30, 2, generator=stream(0), dtype=torch.float64)
TWO = (X[:, 0] > 0).long()
THREE = TWO + (X[:, 1] > 0.5).long()
WORDS = np.array(["no", "yes", "both"])


@pytest.mark.usefixtures("as_a_user")
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", [Normal, Nearest, Center])
def test_a_leaf_is_an_estimator_of_scikit_learn(kind):
    results = check_estimator(kind(), on_fail=None)
    assert [r["check_name"] for r in results if r["status"] == "failed"] == []


@pytest.mark.parametrize("kind", [Normal, Nearest, Frequent])
@pytest.mark.parametrize("labels", [TWO, THREE, TWO * 7 - 3])
def test_labels_come_back_as_they_were_given(kind, labels):
    for y in (labels, labels.numpy(), labels.double()):
        data = X if isinstance(y, torch.Tensor) else X.numpy()
        named = kind().fit(data, y).predict(data)
        assert named.dtype == y.dtype
        assert set(named.tolist()) <= set(y.tolist())
    expected = kind().fit(X, labels)
    shares = [getattr(expected, name) for name in kind.EVIDENCE if hasattr(expected, name)][0](X)
    best = shares.argmax(-1) if shares.ndim == 2 else (shares > 0).long()
    assert torch.equal(expected.predict(X), labels.unique()[best])


@pytest.mark.parametrize("kind", [Normal, Nearest])
def test_most_rows_are_named_rightly(kind):
    model = kind().fit(X, TWO)
    share = (model.predict(X) == TWO).double().mean().item()
    assert model.score(X, TWO) == pytest.approx(share)
    assert share > 0.8


def test_labels_may_be_words_where_arrays_are_asked():
    y = WORDS[THREE]
    model = Normal().fit(X.numpy(), y)
    assert model.classes_.tolist() == ["both", "no", "yes"]
    assert set(model.predict(X.numpy())) <= set(WORDS)
    assert model.score(X.numpy(), y) > 0.8
    with pytest.raises(TypeError, match="the labels are str_, which no tensor holds"):
        model.predict(X)


def test_numbers_learned_from_arrays_are_answered_in_tensors():
    model = Normal().fit(X.numpy(), THREE.numpy() + 5)
    assert torch.equal(model.predict(X), torch.tensor(model.predict(X.numpy())))


def test_labels_of_the_device_stay_there(fake_device):
    model = Normal().fit(X.to(fake_device), THREE.to(fake_device) + 5)
    assert model.predict(X.to(fake_device)).device == fake_device
    assert isinstance(model.predict(X.numpy()), np.ndarray)
    assert model.score(X.to(fake_device), THREE.to(fake_device) + 5) > 0.8
    with pytest.raises(ValueError, match=f"y is on cpu, expected {fake_device}"):
        Normal().fit(X.to(fake_device), THREE)


def test_probabilities_are_the_logarithms_undone():
    model = Normal().fit(X, THREE)
    torch.testing.assert_close(model.predict_proba(X), model.predict_log_proba(X).exp())
    assert not hasattr(Nearest(), "predict_proba")


@pytest.mark.parametrize("y", [torch.ones(30), torch.ones(30).numpy()])
def test_one_class_is_refused(y):
    data = X if isinstance(y, torch.Tensor) else X.numpy()
    with pytest.raises(ValueError, match="Normal needs at least two classes, y has one class: 1.0"):
        Normal().fit(data, y)


def test_measurements_are_no_labels():
    with pytest.raises(ValueError, match="Unknown label type"):
        Normal().fit(X, X[:, 0])


def test_r_squared_of_the_mean_is_nothing():
    y = X.sum(dim=1)
    assert Average().fit(X, y).score(X, y) == pytest.approx(0)
    weights = np.arange(30.0)
    ours = Average().fit(X, y).score(X, y, sample_weight=weights)
    theirs = Average().fit(X.numpy(), y.numpy()).score(X.numpy(), y.numpy(), sample_weight=weights)
    assert ours == pytest.approx(theirs)
    assert ours < 0
    with pytest.raises(ShapeError, match="y has 29 rows, expected 30"):
        Average().fit(X, y).score(X, y[:29])


def test_whole_numbers_are_responses_too():
    for data in ((X, TWO), (X.numpy(), TWO.numpy())):
        assert Average().fit(*data).mean_.dtype == torch.float64


def test_every_verb_that_takes_rows_stands_behind_the_door():
    model = Average().fit(X, X[:, 0])
    answer = model.both(X.numpy(), shift=1.0)
    assert isinstance(answer, Two)
    assert isinstance(answer.other, np.ndarray)
    assert model.both(X.numpy(), 2.0).other[0] == pytest.approx(model.mean_.item() + 2)
    assert isinstance(model.both(X).one, torch.Tensor)
    assert isinstance(model.pair(X.numpy())[0], np.ndarray)
    assert model.pair(X)[1] == "a word"
    assert model.twice(3) == 6


def test_numbers_are_cast_to_the_type_that_was_learned_from():
    model = Center().fit(X.float())
    assert model.transform(X).dtype == torch.float32
    assert model.transform(X.numpy()).dtype == np.float32


def test_a_transformer_fits_and_transforms_at_once():
    torch.testing.assert_close(Center().fit_transform(X).mean(dim=0), torch.zeros(2).double())
    assert isinstance(Center().fit_transform(X.numpy()), np.ndarray)
    np.testing.assert_array_equal(Double().fit_transform(X.numpy()), 2 * X.numpy())


def test_names_of_an_earlier_table_are_forgotten():
    model = Center().fit(pd.DataFrame(X.numpy(), columns=["a", "b"]))
    assert list(model.feature_names_in_) == ["a", "b"]
    assert not hasattr(model.fit(X), "feature_names_in_")


def test_what_is_remembered_of_the_data_is_small():
    model = Average().fit(X, X[:, 0])
    assert model._learned_from.untyped_storage().nbytes() == 0


def test_a_gradient_goes_through_the_door():
    rows = X.clone().requires_grad_()
    Center().fit(X).transform(rows).square().sum().backward()
    assert rows.grad is not None
    assert isinstance(Center().fit(rows).transform(X.numpy()), np.ndarray)


@pytest.mark.parametrize(
    ("rows", "y", "error", "message"),
    [
        (X.long(), X[:, 0], TypeError, "X holds int64, expected a floating type"),
        (X / 0, X[:, 0], ValueError, "Average needs finite numbers, X contains NaN or infinity"),
        (X, X[:, 0] / 0, ValueError, "Average needs finite numbers, y contains NaN or infinity"),
        (X[:0], X[:0, 0], ShapeError, r"Average needs rows and features, X has shape \(0, 2\)"),
        (X, X[1:, 0], ShapeError, "y has 29 rows, expected 30"),
        (X, X, ShapeError, "y has 2 axes"),
        (X[:, 0], X[:, 0], ShapeError, "X has 1 axes"),
    ],
)
def test_the_door_asks_before_a_method_can_stumble(rows, y, error, message):
    with pytest.raises(error, match=message):
        Average().fit(rows, y)


def test_the_door_asks_again_when_rows_come_to_be_answered():
    model = Center().fit(X)
    for rows, error, message in (
        (X[:, :1], ShapeError, "X has 1 features, expected 2"),
        (X.long(), TypeError, "X holds int64"),
        (X / 0, ValueError, "Center needs finite numbers"),
        (X[:0], ShapeError, "Center needs rows and features"),
    ):
        with pytest.raises(error, match=message):
            model.transform(rows)
