"""Texts as bytes, checked."""

from collections.abc import Sequence


def utf8(texts: Sequence[str]) -> list[bytes]:
    """Check that texts are ``str`` and encode them.

    Args:
        texts: any sequence of ``str``; lone surrogates become U+FFFD.

    Returns:
        One ``bytes`` for each text.

    Raises:
        TypeError: naming the position of what is not a ``str``.
    """
    if isinstance(texts, (str, bytes)):
        raise TypeError(
            f"texts must be a sequence of str, such as [text]. Received: {texts!r:.80}"
        )
    return [_utf8_text(text, position) for position, text in enumerate(texts)]


def _utf8_text(text: str, position: int) -> bytes:
    if not isinstance(text, str):
        raise TypeError(
            f"texts[{position}] must be a str. "
            f"Received: {text!r:.80} of type {type(text).__name__}"
        )
    try:
        return text.encode()
    except UnicodeEncodeError:
        # UTF-16 joins pairs of surrogates and replaces those that are alone.
        return (
            text.encode("utf-16", "surrogatepass").decode("utf-16", "replace").encode()
        )
