import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as st

import usetune.losses
from usetune import build_siamese
from usetune.losses import (
    GIST,
    AnglE,
    AngularError,
    BatchAll,
    BatchHard,
    BatchHardSoftMargin,
    BatchSemiHard,
    Cached,
    Contrastive,
    CoSENT,
    CosineSquaredError,
    EmbeddingLoss,
    Matryoshka,
    MegaBatchMargin,
    MultipleNegativesRanking,
    OnlineContrastive,
    Softmax,
    Triplet,
    largest_distance,
)
from usetune.losses.distances import DISTANCES, distance_between, distances_within
from usetune.losses.triplets import ACTIVE

FOUR = ("query_to_doc", "doc_to_query", "query_to_query", "doc_to_doc")
SYMMETRIC = {"directions": FOUR[:2], "partition": "per_direction"}
RANKING = [
    MultipleNegativesRanking(5.0),
    MultipleNegativesRanking(directions=FOUR),
    MultipleNegativesRanking(**SYMMETRIC),
    MegaBatchMargin(0.9, -0.2),
]
# Every class, and every distance and direction, with arguments that are not default.
LOSSES = [
    *RANKING,
    AngularError("mean_absolute_error"),
    CosineSquaredError(name="cosine"),
    CoSENT(7.0),
    AnglE(7.0),
    *(Contrastive(distance, 0.9) for distance in DISTANCES),
    *(OnlineContrastive(distance, 0.9) for distance in DISTANCES),
    Softmax(6),
    MultipleNegativesRanking(2.0, "dot", FOUR, hardness="hard_negatives",
                             hardness_strength=3.0),
    GIST(None, 0.1, "relative", 0.2),
    *(kind(distance, 0.7) for kind in (Triplet, BatchAll, BatchHard, BatchSemiHard)
      for distance in DISTANCES),
    *(BatchHardSoftMargin(distance) for distance in DISTANCES),
    Matryoshka(GIST(None, 0.2), [2, 8], [0.5, 2.0]),
    Cached(Matryoshka(MultipleNegativesRanking(4.0), [6, 3]), 7),
]  # fmt: skip
# The value of these depends on directions only.
COSINE = [
    loss
    for loss in LOSSES
    if getattr(loss, "distance", "cosine") == "cosine"
    and getattr(loss, "similarity", "cosine") == "cosine"
    and not isinstance(loss, Softmax)
]
# What labels can do to a loss that picks pairs by them, and what equal texts can.
HARD_CASES = {
    "equal texts": ([0, 0, 1, 1, 2, 2], [0, 0, 0, 1, 2, 2]),
    "one text": ([0, 0, 1, 1, 2, 2], [0] * 6),
    "one class": ([1] * 6, range(6)),
    "no two of a class": (range(6), range(6)),
    "one example": ([1], [0]),
}


def unit(*shape, seed=0):
    vectors = np.random.default_rng(seed).normal(size=shape)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype("f")


def kind_of(loss):
    return kind_of(loss.loss) if hasattr(loss, "loss") else type(loss)


def batch(loss, size=6, seed=0):
    """Targets and raw embeddings as the loss takes them."""
    rng = np.random.default_rng(seed)
    kind = kind_of(loss)
    columns = 2
    if kind is Triplet or getattr(loss, "hardness", None):
        columns = 3
    if kind in (BatchAll, BatchHard, BatchHardSoftMargin, BatchSemiHard):
        columns = 1
    y_pred = rng.normal(size=(size, columns, 8)).astype("f")
    if kind is GIST:
        return told(rng.normal(size=(size, columns, 4)).astype("f")), y_pred
    labels = rng.integers(3, size=size)
    if kind in (AngularError, CosineSquaredError, CoSENT, AnglE):
        labels = np.round(rng.random(size), 1)
    if kind in (Contrastive, OnlineContrastive):
        labels = labels % 2
    return labels[:, None].astype("f"), y_pred


def told(guided):
    """A guide's embeddings as GIST takes them; every thing and text is another."""
    numbers = np.arange(guided[..., 0].size, dtype="f").reshape(guided.shape[:2])
    things = np.broadcast_to(numbers[:, :1], numbers.shape)
    return np.concatenate([things[..., None], numbers[..., None], guided], axis=2)


def value_and_gradient(loss, y_true, y_pred):
    y_pred = tf.convert_to_tensor(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred)
    return float(value), tape.gradient(value, y_pred).numpy()


def name_of(loss):
    return f"{type(loss).__name__} {getattr(loss, 'distance', '')}"


every_loss = pytest.mark.parametrize("loss", LOSSES, ids=name_of)


# Every loss


def test_every_loss_is_tested():
    named = {getattr(usetune.losses, name) for name in usetune.losses.__all__}
    classes = {item for item in named if isinstance(item, type)}
    assert {type(loss) for loss in LOSSES} == classes - {EmbeddingLoss}


