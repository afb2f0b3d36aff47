import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from tests.search.test_quantization import random_units, unit
from usetune.evaluation.compression import PRECISIONS, size_table
from usetune.plots.compression import plot_sizes
from usetune.search.binary import nearest_binary
from usetune.search.quantization import QuantizedCorpus, Quantizer

CORPUS = random_units(120, 24)
NOISE = np.random.default_rng(1).normal(size=(60, 24))
QUERIES = unit(CORPUS[:60] + 0.3 * NOISE)
RELEVANT = [[row, 119] if row % 2 else [row] for row in range(60)]


@pytest.fixture(scope="module")
def table():
    return size_table(QUERIES, CORPUS, RELEVANT, [24, 10], repeats=1)


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def metrics(order):
    """recall@1 and mrr@10 from the rows that each query finds, in order."""
    recall, reciprocal = [], []
    for row, own in zip(order, RELEVANT, strict=True):
        ranks = [1 + [*row, document].index(document) for document in own]
        recall.append(np.mean([rank == 1 for rank in ranks]))
        reciprocal.append(1 / min(ranks) if min(ranks) <= 10 else 0)
    return np.mean(recall), np.mean(reciprocal)


def order_of(queries, documents):
    scores = queries.astype(float) @ documents.astype(float).T
    return np.argsort(-scores.astype("float32"), axis=1, kind="stable")


def test_table(table):
    assert table["dim"].tolist() == [24] * 5 + [10] * 5
    assert table["precision"].tolist() == [*PRECISIONS] * 2
    assert table["bytes"].tolist() == [96, 48, 24, 3, 3, 40, 20, 10, 2, 2]
    assert (table["n"] == 60).all() and (table["seconds"] > 0).all()
    for name in ("recall@1", "mrr@10"):
        full = table[name][0]
        assert 0.3 < full < 0.95
        np.testing.assert_allclose(table[f"{name} share"], table[name] / full)
    assert list(table) == [
        *["dim", "precision", "bytes", "recall@1", "mrr@10"],
        *["recall@1 share", "mrr@10 share", "seconds", "n"],
    ]


@pytest.mark.parametrize("dim", [24, 10])
def test_figures(table, dim):
    queries, corpus = unit(QUERIES[:, :dim]), unit(CORPUS[:, :dim])
    rows = table[table["dim"] == dim].set_index("precision")
    int8, binary = (Quantizer(name).fit(corpus) for name in ("int8", "binary"))
    codes = QuantizedCorpus(binary, binary.quantize(corpus))
    orders = {
        "float32": order_of(queries, corpus),
        "float16": order_of(queries, corpus.astype("float16")),
        "int8": order_of(queries, int8.dequantize(int8.quantize(corpus))),
        "binary": nearest_binary(queries, codes, 120)[0],
    }
    for precision, order in orders.items():
        expected = metrics(order)
        assert tuple(rows.loc[precision, ["recall@1", "mrr@10"]]) == pytest.approx(
            expected
        ), precision


@pytest.mark.parametrize("rescore", [1, 2, 12])
def test_rescoring(rescore):
    settings = {"dims": [24], "precisions": ["binary, rescored"], "repeats": 1}
    table = size_table(QUERIES, CORPUS, RELEVANT, rescore=rescore, **settings)
    binary = Quantizer("binary").fit(CORPUS)
    codes = QuantizedCorpus(binary, binary.quantize(CORPUS))
    expected = metrics(nearest_binary(QUERIES, codes, 10, rescore)[0])
    assert tuple(table.loc[0, ["recall@1", "mrr@10"]]) == pytest.approx(expected)
    if rescore == 12:
        # Every document is a candidate.
        decoded = binary.dequantize(codes.codes)
        assert expected == pytest.approx(metrics(order_of(QUERIES, decoded)))


def test_length_does_not_matter(table):
    scaled = size_table(3 * QUERIES, 0.5 * CORPUS, RELEVANT, [24, 10], repeats=1)
    columns = ["recall@1", "mrr@10", "mrr@10 share"]
    pd.testing.assert_frame_equal(scaled[columns], table[columns])


def test_seconds_are_of_a_thousand_queries(monkeypatch):
    clock = iter([0.0, 6.0, 10.0, 13.0, 20.0, 21.0])
    monkeypatch.setattr(
        "usetune.evaluation.compression.time.perf_counter", lambda: next(clock)
    )
    table = size_table(QUERIES, CORPUS, RELEVANT, [8], ["int8"], repeats=3)
    # Searches of 6, 3 and 1 seconds with 60 queries.
    assert table["seconds"].tolist() == [3 * 1000 / 60]


