"""Readers of data files: pairs, ESCO, STS, lists of texts, corpora."""

import csv
import functools
import gzip
import hashlib
import io
import json
import os
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tools.fuzz import readings
from tools.fuzz.mutations import damaged
from tools.fuzz.readings import Table
from tools.fuzz.verdicts import RIGHT, UNDETECTABLE, WRONG, Case
from usetune import load_occupations, load_pairs
from usetune.corpus.files import corpus_files, cut
from usetune.corpus.job import Job
from usetune.corpus.part import embed_part
from usetune.data import load_sts, sources
from usetune.page.text_lists import read_texts

Judge = Callable[[Any], tuple[str, str]]

_TEXTS = ["nurse", "pastry cook", "看護師", 'the "big" one', "a, b", "naïve\nline", "x"]
PAIRS: dict[str, list[dict[str, Any]]] = {
    "scored": [
        {"base": _TEXTS[row], "ref": _TEXTS[-1 - row], "similarity": row / 8}
        for row in range(7)
    ],
    "binary": [
        {"base": _TEXTS[row], "ref": f"ref {row}", "label": row % 2} for row in range(5)
    ],
    "labelled": [
        {"base": _TEXTS[row], "ref": f"ref {row}", "label": row} for row in range(4)
    ],
    "positive": [
        {
            "anchor": _TEXTS[row],
            "positive": f"positive {row}",
            "negative_1": f"negative {row}",
            "occupation": f"urn:{row % 2}",
            "note": "NA",
        }
        for row in range(6)
    ],
    "triplets": [
        {"anchor": _TEXTS[row], "positive": f"p {row}", "negative": f"n {row}"}
        for row in range(3)
    ],
    "classes": [{"text": _TEXTS[row], "label": row % 3} for row in range(6)],
}
_OCCUPATIONS = [
    {
        "conceptUri": f"urn:{row}",
        "iscoGroup": f"{1000 + row}",
        "preferredLabel": label,
        "altLabels": "\n".join([f"{label} {more}" for more in "abc"[:row]]),
        "description": f"Does, {label}.",
    }
    for row, label in enumerate(["cook", "nurse", 'the "best" baker', "äöü"])
]
_CORPUS = [{"title": text, "code": row} for row, text in enumerate(_TEXTS)]


def csv_bytes(rows: list[dict[str, Any]], quoting: int = csv.QUOTE_MINIMAL) -> bytes:
    """A CSV file of rows, by Python's writer."""
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n", quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue().encode()


def json_bytes(rows: list[dict[str, Any]], random: Random | None = None) -> bytes:
    """A JSON Lines file of rows; some of them escaped, given a random."""
    lines = [
        json.dumps(row, ensure_ascii=bool(random and random.randrange(2)))
        for row in rows
    ]
    return "".join(line + "\n" for line in lines).encode()


def parquet_bytes(table: pa.Table, checksums: bool, **options: Any) -> bytes:
    """A Parquet file."""
    sink = io.BytesIO()
    pq.write_table(table, sink, write_page_checksum=checksums, **options)
    return sink.getvalue()


def accepted(why_not: str) -> tuple[str, str]:
    """The verdict on what was accepted: right, or why it is wrong."""
    return (WRONG, why_not) if why_not else (RIGHT, "")


