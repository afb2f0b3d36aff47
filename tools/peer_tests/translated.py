"""Stand-ins by whose names sentence-transformers' own tests call this package.

A pytest plugin: it puts modules called sentence_transformers, datasets and torch where
the tests import them. A call that has no counterpart here skips its test, and says why.
"""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from stand_ins import (
    Encoder,
    Model,
    Tensor,
    cosines,
    missing,
    module,
    tensor,
    unlike,
)

from usetune import RetrievalEvaluator
from usetune.data import MiningLimits, counts
from usetune.data import mine_hard_negatives as mine
from usetune.evaluation import BinaryClassificationEvaluator, TripletEvaluator
from usetune.evaluation.pair_metrics import _best_cuts
from usetune.search import (
    Quantizer,
    community_detection,
    paraphrase_mining,
    semantic_search,
)
from usetune.similarity import unit_length

SIMILARITIES = {"cosine", "dot", "euclidean", "manhattan"}


# Evaluators


class Translated:
    """An evaluator of this package, called as theirs."""

    evaluator: Any
    primary_metric: str

    def __call__(self, model: Any, output_path: str | None = None) -> dict[str, float]:
        return self.evaluator(Encoder(model))

    def get_config_dict(self) -> None:
        unlike(evaluators_have_no_configuration=True)


class Triplets(Translated):
    def __init__(
        self,
        anchors: list[str],
        positives: list[str],
        negatives: list[str],
        margin: Any = 0.0,
        name: str = "",
        similarity_fn_names: Any = None,
    ) -> None:
        unlike(
            a_margin_for_each_similarity=isinstance(margin, dict),
            a_choice_of_similarities=similarity_fn_names,
        )
        columns = anchors, positives, negatives
        self.evaluator = TripletEvaluator(*columns, margin=margin, name=name)
        self.primary_metric = f"{name}_cosine_accuracy"


class Binary(Translated):
    primary_metric = "max_ap"

    def __init__(
        self,
        sentences1: list[str],
        sentences2: list[str],
        labels: list[int],
        similarity_fn_names: Any = None,
    ) -> None:
        self.names = similarity_fn_names
        self.evaluator = BinaryClassificationEvaluator(sentences1, sentences2, labels)

    def __call__(self, model: Any, output_path: str | None = None) -> dict[str, float]:
        unlike(
            results_in_a_CSV_file=output_path,
            the_largest_of_some_similarities={*self.names} != SIMILARITIES,
        )
        return super().__call__(model)

    def compute_metrics(self, model: Any) -> dict[str, dict[str, float]]:
        # Not of unit length: the distances are those of the embeddings as they are.
        found = self.evaluator(model)
        return {
            name: {
                key.removeprefix(f"{name}_"): value
                for key, value in found.items()
                if key.startswith(name)
            }
            for name in self.names
        }

    @staticmethod
    def find_best_f1_and_threshold(
        scores: np.ndarray, labels: np.ndarray, high_score_more_similar: bool
    ) -> tuple[float, ...]:
        best = _best_cuts(scores, labels, 1 if high_score_more_similar else -1)
        return tuple(best[n] for n in ("f1", "precision", "recall", "f1_threshold"))

    @staticmethod
    def find_best_acc_and_threshold(
        scores: np.ndarray, labels: np.ndarray, high_score_more_similar: bool
    ) -> tuple[float, ...]:
        best = _best_cuts(scores, labels, 1 if high_score_more_similar else -1)
        return best["accuracy"], best["accuracy_threshold"]


class Retrieval(Translated):
    def __init__(
        self,
        queries: dict[str, str],
        corpus: dict[str, str],
        relevant_docs: dict[str, set[str]],
        name: str = "",
        corpus_chunk_size: int = 50_000,
        map_at_k: Any = (100,),
        batch_size: int = 32,
        write_csv: bool = True,
        **cuts: list[int],
    ) -> None:
        measures = {
            "accuracy_at_k": ["accuracy"],
            "precision_recall_at_k": ["precision", "recall"],
            "mrr_at_k": ["mrr"],
            "ndcg_at_k": ["ndcg"],
        }
        (map_k,) = map_at_k
        self.evaluator = RetrievalEvaluator(
            queries,
            corpus,
            relevant_docs,
            ks=sorted({k for own in cuts.values() for k in own}),
            map_k=map_k,
            name=f"{name}_cosine",
            chunk_size=corpus_chunk_size,
        )
        self.asked = [f"{name}_cosine_map@{map_k}"] + [
            f"{name}_cosine_{measure}@{k}"
            for cut, own in cuts.items()
            for measure in measures[cut]
            for k in own
        ]

    def __call__(self, model: Any, output_path: str | None = None) -> dict[str, float]:
        found = super().__call__(model)
        return {name: found[name] for name in self.asked}


# Hard negatives


