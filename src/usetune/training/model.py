"""What is fitted: the model, put together with its losses, metrics and optimizer."""

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from usetune.data.formats import SCORED
from usetune.encoders.base import Encoder
from usetune.losses import Cached
from usetune.training.multi_loss import LossPerDataSet
from usetune.training.optimizers import FusedAdam, warmup_cosine
from usetune.training.training_set import TrainingSet


class ExampleEncoder(keras.Model):
    """String tensor (batch, columns) → float32 (batch, columns, dim).

    Args:
        encoder: gives embeddings (batch, dim) for a string tensor (batch,).
        layers: trainable layers of the loss, so that they are trained and stored too.
        mini_batch_size: number of examples to embed at a time; of a batch nothing is
            kept except its embeddings (GradCache: Gao et al., "Scaling deep contrastive
            learning batch size under memory limited setup", 2021, section 3.2). The
            gradient stays the same, and each text is embedded twice. Default: embed
            the batch at once.
    """

    def __init__(
        self,
        encoder: Encoder,
        layers: Sequence[keras.layers.Layer] = (),
        mini_batch_size: int | None = None,
    ) -> None:
        super().__init__(name="embedder", dtype="float32")
        self.encoder = encoder
        self.loss_layers = list(layers)
        self.mini_batch_size = mini_batch_size
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """Texts that occur more than once are computed once."""
        distinct, index = tf.unique(tf.reshape(texts, [-1]))
        embeddings = tf.gather(self.encoder(distinct), index)
        columns = texts.shape[1] or tf.shape(texts)[1]
        return tf.reshape(embeddings, (-1, columns, self.encoder.dim))

    def compute_output_spec(self, texts: Any) -> keras.KerasTensor:
        """(batch, columns, dim), float32."""
        return keras.KerasTensor((*texts.shape, self.encoder.dim), dtype="float32")

    def _maybe_symbolic_build(self, *_: Any, **__: Any) -> None:
        """Under a strategy Keras builds from the mean of a batch; texts have none."""

    def train_step(self, data: tuple[tf.Tensor, tf.Tensor]) -> dict[str, Any]:
        """Forward, loss, gradient, update on one batch."""
        if self.mini_batch_size is None:
            return super().train_step(data)
        texts, target = data
        embeddings = self._embed(texts)
        with tf.GradientTape() as tape:
            tape.watch(embeddings)
            loss = self._compute_loss(texts, target, embeddings, training=True)
            scaled = self.optimizer.scale_loss(loss)
        of_embeddings = tape.gradient(scaled, embeddings)
        gradients = self._gradients(texts, of_embeddings)
        self.optimizer.apply_gradients(
            zip(gradients, self.trainable_variables, strict=True)
        )
        # Keras has divided the loss by the number of replicas, whose parts are summed.
        replicas = self.distribute_strategy.num_replicas_in_sync
        self._loss_tracker.update_state(
            loss * replicas, sample_weight=tf.shape(texts)[0]
        )
        return self.compute_metrics(texts, target, embeddings)

    def _embed(self, texts: tf.Tensor) -> tf.Tensor:
        """The forward pass in parts, nothing kept for a gradient."""
        count, part = self._parts(texts)
        shape = (None, *texts.shape[1:], self.encoder.dim)
        parts = tf.TensorArray(
            tf.float32, count, infer_shape=False, element_shape=shape
        )
        _, parts = tf.while_loop(
            lambda i, _: i < count,
            lambda i, parts: (i + 1, parts.write(i, self(part(texts, i)))),
            (0, parts),
            parallel_iterations=1,
        )
        return parts.concat()

    def _gradients(self, texts: tf.Tensor, of_embeddings: tf.Tensor) -> list[tf.Tensor]:
        """The backward pass in parts, from the gradient of each embedding."""
        count, part = self._parts(texts)
        variables = self.trainable_variables

        def add(i: tf.Tensor, sums: list[tf.Tensor]) -> tuple[tf.Tensor, list]:
            with tf.GradientTape() as tape:
                product = tf.reduce_sum(self(part(texts, i)) * part(of_embeddings, i))
            gradients = tape.gradient(
                product, variables, unconnected_gradients=tf.UnconnectedGradients.ZERO
            )
            return i + 1, list(map(tf.add, sums, map(tf.convert_to_tensor, gradients)))

        sums = [tf.zeros_like(variable.value) for variable in variables]
        _, sums = tf.while_loop(
            lambda i, _: i < count, add, (0, sums), parallel_iterations=1
        )
        return sums

    def _parts(self, texts: tf.Tensor) -> tuple[tf.Tensor, Any]:
        size = self.mini_batch_size
        count = -(-tf.shape(texts)[0] // size)
        return count, lambda x, i: x[i * size : (i + 1) * size]


# Optimizers whose update is zero for a row that no gradient has reached.
_ROWWISE = (
    keras.optimizers.Adam,
    keras.optimizers.Adagrad,
    keras.optimizers.RMSprop,
    keras.optimizers.SGD,
)


def compiled_model(
    student: Encoder,
    sets: Sequence[TrainingSet],
    target_shapes: Sequence[tuple[int, ...]],
    optimizer: keras.optimizers.Optimizer | None,
    steps: int,
    mixed_precision: bool,
    is_partial: bool,
) -> ExampleEncoder:
    """The model that trains an encoder on data sets, ready to be fitted.

    Args:
        student: the encoder that is trained.
        sets: the data sets, with their losses.
        target_shapes: for each set the shape of a target, without the batch.
        optimizer: None for the default.
        steps: number of batches in the whole training.
        mixed_precision: whether to scale the loss.
        is_partial: whether ``student`` has only some rows of the embedding table.

    Raises:
        ValueError: if the optimizer would move rows that are not there, or `Cached` is
            one of several losses.
    """
    loss, *others = [own.loss for own in sets]
    layers: list[keras.layers.Layer] = []
    for each in (loss, *others):
        each.build(student.dim)
        layers += each.layers
        if others and isinstance(each, Cached):
            raise ValueError("Cached is for a training on one data set")
    if others:
        loss = LossPerDataSet(sets, target_shapes)
        peak = min(own.loss.learning_rate for own in sets)
        optimizer = optimizer or FusedAdam(warmup_cosine(peak, steps))
    size = loss.mini_batch_size if isinstance(loss, Cached) else None
    model = ExampleEncoder(student, layers, size)
    metrics = loss.metrics() if others else _metrics_of(sets[0])
    optimizer = optimizer or sets[0].optimizer(steps)
    if is_partial:
        _check_rowwise(optimizer, model.trainable_variables)
    if mixed_precision:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
    model.compile(optimizer, loss, metrics=metrics, jit_compile=False)
    # Built within the first step, it would have that step traced twice.
    model.optimizer.build(model.trainable_variables)
    return model


def _metrics_of(data: TrainingSet) -> list[keras.metrics.Metric]:
    """The metrics of a set's loss, without percentages where a target is 0."""
    has_zeros = data.format is SCORED and any(
        (table["similarity"] == 0).any() for table in (data.training, data.validation)
    )
    return [
        metric
        for metric in data.loss.metrics()
        if not has_zeros or metric.name != "mean_absolute_percentage_error"
    ]


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
