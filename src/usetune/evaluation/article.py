"""The figures that the article printed, beside those of a run."""

import json

import pandas as pd

from usetune.data import sources
from usetune.evaluation.sts import STSScores

_VALIDATION = {
    "val_loss": "validation loss",
    "val_mean_absolute_error": "validation MAE",
    "val_mean_absolute_percentage_error": "validation MAPE",
}


def article_figures() -> dict:
    """Read what the article and its notebook printed, by the names of Keras' log."""
    return json.loads(sources.shipped("article_figures.json").read_text("utf-8"))


def beside_the_article(
    base: STSScores, tuned: STSScores, history: pd.DataFrame, pairs: pd.DataFrame
) -> pd.DataFrame:
    """Put the article's figures beside a run of its recipe.

    A figure of the article stands only beside one that was measured on the same data;
    it is NaN where the benchmark's sample or other pairs stood in.

    Args:
        base: scores before training, with ``parsing="article"``.
        tuned: scores after it, likewise.
        history: the history of `fine_tune`, epoch 0 first.
        pairs: what it was trained on, from `load_article_pairs`.

    Returns:
        DataFrame indexed by figure: article and this run.
    """
    printed, epochs = article_figures(), history.loc[1:]
    is_benchmark = base.source.startswith("STS benchmark")
    is_article = pairs.attrs["source"] == "the article's own pairs"
    name = "STS dev" if is_benchmark else "STS sample"
    rows = [
        (f"{name} Pearson, {which}", printed["sts_dev_pearson"][which], scores.pearson)
        for which, scores in (("base", base), ("tuned", tuned))
    ]
    rows.append(("epochs", printed["epochs"], len(epochs)))
    for column, title in _VALIDATION.items():
        theirs, ours = printed[column], epochs[column]
        rows += [
            (f"{title}, first epoch", theirs[0], ours.iloc[0]),
            (f"{title}, last epoch", theirs[-1], ours.iloc[-1]),
        ]
    table = pd.DataFrame(rows, columns=["figure", "article", "this run"])
    same_data = [is_benchmark] * 2 + [is_article] * (len(rows) - 2)
    return table.assign(article=table["article"].where(same_data)).set_index("figure")
