"""fine_tune on every shape of data, on several data sets, and on several devices."""

import subprocess
import sys

import keras
import numpy as np
import pandas as pd
import pytest

from tests import ROOT
from tests.fakes.tiny_encoder import TinyEncoder
from usetune import angular_similarity, fine_tune, load_occupations
from usetune.data import (
    mine_hard_negatives,
    pairs_from_triplets,
    positive_pairs_from_occupations,
)
from usetune.data.sources import shipped
from usetune.losses import (
    GIST,
    AnglE,
    Cached,
    Contrastive,
    CoSENT,
    Matryoshka,
    MegaBatchMargin,
    MultipleNegativesRanking,
    Softmax,
)
from usetune.training import (
    LOSSES_FOR,
    EarlyStopping,
    FusedAdam,
    TrainingSet,
    warmup_cosine,
)


@pytest.fixture(scope="module")
def tables(tiny):
    """The same job titles in every shape."""
    occupations = load_occupations(shipped("occupations.csv")).query("language == 'en'")
    positive = (
        positive_pairs_from_occupations(occupations).iloc[:48].drop(columns="group")
    )
    with_negatives = mine_hard_negatives(tiny, positive, count=1, output="columns")
    triplets = with_negatives.rename(columns={"negative_1": "negative"})
    binary = pairs_from_triplets(triplets.drop(columns="occupation"))
    cosines = np.where(binary["label"] == 1, 0.7, 0.0)
    scores = np.asarray(angular_similarity(cosines))
    labels = positive.drop_duplicates("positive")
    texts = [*positive["anchor"], *labels["positive"]]
    owners = [*positive["occupation"], *labels["occupation"]]
    classes = pd.DataFrame({"text": texts, "label": pd.factorize(np.array(owners))[0]})
    return {
        "scored pairs": binary.drop(columns="label").assign(similarity=scores),
        "pairs labelled 0 or 1": binary,
        "pairs labelled with a class": binary.assign(label=binary["label"] * 2),
        "positive pairs": positive,
        "triplets": triplets,
        "texts with a class": classes,
    }


CASES = [(name, loss) for name, losses in LOSSES_FOR.items() for loss in losses]


@pytest.mark.filterwarnings(
    "ignore:.*alone in their class", "ignore:.*worse than its base"
)
@pytest.mark.parametrize(
    ("name", "loss"), CASES, ids=[f"{name}-{loss.__name__}" for name, loss in CASES]
)
def test_every_loss_learns(tiny, tables, name, loss):
    table = tables[name]
    if loss is AnglE and name == "positive pairs":
        table = tables["triplets"].rename(columns={"negative": "negative_1"})
    loss = loss(3) if loss is Softmax else loss(tiny) if loss is GIST else loss()
    history = fine_tune(
        tiny,
        table,
        validation_data=table,
        loss=loss,
        epochs=3,
        batch_size=16,
        optimizer=FusedAdam(3e-3),
        seed=2,
    ).history
    assert history["val_loss"][3] < 0.99 * history["val_loss"][0]
    assert np.isfinite(history.drop(index=0).to_numpy()).all()


def test_a_classifier_starts_anew_each_time(tiny, tables):
    pairs, loss = tables["pairs labelled with a class"], Softmax(3)
    first, second = (fine_tune(tiny, pairs, loss=loss, epochs=2) for _ in range(2))
    pd.testing.assert_frame_equal(first.history, second.history)
    other = fine_tune(tiny, pairs, loss=Softmax(3, seed=1), epochs=2)
    assert other.history["loss"][1] != first.history["loss"][1]


def test_cached_and_matryoshka(tiny, tables):
    pairs = tables["positive pairs"]
    loss = Matryoshka(MultipleNegativesRanking(), [16, 4])
    settings = {"epochs": 2, "batch_size": 24, "seed": 1}
    plain = fine_tune(tiny, pairs, loss=loss, **settings)
    cached = fine_tune(tiny, pairs, loss=Cached(loss, 5), **settings)
    np.testing.assert_allclose(cached.history.loc[1:], plain.history.loc[1:], rtol=1e-4)
    texts = pairs["anchor"].tolist()
    np.testing.assert_allclose(
        cached.encoder.encode(texts), plain.encoder.encode(texts), atol=1e-4
    )
    with pytest.raises(ValueError, match="Cached is for a training on one data set"):
        both = [TrainingSet(pairs, loss=Cached(loss), name="a"), TrainingSet(pairs)]
        fine_tune(tiny, both)


