"""Every estimator of the library, found by walking it: scikit-learn's questions, then ours."""

import contextlib
import importlib
import pickle
import pkgutil
from collections import Counter

import numpy as np
import pytest
import torch
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

import etude
from etude.core.errors import NotFittedError, ShapeError
from etude.core.estimator import Classifier, Estimator, Regressor, Transformer
from etude.core.random import stream
from tests.on_device import agrees_on_device


def leaves(kind=Estimator):
    """All estimators that nothing derives from, wherever in the library they are."""
    for _, name, _ in pkgutil.walk_packages(etude.__path__, "etude."):
        importlib.import_module(name)
    found = [leaf for child in kind.__subclasses__() for leaf in leaves(child)]
    mine = kind.__module__.startswith("etude.") and kind.__module__ != "etude.core.estimator"
    return found or [kind] * mine


ESTIMATORS = sorted(set(leaves()), key=lambda kind: kind.__name__)
each = pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
NOT_CLAIMED = {"check_array_api_input"}  # scikit-learn skips what an estimator does not promise


def data_for(kind, rows=60, features=4, dtype=torch.float64, seed=0):
    """A table, and a response that it can tell something of."""
    generator = stream(seed)
    X = torch.randn(rows, features, generator=generator, dtype=dtype)
    if is_classifier(kind()):
        return X, (X[:, 0] > 0).long() + 2
    return X, X.sum(dim=1) + 0.1 * torch.randn(rows, generator=generator, dtype=dtype)


def verbs(model):
    """What it answers when it is asked for rows."""
    names = ("predict", "predict_proba", "predict_log_proba", "decision_function", "transform")
    return [getattr(model, name) for name in names if hasattr(model, name)]


class NamedError(Exception):
    """An error that names the flaw, which is as good as an answer."""


def fit_or_name(kind, X, y, flaw):
    try:
        return kind().fit(X, y)
    except ValueError as error:
        if flaw in str(error):
            raise NamedError from error
        raise


def arrays(*tensors):
    return [tensor.numpy() for tensor in tensors]


def test_there_are_estimators():
    assert ESTIMATORS


@each
@pytest.mark.usefixtures("as_a_user")
@pytest.mark.filterwarnings("ignore")
def test_scikit_learn_calls_it_an_estimator(kind, record_property, capsys):
    results = check_estimator(kind(), on_fail=None)
    count = Counter(result["status"] for result in results)
    with capsys.disabled():
        print(f"\n{kind.__name__}: {dict(count)} of {len(results)} checks of scikit-learn ", end="")
    record_property("checks", dict(count))
    wrong = {
        result["check_name"]: str(result["exception"])
        for result in results
        if result["status"] != "passed" and result["check_name"] not in NOT_CLAIMED
    }
    assert wrong == {}
    assert count["passed"] >= 40


@each
def test_fit_forgets(kind):
    X, y = data_for(kind)
    other_X, other_y = data_for(kind, rows=50, features=3, seed=1)
    fresh, used = kind().fit(X, y), kind().fit(other_X, other_y).fit(X, y)
    assert vars(used).keys() == vars(fresh).keys()
    for ours, theirs in zip(verbs(used), verbs(fresh), strict=True):
        torch.testing.assert_close(ours(X), theirs(X), rtol=0, atol=0)


@each
@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_gives_the_same_result(kind, seed):
    X, y = data_for(kind)
    seeded = "random_state" in kind().get_params()
    one, two = ((kind(random_state=seed) if seeded else kind()).fit(X, y) for _ in range(2))
    for ours, theirs in zip(verbs(one), verbs(two), strict=True):
        torch.testing.assert_close(ours(X), theirs(X), rtol=0, atol=0)


@each
def test_predict_never_learns(kind):
    X, y = data_for(kind)
    model = kind().fit(X, y)
    before = pickle.dumps(model)
    for verb in verbs(model):
        verb(X + 1)
    assert pickle.dumps(model) == before


@each
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_type_is_that_of_the_data(kind, dtype):
    X, y = data_for(kind, dtype=dtype)
    for data in ((X, y), arrays(X, y)):
        model = kind().fit(*data)
        for verb in verbs(model):
            answer = verb(data[0])
            if verb.__name__ != "predict" or is_regressor(model):
                assert str(answer.dtype).removeprefix("torch.") == str(dtype).removeprefix("torch.")


@each
def test_tensors_and_arrays_agree_whichever_it_learned_from(kind):
    X, y = data_for(kind)
    for model in (kind().fit(X, y), kind().fit(*arrays(X, y))):
        for verb in verbs(model):
            as_tensor, as_array = verb(X), verb(X.numpy())
            assert isinstance(as_tensor, torch.Tensor)
            assert isinstance(as_array, np.ndarray)
            np.testing.assert_array_equal(as_tensor.numpy(), as_array)
        if hasattr(model, "score") and y is not None:
            assert model.score(X, y) == pytest.approx(model.score(*arrays(X, y)), abs=1e-12)


