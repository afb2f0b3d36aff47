from dataclasses import replace

import keras
import numpy as np
import pandas as pd
import pytest

from tests.fakes.tiny_encoder import TinyEncoder
from usetune import (
    DomainEvaluator,
    fine_tune,
    fine_tune_soup,
    interpolate,
    load_pairs,
    split_pairs,
)
from usetune.data.sources import shipped
from usetune.encoders.base import ProjectedEncoder
from usetune.training import TrainingSet, trade_off

QUIET = pytest.mark.filterwarnings("ignore:.*worse than its base", "ignore:.*collapsed")


def example_pairs(count=24):
    return load_pairs(shipped("training_data.csv")).iloc[:count]


@QUIET
def test_the_soup_is_the_average_of_its_members(tiny):
    pairs = example_pairs()
    rate = keras.optimizers.schedules.CosineDecay(1e-2, 9)
    optimizer = keras.optimizers.Adam(rate)
    settings = {"seed": 5, "epochs": 2, "optimizer": optimizer}
    soup = fine_tune_soup(tiny, pairs, members=3, **settings)
    # One split: the validation is held out from every member.
    training, validation = split_pairs(pairs, seed=5)
    (data,) = soup.data
    pd.testing.assert_frame_equal(data.training, training)
    pd.testing.assert_frame_equal(data.validation, validation)
    # Each member has an optimizer of its own.
    assert not optimizer.built
    assert soup.record.optimizer["learning_rate"]["initial_learning_rate"] == 1e-2
    members = []
    for seed in (5, 6, 7):
        settings |= {"seed": seed, "optimizer": keras.optimizers.Adam(rate)}
        sets = TrainingSet(training, validation)
        members.append(fine_tune(tiny, sets, **settings))
    weights = [member.encoder.variables for member in members]
    for average, *parts in zip(soup.encoder.variables, *weights, strict=True):
        np.testing.assert_allclose(average, np.mean(parts, axis=0), atol=1e-6)
    for one, two in zip(weights, [*weights[1:], weights[0]], strict=True):
        assert np.abs(one[1].numpy() - two[1]).max() > 1e-4
    assert soup.history.index.names == ["member", "epoch"]
    for number, member in enumerate(members):
        pd.testing.assert_frame_equal(soup.history.loc[number], member.history)
        for name in ("base", "data", "optimizer", "settings", "versions"):
            assert getattr(soup.record, name) == getattr(member.record, name)
        found, (own,) = soup.record.runs[number], member.record.runs
        assert replace(found, seconds=0) == replace(own, seconds=0)
    assert [run.seed for run in soup.record.runs] == [5, 6, 7]


@QUIET
def test_a_soup_of_several_data_sets(tiny):
    sets = [
        TrainingSet(example_pairs(), split="tail", name="one"),
        TrainingSet(example_pairs(16), example_pairs(16), name="two"),
    ]
    soup = fine_tune_soup(tiny, sets, members=2, epochs=1)
    assert soup.data == tuple(sets)
    pd.testing.assert_frame_equal(sets[1].validation, example_pairs(16))
    one = pd.concat([sets[0].training, sets[0].validation], ignore_index=True)
    pd.testing.assert_frame_equal(one, example_pairs())


@QUIET
def test_each_member_has_its_checkpoint_and_its_logs(tiny, tmp_path):
    class Stop(keras.callbacks.Callback):
        trainings = 0

        def on_train_begin(self, logs=None):
            self.trainings += 1

        def on_epoch_begin(self, epoch, logs=None):
            if (self.trainings, epoch) == (2, 1):
                raise KeyboardInterrupt

    pairs, logs = example_pairs(), tmp_path / "logs"
    settings = {"members": 2, "epochs": 2, "seed": 3}
    kept = settings | {"checkpoint": str(tmp_path / "run.npz")}
    with pytest.raises(KeyboardInterrupt):
        fine_tune_soup(tiny, pairs, callbacks=[Stop()], **kept)
    resumed = fine_tune_soup(tiny, pairs, log_dir=str(logs), **kept)
    whole = fine_tune_soup(tiny, pairs, **settings)
    for a, b in zip(resumed.encoder.variables, whole.encoder.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    pd.testing.assert_frame_equal(resumed.history, whole.history)
    assert [run.resumed for run in resumed.record.runs] == [2, 1]
    files = sorted(path.name for path in tmp_path.iterdir())
    assert files == ["logs", "run.0.npz", "run.1.npz"]
    assert sorted(path.name for path in logs.iterdir()) == ["member_0", "member_1"]
    assert (logs / "member_1" / "log.csv").exists()


def test_members_must_be_positive(tiny):
    with pytest.raises(ValueError, match="at least 1. Received: 0"):
        fine_tune_soup(tiny, None, members=0)


def test_trade_off(tiny):
    pairs = pd.DataFrame(
        {
            "anchor": ["software coder", "bread maker", "sick nurse"],
            "positive": ["programmer", "baker", "nurse"],
        }
    )
    domain = DomainEvaluator(pairs, ["programmer", "baker", "nurse", "cook"])
    tuned = TinyEncoder(seed=1)

    def kept(encoder):
        return {"kept": float(encoder.encode(["baker"])[0, 0])}

    table = trade_off(tiny, tuned, [0, 0.5, 1], domain, [kept], samples=20)
    assert table["alpha"].tolist() == [0, 0.5, 1]
    assert table["kept"].nunique() == 3 and table["margin"].nunique() == 3
    middle = interpolate(tiny, tuned, 0.5)
    for row, encoder in zip(range(3), (tiny, middle, tuned), strict=True):
        for name, value in {**domain(encoder), **kept(encoder)}.items():
            assert table.loc[row, name] == pytest.approx(value, abs=1e-6)
    assert (table["margin_low"] <= table["margin"]).all()
    assert (table["margin"] <= table["margin_high"]).all()


def test_interpolate(tiny, monkeypatch):
    monkeypatch.setattr("usetune.training.averaging._ROWS", 7)
    tuned = tiny.copy()
    for variable in tuned.variables:
        variable.assign(variable.value + 2)
    before = [variable.numpy() for variable in tiny.variables]
    for alpha in (0, 0.25, 1):
        mixed = interpolate(tiny, tuned, alpha)
        for a, b, c in zip(mixed.variables, before, tiny.variables, strict=True):
            np.testing.assert_allclose(a, b + 2 * alpha, atol=1e-5)
            np.testing.assert_array_equal(b, c)


def test_interpolate_faults(tiny):
    with pytest.raises(ValueError, match=r"\[0, 1\]. Received: 1.5"):
        interpolate(tiny, tiny, 1.5)
    with pytest.raises(ValueError, match="same shapes"):
        interpolate(tiny, TinyEncoder(8), 0.5)


def test_interpolate_needs_the_same_projections(tiny):
    turned = tiny.truncate(8)
    mixed = interpolate(turned, turned.copy(), 0.5)
    np.testing.assert_allclose(mixed.encode(["cook"]), turned.encode(["cook"]), 1e-6)
    other = ProjectedEncoder(tiny, -np.eye(16)[:, :8])
    for base, tuned in ((tiny, turned), (turned, tiny), (turned, other)):
        with pytest.raises(ValueError, match="same projections"):
            interpolate(base, tuned, 0.5)