@pytest.mark.filterwarnings("ignore:.*alone in their class")
@pytest.mark.parametrize("mixing", ["proportional", "round_robin"])
def test_several_data_sets(tiny, tables, mixing):
    names = ["positive pairs", "scored pairs", "texts with a class", "triplets"]
    result = fine_tune(
        tiny,
        [
            TrainingSet(
                tables[name],
                loss=GIST(tiny) if name == "triplets" else None,
                batch_size=16,
                seed=1,
                name=name,
            )
            for name in names
        ],
        mixing=mixing,
        epochs=3,
        early_stopping=EarlyStopping(patience=9),
        seed=1,
    )
    history = result.history
    assert history["val_loss"].iloc[1:].min() < history["val_loss"][0]
    for name, data in zip(names, result.data, strict=True):
        assert history[f"val_loss_{name}"][0] > 0
        assert len(data.training) + len(data.validation) <= len(tables[name])
    # The loss of all is the mean of each one's, weighted with its examples.
    sizes = [len(data.validation) for data in result.data]
    own = [history[f"val_loss_{name}"][0] for name in names]
    if not any(np.isnan(own)):
        mean = np.average(own, weights=sizes)
        assert history["val_loss"][0] == pytest.approx(mean, rel=1e-4)


def test_one_of_several_data_sets_alone_is_the_same(tiny, tables):
    """A data set's own loss, in a mixture, is what it has alone."""
    pairs = tables["positive pairs"]
    validation = {"a": pairs.iloc[:16], "b": pairs.iloc[16:32]}
    sets = [
        TrainingSet(pairs, validation[name], batch_size=16, name=name) for name in "ab"
    ]
    both = fine_tune(tiny, sets, epochs=1)
    for name, own in zip("ab", sets, strict=True):
        alone = fine_tune(tiny, own, epochs=1)
        start = both.history[f"val_loss_{name}"][0]
        assert start == pytest.approx(alone.history["val_loss"][0], rel=1e-5)


def test_faults_of_several_data_sets(tiny, tables):
    pairs = tables["positive pairs"]
    sets = [TrainingSet(pairs, name="a"), TrainingSet(pairs, name="a")]
    with pytest.raises(ValueError, match=r"a name each.*\['a', 'a'\]"):
        fine_tune(tiny, sets)
    with pytest.raises(ValueError, match="one at least"):
        fine_tune(tiny, [])
    with pytest.raises(ValueError, match=r"\['loss'\] belong to each TrainingSet"):
        fine_tune(tiny, sets[:1], loss=MultipleNegativesRanking())
    with pytest.raises(ValueError, match="one or several TrainingSet.*str in a dict"):
        fine_tune(tiny, {"a": pairs})
    with pytest.raises(ValueError, match="pairs b, column anchor: expected a text"):
        TrainingSet(pairs.assign(anchor=""), name="b")


def test_frozen_parts_stay_as_they_are(tiny, tables):
    pairs = tables["positive pairs"]
    result = fine_tune(tiny, pairs, frozen=["embed", "bias"], epochs=1)
    moved = [
        not np.array_equal(a, b)
        for a, b in zip(result.encoder.variables, tiny.variables, strict=True)
    ]
    assert [variable.path for variable in tiny.variables] == [
        "embedding/kernel",
        "projection/kernel",
        "projection/bias",
    ]
    assert moved == [False, True, False]
    assert all(variable.trainable for variable in result.encoder.variables)
    with pytest.raises(ValueError, match="'convolutions' is found in no variable"):
        fine_tune(tiny, pairs, frozen=["convolutions"])


def test_rates_of_parts(tiny, tables):
    """With Adam's first step each weight moves by its learning rate."""
    pairs = tables["positive pairs"].iloc[:20]
    rates = {"projection/kernel": 0.1, "projection": 0.5}
    optimizer = FusedAdam(1e-3, rates=rates)
    assert FusedAdam.from_config(optimizer.get_config()).rates == rates
    result = fine_tune(tiny, pairs, epochs=1, optimizer=optimizer)
    moved = [
        np.abs(np.subtract(a, b)).max()
        for a, b in zip(result.encoder.variables, tiny.variables, strict=True)
    ]
    np.testing.assert_allclose(moved, [1e-3, 1e-4, 5e-4], rtol=0.02)
    with pytest.raises(ValueError, match="'tail' is found in no variable"):
        fine_tune(tiny, pairs, optimizer=FusedAdam(rates={"tail": 0.1}))


