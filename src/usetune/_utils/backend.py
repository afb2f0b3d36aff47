"""The backend that Keras computes on."""

import json
import os
import sys

from usetune._utils.paths import expand


def check_backend() -> None:
    """Refuse another backend of Keras than TensorFlow, before or after its import.

    Raises:
        ImportError: saying what to set.
    """
    keras = sys.modules.get("keras")
    backend = keras.config.backend() if keras else _named()
    if backend != "tensorflow":
        raise ImportError(
            "usetune needs Keras' backend TensorFlow: set the environment variable "
            "KERAS_BACKEND to 'tensorflow' (or 'backend' in keras.json) before Keras "
            f"is imported. Received: {backend!r}"
        )


def _named() -> str:
    """The backend that Keras will take: of the environment, of its file, its own."""
    path = expand(os.environ.get("KERAS_HOME", "~/.keras")) / "keras.json"
    try:
        settings = json.loads(path.read_bytes())
    except (OSError, ValueError):
        settings = {}
    return os.environ.get("KERAS_BACKEND") or settings.get("backend", "tensorflow")
