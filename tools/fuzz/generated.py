"""Inputs that hypothesis makes: rows, tables, containers of texts."""

import datetime
import decimal
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pyarrow as pa
import tensorflow as tf
from hypothesis import strategies as st

from tools.fuzz import readings
from tools.fuzz.files import accepted, csv_bytes, json_bytes, parquet_bytes
from tools.fuzz.readings import Table
from tools.fuzz.verdicts import RIGHT, WRONG, Case
from usetune import Encoder, load_pairs

_BYTES = 48
_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# What a file of any format can hold, and a text of training data must be.
_GOOD = st.text(
    st.characters(exclude_categories=["Cs", "Cc"]) | st.sampled_from("\n\t"), max_size=8
).filter(lambda text: text.strip() != "")
_SIMILARITY = st.floats(0, 1) | st.sampled_from([0.0, 1.0])
_NASTY: st.SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    st.text(max_size=4),
    st.floats(),
    st.integers(),
    st.sampled_from(
        [
            *("0.5", " 1", "1_0", "0x1", "nan", "NA", "true", "1e999", "0,5", "", " "),
            *("\ud800x", "9" * 400, 10**400, 10**5000, [10**5000], -(10**30), pd.NA),
            *(pd.NaT, datetime.datetime(2020, 1, 1), datetime.timedelta(1), 1j, ()),
            *(2**24 + 1, b"bytes", [], ["x"], {"a": 1}, decimal.Decimal("0.5")),
            *(np.float32(0.25), np.bool_(1), np.datetime64("2020-01-01"), object),
            *("١", "１"),
        ]
    ),
)
_COLUMNS = {
    "scored pairs": {"base": _GOOD, "ref": _GOOD, "similarity": _SIMILARITY},
    "pairs with a label": {"base": _GOOD, "ref": _GOOD, "label": st.integers(0, 3)},
    "positive pairs": {"anchor": _GOOD, "positive": _GOOD, "occupation": _GOOD},
    "triplets": {"anchor": _GOOD, "positive": _GOOD, "negative": _GOOD},
    "texts with a class": {"text": _GOOD, "label": st.integers(0, 2**24)},
}


