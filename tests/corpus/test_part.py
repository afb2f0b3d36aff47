import csv
import hashlib
import json
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usetune.corpus.files import corpus_files, cut
from usetune.corpus.job import Job, Part
from usetune.corpus.manifest import Plan, Request
from usetune.corpus.part import (
    embed_part,
    finish,
    is_whole,
    parquet_name,
    rejected_name,
)
from usetune.search.quantization import Quantizer

# Line breaks of all kinds, quotes and commas among them; no text of UTF-8 lacks.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))


class Hashing:
    """An encoder of two numbers, different for different texts."""

    dim = 2

    def encode(self, texts):
        angles = [
            int(hashlib.sha256(text.encode()).hexdigest()[:6], 16) for text in texts
        ]
        return np.column_stack([np.cos(angles), np.sin(angles)]).astype("float32")


def write(path, rows, row_group_size=4):
    if path.suffix == ".csv":
        with open(path, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, list(rows[0]), quoting=csv.QUOTE_ALL)
            writer.writeheader()
            writer.writerows(rows)
    elif path.suffix == ".parquet":
        table = pa.Table.from_pylist(rows)
        pq.write_table(table, path, row_group_size=row_group_size)
    else:
        lines = (json.dumps(row, ensure_ascii=len(rows) % 2 > 0) for row in rows)
        path.write_text("\n".join(lines) + "\n" * (len(rows) % 3), "utf-8")
    return str(path)


def embed(files, folder, rows_per_part=3, precision="float32", column="text"):
    """All parts of files, the rows and the rejected rows of the output."""
    output = folder / "output"
    types, parts = cut(files, column, rows_per_part)
    job = Job(column, types, precision, output, folder / "work")
    rows, rejected = [], []
    for part in parts:
        embed_part(part, job, Hashing())
        rows += pq.read_table(output / parquet_name(part)).to_pylist()
        if (output / rejected_name(part)).exists():
            lines = (output / rejected_name(part)).read_text("utf-8").splitlines()
            rejected += map(json.loads, lines)
    assert sum(part.rows for part in parts) == len(rows) + len(rejected)
    return parts, rows, rejected


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from([".csv", ".jsonl", ".parquet"]),
    st.lists(st.lists(st.one_of(TEXT, st.none()), min_size=1), min_size=1, max_size=3),
    st.integers(1, 9),
    st.integers(1, 9),
)
def test_every_row_once_and_in_order(ending, texts, rows_per_part, row_group_size):
    files, expected, lost = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        for name, own in enumerate(texts):
            path = str(Path(folder, f"{name}{ending}"))
            # One text at least, so that there is a type; a CSV file has no null.
            own = ["first", *own]
            if ending == ".csv":
                own = [text or "" for text in own]
            rows = [{"text": text, "id": str(row)} for row, text in enumerate(own)]
            files.append(write(Path(path), rows, row_group_size))
            for number, row in enumerate(rows, start=1):
                if row["text"] is None:
                    lost.append((path, number, "null"))
                else:
                    expected.append(row)
        parts, rows, rejected = embed(files, Path(folder), rows_per_part)
    found = [{name: row[name] for name in ("text", "id")} for row in rows]
    assert found == expected
    embeddings = Hashing().encode([row["text"] for row in rows])
    np.testing.assert_array_equal([row["embedding"] for row in rows], embeddings)
    assert [(row["file"], row["row"], row["reason"]) for row in rejected] == lost
    assert all(part.stop - part.start <= rows_per_part for part in parts)
    assert [part.number for part in parts] == list(range(len(parts)))


def test_row_groups_are_joined_and_cut(tmp_path):
    path = tmp_path / "a.parquet"
    schema = pa.schema([("text", pa.string())])
    with pq.ParquetWriter(path, schema) as writer:
        for size in (2, 3, 2, 7, 0, 1):
            writer.write_table(pa.table({"text": ["x"] * size}, schema))
    _, parts = cut([str(path)], "text", 5)
    assert [(part.start, part.stop) for part in parts] == [
        (0, 5),
        (5, 7),
        (7, 12),
        (12, 15),
    ]


