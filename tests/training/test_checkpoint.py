"""A training that is killed goes on to the same weights."""

import signal
import subprocess
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from tests import ROOT
from tests.fakes.tiny_encoder import TinyEncoder
from usetune import fine_tune, load_occupations
from usetune.data import positive_pairs_from_occupations
from usetune.data.sources import shipped
from usetune.losses import GIST
from usetune.training import EarlyStopping, FusedAdam, TrainingSet, warmup_cosine

SETTINGS = {
    "epochs": 3,
    "batch_size": 8,
    "seed": 5,
    "early_stopping": EarlyStopping("length", patience=9),
}

# Dies by SIGKILL in the middle of epoch 2, without any cleaning up.
KILLED = """
import os, signal, sys
import keras
from tests.training.test_checkpoint import SETTINGS, Length, pairs, with_room
from usetune import fine_tune, load_encoder

class Kill(keras.callbacks.Callback):
    epoch = 0
    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch
    def on_train_batch_end(self, batch, logs=None):
        if self.epoch == 1 and batch == 1:
            os.kill(os.getpid(), signal.SIGKILL)

fine_tune(
    with_room(load_encoder()), pairs(), evaluators=[Length()], checkpoint=sys.argv[1],
    callbacks=[Kill()], **SETTINGS
)
"""


def pairs():
    occupations = load_occupations(shipped("occupations.csv"))
    return positive_pairs_from_occupations(occupations.query("language == 'en'")).iloc[
        :30
    ]


def with_room(encoder):
    """The encoder with more rows than the training uses, but not all."""
    texts = pairs()[["anchor", "positive"]].to_numpy().ravel()
    return encoder.compact([*texts, *Length.texts, "zebra"])


class Length:
    """A figure that is best in the middle of the training, whatever the encoder."""

    texts = ("cook",)

    def __call__(self, encoder):
        value = encoder.encode(self.texts)[0, :3].sum()
        return {"length": float(np.sin(1e4 * value))}


def run(base, path, callbacks=(), **changes):
    return fine_tune(
        base,
        pairs(),
        evaluators=[Length()],
        checkpoint=path,
        callbacks=callbacks,
        **{**SETTINGS, **changes},
    )


@pytest.mark.filterwarnings("ignore:.*worse than its base")
def test_a_killed_training_goes_on_to_the_same_weights(base, tmp_path):
    checkpoint = tmp_path / "state.npz"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(checkpoint)], cwd=ROOT, capture_output=True
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()[-2000:]
    base = with_room(base)
    epochs = []
    count = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: epochs.append(epoch)
    )
    resumed = run(base, checkpoint, [count])
    assert epochs == [1, 2]
    whole = run(base, None)
    for a, b in zip(resumed.encoder.variables, whole.encoder.variables, strict=True):
        np.testing.assert_array_equal(a, b)
    np.testing.assert_array_equal(resumed.history, whole.history)
    assert list(resumed.history.index) == [0, 1, 2, 3]
    # Once it is done nothing is trained again.
    epochs.clear()
    again = run(base, checkpoint, [count])
    assert epochs == []
    np.testing.assert_array_equal(again.history, whole.history)
    for a, b in zip(again.encoder.variables, whole.encoder.variables, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.fixture(scope="module")
def checkpoint(tiny, tmp_path_factory):
    """The file of a training, to be read only."""
    path = tmp_path_factory.mktemp("run") / "state.npz"
    run(tiny, path)
    return path


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"seed": 6}, "'seed'"),
        ({"epochs": 5}, "'epochs'"),
        ({"batch_size": 16}, "'data'"),
        ({"optimizer": FusedAdam(warmup_cosine(1e-4, 20))}, "'optimizer'"),
        ({"frozen": ["embedding"]}, "'frozen'"),
    ],
)
def test_another_training_is_refused(tiny, checkpoint, changes, named):
    with pytest.raises(ValueError, match=f"differs in .*{named}.*another checkpoint"):
        run(tiny, checkpoint, **changes)


def test_another_encoder_or_other_pairs_are_refused(tiny, checkpoint):
    with pytest.raises(ValueError, match=r"differs in \['encoder'\]"):
        run(TinyEncoder(seed=1), checkpoint)
    other = pairs()
    other.iloc[3, 0] = "cook of pastry"
    with pytest.raises(ValueError, match="'data'"):
        fine_tune(
            tiny,
            other,
            evaluators=[Length()],
            checkpoint=checkpoint,
            **SETTINGS,
        )


