"""Fine-tuning: the only module that fits anything."""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from usetune._utils.checks import check_at_least
from usetune._utils.digest import digest
from usetune._utils.memory import memory_given_back
from usetune.devices import float16_on_gpu, training_strategy
from usetune.encoders.base import Encoder
from usetune.losses import EmbeddingLoss
from usetune.protocols import Evaluator
from usetune.training.callbacks import BestEpoch, EarlyStopping
from usetune.training.checkpoint import TrainingState
from usetune.training.diagnostics import (
    TrainingDiagnostics,
    check_data,
    check_validation,
)
from usetune.training.logs import loggers
from usetune.training.model import ExampleEncoder, compiled_model
from usetune.training.optimizers import matching
from usetune.training.preparation import Pairs, TrainingData, training_sets
from usetune.training.record import TrainingRecord, describe_run, describe_training
from usetune.training.training_set import TrainingSet

# What the article did that `fine_tune` does otherwise by default: it validated on the
# last rows and stopped early by the training loss. fine_tune(..., **ARTICLE_RECIPE)
ARTICLE_RECIPE: dict[str, Any] = {
    "split": "tail",
    "early_stopping": EarlyStopping("loss", min_delta=1e-3),
}


@dataclass(frozen=True)
class FineTuned:
    """What `fine_tune` returns, and `fine_tune_soup`, whose differences are told there.

    Attributes:
        encoder: the tuned encoder, independent of the one it started from.
        history: one row for each epoch, from 1; row 0 is the validation before
            training. Columns as Keras names them: loss, mean_absolute_error, …, the
            same with the prefix ``val_``, and the metrics of the evaluators.
        data: the data sets, with what was trained and validated on.
        record: what was trained, on what, how, and where.
    """

    encoder: Encoder
    history: pd.DataFrame
    data: tuple[TrainingSet, ...]
    record: TrainingRecord