def test_a_long_row_group_is_read_in_batches(tmp_path):
    texts = [str(number) for number in range(20_000)]
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text": texts}), path, row_group_size=15_000)
    parts, rows, _ = embed([str(path)], tmp_path, 9_000)
    assert [row["text"] for row in rows] == texts
    assert [part.stop for part in parts] == [9_000, 15_000, 20_000]
    # The last batch of a part may hold a single row of it.
    _, rows, _ = embed([str(path)], tmp_path / "again", 8_193)
    assert [row["text"] for row in rows] == texts


def test_dictionaries_and_other_types_of_parquet(tmp_path):
    table = pa.table(
        {
            "text": pa.array(["a", None, "b", "a"]).dictionary_encode(),
            "day": pa.array([0, 1, None, 3], pa.date32()),
            "tags": [["x"], [], None, ["y", "z"]],
            "bytes": [b"\xff"] * 4,
        }
    )
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=2)
    _, rows, rejected = embed([str(tmp_path / "a.parquet")], tmp_path)
    kept = table.filter(table["text"].is_valid()).to_pylist()
    assert [{name: row[name] for name in table.column_names} for row in rows] == kept
    assert rejected[0]["content"]["day"] == "1970-01-02"


def test_json_lines_of_mixed_types(tmp_path):
    lines = [
        b'\xef\xbb\xbf{"text": "a", "n": 1, "x": 1, "mix": 1, "id": 9007199254740993}',
        b"   ",
        b'{"text": 5, "n": 2}',
        b'{"text": ["a"]}',
        b'{"n": 3}',
        b'{"text": null}',
        b"{not json",
        b"[1]",
        b'{"text": "\xff"}',
        b'{"text": "\\ud800"}',
        b'{"text": "\\ud83d\\ude00", "n": null, "x": 2.5, "mix": "s"}\r',
        b'{"text": "c", "mix": {"k": ["\xc3\xa9"]}, "flag": true, "id": 1}',
    ]
    path = tmp_path / "a.jsonl"
    path.write_bytes(b"\n".join(lines))
    for rows_per_part in (1, 4, 100):
        folder = tmp_path / str(rows_per_part)
        parts, rows, rejected = embed([str(path)], folder, rows_per_part)
        columns = {name: [row[name] for row in rows] for name in rows[0]}
        assert columns["text"] == ["a", "😀", "c"]
        assert columns["n"] == [1, None, None] and columns["flag"] == [None, None, True]
        assert columns["x"] == [1.0, 2.5, None]
        assert columns["id"] == [2**53 + 1, None, 1]
        assert columns["mix"] == ["1", '"s"', '{"k": ["é"]}']
        assert [row["row"] for row in rejected] == list(range(2, 10))
        reasons = [row["reason"] for row in rejected]
        assert reasons[:4] == [
            "not a text but int",
            "not a text but list",
            "no column 'text'",
            "null",
        ]
        assert reasons[5] == "must be a JSON object. Received: [1]"
        assert all("not JSON in UTF-8" in reasons[row] for row in (4, 6, 7))
        assert rejected[0]["content"] == '{"text": 5, "n": 2}'
        schemas = {
            str(pq.read_schema(folder / "output" / parquet_name(part)))
            for part in parts
        }
        assert len(schemas) == 1


def test_large_integers_beside_floating_numbers_keep_their_digits(tmp_path):
    path = write(
        tmp_path / "a.jsonl",
        [{"text": "a", "n": 2**53 + 1, "m": 2**70}, {"text": "b", "n": 0.5, "m": 1}],
    )
    _, rows, _ = embed([path], tmp_path)
    assert [row["n"] for row in rows] == ["9007199254740993", "0.5"]
    assert [row["m"] for row in rows] == [str(2**70), "1"]