def test_relevant_may_be_anything_to_go_through():
    table = size_table(QUERIES, CORPUS, map(iter, RELEVANT), [8], ["int8"], repeats=1)
    expected = size_table(QUERIES, CORPUS, RELEVANT, [8], ["int8"], repeats=1)
    assert table["mrr@10"].tolist() == expected["mrr@10"].tolist()
    graded = [dict.fromkeys(rows, 2) | {118: 0} for rows in RELEVANT]
    table = size_table(QUERIES, CORPUS, graded, [8], ["int8"], repeats=1)
    assert table["recall@1"].tolist() == expected["recall@1"].tolist()


def test_small_corpus_and_nothing_found():
    corpus = unit([[1, 0], [0.9, 0.1], [0.1, 1]])
    # Of length 1, all are the same in one component.
    with pytest.warns(UserWarning, match="each of the 3 rows.* is the same"):
        table = size_table(corpus[:1], corpus, [[2]], [2, 1], repeats=1)
    assert table["mrr@10"][0] == pytest.approx(1 / 3)
    assert table["recall@1 share"].isna().all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"precisions": ["int8", "int4"]}, "float32.*Received: 'int4'"),
        ({"repeats": 0}, "repeats must be at least 1. Received: 0"),
        ({"rescore": 0}, "rescore must be at least 1. Received: 0"),
        ({"dims": [24, 25]}, r"1 to 24. Received: \[24, 25\]"),
        ({"dims": [0]}, r"1 to 24. Received: \[0\]"),
        ({"relevant": [[0]] * 59}, "60 and 59"),
        ({"relevant": [[120]] * 60}, r"0 to 119. Received: \[120\]"),
        ({"relevant": [[-1]] * 60}, r"0 to 119. Received: \[-1\]"),
        ({"queries": np.full((60, 24), np.nan)}, "queries must be finite"),
        (
            {"corpus": CORPUS * (np.arange(24) > 3), "dims": [4]},
            "corpus must be.*zero in the first 4",
        ),
        ({"corpus": CORPUS[:, :5]}, r"one dim.*\(60, 24\) and \(120, 5\)"),
    ],
)
def test_faults(change, message):
    arguments = {"queries": QUERIES, "corpus": CORPUS, "relevant": RELEVANT}
    arguments |= {"dims": [24]} | change
    with pytest.raises(ValueError, match=message):
        size_table(**arguments)


def test_picture(table):
    ax = plot_sizes(table)
    lines = {line.get_label(): line for line in ax.lines}
    assert list(lines) == list(PRECISIONS)
    assert lines["int8"].get_xdata().tolist() == [10, 24]
    expected = table[table["precision"] == "int8"]["mrr@10"].tolist()[::-1]
    assert lines["int8"].get_ydata().tolist() == expected
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "bytes per embedding" and ax.get_ylabel() == "mrr@10"
    assert sorted(text.get_text() for text in ax.texts) == ["10"] * 5 + ["24"] * 5
    assert [text.get_text() for text in ax.get_legend().texts] == list(PRECISIONS)


def test_picture_of_two_encoders(table):
    _, ax = plt.subplots()
    both = pd.concat([table.assign(encoder=name) for name in ("base", "tuned")])
    assert plot_sizes(both, "recall@1", group="encoder", ax=ax) is ax
    assert ax.get_ylabel() == "recall@1" and len(ax.lines) == 10
    base, tuned = ax.lines[2], ax.lines[7]
    assert base.get_label() == "int8 (base)" and tuned.get_label() == "int8 (tuned)"
    assert base.get_color() == tuned.get_color()
    assert base.get_linestyle() != tuned.get_linestyle()
    assert ax.lines[3].get_color() != base.get_color()


def test_picture_needs_its_columns(table):
    with pytest.raises(ValueError, match=r"lacks \['auc', 'encoder'\]. Received"):
        plot_sizes(table, "auc", group="encoder")


@pytest.mark.real_data
def test_esco(base, esco):
    """What the README says of sizes holds for a part of the held-out labels."""
    from usetune import split_pairs
    from usetune.data import positive_pairs_from_occupations

    pairs = positive_pairs_from_occupations(esco)
    names = esco.drop_duplicates("conceptUri")["preferredLabel"].tolist()
    _, validation = split_pairs(pairs, 0.25, "group", seed=0)
    some = validation.sample(1000, random_state=0)
    relevant = pd.Index(names).get_indexer(some["positive"])[:, None]
    queries = base.encode(some["anchor"].tolist())
    table = size_table(queries, base.encode(names), relevant, [512, 128], repeats=1)
    share = table.set_index(["dim", "precision"])["mrr@10 share"]
    assert share[512, "float16"] == pytest.approx(1, abs=0.002)
    assert share[512, "int8"] == pytest.approx(1, abs=0.005)
    assert 0.94 < share[512, "binary"] < share[512, "binary, rescored"] < 1
    assert 0.05 < share[128, "binary, rescored"] - share[128, "binary"] < 0.1
    assert share[128, "int8"] == pytest.approx(share[128, "float32"], abs=0.005)
