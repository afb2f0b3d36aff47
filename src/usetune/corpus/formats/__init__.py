"""The formats of a corpus's files: a `Reader` for each."""

from pathlib import Path

from usetune.corpus.formats.base import Reader
from usetune.corpus.formats.csv import CsvReader
from usetune.corpus.formats.json_lines import JsonLinesReader
from usetune.corpus.formats.parquet import ParquetReader
from usetune.corpus.formats.text import TextReader

__all__ = ["READERS", "Reader", "reader_of"]

# By the ending of a file.
READERS: dict[str, type[Reader]] = {
    ".parquet": ParquetReader,
    ".csv": CsvReader,
    ".jsonl": JsonLinesReader,
    ".ndjson": JsonLinesReader,
    ".txt": TextReader,
}


def reader_of(path: str) -> type[Reader]:
    """The reader of a file's format, by the file's ending.

    Raises:
        ValueError: if the ending is of no format.
    """
    ending = Path(path).suffix.lower()
    if ending not in READERS:
        raise ValueError(
            f"files of a corpus must end in one of {list(READERS)}. Received: {path}"
        )
    return READERS[ending]
