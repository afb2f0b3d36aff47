"""What a command found, as text for people or as JSON."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

_INTERVAL = "low to high: 95 % interval"
_DIFFERENCE = f"{_INTERVAL} of the difference; one that holds 0 may be chance"


def as_text(report: Mapping[str, Any]) -> str:
    """A line for each value that is not None, and a paragraph for each table.

    Args:
        report: names → numbers, texts, tables or None.
    """
    lines: list[str] = []
    blocks: list[str] = []
    for name, value in report.items():
        title = name.replace("_", " ")
        if isinstance(value, pd.DataFrame):
            if "low" in value:
                note = _DIFFERENCE if "difference" in value else _INTERVAL
                title = f"{title} ({note})"
            blocks.append(f"{title}\n{value.round(4).to_string()}")
        elif value is not None:
            shown = f"{value:g}" if isinstance(value, float) else value
            lines.append(f"{title:12} {shown}")
    return "\n\n".join(["\n".join(lines), *blocks])


def as_json(report: Mapping[str, Any]) -> str:
    """One JSON object; tables have an object for each row, by its name."""
    return json.dumps(_plain(report), ensure_ascii=False, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, pd.DataFrame):
        value = value.to_dict("index")
    if isinstance(value, Mapping):
        return {str(name): _plain(inner) for name, inner in value.items()}
    # JSON has no word for what is not finite.
    return None if isinstance(value, float) and not math.isfinite(value) else value
