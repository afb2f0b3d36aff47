"""Embeddings for TensorBoard's projector: points to turn, search and colour."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from tensorboard.plugins.projector import ProjectorConfig, visualize_embeddings

from usetune._utils.files import check_new, replacing
from usetune._utils.paths import expand
from usetune._utils.warn import warn
from usetune.plots.drawing import finite, shown

_METADATA = "metadata.tsv"
_EMPTY = "(empty)"
_BREAKS = re.compile(r"[\t\n\v\f\r\x1c-\x1e\x85\u2028\u2029]+")


def export_projector(
    folder: str | Path,
    texts: Sequence[str],
    embeddings: Mapping[str, np.ndarray],
    metadata: pd.DataFrame | None = None,
) -> None:
    """Write a folder that TensorBoard's embedding projector shows.

    ``tensorboard --logdir FOLDER`` opens it, with the embeddings to choose from by
    their names; the page projector.tensorflow.org loads the same ``.tsv`` files.

    Args:
        folder: to create.
        texts: n, the label of each point.
        embeddings: by name, base and tuned say: float arrays (n, dim), dim at least 2.
            A name is made of letters, digits, dots, dashes and underscores.
        metadata: n rows, whose columns the points can be coloured and searched by.

    Raises:
        ValueError: if there is nothing to show, the sizes do not fit, a number is not
            finite, or a name cannot be used.
        FileExistsError: if ``folder`` exists and holds something.

    Warns:
        UserWarning: with the number of cells in which tabs and line breaks were
            replaced by spaces, and of texts that are shown as "(empty)": a line is a
            point there, and a tab ends a cell.
    """
    _check(texts, embeddings, metadata)
    folder = expand(folder)
    check_new(folder)
    lines = _metadata_lines(texts, metadata)
    config = ProjectorConfig()
    with replacing(folder) as temporary:
        temporary.mkdir()
        Path(temporary, _METADATA).write_text(lines, encoding="utf-8", newline="\n")
        for name, array in embeddings.items():
            file = f"{name}.tsv"
            # Nine digits give a float32 back exactly.
            np.savetxt(temporary / file, array, fmt="%.9g", delimiter="\t")
            config.embeddings.add(
                tensor_name=name,
                tensor_path=file,
                tensor_shape=np.shape(array),
                metadata_path=_METADATA,
            )
        visualize_embeddings(str(temporary), config)


def _check(
    texts: Sequence[str],
    embeddings: Mapping[str, np.ndarray],
    metadata: pd.DataFrame | None,
) -> None:
    if not len(texts) or not embeddings:
        raise ValueError(
            "there must be at least one text and one array of embeddings. "
            f"Received: {len(texts)} texts, embeddings {[*embeddings]}"
        )
    for name, array in embeddings.items():
        shape = np.shape(array)
        if len(shape) != 2 or shape[0] != len(texts) or shape[1] < 2:
            raise ValueError(
                f"embeddings[{name!r}] must have the shape ({len(texts)}, dim), dim at "
                f"least 2. Received: {shape}"
            )
        finite(f"embeddings[{name!r}]", array)
        if not re.fullmatch(r"[\w.-]+", name) or name.lower() == Path(_METADATA).stem:
            raise ValueError(
                "names of embeddings must be letters, digits, dots, dashes and "
                f"underscores, and not 'metadata'. Received: {name!r}"
            )
    if metadata is not None and (len(metadata) != len(texts) or "text" in metadata):
        raise ValueError(
            f"metadata must have {len(texts)} rows and no column 'text'. "
            f"Received: {len(metadata)} rows, columns {list(metadata.columns)}"
        )


def _metadata_lines(texts: Sequence[str], metadata: pd.DataFrame | None) -> str:
    columns = {"text": texts}
    for name, cells in {} if metadata is None else metadata.items():
        columns[str(name)] = ["" if pd.isna(cell) else str(cell) for cell in cells]
    columns = {name: shown(cells) for name, cells in columns.items()}
    table = pd.DataFrame(columns, dtype=object)
    flat = table.map(_one_line).rename(columns=_one_line)
    replaced = int((flat.to_numpy() != table.to_numpy()).sum())
    empty = flat["text"].str.strip() == ""
    if replaced or empty.any():
        warn(
            f"tabs and line breaks became spaces in {replaced} cells, and "
            f"{int(empty.sum())} texts without a letter became {_EMPTY!r}",
        )
    flat.loc[empty, "text"] = _EMPTY
    rows = flat.to_numpy().tolist()
    # The projector takes the first line for names only where it has several columns.
    names = [list(flat)] if len(flat.columns) > 1 else []
    return "".join("\t".join(row) + "\n" for row in [*names, *rows])


def _one_line(text: str) -> str:
    return _BREAKS.sub(" ", text)
