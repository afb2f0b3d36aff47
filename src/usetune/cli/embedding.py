"""``usetune embed``: the texts of a file as vectors in a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from usetune._utils.files import check_room, replacing
from usetune._utils.paths import expand
from usetune.data.columns import refuse_cells
from usetune.data.tables import read_table
from usetune.data.text_files import read_lines
from usetune.encoders.loading import load_encoder

EMBEDDING = "embedding"


def embed(
    texts: str,
    out: str,
    encoder: str,
    column: str | None = None,
    overwrite: bool = False,
) -> dict[str, Any]:
    """Embed the texts of a file.

    Args:
        texts: plain text (``.txt``), a text on each line, or a table that `read_table`
            reads.
        out: ends in .npy, for a float32 array (rows, dim), or in .parquet, for the
            columns of the table and "embedding", lists of fixed length.
        encoder: what `load_encoder` takes.
        column: of the table; may be left out where it has one.
        overwrite: replace the file ``out``.

    Raises:
        ValueError: naming the file, if it has a fault, or ``out`` another ending.
        OSError: if a file cannot be read or written.
    """
    path = expand(out)
    if path.suffix not in (".npy", ".parquet"):
        raise ValueError(f"--out must end in .npy or .parquet. Received: {out}")
    if path.exists() and (not overwrite or path.samefile(expand(texts))):
        raise FileExistsError(f"{out} exists; --overwrite replaces another file")
    check_room(path, 0)
    table, column = _read(texts, column)
    if path.suffix == ".parquet" and EMBEDDING in table:
        raise ValueError(f"{texts} has a column {EMBEDDING!r} already; rename it")
    if path.suffix == ".parquet":
        try:
            rows = pa.Table.from_pandas(table, preserve_index=False)
        except pa.ArrowException as error:
            raise ValueError(
                f"{texts} has values that Parquet does not hold ({error}); write --out "
                "as .npy"
            ) from error
    embeddings = load_encoder(encoder).encode(table[column].tolist())
    with replacing(path) as temporary:
        if path.suffix == ".npy":
            np.save(temporary, embeddings)
        else:
            vectors = pa.FixedSizeListArray.from_arrays(
                pa.array(embeddings.ravel()), embeddings.shape[1]
            )
            pq.write_table(rows.append_column(EMBEDDING, vectors), temporary)
    return {
        "texts": len(table),
        "dim": embeddings.shape[1],
        "column": column,
        "encoder": encoder,
        "out": out,
    }


def _read(texts: str, column: str | None) -> tuple[pd.DataFrame, str]:
    """A table, and the column of its texts."""
    if Path(texts).suffix.lower() == ".txt":
        table = pd.DataFrame({"text": [*read_lines(expand(texts))]}, dtype=str)
        column = "text"
    else:
        table = read_table(texts, *([[column]] if column else []))
        if column is None and table.shape[1] > 1:
            raise ValueError(f"{texts} has the columns {[*table]}; say --column NAME")
        column = column or str(table.columns[0])
        wrong = np.array([not isinstance(cell, str) for cell in table[column]], bool)
        refuse_cells(table[column], wrong, texts, "a text")
    if not len(table):
        raise ValueError(f"{texts} has no rows")
    return table, column
