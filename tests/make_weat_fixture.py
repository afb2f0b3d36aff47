"""Write fixtures/weat.json: what WEFE computes on random vectors.

Needs wefe, in an environment of its own (it asks for an older NumPy):

    python tests/make_weat_fixture.py

WEFE 1.0.1 draws without a seed, and its p-value draws words WITH replacement, which
no permutation does. So its generator is replaced here by one with a seed: once with
the draw that WEFE makes (p_value_as_drawn), once without replacement (p_value).
"""

import json
from importlib.metadata import version
from pathlib import Path
from unittest import mock

import numpy as np
from gensim.models import KeyedVectors
from wefe.debias.hard_debias import HardDebias
from wefe.metrics import WEAT
from wefe.query import Query
from wefe.word_embedding_model import WordEmbeddingModel

PATH = Path(__file__).parent / "fixtures" / "weat.json"
PACKAGES = ("wefe", "gensim", "numpy", "scikit-learn")
ITERATIONS = 2000
# Targets in each list, attributes in the first and second, dim, and how far the
# first targets lie from the second on the attributes' own direction.
CASES = [(4, 3, 5, 6, 0.0), (6, 6, 6, 8, 0.5), (8, 8, 8, 12, -0.3), (8, 4, 6, 12, 0.6)]
LISTS = ("x", "y", "a", "b")


class WithoutReplacement:
    """A generator that permutes, whatever is asked of it."""

    def __init__(self, seed: int) -> None:
        self._generator = np.random.Generator(np.random.PCG64(seed))

    def choice(self, words: list[str], size: int) -> np.ndarray:
        return self._generator.permutation(words)[:size]


def vectors(case: tuple, seed: int) -> dict[str, np.ndarray]:
    targets, first, second, dim, effect = case
    generator = np.random.default_rng(seed)
    sizes = (targets, targets, first, second)
    signs = (effect, -effect, 1, -1)
    lists = [generator.normal(size=(size, dim)) for size in sizes]
    for rows, sign in zip(lists, signs, strict=True):
        rows[:, 0] += sign
    return {name: rows.round(3) for name, rows in zip(LISTS, lists, strict=True)}


def model_of(lists: dict[str, np.ndarray]) -> tuple[WordEmbeddingModel, list]:
    words = [
        [f"{name}{number}" for number in range(len(rows))]
        for name, rows in lists.items()
    ]
    keyed = KeyedVectors(len(lists["x"][0]), dtype=np.float64)
    keyed.add_vectors(sum(words, []), np.concatenate(list(lists.values())))
    return WordEmbeddingModel(keyed, "random"), words


def p_value(query: Query, model: WordEmbeddingModel, generator: object) -> float:
    with mock.patch("numpy.random.default_rng", lambda: generator):
        return WEAT().run_query(
            query,
            model,
            calculate_p_value=True,
            p_value_iterations=ITERATIONS,
        )["p_value"]


def main() -> None:
    cases = []
    for seed, case in enumerate(CASES):
        lists = vectors(case, seed)
        model, words = model_of(lists)
        query = Query(words[:2], words[2:])
        result = WEAT().run_query(query, model)
        pairs = [list(pair) for pair in zip(words[0], words[1], strict=True)]
        unit, _ = model_of(
            {
                name: rows / np.linalg.norm(rows, axis=1, keepdims=True)
                for name, rows in lists.items()
            }
        )
        debias = HardDebias(pca_args={"n_components": 3}).fit(unit, pairs)
        cases.append(
            {
                **{name: rows.tolist() for name, rows in lists.items()},
                "statistic": float(result["weat"]),
                "effect_size": float(result["effect_size"]),
                "p_value": float(p_value(query, model, WithoutReplacement(seed))),
                "p_value_as_drawn": float(
                    p_value(query, model, np.random.Generator(np.random.PCG64(seed)))
                ),
                "unit_pairs_direction": debias.bias_direction_.tolist(),
                "unit_pairs_shares": debias.pca_.explained_variance_ratio_.tolist(),
            }
        )
    content = {
        "made_by": {name: version(name) for name in PACKAGES},
        "p_value_settings": "right-sided, approximate, strictly larger",
        "p_value_iterations": ITERATIONS,
        "cases": cases,
    }
    PATH.write_text(json.dumps(content) + "\n")


if __name__ == "__main__":
    main()