def test_parts_of_the_same_json_file_have_the_same_columns(tmp_path):
    first = write(tmp_path / "a.jsonl", [{"text": "a", "n": 1}, {"text": "b"}])
    second = write(tmp_path / "b.jsonl", [{"text": "c", "n": 0.5, "more": "x"}])
    parts, rows, _ = embed([first, second], tmp_path, 1)
    assert [row["n"] for row in rows] == [1.0, None, 0.5]
    assert [row["more"] for row in rows] == [None, None, "x"]


@pytest.mark.parametrize("precision", ["float16", "int8", "binary"])
def test_precisions(tmp_path, precision):
    texts = [f"text {number}" for number in range(100)]
    path = write(tmp_path / "a.csv", [{"text": text} for text in texts])
    embeddings = Hashing().encode(texts)
    if precision == "float16":
        expected = embeddings.astype("float16")
    else:
        precision = Quantizer(precision).fit(embeddings)
        expected = precision.quantize(embeddings)
    parts, _, _ = embed([path], tmp_path, 30, precision)
    tables = [pq.read_table(tmp_path / "output" / parquet_name(part)) for part in parts]
    column = pa.concat_tables(tables)["embedding"].combine_chunks()
    found = column.flatten().to_numpy().reshape(expected.shape)
    np.testing.assert_array_equal(found, expected)
    assert found.dtype == expected.dtype
    assert column.type.list_size == expected.shape[1]


def test_parts_without_a_text(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"text": None}] * 3 + [{"text": "a"}])
    parts, rows, rejected = embed([path], tmp_path, 2)
    assert len(parts) == 2 and len(rows) == 1 and len(rejected) == 3
    kinds = {
        str(pq.read_schema(tmp_path / "output" / parquet_name(part)).field("embedding"))
        for part in parts
    }
    assert len(kinds) == 1


def test_done_again_a_part_is_the_same(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"text": "a"}, {"text": 1}])
    types, (part,) = cut([path], "text", 5)
    job = Job("text", types, "float32", tmp_path, tmp_path)
    contents = []
    for _ in range(2):
        embed_part(part, job, Hashing())
        files = [tmp_path / name(part) for name in (parquet_name, rejected_name)]
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]


