"""Texts as bytes, checked; and what counts as a container of texts."""

from collections.abc import Iterable, Mapping
from typing import Any


def utf8(texts: Iterable[str]) -> list[bytes]:
    """Check that texts are ``str`` and encode them.

    Args:
        texts: a sequence, a NumPy array, a column of pandas or pyarrow, or an iterator;
            lone surrogates become U+FFFD.

    Returns:
        One ``bytes`` for each text.

    Raises:
        TypeError: naming the position of what is not a ``str``; or saying what to write
            instead of one text, a table, a mapping, a set or a tensor.
    """
    instead = _instead(texts)
    if instead is not None:
        received = f"{texts!r:.80}" if isinstance(texts, (str, bytes)) else "one"
        raise TypeError(
            f"texts must be a sequence of str. Write {instead}. "
            f"Received: {received} of type {type(texts).__name__}"
        )
    # pyarrow's own elements are no str.
    elements = texts.to_pylist() if hasattr(texts, "to_pylist") else texts
    return [_utf8_text(text, position) for position, text in enumerate(elements)]


def checked_texts(texts: Iterable[str], source: str) -> list[str]:
    """The texts of any sequence that `utf8` takes.

    Raises:
        TypeError: as `utf8`, naming ``source``.
    """
    try:
        return [text.decode() for text in utf8(texts)]
    except TypeError as error:
        raise TypeError(f"{source}: {error}") from None


def _instead(texts: Any) -> str | None:
    """What to write instead of a value whose elements are not texts in an order."""
    names = getattr(texts, "column_names", getattr(texts, "columns", None))
    if isinstance(texts, str):
        return "[texts]"
    if isinstance(texts, (bytes, bytearray, memoryview)):
        return "[bytes(texts).decode()]"
    if isinstance(texts, Mapping):
        return "list(texts.values()), or list(texts) for its keys"
    if isinstance(texts, (set, frozenset)):
        return "sorted(texts), as a set has no order"
    if names is not None:
        return f"one column: texts[name], with a name of {list(names)[:10]}"
    if hasattr(texts, "element_spec"):
        return "[text.decode() for text in texts.as_numpy_iterator()]"
    if hasattr(texts, "numpy"):
        return "[text.decode() for text in texts.numpy()]"
    if getattr(texts, "ndim", 1) != 1:
        return "texts.ravel(), as it has not one axis"
    return None if isinstance(texts, Iterable) else "a list"


def _utf8_text(text: str, position: int) -> bytes:
    if not isinstance(text, str):
        hint = "; write text.decode()" if isinstance(text, bytes) else ""
        raise TypeError(
            f"texts[{position}] must be a str. "
            f"Received: {text!r:.80} of type {type(text).__name__}{hint}"
        )
    try:
        return text.encode()
    except UnicodeEncodeError:
        # UTF-16 joins pairs of surrogates and replaces those that are alone.
        return (
            text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        )
