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
        record: of a `usetune.FineTuned`, of one training or of an average.
        history: likewise; rows of kept epochs are bold.

    Yields:
        Markdown, block by block.
    """
    members = record.get("members")
    yield "## Training"
    if members:
        seeds = ", ".join(str(member["seed"]) for member in members)
        yield (
            f"The average of {len(members)} encoders, weight by weight, that were "
            f"trained from the same start, on the same data, with the seeds {seeds}."
        )
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
    yield from _log(record, history)
    yield "### Environment"
    hardware = record["hardware"]
    devices = [*hardware["gpus"], f"{hardware['cpus']} CPUs ({hardware['machine']})"]
    versions = [f"{package} {own}" for package, own in record["versions"].items()]
    took = ", ".join(
        f"{own['seconds']:,} seconds"
        + (f" from epoch {own['resumed'] + 1} on" if own["resumed"] else "")
        for own in members or [record]
    )
    yield (
        f"{escape(', '.join(devices))}. {escape(', '.join(versions))}. Training "
        f"took {took}."
    )


def _log(record: Mapping[str, Any], history: pd.DataFrame) -> Iterator[str]:
    members = record.get("members")
    if members:
        names = ("epochs", "steps", "kept_epoch")
        rows = [
            [place, member["seed"], *(f"{member[name]:,}" for name in names)]
            for place, member in enumerate(members)
        ]
        yield table(["member", "seed", "epochs", "steps", "kept epoch"], rows)
        yield (
            "Epoch 0 is before training; what was averaged are the weights of each "
            "member's kept epoch."
        )
        kept = [(place, own["kept_epoch"]) for place, own in enumerate(members)]
    else:
        yield (
            f"{record['epochs']} epochs, {record['steps']:,} steps. Epoch 0 is before "
            "training; the encoder has the weights of epoch "
            f"{record['kept_epoch']}."
        )
        kept = [record["kept_epoch"]]
    keys = history.index.to_frame().to_numpy().tolist()
    log = [
        [*key, *(number(value, ".4g") for value in row)]
        for key, row in zip(keys, history.to_numpy(), strict=True)
    ]
    head = [*history.index.names, *history.columns]
    yield table(head, log, bold=[history.index.get_loc(key) for key in kept])


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
