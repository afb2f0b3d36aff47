"""A card for an encoder, in the format of the Hugging Face Hub; no network is used."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pandas as pd

from usetune._utils.extras import require
from usetune._utils.markdown import escape, number, one_line, table
from usetune.data.formats import text_columns
from usetune.encoders.base import Encoder, ProjectedEncoder
from usetune.encoders.bert.model import TransformerEncoder
from usetune.encoders.hubs import HUB, HUB_ID
from usetune.sharing.citations import bibtex
from usetune.training import FineTuned
from usetune.training.record import DataRecord, RunRecord, TrainingRecord

_EXAMPLES = ["one text", "another text"]
Scores = pd.DataFrame | Mapping[str, tuple[float, float]]


def model_card(
    result: FineTuned | Encoder,
    *,
    name: str,
    base: str,
    scores: Mapping[str, Scores],
    license: str,
    language: str | Sequence[str],
    limits: str,
    load: str,
    description: str = "",
    citation: str = "",
) -> str:
    """Write the card of a tuned encoder: what is known of it, and nothing else.

    The first rows of the training data are shown in it.

    Args:
        result: what `fine_tune` or `fine_tune_soup` returned. Of what was made from
            its encoder, by `interpolate` say, give
            ``dataclasses.replace(result, encoder=made)``, and say in ``description``
            how it was made. Of an `Encoder` alone the card has no training.
        name: of the encoder.
        base: of the encoder that it was tuned from. A name on the Hub, ``owner/model``,
            is put into the header too, as ``base_model``.
        scores: for each data set, by its name, the figures of the base and the tuned
            encoder: a dict name → (base, tuned), or a DataFrame indexed by name with
            the columns base and tuned, and perhaps low and high (the 95 % interval of
            the difference) and n, as `Scores.compare` returns.
        license: the Hub's name of the license, "apache-2.0" say.
        language: ISO 639 codes, "en" say.
        limits: Markdown: what the encoder should not be used for, and what was not
            measured.
        load: what `load_encoder` takes on the reader's machine, "hf://owner/model" say.
        description: Markdown: what the encoder is for, and how it was made.
        citation: BibTeX of work of your own, put before that of the encoder and loss.

    Returns:
        Markdown with a YAML header, for README.md.

    Raises:
        ValueError: if a text is empty that must not be, or ``scores`` has another form.
        ImportError: if the extra ``usetune[share]`` is not installed.
    """
    given = {"name": name, "base": base, "license": license, "limits": limits}
    for argument, text in (given | {"load": load}).items():
        if not text.strip():
            raise ValueError(f"{argument} must not be empty. Received: {text!r}")
    tables = {one_line(key): _figures(key, own) for key, own in scores.items()}
    is_tuned = isinstance(result, FineTuned)
    encoder = result.encoder if is_tuned else result
    data = result.record.data if is_tuned else ()
    losses = [own for part in data for own in classes(part.loss)]
    tags = ["sentence-similarity", "feature-extraction"]
    if is_tuned:
        rows = sum(part.rows for part in data)
        tags += [f"dataset_size:{rows}", *dict.fromkeys(f"loss:{x}" for x in losses)]
    header = _header(name, base, license, language, tags, tables)
    how = f", tuned on a data set of {rows:,} examples" if is_tuned else ""
    sections = [
        f"# {escape(name)}",
        f"A sentence encoder made from {escape(base)}{how}, with usetune. It turns a "
        f"text into {encoder.dim} numbers, a vector of unit length; the inner product "
        "of two of them is their cosine similarity.",
        description.strip(),
        "## Usage",
        *_usage(encoder, load, data),
        "## Evaluation" if tables else "",
        *(_evaluation(key, own) for key, own in tables.items()),
        "## Limits",
        limits.strip(),
    ]
    if is_tuned:
        sections += training_sections(result.record, result.history)
    papers = bibtex([type(_innermost(encoder)).__name__, *losses])
    entries = [text for text in (citation.strip(), papers) if text]
    if entries:
        sections += ["## Citation", "\n".join(["```bibtex", *entries, "```"])]
    body = "\n\n".join(filter(None, sections))
    return f"---\n{header}\n---\n\n{body}\n"


def _header(
    name: str,
    base: str,
    license: str,
    language: str | Sequence[str],
    tags: list[str],
    tables: Mapping[str, pd.DataFrame],
) -> str:
    hub = require("huggingface_hub", "share", "sharing an encoder")
    results = [
        hub.EvalResult(
            task_type="sentence-similarity",
            # The type tells data sets apart: those of one type become one.
            dataset_type=key,
            dataset_name=key,
            metric_type=figure,
            metric_value=round(float(value), 6),
        )
        for key, own in tables.items()
        for figure, value in own["tuned"].dropna().items()
    ]
    codes = [language] if isinstance(language, str) else language
    return hub.ModelCardData(
        model_name=one_line(name),
        language=[one_line(code) for code in codes],
        license=one_line(license),
        library_name="usetune",
        tags=[one_line(tag) for tag in tags],
        base_model=base if HUB_ID.fullmatch(base) else None,
        pipeline_tag="sentence-similarity",
        metrics=list(dict.fromkeys(own.metric_type for own in results)) or None,
        eval_results=results or None,
    ).to_yaml()


def _figures(name: str, scores: Scores) -> pd.DataFrame:
    figures = scores
    if not isinstance(scores, pd.DataFrame):
        columns = ["base", "tuned"]
        figures = pd.DataFrame.from_dict(dict(scores), orient="index", columns=columns)
    if not {"base", "tuned"} <= {*figures.columns}:
        raise ValueError(
            f"scores[{name!r}] must have the columns base and tuned. "
            f"Received: {list(figures.columns)}"
        )
    return figures.rename(index=one_line)


def _usage(encoder: Encoder, load: str, data: Sequence[DataRecord]) -> Iterator[str]:
    inner, extras, cut = _innermost(encoder), [], ""
    if isinstance(inner, TransformerEncoder):
        extras, cut = ["bert"], f" Of a text it reads {inner.max_length} tokens."
    extras += ["share"] if load.startswith(HUB) else []
    package = f"usetune[{','.join(extras)}]" if extras else "usetune"
    yield f'It needs the Python package usetune: `pip install "{package}"`.{cut}'
    rows = [row for part in data for row in part.sample]
    known = [one_line(row[column]) for row in rows for column in text_columns(row)]
    texts = list(dict.fromkeys(known))[:3] or _EXAMPLES
    embeddings = encoder.encode(texts)
    # Adding zero turns -0.00 into 0.00.
    cosines = (embeddings @ embeddings.T).round(2) + 0.0
    lines = [
        "```python",
        "from usetune import load_encoder",
        "",
        f"encoder = load_encoder({load!r})",
        "texts = [",
        *(f"    {text!r}," for text in texts),
        "]",
        "embeddings = encoder.encode(texts)",
        f"print(embeddings.shape)  # {embeddings.shape}",
        "print((embeddings @ embeddings.T).round(2))",
        *(f"# {line}" for line in str(cosines).splitlines()),
        "```",
    ]
    yield "\n".join(lines)


def _evaluation(name: str, figures: pd.DataFrame) -> str:
    has_interval = {"low", "high"} <= {*figures.columns}
    head = ["figure", "base", "tuned", "difference"]
    head += ["95 % interval of the difference"] if has_interval else []
    head += ["n"] if "n" in figures else []
    rows = []
    for figure, own in figures.iterrows():
        row = [figure, number(own["base"]), number(own["tuned"])]
        row.append(number(own["tuned"] - own["base"], "+.4f"))
        if has_interval:
            ends = (number(own[end], "+.4f") for end in ("low", "high"))
            row.append(" to ".join(ends))
        if "n" in figures:
            row.append(number(own["n"], ",.0f"))
        rows.append(row)
    return f"### {escape(name)}\n\n{table(head, rows)}"


def _innermost(encoder: Encoder) -> Encoder:
    while isinstance(encoder, ProjectedEncoder):
        encoder = encoder.encoder
    return encoder


# Characters of a sample's cell.
_LONGEST_CELL = 200


def training_sections(record: TrainingRecord, history: pd.DataFrame) -> Iterator[str]:
    """Data, settings, log and environment of a training.

    Args:
        record: of a `usetune.training.FineTuned`, of one training or of an average.
        history: likewise; rows of kept epochs are bold.

    Yields:
        Markdown, block by block.
    """
    runs = record.runs
    yield "## Training"
    seeds = ", ".join(str(run.seed) for run in runs)
    if len(runs) > 1:
        yield (
            f"The average of {len(runs)} encoders, weight by weight, that were "
            f"trained from the same start, on the same data, with the seeds {seeds}."
        )
    for part in record.data:
        yield f"### Data: {escape(part.name)}" if part.name else "### Data"
        yield (
            f"{part.rows:,} {part.format}, and {part.validation_rows:,} to validate on."
        )
        columns = [
            [column, own.of, f"{own.min:g}", f"{own.mean:g}", f"{own.max:g}"]
            for column, own in part.columns.items()
        ]
        yield table(["column", "of", "min", "mean", "max"], columns)
        yield "The first rows:"
        sample = [[_cut(cell) for cell in row.values()] for row in part.sample]
        yield table([*part.columns], sample)
        yield (
            f"Loss: {escape(_in_words(part.loss))}. Batches of "
            f"{part.batch_size}, {escape(part.batch_sampler)}."
        )
    yield "### Settings"
    settings = record.settings | {"seed": seeds, "optimizer": record.optimizer}
    known = [
        [key, _in_words(own)] for key, own in settings.items() if own not in (None, {})
    ]
    yield table(["setting", "value"], known)
    yield "### Log"
    yield from _log(runs, history)
    yield "### Environment"
    hardware = record.hardware
    devices = [*hardware["gpus"], f"{hardware['cpus']} CPUs ({hardware['machine']})"]
    versions = [f"{package} {own}" for package, own in record.versions.items()]
    took = ", ".join(
        f"{run.seconds:,} seconds"
        + (f" from epoch {run.resumed + 1} on" if run.resumed else "")
        for run in runs
    )
    yield (
        f"{escape(', '.join(devices))}. {escape(', '.join(versions))}. Training "
        f"took {took}."
    )


def _log(runs: Sequence[RunRecord], history: pd.DataFrame) -> Iterator[str]:
    if len(runs) > 1:
        rows = [
            [place, run.seed, run.epochs, f"{run.steps:,}", run.kept_epoch]
            for place, run in enumerate(runs)
        ]
        yield table(["member", "seed", "epochs", "steps", "kept epoch"], rows)
        yield (
            "Epoch 0 is before training; what was averaged are the weights of each "
            "member's kept epoch."
        )
    else:
        yield (
            f"{runs[0].epochs} epochs, {runs[0].steps:,} steps. Epoch 0 is before "
            f"training; the encoder has the weights of epoch {runs[0].kept_epoch}."
        )
    kept = [
        (place, run.kept_epoch) if history.index.nlevels > 1 else run.kept_epoch
        for place, run in enumerate(runs)
    ]
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