@each
def test_many_features_are_no_trouble(kind):
    X, y = data_for(kind, rows=900, features=784)
    model = kind().fit(X, y)
    for verb in verbs(model):
        assert not verb(X).double().isnan().any()


@each
def test_a_constant_feature_is_finite_or_named(kind):
    X, y = data_for(kind)
    X[:, 1] = 3.0
    with contextlib.suppress(NamedError):
        model = fit_or_name(kind, X, y, "column 1")
        for verb in verbs(model):
            assert not verb(X).double().isnan().any()


@each
def test_it_works_on_the_device(kind, fake_device):
    def fitted(X, y):
        model = kind().fit(X, y)
        return [verb(X) for verb in verbs(model)]

    agrees_on_device(fitted, *data_for(kind))


@each
def test_it_answers_arrays_with_what_it_learned_on_the_device(kind, fake_device):
    X, y = data_for(kind)
    there = kind().fit(X.to(fake_device), y.to(fake_device))
    for ours, theirs in zip(verbs(there), verbs(kind().fit(X, y)), strict=True):
        assert isinstance(ours(X.numpy()), np.ndarray)
        np.testing.assert_allclose(ours(X.numpy()), theirs(X).numpy())
    with pytest.raises(ValueError, match=f"X is on cpu, expected {fake_device}, where fit was"):
        verbs(there)[0](X)


@each
def test_it_stands_in_a_pipeline_and_a_search(kind):
    X, y = arrays(*data_for(kind))
    pipeline = make_pipeline(StandardScaler(), kind())
    pipeline.fit(X, y)
    if hasattr(kind, "score"):
        assert len(cross_val_score(pipeline, X, y, cv=3)) == 3
        GridSearchCV(clone(kind()), {}, cv=3).fit(X, y)


@each
def test_an_unfitted_one_says_so(kind):
    X, _ = data_for(kind)
    for data in (X, X.numpy()):
        for verb in verbs(kind()):
            with pytest.raises(NotFittedError, match=f"{kind.__name__} is not fitted"):
                verb(data)


FLAWS = {
    "a short y": (lambda X, y: (X, y[:-1]), ShapeError, "y has 59 rows, expected 60"),
    "NaN": (lambda X, y: (X.index_fill(0, torch.tensor(3), torch.nan), y), ValueError, "NaN"),
    "infinity": (lambda X, y: (X / 0, y), ValueError, "infinity"),
    "whole numbers": (lambda X, y: (X.long(), y), TypeError, "X holds int64, expected a floating"),
    "one axis": (lambda X, y: (X[:, 0], y), ShapeError, "X has 1 axes"),
    "no rows": (lambda X, y: (X[:0], y[:0]), ShapeError, "needs rows and features"),
    "no y": (lambda X, y: (X, None), TypeError, "needs y as a tensor where X is one, y is None"),
    "an array beside a tensor": (lambda X, y: (X, y.numpy()), TypeError, "y is ndarray"),
    "a wide y": (lambda X, y: (X, torch.stack([y, y], 1)), ShapeError, "y has 2 axes"),
    "NaN in y": (lambda X, y: (X, y / 0), ValueError, "y contains NaN or infinity"),
}


@each
@pytest.mark.usefixtures("as_a_user")
@pytest.mark.parametrize("flaw", FLAWS)
def test_flawed_tensors_are_refused_at_the_door(kind, flaw):
    spoil, error, message = FLAWS[flaw]
    if issubclass(kind, Transformer) and "y" in flaw.split():
        return  # it does not look at y
    with pytest.raises(error, match=message):
        kind().fit(*spoil(*data_for(kind)))


@each
@pytest.mark.usefixtures("as_a_user")
def test_another_number_of_features_is_told(kind):
    X, y = data_for(kind)
    for verb in verbs(kind().fit(X, y)):
        with pytest.raises(ShapeError, match="X has 3 features, expected 4"):
            verb(X[:, :3])
        with pytest.raises(ValueError, match="X has 3 features, but"):
            verb(X[:, :3].numpy())
        with pytest.raises(ValueError, match="X contains NaN"):
            verb(X / 0)


@each
def test_a_leaf_is_a_regressor_a_classifier_or_a_transformer_and_a_dataclass(kind):
    assert issubclass(kind, (Regressor, Classifier, Transformer))
    assert "__dataclass_fields__" in vars(kind)
