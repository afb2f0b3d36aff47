import numpy as np
import pandas as pd
import pytest

from usetune.evaluation import STSScores, beside_the_article

HISTORY = pd.DataFrame(
    {
        "val_loss": [9.0, 0.3, 0.2, 0.1],
        "val_mean_absolute_error": [9.0, 3.0, 2.0, 1.0],
        "val_mean_absolute_percentage_error": [9.0, 33.0, 22.0, 11.0],
    },
    index=pd.RangeIndex(4, name="epoch"),
)
OURS = [0.5, 0.6, 3, 0.3, 0.1, 3.0, 1.0, 33.0, 11.0]
ARTICLE = [0.8325, 0.8349, 11, 0.00641, 0.00862, 0.0711, 0.0859, 9.52, 11.5]


@pytest.mark.parametrize("is_benchmark", [True, False])
@pytest.mark.parametrize("is_article", [True, False])
def test_the_article_stands_only_beside_its_own_data(is_benchmark, is_article):
    source = "STS benchmark, en dev" if is_benchmark else "a sample"
    base, tuned = (
        STSScores(pearson, 0.0, 0.1, 9, source, pd.DataFrame())
        for pearson in (0.5, 0.6)
    )
    pairs = pd.DataFrame()
    pairs.attrs["source"] = "the article's own pairs" if is_article else "others"
    table = beside_the_article(base, tuned, HISTORY, pairs)
    assert table["this run"].tolist() == OURS
    known = np.array([is_benchmark] * 2 + [is_article] * 7)
    np.testing.assert_array_equal(table["article"], np.where(known, ARTICLE, np.nan))
    name = "STS dev" if is_benchmark else "STS sample"
    assert table.index[0] == f"{name} Pearson, base"
