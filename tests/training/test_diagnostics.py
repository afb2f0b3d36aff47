"""Warnings that save a day."""

import warnings
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest

from usetune import fine_tune
from usetune.evaluation import RetrievalEvaluator, SimilarityEvaluator
from usetune.losses import (
    AnglE,
    BatchHard,
    Cached,
    Contrastive,
    CoSENT,
    Matryoshka,
    MultipleNegativesRanking,
    Triplet,
)
from usetune.training import EarlyStopping, FusedAdam, TrainingSet
from usetune.training.diagnostics import (
    TrainingDiagnostics,
    check_data,
    check_validation,
)

TEXTS = ["cook", "chef", "nurse", "miner", "baker", "clerk", "pilot", "judge"]


class Fixed:
    """An encoder whose embeddings are given."""

    def __init__(self, embeddings):
        self.embeddings = np.asarray(embeddings, "f")

    def encode(self, texts):
        return self.embeddings[: len(texts)]


def of_loss(loss):
    """A training set as far as its loss is looked at."""
    training = pd.DataFrame([[*"abc"], [*"bca"]], columns=[*"xyz"])
    return SimpleNamespace(
        loss=loss, format=None, columns=[*training], training=training
    )


def of_labels(labels):
    texts = pd.DataFrame({"text": TEXTS[: len(labels)], "label": labels})
    return TrainingSet(texts, texts)


@pytest.mark.parametrize(
    "loss",
    [
        Triplet("euclidean", 5.0),
        Triplet("cosine", 2.1),
        Contrastive("manhattan", 2 * 8**0.5 + 0.01),
        Matryoshka(BatchHard("euclidean", 2.01), [8, 4]),
    ],
)
def test_a_margin_that_unit_vectors_cannot_reach(loss):
    with pytest.warns(UserWarning, match="margin .*unit vectors are at most .* apart"):
        check_data([of_loss(loss)], [[0, 1]], 8)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "loss",
    [
        Triplet("euclidean", 2.0),
        Contrastive("manhattan", 5),
        MultipleNegativesRanking(),
    ],
)
def test_a_margin_that_they_can_reach(loss):
    check_data([of_loss(loss)], [[0, 1]], 8)


def test_batches_of_one_class():
    labels = [0, 0, 1, 1, 0, 1]
    with pytest.warns(UserWarning, match="2 of 3 batches hold texts of one class"):
        check_data([of_labels(labels)], [np.arange(6).reshape(3, 2)], 8)


def test_texts_alone_in_their_class():
    labels = [0, 0, 1, 1, 2, 3]
    with pytest.warns(UserWarning, match="2 of 6 texts are alone in their class"):
        check_data([of_labels(labels)], [[np.arange(4)]], 8)


def alarm(embeddings, **logs):
    alarms = TrainingDiagnostics(Fixed(embeddings), TEXTS[: len(embeddings)])
    alarms.on_epoch_end(2, {"loss": 1.0, **logs})
    return alarms


def test_collapse():
    near = np.eye(8)[[0] * 4] + 0.05 * np.eye(8)[:4]
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    cosine = (near @ near.T)[np.triu_indices(4, 1)].mean()
    with pytest.warns(UserWarning, match="epoch 3: the embeddings have coll") as caught:
        alarms = alarm(near)
    message = str(caught[0].message)
    assert f"{cosine:.3f}" in message and f"{near.var(axis=0).mean():.1e}" in message
    # Said once.
    alarms.on_epoch_end(3, {"loss": 1.0})


@pytest.mark.filterwarnings("error")
def test_no_alarm():
    alarm(np.eye(8)[:4], active=0.01)
    alarm(np.eye(8)[:1])


def test_no_triplet_is_active():
    with pytest.warns(UserWarning, match="epoch 3: no triplet was active"):
        alarm(np.eye(8), active=0.0)


def test_a_loss_that_is_not_finite():
    with pytest.warns(UserWarning, match="epoch 3: the loss is not finite"):
        alarm(np.eye(8), loss=np.nan)


def positives(anchors, positives):
    return pd.DataFrame({"anchor": anchors, "positive": positives})


