"""A slice of ``make fuzz``: no reader is obscure or wrong, and the oracle can fail."""

import dataclasses
from collections import Counter
from pathlib import Path
from random import Random

import pandas as pd
import pyarrow as pa
import pytest

from tools.fuzz import files, generated, readings, state
from tools.fuzz.verdicts import CLEAR, OBSCURE, RIGHT, UNDETECTABLE, WRONG, verdict
from usetune import load_pairs

DAMAGED = {
    "pairs: CSV": 80,
    "pairs: JSON Lines": 80,
    "pairs: Parquet": 60,
    "ESCO": 30,
    "lists of the page": 40,
    "corpus files": 30,
    "quantizers": 20,
    "deltas of an encoder": 10,
    "training checkpoints": 10,
    "folders of corpora": 20,
    "folders of indexes": 20,
}
GENERATED = {
    "pairs: rows in whole files": 20,
    "pairs: DataFrame": 20,
    "pairs: typed Parquet": 20,
    "pairs: lists and others": 10,
    "texts to encode": 30,
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damaged_inputs(name, tmp_path, tmp_path_factory):
    state.set_templates(tmp_path_factory.mktemp("templates"))
    makers = {
        own: make for own, make, _ in [*files.all_readers(), *state.all_readers()]
    }
    found = Counter()
    for number in range(DAMAGED[name]):
        folder = tmp_path / str(number)
        folder.mkdir()
        case = makers[name](folder, Random(f"slice/{name}/{number}"))
        kind, why = verdict(case)
        assert kind not in (OBSCURE, WRONG), (number, case.what, why)
        found[kind] += 1
    assert found[CLEAR] and found[RIGHT]


@pytest.mark.parametrize("name", GENERATED)
def test_generated_inputs(name, tmp_path):
    readers = {own: found for own, *found in generated.all_readers()}
    strategy, make, _ = readers[name]
    drawn = generated.draws(strategy, 7, GENERATED[name])
    assert len(drawn) == GENERATED[name]
    for number, value in enumerate(drawn):
        case = make(value, number, tmp_path)
        kind, why = verdict(case)
        assert kind not in (OBSCURE, WRONG), (case.what, why)


def lax(path: Path) -> pd.DataFrame:
    """What pandas makes of a CSV file when it is left alone."""
    table = pd.read_csv(path, dtype=str, keep_default_na=False)
    table.attrs["format"] = "positive pairs" if "anchor" in table else "scored pairs"
    return table.drop(columns="note", errors="ignore")


def test_the_oracle_finds_what_a_lax_reader_does(tmp_path):
    found = Counter()
    for number in range(150):
        case = files.pairs_csv(tmp_path, Random(f"slice/{number}"))
        path = tmp_path / "pairs.csv"
        found[verdict(dataclasses.replace(case, read=lambda p=path: lax(p)))[0]] += 1
    assert found[OBSCURE] > 10 and found[WRONG] > 10


@pytest.mark.parametrize(
    ("content", "rows"),
    [
        (b"a,b\n1,2\n", [["1", "2"]]),
        (b'a,b\r\n"x ""y"", z","\n"\r\n', [['x "y", z', "\n"]]),
        (b'\xef\xbb\xbfa,b\n,""', [["", ""]]),
        (b"a,b\n5\" nail,6'\n", [['5" nail', "6'"]]),
        (b"a,b\n1\n", [["1", None]]),
        (b'a,b\n"1,2\n3,4\n', None),
        (b'a,b\n"1"x,2\n', None),
        (b"a,b\n1,2,3\n", None),
        (b"a,b\n\xff,2\n", None),
    ],
)
def test_the_oracle_reads_csv(content, rows):
    tables = readings.csv_tables(content)
    if rows is None:
        assert not tables
    else:
        assert readings.Table(["a", "b"], rows) in tables


@pytest.mark.parametrize(
    "line",
    [b'{"a": 1, "a": 2}', b'{"a": "\\ud800"}', b"[1]", b"[" * 100_000, b'{"a": NaN'],
)
def test_the_oracle_refuses_json(line):
    assert list(readings.json_rows(b'{"a": 1}\n' + line)) == [{"a": 1}, None]


@pytest.mark.parametrize(
    ("error", "names", "kind"),
    [
        (ValueError("pairs.csv is empty"), ["pairs.csv"], OBSCURE),
        (KeyError("pairs.csv"), ["pairs.csv"], OBSCURE),
    ],
)
def test_only_our_own_errors_are_clear(error, names, kind, tmp_path):
    def read():
        raise error

    case = files.pairs_csv(tmp_path, Random(0))
    assert verdict(dataclasses.replace(case, read=read, names=names))[0] == kind


@pytest.mark.parametrize(("checksums", "kind"), [(False, UNDETECTABLE), (True, CLEAR)])
def test_what_no_checksum_covers_is_undetectable(checksums, kind, tmp_path):
    """Another letter within a page: every reader takes it for good."""
    path, rows = tmp_path / "pairs.parquet", files.PAIRS["triplets"]
    content = files.parquet_bytes(
        pa.Table.from_pylist(rows), checksums, compression="none", use_dictionary=False
    )
    path.write_bytes(content.replace(b"n 1", b"n 9", 1))
    whole = readings.Table(list(rows[0]), [list(row.values()) for row in rows])
    case = files.parquet_case(path, whole, "a letter", load_pairs, files.judge_pairs)
    assert verdict(case)[0] == kind
