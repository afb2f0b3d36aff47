import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from usetune.data import MiningLimits, counts, mine_hard_negatives


def mine(encoder, pairs, corpus=None, **options):
    """`mine_hard_negatives`, the fields of its limits among the options."""
    names = {field.name for field in dataclasses.fields(MiningLimits)}
    limits = {name: options.pop(name) for name in names & options.keys()}
    limits = MiningLimits(**limits) if limits else None
    return mine_hard_negatives(encoder, pairs, corpus, limits=limits, **options)


class Vectors:
    """An encoder that looks its texts up."""

    def __init__(self, vectors):
        self.vectors = {
            text: np.divide(vector, np.linalg.norm(vector), dtype="float32")
            for text, vector in vectors.items()
        }

    def encode(self, texts):
        return np.array([self.vectors[text] for text in texts])


def toy(seed, queries=4, documents=15, dim=3):
    generator = np.random.default_rng(seed)
    names = [f"q{n}" for n in range(queries)] + [f"d{n}" for n in range(documents)]
    # Documents have a few distinct vectors: equal scores are common.
    vectors = generator.integers(-2, 3, (len(names), dim)) + 0.5
    pairs = pd.DataFrame(
        {
            "anchor": generator.choice(names[:queries], 6),
            "positive": generator.choice(names[queries:], 6),
        }
    )
    return Vectors(dict(zip(names, vectors, strict=True))), pairs, names[queries:]


@pytest.mark.parametrize(
    "case", ["top3", "rel_margin .05", "abs_margin .2", "range_min 2", "max_score .5"]
)
def test_as_sentence_transformers(parity, case):
    information = parity["ir"]
    encoder = Vectors(information["queries"] | information["corpus"])
    # Of the queries the first three, of their positives the first two.
    pairs = pd.DataFrame(
        [
            (query, positive)
            for query, positives in [*information["relevant"].items()][:3]
            for positive in positives[:2]
        ],
        columns=["anchor", "positive"],
    )
    # d3, d20 and d21 are equal, and the library happened to prefer d20.
    corpus = ["d20", *(text for text in information["corpus"] if text != "d20")]
    expected = parity["mine_hard_negatives"][case]
    mined = mine(encoder, pairs, corpus, scores=True, **expected["kwargs"])
    columns = ["anchor", "positive", "negative"]
    rows = expected["rows"]
    assert mined[columns].to_dict("records") == [
        {column: row[column] for column in columns} for row in rows
    ]
    np.testing.assert_allclose(
        mined[["positive_score", "negative_score"]],
        [row["scores"] for row in rows],
        atol=1e-6,
    )


def by_hand(encoder, pairs, corpus, count, first, last, limits):
    """The rules, one query and one candidate at a time."""
    corpus = [*dict.fromkeys([*corpus, *pairs["positive"]])]
    positives = {}
    for anchor, positive in pairs.itertuples(index=False):
        positives.setdefault(anchor, dict.fromkeys([positive]))[positive] = None
    most = max(map(len, positives.values()))
    if last is None:
        wide = limits.keys() & {"absolute_margin", "relative_margin", "max_score"}
        last = first + count * (10 if wide else 1) + most
    result = []
    for anchor, own in positives.items():

        def score(text, anchor=anchor):
            u, v = encoder.encode([anchor, text]).astype(float)
            return np.float32(u @ v)

        near = sorted(corpus, key=lambda text: (-score(text), corpus.index(text)))
        left = []
        lowest = min(map(score, own))
        for text in near[: last + most]:
            value = score(text)
            margin = limits.get("absolute_margin")
            share = limits.get("relative_margin")
            if (
                text in own
                or (margin is not None and value > lowest - margin)
                or (share is not None and value > lowest - abs(lowest) * share)
                or value > limits.get("max_score", 9)
                or value < limits.get("min_score", -9)
            ):
                continue
            left.append(text)
        for positive in own:
            result += [(anchor, positive, text) for text in left[first:last][:count]]
    return result


LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "absolute_margin": st.sampled_from([0.013, 0.207, -0.111]),
        "relative_margin": st.sampled_from([0.051, 0.317]),
        "max_score": st.sampled_from([0.213, 0.601]),
        "min_score": st.sampled_from([-0.503, 0.107]),
    },
)


