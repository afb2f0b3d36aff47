"""Metrics of pairs and triplets of embeddings."""

import warnings

import numpy as np
import pandas as pd
from scipy import stats
from sklearn import metrics

from usetune.similarity import sum_of_components, unit_length

_DISTANCES = ("euclidean", "manhattan")
_CORRELATIONS = {"pearson": stats.pearsonr, "spearman": stats.spearmanr}


def pair_similarities(u: np.ndarray, v: np.ndarray) -> dict[str, np.ndarray]:
    """Similarities of pairs of embeddings by their names, larger for closer ones.

    Args:
        u: float array (pairs, dim).
        v: float array (pairs, dim).

    Returns:
        For cosine, dot, euclidean and manhattan a float32 array (pairs,).

    Raises:
        ValueError: if shapes do not fit.
    """
    u, v = np.asarray(u, dtype=np.float32), np.asarray(v, dtype=np.float32)
    if u.ndim != 2 or u.shape != v.shape:
        raise ValueError(
            "embeddings must be two arrays (pairs, dim) of one shape. "
            f"Received: {u.shape} and {v.shape}"
        )
    return {
        "cosine": sum_of_components(unit_length(u) * unit_length(v)),
        "dot": sum_of_components(u * v),
        "euclidean": -np.sqrt(sum_of_components(np.square(u - v))),
        "manhattan": -sum_of_components(np.abs(u - v)),
    }


def similarity_metrics(
    u: np.ndarray, v: np.ndarray, similarity: np.ndarray
) -> dict[str, float]:
    """Correlations of the similarities with gold scores.

    Args:
        u: float array (pairs, dim), at least two pairs.
        v: float array (pairs, dim).
        similarity: gold scores (pairs,), larger for closer texts.

    Returns:
        pearson_ and spearman_ (equal values have their mean rank) of each similarity,
        and their largest as pearson_max and spearman_max. All in [-1, 1]; NaN where
        gold scores or similarities are constant, and in the largest of such.
    """
    found = {
        f"{kind}_{name}": value
        for name, values in pair_similarities(u, v).items()
        for kind, value in _correlations(values, similarity).items()
    }
    for kind in _CORRELATIONS:
        own = [x for name, x in found.items() if name.startswith(kind)]
        found[f"{kind}_max"] = float(np.max(own))
    return found


def _correlations(values: np.ndarray, similarity: np.ndarray) -> dict[str, float]:
    with warnings.catch_warnings():
        # Documented: NaN says it.
        warnings.simplefilter("ignore", stats.ConstantInputWarning)
        return {
            kind: float(correlation(similarity, values).statistic)
            for kind, correlation in _CORRELATIONS.items()
        }


def cosine_correlations(cosine: np.ndarray, similarity: np.ndarray) -> dict[str, float]:
    """Those of `similarity_metrics` that belong to cosines (pairs,)."""
    correlations = _correlations(cosine, similarity)
    return {f"{kind}_cosine": value for kind, value in correlations.items()}


def triplet_metrics(
    anchor: np.ndarray,
    positive: np.ndarray,
    negative: np.ndarray,
    margin: float = 0.0,
) -> dict[str, float]:
    """Shares of triplets whose anchor is closer to the positive than to the negative.

    Args:
        anchor: float array (triplets, dim).
        positive: float array (triplets, dim).
        negative: float array (triplets, dim).
        margin: how much larger the similarity must be; the same is never enough.

    Returns:
        The accuracy of each similarity, cosine_accuracy say, and max_accuracy.
    """
    near = pair_similarities(anchor, positive)
    far = pair_similarities(anchor, negative)
    shares = {
        f"{name}_accuracy": float(np.mean(near[name] > far[name] + margin))
        for name in near
    }
    return {**shares, "max_accuracy": max(shares.values())}


def cosine_accuracy(
    near: np.ndarray, far: np.ndarray, margin: float = 0.0
) -> dict[str, float]:
    """That of `triplet_metrics`, of cosines (triplets,)."""
    return {"cosine_accuracy": float(np.mean(near > far + margin))}


def binary_metrics(u: np.ndarray, v: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """How well a threshold on a similarity tells pairs with label 1 from others.

    Every cut between different similarities is tried, and both that put all pairs on
    one side; of equally good ones, that with the fewest pairs called 1 is taken.

    Args:
        u: float array (pairs, dim).
        v: float array (pairs, dim).
        label: 0 or 1 of each pair, (pairs,), both among them.

    Returns:
        For each similarity, cosine_accuracy say: the best accuracy and f1, each with
        its threshold, which is midway between two similarities (of a distance the
        positive one: pairs at most so far apart are called 1); precision, recall and
        mcc (Matthews correlation) at the best f1; ap (average precision). Then
        max_accuracy and so on, the largest over the similarities, thresholds too.

    Raises:
        ValueError: if a label is neither 0 nor 1, or all are the same.
    """
    label = check_both_labels(label)
    by_similarity = {
        name: _best_cuts(values, label, -1 if name in _DISTANCES else 1)
        for name, values in pair_similarities(u, v).items()
    }
    by_similarity["max"] = pd.DataFrame(by_similarity).max(axis=1).to_dict()
    return {
        f"{similarity}_{name}": value
        for similarity, own in by_similarity.items()
        for name, value in own.items()
    }


def cosine_average_precision(cosine: np.ndarray, label: np.ndarray) -> dict[str, float]:
    """That of `binary_metrics`, of cosines (pairs,); NaN if all labels are the same."""
    is_known = label.min() < label.max()
    ap = metrics.average_precision_score(label, cosine) if is_known else np.nan
    return {"cosine_ap": float(ap)}


def check_both_labels(label: np.ndarray) -> np.ndarray:
    """The labels, if they are 0 and 1, both among them; otherwise a ValueError."""
    label = np.asarray(label)
    if {*np.unique(label).tolist()} != {0, 1}:
        raise ValueError(
            "label must hold 0 and 1, both of them. "
            f"Received: {np.unique(label)[:5].tolist()}"
        )
    return label


def _best_cuts(scores: np.ndarray, label: np.ndarray, sign: int) -> dict[str, float]:
    """Metrics of one similarity; the sign is that of its thresholds."""
    _, false, _, hits, lowest = metrics.confusion_matrix_at_thresholds(label, scores)
    # Cuts by the lowest score that is called 1, in descending order; first comes the
    # one that calls none so.
    called, hits = np.insert(hits + false, 0, 0), np.insert(hits, 0, 0)
    above = np.insert(lowest, 0, np.nextafter(lowest[0], np.float32(np.inf)))
    below = np.append(lowest, lowest[-1:])
    middle = (above + below) / 2
    # Midway between neighbours is one of them, and must not be the lower.
    thresholds = np.where(middle > below, middle, above)
    positives = label.sum()
    accuracy = (2 * hits - called + len(label) - positives) / len(label)
    f1 = 2 * hits / (called + positives)
    accurate, best = np.argmax(accuracy), np.argmax(f1)
    return {
        "accuracy": float(accuracy[accurate]),
        "accuracy_threshold": sign * float(thresholds[accurate]),
        "f1": float(f1[best]),
        "f1_threshold": sign * float(thresholds[best]),
        "precision": float(hits[best] / called[best]),
        "recall": float(hits[best] / positives),
        "ap": float(metrics.average_precision_score(label, scores)),
        "mcc": float(metrics.matthews_corrcoef(label, scores >= above[best])),
    }
