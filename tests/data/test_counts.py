import pandas as pd
import pytest

from usetune.data import counts, positive_pairs_from_labelled

PAIRS = pd.DataFrame({"base": ["a", "b"], "ref": ["c", "d"], "label": [1, 0]})


def test_counts_are_a_copy():
    positive = positive_pairs_from_labelled(PAIRS)
    expected = {"pairs": 2, "left out, labelled 0": 1, "positive pairs": 1}
    counts(positive).clear()
    assert counts(positive) == expected


def test_a_table_without_counts():
    with pytest.raises(ValueError, match=r"Received: .*\['base', 'ref', 'label'\]"):
        counts(PAIRS)
