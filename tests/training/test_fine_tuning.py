import keras
import numpy as np
import pandas as pd
import pytest

from usetune import (
    ARTICLE_RECIPE,
    DomainEvaluator,
    fine_tune,
    load_article_pairs,
    load_encoder,
    load_occupations,
    load_pairs,
    split_pairs,
    sts_benchmark,
)
from usetune.data import mine_hard_negatives, positive_pairs_from_occupations
from usetune.data.sources import shipped
from usetune.training import EarlyStopping, FineTuned, TrainingSet

WORSE = pytest.mark.filterwarnings("ignore:.*worse than its base")
PROBE = ["data scientist", "pastry cook", "Una donna sta suonando la chitarra."]


@pytest.fixture(scope="module")
def pairs():
    return load_pairs(shipped("training_data.csv")).iloc[:40]


@pytest.fixture(scope="module")
def weights_before(base):
    return [np.array(variable.numpy()) for variable in base.weights]


@pytest.fixture(scope="module")
def tuned(base, weights_before, pairs):
    return fine_tune(base, pairs, epochs=3, seed=7)


def test_learns(tuned):
    assert isinstance(tuned, FineTuned)
    losses = tuned.history["val_loss"]
    assert list(tuned.history.index) == [0, 1, 2, 3]
    assert losses[3] < losses[0]
    assert tuned.history["loss"][3] < tuned.history["loss"][1]
    assert np.isnan(tuned.history["loss"][0])


def test_the_base_keeps_its_weights(base, weights_before, tuned):
    for a, b in zip(base.weights, weights_before, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(tuned.encoder.encode(PROBE) - base.encode(PROBE)).max() > 1e-3
    assert tuned.encoder.count_params() == 68_927_232


def test_equal_runs_give_equal_weights(base, pairs, tuned):
    again = fine_tune(base, pairs, epochs=3, seed=7)
    pd.testing.assert_frame_equal(again.history, tuned.history)
    for a, b in zip(again.encoder.weights, tuned.encoder.weights, strict=True):
        np.testing.assert_array_equal(a, b)


def test_another_seed_gives_another_order(tiny, pairs):
    """With one split; the first seed, a second time, gives the first order."""
    losses = [
        fine_tune(tiny, pairs, validation_data=pairs, epochs=1, seed=seed).history[
            "val_loss"
        ][1]
        for seed in (7, 8, 7)
    ]
    assert losses[0] != losses[1] and losses[0] == losses[2]


@WORSE
def test_split(tiny, pairs):
    tail = fine_tune(tiny, pairs, epochs=1, **ARTICLE_RECIPE)
    (data,) = tail.data
    assert list(data.validation.index) == list(pairs.index[-8:])
    assert list(data.training.index) == list(pairs.index[:-8])


@pytest.mark.filterwarnings("ignore:.*have collapsed", "ignore:.*worse than its base")
def test_best_weights_are_kept(tiny, pairs):
    """A learning rate that destroys: the best epoch is the first, or near it."""
    result = fine_tune(
        tiny,
        pairs,
        epochs=6,
        early_stopping=EarlyStopping(patience=2),
        optimizer=keras.optimizers.Adam(0.02),
    )
    losses = result.history["val_loss"].iloc[1:]
    assert losses.idxmin() < len(losses)
    validation = result.data[0].validation
    u = result.encoder.encode(validation["base"].tolist())
    v = result.encoder.encode(validation["ref"].tolist())
    cosine = np.clip((u * v).sum(1), -0.99999, 0.99999)
    scores = 1 - np.arccos(cosine) / np.pi
    loss = np.mean((scores - validation["similarity"]) ** 2)
    assert loss == pytest.approx(losses.min(), rel=1e-3)


def test_early_stopping_on_the_training_loss(tiny, pairs):
    result = fine_tune(tiny, pairs, early_stopping=EarlyStopping("loss", 2, 1.0))
    assert len(result.history) - 1 == 3


@WORSE
def test_tensorboard_logs(tiny, pairs, tmp_path):
    fine_tune(tiny, pairs, epochs=1, log_dir=tmp_path)
    assert list(tmp_path.glob("train/events*")) and list(
        tmp_path.glob("validation/events*")
    )


@WORSE
def test_callbacks_and_small_batches(tiny, pairs):
    steps = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    fine_tune(tiny, pairs, epochs=1, batch_size=5, callbacks=[count])
    assert len(steps) == 7  # 32 pairs in batches of 5


@WORSE
def test_an_encoder_from_a_saved_model_is_tuned_too(tiny, pairs, tmp_path):
    texts = [*pairs["base"], *pairs["ref"]]
    tiny.export(tmp_path / "exported")
    loaded = load_encoder(tmp_path / "exported")
    before = loaded.encode(texts)
    result, same = (
        fine_tune(encoder, pairs, epochs=1, optimizer=keras.optimizers.Adam(1e-2))
        for encoder in (loaded, tiny)
    )
    np.testing.assert_array_equal(loaded.encode(texts), before)
    after = same.encoder.encode(texts)
    assert np.abs(after - before).max() > 1e-2
    np.testing.assert_allclose(result.encoder.encode(texts), after, atol=1e-5)


def test_any_optimizer_where_nothing_was_left_out(tiny, pairs):
    optimizer = keras.optimizers.Lion(1e-3)
    result = fine_tune(
        tiny, pairs, validation_data=pairs, epochs=1, optimizer=optimizer
    )
    assert result.history["val_loss"][1] < result.history["val_loss"][0]


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        (keras.optimizers.AdamW(1e-3), "weight decay shrinks every row.*'table'"),
        (keras.optimizers.Adafactor(1e-3), "exact only for.*Received: Adafactor"),
    ],
)
def test_optimizers_that_would_not_be_exact(base, pairs, optimizer, message):
    with pytest.raises(ValueError, match=message):
        fine_tune(base, pairs, optimizer=optimizer)