@st.composite
def good_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Rows of a format, without a fault."""
    columns = draw(st.sampled_from([*_COLUMNS.values()]))
    names = draw(st.permutations([*columns]))
    row = st.fixed_dictionaries({name: columns[name] for name in names})
    return draw(st.lists(row, min_size=1, max_size=5))


def rows_case(rows: list[dict[str, Any]], number: int, folder: Path) -> Case:
    """Rows in a file of one of the formats: they must come back unchanged."""
    kind = ["csv", "jsonl", "parquet"][number % 3]
    path = folder / f"rows.{kind}"
    header = list(rows[0])
    table = Table(header, [[row[name] for name in header] for row in rows])
    if kind == "parquet":
        columns = {name: table.column(name) for name in table.header}
        path.write_bytes(parquet_bytes(pa.table(columns), number % 2 == 0))
    else:
        path.write_bytes({"csv": csv_bytes, "jsonl": json_bytes}[kind](rows))
    judge = lambda found: accepted(readings.misread(found, [table]))  # noqa: E731
    what = f"{rows!r:.200} as {kind}"
    return Case(what, lambda: load_pairs(path), judge, [path.name], whole=True)


@st.composite
def frames(draw: st.DrawFn) -> pd.DataFrame:
    """DataFrames with columns, cells, dtypes and indexes of any kind."""
    columns = dict(draw(st.sampled_from([*_COLUMNS.values()])))
    rows = draw(st.integers(0, 4))
    cells: list[tuple[Any, list[Any]]] = []
    for name, good in columns.items():
        cell = draw(st.sampled_from([good, good, good | _NASTY, _NASTY]))
        cells.append((name, draw(st.lists(cell, min_size=rows, max_size=rows))))
    for _ in range(draw(st.integers(0, 2))):
        name = draw(st.sampled_from([*columns, 7, None, "Base", "base ", "group", "é"]))
        cells.append((name, draw(st.lists(_NASTY, min_size=rows, max_size=rows))))
    series = []
    for _, own in draw(st.permutations(cells)):
        column = pd.Series(own, dtype=object)
        dtype = draw(st.sampled_from([None, None, "string", "category", "float32"]))
        try:
            column = column.infer_objects() if dtype is None else column.astype(dtype)
        except Exception:
            # Not every cell fits every dtype.
            column = pd.Series(own, dtype=object)
        series.append(column)
    frame = pd.concat(series, axis=1)
    frame.columns = pd.Index([name for name, _ in cells], dtype=object)
    index = draw(st.sampled_from([None, "same", "texts"]))
    if index and rows:
        frame.index = pd.Index([0 if index == "same" else f"i{i}" for i in range(rows)])
    return frame


def frame_case(frame: pd.DataFrame, number: int, folder: Path) -> Case:
    """A DataFrame as training data."""
    tables = [readings.frame_table(frame)]
    judge = lambda found: accepted(readings.misread(found, tables))  # noqa: E731
    what = f"DataFrame {readings.told(tables[0])}"
    return Case(what, lambda: load_pairs(frame), judge, ["pairs"])


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """Arrow tables with typed columns."""
    columns = draw(st.sampled_from([*_COLUMNS.values()]))
    rows = draw(st.integers(1, 4))
    arrays = []
    for good in columns.values():
        own = draw(st.lists(good, min_size=rows, max_size=rows))
        kinds = [None, None, None, pa.large_string(), pa.string_view(), pa.binary()]
        kinds += [pa.bool_(), pa.float32(), pa.float16(), pa.timestamp("us"), pa.null()]
        kinds += [pa.duration("s"), pa.date32(), pa.decimal128(20, 6), pa.uint64()]
        kinds += [pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.string())]
        arrays.append(_array(own, draw(st.sampled_from(kinds))))
    names = [*columns]
    if draw(st.integers(0, 9)) == 0:
        names[0] = names[1]
    return pa.Table.from_arrays(arrays, names)


def _array(cells: list[Any], kind: pa.DataType | None) -> pa.Array:
    """The cells as a type, or something of that type in their place."""
    if kind == pa.list_(pa.string()):
        lists = [[str(cell)] * (row % 4) for row, cell in enumerate(cells, start=1)]
        return pa.array(lists, kind)
    try:
        return pa.array(cells).cast(kind) if kind else pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.array([None] * len(cells), kind)


def table_case(table: pa.Table, number: int, folder: Path) -> Case:
    """A whole Parquet file, whatever the types of its columns."""
    path = folder / "typed.parquet"
    path.write_bytes(parquet_bytes(table, checksums=True))
    columns = [column.to_pylist() for column in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    expected = [Table(table.column_names, rows)]
    judge = lambda found: accepted(readings.misread(found, expected))  # noqa: E731
    what = f"{table.schema.to_string()!r}, {rows!r:.200}"
    return Case(what, lambda: load_pairs(path), judge, [path.name])


_PAIR = st.tuples(_TEXT, _TEXT, st.floats())
_THINGS: st.SearchStrategy[Any] = st.one_of(
    st.lists(_PAIR, max_size=3),
    st.lists(_TEXT, max_size=3),
    st.dictionaries(_TEXT, st.lists(_TEXT, max_size=2), max_size=3),
    st.builds(lambda: {"base": ["a"], "ref": ["b"], "similarity": [0.5]}),
    st.builds(lambda: [{"base": "a", "ref": "b", "similarity": 0.5}]),
    st.integers(),
    st.none(),
    st.binary(max_size=4),
    st.builds(lambda: pd.Series(["a", "b"], name="base")),
    st.builds(lambda: np.array([["a", "b"]])),
    st.builds(lambda: pa.table({"base": ["a"], "ref": ["b"], "similarity": [0.5]})),
    st.just(iter([("a", "b", 0.5)])),
)


def thing_case(thing: Any, number: int, folder: Path) -> Case:
    """Something else as training data; an Arrow table may be taken for a table."""

    def judge(found: pd.DataFrame) -> tuple[str, str]:
        if isinstance(thing, pa.Table):
            rows = [["a", "b", 0.5]]
            table = Table(["base", "ref", "similarity"], rows)
            return accepted(readings.misread(found, [table]))
        return WRONG, "accepted"

    names = ["source", "pairs", "path"]
    return Case(f"{thing!r:.200}", lambda: load_pairs(thing), judge, names)


class ByteEncoder(Encoder):
    """A text's first bytes and its length, as a vector of unit length."""

    dim = _BYTES + 1

    def __init__(self) -> None:
        super().__init__(name="bytes")
        self.resources = []
        self.built = True

    def call(self, texts: tf.Tensor) -> tf.Tensor:
        """String tensor (batch,) → (batch, dim)."""
        head = tf.io.decode_raw(texts, tf.uint8, fixed_length=_BYTES)
        length = tf.strings.length(texts)[:, None]
        both = tf.concat([tf.cast(head, tf.float32), tf.cast(length, tf.float32)], 1)
        return tf.math.l2_normalize(both, axis=1)

    def copy(self) -> "ByteEncoder":
        """Another one."""
        return ByteEncoder()


def byte_vector(text: str) -> np.ndarray:
    """What `ByteEncoder` should make of a text, by NumPy."""
    # A pair of surrogates is one character of UTF-16; a lone one is none.
    content = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    content = content.encode("utf-8")
    vector = np.zeros(_BYTES + 1)
    head = np.frombuffer(content[:_BYTES], np.uint8)
    vector[: len(head)], vector[-1] = head, len(content)
    return vector / max(np.linalg.norm(vector), 1e-6)


