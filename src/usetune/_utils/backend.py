"""The backend that Keras computes on."""

import os
import sys


def check_backend() -> None:
    """Refuse another backend of Keras than TensorFlow, before or after its import.

    Raises:
        ImportError: saying what to set.
    """
    keras = sys.modules.get("keras")
    named = os.environ.get("KERAS_BACKEND", "tensorflow")
    backend = keras.config.backend() if keras else named
    if backend != "tensorflow":
        raise ImportError(
            "usetune needs Keras' backend TensorFlow: set the environment variable "
            "KERAS_BACKEND to 'tensorflow' (or 'backend' in keras.json) before Keras "
            f"is imported. Received: {backend!r}"
        )