def test_weight_decay_beside_the_table_is_allowed(base, pairs):
    """Where the base has more rows than the texts use."""
    base = base.compact([*pairs["base"], *pairs["ref"], "zebra"])
    optimizer = keras.optimizers.AdamW(1e-5)
    optimizer.exclude_from_weight_decay(var_names=["table"])

    class Begun(Exception):
        pass

    def begin(logs):
        raise Begun

    begun = [keras.callbacks.LambdaCallback(on_train_begin=begin)]
    with pytest.raises(Begun):
        fine_tune(base, pairs, optimizer=optimizer, callbacks=begun)


def test_at_least_one_epoch(tiny, pairs):
    for name in ("epochs", "steps_per_epoch", "batch_size"):
        with pytest.raises(
            ValueError, match=f"^{name} must be at least 1. Received: 0"
        ):
            fine_tune(tiny, pairs, **{name: 0})
        with pytest.raises(ValueError, match=f"^{name} must be an integer.*1.5"):
            fine_tune(tiny, pairs, **{name: 1.5})


def test_faults(tiny, pairs):
    with pytest.raises(ValueError, match=r"lacks the columns \['ref'\].*found"):
        fine_tune(tiny, pairs.drop(columns="ref"))
    with pytest.raises(ValueError, match=r"pairs, column similarity.*in \[0, 1\]"):
        fine_tune(tiny, pairs.assign(similarity=1.5))
    with pytest.raises(ValueError, match="1 rows cannot be split"):
        fine_tune(tiny, pairs.iloc[:1])
    with pytest.raises(ValueError, match="among.*Received: 'val_accuracy'"):
        fine_tune(tiny, pairs, early_stopping=EarlyStopping("val_accuracy"))
    with pytest.raises(ValueError, match="pairs, column base: expected a text.*nan"):
        fine_tune(tiny, pairs.assign(base=[float("nan")] * len(pairs)))


@pytest.fixture(scope="module")
def occupations():
    return load_occupations(shipped("occupations.csv")).query("language == 'en'")


@pytest.fixture(scope="module")
def positive_pairs(occupations):
    return positive_pairs_from_occupations(occupations)


class Share:
    """Figures that are set in advance, one for each call."""

    def __init__(self, **figures):
        self.figures, self.texts, self.calls = figures, ["a text of its own"], 0

    def __call__(self, encoder):
        encoder.encode(self.texts)
        self.calls += 1
        return {name: values[self.calls - 1] for name, values in self.figures.items()}


def test_positive_pairs_improve_held_out_retrieval(base, positive_pairs, occupations):
    training, validation = split_pairs(positive_pairs, 0.3, "group", seed=1)
    benchmark = DomainEvaluator(validation, occupations["preferredLabel"].tolist())
    base = base.compact([*np.ravel(training[["anchor", "positive"]]), *benchmark.texts])
    result = fine_tune(
        base,
        training,
        validation_data=validation,
        evaluators=[benchmark],
        early_stopping=EarlyStopping("mrr@10"),
        epochs=3,
        batch_size=32,
        seed=3,
    )
    history = result.history
    assert history["mrr@10"].iloc[1:].max() > history["mrr@10"][0] + 0.01
    assert history["loss"][3] < history["loss"][1]
    scored = benchmark(result.encoder)["mrr@10"]
    assert scored == pytest.approx(history["mrr@10"].iloc[1:].max(), abs=1e-6)
    assert benchmark(base)["mrr@10"] == pytest.approx(history["mrr@10"][0], abs=1e-6)


