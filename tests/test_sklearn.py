"""`usetune.sklearn` in scikit-learn's own checks, pipelines and searches."""

import pickle
import time

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from sklearn.utils.validation import check_is_fitted, validate_data

import usetune.sklearn
from tests.conftest import TEXTS
from tests.fakes.tiny_bert import tiny_bert
from usetune.sklearn import SentenceEncoder

TITLES = ["one nurse", "two nurses", "a cook", "the cooks"] * 3
CLASSES = np.array(["health", "health", "food", "food"] * 3)


class OnNumbers(SentenceEncoder):
    """scikit-learn checks estimators on numbers: each row is written as a text."""

    def fit(self, X, y=None):
        return super().fit(self._written(X, True), y)

    def transform(self, X):
        check_is_fitted(self)
        return super().transform(self._written(X, False))

    def _written(self, X, reset):
        numbers = validate_data(self, X, reset=reset)
        return [" ".join(map(str, row)) for row in numbers.tolist()]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.string = False
        tags.input_tags.two_d_array = True
        return tags


# None is expected to fail. Of estimators whose tags say that they take texts only,
# scikit-learn checks nothing but that they can be cloned.
@parametrize_with_checks([OnNumbers(tiny_bert(), dim=4)])
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture(scope="module")
def bert():
    return tiny_bert()


@pytest.mark.parametrize(
    "column",
    [
        TEXTS,
        tuple(TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, object)[:, None],
        pd.Series(TEXTS),
        pd.Series(TEXTS, dtype="category"),
        pd.DataFrame({"title": TEXTS}),
        [[text] for text in TEXTS],
    ],
    ids=lambda column: type(column).__name__,
)
def test_texts_and_columns(tiny, column):
    found = SentenceEncoder(tiny).fit_transform(column)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, tiny.encode(TEXTS))


@pytest.mark.parametrize(
    ("texts", "error", "message"),
    [
        ("a text", ValueError, "one column of them.* Received: str"),
        (iter(TEXTS), ValueError, "Received: list_iterator"),
        ({"a": 1}, ValueError, "Received: dict"),
        (pd.DataFrame({"a": ["x"], "b": ["y"]}), ValueError, r"Data.*shape \(1, 2\)"),
        (["a", None], TypeError, r"X: texts\[1\] must be a str. Received: None"),
        (pd.Series(["a", None]), TypeError, r"texts\[1\].*nan of type float"),
        (np.zeros((3, 1)), TypeError, r"texts\[0\].*0.0 of type float"),
        ([b"a"], TypeError, r"write text.decode\(\)"),
    ],
)
def test_what_is_no_texts_is_refused(tiny, texts, error, message):
    fitted = SentenceEncoder(tiny).fit(["a"])
    for method in (SentenceEncoder(tiny).fit, fitted.transform):
        with pytest.raises(error, match=message):
            method(texts)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"dim": 17}, "dim must be .* 16. Received: 17"),
        ({"batch_size": 0}, "batch_size must be at least 1. Received: 0"),
        ({"encoder": "no/such/folder"}, "handle must be"),
    ],
)
def test_parameters_are_checked_when_it_is_fitted(tiny, parameters, message):
    encoder = SentenceEncoder(tiny).set_params(**parameters)
    with pytest.raises(ValueError, match=message):
        encoder.fit(TEXTS)
    with pytest.raises(NotFittedError):
        encoder.transform(TEXTS)


def test_encoders_come_from_folders_and_by_default(tiny, tmp_path, monkeypatch):
    tiny.save(tmp_path / "tiny")
    fitted = SentenceEncoder(tmp_path / "tiny", batch_size=3).fit(TEXTS)
    np.testing.assert_allclose(fitted.transform(TEXTS), tiny.encode(TEXTS), atol=1e-6)
    monkeypatch.setattr(usetune.sklearn, "load_encoder", lambda: tiny)
    assert SentenceEncoder().fit(TEXTS).encoder_ is tiny


