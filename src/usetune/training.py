"""Fine-tuning: the only module that fits anything."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd

from usetune.callbacks import WATCHED, Figures, Measure
from usetune.encoder import Encoder
from usetune.splits import split_pairs
from usetune.tasks import task_for

# What the article did that `fine_tune` does otherwise by default: it validated on the
# last rows and stopped early by the training loss. fine_tune(..., **ARTICLE_RECIPE)
ARTICLE_RECIPE = {"split": "tail", "monitor": "loss", "min_delta": 1e-3}

# Optimizers whose update is zero for a row that no gradient has reached.
_ROWWISE = (
    keras.optimizers.Adam,
    keras.optimizers.Adagrad,
    keras.optimizers.RMSprop,
    keras.optimizers.SGD,
)


@dataclass(frozen=True)
class FineTuned:
    """What `fine_tune` returns.

    Attributes:
        encoder: the tuned encoder, independent of the one it started from.
        history: one row per epoch, from 1; row 0 is the validation before training.
            Columns as Keras names them: loss, mean_absolute_error, …, the same with
            the prefix ``val_``, and the figures of the measures.
        training: the pairs trained on.
        validation: the pairs validated on.
    """

    encoder: Encoder
    history: pd.DataFrame
    training: pd.DataFrame
    validation: pd.DataFrame


def fine_tune(
    encoder: Encoder,
    pairs: pd.DataFrame,
    *,
    validation: pd.DataFrame | None = None,
    epochs: int = 20,
    steps_per_epoch: int | None = None,
    batch_size: int | None = None,
    split: str = "stratified",
    validation_split: float = 0.2,
    measures: Sequence[Measure] = (),
    monitor: str = "val_loss",
    guard: Mapping[str, float] | None = None,
    patience: int = 3,
    min_delta: float = 0.0,
    loss: keras.losses.Loss | str | None = None,
    optimizer: keras.optimizers.Optimizer | None = None,
    seed: int = 0,
    log_dir: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> FineTuned:
    """Train an encoder on pairs of texts.

    Scored pairs (base, ref, similarity) train their angular similarity to follow the
    scores; the defaults are the article's (mean squared error, batches of 8, at most
    20 epochs, Adam with learning rate 1e-5), but for the split and what early stopping
    watches: see ARTICLE_RECIPE.

    Positive pairs (anchor, positive, and perhaps negative_1, …) train each anchor to
    find its positive among those of the batch: `MultipleNegativesRanking`, batches of
    128, Adam with a warm-up to 5e-4 and a cosine decay. Two pairs with the same value
    of the column occupation, or without that column with the same positive, are never
    negatives of each other.

    Only the rows of the embedding table that the texts use are trained, which gives
    the same weights as training all of them (`UniversalSentenceEncoder.compact`).

    Args:
        encoder: where to start; left as it is.
        pairs: DataFrame with base, ref (str) and similarity (in [0, 1]), or with
            anchor and positive (str).
        validation: pairs to validate on. Default: a part of ``pairs``.
        epochs: passes over the training pairs, at most.
        steps_per_epoch: batches that make an epoch. Default: one pass.
        batch_size: pairs in a step. Default: 8 scored or 128 positive pairs.
        split: "stratified", "group" or "tail", see `split_pairs`.
        validation_split: share of the pairs, or groups, to validate on.
        measures: figures to take before training and after each epoch.
        monitor: the column of the history that early stopping watches: of a measure
            more is better, of a loss less. With a ``val_`` column or a measure the
            best epoch's weights are kept, with another column the last epoch's.
        guard: columns of measures with the least value that an epoch must reach to be
            kept, {"sts": 0.83} say. If none does, a warning says so, and the weights
            from before training are kept.
        patience: epochs without improvement before training stops.
        min_delta: change of ``monitor`` that counts as improvement.
        loss: a Keras loss on what `build_siamese` (scored pairs) or `build_embedder`
            (positive pairs) gives.
        optimizer: built for this call.
        seed: of the split and of the order of the pairs. One seed, one result.
        log_dir: a folder for TensorBoard's logs.
        callbacks: further Keras callbacks.
        verbose: as in `keras.Model.fit`.

    Returns:
        The tuned encoder with what was measured on the way.

    Raises:
        ValueError: if the columns are neither of both, ``validation`` lacks one of
            those of ``pairs``, the rows cannot be split,
            ``monitor`` or ``guard`` is not in the history, or the optimizer would also
            move rows of the table that no text uses.
        TypeError: if a text is not a ``str``.
    """
    task = task_for(pairs)
    if validation is None:
        training, validation = split_pairs(pairs, validation_split, split, seed)
    else:
        training = pairs
        task.check(validation)
    batch_size = batch_size or task.batch_size
    steps = steps_per_epoch or -(-len(training) // batch_size)
    texts = [
        text
        for source in (training, validation)
        for column in task.columns
        for text in source[column]
    ]
    for measure in measures:
        texts += measure.texts
    student = encoder.compact(texts)
    model = task.build(student)
    model.compile(
        optimizer=optimizer or task.optimizer(epochs * steps),
        loss=loss or task.loss,
        metrics=task.metrics,
    )
    if student.count_params() < encoder.count_params():
        _check_rowwise(model.optimizer, model.trainable_variables)
    # Built within the first step, it would have that step traced twice.
    model.optimizer.build(model.trainable_variables)
    # In random order: neighbours in a file often belong together.
    shuffled = validation.sample(frac=1, random_state=seed)
    validation_data = task.dataset(shuffled).batch(batch_size)
    before = model.evaluate(validation_data, return_dict=True, verbose=0)
    before = {f"val_{name}": value for name, value in before.items()}
    figures = Figures(student, measures, monitor, guard or {})
    before |= figures.measure()
    known = {*before, *(name.removeprefix("val_") for name in before)}
    for name in (monitor, *figures.guard):
        if name not in known:
            raise ValueError(
                f"monitor and guard must be among {sorted(known)}. Received: {name!r}"
            )
    stop = keras.callbacks.EarlyStopping(
        WATCHED,
        mode="max",
        patience=patience,
        min_delta=min_delta,
        restore_best_weights=monitor in before,
    )
    logs = [keras.callbacks.TensorBoard(log_dir, write_graph=False)] if log_dir else []
    start = model.get_weights() if guard else None
    data = task.dataset(training).shuffle(len(training), seed=seed)
    history = model.fit(
        (data.repeat() if steps_per_epoch else data).batch(batch_size),
        validation_data=validation_data,
        epochs=epochs,
        steps_per_epoch=steps_per_epoch,
        shuffle=False,
        callbacks=[figures, stop, *logs, *callbacks],
        verbose=verbose,
    ).history
    watched = history.pop(WATCHED)
    if guard and max(watched) == -np.inf:
        model.set_weights(start)
        warnings.warn(
            f"no epoch reached the guard {dict(figures.guard)}, so the encoder has the "
            "weights from before training",
            stacklevel=2,
        )
    return FineTuned(
        encoder=student.expand(encoder),
        history=_history_frame(before, history),
        training=training,
        validation=validation,
    )


def _check_rowwise(
    optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]
) -> None:
    """Refuse an optimizer that moves rows of the table which got no gradient."""
    if not isinstance(optimizer, _ROWWISE):
        names = ", ".join(kind.__name__ for kind in _ROWWISE)
        raise ValueError(
            "training on the rows that the texts use is exact only for optimizers that "
            f"leave the other rows alone: {names} and what derives from them. "
            f"Received: {type(optimizer).__name__}"
        )
    if optimizer.weight_decay and any(
        variable.name == "table" and optimizer._use_weight_decay(variable)
        for variable in variables
    ):
        raise ValueError(
            "weight decay shrinks every row of the embedding table, the ones that no "
            "text uses too. Leave it out of the decay: "
            "optimizer.exclude_from_weight_decay(var_names=['table'])"
        )


def _history_frame(
    before: dict[str, float], history: dict[str, list[Any]]
) -> pd.DataFrame:
    start = pd.DataFrame({name: [value] for name, value in before.items()})
    epochs = pd.concat([start, pd.DataFrame(history)], ignore_index=True)
    return epochs.rename_axis("epoch")[list(history)]