@settings(deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(0, 3),
    st.one_of(st.none(), st.integers(0, 5)),
    LIMITS,
)
def test_the_rules_one_by_one(seed, count, first, more, limits):
    encoder, pairs, corpus = toy(seed)
    last = None if more is None else first + count + more
    mined = mine(
        encoder,
        pairs,
        corpus[::-1],
        count=count,
        range_min=first,
        range_max=last,
        **limits,
    )
    expected = by_hand(encoder, pairs, corpus[::-1], count, first, last, limits)
    assert [*mined.itertuples(index=False, name=None)] == expected


LINE = Vectors({f"t{n}": [np.cos(n / 10), np.sin(n / 10)] for n in range(12)})
PAIRS = pd.DataFrame(
    [("t0", "t3"), ("t11", "t10"), ("t0", "t2")], columns=["anchor", "positive"]
)
CORPUS = [f"t{n}" for n in range(12)]


def negatives(mined, anchor="t0"):
    return mined.loc[mined["anchor"] == anchor, "negative"].unique().tolist()


def test_outputs():
    triplets = mine(LINE, PAIRS, CORPUS, count=2)
    assert list(map(tuple, triplets.to_numpy())) == [
        ("t0", "t3", "t1"),
        ("t0", "t3", "t4"),
        ("t0", "t2", "t1"),
        ("t0", "t2", "t4"),
        ("t11", "t10", "t9"),
        ("t11", "t10", "t8"),
    ]
    columns = mine(LINE, PAIRS, CORPUS, count=2, output="columns")
    expected = pd.DataFrame(
        [
            ("t0", "t3", "t1", "t4"),
            ("t0", "t2", "t1", "t4"),
            ("t11", "t10", "t9", "t8"),
        ],
        columns=["anchor", "positive", "negative_1", "negative_2"],
    )
    pd.testing.assert_frame_equal(columns, expected)
    labelled = mine(LINE, PAIRS, CORPUS, count=2, output="labelled")
    assert list(labelled.columns) == ["base", "ref", "label"]
    assert list(map(tuple, labelled.to_numpy())) == [
        ("t0", "t3", 1),
        ("t0", "t2", 1),
        ("t0", "t1", 0),
        ("t0", "t4", 0),
        ("t11", "t10", 1),
        ("t11", "t9", 0),
        ("t11", "t8", 0),
    ]
    # Without a corpus, the positives are one.
    alone = mine(LINE, PAIRS, count=1)
    assert negatives(alone) == ["t10"]
    assert negatives(alone, "t11") == ["t3"]


def test_scores():
    cosine = {text: np.cos(n / 10) for n, text in enumerate(CORPUS)}
    triplets = mine(LINE, PAIRS[::2], CORPUS, count=2, scores=True)
    assert [*triplets.columns[3:]] == ["positive_score", "negative_score"]
    np.testing.assert_allclose(
        triplets["positive_score"], triplets["positive"].map(cosine), atol=1e-6
    )
    np.testing.assert_allclose(
        triplets["negative_score"], triplets["negative"].map(cosine), atol=1e-6
    )
    columns = mine(LINE, PAIRS[::2], CORPUS, count=2, output="columns", scores=True)
    names = ["positive_score", "negative_score_1", "negative_score_2"]
    assert [*columns.columns[4:]] == names
    texts = columns[["positive", "negative_1", "negative_2"]]
    expected = texts.map(cosine.get).to_numpy(dtype=float)
    np.testing.assert_allclose(columns[names].to_numpy(), expected, atol=1e-6)
    labelled = mine(LINE, PAIRS[::2], CORPUS, count=2, output="labelled", scores=True)
    assert [*labelled.columns] == ["base", "ref", "label", "score"]
    np.testing.assert_allclose(
        labelled["score"], labelled["ref"].map(cosine), atol=1e-6
    )


def test_the_anchor_is_no_negative_of_its_own():
    mined = mine(LINE, PAIRS, CORPUS, count=9)
    assert negatives(mined) == ["t1", *CORPUS[4:12]]
    assert "t11" not in negatives(mined, "t11")