def test_fewer_dimensions_have_names(tiny):
    encoder = SentenceEncoder(tiny, dim=3).set_output(transform="pandas")
    titles = pd.DataFrame({"title": TEXTS}, index=range(5, 13))
    found = encoder.fit_transform(titles)
    np.testing.assert_allclose(found, tiny.truncate(3).encode(TEXTS), atol=1e-6)
    names = [f"sentenceencoder{number}" for number in range(3)]
    assert [*found.columns] == [*encoder.get_feature_names_out()] == names
    assert [*found.index] == [*titles.index]
    assert (encoder.n_features_in_, [*encoder.feature_names_in_]) == (1, ["title"])
    with pytest.raises(ValueError, match="feature names should match"):
        encoder.transform(titles.rename(columns={"title": "label"}))
    assert encoder.transform(TEXTS).shape == (len(TEXTS), 3)


def test_clones_share_the_encoder_and_pickles_hold_it(bert):
    encoder = SentenceEncoder(bert, dim=5).set_output(transform="pandas").fit(TITLES)
    other = clone(encoder)
    assert other.encoder is bert and not hasattr(other, "encoder_")
    assert other.fit_transform(TITLES).equals(encoder.transform(TITLES))
    again = pickle.loads(pickle.dumps(encoder))
    assert again.encoder is again.encoder_ is not bert
    assert again.transform(TITLES).equals(encoder.transform(TITLES))


def test_a_pipeline_with_memory_embeds_once(bert, tmp_path, monkeypatch):
    encoded = []
    encode = type(bert).encode
    monkeypatch.setattr(
        type(bert), "encode", lambda *given: encoded.append(1) or encode(*given)
    )
    for regularization in (1, 2):
        # As long after each other as a date in the encoder's pickle would tell.
        monkeypatch.setattr(time, "time", lambda now=regularization: 1e9 * now)
        pipeline = make_pipeline(
            SentenceEncoder(bert),
            LogisticRegression(C=regularization),
            memory=str(tmp_path),
        )
        pipeline.fit(TITLES, CLASSES)
    assert len(encoded) == 1


def test_pipelines_searches_and_columns(bert):
    pipeline = make_pipeline(SentenceEncoder(bert), LogisticRegression())
    search = GridSearchCV(pipeline, {"sentenceencoder__dim": [1, None]}, cv=3)
    search.fit(TITLES, CLASSES)
    assert search.best_params_ == {"sentenceencoder__dim": None}
    assert search.best_score_ == 1 and [*search.predict(TITLES)] == [*CLASSES]
    table = pd.DataFrame({"title": TITLES, "note": TITLES[::-1]})
    columns = ColumnTransformer(
        [
            ("title", SentenceEncoder(bert), "title"),
            ("note", SentenceEncoder(bert, dim=2), ["note"]),
        ],
        remainder="passthrough",
    )
    found = columns.fit_transform(table)
    np.testing.assert_allclose(found[:, :12], bert.encode(TITLES), atol=1e-6)
    assert found.shape == (12, 12 + 2)
    assert columns.get_feature_names_out()[-1] == "note__sentenceencoder1"
    model = make_pipeline(columns, LogisticRegression())
    assert cross_val_score(model, table, CLASSES, cv=3).mean() == 1


def test_the_real_encoder_tells_classes(base):
    model = make_pipeline(SentenceEncoder(base, dim=64), LogisticRegression())
    model.fit(TITLES, CLASSES)
    assert [*model.predict(["infirmière", "Koch"])] == ["health", "food"]


def _scores(bert, backend):
    pipeline = make_pipeline(SentenceEncoder(bert), LogisticRegression())
    one_fold = [(range(8), range(8, 12))]
    with joblib.parallel_config(backend):
        return cross_val_score(
            pipeline, TITLES, CLASSES, cv=one_fold, n_jobs=2, error_score="raise"
        )


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_jobs(bert, backend):
    assert _scores(bert, backend) == [1]


@pytest.mark.filterwarnings("ignore:.*fork")
@pytest.mark.parametrize("kind", ["bert", "folder"])
def test_jobs_of_forked_processes_are_refused(bert, kind, tmp_path):
    """A worker that could not unpickle the encoder would be waited for."""
    if kind == "folder":
        bert.save(tmp_path / "encoder")
    with pytest.raises(RuntimeError, match="multiprocessing.get_context\\('spawn'\\)"):
        _scores(bert if kind == "bert" else tmp_path / "encoder", "multiprocessing")