def pairs_csv(folder: Path, random: Random) -> Case:
    """Training data in CSV files."""
    rows = random.choice([*PAIRS.values()])
    content = csv_bytes(rows, random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    content, what = damaged(content, random, is_text=True)
    path = folder / "pairs.csv"
    return _lines_case(path, content, what, random, readings.csv_tables)


def pairs_json(folder: Path, random: Random) -> Case:
    """Training data in JSON Lines files."""
    content = json_bytes(random.choice([*PAIRS.values()]), random)
    content, what = damaged(content, random, is_text=True)
    name = random.choice(["pairs.jsonl", "pairs.ndjson"])
    return _lines_case(folder / name, content, what, random, readings.json_tables)


def _lines_case(
    path: Path,
    content: bytes,
    what: str,
    random: Random,
    read: Callable[[bytes], list[Table]],
) -> Case:
    """Training data in a file of lines, packed by gzip now and then."""
    stored = content
    if random.randrange(8) == 0:
        path, what = path.with_name(f"{path.name}.gz"), f"{what}, packed"
        stored = gzip.compress(content, mtime=0)
        if random.randrange(2):
            stored, more = damaged(stored, random, is_text=False)
            what = f"{what}, {more}"

    def judge(found: pd.DataFrame) -> tuple[str, str]:
        try:
            own = gzip.decompress(stored) if path.suffix == ".gz" else stored
        except (EOFError, OSError, zlib.error):
            return WRONG, "accepted, though gzip cannot unpack it"
        return judge_pairs(found, read(own))

    return _file_case(path, stored, what, load_pairs, judge)


def pairs_parquet(folder: Path, random: Random) -> Case:
    """Training data in Parquet files, with checksums of the pages or without."""
    whole, content, what = _damaged_parquet(random.choice([*PAIRS.values()]), random)
    path = folder / "pairs.parquet"
    path.write_bytes(content)
    return parquet_case(path, whole, what, load_pairs, judge_pairs)


def esco(folder: Path, random: Random) -> Case:
    """ESCO's occupations."""
    rows = _OCCUPATIONS
    content = csv_bytes(rows, random.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]))
    if random.randrange(4) == 0:
        mark = random.choice("\x0b\x0c\x1c\x85\u2028\r\t")
        content = content.replace(b"nurse a", f"nurse{mark}a".encode())
    content, what = damaged(content, random, is_text=True)

    def judge(found: pd.DataFrame) -> tuple[str, str]:
        tables = readings.csv_tables(content)
        faults = [_misread_occupations(found, table) for table in tables]
        return accepted("" if "" in faults else [*faults, "it has no reading"][0])

    path = folder / "occupations_en.csv"
    return _file_case(path, content, what, load_occupations, judge)


def _misread_occupations(found: pd.DataFrame, table: Table) -> str:
    if len(found) != len(table.rows):
        return f"{len(table.rows)} rows became {len(found)}"
    for name in _OCCUPATIONS[0]:
        if table.header.count(name) != 1:
            return f"{name} is not there once: {table.header!r:.200}"
        pairs = zip(table.column(name), found[name], strict=True)
        for row, (cell, own) in enumerate(pairs, start=1):
            expected = None if cell is None else cell.strip()
            if name == "altLabels" and cell is not None:
                lines = re.split(r"\r?\n", cell)
                expected = [line.strip() for line in lines if line.strip()]
            if own != expected or (expected == "" and name != "altLabels"):
                return f"row {row}, {name}: {cell!r:.100} became {own!r:.100}"
            if name == "iscoGroup" and not re.fullmatch("[0-9]{1,4}", own):
                return f"row {row} has the ISCO code {own!r}"
    keys = [(row["conceptUri"], row["language"]) for _, row in found.iterrows()]
    return "an occupation comes twice" if len({*keys}) < len(keys) else ""


def sts(folder: Path, random: Random) -> Case:
    """The STS benchmark, whose files have pinned sums."""
    whole = sources.shipped("sts_sample.csv").read_bytes().partition(b"\n")[2]
    registry = folder / "registry.txt"
    digest = hashlib.sha256(whole).hexdigest()
    registry.write_text(f"stsb/stsb-en-dev.csv {digest} http://127.0.0.1:9/none\n")
    # What the package pins is the sum of the real file, which is not shipped.
    assert isinstance(sources._REGISTRY, Path)
    sources._REGISTRY = registry
    os.environ["USETUNE_DATA"] = str(folder)
    content, what = damaged(whole, random, is_text=True)
    path = folder / "stsb" / "stsb-en-dev.csv"
    path.parent.mkdir(exist_ok=True)

    def judge(found: pd.DataFrame) -> tuple[str, str]:
        if content != whole:
            return WRONG, "accepted, though it is not the pinned file"
        expected = list(csv.reader(io.StringIO(whole.decode(), newline="")))
        own = [[*map(str, row)] for row in found.to_numpy().tolist()]
        return accepted("" if own == expected else "rows differ")

    return _file_case(path, content, what, lambda _: load_sts(), judge)


def text_lists(folder: Path, random: Random) -> Case:
    """Lists of the page."""
    kind = random.choice(["txt", "csv", "jsonl", "parquet"])
    path = folder / f"titles.{kind}"
    if kind == "parquet":
        whole, content, what = _damaged_parquet(_CORPUS, random)
        path.write_bytes(content)
        return parquet_case(path, whole, what, read_texts, _judge_list)
    write = {"csv": csv_bytes, "jsonl": json_bytes, "txt": _lines}[kind]
    content, what = damaged(write(_CORPUS), random, is_text=True)
    read = {
        "csv": readings.csv_tables,
        "jsonl": readings.json_tables,
        "txt": _text_tables,
    }
    judge = lambda found: _judge_list(found, read[kind](content))  # noqa: E731
    return _file_case(path, content, what, read_texts, judge)