@every_loss
def test_configuration(loss):
    again = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(again) is type(loss)
    assert again.get_config() == loss.get_config()
    if not isinstance(loss, Softmax):  # Its weights are not in the configuration.
        assert float(again(*batch(loss))) == float(loss(*batch(loss)))


def test_configuration_holds_the_arguments():
    loss = MultipleNegativesRanking(
        5.0, "dot", FOUR[:2], "per_direction", "in_batch_negatives", 2.0
    )
    cached = Cached(Matryoshka(loss, [4, 8], [1.0, 3.0], name="nested"), 5)
    again = keras.losses.deserialize(keras.losses.serialize(cached))
    assert again.mini_batch_size == 5 and again.loss.name == "nested"
    assert again.loss.dims == [8, 4] and again.loss.weights == [3.0, 1.0]
    inner = again.loss.loss
    assert (inner.scale, inner.similarity, inner.directions) == (5.0, "dot", FOUR[:2])
    assert (inner.partition, inner.hardness, inner.hardness_strength) == (
        "per_direction", "in_batch_negatives", 2.0
    )  # fmt: skip


@every_loss
def test_in_a_graph_of_unknown_batch_size(loss):
    loss.build(8)
    y_true, y_pred = batch(loss)
    in_graph = tf.function(
        lambda y_true, y_pred: value_and_tensor_gradient(loss, y_true, y_pred),
        input_signature=[
            tf.TensorSpec((None, *array.shape[1:])) for array in (y_true, y_pred)
        ],
    )
    for size in (1, 4, 7):
        y_true, y_pred = batch(loss, size, seed=size)
        value, gradient = in_graph(y_true, y_pred)
        expected = value_and_gradient(loss, y_true, y_pred)
        assert float(value) == pytest.approx(expected[0], rel=1e-5, abs=1e-5)
        np.testing.assert_allclose(gradient, expected[1], rtol=1e-4, atol=1e-5)
        assert in_graph.experimental_get_tracing_count() == 1


def value_and_tensor_gradient(loss, y_true, y_pred):
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred)
    return value, tape.gradient(value, y_pred)


