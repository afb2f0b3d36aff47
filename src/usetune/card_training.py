"""The part of a model card that a training's record fills."""

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from usetune.markdown import escape, number, table

# Characters of a sample's cell.
_LONGEST_CELL = 200


def training_sections(
    record: Mapping[str, Any], history: pd.DataFrame
) -> Iterator[str]:
    """Data, settings, log and environment of a training.

    Args:
        record: of a `usetune.FineTuned`.
        history: likewise; the row of the kept epoch is bold.

    Yields:
        Markdown, block by block.
    """
    yield "## Training"
    for part in record["data"]:
        training, name = part["training"], part["name"]
        yield f"### Data: {escape(name)}" if name else "### Data"
        yield (
            f"{training['rows']:,} {part['shape']}, and {part['validation']['rows']:,} "
            "to validate on."
        )
        columns = [
            [column, own["of"], *(f"{own[key]:g}" for key in ("min", "mean", "max"))]
            for column, own in training["columns"].items()
        ]
        yield table(["column", "of", "min", "mean", "max"], columns)
        yield "The first rows:"
        sample = [[_cut(cell) for cell in row.values()] for row in training["sample"]]
        yield table([*training["columns"]], sample)
        yield (
            f"Loss: {escape(_in_words(part['loss']))}. Batches of "
            f"{part['batch_size']}, {escape(part['batches'])}."
        )
    yield "### Settings"
    settings = record["settings"] | {"optimizer": record["optimizer"]}
    known = [[key, _in_words(own)] for key, own in settings.items() if own is not None]
    yield table(["setting", "value"], known)
    yield "### Log"
    yield (
        f"{record['epochs']} epochs, {record['steps']:,} steps. Epoch 0 is before "
        f"training; the encoder has the weights of epoch {record['kept_epoch']}."
    )
    log = [
        [epoch, *(number(value, ".4g") for value in row)]
        for epoch, row in zip(history.index, history.to_numpy(), strict=True)
    ]
    yield table(["epoch", *history.columns], log, bold=record["kept_epoch"])
    yield "### Environment"
    hardware, resumed = record["hardware"], record["resumed"]
    devices = [*hardware["gpus"], f"{hardware['cpus']} CPUs ({hardware['machine']})"]
    versions = [f"{package} {own}" for package, own in record["versions"].items()]
    since = f" from epoch {resumed + 1} on" if resumed else ""
    yield (
        f"{escape(', '.join(devices))}. {escape(', '.join(versions))}. Training "
        f"took {record['seconds']:,} seconds{since}."
    )


def classes(described: Any) -> Iterator[str]:
    """The class that a record describes, and those within it."""
    if isinstance(described, Mapping):
        if "class" in described:
            yield described["class"]
        for value in described.values():
            yield from classes(value)


def _in_words(value: Any) -> str:
    """What a record describes, as a call: Class(argument=value, …)."""
    if isinstance(value, Mapping):
        known = {key: own for key, own in value.items() if own is not None}
        name = known.pop("class", "")
        arguments = (f"{key}={_in_words(own)}" for key, own in known.items())
        return f"{name}({', '.join(arguments)})"
    if isinstance(value, list):
        return f"[{', '.join(map(_in_words, value))}]"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cut(cell: Any) -> str:
    text = str(cell)
    return text if len(text) <= _LONGEST_CELL else f"{text[:_LONGEST_CELL]} …"