def test_a_part_that_is_not_whole(tmp_path):
    """While others are embedded, and when all are."""
    path = write(tmp_path / "a.jsonl", [{"text": "a"}, {"text": 1}])
    types, (part,) = cut([path], "text", 5)
    job = Job("text", types, "float32", tmp_path, tmp_path)
    plan = Plan(Request([], "text", "float32", "", 5), 2, types, [part])
    assert not is_whole(part, plan, tmp_path)
    embed_part(part, job, Hashing())
    for is_finished in (False, True):
        finished = finish(plan, tmp_path) if is_finished else plan
        assert is_whole(part, finished, tmp_path)
        for name in (parquet_name(part), rejected_name(part)):
            content = (tmp_path / name).read_bytes()
            for place in (0, len(content) // 2, len(content) - 6):
                flipped = bytearray(content)
                flipped[place] ^= 1
                for changed in (flipped, content[:place], content + b"x"):
                    (tmp_path / name).write_bytes(changed)
                    message = (
                        f"{name} is not the file .*; part-000000 is embedded again"
                    )
                    with pytest.warns(UserWarning, match=message):
                        assert not is_whole(part, finished, tmp_path)
            (tmp_path / name).unlink()
            assert not is_whole(part, finished, tmp_path)
            (tmp_path / name).write_bytes(content)
    assert (finished.rows, part.rows) == ([1], 2)


def test_a_file_with_fewer_rows_than_it_had(tmp_path):
    path = write(tmp_path / "a.jsonl", [{"text": "a"}, {"text": 1}])
    types, (part,) = cut([path], "text", 5)
    job = Job("text", types, "float32", tmp_path, tmp_path)
    Path(path).write_text('{"text": "a"}\n')
    with pytest.raises(ValueError, match="a.jsonl has changed.*Received: 1"):
        embed_part(part, job, Hashing())


def test_rows_of_csv_files_lie_where_the_plan_says(tmp_path):
    path = tmp_path / "a.csv"
    texts = ["a\r\nb", "é", "", 'say "x"', "\ufefflast"]
    write(path, [{"text": text} for text in texts])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    _, parts = cut([str(path)], "text", 2)
    content = path.read_bytes()
    found = [content[part.first_byte : part.last_byte].decode() for part in parts]
    assert found == ['"a\r\nb"\r\n"é"\r\n', '""\r\n"say ""x"""\r\n', '"\ufefflast"\r\n']
    _, rows, _ = embed([str(path)], tmp_path, 2)
    assert [row["text"] for row in rows] == texts


def test_lines_of_plain_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("\ufeffa, b\r\n\n \né\u2028c\n last".encode())
    for rows_per_part in (1, 2, 5):
        folder = tmp_path / str(rows_per_part)
        _, rows, rejected = embed([str(path)], folder, rows_per_part)
        assert [row["text"] for row in rows] == ["a, b", "é\u2028c", " last"]
        assert not rejected
    path.write_bytes(b"a\n\xff\n")
    with pytest.raises(ValueError, match="a.txt is not UTF-8.*in line 2"):
        cut([str(path)], "text", 5)
    with pytest.raises(
        ValueError, match=r"lacks the columns \['title'\].*found \['text'\]"
    ):
        cut([str(path)], "title", 5)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.csv",
            b"title\nx\n",
            r"a.csv lacks the columns \['text'\].*found \['title'\]",
        ),
        ("a.csv", b"text\n", "a.csv is empty: it has no rows"),
        ("a.csv", b"\n", "a.csv is empty"),
        ("a.csv", b"text\n\xff\n", "a.csv is not UTF-8"),
        ("a.csv", b"text,b\n1,2\n1,2,3\n", "line 3 has 3 cells, and the header 2"),
        ("a.csv", b"text\n\nb,c\n", "line 3 has 2 cells, and the header 1.*put cells"),
        ("a.csv", b"id,text\n1,a\n2\n", "line 3 has 1 cells, and the header 2"),
        ("a.csv", b'text\n"a\nb\n', "a.csv, line 2: a quote is opened and never"),
        ("a.csv", b"text,b,text\n1,2,3\n", r"several columns of the names \['text'\]"),
        ("a.csv", b"text,embedding\na,b\n", "a.csv has a column 'embedding' already"),
        ("a.jsonl", b'{"text": "a", "embedding": 1}', "'embedding' already"),
        ("a.jsonl", b'{"title": "a"}\n[]\n{"text": 1}', "no row with a text.*'text'"),
        ("a.jsonl", b"\n \n", "a.jsonl is empty: it has no rows"),
        ("a.parquet", b"PAR1 and no more PAR1", "a.parquet is no whole Parquet"),
        ("a.parquet", {"text": [1]}, "'text' must hold texts. Received: type int64"),
        ("a.parquet", {"text": [["a"]]}, "must hold texts. Received: type list"),
        ("a.parquet", {"text": [None]}, "must hold texts. Received: type null"),
        ("a.parquet", {"title": ["a"]}, r"lacks the columns \['text'\]"),
        ("a.parquet", {"text": ["a"], "embedding": [1]}, "'embedding' already"),
        ("a.parquet", {"text": pa.array([], pa.string())}, "it has no rows"),
    ],
)
def test_faults_of_files(tmp_path, name, content, message):
    path = tmp_path / name
    if isinstance(content, dict):
        pq.write_table(pa.table(content), path)
    else:
        path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        cut([str(path)], "text", 5)


def test_a_column_twice(tmp_path):
    table = pa.Table.from_arrays([pa.array(["a"])] * 2, names=["text", "text"])
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"several columns of the names \['text'\]"):
        cut([str(tmp_path / "a.parquet")], "text", 5)


def test_files_with_other_columns(tmp_path):
    first = write(tmp_path / "a.parquet", [{"text": "a", "n": 1}])
    second = write(tmp_path / "b.parquet", [{"text": "a", "n": "1"}])
    with pytest.raises(ValueError, match="b.parquet must have the columns of .*a.parq"):
        cut([first, second], "text", 5)