@every_loss
@settings(max_examples=3, deadline=None)
@given(order=st.permutations(range(6)), seed=st.integers(0, 99))
def test_the_order_of_a_batch_does_not_matter(loss, order, seed):
    y_true, y_pred = batch(loss, seed=seed)
    value, gradient = value_and_gradient(loss, y_true, y_pred)
    other = value_and_gradient(loss, y_true[order], y_pred[order])
    assert other[0] == pytest.approx(value, rel=1e-5, abs=1e-5)
    np.testing.assert_allclose(other[1], gradient[order], rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("loss", COSINE, ids=name_of)
@settings(max_examples=3, deadline=None)
@given(power=st.integers(-8, 8), seed=st.integers(0, 99))
def test_lengths_do_not_matter_to_cosines(loss, power, seed):
    y_true, y_pred = batch(loss, seed=seed)
    lengths = 2.0 ** (power * np.random.default_rng(seed).random((6, 1, 1)))
    value = float(loss(y_true, y_pred))
    scaled = float(loss(y_true, y_pred * lengths.astype("f")))
    assert scaled == pytest.approx(value, rel=1e-4, abs=1e-5)


@every_loss
@pytest.mark.parametrize("case", HARD_CASES)
def test_gradients_are_finite(loss, case):
    labels, texts = (np.array(numbers) for numbers in HARD_CASES[case])
    y_true, y_pred = batch(loss)
    # The same text in all columns, and in every example that has it.
    y_pred = np.repeat(y_pred[texts, :1], y_pred.shape[1], axis=1)
    y_true = y_true[texts] if y_true.ndim == 3 else labels[:, None].astype("f")
    value, gradient = value_and_gradient(loss, y_true, y_pred)
    assert np.isfinite(value) and np.isfinite(gradient).all()
    assert np.abs(gradient).max() < 1e3


@every_loss
def test_wrong_number_of_columns(loss):
    y_true, y_pred = batch(loss)
    with pytest.raises(ValueError, match=r"y_pred .* Received: \(6, 0, \d\)"):
        loss(y_true, y_pred[:, :0])
    kind = kind_of(loss)
    if kind not in (MultipleNegativesRanking, GIST, AnglE, Triplet):
        message = rf"\(batch, {y_pred.shape[1]}, dim\). Received: \(6, 5, 8\)"
        with pytest.raises(ValueError, match=message):
            loss(y_true, np.zeros((6, 5, 8), "f"))


def test_target_is_the_labels():
    target = CoSENT().target([["a", "b"], ["c", "d"]], np.array([1, 2]))
    assert target.dtype == np.float32
    np.testing.assert_array_equal(target, [[1], [2]])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AngularError("squared"), "function"),
        (lambda: CoSENT(0), "scale"),
        (lambda: AnglE(-1), "scale"),
        (lambda: Contrastive("dot"), "distance"),
        (lambda: OnlineContrastive(margin=0), "margin"),
        (lambda: Softmax(1), "classes"),
        (lambda: MultipleNegativesRanking(0), "scale"),
        (lambda: MultipleNegativesRanking(similarity="euclidean"), "similarity"),
        (lambda: MultipleNegativesRanking(partition="each"), "partition"),
        (lambda: MultipleNegativesRanking(directions=FOUR[1:]), "directions"),
        (lambda: MultipleNegativesRanking(directions=FOUR[:1] * 2), "directions"),
        (lambda: MultipleNegativesRanking(directions=("doc",)), "directions"),
        (
            lambda: MultipleNegativesRanking(
                directions=FOUR[::2], partition="per_direction"
            ),
            "per_direction",
        ),
        (lambda: MultipleNegativesRanking(hardness="all"), "hardness"),
        (
            lambda: MultipleNegativesRanking(hardness="hard_negatives"),
            "hardness_strength",
        ),
        (lambda: MultipleNegativesRanking(hardness_strength=1), "hardness_strength"),
        (lambda: MegaBatchMargin(positive_margin=1.1), "positive_margin"),
        (lambda: GIST(temperature=0), "temperature"),
        (lambda: GIST(margin_strategy="both"), "margin_strategy"),
        (lambda: GIST(margin=-0.1), "margin"),
        (lambda: Triplet("dot"), "distance"),
        (lambda: BatchHard(margin=float("nan")), "margin"),
        (lambda: BatchHardSoftMargin("dot"), "distance"),
        (lambda: Matryoshka(Softmax(3), [4]), "loss"),
        (lambda: Matryoshka(Cached(GIST()), [4]), "loss"),
        (lambda: Matryoshka(keras.losses.MeanSquaredError(), [4]), "loss"),
        (lambda: Matryoshka(CoSENT(), []), "dims"),
        (lambda: Matryoshka(CoSENT(), [4, 0]), "dims"),
        (lambda: Matryoshka(CoSENT(), [4, 4]), "dims"),
        (lambda: Matryoshka(CoSENT(), [4, 2], [1.0]), "weights"),
        (lambda: Matryoshka(CoSENT(), [4], [-1.0]), "weights"),
        (lambda: Cached(Triplet()), "loss"),
        (lambda: Cached(Matryoshka(CoSENT(), [4])), "loss"),
        (lambda: Cached(GIST(), 0), "mini_batch_size"),
    ],
)
def test_invalid_arguments(make, message):
    with pytest.raises(ValueError, match=f"{message}.*Received"):
        make()


# Ranking


def by_hand(
    embeddings,
    things,
    scale,
    directions=FOUR[:1],
    partition="joint",
    hardness=None,
    strength=0.0,
    names=None,
):
    """The value of the ranking loss; ``names`` (batch, columns) tells texts apart."""
    texts = embeddings.astype(float)
    if names is None:
        names = np.arange(texts[..., 0].size).reshape(texts.shape[:2])
    known = known_by_hand(things, names)
    losses = []
    for i in range(len(texts)):
        logits = [[] for _ in directions]
        for direction, (j, k) in itertools.product(
            directions, np.ndindex(*texts.shape[:2])
        ):
            start, _, end = direction.split("_")
            if (k == 0) != (end == "query"):
                continue
            if j == i and start == end:
                continue
            is_own_pair = j == i and {start, end} == {"query", "doc"} and k < 2
            if names[j, k] in known[i] and not is_own_pair:
                continue
            cosine = texts[i, 0 if start == "query" else 1] @ texts[j, k]
            harder = {
                None: False,
                "hard_negatives": j == i and k > 1,
                "in_batch_negatives": j != i,
            }[hardness]
            extra = strength if harder and direction == FOUR[0] else 0.0
            logits[directions.index(direction)].append((scale + extra) * cosine)
        if partition == "joint":
            logits = [sum(logits, [])]
        partitions = [np.log(np.sum(np.exp(each))) for each in logits]
        losses.append(np.mean(partitions) - scale * texts[i, 0] @ texts[i, 1])
    return np.mean(losses)


def known_by_hand(things, names):
    """For each example the texts that are no negatives of it."""
    pairs = [{*row[:2]} for row in names]
    return [
        set().union(
            *(
                other
                for thing, other in zip(things, pairs, strict=True)
                if thing == own_thing or other & own
            )
        )
        for own_thing, own in zip(things, pairs, strict=True)
    ]