def test_texts_of_one_occupation_are_no_negatives_of_each_other():
    pairs = pd.DataFrame(
        [
            ("t0", "t1", "baker"),
            ("t4", "t5", "baker"),
            ("t6", "t7", "cook"),
            ("t8", "t9", "nurse"),
            ("t6", "t2", "nurse"),
        ],
        columns=["anchor", "positive", "occupation"],
    ).assign(group="g")
    mined = mine(LINE, pairs, CORPUS, count=12)
    assert list(mined.columns) == [
        *["anchor", "positive", "negative", "occupation", "group"]
    ]
    assert sorted(negatives(mined)) == sorted(
        ["t2", "t3", "t6", "t7", "t8", "t9", "t10", "t11"]
    )
    # t6 is of two occupations.
    assert sorted(negatives(mined, "t6")) == sorted(
        ["t0", "t1", "t3", "t4", "t5", "t10", "t11"]
    )
    assert "t7" in negatives(mined, "t8")
    owners = mined.groupby(["anchor", "positive"])["occupation"].unique()
    assert owners["t6", "t2"].tolist() == ["nurse"]
    # Without occupations a baker would be a negative of the other.
    plain = pairs[["anchor", "positive"]]
    assert {"t4", "t5"} <= {*negatives(mine(LINE, plain, CORPUS))} | {
        *negatives(mine(LINE, plain, CORPUS, count=9))
    }
    # The margins look at the anchor's own rows: t5 scores lower than t1 does.
    near = mine(LINE, pairs, CORPUS, count=1, absolute_margin=0.001)
    assert negatives(near) == ["t2"]


def test_random_draws():
    options = {"count": 2, "range_min": 1, "range_max": 6, "sampling": "random"}
    mined = [mine(LINE, PAIRS, CORPUS, seed=seed, **options) for seed in range(60)]
    met = [negatives(table) for table in mined]
    # Candidates by rank: t1, t4, t5, t6, t7, t8, of which t1 is skipped.
    assert {text for drawn in met for text in drawn} == {"t4", "t5", "t6", "t7", "t8"}
    assert all(len(drawn) == 2 and drawn[0] < drawn[1] for drawn in met)
    assert len({*map(tuple, met)}) == 10
    # t11 has one positive less, but no more candidates.
    others = {text for table in mined for text in negatives(table, "t11")}
    assert others == {"t8", "t7", "t6", "t5", "t4"}
    again = mine(LINE, PAIRS, CORPUS, seed=5, **options)
    assert negatives(again) == met[5]
    # Where fewer are left than wanted, all are taken.
    all_of_them = mine(LINE, PAIRS, count=3, sampling="random")
    assert negatives(all_of_them) == ["t10"]


@pytest.mark.parametrize(
    ("limits", "texts"),
    [
        # One, and as many more as t0 has texts of its own.
        ({}, ["t1", "t4", "t5", "t6"]),
        ({"min_score": -1.0}, ["t1", "t4", "t5", "t6"]),
        ({"max_score": 2.0}, ["t1", *CORPUS[4:]]),
        ({"absolute_margin": -2.0}, ["t1", *CORPUS[4:]]),
        ({"relative_margin": -2.0}, ["t1", *CORPUS[4:]]),
    ],
)
def test_the_range_is_wider_where_candidates_may_be_dropped(limits, texts):
    options = {"count": 1, "sampling": "random", **limits}
    met = {
        text
        for seed in range(40)
        for text in negatives(mine(LINE, PAIRS[::2], CORPUS, seed=seed, **options))
    }
    assert sorted(met) == sorted(texts)


def test_equal_documents_come_in_the_order_of_the_corpus():
    generator = np.random.default_rng(0)
    vectors = generator.normal(size=(6, 512))
    copies = [f"copy {number}" for number in range(203)]
    anchors = [f"anchor {number}" for number in range(5)]
    encoder = Vectors(
        {copy: vectors[0] for copy in copies}
        | {"positive": -vectors[0]}
        | dict(zip(anchors, vectors[1:], strict=True))
    )
    pairs = pd.DataFrame({"anchor": anchors, "positive": "positive"})
    mined = mine(encoder, pairs, copies, count=203, output="columns")
    assert all(row == copies for row in mined.loc[:, "negative_1":].to_numpy().tolist())
    assert len(mined) == 5


