"""Encoders to the Hugging Face Hub and Kaggle; `usetune.load_encoder` gets them back.

What is uploaded is the folder that `Encoder.save` writes, and a card as README.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from usetune._utils.extras import require
from usetune._utils.files import check_new, replacing
from usetune._utils.warn import warn
from usetune.encoders.base import Encoder
from usetune.encoders.hubs import HUB_ID, KAGGLE_HANDLE


def push_to_hub(
    encoder: Encoder,
    repo_id: str,
    *,
    card: str | None = None,
    private: bool = True,
    revision: str | None = None,
    commit_message: str = "Upload an encoder with usetune",
    token: str | None = None,
    dry_run: str | Path | None = None,
) -> str:
    """Upload an encoder to the Hugging Face Hub, in one commit.

    ``load_encoder("hf://" + repo_id)`` reads it back. Other files of the repository
    stay as they are. Where the upload fails, nothing is committed; a repository that
    was new stays, empty.

    Args:
        encoder: what is uploaded.
        repo_id: ``owner/model``; it is created if it does not exist.
        card: README.md, Markdown. Default: none, with a warning; one that the
            repository has stays.
        private: whether a new repository is; an existing one stays as it is.
        revision: the branch, created if it does not exist. Default: the main one.
        commit_message: first line of the commit.
        token: of the Hub. Default: the one that is logged in.
        dry_run: a new folder that gets what would be uploaded. No network is used.

    Returns:
        The commit's address, or the folder of ``dry_run``.

    Raises:
        TypeError: if ``encoder`` or ``card`` is something else.
        ValueError: if ``repo_id`` is malformed.
        FileExistsError: if ``dry_run`` exists and is not an empty folder.
        OSError: if the upload fails.
        ImportError: if the extra ``usetune[share]`` is not installed.
    """
    if not isinstance(repo_id, str) or not HUB_ID.fullmatch(repo_id):
        raise ValueError(f"repo_id must be owner/model. Received: {repo_id!r}")
    if dry_run is not None:
        return _write(encoder, card, dry_run)
    hub = require("huggingface_hub", "share", "sharing an encoder")
    where = f"{repo_id!r} on the Hugging Face Hub, nothing was committed"
    with _uploading(encoder, card, where) as folder:
        # upload_folder would split what takes long into several commits.
        operations = [
            hub.CommitOperationAdd(path.relative_to(folder).as_posix(), path)
            for path in sorted(folder.rglob("*"))
            if path.is_file()
        ]
        api = hub.HfApi(token=token)
        api.create_repo(repo_id, private=private, exist_ok=True)
        if revision is not None:
            api.create_branch(repo_id, branch=revision, exist_ok=True)
        commit = api.create_commit(
            repo_id, operations, commit_message=commit_message, revision=revision
        )
    return commit.commit_url


def push_to_kaggle(
    encoder: Encoder,
    handle: str,
    *,
    card: str | None = None,
    license_name: str | None = None,
    version_notes: str = "",
    dry_run: str | Path | None = None,
) -> str:
    """Upload an encoder to Kaggle, as a new version of a model.

    ``load_encoder(handle)`` reads it back. A new model is private.

    Args:
        encoder: what is uploaded.
        handle: ``owner/model/framework/variation``; the framework is one of
            "tensorflow2", "keras", "transformers" and "other".
        card: README.md among the files, Markdown. Default: none, with a warning.
        license_name: of a new variation, such as "MIT". Default: Kaggle's.
        version_notes: what is new.
        dry_run: a new folder that gets what would be uploaded. No network is used.

    Returns:
        The model's address, or the folder of ``dry_run``.

    Raises:
        TypeError: if ``encoder`` or ``card`` is something else.
        ValueError: if ``handle`` is malformed, or has a version.
        FileExistsError: if ``dry_run`` exists and is not an empty folder.
        OSError: if the upload fails.
        ImportError: if the extra ``usetune[share]`` is not installed.
    """
    match = KAGGLE_HANDLE.fullmatch(handle) if isinstance(handle, str) else None
    if match is None or match[1]:
        raise ValueError(
            "handle must be owner/model/framework/variation, the framework tensorflow2,"
            f" keras, transformers or other, without a version. Received: {handle!r}"
        )
    if dry_run is not None:
        return _write(encoder, card, dry_run)
    kagglehub = require("kagglehub", "share", "sharing an encoder")
    with _uploading(encoder, card, f"{handle!r} on Kaggle") as folder:
        kagglehub.model_upload(handle, str(folder), license_name, version_notes)
    return f"https://www.kaggle.com/models/{handle}"


@contextmanager
def _uploading(encoder: Encoder, card: str | None, where: str) -> Iterator[Path]:
    """Give a temporary folder of what is uploaded; errors in the block name the hub."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(_write(encoder, card, Path(temporary) / "encoder"))
        try:
            yield folder
        # Each transport has errors of its own.
        except Exception as error:
            cause = f" ({error.__cause__})" if error.__cause__ else ""
            raise OSError(f"could not upload to {where}: {error}{cause}") from error


def _write(encoder: Encoder, card: str | None, folder: str | Path) -> str:
    """Write what is uploaded to a new folder, and return it."""
    if not isinstance(encoder, Encoder):
        raise TypeError(f"encoder must be a usetune Encoder. Received: {encoder!r:.80}")
    if card is not None and not isinstance(card, str):
        raise TypeError(f"card must be Markdown, a str. Received: {card!r:.80}")
    check_new(folder)
    if card is None:
        warn(
            "the encoder goes without a model card: card= takes the text of README.md, "
            "which tells others what it was trained on and how good it is",
        )
    with replacing(folder) as temporary:
        encoder.save(temporary)
        if card is not None:
            (temporary / "README.md").write_text(card, "utf-8")
    return str(folder)
