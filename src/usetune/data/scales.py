"""Scores on another scale than the angular similarity's, and how to convert them."""

import pandas as pd

from usetune._utils.warn import warn

# Of real pairs, hardly any are below this: no score of the article, and at most 0.2 %
# of an encoder's similarities, of ESCO's titles with descriptions of other occupations.
# Of the STS benchmark's scores, divided by 5, it is 46 %.
_UNUSUAL = 0.45
_UNUSUAL_SHARE = 0.01
# The highest scores of scales that people use.
_HIGHEST = (5, 10, 100)
# What the names in a conversion are, for whoever has a file.
_FILE = (
    ", after import pandas, usetune; table = pandas.read_csv(your file), and with your "
    "file's name of the column; table.to_csv(a new file, index=False) keeps it"
)


def warn_of_scale(scores: pd.Series, source: str) -> None:
    """Warn if many similarities are those of opposite vectors.

    Args:
        scores: float64, in [0, 1].
        source: what the warning calls the table.
    """
    unusual = scores < _UNUSUAL
    if unusual.mean() > _UNUSUAL_SHARE:
        warn(
            f"{source}: {unusual.sum()} of {len(scores)} similarities are below "
            f"{_UNUSUAL}, the lowest {scores.min():g}. On the angular scale, 1 is the "
            "same meaning, 0.5 unrelated and 0 opposite, and texts are hardly ever "
            "opposite: this training would turn unrelated texts away from each other. "
            f"If 0 stands for unrelated, convert them: {_conversion('pairs')}"
        )


def scale_hint(scores: pd.Series) -> str:
    """Name the scale of scores that are not in [0, 1], and how to convert it.

    Args:
        scores: float64, with NaN for what is no number.

    Returns:
        A clause for an error, or "" if the scores look like no known scale.
    """
    low, high = scores.min(), scores.max()
    found = f"; these go from {low:g} to {high:g}"
    if -1 <= low < 0 and high <= 1:
        return f"{found}, as cosines do: {_conversion('table')} converts them{_FILE}"
    highest = next((top for top in _HIGHEST if 1 < high <= top), None)
    # One wrong score makes no scale, and of many scores most may be low.
    above = scores > 1
    if highest is None or low < 0 or above.sum() < 2 or above.mean() < 0.2:
        return ""
    conversion = _conversion("table", f" / {highest}")
    return f"{found}: {conversion} converts a scale from 0 to {highest}{_FILE}"


def _conversion(table: str, division: str = "") -> str:
    column = f"{table}['similarity']"
    return f"{column} = usetune.angular_similarity({column}{division})"