@pytest.mark.parametrize("negatives", [0, 2])
@pytest.mark.parametrize("things", [[0, 1, 2, 3, 4], [0, 1, 0, 3, 1], [7] * 5])
def test_value(negatives, things):
    embeddings = unit(5, 2 + negatives, 8)
    loss = MultipleNegativesRanking(scale=10.0)(np.array(things)[:, None], embeddings)
    expected = by_hand(embeddings, things, 10.0)
    assert float(loss) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("negatives", [0, 1, 2])
@pytest.mark.parametrize(
    "arguments",
    [
        {"directions": FOUR},
        {"directions": (FOUR[0], FOUR[3])},
        {"directions": FOUR[:3]},
        SYMMETRIC,
        {"hardness": "hard_negatives", "hardness_strength": 5.0},
        {**SYMMETRIC, "hardness": "in_batch_negatives", "hardness_strength": 9.0},
    ],
)
def test_value_of_directions_and_hardness(negatives, arguments):
    embeddings, things = unit(5, 2 + negatives, 8), [0, 1, 0, 3, 1]
    loss = MultipleNegativesRanking(7.0, **arguments)
    value = float(loss(np.array(things)[:, None], embeddings))
    strength = arguments.get("hardness_strength", 0.0)
    others = {k: v for k, v in arguments.items() if k != "hardness_strength"}
    expected = by_hand(embeddings, things, 7.0, strength=strength, **others)
    assert value == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    "loss", [MultipleNegativesRanking(), *RANKING[:-1]], ids=lambda loss: loss.partition
)
def test_pairs_of_one_thing_do_not_push_each_other(loss):
    embeddings = unit(4, 2, 8)

    def gradient(things):
        return value_and_gradient(loss, np.array(things)[:, None], embeddings)[1]

    assert np.abs(gradient([0, 1, 2, 3])).max() > 1e-3
    np.testing.assert_allclose(gradient([5, 5, 5, 5]), 0, atol=1e-7)


@pytest.mark.parametrize("loss", RANKING)
@pytest.mark.parametrize("moved", [0, 1])
def test_the_loss_of_an_example_ignores_others_of_its_thing(loss, moved):
    embeddings = unit(4, 2, 8)
    nearer = embeddings.copy()
    # One text of the second example becomes the other one of the first.
    nearer[1, moved] = embeddings[0, 1 - moved]

    def first(things, embeddings):
        return float(loss.call(np.array(things, "f")[:, None], embeddings)[0])

    assert first([1, 1, 2, 3], nearer) == first([1, 1, 2, 3], embeddings)
    directions = getattr(loss, "directions", ("query_to_doc",))
    if moved or "doc_to_query" in directions:
        assert first([0, 1, 2, 3], nearer) > first([0, 1, 2, 3], embeddings)


NAMED = st.tuples(
    st.lists(st.lists(st.sampled_from("abcdefghij"), min_size=4, max_size=4),
             min_size=6, max_size=6),
    st.lists(st.integers(0, 5), min_size=6, max_size=6),
)  # fmt: skip


@pytest.mark.parametrize(
    "arguments",
    [
        {"directions": FOUR},
        SYMMETRIC,
        {"hardness": "hard_negatives", "hardness_strength": 5.0},
    ],
)
@settings(max_examples=20, deadline=None)
@given(NAMED)
def test_examples_with_a_text_in_common_are_no_negatives(arguments, drawn):
    names, things = np.array(drawn[0]), drawn[1]
    loss = MultipleNegativesRanking(7.0, **arguments)
    embeddings = unit(6, 4, 8)
    strength = arguments.get("hardness_strength", 0.0)
    others = {k: v for k, v in arguments.items() if k != "hardness_strength"}
    expected = by_hand(
        embeddings, things, 7.0, strength=strength, names=names, **others
    )
    target = loss.target(names.T.tolist(), np.array(things))
    assert float(loss(target, embeddings)) == pytest.approx(expected, abs=1e-5)


def test_the_nearest_of_a_large_batch_is_no_known_positive():
    # One need has two products, and one product serves two needs.
    names = np.array([["a", "x"], ["a", "y"], ["b", "y"], ["c", "z"], ["z", "a"]])
    things = np.arange(5)
    known = known_by_hand(things, names)
    embeddings = unit(5, 2, 8)
    cosines = embeddings[:, 0] @ embeddings[:, 1].T
    expected = [
        max(0, 0.9 - cosines[i, i])
        + max(
            [0, *(cosines[i, j] + 1 for j in range(5) if names[j, 1] not in known[i])]
        )
        for i in range(5)
    ]
    loss = MegaBatchMargin(0.9, -1.0)
    target = loss.target(names.T.tolist(), things)
    np.testing.assert_allclose(loss.call(target, embeddings), expected, atol=1e-6)


