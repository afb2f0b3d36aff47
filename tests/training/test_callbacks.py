import keras
import numpy as np
import pytest
import tensorflow as tf

from usetune.evaluation.retrieval import RetrievalEvaluator
from usetune.evaluation.scores import with_prefix
from usetune.training.callbacks import BestEpoch, EarlyStopping, EvaluatorCallback
from usetune.training.siamese import build_siamese

QUERIES = {"q0": "data scientist", "q1": "pastry cook"}
CORPUS = {"d0": "data analyst", "d1": "cook", "d2": "nurse of data", "d3": "pastry"}
RELEVANT = {"q0": {"d0"}, "q1": {"d1", "d3"}}


class Scripted:
    """A measure that gives figures in turn."""

    texts = ()

    def __init__(self, name, values):
        self.name, self.values = name, iter(values)

    def __call__(self, encoder):
        return {self.name: next(self.values)}


def fit(encoder, callbacks, epochs):
    siamese = build_siamese(encoder)
    siamese.compile(keras.optimizers.SGD(1.0), "mean_squared_error")
    texts = {"base": ["data scientist", "cook"], "ref": ["nurse of data", "pastry"]}
    inputs = {name: tf.constant(own) for name, own in texts.items()}
    history = siamese.fit(
        inputs, np.zeros((2, 1)), epochs=epochs, callbacks=callbacks, verbose=0
    )
    return history.history


def test_figures_of_each_epoch_are_in_the_logs(tiny):
    encoder = tiny.copy()
    evaluator = RetrievalEvaluator(QUERIES, CORPUS, RELEVANT, name="jobs")
    after = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: after.append((dict(logs), evaluator(encoder)))
    )
    measures = [evaluator, Scripted("distance", [4.0, 3.0])]
    history = fit(encoder, [EvaluatorCallback(encoder, measures), look], epochs=2)
    assert len(after) == 2
    for epoch, (logs, expected) in enumerate(after):
        assert "jobs_mrr@10" in expected and expected.items() <= logs.items()
        for name, value in expected.items():
            assert history[name][epoch] == value
    assert history["distance"] == [4.0, 3.0] and "loss" in history


def test_early_stopping_on_a_figure(tiny):
    encoder = tiny.copy()
    measure = Scripted("mrr@10", [0.1, 0.3, 0.2, 0.25, 0.9, 0.9])
    stop = keras.callbacks.EarlyStopping(monitor="mrr@10", mode="max", patience=2)
    history = fit(encoder, [EvaluatorCallback(encoder, [measure]), stop], epochs=6)
    assert history["mrr@10"] == [0.1, 0.3, 0.2, 0.25]
    assert stop.best == 0.3


def test_figures_of_one_name_are_refused(tiny):
    measures = [Scripted("x", [1.0, 1.0]), Scripted("x", [2.0, 2.0])]
    with pytest.raises(ValueError, match=r"different names.*twice: \['x'\]"):
        EvaluatorCallback(tiny, measures).measure()
    loss = [Scripted("loss", [1.0, 1.0, 1.0])]
    stopping = EarlyStopping("loss")
    for callback in (
        EvaluatorCallback(tiny, loss),
        BestEpoch(tiny, loss, stopping, {"loss": 1.0}),
    ):
        with pytest.raises(ValueError, match=r"names of the logs.*\['loss'\]"):
            callback.on_epoch_end(0, {"loss": 0.5})
    with pytest.raises(ValueError, match=r"twice: \['x'\]"):
        BestEpoch(tiny, measures, stopping, {"loss": 1.0})


@pytest.mark.parametrize("guard", [{}, {"x": 0.0}])
def test_evaluators_that_fail_cost_no_epoch(tiny, guard):
    """The third epoch is not measured, so that the second is the best."""
    measure = Scripted("x", [0.1, 0.2, 0.3])
    best = BestEpoch(
        tiny, [measure], EarlyStopping("val_loss", guard=guard), {"loss": 9.0}
    )
    best.set_model(keras.Sequential())
    best.on_epoch_end(0, {"val_loss": 3.0})
    best.on_epoch_end(1, {"val_loss": 2.0})
    with pytest.warns(UserWarning, match="epoch 3: the evaluators failed"):
        best.on_epoch_end(2, {"val_loss": 4.0 if not guard else 1.0})
    assert best.kept.epoch == 2
    history = best.history()
    assert history["x"].tolist()[:3] == [0.1, 0.2, 0.3]
    assert np.isnan(history["x"][3]) and history["val_loss"][3]


def test_named():
    assert with_prefix({"a": 1.0}, "") == {"a": 1.0}
    assert with_prefix({"a": 1.0}, "toy") == {"toy_a": 1.0}


def test_a_guard_needs_a_figure_from_before_training(tiny):
    stopping = EarlyStopping(guard={"loss": 0.1})
    with pytest.raises(ValueError, match=r"guard must be among \['val_loss'\].*'loss'"):
        BestEpoch(tiny, [], stopping, {"loss": 1.0})