@pytest.mark.filterwarnings("ignore:.*worse than its base")
def test_another_guide_is_refused(tiny, tmp_path):
    """No configuration tells guides apart, only what they say."""
    path = tmp_path / "state.npz"
    settings = {"epochs": 1, "checkpoint": path}
    fine_tune(tiny, pairs(), loss=GIST(tiny), **settings)
    again = fine_tune(tiny, pairs(), loss=GIST(tiny.copy()), **settings)
    assert again.record.runs[0].resumed
    with pytest.raises(ValueError, match=r"differs in \['data'\]"):
        fine_tune(tiny, pairs(), loss=GIST(TinyEncoder(seed=1)), **settings)
    path.unlink()
    one = TrainingSet(pairs(), name="one")
    two = TrainingSet(pairs(), loss=GIST(tiny), name="two")
    fine_tune(tiny, [one, two], **settings)
    other = TrainingSet(pairs(), loss=GIST(TinyEncoder(seed=1)), name="two")
    with pytest.raises(ValueError, match=r"differs in \['data two'\]"):
        fine_tune(tiny, [one, other], **settings)


def test_a_guide_is_asked_once_for_each_text(tiny, tmp_path):
    class Guide:
        texts = []

        def encode(self, texts):
            self.texts += texts
            return tiny.encode(texts)

    checkpoint = tmp_path / "state.npz"
    fine_tune(tiny, pairs(), loss=GIST(Guide()), epochs=1, checkpoint=checkpoint)
    assert len(Guide.texts) <= pairs()[["anchor", "positive"]].size


class Other(Length):
    def __call__(self, encoder):
        return {"other": 1.0}


class Elsewhere(Length):
    texts = ("cook", "nurse")


@pytest.mark.filterwarnings("ignore:.*worse than its base")
def test_other_evaluators_are_refused(tiny, tmp_path):
    def train(evaluators, path, **changes):
        settings = {"epochs": 1, "checkpoint": path, **changes}
        return fine_tune(tiny, pairs(), evaluators=evaluators, **settings)

    path = tmp_path / "state.npz"
    train([Length()], path)
    assert train([Length()], path).record.runs[0].resumed
    for others in ([], [Other()], [Elsewhere()], [Length(), Other()]):
        with pytest.raises(ValueError, match=r"differs in \['evaluators'\]"):
            train(others, path)
    with pytest.raises(ValueError, match=r"differs in .*'mixed_precision'"):
        train([Length()], path, mixed_precision=True)


@pytest.mark.filterwarnings("ignore:.*worse than its base")
def test_an_altered_state_is_refused(tiny, tmp_path):
    path = tmp_path / "state.npz"
    fine_tune(tiny, pairs(), epochs=1, checkpoint=path)
    whole = dict(np.load(path))
    for name in ("state", "weights/0", "optimizer/3", "best/1"):
        value = whole[name]
        altered = value + 1 if value.dtype.kind == "f" else np.array(f"{value} ")
        np.savez(path, **{**whole, name: altered})
        with pytest.raises(ValueError, match=f"state.npz is damaged.*{name}"):
            fine_tune(tiny, pairs(), epochs=1, checkpoint=path)


def test_a_checkpoint_that_cannot_be_written_is_refused_first(tiny, tmp_path):
    never = [keras.callbacks.LambdaCallback(on_epoch_begin=lambda *_: pytest.fail())]
    with pytest.raises(ValueError, match=r"must be a file, such as .*training.npz"):
        fine_tune(tiny, pairs(), checkpoint=tmp_path, callbacks=never)
    full = SimpleNamespace(free=1000)
    with (
        pytest.MonkeyPatch.context() as patch,
        pytest.raises(OSError, match=r"cannot write .*state.npz: 0.* MB are needed"),
    ):
        patch.setattr("shutil.disk_usage", lambda path: full)
        path = tmp_path / "state.npz"
        fine_tune(tiny, pairs(), checkpoint=path, callbacks=never)


def test_a_damaged_file_is_refused(tiny, checkpoint, tmp_path):
    damaged = tmp_path / "state.npz"
    damaged.write_bytes(checkpoint.read_bytes()[:-100])
    with pytest.raises(ValueError, match="state.npz is damaged"):
        run(tiny, damaged)


def test_patience_goes_on_too(tiny, tmp_path):
    """The first epoch is the best: with patience 3 the fourth is the last."""

    class Falling(Length):
        calls = 0

        def __call__(self, encoder):
            self.calls += 1
            return {"length": -abs(self.calls - 2.0)}

    class Stop(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 3:
                raise KeyboardInterrupt

    def train(calls, callbacks=()):
        measure = Falling()
        measure.calls = calls
        return fine_tune(
            tiny,
            pairs(),
            evaluators=[measure],
            early_stopping=EarlyStopping("length"),
            epochs=9,
            checkpoint=tmp_path / "state.npz",
            callbacks=callbacks,
        ).history

    with pytest.raises(KeyboardInterrupt):
        train(0, [Stop()])
    # Three epochs and the start were measured; the start is measured again.
    history = train(3)
    assert history["length"].tolist()[1:] == [0, -1, -2, -3]
