"""modules.json, by which sentence-transformers reads a folder as a chain of modules."""

import json
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from usetune._utils.extras import require


def write_modules(folder: Path, modules: Iterable[tuple[str, str]]) -> None:
    """Write modules.json.

    Args:
        folder: where.
        modules: kind and folder of each, in the order in which they compute.
    """
    content = [
        {
            "idx": number,
            "name": str(number),
            "path": path,
            "type": f"sentence_transformers.models.{kind}",
        }
        for number, (kind, path) in enumerate(modules)
    ]
    (folder / "modules.json").write_text(json.dumps(content, indent=2))


def add_projection(folder: Path, matrix: np.ndarray) -> None:
    """Let sentence-transformers read a projected encoder, if it reads the one behind.

    Args:
        folder: what `ProjectedEncoder.save` writes, with the encoder behind it inside.
        matrix: float32 array (inputs, outputs).
    """
    behind = folder / "encoder" / "modules.json"
    if not behind.exists():
        return
    modules: list[dict[str, Any]] = json.loads(behind.read_text())
    chain = []
    for module in modules:
        path = PurePosixPath("encoder", module["path"])
        chain.append((module["type"].rpartition(".")[2], str(path)))
    write_modules(folder, [*chain, ("Dense", "dense"), ("Normalize", "normalize")])
    config = {
        "in_features": matrix.shape[0],
        "out_features": matrix.shape[1],
        "bias": False,
        "activation_function": "torch.nn.modules.linear.Identity",
    }
    (folder / "dense").mkdir()
    (folder / "dense" / "config.json").write_text(json.dumps(config, indent=2))
    weights = {"linear.weight": np.ascontiguousarray(matrix.T)}
    safetensors = require("safetensors.numpy", "bert", "a BERT checkpoint")
    safetensors.save_file(weights, folder / "dense" / "model.safetensors")
