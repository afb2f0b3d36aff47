"""Splitting pairs into training and validation, and finding leaks between them."""

import numpy as np
import pandas as pd

from usetune._utils.checks import check_choice
from usetune.data.counts import with_counts
from usetune.data.formats import GROUP_COLUMNS, text_columns


def split_pairs(
    pairs: pd.DataFrame,
    validation_split: float = 0.2,
    how: str = "stratified",
    seed: int = 0,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split pairs into a training and a validation set.

    Args:
        pairs: DataFrame as `load_pairs` or `positive_pairs_from_occupations` returns.
        validation_split: share of the rows, or of the groups, to validate on, between 0
            and 1.
        how: "stratified" draws at random, the same share of each third of the
            similarities' range. "couples", for texts with a class, draws two texts of
            one class at a time, so that each has a positive. "group" draws whole
            groups, so that the validation set is new to the encoder: rows of other
            groups that hold one of its texts are left out of both parts. "tail" takes
            the last rows, as Keras' ``validation_split`` and the article do: sound only
            if the rows are in random order.
        seed: seed of the random draw.

    Returns:
        (training, validation), each with at least one row, in the order of ``pairs``.
        `counts` of the training set has the rows of both and those left out.

    Raises:
        ValueError: if either part would be empty, an argument is out of range, or
            ``pairs`` lacks the column group ("group") or label ("couples").
    """
    if not 0 < validation_split < 1:
        raise ValueError(
            f"validation_split must be between 0 and 1. Received: {validation_split}"
        )
    check_choice("how", how, _SPLITS)
    draw, column = _SPLITS[how]
    if column is not None and column not in pairs:
        raise ValueError(
            f"how={how!r} needs the column {column!r}. Received: {list(pairs.columns)}"
        )
    rows = draw(pairs, validation_split, np.random.default_rng(seed))
    held_out = np.isin(np.arange(len(pairs)), rows)
    left_out = np.zeros(len(pairs), dtype=bool)
    if how == "group":
        left_out = _shares_a_text(pairs, held_out) & ~held_out
    training = pairs[~held_out & ~left_out]
    validation = pairs[held_out]
    if training.empty or validation.empty:
        raise ValueError(
            f"{len(pairs)} rows cannot be split into a training and a validation set "
            f"with how={how!r}, validation_split={validation_split}; expected at least "
            "2 rows, or 2 groups without common texts"
        )
    numbers = {
        "pairs": len(pairs),
        "training": len(training),
        "validation": len(validation),
        "left out, with a text of the validation": int(left_out.sum()),
    }
    return with_counts(training, numbers), validation


def _tail(pairs: pd.DataFrame, share: float, _: np.random.Generator) -> np.ndarray:
    return np.arange(int(len(pairs) * (1 - share)), len(pairs))


def _stratified(
    pairs: pd.DataFrame, share: float, generator: np.random.Generator
) -> np.ndarray:
    order = generator.permutation(len(pairs))
    # Pairs without a similarity are one stratum.
    similarity = pairs.get("similarity", pd.Series(0.0, pairs.index))
    third = np.minimum(similarity.to_numpy()[order] * 3, 2).astype(int)
    # Walk through the thirds one after another, taking rows at equal steps.
    order = order[np.argsort(third, kind="stable")]
    count = len(pairs) - int(len(pairs) * (1 - share))
    steps = (np.arange(count) + 0.5) * len(pairs) / max(count, 1)
    return order[steps.astype(int)]


def _groups(
    pairs: pd.DataFrame, share: float, generator: np.random.Generator
) -> np.ndarray:
    groups = np.unique(pairs["group"].to_numpy())
    drawn = generator.permutation(groups)[: round(len(groups) * share)]
    return np.flatnonzero(pairs["group"].isin(drawn))


def _couples(
    pairs: pd.DataFrame, share: float, generator: np.random.Generator
) -> np.ndarray:
    shuffled = (
        pairs["label"].reset_index(drop=True).iloc[generator.permutation(len(pairs))]
    )
    place = shuffled.groupby(shuffled).cumcount()
    size = shuffled.groupby(shuffled).transform("size")
    # The last of an odd number is in no couple.
    coupled = place < size // 2 * 2
    couple = shuffled.astype(str) + " " + (place // 2).astype(str)
    couples = couple[coupled].unique()
    drawn = generator.permutation(couples)[: round(len(pairs) * share / 2)]
    return shuffled.index[couple.isin(drawn) & coupled].to_numpy()


# The function that draws the rows to hold out, and the column that it needs.
_SPLITS = {
    "stratified": (_stratified, None),
    "couples": (_couples, "label"),
    "group": (_groups, "group"),
    "tail": (_tail, None),
}


def _shares_a_text(pairs: pd.DataFrame, held_out: np.ndarray) -> np.ndarray:
    columns = text_columns(pairs)
    texts = pd.unique(pairs.loc[held_out, columns].to_numpy().ravel())
    return pairs[columns].isin(texts).any(axis=1).to_numpy()


def check_leaks(training: pd.DataFrame, validation: pd.DataFrame) -> None:
    """Refuse training pairs that reveal the validation set.

    Args:
        training: DataFrame of pairs.
        validation: DataFrame of pairs.

    Raises:
        ValueError: naming texts that are in both (columns base, ref, anchor, positive,
            negative, negative_1, …), or occupations, concepts or groups that are.
    """
    texts = [
        set(pairs[text_columns(pairs)].to_numpy().ravel())
        for pairs in (training, validation)
    ]
    common = {"text": set.intersection(*texts)}
    for column in GROUP_COLUMNS:
        if column in training and column in validation:
            common[column] = {*training[column]} & {*validation[column]}
    for kind, values in common.items():
        if values:
            raise ValueError(
                f"{len(values)} {kind}s of the validation are trained on: "
                f"{sorted(values)[:5]}"
            )
