"""A card for an encoder, in the format of the Hugging Face Hub; no network is used."""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from typing import Any, TypeAlias

import pandas as pd

from usetune._utils.extras import require
from usetune._utils.markdown import escape, number, one_line, table
from usetune.data.formats import text_columns
from usetune.encoders.base import Encoder, ProjectedEncoder
from usetune.encoders.bert.model import TransformerEncoder
from usetune.encoders.hubs import HUB, HUB_ID
from usetune.sharing.citations import bibtex
from usetune.training.fine_tuning import FineTuned

Scores: TypeAlias = pd.DataFrame | Mapping[str, tuple[float, float]]

_EXAMPLES = ["one text", "another text"]


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

    It shows the first rows of the training data.

    Args:
        result: what `fine_tune` or `fine_tune_soup` returned. For an encoder that was
            made from theirs, by `interpolate` say, give
            ``dataclasses.replace(result, encoder=made)``, and say in ``description``
            how it was made. The card of an `Encoder` alone has no training.
        name: the encoder's name.
        base: name of the encoder that it was tuned from. A name on the Hub,
            ``owner/model``, is put into the header too, as ``base_model``.
        scores: name of a data set → the metrics of the base and the tuned encoder:
            either a dict name → (base, tuned), or a DataFrame indexed by name with the
            columns base and tuned, and perhaps low and high (the 95 % interval of the
            difference) and n, as `Scores.compare` returns.
        license: the Hub's name of the license, "apache-2.0" say.
        language: ISO 639 codes, "en" say.
        limits: Markdown: what the encoder should not be used for, and what was not
            measured.
        load: what `load_encoder` takes on the reader's machine, "hf://owner/model" say.
        description: Markdown: what the encoder is for, and how it was made.
        citation: BibTeX of your own work, put before that of the encoder and loss.

    Returns:
        Markdown with a YAML header, for README.md.

    Raises:
        ValueError: if a text is empty that must not be, or ``scores`` lacks a column.
        ImportError: if the extra ``usetune[share]`` is not installed.
    """
    given = {"name": name, "base": base, "license": license, "limits": limits}
    for argument, text in (given | {"load": load}).items():
        if not text.strip():
            raise ValueError(f"{argument} must not be empty. Received: {text!r}")
    tables = {one_line(key): _metrics(key, own) for key, own in scores.items()}
    encoder: Encoder = result.encoder if isinstance(result, FineTuned) else result
    training = _training(result) if isinstance(result, FineTuned) else {}
    innermost = _innermost(encoder)
    is_bert = isinstance(innermost, TransformerEncoder)
    extras = ["bert"] * is_bert + ["share"] * load.startswith(HUB)
    losses = training.get("losses", [])
    papers = bibtex([type(innermost).__name__, *losses])
    tags = [f"dataset_size:{training['rows']}"] if training else []
    tags += [f"loss:{loss}" for loss in losses]
    hub = require("huggingface_hub", "share", "a model card")
    require("jinja2", "share", "a model card")
    card = hub.ModelCard.from_template(
        _header(name, base, license, language, tags, tables),
        template_str=resources.files("usetune.sharing")
        .joinpath("card_template.md")
        .read_text("utf-8"),
        name=name,
        base=base,
        dim=encoder.dim,
        description=description.strip(),
        package=f"usetune[{','.join(extras)}]" if extras else "usetune",
        max_length=innermost.max_length if is_bert else None,
        load=repr(load),
        example=_example(encoder, training.get("texts") or _EXAMPLES),
        evaluation=tables,
        limits=limits.strip(),
        training=training,
        citations="\n".join(filter(None, [citation.strip(), papers])),
        # The template escapes what is not Markdown.
        escape=escape,
        number=number,
        in_words=_in_words,
    )
    return f"{card}\n"


def _header(
    name: str,
    base: str,
    license: str,
    language: str | Sequence[str],
    tags: Sequence[str],
    tables: Mapping[str, pd.DataFrame],
) -> Any:
    hub = require("huggingface_hub", "share", "a model card")
    results = [
        hub.EvalResult(
            task_type="sentence-similarity",
            # The type tells data sets apart: those of one type become one.
            dataset_type=data_set,
            dataset_name=data_set,
            metric_type=metric,
            metric_value=round(float(value), 6),
        )
        for data_set, own in tables.items()
        for metric, value in own["tuned"].dropna().items()
    ]
    codes = [language] if isinstance(language, str) else language
    return hub.ModelCardData(
        model_name=one_line(name),
        language=[one_line(code) for code in codes],
        license=one_line(license),
        library_name="usetune",
        tags=["sentence-similarity", "feature-extraction", *map(one_line, tags)],
        base_model=base if HUB_ID.fullmatch(base) else None,
        pipeline_tag="sentence-similarity",
        metrics=list(dict.fromkeys(own.metric_type for own in results)) or None,
        eval_results=results or None,
    )


def _metrics(name: str, scores: Scores) -> pd.DataFrame:
    if isinstance(scores, Mapping):
        columns = ["base", "tuned"]
        metrics = pd.DataFrame.from_dict(dict(scores), orient="index", columns=columns)
    else:
        metrics = scores
    if not {"base", "tuned"} <= {*metrics.columns}:
        raise ValueError(
            f"scores[{name!r}] must have the columns base and tuned. "
            f"Received: {list(metrics.columns)}"
        )
    return metrics.rename(index=one_line)


def _training(result: FineTuned) -> dict[str, Any]:
    """What the template shows of a training, beside its record."""
    record, history = result.record, result.history
    samples = [row for data in record.data for row in data.sample]
    losses = [name for data in record.data for name in _classes(data.loss)]
    kept = [
        (place, run.kept_epoch) if history.index.nlevels > 1 else run.kept_epoch
        for place, run in enumerate(record.runs)
    ]
    keys = history.index.to_frame().to_numpy().tolist()
    log = [
        [*key, *(number(value, ".4g") for value in row)]
        for key, row in zip(keys, history.to_numpy(), strict=True)
    ]
    return {
        "record": record,
        "rows": sum(data.rows for data in record.data),
        "losses": list(dict.fromkeys(losses)),
        "texts": [row[column] for row in samples for column in text_columns(row)],
        "log": table(
            [*history.index.names, *history.columns],
            log,
            bold=[history.index.get_loc(key) for key in kept],
        ),
    }


def _example(encoder: Encoder, texts: Sequence[str]) -> dict[str, Any]:
    """What a snippet of code shows: texts, the shape of their embeddings, cosines."""
    texts = list(dict.fromkeys(map(one_line, texts)))[:3]
    embeddings = encoder.encode(texts)
    # Adding zero turns -0.00 into 0.00.
    cosines = (embeddings @ embeddings.T).round(2) + 0.0
    return {
        "texts": [repr(text) for text in texts],
        "shape": embeddings.shape,
        "cosines": str(cosines).splitlines(),
    }


def _innermost(encoder: Encoder) -> Encoder:
    while isinstance(encoder, ProjectedEncoder):
        encoder = encoder.encoder
    return encoder


def _classes(described: Any) -> Iterator[str]:
    """The class that a record describes, and those within it."""
    if isinstance(described, Mapping):
        if "class" in described:
            yield described["class"]
        for value in described.values():
            yield from _classes(value)


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