def _lines(rows: list[dict[str, Any]]) -> bytes:
    return "".join(f"{row['title']}\n" for row in rows).encode()


def _text_tables(content: bytes) -> list[Table]:
    """Plain text, a text on each line; column None."""
    try:
        text = content.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError:
        return []
    return [Table(["text"], [[line] for line in text.split("\n")])]


def _judge_list(found: Any, tables: list[Table]) -> tuple[str, str]:
    faults = [_misread_list(found, table) for table in tables]
    return accepted("" if "" in faults else [*faults, "it has no reading"][0])


def _misread_list(found: Any, table: Table) -> str:
    name = found.column or "text"
    if table.header.count(name) != 1:
        return f"column {name!r} is not there once: {table.header!r:.200}"
    cells = [cell for cell in table.column(name) if cell is not None]
    if not all(isinstance(cell, str) for cell in cells):
        return f"column {name!r} holds other things than texts"
    tidied = [" ".join(cell.split()) for cell in cells]
    expected = list(dict.fromkeys(text for text in tidied if text))
    if not all(map(readings.is_text, expected)):
        return "a text cannot be written in UTF-8"
    if found.texts != expected:
        return f"{expected!r:.150} became {found.texts!r:.150}"
    return ""


class CorpusEncoder:
    """Gives a text its sum, so that embeddings can be told apart."""

    dim = 4

    def encode(self, texts: list[str]) -> np.ndarray:
        """Float32 (n, 4)."""
        return np.array([embedding(text) for text in texts], np.float32).reshape(-1, 4)


def embedding(text: str) -> list[float]:
    """Four numbers of a text."""
    crc = zlib.crc32(text.encode("utf-8"))
    return [float(crc >> shift & 255) for shift in (0, 8, 16, 24)]


def corpus(folder: Path, random: Random) -> Case:
    """Files of a corpus, planned, embedded and written part by part."""
    kind = random.choice(["txt", "csv", "jsonl", "parquet"])
    path, column = folder / f"corpus.{kind}", "text" if kind == "txt" else "title"
    read = functools.partial(_embedded, column=column)
    if kind == "parquet":
        whole, content, what = _damaged_parquet(_CORPUS, random, checksums=True)
        path.write_bytes(content)
        judge_tables = functools.partial(_judge_corpus, column=column)
        return parquet_case(path, whole, what, read, judge_tables)
    write = {"csv": csv_bytes, "jsonl": json_bytes, "txt": _lines}[kind]
    content, what = damaged(write(_CORPUS), random, is_text=True)

    def judge(found: Any) -> tuple[str, str]:
        tables = {"csv": readings.csv_tables, "txt": _corpus_lines}
        if kind in tables:
            return _judge_corpus(found, tables[kind](content), column)
        good, rejected = _corpus_rows(content, column)
        return _judge_corpus(found, good, column, rejected)

    return _file_case(path, content, what, read, judge)


def _corpus_lines(content: bytes) -> list[Table]:
    tables = _text_tables(content)
    if not tables:
        return []
    lines = [line for (line,) in tables[0].rows]
    rows = [[line.removesuffix("\r")] for line in lines if line.strip()]
    # What str.isspace calls blank beyond ASCII is a text to others.
    ascii_rows = [
        [line.removesuffix("\r")] for line in lines if line.strip(" \t\r\x0b\x0c")
    ]
    return [Table(["text"], rows), Table(["text"], ascii_rows)]


def _corpus_rows(content: bytes, column: str) -> tuple[list[Table], int]:
    """The rows with a text, and the number of the others."""
    rows = list(readings.json_rows(content))
    good = [row for row in rows if row and isinstance(row.get(column), str)]
    header = list(dict.fromkeys(name for row in good for name in row))
    cells = [[row.get(name) for name in header] for row in good]
    return [Table(header, cells)], len(rows) - len(good)


def _embedded(path: Path, column: str) -> tuple[pa.Table, int]:
    """All rows of a corpus with their embeddings, and the number of those rejected."""
    output = path.parent / "embedded"
    files = corpus_files(path)
    types, parts = cut(list(files), column, 3)
    job = Job(column, types, "float32", output, output / "work")
    tables, rejected = [], 0
    for part in parts:
        lost = output / "rejected" / f"{part.name}.jsonl"
        lost.unlink(missing_ok=True)
        embed_part(part, job, CorpusEncoder())
        tables.append(pq.read_table(output / "parts" / f"{part.name}.parquet"))
        if lost.exists():
            rejected += len(lost.read_bytes().splitlines())
    return pa.concat_tables(tables), rejected