def test_negatives_are_trained_on(tiny, positive_pairs):
    few = mine_hard_negatives(tiny, positive_pairs.iloc[:32], count=1, output="columns")
    with_negatives, without = (
        fine_tune(
            tiny,
            TrainingSet(table, batch_size=8, batch_sampler="shuffled", seed=1),
            epochs=1,
            seed=1,
        )
        for table in (few, few.drop(columns="negative_1"))
    )
    assert with_negatives.history["val_loss"][0] > without.history["val_loss"][0]


def test_validation_without_the_negatives(tiny, positive_pairs):
    few = mine_hard_negatives(tiny, positive_pairs.iloc[:8], count=1, output="columns")
    with pytest.raises(ValueError, match=r"validation_data lacks.*\['negative_1'\]"):
        fine_tune(tiny, few, validation_data=positive_pairs.iloc[8:12])


def test_validation_without_the_scores(tiny, pairs):
    with pytest.raises(ValueError, match=r"validation_data lacks.*\['similarity'\]"):
        fine_tune(tiny, pairs, validation_data=pairs[["base", "ref"]])


def test_epochs_of_so_many_steps(tiny, positive_pairs):
    steps = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    result = fine_tune(
        tiny,
        positive_pairs.iloc[:40],
        epochs=3,
        steps_per_epoch=5,
        batch_size=16,
        early_stopping=EarlyStopping(patience=9),
        callbacks=[count],
    )
    assert len(steps) == 15 and len(result.history) == 4


def test_the_best_epoch_that_passes_the_guard_is_kept(tiny, positive_pairs):
    pairs = positive_pairs.iloc[:24]
    weights = []
    keep = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: weights.append(
            keep.model.get_weights() if keep.model else None
        )
    )
    measure = Share(good=[0.5, 0.6, 0.9, 0.7, 0.4], sts=[0.8, 0.8, 0.7, 0.8, 0.8])
    result = fine_tune(
        tiny,
        pairs,
        evaluators=[measure],
        early_stopping=EarlyStopping("good", guard={"sts": 0.75}),
        epochs=4,
        batch_size=8,
        callbacks=[keep],
    )
    assert result.history["good"].tolist() == measure.figures["good"]
    assert "watched" not in result.history
    own = [variable.numpy() for variable in result.encoder.trainable_variables]
    for kept, other, found in zip(weights[2], weights[1], own, strict=True):
        np.testing.assert_array_equal(found, kept)
        assert np.abs(found - other).max() > 0


def test_no_epoch_passes_the_guard(tiny, positive_pairs):
    measure = Share(sts=[0.8, 0.7, 0.7])
    with pytest.warns(UserWarning, match="no epoch reached the guard .'sts': 0.75."):
        result = fine_tune(
            tiny,
            positive_pairs.iloc[:24],
            evaluators=[measure],
            early_stopping=EarlyStopping(guard={"sts": 0.75}),
            epochs=2,
        )
    for a, b in zip(result.encoder.variables, tiny.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(ValueError, match="among.*'sts'.*Received: 'wer'"):
        fine_tune(
            tiny,
            positive_pairs,
            evaluators=[Share(sts=[1])],
            early_stopping=EarlyStopping(guard={"wer": 1}),
        )


@pytest.mark.real_data
def test_the_articles_figures(base):
    pairs = load_article_pairs()
    result = fine_tune(base, pairs, **ARTICLE_RECIPE)
    (data,) = result.data
    assert len(data.training) == 78 and len(data.validation) == 20
    assert 10 <= len(result.history) - 1 <= 14
    losses = result.history["val_loss"]
    assert losses[1] == pytest.approx(0.0063, abs=0.0004)
    assert losses.iloc[-1] == pytest.approx(0.0082, abs=0.0004)
    assert losses.iloc[1:].is_monotonic_increasing
    score = sts_benchmark(result.encoder, parsing="article")
    assert score.pearson == pytest.approx(0.835, abs=0.0015)
    assert score.pearson > sts_benchmark(base, parsing="article").pearson
    everything = sts_benchmark(result.encoder)
    assert everything.pearson == pytest.approx(0.8370, abs=0.001)