@pytest.mark.parametrize("sampling", ["top", "random"])
@pytest.mark.parametrize("output", ["triplets", "columns", "labelled"])
def test_blocks_of_any_size(monkeypatch, sampling, output):
    encoder, pairs, corpus = toy(3)
    options = {"sampling": sampling, "output": output, "max_score": 0.6}
    expected = mine(encoder, pairs, corpus, **options, scores=True)
    assert len(expected) > 3
    for block in (1, 40):
        monkeypatch.setattr("usetune.search.exact._BLOCK", block)
        mined = mine(encoder, pairs, corpus, **options, scores=True)
        pd.testing.assert_frame_equal(mined, expected)
        assert mined.attrs == expected.attrs


def test_counts():
    pairs = pd.concat([PAIRS, PAIRS[:1]]).set_index(pd.Index([5, 5, 6, 7]))
    pairs.attrs = {"format": "positive pairs", "counts": {"read": 4}}
    mined = mine(
        LINE,
        pairs,
        CORPUS[:7],
        count=2,
        max_score=np.cos(0.35),
        min_score=np.cos(0.45),
        range_max=99,
    )
    # t0: itself, t2 and t3 are no candidates; t1 is too near, t5, t6 and t10 too far.
    # t11: t10 is its positive, and all others are too far.
    assert mined["anchor"].tolist() == ["t0", "t0"]
    assert negatives(mined) == ["t4"]
    assert mined.attrs == {
        "counts": {
            "pairs": 3,
            "equal pairs left out": 1,
            "anchors": 2,
            "corpus": 8,
            "negatives": 1,
            "pairs without negatives": 1,
            "pairs with too few negatives": 3,
            "candidates dropped by positives": 4,
            "candidates dropped by absolute_margin": 0,
            "candidates dropped by relative_margin": 0,
            "candidates dropped by max_score": 1,
            "candidates dropped by min_score": 10,
        }
    }


@pytest.mark.parametrize(
    ("output", "rows", "shape"),
    [("triplets", 4, (0, 3)), ("columns", 1, (0, 5)), ("labelled", 6, (1, 3))],
)
def test_a_small_corpus_gives_fewer_and_says_so(output, rows, shape):
    # t0 has one candidate, t11 two.
    mined = mine(LINE, PAIRS, count=2, output=output)
    assert len(mined) == rows
    assert counts(mined)["pairs with too few negatives"] == 2
    assert counts(mined)["pairs without negatives"] == 0
    alone = mine(LINE, PAIRS[:1], output=output)
    assert alone.shape == shape
    assert counts(alone)["pairs without negatives"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count must be at least 1. Received: 0"),
        ({"range_min": -1}, "range_min must be at least 0. Received: -1"),
        ({"range_min": 4, "range_max": 3}, "range_max must be.*here 7. Received: 3"),
        ({"range_max": 2}, "range_max must be at least.*here 3. Received: 2"),
        ({"sampling": "best"}, r"sampling must be one of \['top', 'random'\].*'best'"),
        ({"output": "lists"}, "output must be one of.*'labelled'.*Received: 'lists'"),
    ],
)
def test_faults(options, message):
    with pytest.raises(ValueError, match=message):
        mine(LINE, PAIRS, CORPUS, **options)


def test_a_corpus_of_any_sequence():
    expected = mine(LINE, PAIRS, CORPUS)
    for corpus in (np.array(CORPUS), pd.Series(CORPUS), pa.array(CORPUS), iter(CORPUS)):
        pd.testing.assert_frame_equal(mine(LINE, PAIRS, corpus), expected)


def test_faults_of_texts():
    for corpus in ("t1", b"t1", pd.DataFrame({"t1": ["t2"]}), {"t1": "t2"}, {"t1"}):
        with pytest.raises(TypeError, match="corpus: texts must be .* Write "):
            mine(LINE, PAIRS, corpus)
    with pytest.raises(ValueError, match=r"pairs lacks the columns \['positive'\]"):
        mine(LINE, PAIRS[["anchor"]])
    with pytest.raises(ValueError, match="pairs has no rows"):
        mine(LINE, PAIRS[:0])
    with pytest.raises(ValueError, match="column positive: expected a text.*row 1"):
        mine(LINE, PAIRS.assign(positive=["", "t1", "t2"]))
    with pytest.raises(ValueError, match="column occupation: expected a text.*row 2"):
        mine(LINE, PAIRS.assign(occupation=["a", None, "a"]))
