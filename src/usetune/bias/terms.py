"""Terms for tests of bias: lists of them, sentences with them, their embeddings."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from usetune._utils.text import checked_texts
from usetune.data import sources
from usetune.evaluation.inputs import embed
from usetune.protocols import TextEncoder
from usetune.similarity import unit_length

# What a term is encoded as where no templates are given: the term alone.
TERM_ALONE = ("{}",)


def load_bias_terms() -> dict[str, Any]:
    """Read the term lists that come with the project.

    Returns:
        ``limits``: a text, what the lists are not; read it first. ``lists``: name →
        terms; those of ``female`` and ``male`` are pairs, row by row. ``templates``:
        name → sentences with ``{}``, ``people`` for nouns such as a job title,
        ``things`` for the other terms and for given names.
    """
    return json.loads(sources.shipped("bias_terms.json").read_text("utf-8"))


def embed_terms(
    encoder: TextEncoder,
    lists: Mapping[str, Sequence[str]],
    templates: Sequence[str] = TERM_ALONE,
) -> list[np.ndarray]:
    """Fill templates with terms, and embed them.

    Args:
        encoder: anything with ``encode(texts) → (n, dim)``.
        lists: name → terms; errors call a list by its name.
        templates: sentences with one ``{}`` each.

    Returns:
        For each list a float64 array (terms, templates, dim) of unit length.

    Raises:
        TypeError: if a list is a single string or holds something else than ``str``.
        ValueError: if a list is empty, a term is there twice, in one list or in two,
            a template has not one ``{}``, or an embedding is zero or not finite.
    """
    lists = {name: checked_texts(own, name) for name, own in lists.items()}
    templates = checked_texts(templates, "templates")
    _check_terms({**lists, "templates": templates})
    odd = [template for template in templates if template.count("{}") != 1]
    if odd:
        raise ValueError(f"templates must have one {{}} each. Received: {odd[:3]}")
    terms = [term for own in lists.values() for term in own]
    sentences = [text.replace("{}", term) for term in terms for text in templates]
    embeddings = embed(encoder, sentences).astype(np.float64)
    zero = np.flatnonzero(~embeddings.any(axis=1))
    if zero.size:
        raise ValueError(
            "encoder must give embeddings that are not zero. "
            f"Received: zero for {sentences[zero[0]]!r}"
        )
    embeddings = unit_length(embeddings).reshape(len(terms), len(templates), -1)
    ends = np.cumsum([len(own) for own in lists.values()])
    return np.split(embeddings, ends[:-1])


def _check_terms(lists: Mapping[str, Sequence[str]]) -> None:
    seen: dict[str, str] = {}
    for name, terms in lists.items():
        if not terms:
            raise ValueError(f"{name} must have at least one text. Received: {terms!r}")
        for term in terms:
            if term in seen:
                raise ValueError(
                    "a term may be there once, in one list. Received: "
                    f"{term!r} in {seen[term]} and in {name}"
                )
            seen[term] = name
