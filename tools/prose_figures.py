"""Where each figure in the prose of the notebooks comes from.

Prints a row for each figure: the notebook, the cell, the sentence, and the output in
which the figure stands, rounded or as a percentage. Figures are numbers with a decimal
point, percentages, millions and numbers of three digits or more; formulas, code and
links do not count. Fails if a figure has no source.
"""

import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
_NUMBER = r"\d+(?:,\d{3})*(?:\.\d+)?"
_FIGURE = re.compile(
    rf"(?<!TensorFlow )(?<![\w.,:/-])({_NUMBER})( ?%| million)?(?![\w-]|\.\d|,\d)"
)
# Numbers in an output may be shares where the prose has percentages, and so on.
_SCALES = {"": (1,), "%": (1, 100), "million": (1, 1e-6)}
_NO_PROSE = re.compile(
    r"```.*?```|`[^`]*`|\$\$.*?\$\$|\$[^$\n]+\$|\]\([^)]*\)|<[^>]*>|https?://\S+", re.S
)
_YEARS = range(1900, 2100)
# What the article published.
_ARTICLE = "data/article_figures.json"
# Notebook → figure → where it comes from, if no output has it: codes, sums, pictures.
_FACTS = ROOT / "tools" / "prose_facts.json"


@dataclass(frozen=True)
class Figure:
    """A number in a sentence.

    Attributes:
        value: the number.
        decimals: how many digits are after its point.
        unit: "", "%" or "million".
        sentence: what is around it.
    """

    value: float
    decimals: int
    unit: str
    sentence: str

    def is_in(self, numbers: set[float]) -> bool:
        """Whether a number gives this figure when it is rounded."""
        return any(
            round(scale * number, self.decimals) == self.value
            for number in numbers
            for scale in _SCALES[self.unit]
        )


def figures(prose: str) -> Iterator[Figure]:
    """The figures in the text of a cell."""
    prose = _NO_PROSE.sub(lambda found: " " * len(found[0]), prose)
    for found in _FIGURE.finditer(prose):
        digits = found[1].replace(",", "")
        value, _, fraction = float(digits), *digits.partition(".")[1:]
        is_year = value in _YEARS and "," not in found[1]
        if found[2] or fraction or (value >= 100 and not is_year):
            start, end = max(0, found.start() - 40), found.end() + 20
            sentence = " ".join(prose[start:end].split())
            unit = (found[2] or "").strip()
            yield Figure(value, len(fraction), unit, sentence)


def numbers(text: str) -> set[float]:
    """The numbers in an output or in code, without their signs."""
    text = re.sub(r"\x1b\[[\d;]*m", "", text).replace("_", "")
    return {
        float(found.replace(",", ""))
        for found in re.findall(rf"{_NUMBER}(?:e-?\d+)?", text)
    }


def outputs(cell: dict[str, Any]) -> str:
    """What a code cell printed."""
    texts = []
    for output in cell.get("outputs", []):
        texts += output.get("text", []), output.get("data", {}).get("text/plain", [])
    return "\n".join("".join(text) for text in texts)


def sources(path: Path) -> dict[str, set[float]]:
    """Numbers by where they stand: in outputs, then in code, of this notebook."""
    cells = json.loads(path.read_text())["cells"]
    code = [(n, cell) for n, cell in enumerate(cells) if cell["cell_type"] == "code"]
    return {f"output {n}": numbers(outputs(cell)) for n, cell in code} | {
        f"code {n}": numbers("".join(cell["source"])) for n, cell in code
    }


def rows() -> Iterator[tuple[str, int, Figure, str | None]]:
    """Notebook, number of the cell, figure, and source or None, for each figure."""
    paths = sorted((ROOT / "notebooks").rglob("*.ipynb"))
    own = {path: sources(path) for path in paths}
    article = {_ARTICLE: numbers((ROOT / _ARTICLE).read_text())}
    facts = json.loads(_FACTS.read_text())
    for path in paths:
        for n, cell in enumerate(json.loads(path.read_text())["cells"]):
            if cell["cell_type"] != "markdown":
                continue
            prose = "".join(cell["source"])
            named = {
                f"{number}: {why}": numbers(number)
                for number, why in facts.get(path.stem, {}).items()
            }
            # Other notebooks are asked where the cell names them.
            others = {
                f"{other.stem}, {name}": found
                for number in re.findall(r"otebooks? (\d+)", prose)
                for other in paths
                if other.stem.startswith(f"{int(number):02}_") and other != path
                for name, found in own[other].items()
                if name.startswith("output")
            }
            where = named | own[path] | others | article
            for figure in figures(prose):
                fitting = (k for k, found in where.items() if figure.is_in(found))
                yield path.stem, n, figure, next(fitting, None)


def main() -> None:
    """Print the table."""
    missing = 0
    for name, cell, figure, source in rows():
        missing += source is None
        print(f"{name}\t{cell}\t{source or 'NO SOURCE'}\t{figure.sentence}")
    sys.exit(f"{missing} figures have no source" if missing else None)


if __name__ == "__main__":
    main()
