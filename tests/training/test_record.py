import json
import os
import platform
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from usetune import fine_tune
from usetune.losses import GIST, Matryoshka, MultipleNegativesRanking
from usetune.training import EarlyStopping, TrainingSet
from usetune.training.callbacks import Kept
from usetune.training.record import describe_run

PAIRS = pd.DataFrame(
    {
        "anchor": [f"a {'very ' * row}long title" for row in range(20)],
        "positive": [f"title {row}" for row in range(20)],
        "label": range(20),
    }
)
CLASSES = pd.DataFrame(
    {"text": [f"text {row}" for row in range(24)], "label": [0, 1, 2] * 8}
)
QUIET = pytest.mark.filterwarnings("ignore:.*worse than its base", "ignore:.*collapsed")


@pytest.fixture(scope="module")
def tuned(tiny):
    loss = Matryoshka(MultipleNegativesRanking(scale=5.0), [16, 4])
    return fine_tune(tiny, PAIRS, loss=loss, batch_size=6, epochs=2, seed=3)


@QUIET
def test_what_was_trained(tiny, tuned):
    record = tuned.record.to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["base"] == {
        "class_name": "TinyEncoder",
        "name": "tiny",
        "dim": 16,
        "parameters": tiny.count_params(),
    }
    (data,) = record["data"]
    assert data["name"] == "" and data["format"] == "positive pairs"
    assert (data["batch_sampler"], data["batch_size"]) == ("shuffled", 6)
    (own,) = tuned.data
    assert data["rows"] == len(own.training) == 16
    assert data["validation_rows"] == len(own.validation) == 4
    lengths = own.training["anchor"].map(len)
    assert data["columns"]["anchor"] == {
        "of": "characters",
        "min": lengths.min(),
        "mean": pytest.approx(lengths.mean(), abs=1e-4),
        "max": lengths.max(),
    }
    labels = data["columns"]["label"]
    assert labels["of"] == "value"
    assert labels["max"] == own.training["label"].max()
    assert data["sample"] == own.training.head(3).to_dict("records")
    assert data["loss"]["class"] == "Matryoshka"
    assert data["loss"]["dims"] == [16, 4]
    assert data["loss"]["loss"]["class"] == "MultipleNegativesRanking"
    assert data["loss"]["loss"]["scale"] == 5.0
    assert "name" not in data["loss"]["loss"]


@QUIET
def test_how_it_was_trained(tuned):
    record = tuned.record
    assert record.settings == {
        "epochs": 2,
        "steps_per_epoch": 3,
        "mixing": "proportional",
        "monitor": "val_loss",
        "guard": {},
        "patience": 3,
        "min_delta": 0.0,
        "frozen": [],
        "mixed_precision": False,
    }
    assert record.optimizer["class"] == "FusedAdam"
    schedule = record.optimizer["learning_rate"]
    assert schedule["class"] == "CosineDecay"
    assert schedule["warmup_target"] == 5e-4
    (run,) = record.runs
    assert (run.seed, run.epochs, run.steps, run.resumed) == (3, 2, 6, 0)
    losses = tuned.history["val_loss"].iloc[1:]
    assert run.best_epoch == run.kept_epoch == losses.idxmin()
    assert run.seconds > 0


@QUIET
def test_where_it_was_trained(tuned):
    versions = tuned.record.versions
    assert versions["tensorflow"] == tf.__version__
    assert versions["keras"] == keras.__version__
    assert versions["python"] == platform.python_version()
    hardware = tuned.record.hardware
    assert hardware["cpus"] == os.cpu_count()
    assert len(hardware["gpus"]) == len(tf.config.list_physical_devices("GPU"))
    assert hardware["machine"] == platform.machine()
    text = json.dumps(tuned.record.to_dict())
    for secret in (platform.node(), os.getcwd(), os.path.expanduser("~")):
        assert secret not in text


@QUIET
def test_several_data_sets(tiny):
    record = fine_tune(
        tiny,
        [
            TrainingSet(PAIRS, loss=GIST(tiny), name="one"),
            TrainingSet(CLASSES, name="two"),
        ],
        mixing="round_robin",
        optimizer=keras.optimizers.Adam(0.5),
        frozen=["embedding"],
        mixed_precision=True,
        early_stopping=EarlyStopping(guard={"val_loss": 0.0}),
        epochs=1,
    ).record.to_dict()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert [part["name"] for part in record["data"]] == ["one", "two"]
    losses = [part["loss"]["class"] for part in record["data"]]
    assert losses == ["GIST", "BatchHardSoftMargin"]
    assert record["data"][1]["format"] == "texts with a class"
    assert record["optimizer"]["class"] == "LossScaleOptimizer"
    assert record["optimizer"]["inner_optimizer"]["class"] == "Adam"
    assert record["optimizer"]["inner_optimizer"]["learning_rate"] == 0.5
    settings = record["settings"]
    assert settings["mixing"] == "round_robin" and settings["mixed_precision"]
    assert settings["frozen"] == ["embedding"] and settings["guard"] == {
        "val_loss": 0.0
    }


@QUIET
def test_a_resumed_training(tiny, tmp_path):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs):
            if epoch == 1:
                raise KeyboardInterrupt

    settings = {"checkpoint": tmp_path / "run.npz", "epochs": 3, "batch_size": 4}
    with pytest.raises(KeyboardInterrupt):
        fine_tune(tiny, PAIRS, callbacks=[Stop()], **settings)
    (run,) = fine_tune(tiny, PAIRS, **settings).record.runs
    assert run.epochs == 3 and run.steps == 12
    assert run.resumed in (1, 2)


@pytest.mark.parametrize(
    ("kept", "expected"),
    [
        (Kept(3, -0.5, [np.ones(2)]), (3, 3)),
        (Kept(4, -0.5, [np.ones(2)]), (4, 4)),
        # Of the training loss no weights are kept: they are the last epoch's.
        (Kept(3, -0.5, None), (3, 4)),
        # No epoch was good enough: the weights from before training.
        (None, (0, 0)),
    ],
)
def test_the_epoch_that_is_kept(kept, expected):
    best = SimpleNamespace(rows=[{}] * 4, kept=kept)
    run = describe_run(best, seed=7, steps=5, resumed=2, seconds=1.26)
    assert (run.best_epoch, run.kept_epoch) == expected
    assert (run.seed, run.steps, run.epochs) == (7, 20, 4)
    assert run.resumed == 2 and run.seconds == 1.3
