"""A line of JSON Lines: an object in UTF-8, or why it is none."""

import json
from typing import Any


def parse_object(line: bytes) -> dict[str, Any]:
    """Read a line of a JSON Lines file.

    Args:
        line: its bytes.

    Returns:
        The object. No key comes twice in it, and its texts hold no lone surrogates,
        which no file in UTF-8 can hold.

    Raises:
        ValueError: saying what is wrong, to follow the name of the file and the line.
    """
    try:
        row = json.loads(line.decode(), object_pairs_hook=_distinct)
        if b"\\u" in line:
            # Escapes can spell lone surrogates.
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON in UTF-8: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"must be a JSON object. Received: {row!r:.80}")
    return row


def _distinct(items: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(items)
    if len(row) < len(items):
        names = [name for name, _ in items]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise ValueError(f"the keys {twice} come twice")
    return row
