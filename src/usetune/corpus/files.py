"""The files of a corpus, and the parts that they are cut into."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from usetune._utils.paths import expand
from usetune.corpus.formats import reader_of
from usetune.corpus.job import Part

# Seconds of work before a progress bar is shown.
_DELAY = 3.0


def corpus_files(corpus: str | Path | Sequence[str | Path]) -> dict[str, list[int]]:
    """Find the files of a corpus.

    Args:
        corpus: a file, a folder, or several files. In a folder, names that begin with
            "." or "_" do not belong to the corpus.

    Returns:
        Size in bytes and time of the last change in ns, by absolute path. The files of
        a folder are in the order of their names, several files in the order given.

    Raises:
        FileNotFoundError: if a file does not exist, or there is none.
        ValueError: naming a file that is empty, given twice, or of another format
            than .parquet, .csv, .jsonl, .ndjson or .txt, or than the others.
    """
    if isinstance(corpus, (str, Path)):
        paths = [expand(corpus)]
        if paths[0].is_dir():
            names = sorted(paths[0].iterdir())
            paths = [path for path in names if not path.name.startswith((".", "_"))]
    else:
        paths = [expand(path) for path in corpus]
    if not paths:
        raise FileNotFoundError(f"corpus must hold a file or more. Received: {corpus}")
    files: dict[str, list[int]] = {}
    formats = set()
    for path in paths:
        path = path.absolute()
        if not path.is_file():
            raise FileNotFoundError(f"corpus must be files. Received: {path}")
        formats.add(reader_of(str(path)).format)
        if str(path) in files:
            raise ValueError(f"corpus must name a file once. Received: {path}, twice")
        status = path.stat()
        if not status.st_size:
            raise ValueError(f"{path} is empty")
        files[str(path)] = [status.st_size, status.st_mtime_ns]
    if len(formats) > 1:
        raise ValueError(
            f"files of a corpus must be of one format. Received: {sorted(formats)}"
        )
    return files


def cut(
    files: Sequence[str], column: str, rows_per_part: int
) -> tuple[dict[str, str], list[Part]]:
    """Cut files into parts, after a look at all of them.

    All texts are read once before any is embedded, so that a damaged file is found
    early. The files stay as they are.

    Args:
        files: absolute paths, all of one format.
        column: name of the column that holds the texts.
        rows_per_part: largest number of rows in a part.

    Returns:
        The types of the columns, by name; and the parts.

    Raises:
        ValueError: naming a file that has no rows, is damaged, lacks the column, has a
            column "embedding", columns other than the first file, or no texts in
            the column.
    """
    reader = reader_of(files[0])(column)
    types = reader.columns(files)
    parts: list[Part] = []
    with tqdm(desc="rows found", unit="row", unit_scale=True, delay=_DELAY) as bar:
        for path in files:
            before = len(parts)
            for found in reader.ranges(path, rows_per_part):
                parts.append(Part(len(parts), path, *found))
                bar.update(parts[-1].rows)
            if len(parts) == before:
                raise ValueError(f"{path} is empty: it has no rows")
    return types, parts