def test_a_folder_of_files(tmp_path):
    for name in ("b.csv", "a.CSV", "_SUCCESS", ".hidden.csv"):
        (tmp_path / name).write_text("text\n")
    files = corpus_files(tmp_path)
    assert list(files) == [str(tmp_path / "a.CSV"), str(tmp_path / "b.csv")]
    status = (tmp_path / "b.csv").stat()
    assert files[str(tmp_path / "b.csv")] == [5, status.st_mtime_ns]
    given = [tmp_path / "b.csv", str(tmp_path / "a.CSV")]
    assert list(corpus_files(given)) == list(map(str, given))


def test_faults_of_input(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("a.csv", "b.jsonl", "c.tsv"):
        Path(name).write_text("text\n")
    Path("empty.csv").touch()
    Path("folder").mkdir()
    for source, message in (
        ([], "a file or more. Received: "),
        ("folder", "a file or more. Received: folder"),
        ("missing.csv", "must be files. Received: .*missing.csv"),
        (["folder"], "must be files. Received: .*folder"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            corpus_files(source)
    for source, message in (
        ("c.tsv", "must end in one of .*c.tsv"),
        ("empty.csv", "empty.csv is empty"),
        (["a.csv", tmp_path / "a.csv"], "a.csv, twice"),
        (["a.csv", "b.jsonl"], r"of one format. Received: \['CSV', 'JSON Lines'\]"),
    ):
        with pytest.raises(ValueError, match=message):
            corpus_files(source)


def test_parquet_texts_that_are_not_utf8(tmp_path):
    texts = pa.array([b"a", b"\xff", None, b"\xc3\xa9"]).view(pa.string())
    for name, column in (("a", texts), ("b", texts.dictionary_encode())):
        path = tmp_path / f"{name}.parquet"
        pq.write_table(pa.table({"text": column, "id": range(4)}), path)
        _, rows, rejected = embed([str(path)], tmp_path / name, 3)
        assert [(row["text"], row["id"]) for row in rows] == [("a", 0), ("é", 3)]
        assert [(row["row"], row["reason"]) for row in rejected] == [
            (2, "not UTF-8"),
            (3, "null"),
        ]
        assert rejected[0]["content"] == {"text": "\ufffd", "id": 1}


def test_a_damaged_parquet_file_whose_footer_is_whole(tmp_path):
    path = tmp_path / "a.parquet"
    texts = [f"title {number}" for number in range(10_000)]
    pq.write_table(pa.table({"text": texts}), path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    pq.read_schema(path)
    with pytest.raises(ValueError, match="a.parquet is no whole Parquet file.*CRC"):
        cut([str(path)], "text", 5)


def test_blank_lines_and_short_rows_of_csv_files(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("text\na\n\n b\n\n")
    _, rows, _ = embed([str(path)], tmp_path / "one")
    assert [row["text"] for row in rows] == ["a", "", " b", ""]
    path.write_text("\ntext,id\na,1\n\nb,\n\n")
    _, rows, _ = embed([str(path)], tmp_path / "two")
    assert [(row["text"], row["id"]) for row in rows] == [("a", "1"), ("b", "")]
    long = "a" * 200_000
    path.write_text(f"text\n{long}\n")
    _, rows, _ = embed([str(path)], tmp_path / "three")
    assert rows[0]["text"] == long
    assert csv.field_size_limit() == 131_072


def test_texts_of_json_that_are_empty_or_none(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"text": ""}\n{"text": true}\n' + b"[" * 100_000)
    _, rows, rejected = embed([str(path)], tmp_path)
    assert [row["text"] for row in rows] == [""]
    assert [row["row"] for row in rejected] == [2, 3]
    assert rejected[0]["reason"] == "not a text but bool"


def test_pandas_reads_all_parts(tmp_path):
    path = write(tmp_path / "a.csv", [{"text": str(row)} for row in range(5)])
    embed([path], tmp_path, 2)
    table = pd.read_parquet(tmp_path / "output" / "parts")
    assert table["text"].tolist() == list("01234")
    assert Part(3, "a.csv", 0, 1).name == "part-000003"
