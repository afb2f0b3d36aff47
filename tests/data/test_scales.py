import re

import numpy as np
import pandas as pd
import pytest

import usetune
from usetune import angular_similarity, load_article_pairs, load_pairs
from usetune.data import load_sts
from usetune.data.scales import warn_of_scale


def pairs_of(scores):
    return pd.DataFrame({"base": "b", "ref": "r", "similarity": scores})


@pytest.mark.parametrize(
    ("scores", "seen", "highest"),
    [
        ([0, 5, 4, 2.5], "go from 0 to 5: ", 5),
        ([1, 2, 4, 3], "converts a scale from 0 to 5, after import", 5),
        ([0.2] * 6 + [4.5] * 4, "go from 0.2 to 4.5: ", 5),
        ([7, 0, 10], "converts a scale from 0 to 10", 10),
        ([70, 100, 0.5], "go from 0.5 to 100: ", 100),
        ([-0.5, 0.7, 0], "go from -0.5 to 0.7, as cosines do: ", 1),
    ],
)
def test_another_scale_is_named_with_its_conversion(scores, seen, highest):
    table = pairs_of(scores)
    with pytest.raises(ValueError, match=r"expected a number in \[0, 1\]; ") as caught:
        load_pairs(table)
    assert seen in str(caught.value)
    # The conversion is Python as it stands.
    code = re.search(r"table\['similarity'\] = .*\)", str(caught.value))
    exec(code[0].split(" convert")[0], {"usetune": usetune, "table": table})
    expected = 1 - np.arccos(np.array(scores) / highest) / np.pi
    np.testing.assert_allclose(load_pairs(table)["similarity"], expected, atol=1e-12)


@pytest.mark.parametrize("scores", [[0.5, 1, 2], [0, 1e9], [-1, 5, 3], [0, np.inf]])
def test_no_scale_is_seen_in_wrong_numbers(scores):
    with pytest.raises(ValueError, match=r"in \[0, 1\]. Received in"):
        load_pairs(pairs_of(scores))


def test_unrelated_texts_called_opposite():
    message = "pairs: 180 of 360 similarities are below 0.45, the lowest 0. On the"
    with pytest.warns(UserWarning, match=message) as caught:
        warn_of_scale(pd.Series([0.0, 1.0] * 180), "pairs")
    code = re.search(r"pairs\['similarity'\] = .*\)", str(caught[0].message))
    pairs = pairs_of([0, 1])
    exec(code[0], {"usetune": usetune, "pairs": pairs})
    assert pairs["similarity"].tolist() == [0.5, 1]
    warn_of_scale(pd.Series([0.5, 1.0] * 180), "pairs")
    # Opposites are rare, and there may be some.
    warn_of_scale(pd.Series([0.0] + [0.7] * 199), "pairs")


@pytest.mark.real_data
def test_real_scores(base, esco):
    warn_of_scale(load_article_pairs()["similarity"], "pairs")
    scores = load_sts()["score"] / 5
    with pytest.warns(UserWarning, match="697 of 1500 similarities are below"):
        warn_of_scale(scores, "pairs")
    warn_of_scale(pd.Series(np.asarray(angular_similarity(scores))), "pairs")
    # What an encoder makes of titles and descriptions that have nothing in common.
    some = esco.sample(400, random_state=0)
    titles = base.encode(some["preferredLabel"].tolist())
    descriptions = base.encode(some["description"].tolist()[::-1])
    cosines = np.sum(titles * descriptions, axis=-1)
    scores = pd.Series(np.asarray(angular_similarity(cosines)))
    assert 0.2 < np.mean(scores < 0.5) < 0.6
    warn_of_scale(scores, "pairs")
