"""Arguments of sentence-transformers' ``encode``: what holds here in their place."""

from collections.abc import Mapping
from typing import Any

_PROMPT = "no prompt is known; write it before each text yourself"
_PROCESSES = "one process encodes; usetune.embed_corpus starts several"
# The values that say what holds, and what to do for others.
_OPTIONS: dict[str, tuple[tuple[Any, ...], str]] = {
    "normalize_embeddings": (
        (True, False),
        "embeddings have unit length, as of a model that ends in Normalize",
    ),
    "convert_to_numpy": ((True,), "the result is a NumPy array"),
    "convert_to_tensor": (
        (False, None),
        "the result is a NumPy array; tf.constant or torch.from_numpy takes it",
    ),
    "precision": (
        ("float32",),
        "embeddings are float32; usetune.search.Quantizer takes them to 8 bits or 1",
    ),
    "output_value": (
        ("sentence_embedding",),
        "texts have embeddings, tokens have none",
    ),
    "truncate_dim": ((None,), "write encoder.truncate(dim).encode(texts)"),
    "prompt_name": ((None,), _PROMPT),
    "prompt": ((None,), _PROMPT),
    "device": ((None,), "write with tf.device('/GPU:0'): before it"),
    "pool": ((None,), _PROCESSES),
    "chunk_size": ((None,), _PROCESSES),
}


def check_options(options: Mapping[str, Any]) -> None:
    """Let arguments pass that ask for what holds anyway.

    Raises:
        TypeError: naming an argument that is unknown.
        ValueError: naming each that asks for something else, and what to do instead.
    """
    for name in options:
        if name not in _OPTIONS:
            raise TypeError(
                f"encode() got an unexpected keyword argument {name!r}. It takes "
                "texts, batch_size and show_progress_bar"
            )
    refused = [
        f"{name}={value!r}: {_OPTIONS[name][1]}"
        for name, value in options.items()
        if value not in _OPTIONS[name][0]
    ]
    if refused:
        raise ValueError(f"encode() was asked for {'; '.join(refused)}")
