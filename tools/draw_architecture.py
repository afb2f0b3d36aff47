"""Draw docs/architecture.svg: the packages, their floors, and who imports whom.

The floors are those of the import contract in pyproject.toml, the arrows the imports in
src/. Run it after a change of either: ``python tools/draw_architecture.py``.
"""

import ast
import re
import tomllib
from collections.abc import Sequence
from itertools import permutations, product
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "usetune"
DRAWING = ROOT / "docs" / "architecture.svg"
WIDTH, BOX, HEIGHT, STEP = 880, 132, 46, 112
COLOURS = ["#1b6ca8", "#b5482a", "#3c7d3e", "#7a4fa3"]
COLOURS += ["#a67c00", "#00797a", "#8a3d62", "#5a5a1e", "#4d5b6a"]
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
font-family="sans-serif" font-size="15">
<title>Packages of usetune by floor, and their imports</title>
<rect width="{width}" height="{height}" fill="#fff"/>
"""


def floors() -> list[list[str]]:
    """Packages by floor, the upper floors first."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
    layers = settings["tool"]["importlinter"]["contracts"][0]["layers"]
    return [re.findall(r"\w+", layer) for layer in layers]


def imports() -> set[tuple[str, str]]:
    """Pairs of packages, the first of which imports the second."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        importer = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom):
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            else:
                continue
            parts = [name.split(".") for name in names]
            found |= {(importer, p[1]) for p in parts if p[0] == "usetune" and p[1:]}
    return {(a, b) for a, b in found if a not in (b, "__main__")}


def places(rows: Sequence[Sequence[str]]) -> dict[str, tuple[float, float]]:
    """The middle of each box."""
    return {
        name: (WIDTH * (column + 0.5) / len(row), STEP * number + 60)
        for number, row in enumerate(rows)
        for column, name in enumerate(row)
        if name
    }


def curve(start: tuple[float, float], end: tuple[float, float]) -> list[tuple]:
    """The four points of an arrow from below one box to above another."""
    top, bottom = start[1] + HEIGHT / 2, end[1] - HEIGHT / 2 - 7
    bend = 40
    x, to = start[0], end[0]
    return [(x, top), (x, top + bend), (to, bottom - bend), (to, bottom)]


def badness(arrows: list[tuple[str, str]], at: dict[str, tuple[float, float]]) -> float:
    """Boxes that arrows run behind; among equals, the length of the arrows."""
    cost = 0.0
    for a, b in arrows:
        points = curve(at[a], at[b])
        cost += abs(at[a][0] - at[b][0]) / WIDTH / 100
        behind = set()
        for t in (step / 12 for step in range(1, 12)):
            weights = [(1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3]
            x, y = (
                sum(w * point[axis] for w, point in zip(weights, points, strict=True))
                for axis in (0, 1)
            )
            behind |= {
                name
                for name, (middle, height) in at.items()
                if abs(x - middle) < BOX / 2 + 6 and abs(y - height) < HEIGHT / 2 + 2
            }
        cost += len(behind - {a, b})
    return cost


def draw() -> str:
    """The drawing as SVG."""
    *rows, ground = floors()
    arrows = sorted((a, b) for a, b in imports() if b not in ground)
    # An empty place next to a package that has its floor to itself lets arrows pass.
    top, *rest = rows
    rows = [top, *(row if len(row) > 1 else [*row, "", "", "", ""] for row in rest)]
    orders = product(*(sorted(set(permutations(row))) for row in rows))
    at = min((places(order) for order in orders), key=lambda at: badness(arrows, at))
    bottom = STEP * len(rows) + 60
    lines = [HEAD.format(width=WIDTH, height=bottom + 50)]
    colours = dict(zip(sorted({a for a, _ in arrows}), COLOURS, strict=False))
    for a, b in arrows:
        (x, top), *bends, (to, end) = curve(at[a], at[b])
        (_, down), (_, up) = bends
        lines.append(
            f'<path d="M{x:.0f} {top:.0f} C{x:.0f} {down:.0f} {to:.0f} {up:.0f} '
            f'{to:.0f} {end:.0f}" fill="none" stroke="{colours[a]}" '
            f'stroke-width="1.6"/>\n<path d="M{to - 4:.0f} {end:.0f}h8l-4 7z" '
            f'fill="{colours[a]}"/>\n'
        )
    for name, (x, y) in at.items():
        lines.append(_box(name, x, y, BOX, colours.get(name, "#555")))
    lines.append(_box(" · ".join(ground), WIDTH / 2, bottom, WIDTH - 40, "#555"))
    return "".join(lines) + "</svg>\n"


def _box(text: str, x: float, y: float, width: float, colour: str) -> str:
    return (
        f'<rect x="{x - width / 2:.0f}" y="{y - HEIGHT / 2:.0f}" width="{width:.0f}" '
        f'height="{HEIGHT}" rx="6" fill="#f6f6f4" stroke="{colour}"/>\n'
        f'<text x="{x:.0f}" y="{y + 5:.0f}" text-anchor="middle">{text}</text>\n'
    )


if __name__ == "__main__":
    DRAWING.write_text(draw())
