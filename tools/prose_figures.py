"""Where each figure in the prose of the notebooks comes from.

Prints a row for each figure: the notebook, the cell, the sentence, and the output in
which the figure stands, rounded or as a percentage. Figures are numbers with a decimal
point, percentages, millions and numbers of three digits or more; formulas, code and
links do not count. Fails if a figure has no source, or if it would be untrue on other
data and its paragraph does not name the data.
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
_BREAK = re.compile(r"\n\n|\n(?:-|\d\.) ")
# How a paragraph says which data or run its figures are of.
_DATA = re.compile(r"stored run|ESCO|article's|benchmark|example")
# What reads data for which others may stand in.
_READS = re.compile(
    r"load_occupations\(\)|load_article_pairs\(|sts_benchmark\(|STSEvaluator\("
)
# Outputs of cells with this mark are compared in CI, on what stands in.
_COMPARED, _SAME = "# NBVAL_CHECK_OUTPUT", ", the same on any data"
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
        paragraph: the paragraph, or the item of a list.
    """

    value: float
    decimals: int
    unit: str
    sentence: str
    paragraph: str

    def is_untrue_elsewhere(self, source: str | None) -> bool:
        """Whether other data than the stored may give another figure, unsaid.

        Only measured figures are asked: percentages, and those of three decimals.
        """
        varies = source and "output" in source and not source.endswith(_SAME)
        measured = self.decimals >= 3 or self.unit == "%"
        return bool(varies and measured and not _DATA.search(self.paragraph))

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
            before, after = prose[: found.start()], prose[found.end() :]
            paragraph = _BREAK.split(before)[-1] + found[0] + _BREAK.split(after)[0]
            yield Figure(value, len(fraction), unit, sentence, paragraph)


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
    code = {
        n: "".join(cell["source"])
        for n, cell in enumerate(cells)
        if cell["cell_type"] == "code"
    }
    reads = any(map(_READS.search, code.values()))
    same = {n: _COMPARED in text or not reads for n, text in code.items()}
    in_outputs = {
        f"output {n}{_SAME * same[n]}": numbers(outputs(cells[n]))
        for n in sorted(code, key=lambda n: not same[n])
    }
    return in_outputs | {f"code {n}": numbers(text) for n, text in code.items()}


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
    faults = 0
    for name, cell, figure, source in rows():
        untrue = figure.is_untrue_elsewhere(source)
        faults += untrue or source is None
        where = f"{source}, OF WHICH DATA?" if untrue else source or "NO SOURCE"
        print(f"{name}\t{cell}\t{where}\t{figure.sentence}")
    sys.exit(f"{faults} figures have no source, or no data" if faults else None)


if __name__ == "__main__":
    main()
