"""What is fitted, put together from the data sets: model, loss, metrics, optimizer."""

from collections.abc import Sequence

import keras

from usetune.data_sets import DataSet
from usetune.embedder import Embedder
from usetune.encoder import Encoder
from usetune.losses import Cached
from usetune.mixture import Mixture
from usetune.optimizers import FusedAdam, warmup_cosine

# Optimizers whose update is zero for a row that no gradient has reached.
_ROWWISE = (
    keras.optimizers.Adam,
    keras.optimizers.Adagrad,
    keras.optimizers.RMSprop,
    keras.optimizers.SGD,
)


def compiled_model(
    student: Encoder,
    data: Sequence[DataSet],
    target_shapes: Sequence[tuple[int, ...]],
    optimizer: keras.optimizers.Optimizer | None,
    steps: int,
    mixed_precision: bool,
    is_partial: bool,
) -> Embedder:
    """The model that trains an encoder on data sets, ready to be fitted.

    Args:
        student: the encoder that is trained.
        data: with their losses.
        target_shapes: for each of them the shape of a target, without the batch.
        optimizer: None for the default.
        steps: batches of the whole training.
        mixed_precision: whether to scale the loss.
        is_partial: whether ``student`` has only some rows of the embedding table.

    Raises:
        ValueError: if the optimizer would move rows that are not there, or `Cached` is
            one of several losses.
    """
    losses = [part.task.loss for part in data]
    for loss in losses:
        loss.build(student.dim)
    cached = [loss for loss in losses if isinstance(loss, Cached)]
    if cached and len(data) > 1:
        raise ValueError("Cached is for a training on one data set")
    model = Embedder(
        student,
        [layer for loss in losses for layer in loss.layers],
        cached[0].mini_batch_size if cached else None,
    )
    if len(data) == 1:
        task = data[0].task
        loss, metrics = task.loss, task.metrics()
        optimizer = optimizer or task.optimizer(steps)
    else:
        columns = [len(part.task.columns) for part in data]
        named = {part.name: part.task.loss for part in data}
        loss = Mixture(named, columns, target_shapes)
        metrics = loss.metrics()
        optimizer = optimizer or FusedAdam(warmup_cosine(1e-4, steps))
    if is_partial:
        _check_rowwise(optimizer, model.trainable_variables)
    if mixed_precision:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False)
    # Built within the first step, it would have that step traced twice.
    model.optimizer.build(model.trainable_variables)
    return model


def _check_rowwise(
    optimizer: keras.optimizers.Optimizer, variables: list[keras.Variable]
) -> None:
    """Refuse an optimizer that moves rows of the table which got no gradient."""
    optimizer = getattr(optimizer, "inner_optimizer", optimizer)
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
