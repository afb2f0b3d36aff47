"""Fine-tuning: the only module that fits anything."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pandas as pd

from usetune._utils.digest import digest_arrays, digest_settings
from usetune.data.formats import CLASSES
from usetune.devices import float16_on_gpu, training_strategy
from usetune.encoders.base import Encoder
from usetune.losses import EmbeddingLoss
from usetune.protocols import Evaluator
from usetune.training.callbacks import BestEpoch, best_encoder
from usetune.training.checkpoint import TrainingState
from usetune.training.diagnostics import (
    TrainingDiagnostics,
    check_batches,
    check_margin,
)
from usetune.training.model import compiled_model
from usetune.training.optimizers import matching
from usetune.training.record import describe_outcome, describe_training
from usetune.training.stream import BatchStream
from usetune.training.training_set import data_sets

# What the article did that `fine_tune` does otherwise by default: it validated on the
# last rows and stopped early by the training loss. fine_tune(..., **ARTICLE_RECIPE)
ARTICLE_RECIPE = {"split": "tail", "monitor": "loss", "min_delta": 1e-3}

Pairs = pd.DataFrame | Mapping[str, pd.DataFrame]
Loss = EmbeddingLoss | str


@dataclass(frozen=True)
class FineTuned:
    """What `fine_tune` returns, and `fine_tune_soup`, whose differences are told there.

    Attributes:
        encoder: the tuned encoder, independent of the one it started from.
        history: one row per epoch, from 1; row 0 is the validation before training.
            Columns as Keras names them: loss, mean_absolute_error, …, the same with
            the prefix ``val_``, and the figures of the measures.
        training: the pairs trained on, a dict of several data sets.
        validation: the pairs validated on, likewise.
        record: what was trained, on what, how, and where, for JSON: see
            `describe_training` and `describe_outcome`.
    """

    encoder: Encoder
    history: pd.DataFrame
    training: Pairs
    validation: Pairs
    record: dict[str, Any]


def fine_tune(
    encoder: Encoder,
    pairs: Pairs,
    *,
    validation: Pairs | None = None,
    epochs: int = 20,
    steps_per_epoch: int | None = None,
    batch_size: int | None = None,
    batches: str | None = None,
    mixing: str = "proportional",
    split: str | None = None,
    validation_split: float = 0.2,
    measures: Sequence[Evaluator] = (),
    monitor: str = "val_loss",
    guard: Mapping[str, float] | None = None,
    patience: int = 3,
    min_delta: float = 0.0,
    loss: Loss | Mapping[str, Loss] | None = None,
    optimizer: keras.optimizers.Optimizer | None = None,
    frozen: Sequence[str] = (),
    mixed_precision: bool = False,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    log_dir: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> FineTuned:
    """Train an encoder on examples of any shape that `load_pairs` knows.

    Each shape has a default loss, the first of `LOSSES_FOR`. Scored pairs (base, ref,
    similarity) are trained as the article did: the squared error of their angular
    similarity, batches of 8, Adam with learning rate 1e-5, at most 20 epochs; only the
    split and what early stopping watches differ, see ARTICLE_RECIPE. Everything else
    has batches of 128 and Adam with a warm-up to its learning rate (5e-4 for losses
    with in-batch negatives, 1e-4 for others) and a cosine decay.

    Two examples with the same value of the column occupation (without it label,
    without both positive) are never in-batch negatives of each other.

    Only the rows of the embedding table that the texts use are trained, which gives
    the same weights as training all of them (`UniversalSentenceEncoder.compact`). With
    several visible GPUs each takes a part of the batch; negatives are then those of
    the part.

    Args:
        encoder: where to start; left as it is.
        pairs: DataFrame of any shape, or a dict of several data sets by name.
        validation: examples to validate on, of the same shape. Default: a part of
            ``pairs``.
        epochs: passes over the training examples, at most.
        steps_per_epoch: batches that make an epoch. Default: one pass.
        batch_size: examples in a step. Default: 128, for the article's loss 8.
        batches: which examples come together: "shuffled"; "no_duplicates", no text
            twice in a batch; "by_label", at least two classes with two texts each;
            "by_length", texts of similar length. Default: "by_label" for texts with a
            class, "no_duplicates" where there are columns of negatives.
        mixing: of several data sets: "proportional", each once in a pass, in random
            order; "round_robin", a batch of each in turn until the shortest is through.
        split: "stratified", "couples", "group" or "tail", see `split_pairs`. Default:
            "couples" for texts with a class, otherwise "stratified".
        validation_split: share of the examples, or groups, to validate on.
        measures: figures to take before training and after each epoch.
        monitor: the column of the history that early stopping watches: of a measure
            more is better, of a loss less. With a ``val_`` column or a measure the
            best epoch's weights are kept, with another column the last epoch's.
        guard: columns of measures with the least value that an epoch must reach to be
            kept, {"sts": 0.83} say. If none does, a warning says so, and the weights
            from before training are kept.
        patience: epochs without improvement before training stops.
        min_delta: change of ``monitor`` that counts as improvement.
        loss: one of `usetune.losses`; a name of a Keras loss stands for
            `AngularError`; of several data sets a dict by name.
        optimizer: built for this call.
        frozen: regular expressions; variables in whose path one is found are not
            trained: "embedding" or "ngram_[23]" of the Universal Sentence Encoder, say.
        mixed_precision: compute in float16 on a GPU where that stays accurate, and
            scale the loss so that small gradients do not vanish.
        seed: of the split and of the order of the examples. One seed, one result.
        checkpoint: a file for the state of the training, written after each epoch. If
            it exists, training goes on from there, to the same weights as without the
            interruption.
        log_dir: a folder for TensorBoard's logs and log.csv.
        callbacks: further Keras callbacks; their own state is not in the checkpoint.
        verbose: as in `keras.Model.fit`.

    Returns:
        The tuned encoder with what was measured on the way.

    Raises:
        ValueError: if the data has no shape that is known, or cells at fault; the loss
            does not fit it; ``validation`` lacks a column; the rows cannot be split;
            ``monitor`` or ``guard`` is not in the history; ``frozen`` matches nothing;
            the optimizer would also move rows of the table that no text uses; or the
            checkpoint is of another training.

    Warns:
        UserWarning: of a margin that unit vectors cannot reach, batches of one class,
            texts alone in their class, triplets that no longer pull, embeddings that
            have collapsed, a loss that is not finite, and a tuned encoder that is worse
            than its base on ``monitor``.
    """
    data = data_sets(
        pairs,
        validation,
        loss,
        split,
        validation_split,
        seed,
        batches=batches,
        batch_size=batch_size,
    )
    tasks = [part.task for part in data]
    feed = BatchStream(tasks, [part.training for part in data], mixing, seed)
    held_out = BatchStream(
        tasks, [part.validation for part in data], "proportional", seed
    )
    for number, part in enumerate(data):
        check_margin(part.task.loss, encoder.dim)
        if part.task.shape is CLASSES:
            labels = part.training["label"].to_numpy()
            check_batches(labels, feed.one_pass[number])
    steps = steps_per_epoch or feed.steps
    texts = [text for part in data for text in part.texts()]
    for measure in measures:
        texts += measure.texts
    with training_strategy().scope():
        student = encoder.compact(texts)
        still = matching(student.trainable_variables, frozen)
        for variable in still:
            variable.trainable = False
        model = compiled_model(
            student,
            data,
            feed.target_shapes,
            optimizer,
            epochs * steps,
            mixed_precision,
            is_partial=student.count_params() < encoder.count_params(),
        )
    settings = {"epochs": epochs, "steps_per_epoch": steps, "mixing": mixing}
    settings |= {"monitor": monitor, "guard": guard}
    settings |= {"patience": patience, "min_delta": min_delta}
    others = {"seed": seed, "frozen": [*frozen], "mixed_precision": mixed_precision}
    record = describe_training(encoder, data, model.optimizer, settings | others)
    validation_data = held_out.validation()
    watch = BestEpoch(student, measures, monitor, guard or {}, patience, min_delta)
    watch.start(model.evaluate(validation_data, return_dict=True, verbose=0))
    followers = [watch, TrainingDiagnostics(student, data[0].probes())]
    if log_dir is not None:
        Path(log_dir).mkdir(parents=True, exist_ok=True)
        followers += [
            keras.callbacks.TensorBoard(log_dir, write_graph=False),
            keras.callbacks.CSVLogger(Path(log_dir) / "log.csv", append=True),
        ]
    followers += callbacks
    if checkpoint is not None:
        targets = zip(feed.targets, held_out.targets, strict=True)
        run = {
            f"data {part.name}".strip(): part.digest(own)
            for part, own in zip(data, targets, strict=True)
        }
        weights = [*student.get_weights(), *student.projections]
        run |= {
            "encoder": digest_arrays(weights),
            "optimizer": digest_settings(model.optimizer.get_config()),
            "settings": digest_settings([*settings.values()]),
            "seed": digest_settings(seed),
            "frozen": digest_settings([*frozen]),
        }
        state = TrainingState(checkpoint, watch, run)
        state.restore(model)
        followers.append(state)
    done, started = len(watch.rows), time.perf_counter()
    if done < epochs and not watch.is_over:
        with float16_on_gpu(mixed_precision):
            model.fit(
                feed.training(start=done * steps),
                validation_data=validation_data,
                epochs=epochs,
                initial_epoch=done,
                steps_per_epoch=steps,
                shuffle=False,
                callbacks=followers,
                verbose=verbose,
            )
    record |= describe_outcome(watch, steps, done, time.perf_counter() - started)
    for variable in still:
        variable.trainable = True
    return FineTuned(
        encoder=best_encoder(encoder, student, model, watch),
        history=watch.history(),
        training=_as_given(pairs, {part.name: part.training for part in data}),
        validation=_as_given(pairs, {part.name: part.validation for part in data}),
        record=record,
    )


def _as_given(pairs: Pairs, tables: dict[str, pd.DataFrame]) -> Pairs:
    return tables if isinstance(pairs, Mapping) else tables[""]
