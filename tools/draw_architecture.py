"""Draw docs/architecture.svg: the packages, their floors, and who imports whom.

The floors are those of the import contract in pyproject.toml, the arrows the imports in
src/. Run it after a change of either: ``python tools/draw_architecture.py``.
"""

import ast
import re
import tomllib
from collections.abc import Sequence
from itertools import combinations, pairwise, permutations, product
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "usetune"
DRAWING = ROOT / "docs" / "architecture.svg"
WIDTH, BOX, HEIGHT, STEP = 880, 132, 46, 112
# How near arrows may come to a box that they pass, and how far apart they run.
CLEAR, LANE = 14, 14
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
    }


def free(row: Sequence[float]) -> list[tuple[float, float]]:
    """Where arrows may pass a floor: beside its boxes, whose middles are given."""
    edges = [8.0]
    for x in sorted(row):
        edges += [x - BOX / 2 - CLEAR, x + BOX / 2 + CLEAR]
    edges.append(WIDTH - 8.0)
    return list(zip(edges[::2], edges[1::2], strict=True))


def route(
    start: tuple[float, float],
    end: tuple[float, float],
    gaps: dict[float, list[tuple[float, float]]],
) -> list[tuple[float, float]]:
    """The points of an arrow: a box, a gap on each floor between, another box."""
    ways = [(0.0, [start])]
    for y in sorted(height for height in gaps if start[1] < height < end[1]):
        share = (y - start[1]) / (end[1] - start[1])
        x = start[0] + share * (end[0] - start[0])
        places = [(min(max(x, low), high), y) for low, high in gaps[y]]
        ways = [
            min((cost + abs(way[-1][0] - to[0]), [*way, to]) for cost, way in ways)
            for to in places
        ]
    return min((cost + abs(way[-1][0] - end[0]), [*way, end]) for cost, way in ways)[1]


def routes(
    arrows: list[tuple[str, str]], at: dict[str, tuple[float, float]]
) -> list[list[tuple[float, float]]]:
    """The points of all arrows, which keep apart in gaps and at boxes."""
    heights = sorted({y for _, y in at.values()})
    gaps = {y: free([x for x, own in at.values() if own == y]) for y in heights}
    found = [route(at[a], at[b], gaps) for a, b in arrows]
    # What arrows share: a gap, or the upper or lower edge of a box.
    guests: dict[tuple, list[tuple]] = {}
    for number, (arrow, way) in enumerate(zip(arrows, found, strict=True)):
        for step, (x, y) in enumerate(way):
            if step in (0, len(way) - 1):
                name = arrow[step > 0]
                place = (name, step > 0, x - BOX / 2, x + BOX / 2)
            else:
                place = (y, False, *next(g for g in gaps[y] if g[0] <= x <= g[1]))
            # Whence an arrow comes and whither it goes: who stands left of whom.
            beside = [own for own, _ in way[max(step - 1, 0) : step + 2]]
            order = (x, sum(beside) / len(beside), number, step)
            guests.setdefault(place, []).append(order)
    for (*_, low, high), own in guests.items():
        apart = min(LANE, (high - low) / (len(own) + 1))
        half = apart * (len(own) - 1) / 2
        middle = sum(x for x, *_ in own) / len(own)
        first = min(max(middle, low + half), high - half) - half
        for lane, (*_, number, step) in enumerate(sorted(own)):
            found[number][step] = (first + lane * apart, found[number][step][1])
    return found


def badness(ways: list[list[tuple[float, float]]]) -> float:
    """Crossings of arrows, and how far they go sideways."""
    cost, legs = 0.0, {}
    for way in ways:
        for (x, y), (to, below) in pairwise(way):
            cost += abs(to - x) / WIDTH
            legs.setdefault((y, below), []).append((x, to))
    for own in legs.values():
        cost += sum((a - c) * (b - d) < 0 for (a, b), (c, d) in combinations(own, 2))
    return cost


def path(way: list[tuple[float, float]]) -> str:
    """An arrow as SVG: upright past each floor, a curve from floor to floor."""
    half = HEIGHT / 2
    (x, y), *rest = way
    parts = [f"M{x:.0f} {y + half:.0f}"]
    top = y + half
    for step, (to, y) in enumerate(rest, 1):
        end = y - half - (7 if step == len(rest) else 0)
        bend = (end - top) * 0.6
        parts.append(
            f"C{x:.0f} {top + bend:.0f} {to:.0f} {end - bend:.0f} {to:.0f} {end:.0f}"
        )
        if step < len(rest):
            parts.append(f"V{y + half:.0f}")
        x, top = to, y + half
    return " ".join(parts)


def draw() -> str:
    """The drawing as SVG."""
    *rows, ground = floors()
    arrows = sorted((a, b) for a, b in imports() if b not in ground)
    orders = product(*(permutations(row) for row in rows))
    layouts = (places(order) for order in orders)
    at, ways = min(
        ((at, routes(arrows, at)) for at in layouts), key=lambda both: badness(both[1])
    )
    bottom = STEP * len(rows) + 60
    lines = [HEAD.format(width=WIDTH, height=bottom + 50)]
    colours = dict(zip(sorted({a for a, _ in arrows}), COLOURS, strict=False))
    for (a, _), way in zip(arrows, ways, strict=True):
        to, end = way[-1][0], way[-1][1] - HEIGHT / 2 - 7
        lines.append(
            f'<path d="{path(way)}" fill="none" stroke="{colours[a]}" '
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