def scored(base, ref, similarity):
    return pd.DataFrame({"base": base, "ref": ref, "similarity": similarity})


SCORES = np.linspace(0.5, 1, 12)
TWELVE = [f"title {number}" for number in range(12)]


@pytest.mark.filterwarnings("ignore:.*worse than its base")
@pytest.mark.parametrize(
    ("pairs", "settings"),
    [
        (positives(TWELVE, TWELVE[::-1]), {"batch_size": 1}),
        (positives(TWELVE, "cook"), {"batch_sampler": "no_duplicates"}),
        (positives(TWELVE, "cook"), {}),
        (positives("cook", TWELVE), {"loss": Cached(MultipleNegativesRanking())}),
        (scored(TWELVE, TWELVE[::-1], 0.7), {"loss": CoSENT()}),
        (scored(TWELVE, TWELVE[::-1], SCORES), {"loss": AnglE(), "batch_size": 1}),
    ],
)
def test_batches_without_negatives(tiny, pairs, settings):
    data = TrainingSet(pairs, pairs[:2], **settings)
    with (
        pytest.warns(UserWarning, match="of .* batches hold no negatives"),
        pytest.warns(UserWarning, match="val_loss is 0 whatever is learned: 2 exam"),
    ):
        history = fine_tune(tiny, data, epochs=1).history
    np.testing.assert_allclose(history.iloc[1:], 0, atol=1e-6)


ALIKE = pd.DataFrame({"anchor": ["a"] * 5, "positive": "a", "negative": "a"})


@pytest.mark.parametrize("loss", [MultipleNegativesRanking(), Triplet(), AnglE()])
def test_triplets_of_one_text(loss):
    rows = [[np.arange(5)]]
    data = TrainingSet(ALIKE, ALIKE, loss=loss)
    with pytest.warns(
        UserWarning, match="1 of 1 batches hold no negatives.* its posit"
    ):
        check_data([data], rows, 8)
    with pytest.warns(UserWarning, match="val_loss is one number whatever is learned"):
        check_validation([data], rows)
    others = ALIKE.assign(negative=[*"aaaab"])
    data = TrainingSet(others, others, loss=loss)
    with warnings.catch_warnings(action="error"):
        check_data([data], rows, 8)
        check_validation([data], rows)


