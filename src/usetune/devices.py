"""Which device TensorFlow computes on."""

import tensorflow as tf


def prepare_device() -> str:
    """Let TensorFlow take GPU memory as it needs it, and name the device.

    Call it before the first computation: the setting cannot be changed later.

    Returns:
        The names of the GPUs that TensorFlow sees, or "CPU".

    Raises:
        RuntimeError: if a GPU is in use already.
    """
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    names = [
        tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
        for gpu in gpus
    ]
    return ", ".join(names) or "CPU"
