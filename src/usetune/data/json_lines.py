"""A line of JSON Lines: an object in UTF-8, or why it is none."""

import json
from typing import Any


def parse_object(line: bytes) -> dict[str, Any]:
    """Read a line of a JSON Lines file.

    Args:
        line: its bytes; a byte order mark is skipped.

    Returns:
        The object. Its texts hold no lone surrogates, which no file in UTF-8 can hold.

    Raises:
        ValueError: saying what is wrong, to follow the name of the file and the row.
    """
    try:
        row = json.loads(line.decode("utf-8-sig"))
        if b"\\u" in line:
            # Escapes can spell lone surrogates.
            json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError(f"is not JSON in UTF-8: {error}") from error
    if not isinstance(row, dict):
        raise ValueError(f"must be a JSON object. Received: {row!r:.80}")
    return row