def test_a_guide_does_not_make_a_known_positive_a_negative():
    guide = Guide()
    # To this guide a and x are alike, b and z are, and y is far from all.
    rows = dict(zip("axbzy", np.eye(3)[[0, 0, 1, 1, 2]], strict=True))
    guide.encode = lambda texts: [rows[text] for text in texts]
    loss = GIST(guide, 0.1)
    target = loss.target([["a", "a", "b"], ["x", "y", "z"]], np.arange(3))
    embeddings = unit(3, 2, 8)

    def change(example, column):
        """Of the first example's loss, where another's text is turned round."""
        turned = embeddings.copy()
        turned[example, column] *= -1
        before, after = (loss.call(target, each)[0] for each in (embeddings, turned))
        return abs(float(before - after))

    assert change(1, 0) == change(1, 1) == 0
    assert change(2, 0) > 0 and change(2, 1) > 0


@pytest.mark.parametrize(
    "loss", [BatchAll(margin=1.5), BatchHard(margin=1.5), BatchHardSoftMargin()]
)
def test_a_text_of_two_classes_is_no_negative_of_itself(loss):
    texts, classes = ["a", "b", "a", "c"], np.array([0, 0, 1, 1])
    embeddings = unit(3, 1, 8)[[0, 1, 0, 2]]
    with_texts, without = (
        float(loss(target, embeddings))
        for target in (loss.target([texts], classes), classes[:, None])
    )
    assert with_texts < without
    assert loss.target([texts], classes).tolist() == [[0, 0], [0, 1], [1, 0], [1, 2]]


def test_ranking_in_a_graph_of_any_batch_and_columns():
    loss = tf.function(
        lambda things, embeddings: MultipleNegativesRanking()(things, embeddings),
        input_signature=[
            tf.TensorSpec((None, 1)),
            tf.TensorSpec((None, None, 8)),
        ],
    )
    for size in (1, 3, 6):
        embeddings = unit(size, 2, 8, seed=size)
        expected = by_hand(embeddings, range(size), 20.0)
        things = np.arange(size, dtype="f")[:, None]
        assert float(loss(things, embeddings)) == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("things", "others"),
    [([0, 1, 0, 2], [[1, 3], [0, 2, 3], [1, 3], [0, 1, 2]]), ([4] * 4, [[]] * 4)],
)
def test_mega_batch_by_hand(things, others):
    embeddings = unit(4, 2, 8)
    cosines = embeddings[:, 0] @ embeddings[:, 1].T
    expected = [
        max(0, 0.9 - cosines[i, i]) + max([0, *(cosines[i, others[i]] + 1)])
        for i in range(4)
    ]
    losses = MegaBatchMargin(0.9, -1.0).call(np.array(things)[:, None], embeddings)
    np.testing.assert_allclose(losses, expected, atol=1e-6)


# Guided


