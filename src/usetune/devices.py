"""Which device TensorFlow computes on, and in which precision."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import keras
import tensorflow as tf

from usetune._utils.checks import check_choice


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


def training_strategy() -> tf.distribute.Strategy:
    """What spreads a training over devices.

    Returns:
        The strategy whose scope is entered; without one, a MirroredStrategy if
        TensorFlow sees several GPUs.
    """
    if not tf.distribute.has_strategy():
        if len(tf.config.list_logical_devices("GPU")) > 1:
            return tf.distribute.MirroredStrategy()
    return tf.distribute.get_strategy()


@contextmanager
def float32_policy() -> Iterator[None]:
    """Let layers that are made meanwhile compute in float32.

    Keras' global dtype policy, which a user may have set for models of their own, is
    the same again afterwards.
    """
    before = keras.config.dtype_policy()
    if before.name == "float32":
        yield
        return
    keras.config.set_dtype_policy("float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


# A processor has one of these flags if it multiplies in bfloat16.
_BFLOAT16 = re.compile(r"^(flags|Features)\b.*\b(amx_bf16|avx512_bf16|bf16)\b", re.M)
_POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def product_policy(precision: str) -> str:
    """Keras' dtype policy for layers whose products are computed in a precision.

    Args:
        precision: "float32" or "bfloat16".

    Raises:
        ValueError: if it is something else, or bfloat16 would be slower here.
    """
    check_choice("precision", precision, _POLICIES)
    if precision == "bfloat16" and not tf.config.list_physical_devices("GPU"):
        cpu = Path("/proc/cpuinfo")
        if not cpu.is_file() or not _BFLOAT16.search(cpu.read_text()):
            raise ValueError(
                "this processor has no units for bfloat16 (AMX or AVX512_BF16), so "
                "that it would be slower than float32: leave out precision, or write "
                "precision='float32' for an encoder that was saved with another"
            )
    return _POLICIES[precision]


@contextmanager
def float16_on_gpu(enabled: bool) -> Iterator[None]:
    """Let TensorFlow compute in float16 on a GPU what stays accurate so.

    It rewrites graphs that are traced meanwhile; weights stay float32. CPUs compute as
    before.
    """
    option = "auto_mixed_precision"
    before = tf.config.optimizer.get_experimental_options().get(option, False)
    tf.config.optimizer.set_experimental_options({option: enabled})
    try:
        yield
    finally:
        tf.config.optimizer.set_experimental_options({option: before})
