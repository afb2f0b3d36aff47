"""How an encoder comes out of a pickle.

Keras' own pickles hold the second in which they were made. joblib, and with it the
``memory`` of scikit-learn's pipelines, knows objects by their pickles: here, equal
encoders have equal ones.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from usetune._utils.process import is_forked


def with_weights(
    kind: type[keras.Model], config: dict[str, Any], weights: list[np.ndarray]
) -> keras.Model:
    """Make the model of a configuration and weights."""
    model = kind.from_config(config)
    model.set_weights(weights)
    return model


def unpickled(
    kind: type[keras.Model],
    function: Callable[..., Any],
    arguments: tuple[Any, ...],
    frozen: list[int],
) -> keras.Model:
    """Make a model by a function, and freeze layers; in a forked process, a hollow one.

    A pool waits for ever for a worker that fails to unpickle its task. Of a hollow
    model, `encode` fails, and says why.
    """
    if is_forked():
        return object.__new__(kind)
    return function(*arguments).freeze_layers(frozen)