class Guide:
    """Embeds texts as numbers, and keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def encode(self, texts):
        self.asked += texts
        return np.array([[float(text), 1.0] for text in texts])


def test_a_guide_embeds_each_text_once():
    guide = Guide()
    target = GIST(guide).target([["1", "2", "1"], ["2", "3", "4"]], np.zeros(3))
    assert sorted(guide.asked) == ["1", "2", "3", "4"]
    assert target.shape == (3, 2, 4) and target.dtype == np.float32
    np.testing.assert_array_equal(target[:, :, 2], [[1, 2], [2, 3], [1, 4]])
    np.testing.assert_array_equal(target[:, :, 1], [[0, 1], [1, 2], [0, 3]])
    np.testing.assert_array_equal(target[:, :, 0], np.zeros((3, 2)))
    wrapped = Cached(Matryoshka(GIST(guide), [2]))
    target = wrapped.target([["5"], ["6"]], np.zeros(1))
    np.testing.assert_array_equal(target[0, :, 2], [5, 6])


def test_no_guide_no_target():
    with pytest.raises(ValueError, match="guide .* Received: None"):
        GIST().target([["a"], ["b"]], np.zeros(1))


def test_a_guide_that_masks_nothing_leaves_ranking():
    # To this guide the two texts of a pair are one, and all pairs are orthogonal.
    guided = np.repeat(np.eye(5, dtype="f")[:, None], 2, axis=1)
    ranking = MultipleNegativesRanking(10.0, directions=(FOUR[0], *FOUR[2:]))
    expected = ranking(np.arange(5)[:, None], unit(5, 2, 8))
    assert float(GIST(temperature=0.1)(told(guided), unit(5, 2, 8))) == pytest.approx(
        float(expected), abs=1e-5
    )


def test_duplicates_of_the_positive_are_false_negatives():
    guided, embeddings = unit(4, 2, 8, seed=1), unit(4, 2, 8)
    guided[:, 1], embeddings[:, 1] = guided[0, 1], embeddings[0, 1]
    guided[:, 0], embeddings[:, 0] = guided[0, 0], embeddings[0, 0]
    value, gradient = value_and_gradient(GIST(), told(guided), embeddings)
    assert value == pytest.approx(0, abs=1e-5)
    np.testing.assert_allclose(gradient, 0, atol=1e-4)


def angles(*degrees):
    radians = np.radians(degrees)
    return np.stack([np.cos(radians), np.sin(radians)], axis=-1).astype("f")


@pytest.mark.parametrize(
    ("strategy", "margin", "masked"),
    [
        ("absolute", 0.0, False),
        ("absolute", 0.05, False),
        ("absolute", 0.2, True),
        ("relative", 0.1, False),
        ("relative", 0.4, True),
    ],
)
def test_margin_of_the_guide(strategy, margin, masked):
    # The guide's cosines with the anchor: -0.5 of the positive, -0.64 of the negative.
    guided = angles(0, 120, 130)[None]
    value = float(GIST(None, 1.0, strategy, margin)(told(guided), unit(1, 3, 8)))
    assert (value == 0) == masked


# Scores and labels


def test_angular_error_is_that_of_the_siamese_model(small):
    texts = ["data scientist", "data analyst", "pastry cook"]
    others = ["data analyst", "data analyst", "infermiere"]
    scores = np.array([[0.9], [1.0], [0.1]], "f")
    predicted = build_siamese(small)([tf.constant(texts), tf.constant(others)])
    embeddings = np.stack([small.encode(texts), small.encode(others)], axis=1)
    for function, loss in (
        ("mean_squared_error", keras.losses.MeanSquaredError()),
        ("mean_absolute_error", keras.losses.MeanAbsoluteError()),
    ):
        value = float(AngularError(function)(scores, embeddings))
        assert value == pytest.approx(float(loss(scores, predicted)), abs=1e-6)


@pytest.mark.parametrize("loss", [CoSENT(), AnglE()])
def test_only_the_order_of_scores_counts(loss):
    scores, embeddings = batch(loss)
    value = float(loss(scores, embeddings))
    assert value > 0.1
    assert float(loss(np.exp(5 * scores), embeddings)) == pytest.approx(value)
    assert float(loss(-scores, embeddings)) != pytest.approx(value)
    assert float(loss(0 * scores, embeddings)) == 0


def test_angle_does_not_look_at_labels_where_there_are_negatives():
    embeddings = unit(4, 3, 8)
    values = [
        float(AnglE()(labels, embeddings))
        for labels in (np.zeros((4, 1)), np.arange(4)[:, None])
    ]
    assert values[0] == values[1] > 0


def test_a_zero_makes_the_halves_of_odd_vectors_equal():
    scores, embeddings = batch(AnglE())
    padded = embeddings.copy()
    padded[..., -1] = 0
    value = float(AnglE()(scores, padded))
    assert float(AnglE()(scores, embeddings[..., :-1])) == pytest.approx(value)


def test_the_slope_at_equal_vectors_is_zero():
    same = unit(2, 1, 8).repeat(2, axis=1)
    for distance in DISTANCES[1:]:
        loss = Triplet(distance, 1.0)
        _, gradient = value_and_gradient(loss, np.zeros((2, 1)), same[:, [0, 0, 1]])
        np.testing.assert_array_equal(gradient, 0)


@pytest.mark.parametrize(
    ("labels", "counted"),
    [([1, 1, 1], [2]), ([0, 0, 0], [0, 1]), ([1, 0, 0], []), ([0, 1, 1], [0, 1, 2])],
)
def test_pairs_in_the_wrong_order(labels, counted):
    # Cosine distances 0.13, 0.29 and 1, their mean 0.47.
    embeddings = np.stack([angles(0, 0, 0), angles(30, 45, 90)], axis=1)
    distances = 1 - np.cos(np.radians([30, 45, 90]))
    losses = np.where(labels, distances, np.maximum(0.9 - distances, 0)) ** 2
    loss = OnlineContrastive(margin=0.9)(np.array(labels)[:, None], embeddings)
    assert float(loss) == pytest.approx(losses[counted].sum(), abs=1e-6)


def test_softmax_trains_its_classifier():
    loss = Softmax(3)
    loss.build(8)
    y_true, y_pred = batch(loss)
    weights = loss.layers[0].trainable_variables
    assert [tuple(weight.shape) for weight in weights] == [(24, 3), (3,)]
    with tf.GradientTape() as tape:
        value = loss(y_true, y_pred)
    for gradient in tape.gradient(value, [weight.value for weight in weights]):
        assert np.abs(gradient).max() > 1e-3
    assert EmbeddingLoss().layers == []


# Distances and triplets


@pytest.mark.parametrize("distance", DISTANCES)
def test_distances(distance):
    x = np.random.default_rng(0).normal(size=(6, 8)).astype("f")
    within = distances_within(distance, x).numpy()
    np.testing.assert_allclose(
        within, distance_between(distance, x[:, None], x), atol=2e-3
    )
    between = distance_between(distance, x[:-1], x[1:])
    np.testing.assert_allclose(np.diag(within[:-1, 1:]), between, rtol=1e-5)
    expected = {
        "cosine": 1 - x[0] @ x[1] / np.linalg.norm(x[0]) / np.linalg.norm(x[1]),
        "euclidean": np.sqrt(((x[0] - x[1]) ** 2).sum()),
        "manhattan": np.abs(x[0] - x[1]).sum(),
    }
    np.testing.assert_allclose(between[0], expected[distance], rtol=1e-5)


@pytest.mark.parametrize("compiled", [False, True])
def test_rounding_of_nearly_equal_texts(compiled):
    @tf.function(jit_compile=compiled)
    def distances_and_gradient(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            distances = distances_within("euclidean", x)
        return distances, tape.gradient(distances, x)

    x = tf.constant(unit(1, 512) + 1e-6 * unit(64, 512))
    distances, gradient = distances_and_gradient(x)
    assert 0 <= distances.numpy().min() and distances.numpy().max() < 2e-3
    assert np.isfinite(gradient).all()


@pytest.mark.parametrize("distance", DISTANCES)
def test_largest_distance(distance):
    x = np.full(16, 0.25, "f")
    reached = float(distance_between(distance, x, -x))
    assert reached == pytest.approx(largest_distance(distance, 16))
    vectors = unit(50, 16)
    assert distances_within(distance, vectors).numpy().max() <= reached


def triplets_by_hand(kind, distances, classes, margin):
    """What each valid or mined triplet lacks."""
    size = range(len(classes))
    lacks = []
    for a in size:
        positives = [p for p in size if p != a and classes[p] == classes[a]]
        negatives = [n for n in size if classes[n] != classes[a]]
        if kind is BatchAll:
            mined = [(p, n) for p in positives for n in negatives]
        elif kind is BatchHard and positives and negatives:
            farthest = max(positives, key=lambda p: distances[a, p])
            mined = [(farthest, min(negatives, key=lambda n: distances[a, n]))]
        elif kind is BatchSemiHard and negatives:
            mined = []
            for p in positives:
                beyond = [n for n in negatives if distances[a, n] > distances[a, p]]
                nearest = min(beyond, default=None, key=lambda n: distances[a, n])
                farthest = max(negatives, key=lambda n: distances[a, n])
                mined.append((p, farthest if nearest is None else nearest))
        else:
            mined = []
        lacks += [distances[a, p] - distances[a, n] + margin for p, n in mined]
    return np.array(lacks)


@pytest.mark.parametrize("kind", [BatchAll, BatchHard, BatchSemiHard])
@settings(max_examples=25, deadline=None)
@given(
    classes=st.lists(st.integers(0, 3), min_size=2, max_size=8).filter(
        lambda classes: len(set(classes)) > 1
    ),
    margin=st.floats(0.01, 0.5),
)
def test_active_triplets(kind, classes, margin):
    embeddings = unit(len(classes), 1, 3, seed=len(classes))
    y_true, loss = np.array(classes)[:, None], kind("euclidean", margin)
    distances = distances_within("euclidean", embeddings[:, 0]).numpy()
    lacks = triplets_by_hand(kind, distances, classes, margin)
    active = lacks > 0
    expected = active.mean() if lacks.size else 0.0
    assert float(loss.active(y_true, embeddings)) == pytest.approx(expected)
    if lacks.size and kind is not BatchHard:  # Which also counts single texts.
        counted = active.sum() if kind is BatchAll else lacks.size
        mean = lacks[active].sum() / max(counted, 1)
        assert float(loss(y_true, embeddings)) == pytest.approx(mean, abs=1e-5)


def test_a_negative_as_far_as_the_positive_is_not_semi_hard():
    points = np.array([[0, 0], [1, 0], [0, 1], [0, 3]], "f")[:, None]
    # Of the pairs of classes 0 and 1, in both orders: the positive and what is mined.
    mined = [(1, 3), (1, 2**0.5), (2, 2**0.5), (2, 3)]
    lacks = [max(0, positive - negative + 0.5) for positive, negative in mined]
    loss = BatchSemiHard("euclidean", 0.5)(np.array([[0], [0], [1], [1]]), points)
    assert float(loss) == pytest.approx(np.mean(lacks), abs=1e-6)


@pytest.mark.parametrize("kind", [BatchAll, BatchHard, BatchSemiHard])
def test_no_active_triplet_without_any(kind):
    loss = kind("cosine", 0.5)
    assert float(loss.active(np.arange(4)[:, None], unit(4, 1, 8))) == 0
    if kind is not BatchSemiHard:
        assert float(loss.active(np.zeros((4, 1)), unit(4, 1, 8))) == 0


def test_active_of_given_triplets():
    # Cosine distances from the anchor: positive 0, negatives 1 - cos(30°) and 1.
    embeddings = angles(0, 0, 30, 90)[None]
    for margin, share in ((0.1, 0.0), (0.2, 0.5), (1.1, 1.0)):
        loss = Triplet("cosine", margin)
        assert float(loss.active(np.zeros((1, 1)), embeddings)) == share
    lacks = [1.1 - (1 - np.cos(np.radians(30))), 0.1]
    value = float(loss(np.zeros((1, 1)), embeddings))
    assert value == pytest.approx(np.mean(lacks), abs=1e-6)


def test_default_margins_can_be_met():
    for kind in (Triplet, BatchAll, BatchHard, BatchSemiHard):
        assert kind().margin < largest_distance(kind().distance, 512)
    opposite = np.array([[[1.0, 0.0]], [[1.0, 0.0]], [[-1.0, 0.0]], [[-1.0, 0.0]]])
    for kind in (BatchAll, BatchHard, BatchSemiHard):
        assert float(kind()(np.array([[0], [0], [1], [1]]), opposite)) == 0


# Around others


def test_matryoshka_is_the_sum_over_widths():
    inner = CosineSquaredError()
    y_true, y_pred = batch(inner)
    loss = Matryoshka(inner, [3, 8], [0.5, 2.0])
    expected = 0.5 * float(inner(y_true, y_pred[..., :3])) + 2 * float(
        inner(y_true, y_pred)
    )
    assert float(loss(y_true, y_pred)) == pytest.approx(expected, rel=1e-6)
    assert (loss.dims, loss.weights) == ([8, 3], [2.0, 0.5])


def test_matryoshka_makes_each_cut_of_unit_length():
    inner = MultipleNegativesRanking(1.0, "dot")
    y_true, y_pred = batch(inner)
    values = [
        float(Matryoshka(inner, [8, 3])(y_true, length * y_pred)) for length in (1, 9)
    ]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_matryoshka_is_not_wider_than_the_embeddings():
    loss = Matryoshka(CoSENT(), [9, 4])
    with pytest.raises(ValueError, match=r"dims .* 8, .*Received: \[9, 4\]"):
        loss(*batch(loss))
    with pytest.raises(ValueError, match="dims"):
        Cached(Matryoshka(GIST(), [9])).build(8)
    loss.build(9)


@pytest.mark.parametrize(
    "loss",
    [
        Triplet("euclidean", 5.0),
        Triplet("cosine", 2.1),
        Contrastive("manhattan", 2 * 8**0.5 + 0.01),
        Matryoshka(BatchHard("euclidean", 2.01), [8, 4]),
    ],
)
def test_a_margin_that_unit_vectors_cannot_reach_is_a_problem(loss):
    (problem,) = loss.problems(8)
    assert "has the margin" in problem and "unit vectors are at most" in problem


@pytest.mark.parametrize(
    "loss",
    [
        Triplet("euclidean", 2.0),
        Contrastive("manhattan", 5),
        GIST(margin=3),
        Matryoshka(GIST(), [4, 8]),
        RANKING[0],
    ],
)
def test_other_losses_have_no_problem(loss):
    assert loss.problems(8) == []


def test_a_full_width_that_is_not_trained_is_a_problem():
    (problem,) = Cached(Matryoshka(GIST(), [4, 2])).problems(8)
    assert problem.startswith("dims=[4, 2] lacks 8, the width of the embeddings")


def test_metrics_of_a_loss():
    names = ["mean_absolute_error", "mean_absolute_percentage_error"]
    assert [metric.name for metric in AngularError().metrics()] == names
    assert CoSENT().metrics() == Softmax(2).metrics() == []
    embeddings, classes = unit(8, 1, 8), np.repeat(np.arange(4), 2)[:, None]
    for loss in (BatchAll(margin=0.1), Matryoshka(BatchAll(margin=0.1), [4])):
        (metric,) = loss.metrics()
        assert metric.name == ACTIVE
        metric.update_state(classes, embeddings)
        expected = BatchAll(margin=0.1).active(classes, embeddings)
        assert float(metric.result()) == pytest.approx(float(expected))
        assert 0 < float(expected) < 1


def test_metrics_of_the_article_are_errors_of_the_angular_similarity():
    scores = np.linspace(0.2, 1, 5, dtype="float32")[:, None]
    embeddings = unit(5, 2, 8)
    absolute, _ = AngularError("mean_squared_error").metrics()
    absolute.update_state(scores, embeddings)
    expected = AngularError("mean_absolute_error")(scores, embeddings)
    assert float(absolute.result()) == pytest.approx(float(expected))


def test_every_loss_cites_its_paper():
    for loss in LOSSES:
        assert loss.citation.startswith("@misc{"), loss
    assert EmbeddingLoss.citation == ""
    assert Triplet.citation == BatchSemiHard.citation != BatchAll.citation
