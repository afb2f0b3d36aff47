import numpy as np
import pandas as pd
import pytest

from usetune.evaluation import RetrievalEvaluator, graded_relevance

NAMES = pd.DataFrame(
    {
        "positive": ["nurse", "midwife", "doctor", "miner"],
        "subgroup": ["2221", "2222", "2221", None],
        "group": ["222", "222", "221", "811"],
    },
    index=["n", "m", "d", "k"],
)


def test_the_largest_grade_counts():
    grades = {"group": 1, "positive": 3, "subgroup": 2}
    queries = NAMES.loc[["n", "k"]].set_axis([0, 1])
    assert graded_relevance(queries, NAMES, grades) == {
        0: {"n": 3, "m": 1, "d": 2},
        1: {"k": 3},
    }


def test_names_search_the_other_names():
    grades = {"subgroup": 2, "group": 1}
    relevant = graded_relevance(NAMES, NAMES, grades, skip_same_id=True)
    assert relevant == {"n": {"m": 1, "d": 2}, "m": {"n": 1}, "d": {"n": 2}, "k": {}}

    class InThisOrder:
        """Nearer in the order of the table: each name finds the first other one."""

        def encode(self, texts):
            places = [[*NAMES["positive"]].index(text) for text in texts]
            angle = 0.3 * np.array(places) ** 1.1
            return np.stack([np.cos(angle), np.sin(angle)], axis=1)

    names = NAMES["positive"].to_dict()
    with pytest.warns(UserWarning, match="1 of 4 queries"):
        search = RetrievalEvaluator(names, names, relevant, [1], skip_same_id=True)
    scores = search.score(InThisOrder()).queries["ndcg@1"]
    assert scores.to_dict() == {"n": 0.5, "m": 1.0, "d": 0.0}


def test_what_cannot_be_graded_is_refused():
    with pytest.raises(ValueError, match="documents.*'group'"):
        graded_relevance(NAMES, NAMES.drop(columns="group"), {"group": 1})
    twice = NAMES.set_axis(["n", "m", "n", "k"])
    with pytest.raises(ValueError, match="the index of queries.*twice: 'n'"):
        graded_relevance(twice, NAMES, {"group": 1})