@pytest.mark.filterwarnings("ignore:.*whatever is learned")
def test_nothing_is_learned_from_triplets_of_one_text(tiny):
    data = TrainingSet(ALIKE, ALIKE[:2], loss=Triplet(), batch_sampler="shuffled")
    with pytest.warns(UserWarning, match="1 of 1 batches hold no negatives"):
        tuned = fine_tune(tiny, data, epochs=1).encoder
    for one, two in zip(tuned.variables, tiny.variables, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_validation_of_one_row(tiny):
    pairs = positives(TWELVE[:5], TWELVE[5:10])
    with pytest.warns(UserWarning, match="val_loss is 0 .*: 1 examples"):
        assert not fine_tune(tiny, pairs, epochs=1).history["val_loss"].any()


@pytest.mark.filterwarnings("error")
def test_a_last_batch_of_one_is_no_alarm():
    data = TrainingSet(positives(TWELVE, TWELVE[::-1]), positives(TWELVE, TWELVE))
    check_data([data], [[np.arange(11), np.array([11])]], 8)
    check_validation([data], [[np.arange(11), np.array([11])]])
    # Of one text, whose scores differ.
    data = TrainingSet(scored("cook", TWELVE, SCORES), loss=CoSENT())
    check_data([data], [[np.arange(9)]], 8)


def classes(labels):
    return pd.DataFrame({"text": TEXTS, "label": labels})


@pytest.mark.filterwarnings("ignore:.*worse than its base")
def test_fine_tune_says_it_all(tiny):
    settings = {"epochs": 1, "validation_data": classes([0, 0, 1, 1] * 2)}
    with pytest.warns(UserWarning, match="BatchHard has the margin 5"):
        fine_tune(
            tiny, classes([0, 0, 1, 1] * 2), loss=BatchHard("euclidean", 5), **settings
        )
    with pytest.warns(UserWarning, match="1 of 1 batches hold texts of one class"):
        data = TrainingSet(
            classes([3] * 8), settings["validation_data"], batch_sampler="shuffled"
        )
        fine_tune(tiny, data, epochs=1)
    with pytest.warns(UserWarning, match="1 of 8 texts are alone in their class"):
        fine_tune(tiny, classes([0, 0, 1, 1, 2, 2, 2, 3]), **settings)


def test_fine_tune_says_that_no_triplet_is_active(tiny):
    triplets = pd.DataFrame(
        {"anchor": TEXTS, "positive": TEXTS, "negative": TEXTS[4:] + TEXTS[:4]}
    )
    with pytest.warns(UserWarning, match="epoch 1: no triplet was active"):
        result = fine_tune(
            tiny,
            triplets,
            validation_data=triplets,
            loss=Triplet(margin=1e-3),
            epochs=2,
        )
    assert result.history["active"][2] == 0


def test_fine_tune_says_that_the_tuned_encoder_is_worse(tiny):
    pairs = pd.DataFrame({"base": TEXTS[:4], "ref": TEXTS[4:], "similarity": 1.0})
    opposite = pairs.assign(similarity=0.0)
    with pytest.warns(UserWarning, match="worse than its base on val_loss: .* before"):
        result = fine_tune(tiny, pairs, validation_data=opposite, epochs=2)
    losses = result.history["val_loss"]
    assert losses[1] > losses[0]


def test_fine_tune_gives_the_base_back_where_no_loss_is_finite(tiny):
    pairs = pd.DataFrame({"base": TEXTS[:4], "ref": TEXTS[4:], "similarity": 1.0})
    with (
        pytest.warns(UserWarning, match="val_loss was never a finite number"),
        pytest.warns(UserWarning, match="the loss is not finite"),
        pytest.warns(UserWarning, match="have collapsed"),
    ):
        result = fine_tune(
            tiny,
            pairs,
            validation_data=pairs,
            epochs=1,
            batch_size=2,
            optimizer=FusedAdam(float("inf")),
        )
    np.testing.assert_array_equal(result.encoder.encode(TEXTS), tiny.encode(TEXTS))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("monitor", ["val_loss", "spearman_cosine"])
def test_a_training_that_diverges_gives_its_best_epoch(tiny, monitor):
    """The learning rate is infinite from the second epoch on."""
    pairs = pd.DataFrame(
        {"base": TEXTS[:4], "ref": TEXTS[4:], "similarity": [1.0, 0.8, 0.9, 0.7]}
    )
    named = {text: text for text in TEXTS}
    evaluators = [
        SimilarityEvaluator(pairs),
        RetrievalEvaluator(named, named, {text: {text} for text in TEXTS}),
    ]
    rate = keras.callbacks.LearningRateScheduler(
        lambda epoch: float("inf") if epoch else 1e-3
    )
    with pytest.warns(UserWarning, match="epoch 2: the loss is not finite"):
        result = fine_tune(
            tiny,
            pairs,
            validation_data=pairs,
            batch_size=2,
            evaluators=evaluators,
            early_stopping=EarlyStopping(monitor),
            optimizer=FusedAdam(1e-3),
            callbacks=[rate],
            epochs=4,
        )
    assert result.record.runs[0].kept_epoch == 1
    assert np.isfinite(result.encoder.encode(TEXTS)).all()
    assert np.isnan(result.history["spearman_cosine"][2])


# Warns that such scores are rather of another scale.
@pytest.mark.filterwarnings("ignore:.*(worse than its base|similarities are below)")
@pytest.mark.parametrize("least", [0.0, 0.1])
def test_no_percentages_of_zero(tiny, least):
    pairs = pd.DataFrame(
        {"base": TEXTS[:4], "ref": TEXTS[4:], "similarity": [1.0, 0.8, 0.9, least]}
    )
    history = fine_tune(tiny, pairs, validation_data=pairs, epochs=1).history
    assert "val_mean_absolute_error" in history
    assert ("mean_absolute_percentage_error" in history) == (least > 0)