def test_the_default_rate_is_that_of_the_loss(tiny, tables):
    positive, binary = tables["positive pairs"], tables["pairs labelled 0 or 1"]

    def peak(pairs, **settings):
        record = fine_tune(tiny, pairs, epochs=1, **settings).record
        schedule = record.optimizer["learning_rate"]
        return schedule["warmup_target"] or schedule["initial_learning_rate"]

    assert peak(positive) == 5e-4
    assert peak(positive, loss=Matryoshka(MultipleNegativesRanking(), [16])) == 5e-4
    assert peak(binary) == peak(binary, loss=Contrastive()) == 3e-4
    assert peak(tables["scored pairs"], loss=CoSENT()) == 1e-4
    sets = [TrainingSet(positive, positive, name=name) for name in ("one", "two")]
    assert peak(sets) == 5e-4
    assert peak([*sets, TrainingSet(binary, binary, name="three")]) == 3e-4


def test_accumulated_gradients_are_those_of_a_larger_batch(tiny, tables):
    pairs = tables["scored pairs"].iloc[:40]
    settings = {"validation_data": pairs, "epochs": 1, "seed": 3}
    large = fine_tune(tiny, pairs, batch_size=20, optimizer=FusedAdam(1e-4), **settings)
    parts = fine_tune(
        tiny,
        pairs,
        batch_size=5,
        optimizer=FusedAdam(1e-4, gradient_accumulation_steps=4),
        **settings,
    )
    texts = pairs["base"].tolist()
    before = tiny.encode(texts)
    expected, found = (result.encoder.encode(texts) for result in (large, parts))
    assert np.abs(expected - before).max() > 1e-3
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_mixed_precision_changes_nothing_on_a_cpu(tiny, tables):
    pairs = tables["scored pairs"].iloc[:20]
    plain = fine_tune(tiny, pairs, epochs=2)
    mixed = fine_tune(tiny, pairs, epochs=2, mixed_precision=True)
    np.testing.assert_allclose(mixed.history, plain.history, rtol=1e-4)


