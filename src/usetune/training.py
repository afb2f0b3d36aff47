"""Fine-tuning: the only module that fits anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import pandas as pd
import tensorflow as tf

from usetune.encoder import Encoder
from usetune.optimizers import FusedAdam
from usetune.pairs import COLUMNS, split_pairs
from usetune.siamese import build_siamese

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
            Columns as Keras names them: loss, mean_absolute_error, …, and the same
            with the prefix ``val_``.
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
    epochs: int = 20,
    batch_size: int = 8,
    split: str = "stratified",
    validation_split: float = 0.2,
    monitor: str = "val_loss",
    patience: int = 3,
    min_delta: float = 0.0,
    optimizer: keras.optimizers.Optimizer | None = None,
    seed: int = 0,
    log_dir: str | Path | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    verbose: int = 0,
) -> FineTuned:
    """Train an encoder so that the angular similarity of pairs follows their scores.

    The defaults are the article's (mean squared error, batches of 8, at most 20
    epochs), but for the split and what early stopping watches: see ARTICLE_RECIPE.

    Only the rows of the embedding table that the texts use are trained, which gives
    the same weights as training all of them (`UniversalSentenceEncoder.compact`).

    Args:
        encoder: where to start; left as it is.
        pairs: DataFrame with base, ref (str) and similarity (in [0, 1]).
        epochs: passes over the training pairs, at most.
        batch_size: pairs in a step.
        split: "stratified" or "tail", see `split_pairs`.
        validation_split: share of the pairs to validate on.
        monitor: the column of the history that early stopping watches, less is
            better. With a ``val_`` column the best epoch's weights are kept, with
            another one the last epoch's.
        patience: epochs without improvement before training stops.
        min_delta: change of ``monitor`` that counts as improvement.
        optimizer: built for this call. Default: the article's, Adam with learning rate
            1e-5, beta_2 0.9999 and each variable's gradient clipped to norm 1.
        seed: of the split and of the order of the pairs. One seed, one result.
        log_dir: a folder for TensorBoard's logs.
        callbacks: further Keras callbacks.
        verbose: as in `keras.Model.fit`.

    Returns:
        The tuned encoder with what was measured on the way.

    Raises:
        ValueError: if a column is missing, the rows cannot be split, ``monitor`` is
            not in the history, or the optimizer would also move rows of the table
            that no text uses.
        TypeError: if a text is not a ``str``.
    """
    missing = [column for column in COLUMNS if column not in pairs]
    if missing:
        raise ValueError(f"pairs lacks {missing}. Received: {list(pairs.columns)}")
    if not pairs["similarity"].between(0, 1).all():
        raise ValueError("pairs: similarity must be a number in [0, 1] in every row")
    training, validation = split_pairs(pairs, validation_split, split, seed)
    student = encoder.compact([*pairs["base"], *pairs["ref"]])
    siamese = build_siamese(student)
    siamese.compile(
        optimizer=optimizer or article_optimizer(),
        loss="mean_squared_error",
        metrics=["mean_absolute_error", "mean_absolute_percentage_error"],
    )
    if student.count_params() < encoder.count_params():
        _check_rowwise(siamese.optimizer, siamese.trainable_variables)
    # Built within the first step, it would have that step traced twice.
    siamese.optimizer.build(siamese.trainable_variables)
    validation_data = pairs_dataset(validation).batch(batch_size)
    before = siamese.evaluate(validation_data, return_dict=True, verbose=0)
    if monitor.removeprefix("val_") not in before:
        raise ValueError(
            f"monitor must be one of {sorted(before)}, with or without the prefix "
            f"'val_'. Received: {monitor!r}"
        )
    stop = keras.callbacks.EarlyStopping(
        monitor,
        mode="min",
        patience=patience,
        min_delta=min_delta,
        restore_best_weights=monitor.startswith("val_"),
    )
    logs = [keras.callbacks.TensorBoard(log_dir, write_graph=False)] if log_dir else []
    history = siamese.fit(
        pairs_dataset(training).shuffle(len(training), seed=seed).batch(batch_size),
        validation_data=validation_data,
        epochs=epochs,
        shuffle=False,
        callbacks=[stop, *logs, *callbacks],
        verbose=verbose,
    )
    return FineTuned(
        encoder=student.expand(encoder),
        history=_history_frame(before, history.history),
        training=training,
        validation=validation,
    )


def article_optimizer() -> keras.optimizers.Optimizer:
    """A new optimizer with the article's settings."""
    return FusedAdam(
        learning_rate=1e-5, beta_1=0.9, beta_2=0.9999, epsilon=1e-7, clipnorm=1.0
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


def pairs_dataset(pairs: pd.DataFrame) -> tf.data.Dataset:
    """Pairs as inputs and targets of `build_siamese`'s model, one at a time.

    Args:
        pairs: DataFrame with base, ref and similarity.

    Returns:
        Dataset of ({"base": string (), "ref": string ()}, float32 (1,)).
    """
    texts = {
        column: tf.constant(pairs[column].tolist(), tf.string)
        for column in ("base", "ref")
    }
    similarity = pairs["similarity"].to_numpy("float32")[:, None]
    return tf.data.Dataset.from_tensor_slices((texts, similarity))


def _history_frame(
    before: dict[str, float], history: dict[str, list[Any]]
) -> pd.DataFrame:
    start = pd.DataFrame({f"val_{name}": [value] for name, value in before.items()})
    epochs = pd.concat([start, pd.DataFrame(history)], ignore_index=True)
    return epochs.rename_axis("epoch")[list(history)]
