"""JSON objects, read strictly."""

import json
from typing import Any


def parse_object(content: bytes) -> dict[str, Any]:
    """Read a JSON object.

    Args:
        content: its bytes, UTF-8.

    Returns:
        The object. No key comes twice in it, and its texts hold no lone surrogates,
        which no file in UTF-8 can hold.

    Raises:
        ValueError: saying what is wrong, to follow the name of the file.
    """
    try:
        value = json.loads(content.decode(), object_pairs_hook=_distinct)
        if b"\\u" in content:
            # Escapes can spell lone surrogates.
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON in UTF-8: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"must be a JSON object. Received: {value!r:.80}")
    return value


def _distinct(items: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(items)
    if len(value) < len(items):
        names = [name for name, _ in items]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"the keys {twice} come twice")
    return value
