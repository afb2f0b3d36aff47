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
from usetune.training.record import describe_outcome

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
    record = tuned.record
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["base"] == {
        "class": "TinyEncoder",
        "name": "tiny",
        "dim": 16,
        "parameters": tiny.count_params(),
    }
    (data,) = record["data"]
    assert data["name"] == "" and data["shape"] == "positive pairs"
    assert (data["batches"], data["batch_size"]) == ("shuffled", 6)
    assert data["training"]["rows"] == len(tuned.training) == 16
    assert data["validation"]["rows"] == len(tuned.validation) == 4
    lengths = tuned.training["anchor"].map(len)
    assert data["training"]["columns"]["anchor"] == {
        "of": "characters",
        "min": lengths.min(),
        "mean": pytest.approx(lengths.mean(), abs=1e-4),
        "max": lengths.max(),
    }
    labels = data["training"]["columns"]["label"]
    assert labels["of"] == "value"
    assert labels["max"] == tuned.training["label"].max()
    assert data["training"]["sample"] == tuned.training.head(3).to_dict("records")
    assert data["loss"]["class"] == "Matryoshka"
    assert data["loss"]["dims"] == [16, 4]
    assert data["loss"]["loss"]["class"] == "MultipleNegativesRanking"
    assert data["loss"]["loss"]["scale"] == 5.0
    assert "name" not in data["loss"]["loss"]


@QUIET
def test_how_it_was_trained(tuned):
    record = tuned.record
    assert record["settings"] == {
        "epochs": 2,
        "steps_per_epoch": 3,
        "mixing": "proportional",
        "monitor": "val_loss",
        "guard": None,
        "patience": 3,
        "min_delta": 0.0,
        "seed": 3,
        "frozen": [],
        "mixed_precision": False,
    }
    assert record["optimizer"]["class"] == "FusedAdam"
    schedule = record["optimizer"]["learning_rate"]
    assert schedule["class"] == "CosineDecay"
    assert schedule["warmup_target"] == 5e-4
    assert (record["epochs"], record["steps"], record["resumed"]) == (2, 6, 0)
    losses = tuned.history["val_loss"].iloc[1:]
    assert record["best_epoch"] == record["kept_epoch"] == losses.idxmin()
    assert record["seconds"] > 0


@QUIET
def test_where_it_was_trained(tuned):
    versions = tuned.record["versions"]
    assert versions["tensorflow"] == tf.__version__
    assert versions["keras"] == keras.__version__
    assert versions["python"] == platform.python_version()
    hardware = tuned.record["hardware"]
    assert hardware["cpus"] == os.cpu_count()
    assert len(hardware["gpus"]) == len(tf.config.list_physical_devices("GPU"))
    assert hardware["machine"] == platform.machine()
    text = json.dumps(tuned.record)
    for secret in (platform.node(), os.getcwd(), os.path.expanduser("~")):
        assert secret not in text


@QUIET
def test_several_data_sets(tiny):
    record = fine_tune(
        tiny,
        {"one": PAIRS, "two": CLASSES},
        loss={"one": GIST(tiny)},
        mixing="round_robin",
        optimizer=keras.optimizers.Adam(0.5),
        frozen=["embedding"],
        mixed_precision=True,
        guard={"val_loss": 0.0},
        epochs=1,
    ).record
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert [part["name"] for part in record["data"]] == ["one", "two"]
    losses = [part["loss"]["class"] for part in record["data"]]
    assert losses == ["GIST", "BatchHardSoftMargin"]
    assert record["data"][1]["shape"] == "texts with a class"
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
    record = fine_tune(tiny, PAIRS, **settings).record
    assert record["epochs"] == 3 and record["steps"] == 12
    assert record["resumed"] in (1, 2)


@pytest.mark.parametrize(
    ("best", "waited", "weights", "expected"),
    [
        (-0.5, 1, [np.ones(2)], (3, 3)),
        (-0.5, 0, [np.ones(2)], (4, 4)),
        # Of the training loss no weights are kept: they are the last epoch's.
        (-0.5, 1, None, (3, 4)),
        # No epoch was good enough: the weights from before training.
        (-np.inf, 4, None, (0, 0)),
    ],
)
def test_the_epoch_that_is_kept(best, waited, weights, expected):
    watch = SimpleNamespace(rows=[{}] * 4, best=best, waited=waited, weights=weights)
    outcome = describe_outcome(watch, steps=5, resumed=2, seconds=1.26)
    assert (outcome["best_epoch"], outcome["kept_epoch"]) == expected
    assert outcome["steps"] == 20 and outcome["epochs"] == 4
    assert outcome["resumed"] == 2 and outcome["seconds"] == 1.3
