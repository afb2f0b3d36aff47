"""Files of lines in UTF-8: opened, and read line by line."""

import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, Any

# Bytes of a line. Without a bound, a small file that unpacks to one endless line would
# fill the memory.
LONGEST = 10_000_000
_MARK = b"\xef\xbb\xbf"
# What a file is that begins so, and what to do.
_OTHERS = {
    b"PK\x03\x04": "an Excel workbook or another zip archive; save it as CSV UTF-8",
    b"\xd0\xcf\x11\xe0": "an Excel workbook (.xls); save it as CSV UTF-8",
    b"PAR1": "a Parquet file; let its name end in .parquet",
    b"\x1f\x8b": "packed by gzip; let its name end in .gz",
    b"BZh": "packed by bzip2; unpack it, or pack it by gzip",
    b"\xfd7zX": "packed by xz; unpack it, or pack it by gzip",
    b"\x28\xb5\x2f\xfd": "packed by Zstandard; unpack it, or pack it by gzip",
    b"\xff\xfe": "not UTF-8 but UTF-16; save it as UTF-8",
    b"\xfe\xff": "not UTF-8 but UTF-16; save it as UTF-8",
}


@contextmanager
def open_lines(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a file of lines behind its byte order mark, unpacked if it ends in .gz.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming the file, if it is of another kind, or a damaged .gz file.
    """
    is_packed = str(path).lower().endswith(".gz")
    opened: Any = gzip.open(path) if is_packed else open(path, "rb")
    with opened as file:
        try:
            start = file.read(4)
            for magic, what in _OTHERS.items():
                if start.startswith(magic):
                    raise ValueError(f"{path} is {what}")
            file.seek(len(_MARK) if start.startswith(_MARK) else 0)
            yield file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path} is no whole gzip file: {error}") from error


def lines_of(file: IO[bytes], path: str | Path) -> Iterator[bytes]:
    """The lines of an open file, each with its line feed.

    Raises:
        ValueError: naming file and line, if one is longer than 10,000,000 bytes.
    """
    lines = iter(partial(file.readline, LONGEST), b"")
    for number, line in enumerate(lines, start=1):
        if len(line) == LONGEST and not line.endswith(b"\n"):
            raise ValueError(f"{path}, line {number} is longer than {LONGEST:,} bytes")
        yield line


def read_lines(path: str | Path) -> Iterator[str]:
    """The texts of a plain text file, one on each line, without its line break.

    Raises:
        FileNotFoundError: if there is no such file.
        ValueError: naming file and line, if it is of another kind, not UTF-8, or a line
            is longer than 10,000,000 bytes.
    """
    with open_lines(path) as file:
        for number, line in enumerate(lines_of(file, path), start=1):
            yield decoded(line, path, number).removesuffix("\n").removesuffix("\r")


def decoded(line: bytes, path: str | Path, number: int) -> str:
    """A line as text.

    Raises:
        ValueError: naming file and line, if it is not UTF-8 or holds NUL, as UTF-16
            does.
    """
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        fault = f"{error}, in line {number}"
    else:
        if "\0" not in text:
            return text
        fault = f"character NUL, in line {number}"
    raise ValueError(f"{path} is not UTF-8 ({fault}); save it as UTF-8 and try again")


def split_lines(text: str) -> list[str]:
    """Cut a text at its line feeds, carriage returns before them or not.

    ``str.splitlines`` cuts at eight further characters, which may stand in a text.
    """
    return re.split(r"\r?\n", text)