class Dataset:
    """A table with the parts of `datasets.Dataset` that the tests use."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.table = table

    @classmethod
    def from_dict(cls, columns: dict[str, list[Any]]) -> "Dataset":
        return cls(pd.DataFrame(columns))

    @property
    def column_names(self) -> list[str]:
        return list(self.table)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, key: str | int) -> Any:
        if isinstance(key, str):
            return self.table[key].tolist()
        return self.table.iloc[key].to_dict()


FORMATS = {
    "triplet": "triplets",
    "n-tuple": "columns",
    "n-tuple-scores": "columns",
    "labeled-list": "columns",
    "labeled-pair": "labelled",
}


def mine_hard_negatives(
    dataset: Dataset,
    model: Any,
    anchor_column_name: str | None = None,
    positive_column_name: str | None = None,
    corpus: list[str] | None = None,
    num_negatives: int = 3,
    sampling_strategy: str = "top",
    output_format: str = "triplet",
    output_scores: bool = False,
    verbose: bool = True,
    batch_size: int = 32,
    **others: Any,
) -> Dataset:
    """Theirs, by `usetune.data.mine_hard_negatives`."""
    names = ("range_min", "range_max", "max_score", "min_score")
    names += ("absolute_margin", "relative_margin")
    limits = {name: others.pop(name) for name in names if name in others}
    if not others.get("use_faiss", True):
        del others["use_faiss"]
    unlike(**{name: True for name in others})
    anchor = anchor_column_name or dataset.column_names[0]
    positive = positive_column_name or dataset.column_names[1]
    table = mine(
        Encoder(model),
        dataset.table.rename(columns={anchor: "anchor", positive: "positive"}),
        corpus,
        count=num_negatives,
        limits=MiningLimits(**limits),
        sampling=sampling_strategy,
        output=FORMATS[output_format],
        scores=output_scores or output_format == "n-tuple-scores",
    )
    if verbose and counts(table)["pairs with too few negatives"]:
        # What they print is in the counts here.
        print("Could not find enough negatives")
    back = {"anchor": anchor, "positive": positive, "base": anchor, "ref": positive}
    table = table.rename(columns=back)
    scored = [name for name in table if name.endswith("_score") or "score_" in name]
    if scored:
        table = table.assign(scores=table[scored].to_numpy().tolist()).drop(
            columns=scored
        )
    if output_format == "labeled-list":
        texts = [positive, *(name for name in table if name.startswith("negative_"))]
        lists = {anchor: table[anchor], positive: table[texts].to_numpy().tolist()}
        labels = [[1] + [0] * (len(texts) - 1)] * len(table)
        last = {"scores": table["scores"]} if output_scores else {"labels": labels}
        table = pd.DataFrame(lists | last)
    if output_format == "labeled-pair" and output_scores:
        table = table.drop(columns="label")
    return Dataset(table)


# Search and quantization


def communities(
    embeddings: Any,
    threshold: float = 0.75,
    min_community_size: int = 10,
    batch_size: int = 1024,
) -> list[list[int]]:
    embeddings = np.asarray(embeddings)
    return community_detection(embeddings, threshold, min_community_size)


def paraphrases(
    embeddings: Any, top_k: int = 100, max_pairs: int = 500_000, **options: Any
) -> list[list[Any]]:
    unlike(
        similarity_functions=options.get("score_function", cosines) is not cosines,
        no_pairs=max_pairs == 0,
    )
    return paraphrase_mining(np.asarray(embeddings), top_k, max_pairs)


def searched(queries: Any, corpus: Any, top_k: int = 10, **sizes: Any) -> list[Any]:
    return semantic_search(np.asarray(queries), np.asarray(corpus), top_k)


def quantize_embeddings(
    embeddings: Any, precision: str, calibration_embeddings: Any = None
) -> np.ndarray:
    unlike(
        lists_of_matrices=isinstance(embeddings, list),
        signed_or_shifted_codes=precision in ("binary", "uint8"),
        codes_of_embeddings_that_are_not_of_unit_length=calibration_embeddings
        is not None,
    )
    units = unit_length(embeddings)
    return Quantizer(precision.removeprefix("u")).fit(units).quantize(units)


module(
    "torch",
    Tensor=Tensor,
    tensor=tensor,
    as_tensor=tensor,
    float32=np.float32,
    device=str,
    stack=lambda parts: np.stack(parts).view(Tensor),
    zeros=lambda *shape, dtype=None: tensor(np.zeros(shape, np.float32)),
    ones=lambda *shape: tensor(np.ones(shape, np.float32)),
    rand=lambda *shape: tensor(np.random.random(shape)),
    cuda=SimpleNamespace(is_available=lambda: False),
)
module("datasets", Dataset=Dataset)
ST = "sentence_transformers"
module(
    ST,
    SentenceTransformer=Model,
    CrossEncoder=missing("a_cross_encoder"),
    SparseEncoder=missing("a_sparse_encoder"),
)
module(f"{ST}.sentence_transformer.model", SentenceTransformer=Model)
absent = {
    name: missing(f"{name}")
    for name in ("LabelAccuracyEvaluator", "ParaphraseMiningEvaluator", "NanoBEIR")
}
module(
    f"{ST}.sentence_transformer.evaluation",
    TripletEvaluator=Triplets,
    BinaryClassificationEvaluator=Binary,
    InformationRetrievalEvaluator=Retrieval,
    **absent,
)
module(
    f"{ST}.util",
    cos_sim=cosines,
    mine_hard_negatives=mine_hard_negatives,
    is_datasets_available=lambda: True,
)
module(
    f"{ST}.util.retrieval",
    semantic_search=searched,
    community_detection=communities,
    paraphrase_mining=lambda model, texts: paraphrases(model.encode(texts)),
    paraphrase_mining_embeddings=paraphrases,
)
module(f"{ST}.util.similarity", pytorch_cos_sim=cosines)
module(
    f"{ST}.util.quantization",
    quantize_embeddings=quantize_embeddings,
    semantic_search_faiss=missing("FAISS_beside_quantized_codes"),
)


@pytest.fixture
def reranker_bert_tiny_model() -> None:
    unlike(a_cross_encoder=True)


@pytest.fixture
def paraphrase_distilroberta_base_v1_model() -> None:
    unlike(prompts=True)
