"""The files of a corpus."""

from collections.abc import Sequence
from pathlib import Path

from usetune.corpus.formats import reader_of


def corpus_files(corpus: str | Path | Sequence[str | Path]) -> dict[str, list[int]]:
    """Find the files of a corpus.

    Args:
        corpus: a file, a folder, or several files. In a folder, names that begin with
            "." or "_" are no part of the corpus.

    Returns:
        Size in bytes and time of the last change in ns, by absolute path: of a folder
        in the order of names, else as given.

    Raises:
        FileNotFoundError: if a file does not exist, or there is none.
        ValueError: naming a file that is empty, given twice, or of another format
            than .parquet, .csv, .jsonl, .ndjson or .txt, or than the others.
    """
    if isinstance(corpus, (str, Path)):
        paths = [Path(corpus)]
        if paths[0].is_dir():
            names = sorted(paths[0].iterdir())
            paths = [path for path in names if not path.name.startswith((".", "_"))]
    else:
        paths = [Path(path) for path in corpus]
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
