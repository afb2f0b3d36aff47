"""The files of a corpus, and their format."""

from collections.abc import Sequence
from pathlib import Path

_ENDINGS = {".parquet": "Parquet", ".csv": "CSV", ".jsonl": "JSON", ".ndjson": "JSON"}


def corpus_files(source: str | Path | Sequence[str | Path]) -> dict[str, list[int]]:
    """Find the files of a corpus.

    Args:
        source: a file, a folder, or several files. In a folder, names that begin with
            "." or "_" are no part of the corpus.

    Returns:
        Size in bytes and time of the last change in ns, by absolute path: of a folder
        in the order of names, else as given.

    Raises:
        FileNotFoundError: if a file does not exist, or there is none.
        ValueError: naming a file that is empty, given twice, or of another format
            than .parquet, .csv, .jsonl or .ndjson, or than the others.
    """
    if isinstance(source, (str, Path)):
        paths = [Path(source)]
        if paths[0].is_dir():
            names = sorted(paths[0].iterdir())
            paths = [path for path in names if not path.name.startswith((".", "_"))]
    else:
        paths = [Path(path) for path in source]
    if not paths:
        raise FileNotFoundError(f"input must hold a file or more. Received: {source}")
    files: dict[str, list[int]] = {}
    for path in paths:
        path = path.absolute()
        if not path.is_file():
            raise FileNotFoundError(f"input must be files. Received: {path}")
        if path.suffix.lower() not in _ENDINGS:
            raise ValueError(
                f"input files must end in one of {list(_ENDINGS)}. Received: {path}"
            )
        if str(path) in files:
            raise ValueError(f"input must name a file once. Received: {path}, twice")
        status = path.stat()
        if not status.st_size:
            raise ValueError(f"{path} is empty")
        files[str(path)] = [status.st_size, status.st_mtime_ns]
    formats = {file_format(path) for path in files}
    if len(formats) > 1:
        raise ValueError(
            f"input files must be of one format. Received: {sorted(formats)}"
        )
    return files


def file_format(path: str) -> str:
    """What the ending says: "Parquet", "CSV" or "JSON"."""
    return _ENDINGS[Path(path).suffix.lower()]
