"""Adam in one pass over memory, its settings and the schedule of its rate."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("usetune")
class FusedAdam(keras.optimizers.Adam):
    """`keras.optimizers.Adam` whose update is TensorFlow's one kernel for it.

    Keras composes the update (Kingma and Ba, 2015, algorithm 1, in the form at the end
    of section 2) of a dozen operations, each of which reads and writes arrays as large
    as the variable. The arguments and, but for rounding, the results are the same.
    Sparse gradients and ``amsgrad`` take Keras' own way.

    Args:
        learning_rate: a number or a schedule.
        rates: factors of the learning rate, by a regular expression found in the path
            of a variable: {"embedding": 0.1} trains the embedding table slowly. The
            first that is found counts.
        **settings: as of `keras.optimizers.Adam`.

    Raises:
        ValueError: if an expression is found in no variable's path, when the optimizer
            is built.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rates: Mapping[str, float] | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(learning_rate, **settings)
        self.rates = dict(rates or {})
        self._factors: list[float] = []

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the moments."""
        super().build(variables)
        factors: dict[int, float] = {}
        for pattern, factor in self.rates.items():
            for variable in matching(variables, [pattern]):
                factors.setdefault(id(variable), factor)
        self._factors = [factors.get(id(variable), 1.0) for variable in variables]

    def get_config(self) -> dict[str, Any]:
        """The arguments of `__init__`."""
        return {**super().get_config(), "rates": self.rates}

    def apply(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any] | None = None
    ) -> None:
        """Update the variables, see `keras.optimizers.Optimizer.apply`."""
        step = tf.cast(self.iterations + 1, tf.float32)
        # Once, not for each variable: a small graph is soon traced.
        self._powers = self.beta_1**step, self.beta_2**step
        super().apply(grads, trainable_variables)

    def _clip_by_norm(self, values: Any, axes: Any = None) -> tf.Tensor:
        """Keras' own in two passes over memory; it is asked for whole gradients."""
        values = tf.convert_to_tensor(values)
        norm = tf.sqrt(2 * tf.nn.l2_loss(values))
        return values * (self.clipnorm / tf.maximum(norm, self.clipnorm))

    def update_step(
        self, gradient: Any, variable: Any, learning_rate: tf.Tensor
    ) -> None:
        """Update one variable and its two moments."""
        number = self._get_variable_index(variable)
        learning_rate *= self._factors[number]
        if self.amsgrad or isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        powers = [tf.cast(power, variable.dtype) for power in self._powers]
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[number].value.handle,
            v=self._velocities[number].value.handle,
            beta1_power=powers[0],
            beta2_power=powers[1],
            lr=tf.cast(learning_rate, variable.dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


def matching(
    variables: Sequence[keras.Variable], patterns: Sequence[str]
) -> list[keras.Variable]:
    """Variables in whose path one of the regular expressions is found.

    Raises:
        ValueError: if one of them is found in none.
    """
    found = {
        pattern: [v for v in variables if re.search(pattern, v.path)]
        for pattern in patterns
    }
    for pattern, own in found.items():
        if not own:
            raise ValueError(
                f"{pattern!r} is found in no variable. Paths: "
                f"{[variable.path for variable in variables]}"
            )
    ids = {id(variable) for own in found.values() for variable in own}
    return [variable for variable in variables if id(variable) in ids]


def article_optimizer() -> keras.optimizers.Optimizer:
    """A new optimizer with the article's settings."""
    return FusedAdam(
        learning_rate=1e-5, beta_1=0.9, beta_2=0.9999, epsilon=1e-7, clipnorm=1.0
    )


def warmup_cosine(
    peak: float, steps: int, warmup: float = 0.1
) -> keras.optimizers.schedules.LearningRateSchedule:
    """A learning rate that rises in a line to its peak, then falls as a cosine to 0.

    Args:
        peak: the highest learning rate.
        steps: batches of the whole training.
        warmup: share of them to rise in, in [0, 1).

    Raises:
        ValueError: if ``warmup`` is outside of [0, 1) or ``steps`` not positive.
    """
    if not 0 <= warmup < 1 or steps < 1:
        raise ValueError(
            "warmup must be in [0, 1) and steps at least 1. "
            f"Received: {warmup} and {steps}"
        )
    rising = round(steps * warmup)
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=0.0 if rising else peak,
        decay_steps=steps - rising,
        warmup_target=peak if rising else None,
        warmup_steps=rising,
    )