@functools.cache
def _byte_encoder() -> ByteEncoder:
    return ByteEncoder()


_ANY_TEXT = st.text(max_size=6) | st.sampled_from(
    ["\ud800", "\ud83d\ude00", "a\x00", "", "x" * 3000, "é" * 20]
)
_TEXTS = st.lists(_ANY_TEXT, max_size=6)
_BAD = st.sampled_from([None, 1, 1.5, b"x", ["x"], ("x",), float("nan"), pd.NA, object])
# Containers of texts, and of what holds none.
_CONTAINERS: list[Callable[[list[Any]], Any]] = [
    list,
    tuple,
    lambda texts: np.array(texts, dtype=object),
    lambda texts: pd.Series(texts, dtype=object, index=range(5, 5 + len(texts))),
    lambda texts: pd.Index(texts, dtype=object),
    lambda texts: dict.fromkeys(map(str, texts), 1),
    lambda texts: pd.DataFrame({"title": pd.Series(texts, dtype=object)}),
    lambda texts: iter(texts),
    lambda texts: [texts],
    lambda texts: np.array([texts], dtype=object),
    lambda texts: texts[0] if texts else "",
    lambda texts: str(texts).encode("utf-8", "replace"),
    lambda texts: {*map(str, texts)},
    lambda texts: None,
    lambda texts: 7,
    lambda texts: np.array([str(text) for text in texts], dtype=str),
    lambda texts: pd.Series([_plain(text) for text in texts], dtype="string"),
    lambda texts: pa.array([_plain(text) for text in texts], pa.string()),
    lambda texts: tf.constant([_plain(text) for text in texts], tf.string),
    lambda texts: [str(text).encode("utf-8", "replace") for text in texts],
]


def _plain(text: Any) -> str:
    return str(text).encode("utf-8", "replace").decode()


@st.composite
def containers(draw: st.DrawFn) -> Any:
    """Anything that may be handed to ``encode``."""
    texts: list[Any] = draw(_TEXTS)
    for _ in range(draw(st.sampled_from([0, 0, 0, 1]))):
        texts.insert(draw(st.integers(0, len(texts))), draw(_BAD))
    make = draw(st.sampled_from([*_CONTAINERS, list, list]))
    return make, texts


def encode_case(drawn: Any, number: int, folder: Path) -> Case:
    """Texts in a container, embedded."""
    make, texts = drawn
    container = make(texts)
    kept = None if isinstance(container, (dict, pd.DataFrame, bytes)) else make
    what = f"{type(container).__name__} of {texts!r:.200}"
    whole = isinstance(container, list) and all(isinstance(t, str) for t in container)

    def judge(found: np.ndarray) -> tuple[str, str]:
        own = [] if kept is None else _listed(kept(texts))
        if kept is None or own is None:
            return WRONG, f"accepted: {found.shape}"
        expected = np.array([byte_vector(text) for text in own]).reshape(-1, _BYTES + 1)
        if isinstance(container, str):
            # One text, one vector.
            expected = expected[0]
        if found.shape != expected.shape:
            return WRONG, f"{len(own)} texts became {found.shape}"
        same = np.allclose(found, expected, atol=1e-5)
        return (RIGHT, "") if same else (WRONG, "other embeddings")

    read = functools.partial(_byte_encoder().encode, container)
    return Case(what, read, judge, ["texts"], whole)


def _listed(container: Any) -> list[str] | None:
    """The texts of a container, None if it holds other things."""
    if isinstance(container, str):
        return [container]
    if container is None or isinstance(container, (int, float, type(pd.NA), type)):
        return None
    if isinstance(container, tf.Tensor):
        return [text.decode() for text in container.numpy()]
    if isinstance(container, pa.Array):
        container = container.to_pylist()
    texts = list(container)
    return texts if all(isinstance(text, str) for text in texts) else None


def draws(strategy: st.SearchStrategy[Any], seed: int, count: int) -> list[Any]:
    """Values of a strategy, the same for the same seed."""
    values: list[Any] = []

    @hypothesis.seed(seed)
    @hypothesis.settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate],
        suppress_health_check=list(hypothesis.HealthCheck),
    )
    @hypothesis.given(strategy)
    def collect(value: Any) -> None:
        values.append(value)

    collect()
    return values


def all_readers() -> Iterator[
    tuple[str, st.SearchStrategy[Any], Callable[[Any, int, Path], Case], int]
]:
    """Name, strategy, maker of a case, and how many of 27,000 inputs."""
    yield "pairs: rows in whole files", good_rows(), rows_case, 1500
    yield "pairs: DataFrame", frames(), frame_case, 1500
    yield "pairs: typed Parquet", tables(), table_case, 1000
    yield "pairs: lists and others", _THINGS, thing_case, 300
    yield "texts to encode", containers(), encode_case, 1500