@pytest.mark.filterwarnings("ignore:.*worse than its base")
@pytest.mark.parametrize("sampler", ["shuffled", "no_duplicates", "by_length"])
def test_batches(tiny, tables, sampler):
    """Each of them shows every example once in a pass."""
    seen = []
    count = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: seen.append(batch)
    )
    result = fine_tune(
        tiny,
        TrainingSet(tables["positive pairs"], batch_size=8, batch_sampler=sampler),
        epochs=1,
        callbacks=[count],
    )
    least = -(-len(result.data[0].training) // 8)
    # Labels of one occupation are never together, which may take more batches.
    assert len(seen) == least or sampler == "no_duplicates" and len(seen) > least
    assert result.history["val_loss"][1] != result.history["val_loss"][0]


def test_logs(tiny, tables, tmp_path):
    fine_tune(tiny, tables["scored pairs"].iloc[:20], epochs=2, log_dir=tmp_path / "a")
    log = pd.read_csv(tmp_path / "a" / "log.csv")
    assert log["epoch"].tolist() == [0, 1] and {"loss", "val_loss"} <= {*log}
    assert list(tmp_path.glob("a/train/events*"))
    with pytest.raises(ValueError, match="log.csv is of another training.*columns: ."):
        fine_tune(tiny, tables["triplets"], epochs=1, log_dir=tmp_path / "a")


# Keras leaves the log open where a training is interrupted.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.filterwarnings("ignore:.*worse than its base")
def test_logs_of_a_training_that_goes_on(tiny, tables, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 1:
                raise KeyboardInterrupt

    def train(*callbacks, **changes):
        settings = {"checkpoint": tmp_path / "a.npz", "log_dir": tmp_path, **changes}
        pairs = tables["scored pairs"].iloc[:20]
        fine_tune(tiny, pairs, epochs=2, callbacks=callbacks, **settings)

    with pytest.raises(KeyboardInterrupt):
        train(Stop())
    with pytest.raises(ValueError, match="log.csv is of another training"):
        train(checkpoint=tmp_path / "b.npz")
    train()
    assert pd.read_csv(tmp_path / "log.csv")["epoch"].tolist() == [0, 1]


@pytest.mark.filterwarnings("ignore:.*(hold no negatives|0 whatever is learned)")
@pytest.mark.parametrize(
    "loss", ["ranking", "symmetric", "cached", "margin", "guided", "cut"]
)
def test_answers_to_one_question_do_not_push_each_other(tiny, loss):
    """Nothing moves, in one data set or in two of different widths."""
    symmetric = {
        "directions": ("query_to_doc", "doc_to_query"),
        "partition": "per_direction",
    }
    losses = {
        "ranking": MultipleNegativesRanking(),
        "symmetric": MultipleNegativesRanking(**symmetric),
        "cached": Cached(MultipleNegativesRanking(), 3),
        "margin": MegaBatchMargin(-1.0, -1.0),
        "guided": GIST(TinyEncoder(seed=5)),
        "cut": Matryoshka(MultipleNegativesRanking(), [16, 4]),
    }
    answers = pd.DataFrame(
        {"anchor": "why", "positive": [f"for {n}" for n in range(9)]}
    )
    # A positive of the question, as a negative of another: no negative of the question.
    harder = answers.assign(negative_1=answers["positive"].tolist()[::-1])
    narrow = TrainingSet(answers, answers, loss=losses[loss], name="narrow")
    sets = [narrow]
    if loss not in ("cached", "margin"):
        again = losses[loss].from_config(losses[loss].get_config())
        if loss == "guided":
            again.guide = tiny
        wide = {"batch_sampler": "shuffled", "name": "wide"}
        sets.append(TrainingSet(harder, harder, loss=again, **wide))
    history = fine_tune(tiny, sets, epochs=1).history
    np.testing.assert_allclose(history[["loss", "val_loss"]].iloc[1:], 0, atol=1e-6)


TWO_DEVICES = """
import numpy as np, pandas as pd, tensorflow as tf
from tests.fakes.tiny_encoder import TinyEncoder
(cpu,) = tf.config.list_physical_devices("CPU")
parts = [tf.config.LogicalDeviceConfiguration()] * 2
tf.config.set_logical_device_configuration(cpu, parts)
from usetune import fine_tune, load_encoder, load_pairs
from usetune.data.sources import shipped
pairs = load_pairs(shipped("training_data.csv")).iloc[:20]
texts = [*pairs["base"], *pairs["ref"]]
base = load_encoder().compact(texts)
one = fine_tune(base, pairs, epochs=1, seed=1)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
with strategy.scope():
    two = fine_tune(base, pairs, epochs=1, seed=1)
# Answers to one question are no negatives of each other on any device.
answers = pd.DataFrame({"anchor": "why", "positive": [f"for {n}" for n in range(9)]})
with strategy.scope():
    tiny = TinyEncoder()
    same = fine_tune(tiny, answers, validation_data=answers, epochs=1)
assert not same.history["loss"].any(), same.history
print(
    strategy.num_replicas_in_sync,
    np.abs(one.encoder.encode(texts) - two.encoder.encode(texts)).max(),
    np.abs(one.encoder.encode(texts) - base.encode(texts)).max(),
)
"""


def test_several_devices_give_the_same_weights():
    found = subprocess.run(
        [sys.executable, "-c", TWO_DEVICES], cwd=ROOT, capture_output=True, text=True
    )
    assert found.returncode == 0, found.stderr[-2000:]
    replicas, difference, moved = found.stdout.split()
    assert int(replicas) == 2
    assert float(difference) < 1e-4 < 1e-3 < float(moved)


@pytest.mark.filterwarnings("ignore:.*worse than its base")
def test_the_schedule_is_followed(tiny, tables):
    rates = []
    schedule = warmup_cosine(1e-3, 12)
    keep = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: rates.append(
            float(keep.model.optimizer.learning_rate)
        )
    )
    fine_tune(
        tiny,
        tables["positive pairs"],
        epochs=2,
        steps_per_epoch=6,
        batch_size=8,
        optimizer=FusedAdam(schedule),
        callbacks=[keep],
    )
    expected = [float(schedule(step)) for step in range(1, 13)]
    np.testing.assert_allclose(rates, expected, rtol=1e-5)
