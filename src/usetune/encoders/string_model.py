"""A Keras model whose inputs are strings: dtypes, configuration, copies, pickles."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any, Self

import keras

from usetune._utils.process import check_process
from usetune.encoders.pickles import unpickled, with_weights
from usetune.encoders.strings import one_axis


class StringModel(keras.Model):
    """Strings (batch,) → float32 (batch, dim), with what Keras asks of a model.

    It computes in float32, whatever Keras' global dtype policy is; a subclass makes its
    layers under `usetune.devices.float32_policy`.

    Attributes:
        dim: number of components of an embedding.
    """

    dim: int

    def __init__(self, **kwargs: Any) -> None:
        check_process()
        super().__init__(dtype="float32", **kwargs)
        # Strings are not compiled by XLA.
        self.supports_jit = False

    # Keras asks a layer for the dtype of its input by these two.
    @property
    def compute_dtype(self) -> str:
        """The dtype of the input, "string"."""
        return "string"

    @property
    def variable_dtype(self) -> str:
        """As `compute_dtype`; variables have one of their own."""
        return "string"

    def add_weight(
        self,
        shape: Any = None,
        initializer: Any = None,
        dtype: Any = "float32",
        **options: Any,
    ) -> keras.Variable:
        """See `keras.layers.Layer.add_weight`."""
        return super().add_weight(shape, initializer, dtype, **options)

    def __call__(self, texts: Any, *args: Any, **kwargs: Any) -> Any:
        """Embed strings (batch,) or (batch, 1): a tensor, an array or a list.

        Returns:
            float32 tensor (batch, dim).

        Raises:
            TypeError: if they are no strings.
            ValueError: if they have another shape.
        """
        return super().__call__(one_axis(texts), *args, **kwargs)

    @classmethod
    def from_config(cls, config: dict[str, Any], custom_objects: Any = None) -> Self:
        """Make a model of what `get_config` gave; its weights are others."""
        arguments = cls._arguments(dict(config))
        frozen = arguments.pop("frozen")
        return cls(**arguments).freeze_layers(frozen)

    def get_config(self) -> dict[str, Any]:
        """Name and frozen layers, see `keras.layers.Layer.get_config`."""
        return {"name": self.name, "frozen": self.frozen_layers()}

    def frozen_layers(self) -> list[int]:
        """Numbers of the layers that are frozen, among those with weights."""
        layers = enumerate(self._layers_with_weights())
        return [number for number, layer in layers if not layer.trainable]

    def freeze_layers(self, numbers: Collection[int]) -> Self:
        """This model, with those of its layers frozen, and no others.

        Args:
            numbers: as `frozen_layers` gives them, of a model of the same layers.
        """
        # A layer comes before those within it, to which its own setting goes, too.
        for number, layer in enumerate(self._layers_with_weights()):
            layer.trainable = number not in numbers
        return self

    def _layers_with_weights(self) -> list[keras.Layer]:
        # Others may be made in the first call, so that a fresh model has fewer.
        return [layer for layer in self._flatten_layers() if layer.weights]

    @staticmethod
    def _arguments(config: dict[str, Any]) -> dict[str, Any]:
        """The arguments of `__init__`, of their form in a configuration."""
        return config

    def copy(self) -> Self:
        """An independent model with the same weights."""
        raise NotImplementedError

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self.copy()

    def __reduce_ex__(self, _: Any) -> tuple[Any, ...]:
        function, arguments = self.__reduce__()
        return unpickled, (type(self), function, arguments, self.frozen_layers())

    def __reduce__(self) -> tuple[Any, ...]:
        # Keras' own containers, which its layers make of others, have no pickle.
        config = json.loads(json.dumps(self.get_config()))
        # Equal encoders have equal pickles, but names with numbers.
        config.pop("name", None)
        return with_weights, (type(self), config, self.get_weights())

    def get_build_config(self) -> None:
        """Nothing: an encoder has its variables once it is made."""

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, int]:
        """(batch, dim)."""
        return (input_shape[0], self.dim)

    def compute_output_spec(self, texts: Any, **_: Any) -> keras.KerasTensor:
        """Shape and dtype of the output: (batch, dim), float32."""
        return keras.KerasTensor(self.compute_output_shape(texts.shape), "float32")
