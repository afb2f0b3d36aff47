import json

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from usetune import load_pairs
from usetune.data import counts

ROWS = [
    {"query": "q", "pos": ["a", "b"], "neg": ["x", "y", "z"]},
    {"query": "r", "pos": ["c"], "neg": ["x"]},
    {"query": "s", "pos": ["d"], "neg": []},
]
NAMES = {"query": "anchor", "pos": "positive", "neg": "negative"}
TRIPLETS = ["q a x", "q b y", "q a z", "r c x"]
WITHOUT = "1 of 3 rows have no text in one of .*positive.*negative"


def joined(pairs):
    return [" ".join(row) for row in pairs.itertuples(index=False)]


@pytest.fixture(params=["pyarrow", "pandas", "datasets", "jsonl", "parquet"])
def source(request, tmp_path):
    """The rows, in every form that holds lists."""
    if request.param == "pyarrow":
        return pa.Table.from_pylist(ROWS)
    if request.param == "pandas":
        return pd.DataFrame(ROWS)
    if request.param == "datasets":
        return pytest.importorskip("datasets").Dataset.from_list(ROWS)
    path = tmp_path / f"rows.{request.param}"
    if request.param == "parquet":
        pq.write_table(pa.Table.from_pylist(ROWS), path)
    else:
        path.write_text("\n".join(map(json.dumps, ROWS)))
    return path


def test_lists_are_taken_apart_and_counted(source):
    with pytest.warns(UserWarning, match=WITHOUT):
        pairs = load_pairs(source, NAMES)
    assert joined(pairs) == TRIPLETS and pairs.attrs["format"] == "triplets"
    assert pairs.index.equals(pd.RangeIndex(4))
    assert counts(pairs) == {
        "rows": 3,
        "left out, without texts": 1,
        "examples of them": 4,
        "left out by per_row": 0,
        "examples": 4,
    }
    with pytest.warns(UserWarning, match=WITHOUT):
        few = load_pairs(source, NAMES, per_row=2)
    assert joined(few) == ["q a x", "q b y", "r c x"]
    assert counts(few)["left out by per_row"] == 1


@pytest.mark.parametrize("library", ["pyarrow", "datasets", "parquet"])
def test_texts_that_are_not_utf_8_are_named(library, tmp_path):
    broken = pa.array([b"a", b"\xff", b"b", b"\xfe"]).view(pa.string())
    whole = pa.array(["a", "b"])
    lists = pa.ListArray.from_arrays([0, 1, 4], broken)
    for positive, message in ((broken[:2], "1 of 2"), (lists, "1 of 2")):
        table = pa.table({"anchor": whole, "positive": positive})
        if library == "datasets":
            datasets = pytest.importorskip("datasets")
            table = datasets.Dataset(datasets.table.InMemoryTable(table))
        if library == "parquet":
            pq.write_table(table, tmp_path / "a.parquet")
            table = tmp_path / "a.parquet"
        with pytest.raises(ValueError, match=f"positive: .*UTF-8.* {message} .* row 2"):
            load_pairs(table)


@pytest.mark.parametrize("library", ["pyarrow", "datasets"])
def test_nested_columns(library):
    rows = [{"set": row, "note": None} for row in ROWS[:2]]
    if library == "pyarrow":
        table = pa.Table.from_pylist(rows)
    else:
        table = pytest.importorskip("datasets").Dataset.from_list(rows)
    names = {f"set.{name}": new for name, new in NAMES.items()}
    assert joined(load_pairs(table, names)) == TRIPLETS
    with pytest.raises(ValueError, match=r"found \['set.query', 'set.pos', 'set.neg'"):
        load_pairs(table)


def test_what_stands_beside_a_list_is_repeated():
    rows = {"anchor": ["q"], "positive": [["a", "b"]], "group": ["g"], "note": [1]}
    pairs = load_pairs(pd.DataFrame(rows))
    assert joined(pairs) == ["q a g", "q b g"]


@pytest.mark.parametrize(
    ("positive", "message"),
    [
        (
            [["a"], ["b", ""]],
            "column positive: expected a text.* 1 of 3 rows: row 2: ''",
        ),
        ([["a"], "b"], "column positive: expected a list of texts.* row 2: 'b'"),
        ([["a", 3], ["b"]], "column positive: expected a text.* row 1: 3"),
        ([[], None], "pairs has no rows"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*rows have no text")
def test_faults_name_the_row(positive, message):
    with pytest.raises(ValueError, match=message):
        load_pairs(pd.DataFrame({"anchor": ["q", "r"], "positive": positive}))


def test_per_row_is_a_number():
    with pytest.raises(ValueError, match="per_row must be at least 1. Received: 0"):
        load_pairs(pd.DataFrame(ROWS[:1]), NAMES, per_row=0)