def _judge_corpus(
    found: tuple[pa.Table, int], tables: list[Table], column: str, rejected: int = 0
) -> tuple[str, str]:
    faults = [_misread_corpus(*found, column, table, rejected) for table in tables]
    return accepted("" if "" in faults else [*faults, "it has no reading"][0])


def _misread_corpus(
    found: pa.Table, lost: int, column: str, table: Table, rejected: int
) -> str:
    if len({*table.header}) < len(table.header):
        return f"a column is there twice: {table.header!r:.200}"
    nulls = [row for row in table.rows if row[table.header.index(column)] is None]
    rows = [row for row in table.rows if row not in nulls]
    if (len(found), lost) != (len(rows), rejected + len(nulls)):
        return f"{len(rows)} rows became {len(found)}, and {lost} were rejected"
    if {*found.column_names} != {*table.header, "embedding"}:
        return f"columns {table.header!r:.200} became {found.column_names!r:.200}"
    for place, name in enumerate(table.header):
        own = found[name].to_pylist()
        for number, (row, cell) in enumerate(zip(rows, own, strict=True), start=1):
            if not _is_kept(row[place], cell):
                return f"row {number}, {name}: {row[place]!r:.100} became {cell!r:.100}"
    expected = [embedding(row[table.header.index(column)]) for row in rows]
    return "" if found["embedding"].to_pylist() == expected else "other embeddings"


def _is_kept(cell: Any, own: Any) -> bool:
    """Whether a cell is the same, or the JSON text of it."""
    if type(cell) is type(own) or (isinstance(own, float) and isinstance(cell, int)):
        return bool(cell == own) or (cell != cell and own != own)
    try:
        return json.dumps(json.loads(own)) == json.dumps(cell)
    except (TypeError, ValueError):
        return False


def _file_case(
    path: Path, content: bytes, what: str, read: Callable[[Path], Any], judge: Judge
) -> Case:
    path.write_bytes(content)
    return Case(what, lambda: read(path), judge, [path.name])


def _damaged_parquet(
    rows: list[dict[str, Any]], random: Random, checksums: bool | None = None
) -> tuple[Table, bytes, str]:
    """The rows, a damaged Parquet file of them, and how it was damaged."""
    table = pa.Table.from_pylist(rows)
    if checksums is None:
        checksums = random.random() < 0.7
    options = {
        "compression": random.choice(["snappy", "none", "zstd", "gzip"]),
        "use_dictionary": random.random() < 0.5,
        "row_group_size": random.choice([2, 100]),
        "data_page_version": random.choice(["1.0", "2.0"]),
    }
    content = parquet_bytes(table, checksums, **options)
    content, what = damaged(content, random, is_text=False)
    cells = [list(row.values()) for row in rows]
    whole = Table(list(rows[0]), cells)
    return whole, content, f"{what}, {'with' if checksums else 'without'} checksums"


def parquet_case(
    path: Path,
    whole: Table,
    what: str,
    read: Callable[[Path], Any],
    judge_tables: Callable[[Any, list[Table]], tuple[str, str]],
) -> Case:
    """A case whose rows are those written; else, what pyarrow itself makes of it."""

    def judge(found: Any) -> tuple[str, str]:
        verdict, why = judge_tables(found, [whole])
        if verdict == RIGHT:
            return verdict, why
        try:
            table = pq.read_table(path, page_checksum_verification=True)
            table.validate(full=True)
        except Exception as error:
            return WRONG, f"{why}; pyarrow refuses it: {error!r:.150}"
        columns = [column.to_pylist() for column in table.columns]
        rows = [list(row) for row in zip(*columns, strict=True)]
        verdict, other = judge_tables(found, [Table(table.column_names, rows)])
        return (UNDETECTABLE, why) if verdict == RIGHT else (WRONG, other)

    return Case(what, lambda: read(path), judge, [path.name])


def judge_pairs(found: pd.DataFrame, tables: list[Table]) -> tuple[str, str]:
    """Whether training data are one of the readings."""
    return accepted(readings.misread(found, tables))


def all_readers() -> Iterator[tuple[str, Callable[[Path, Random], Case], int]]:
    """Name, maker of a case, and how many of 27,000 inputs."""
    yield "pairs: CSV", pairs_csv, 3500
    yield "pairs: JSON Lines", pairs_json, 3500
    yield "pairs: Parquet", pairs_parquet, 2500
    yield "ESCO", esco, 1500
    yield "STS benchmark", sts, 300
    yield "lists of the page", text_lists, 2000
    yield "corpus files", corpus, 2500
