"""Encoders on the Hugging Face Hub, Kaggle and TF Hub: handles and downloads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usetune._utils.extras import require
from usetune.encoders.bert.checkpoint import FILES
from usetune.encoders.folder import LISTING, MANIFEST

HUB = "hf://"
KAGGLE = "kaggle://"
# As the Hub has it: no "--", no "..", no end in ".git", names of at most 96.
HUB_ID = re.compile(
    r"(?!.*(?:--|\.\.))(?!.*\.git$)\b[\w.-]{1,96}\b/\b[\w.-]{1,96}\b", re.ASCII
)
# Group 1 is the version.
KAGGLE_HANDLE = re.compile(
    r"[\w.-]+/[\w.-]+/(?:tensorflow2|keras|transformers|other)/[\w.-]+(/\d+)?",
    re.IGNORECASE | re.ASCII,
)


def download_from_hub(handle: str) -> str:
    """Download what an encoder needs of a repository on the Hub; give the folder."""
    name, at, revision = handle.removeprefix(HUB).partition("@")
    if not HUB_ID.fullmatch(name) or bool(at) != bool(revision):
        raise ValueError(
            f"handle must be {HUB}owner/model or {HUB}owner/model@revision. "
            f"Received: {handle!r}"
        )
    hub = require("huggingface_hub", "share", "the Hugging Face Hub")

    def snapshot(revision: str | None, files: list[str]) -> Path:
        with downloading(handle):
            return Path(
                hub.snapshot_download(name, revision=revision, allow_patterns=files)
            )

    first = snapshot(revision or None, [LISTING, "config.json"])
    if (first / LISTING).is_file():
        files = [LISTING, *MANIFEST.read(first)["files"]]
    elif (first / "config.json").is_file():
        files = FILES
    else:
        raise ValueError(
            f"{handle!r} is no encoder: it has neither {LISTING} nor the config.json "
            "of a BERT checkpoint"
        )
    # The folder's name is the commit: both downloads are of the same one.
    return str(snapshot(first.name, files))


def download_from_kaggle(handle: str) -> str:
    """Download a model from Kaggle, once; give the folder."""
    name = handle.removeprefix(KAGGLE)
    if not KAGGLE_HANDLE.fullmatch(name):
        raise ValueError(
            f"handle must be {KAGGLE}owner/model/framework/variation, perhaps with "
            f"/version. Received: {handle!r}"
        )
    kagglehub = require("kagglehub", "share", "Kaggle")
    with downloading(handle):
        return kagglehub.model_download(name)


@contextmanager
def downloading(handle: str) -> Iterator[None]:
    """Raise what goes wrong meanwhile as an OSError that names the handle."""
    try:
        yield
    # Each library and each transport below it has errors of its own.
    except Exception as error:
        raise OSError(f"could not download {handle!r}: {error}") from error