@memory_given_back()
def fine_tune(
    encoder: Encoder,
    pairs: Pairs,
    *,
    validation_data: pd.DataFrame | None = None,
    split: str | None = None,
    loss: EmbeddingLoss | str | None = None,
    batch_size: int | None = None,
    mixing: str = "proportional",
    epochs: int = 20,
    steps_per_epoch: int | None = None,
    optimizer: keras.optimizers.Optimizer | None = None,
    frozen: Sequence[str] = (),
    mixed_precision: bool = False,
    evaluators: Sequence[Evaluator] = (),
    early_stopping: EarlyStopping | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    log_dir: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> FineTuned:
    """Train an encoder on examples in any format that `load_pairs` knows.

    Each format has a default loss, the first of `LOSSES_FOR`. Scored pairs (base, ref,
    similarity) are trained as the article did: the squared error of their angular
    similarity, batches of 8, Adam with learning rate 1e-5, at most 20 epochs; only the
    split and what early stopping watches differ, see ARTICLE_RECIPE. Everything else
    has batches of 128 and Adam with a warm-up to the ``learning_rate`` of the loss
    (5e-4 with in-batch negatives, 3e-4 for `Contrastive` and `OnlineContrastive`, 1e-4
    for others) and a cosine decay.

    Two examples that have a text in common, or the same value of the column occupation
    (without it label, without both positive), are never in-batch negatives of each
    other.

    Only the rows of the embedding table that the texts use are trained, which gives
    the same weights as training all of them (`UniversalSentenceEncoder.compact`). With
    several visible GPUs each takes a part of the batch; negatives are then those of
    the part.

    Args:
        encoder: where to start; left as it is.
        pairs: DataFrame in any format; or one or several `TrainingSet`, which hold what
            belongs to each data set (then the next four arguments are not given here).
        validation_data: see `TrainingSet`.
        split: see `TrainingSet`.
        loss: see `TrainingSet`.
        batch_size: see `TrainingSet`.
        mixing: how batches of several data sets follow each other: "proportional", each
            set once in a pass, in random order; "round_robin", a batch of each in turn
            until the shortest is through.
        epochs: maximum number of passes over the training examples.
        steps_per_epoch: number of batches that make an epoch. Default: one pass.
        optimizer: a Keras optimizer that has no variables yet. Default: see above; for
            several data sets with the smallest rate of their losses.
        frozen: regular expressions; variables in whose path one is found are not
            trained, such as "embedding" or "ngram_[23]" of the Universal Sentence
            Encoder.
        mixed_precision: compute in float16 on a GPU where that stays accurate, and
            scale the loss so that small gradients do not vanish.
        evaluators: what to measure before training and after each epoch.
        early_stopping: when to stop, and which epoch to keep. Default:
            ``EarlyStopping()``, three epochs without a lower validation loss.
        seed: seed of the split and of the order of the examples. One seed, one result.
        checkpoint: a file for the state of the training, written after each epoch. If
            it exists, training goes on from there, to the same weights as without the
            interruption.
        log_dir: a folder for TensorBoard's logs and log.csv, without those of another
            training.
        callbacks: further Keras callbacks; their own state is not in the checkpoint.
        verbose: as in `keras.Model.fit`.

    Returns:
        The tuned encoder with what was measured on the way.

    Raises:
        ValueError: as `TrainingSet`; if what belongs to a `TrainingSet` is given beside
            one; two sets have one name; ``monitor`` or ``guard`` is not in the history;
            ``frozen`` matches nothing, or every layer is frozen; the optimizer would
            also move rows of the table that no text uses; the checkpoint or the log is
            of another training; or a number of epochs or steps is below 1.
        OSError: if the checkpoint or the log cannot be written, or there is no room.

    Warns:
        UserWarning: of a margin that unit vectors cannot reach, batches of one class or
            without negatives, texts alone in their class, triplets that no longer
            violate the margin, embeddings that have collapsed, a loss that is not
            finite, evaluators that fail after an epoch, and a tuned encoder that is
            worse than its base on ``monitor``.
    """
    of_one_set = {
        "validation_data": validation_data,
        "split": split,
        "loss": loss,
        "batch_size": batch_size,
    }
    check_at_least("epochs", epochs)
    check_at_least("steps_per_epoch", steps_per_epoch)
    data = TrainingData(training_sets(pairs, seed, of_one_set), mixing, seed)
    check_data(data.sets, data.training.one_pass, encoder.dim)
    check_validation(data.sets, data.validation.one_pass)
    steps = steps_per_epoch or data.training.steps
    stopping = early_stopping or EarlyStopping()
    settings = {
        "epochs": epochs,
        "steps_per_epoch": steps,
        "mixing": mixing,
        "frozen": [*frozen],
        "mixed_precision": mixed_precision,
    } | asdict(stopping)
    strategy = training_strategy()
    with strategy.scope():
        student = encoder.compact(data.texts(evaluators))
    if not student.trainable_variables:
        raise ValueError(
            "encoder must have a layer to train; all are frozen: encoder.trainable = "
            "True, and frozen= for those that are not to be trained"
        )
    with _frozen(student, frozen):
        with strategy.scope():
            model = compiled_model(
                student,
                data.sets,
                data.training.target_shapes,
                optimizer,
                epochs * steps,
                mixed_precision,
                is_partial=student.count_params() < encoder.count_params(),
            )
        record = describe_training(encoder, data.sets, model.optimizer, settings)
        validation = data.validation.validation()
        before = model.evaluate(validation, return_dict=True, verbose=0)
        best = BestEpoch(student, evaluators, stopping, before)
        states = []
        if checkpoint is not None:
            recipe = settings | {"seed": seed, "evaluators": best.described()}
            identity = data.identity() | _identity(model, recipe)
            states = [TrainingState(checkpoint, best, identity)]
            states[0].restore(model)
        followers = [
            best,
            TrainingDiagnostics(student, data.sets[0].probes()),
            *([] if log_dir is None else loggers(log_dir, best.rows)),
            *callbacks,
            *states,
        ]
        done, started = len(best.rows), time.perf_counter()
        if done < epochs and not best.is_over:
            with float16_on_gpu(mixed_precision):
                model.fit(
                    data.training.training(start=done * steps),
                    validation_data=validation,
                    epochs=epochs,
                    initial_epoch=done,
                    steps_per_epoch=steps,
                    shuffle=False,
                    callbacks=followers,
                    verbose=verbose,
                )
        seconds = time.perf_counter() - started
    return FineTuned(
        encoder=best.best_encoder(encoder, model),
        history=best.history(),
        data=data.sets,
        record=replace(record, runs=(describe_run(best, seed, steps, done, seconds),)),
    )


@contextmanager
def _frozen(encoder: Encoder, patterns: Sequence[str]) -> Iterator[None]:
    """Keep variables from being trained while the block runs."""
    variables = matching(encoder.trainable_variables, patterns)
    for variable in variables:
        variable.trainable = False
    yield
    for variable in variables:
        variable.trainable = True


def _identity(model: ExampleEncoder, settings: Mapping[str, Any]) -> dict[str, str]:
    """Digests that tell what is trained, and how, from others."""
    student = model.encoder
    settings = {"optimizer": model.optimizer.get_config(), **settings}
    return {
        "encoder": digest([*student.get_weights(), *student.projections]),
        **{name: digest(value) for name, value in settings.items()},
    }
