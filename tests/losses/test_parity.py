"""Every loss beside the value and gradients that sentence-transformers gives."""

import numpy as np
import pytest
import tensorflow as tf

from usetune.losses import (
    GIST,
    AnglE,
    BatchAll,
    BatchHard,
    BatchHardSoftMargin,
    BatchSemiHard,
    Cached,
    Contrastive,
    CoSENT,
    CosineSquaredError,
    Matryoshka,
    MegaBatchMargin,
    MultipleNegativesRanking,
    OnlineContrastive,
    Softmax,
    Triplet,
)

SYMMETRIC = ("query_to_doc", "doc_to_query")
FOUR = ("query_to_doc", "query_to_query", "doc_to_query", "doc_to_doc")
RANKING = MultipleNegativesRanking()
LOSSES = {
    "MNRL(a,p) scale=20 cos": RANKING,
    "MNRL(a,p,n1)": RANKING,
    "MNRL(a,p,n1,n2)": RANKING,
    "MNRL(a,p) dot scale=1": MultipleNegativesRanking(1.0, "dot"),
    "MNRL symmetric per_direction": MultipleNegativesRanking(
        directions=SYMMETRIC, partition="per_direction"
    ),
    "MNRL symmetric joint": MultipleNegativesRanking(directions=SYMMETRIC),
    "MNRL GTE 4 directions joint": MultipleNegativesRanking(directions=FOUR),
    "MNRL GTE 4 directions joint (a,p,n1)": MultipleNegativesRanking(directions=FOUR),
    "MNRL hardness hard_negatives 5 (a,p,n1)": MultipleNegativesRanking(
        hardness="hard_negatives", hardness_strength=5.0
    ),
    "MNRL hardness in_batch_negatives 9 (a,p)": MultipleNegativesRanking(
        hardness="in_batch_negatives", hardness_strength=9.0
    ),
    "ContrastiveLoss COSINE_DISTANCE margin=.5": Contrastive("cosine", 0.5),
    "ContrastiveLoss EUCLIDEAN margin=.5": Contrastive("euclidean", 0.5),
    "ContrastiveLoss MANHATTAN margin=.5": Contrastive("manhattan", 0.5),
    "OnlineContrastiveLoss COSINE margin=.5": OnlineContrastive("cosine", 0.5),
    "CosineSimilarityLoss MSE": CosineSquaredError(),
    "CoSENTLoss scale=20": CoSENT(),
    "AnglELoss scale=20": AnglE(),
    "AnglELoss triplet no labels": AnglE(),
    "TripletLoss EUCLIDEAN margin=5": Triplet("euclidean", 5.0),
    "TripletLoss COSINE margin=5": Triplet("cosine", 5.0),
    "TripletLoss MANHATTAN margin=5": Triplet("manhattan", 5.0),
    "TripletLoss COSINE margin=.5": Triplet("cosine", 0.5),
    "MegaBatchMarginLoss .8/.3": MegaBatchMargin(),
    "BatchAllTripletLoss euclidean margin=5": BatchAll("euclidean", 5.0),
    "BatchAllTripletLoss cosine margin=.5": BatchAll("cosine", 0.5),
    "BatchHardTripletLoss euclidean margin=5": BatchHard("euclidean", 5.0),
    "BatchHardTripletLoss cosine margin=.5": BatchHard("cosine", 0.5),
    "BatchSemiHardTripletLoss euclidean margin=5": BatchSemiHard("euclidean", 5.0),
    "BatchSemiHardTripletLoss cosine margin=.5": BatchSemiHard("cosine", 0.5),
    "BatchHardSoftMarginTripletLoss euclidean": BatchHardSoftMargin("euclidean"),
    "BatchHardSoftMarginTripletLoss cosine": BatchHardSoftMargin("cosine"),
    "SoftmaxLoss u,v,|u-v|": Softmax(3),
    "MatryoshkaLoss(MNRL) dims 8,4,2": Matryoshka(RANKING, [2, 8, 4]),
    "MatryoshkaLoss(MNRL) dims 8,4,2 w 1,.5,.25": Matryoshka(
        RANKING, [4, 8, 2], [0.5, 1.0, 0.25]
    ),
    "MatryoshkaLoss(CosineSimilarity) dims 8,4": Matryoshka(
        CosineSquaredError(), [8, 4]
    ),
    "GISTEmbedLoss T=.01 absolute 0 (a,p)": GIST(),
    "GISTEmbedLoss T=.01 relative .05 (a,p,n1)": GIST(
        margin_strategy="relative", margin=0.05
    ),
}


def example(parity, name):
    """y_true and raw embeddings (batch, columns, dim) of a golden loss."""
    inputs, golden = parity["inputs"], parity["losses"][name]
    stacked = [
        np.stack([np.array(source[column], "f") for column in golden["columns"]], 1)
        for source in (inputs, inputs["guide"] if "GIST" in name else inputs)
    ]
    if "GIST" in name:
        numbers = np.arange(stacked[1][..., 0].size, dtype="f")
        numbers = numbers.reshape(*stacked[1].shape[:2], 1)
        things = np.broadcast_to(numbers[:, :1], numbers.shape)
        return np.concatenate([things, numbers, stacked[1]], axis=2), stacked[0]
    labels = golden["labels"] or range(len(stacked[0]))
    return np.array(labels, "f")[:, None], stacked[0]


def value_and_gradient(loss, y_true, y_pred):
    y_pred = tf.constant(y_pred)
    with tf.GradientTape() as tape:
        tape.watch(y_pred)
        value = loss(y_true, y_pred)
    return float(value), tape.gradient(value, y_pred).numpy()


@pytest.mark.parametrize("name", LOSSES)
def test_value_and_gradients(parity, name):
    golden, loss = parity["losses"][name], LOSSES[name]
    y_true, y_pred = example(parity, name)
    if isinstance(loss, Softmax):
        loss.build(8)
        weights = [parity["inputs"][key] for key in ("softmax_W", "softmax_b")]
        loss.layers[0].set_weights([np.transpose(weights[0]), np.array(weights[1])])
    value, gradient = value_and_gradient(loss, y_true, y_pred)
    assert value == pytest.approx(golden["loss"], rel=1e-6, abs=1e-5)
    expected = np.stack(golden["grads"], axis=1)
    largest = np.abs(expected).max()
    np.testing.assert_allclose(gradient, expected, rtol=0, atol=1e-4 * largest)


def test_every_golden_loss_is_compared(parity):
    assert set(LOSSES) == set(parity["losses"]) and len(LOSSES) == 37


@pytest.mark.parametrize(
    "name", [name for name in LOSSES if name.startswith(("MNRL", "Mega", "GIST"))]
)
def test_cached_has_the_value_of_its_loss(parity, name):
    y_true, y_pred = example(parity, name)
    cached = Cached(LOSSES[name], mini_batch_size=2)
    value = parity["losses"][name]["loss"]
    assert float(cached(y_true, y_pred)) == pytest.approx(value, rel=1e-6, abs=1e-5)
