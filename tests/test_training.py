import keras
import numpy as np
import pandas as pd
import pytest

from usetune import (
    ARTICLE_RECIPE,
    FineTuned,
    fine_tune,
    load_article_pairs,
    load_encoder,
    load_pairs,
    sts_benchmark,
)
from usetune.datasets import shipped

PROBE = ["data scientist", "pastry cook", "Una donna sta suonando la chitarra."]


@pytest.fixture(scope="module")
def pairs():
    return load_pairs(shipped("training_data.csv")).iloc[:40]


@pytest.fixture(scope="module")
def tuned(base, pairs):
    return fine_tune(base, pairs, epochs=3, seed=7)


def test_learns(tuned):
    assert isinstance(tuned, FineTuned)
    losses = tuned.history["val_loss"]
    assert list(tuned.history.index) == [0, 1, 2, 3]
    assert losses[3] < losses[0]
    assert tuned.history["loss"][3] < tuned.history["loss"][1]
    assert np.isnan(tuned.history["loss"][0])


def test_the_base_keeps_its_weights(base, tuned):
    fresh = load_encoder()
    for a, b in zip(base.weights, fresh.weights, strict=True):
        np.testing.assert_array_equal(a, b)
    assert np.abs(tuned.encoder.encode(PROBE) - base.encode(PROBE)).max() > 1e-3
    assert tuned.encoder.count_params() == 68_927_232


def test_three_equal_runs_give_equal_weights(base, pairs, tuned):
    for _ in range(2):
        again = fine_tune(base, pairs, epochs=3, seed=7)
        pd.testing.assert_frame_equal(again.history, tuned.history)
        for a, b in zip(again.encoder.weights, tuned.encoder.weights, strict=True):
            np.testing.assert_array_equal(a, b)


def test_another_seed_gives_another_order(base, pairs, tuned):
    other = fine_tune(base, pairs, epochs=1, seed=8)
    assert other.history["val_loss"][1] != tuned.history["val_loss"][1]


def test_split(base, pairs):
    tail = fine_tune(base, pairs, epochs=1, **ARTICLE_RECIPE)
    assert list(tail.validation.index) == list(pairs.index[-8:])
    assert list(tail.training.index) == list(pairs.index[:-8])


def test_best_weights_are_kept(base, pairs):
    """A learning rate that destroys: the best epoch is the first, or near it."""
    result = fine_tune(
        base, pairs, epochs=6, patience=2, optimizer=keras.optimizers.Adam(0.02)
    )
    losses = result.history["val_loss"].iloc[1:]
    assert losses.idxmin() < len(losses)
    validation = result.validation
    u = result.encoder.encode(validation["base"].tolist())
    v = result.encoder.encode(validation["ref"].tolist())
    cosine = np.clip((u * v).sum(1), -0.99999, 0.99999)
    scores = 1 - np.arccos(cosine) / np.pi
    loss = np.mean((scores - validation["similarity"]) ** 2)
    assert loss == pytest.approx(losses.min(), rel=1e-3)


def test_early_stopping_on_the_training_loss(base, pairs):
    result = fine_tune(base, pairs, monitor="loss", min_delta=1.0, patience=2)
    assert len(result.history) - 1 == 3


def test_tensorboard_logs(base, pairs, tmp_path):
    fine_tune(base, pairs, epochs=1, log_dir=tmp_path)
    assert list(tmp_path.glob("train/events*")) and list(
        tmp_path.glob("validation/events*")
    )


def test_callbacks_and_small_batches(base, pairs):
    steps = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: steps.append(batch)
    )
    fine_tune(base, pairs, epochs=1, batch_size=5, callbacks=[count])
    assert len(steps) == 7  # 32 pairs in batches of 5


def test_an_encoder_from_a_saved_model_is_tuned_too(base, pairs, tmp_path):
    texts = [*pairs["base"], *pairs["ref"]]
    base.compact(texts).export(tmp_path / "exported")
    loaded = load_encoder(tmp_path / "exported")
    before = loaded.encode(texts)
    result = fine_tune(loaded, pairs, epochs=1, seed=7)
    np.testing.assert_array_equal(loaded.encode(texts), before)
    same = fine_tune(base, pairs, epochs=1, seed=7)
    np.testing.assert_allclose(
        result.encoder.encode(texts), same.encoder.encode(texts), atol=1e-5
    )


def test_any_optimizer_where_nothing_was_left_out(base, pairs):
    full = base.compact([*pairs["base"], *pairs["ref"]])
    result = fine_tune(full, pairs, epochs=1, optimizer=keras.optimizers.Lion(1e-5))
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
    optimizer = keras.optimizers.AdamW(1e-5)
    optimizer.exclude_from_weight_decay(var_names=["table"])
    result = fine_tune(base, pairs, epochs=1, optimizer=optimizer)
    assert result.history["val_loss"][1] < result.history["val_loss"][0]


def test_faults(base, pairs):
    with pytest.raises(ValueError, match=r"pairs lacks \['ref'\]"):
        fine_tune(base, pairs.drop(columns="ref"))
    with pytest.raises(ValueError, match=r"\[0, 1\] in every row"):
        fine_tune(base, pairs.assign(similarity=1.5))
    with pytest.raises(ValueError, match="1 rows cannot be split"):
        fine_tune(base, pairs.iloc[:1])
    with pytest.raises(ValueError, match="monitor must be one of.*'val_accuracy'"):
        fine_tune(base, pairs, monitor="val_accuracy")
    with pytest.raises(TypeError, match=r"texts\[0\].*nan"):
        fine_tune(base, pairs.assign(base=[float("nan")] * len(pairs)))


@pytest.mark.real_data
def test_the_articles_figures(base):
    pairs = load_article_pairs()
    result = fine_tune(base, pairs, **ARTICLE_RECIPE)
    assert len(result.training) == 78 and len(result.validation) == 20
    assert 10 <= len(result.history) - 1 <= 11
    losses = result.history["val_loss"]
    assert losses[1] == pytest.approx(0.0063, abs=0.0004)
    assert losses.iloc[-1] == pytest.approx(0.0082, abs=0.0004)
    assert losses.iloc[1:].is_monotonic_increasing
    score = sts_benchmark(result.encoder, parsing="article")
    assert score.pearson == pytest.approx(0.835, abs=0.0015)
    assert score.pearson > sts_benchmark(base, parsing="article").pearson
    everything = sts_benchmark(result.encoder)
    assert everything.pearson == pytest.approx(0.8370, abs=0.001)
