import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from usetune.corpus.files import cut
from usetune.data.esco import load_occupations
from usetune.data.tables import read_table

HEADER = b"conceptUri,iscoGroup,preferredLabel,altLabels,description\n"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "file.csv is empty"),
        (HEADER + "é\n".encode("latin-1"), "file.csv is not UTF-8.* line 2"),
        (HEADER + b"1,2\n", "file.csv, line 2 has 2 cells, and the header 5"),
        (b"a,b\n1,2\n", r"file.csv must have the columns \['conceptUri'.* or \['OR"),
    ],
)
def test_faults_are_named_for_occupations_too(tmp_path, content, message):
    path = tmp_path / "file.csv"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_occupations(path)


def test_rows_of_a_file_have_the_places_that_they_have_in_it(tmp_path):
    (tmp_path / "a.csv").write_text('x,y\n\n"1\n",2\n3,4\n')
    (tmp_path / "a.jsonl").write_text('\n{"x": 1}\n\n{"x": null}\n')
    pd.DataFrame({"x": [5, 6]}, index=[8, 9]).to_parquet(tmp_path / "a.parquet")
    for ending, name, places in (
        ("csv", "line", [3, 5]),
        ("jsonl", "line", [2, 4]),
        ("parquet", "row", [1, 2]),
    ):
        table = read_table(tmp_path / f"a.{ending}")
        assert table.index.name == name and table.index.tolist() == places


def test_rows_are_counted_before_they_are_read(tmp_path, monkeypatch):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": pa.array(["a"]).take([0] * 20_000)}), path)
    monkeypatch.setattr(pq.ParquetFile, "read", None)
    with pytest.raises(ValueError, match="a.parquet must have at most 19,999 rows.*20"):
        read_table(path, most_rows=19_999)
    for name, content in (("a.csv", "x\n1\n2\n3\n"), ("a.jsonl", '{"x": 1}\n' * 3)):
        (tmp_path / name).write_text(content)
        assert len(read_table(tmp_path / name, most_rows=3)) == 3
        with pytest.raises(ValueError, match=f"{name} must have at most 2 rows"):
            read_table(tmp_path / name, most_rows=2)


def test_a_line_without_end_is_not_read_to_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr("usetune.data.text_files.LONGEST", 100)
    for name in ("a.csv", "a.jsonl"):
        (tmp_path / name).write_text("x\n" + "y" * 101)
        with pytest.raises(ValueError, match=f"{name}, line (1|2) is"):
            read_table(tmp_path / name)


def test_columns_of_parquet(tmp_path):
    path = tmp_path / "a.parquet"
    table = pa.table(
        {"x": pa.array(["a", None, "a"]).dictionary_encode(), "y": [1] * 3}
    )
    # An index of pandas is a column as well.
    pq.write_table(pa.Table.from_pandas(table.to_pandas().set_index("x")), path)
    table = read_table(path, ["x", "y"])
    assert table["x"].tolist()[::2] == ["a", "a"] and table["x"].dtype == "str"
    texts = pa.array([b"a", b"\xff", b"\xfe"]).view(pa.string())
    pq.write_table(pa.table({"x": texts}), path)
    with pytest.raises(ValueError, match="column x: .*UTF-8.* in 2 of 3 .* row 2"):
        read_table(path)


def test_damage_within_a_parquet_file(tmp_path):
    path = tmp_path / "a.parquet"
    texts = [f"title {number}" for number in range(10_000)]
    pq.write_table(pa.table({"x": texts}), path, write_page_checksum=True)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match="a.parquet is no whole Parquet file.*CRC"):
        read_table(path)


def test_a_footer_that_says_other_rows(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"x": ["a"] * 37}), path)
    # A field of 8 bytes and 37 in zigzag; the first is of the whole file.
    path.write_bytes(path.read_bytes().replace(b"\x16\x4a", b"\x16\x48", 1))
    assert pq.read_metadata(path).num_rows == 36
    with pytest.raises(ValueError, match="a.parquet .*has 37 rows.*footer says 36"):
        read_table(path)
    with pytest.raises(ValueError, match="a.parquet .*has 37 rows.*footer says 36"):
        cut([str(path)], "x", 100)


def test_a_file_without_columns(tmp_path):
    pq.write_table(pa.table({}), tmp_path / "a.parquet")
    (tmp_path / "a.jsonl").write_text("{}\n{}\n")
    for name in ("a.parquet", "a.jsonl"):
        with pytest.raises(ValueError, match=f"{name} has no columns"):
            read_table(tmp_path / name)
