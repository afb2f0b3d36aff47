"""BERT's layers, and how a checkpoint names and stores their weights.

Layers come from keras-hub. Its whole `BertBackbone` is not used: it computes the GELU
by the approximation and has one epsilon, where a checkpoint's config.json says which;
and its conversion of checkpoints is private, and reads a pooler's weights.
"""

from functools import partial
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from usetune.devices import float32_policy

ACTIVATIONS = {
    "gelu": keras.activations.gelu,
    "gelu_new": partial(keras.activations.gelu, approximate=True),
    "relu": keras.activations.relu,
}
# What the layers of a block are called in a checkpoint.
_LAYERS = {
    "self_attention_layer/query": "attention.self.query",
    "self_attention_layer/key": "attention.self.key",
    "self_attention_layer/value": "attention.self.value",
    "self_attention_layer/attention_output": "attention.output.dense",
    "self_attention_layer_norm": "attention.output.LayerNorm",
    "feedforward_intermediate_dense": "intermediate.dense",
    "feedforward_output_dense": "output.dense",
    "feedforward_layer_norm": "output.LayerNorm",
}


@float32_policy()
def build_network(config: dict[str, Any]) -> keras.Model:
    """Token ids and mask (batch, tokens) → last layer's states (batch, tokens, dim).

    The layers have the names of their weights in a checkpoint.
    """
    import keras_hub

    dim, epsilon = config["hidden_size"], config.get("layer_norm_eps", 1e-12)
    tokens = keras.Input((None,), dtype="int32")
    mask = keras.Input((None,), dtype="bool")
    x = keras.layers.Embedding(
        config["vocab_size"], dim, "zeros", name="embeddings.word_embeddings"
    )(tokens)
    x += keras_hub.layers.PositionEmbedding(
        config["max_position_embeddings"],
        initializer="zeros",
        name="embeddings.position_embeddings",
    )(x)
    x += keras.layers.Embedding(
        config.get("type_vocab_size", 2),
        dim,
        "zeros",
        name="embeddings.token_type_embeddings",
    )(ops.zeros_like(tokens))
    x = keras.layers.LayerNormalization(epsilon=epsilon, name="embeddings.LayerNorm")(x)
    for number in range(config["num_hidden_layers"]):
        x = keras_hub.layers.TransformerEncoder(
            intermediate_dim=config["intermediate_size"],
            num_heads=config["num_attention_heads"],
            activation=ACTIVATIONS[config.get("hidden_act", "gelu")],
            layer_norm_epsilon=epsilon,
            kernel_initializer="zeros",
            name=f"encoder.layer.{number}",
        )(x, padding_mask=mask)
    return keras.Model([tokens, mask], x)


def stored_names(network: keras.Model) -> dict[str, keras.Variable]:
    """The variables by their names in a checkpoint."""
    names = {}
    for variable in network.variables:
        layer, *inner, kind = variable.path.split("/")
        if inner:
            layer += "." + _LAYERS["/".join(inner)]
        suffix = "bias" if kind in ("bias", "beta") else "weight"
        names[f"{layer}.{suffix}"] = variable
    return names


def as_stored(variable: keras.Variable, dim: int) -> tf.Tensor:
    """A variable in the layout of a checkpoint: kernels (outputs, inputs), no heads."""
    value = variable.value
    if variable.name == "kernel":
        return tf.transpose(
            tf.reshape(value, (dim, -1)) if value.shape.rank == 3 else value
        )
    return value if variable.name == "embeddings" else tf.reshape(value, [-1])
