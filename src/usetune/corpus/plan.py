"""Which rows of which files make a part of a corpus.

All texts are read once before any work, so that a damaged file is found early. Files
are cut where they lie.
"""

from collections.abc import Sequence

from tqdm import tqdm

from usetune.corpus.formats import reader_of
from usetune.corpus.job import Part

# Seconds of work before a progress bar is shown.
_DELAY = 3.0


def cut(
    files: Sequence[str], column: str, rows_per_part: int
) -> tuple[dict[str, str], list[Part]]:
    """Cut files into parts, after a look at all of them.

    Args:
        files: absolute paths, all of one format.
        column: holds the texts.
        rows_per_part: at most so many rows in a part.

    Returns:
        The types of the columns, by name; and the parts.

    Raises:
        ValueError: naming a file that has no rows, is damaged, lacks the column, has a
            column "embedding", columns other than the first file, or no texts in
            the column.
    """
    reader = reader_of(files[0])(column)
    types = reader.columns(files)
    parts: list[Part] = []
    with tqdm(desc="rows found", unit="row", unit_scale=True, delay=_DELAY) as bar:
        for path in files:
            before = len(parts)
            for found in reader.ranges(path, rows_per_part):
                parts.append(Part(len(parts), path, *found))
                bar.update(parts[-1].rows)
            if len(parts) == before:
                raise ValueError(f"{path} is empty: it has no rows")
    return types, parts
