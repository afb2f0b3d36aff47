"""Draw the notebooks' diagrams, notebooks/drawings/*.svg, all in one style.

Run it after a change: ``python tools/draw_lessons.py``.
"""

from collections.abc import Sequence
from html import escape
from pathlib import Path

FOLDER = Path(__file__).parents[1] / "notebooks" / "drawings"
BLUE, ORANGE, GREEN, GREY = "#0072b2", "#d55e00", "#009e73", "#666666"
PALE = {BLUE: "#e3f0f8", ORANGE: "#fbe9dd", GREEN: "#e0f4ec", GREY: "#f2f2f2"}
HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" \
font-family="sans-serif" font-size="15" text-anchor="middle" role="img">
<title>{title}</title>
<defs><marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="7" \
markerHeight="7" orient="auto-start-reverse"><path d="M0 1 9 5 0 9z" fill="#444"/>\
</marker></defs>
<rect width="{width}" height="{height}" fill="#fff"/>
"""


class Drawing:
    """An SVG picture that grows by boxes, arrows and words."""

    def __init__(self, width: int, height: int, title: str) -> None:
        self.parts = [HEAD.format(width=width, height=height, title=escape(title))]

    def words(
        self, x: float, y: float, text: str, size: int = 15, **style: str
    ) -> None:
        """Text around a point; further lines follow below."""
        attributes = "".join(
            f' {name.replace("_", "-")}="{value}"' for name, value in style.items()
        )
        for number, line in enumerate(text.split("\n")):
            self.parts.append(
                f'<text x="{x}" y="{y + number * size * 1.25:.0f}" '
                f'font-size="{size}"{attributes}>{escape(line)}</text>\n'
            )

    def box(
        self,
        x: float,
        y: float,
        width: float,
        height: float,
        text: str = "",
        colour: str = GREY,
        size: int = 15,
    ) -> None:
        """A rounded box with centred text; x and y are those of its middle."""
        left, top, lines = x - width / 2, y - height / 2, text.count("\n")
        self.parts.append(
            f'<rect x="{left:g}" y="{top:g}" width="{width}" height="{height}" rx="7" '
            f'fill="{PALE[colour]}" stroke="{colour}" stroke-width="1.5"/>\n'
        )
        self.words(x, y + size * (0.35 - 0.625 * lines), text, size)

    def arrow(
        self, *points: tuple[float, float], both: bool = False, dashed: bool = False
    ) -> None:
        """A line through points that ends in a head."""
        path = " ".join(f"{x:g} {y:g}" for x, y in points)
        start = ' marker-start="url(#head)"' if both else ""
        dash = ' stroke-dasharray="5 4"' if dashed else ""
        self.parts.append(
            f'<path d="M{path}" fill="none" stroke="#444" stroke-width="1.5"{dash}'
            f'{start} marker-end="url(#head)"/>\n'
        )

    def dot(self, x: float, y: float, colour: str, radius: float = 7) -> None:
        """A filled circle."""
        self.parts.append(
            f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{colour}"/>\n'
        )

    def save(self, name: str) -> None:
        """Write the picture."""
        (FOLDER / name).write_text("".join([*self.parts, "</svg>\n"]), "utf-8")


def encoder() -> None:
    """A text on its way to a vector."""
    draw = Drawing(880, 150, "From a text to a vector")
    stations = [
        (74, 128, "text\n“data scientist”", GREY),
        (240, 156, "pieces\n▁data · ▁scientist", BLUE),
        (440, 186, "a vector per piece\n(table, 512 numbers)", BLUE),
        (638, 150, "neighbours\n(convolutions)\nand a sum", BLUE),
        (806, 126, "one vector,\n512 numbers,\nlength 1", GREEN),
    ]
    for (x, width, text, colour), following in zip(
        stations, [*stations[1:], None], strict=True
    ):
        draw.box(x, 65, width, 78, text, colour)
        if following:
            draw.arrow(
                (x + width / 2 + 2, 65), (following[0] - following[1] / 2 - 2, 65)
            )
    draw.words(
        440, 135, "the encoder: 68.9 million numbers that training can move", fill=BLUE
    )
    draw.save("encoder.svg")


def transformer() -> None:
    """A text on its way through a transformer."""
    draw = Drawing(880, 190, "From a text to a vector, through a transformer")
    pieces = ("[CLS]", "pizza", "##iol", "##o", "[SEP]")
    draw.box(62, 90, 110, 60, "text\n“pizzaiolo”", GREY)
    draw.arrow((119, 90), (148, 90))
    for row, piece in enumerate(pieces):
        y = 26 + 32 * row
        draw.box(185, y, 70, 26, piece, BLUE, 14)
        draw.arrow((222, y), (248, y))
        draw.box(292, y, 84, 26, "vector", BLUE, 14)
        draw.arrow((336, y), (368, y))
        draw.arrow((522, y), (548, y))
        draw.box(592, y, 84, 26, "vector", BLUE, 14)
        draw.arrow((636, y), (671, 90 + (y - 90) * 0.3))
    draw.box(445, 90, 150, 160, "six layers:\neach token looks\nat all others", ORANGE)
    draw.box(703, 90, 60, 60, "mean", GREEN)
    draw.arrow((734, 90), (756, 90))
    draw.box(816, 90, 116, 60, "one vector,\n384 numbers", GREEN)
    draw.words(292, 184, "from a table", 14, fill=BLUE)
    draw.words(592, 184, "that knows its text", 14, fill=BLUE)
    draw.save("transformer.svg")


def twins() -> None:
    """The siamese network: two texts, one encoder, one similarity, one error."""
    draw = Drawing(880, 270, "A siamese network: twin branches share one encoder")
    for y, name, text in ((75, "base", "data scientist"), (185, "ref", "data analyst")):
        draw.box(95, y, 150, 56, f"{name}\n“{text}”", GREY)
        draw.box(300, y, 150, 62, "encoder", BLUE, 17)
        draw.arrow((172, y), (223, y))
        draw.box(470, y, 105, 56, "vector\n(512)", GREEN)
        draw.arrow((377, y), (415, y))
        draw.arrow((524, y), (573, 130 + (y - 130) * 0.25))
    draw.arrow((300, 108), (300, 152), both=True, dashed=True)
    draw.words(365, 135, "the same weights", 14, fill=BLUE)
    draw.box(640, 130, 130, 70, "similarity\n1 − angle / π", GREEN)
    draw.box(805, 130, 130, 70, "error against\nthe pair’s score", ORANGE)
    draw.arrow((707, 130), (738, 130))
    draw.arrow((805, 167), (805, 245), (300, 245), (300, 220), dashed=True)
    draw.words(550, 262, "training: move the shared weights so that the error shrinks")
    draw.save("twins.svg")


def losses() -> None:
    """What a pair, a triplet and a batch say about distances."""
    draw = Drawing(880, 300, "What a pair, a triplet and a batch of positive pairs say")
    titles = ("a pair with a score", "a triplet", "a batch of positive pairs")
    for x, title in zip((130, 400, 700), titles, strict=True):
        draw.words(x, 28, title, 17, font_weight="bold")
    draw.dot(60, 130, BLUE)
    draw.dot(200, 130, BLUE)
    draw.arrow((72, 130), (188, 130), both=True)
    draw.words(130, 115, "as near as the score says", 14)
    draw.words(60, 160, "base", 14)
    draw.words(200, 160, "ref", 14)
    draw.words(
        130, 255, "AngularError, CoSENT,\nContrastive (label 0 or 1)", 14, fill=GREY
    )
    draw.dot(400, 190, BLUE)
    draw.dot(330, 110, GREEN)
    draw.dot(490, 90, ORANGE)
    draw.arrow((340, 120), (390, 180))
    draw.arrow((408, 180), (482, 100))
    draw.words(400, 218, "anchor", 14)
    draw.words(320, 92, "positive: pull", 14, fill=GREEN)
    draw.words(490, 72, "negative: push", 14, fill=ORANGE)
    draw.words(
        400, 255, "Triplet, BatchHard (triplets\nfound among classes)", 14, fill=GREY
    )
    names = ("a", "b", "c", "d")
    for row, anchor in enumerate(names):
        draw.words(603, 83 + row * 38, anchor, 14)
        draw.words(640 + row * 38, 58, f"{names[row]}⁺", 14)
        for column, _ in enumerate(names):
            positive = row == column
            draw.box(
                640 + column * 38,
                78 + row * 38,
                34,
                34,
                "+" if positive else "−",
                GREEN if positive else ORANGE,
            )
    draw.words(
        700,
        240,
        "each anchor: its own positive must beat\nthe others’ (softmax over a row)",
        14,
    )
    draw.words(700, 285, "MultipleNegativesRanking, GIST", 14, fill=GREY)
    draw.save("losses.svg")


def smaller() -> None:
    """Bars cut at four widths, and axes turned so that cutting costs little."""
    draw = Drawing(880, 250, "Two ways to embeddings that can be cut")
    draw.words(215, 26, "Matryoshka: each width must do", 17, font_weight="bold")
    for width, name in ((360, "512"), (180, "256"), (90, "128"), (45, "64")):
        y = 55 + {360: 0, 180: 42, 90: 84, 45: 126}[width]
        draw.box(35 + width / 2, y, width, 30, "", BLUE)
        draw.words(50 + width, y + 5, name, 14, text_anchor="start")
    draw.words(215, 225, "one loss for each width, added up", 14, fill=GREY)
    draw.words(654, 26, "Rotation: the long directions first", 17, font_weight="bold")
    cloud = ((-70, 44), (-52, 20), (-30, 27), (-16, 0), (4, 10), (20, -18), (38, -12))
    for x, y in (*cloud, (56, -40), (72, -34)):
        draw.dot(544 + x, 125 + y, BLUE, 5)
        # By 30 degrees, so that the cloud lies along the first axis.
        draw.dot(765 + 0.87 * x - 0.5 * y, 125 + 0.5 * x + 0.87 * y, BLUE, 5)
    for x in (544, 765):
        draw.arrow((x - 90, 125), (x + 90, 125))
        draw.arrow((x, 195), (x, 55))
    draw.arrow((636, 160), (673, 160))
    draw.words(544, 225, "either axis alone loses much", 14, fill=GREY)
    draw.words(765, 225, "the first axis keeps most", 14, fill=GREEN)
    draw.save("smaller.svg")


def weat() -> None:
    """Two lists of jobs, measured by their closeness to two lists of terms."""
    draw = Drawing(880, 230, "A test of association with four lists of words")
    draw.box(140, 60, 220, 70, "A: female terms\nwoman, mother, …", GREEN)
    draw.box(140, 170, 220, 70, "B: male terms\nman, father, …", ORANGE)
    draw.box(440, 60, 200, 70, "X: care jobs\nnurse, home help, …", BLUE)
    draw.box(440, 170, 200, 70, "Y: craft jobs\nwelder, roofer, …", BLUE)
    draw.arrow((338, 50), (252, 50), both=True)
    draw.arrow((338, 80), (252, 155), both=True, dashed=True)
    draw.arrow((338, 150), (252, 75), both=True)
    draw.arrow((338, 180), (252, 180), both=True, dashed=True)
    for y, name in ((60, "X"), (170, "Y")):
        draw.arrow((542, y), (578, y))
        draw.box(645, y, 130, 70, f"mean of s\nover {name}", GREY)
        draw.arrow((712, y), (748, 115 + (y - 115) * 0.3))
    draw.box(805, 115, 110, 70, "difference:\nd", GREEN)
    draw.words(
        295, 222, "s of a job: mean cosine with A (solid) minus with B (dashed)", 14
    )
    draw.save("weat.svg")


def indexes() -> None:
    """Three ways to look for the nearest rows: all, by lists, along a graph."""
    draw = Drawing(880, 250, "Three ways to search")
    spots = ((-70, -50), (-52, -28), (-80, -12), (-20, -60), (4, -38), (50, -55))
    spots += ((75, -30), (58, -8), (-60, 40), (-30, 55), (-8, 30), (30, 45), (66, 50))
    near = {
        "exact": range(13),
        "lists (IVF)": (5, 6, 7),
        "graph (HNSW)": (0, 1, 4, 5, 7),
    }
    notes = (
        "looks at every row",
        "looks into the nearest lists",
        "walks from row to row",
    )
    for x, (name, seen), note in zip((150, 440, 730), near.items(), notes, strict=True):
        draw.words(x, 26, name, 17, font_weight="bold")
        if "lists" in name:
            for dx, dy, width, height in (
                (-68, -30, 54, 70),
                (-8, -49, 50, 50),
                (61, -31, 56, 76),
                (-33, 42, 82, 54),
                (48, 48, 66, 40),
            ):
                colour = GREEN if dx == 61 else GREY
                draw.box(x + dx, 125 + dy, width, height, "", colour)
        if "graph" in name:
            for start, end in ((0, 1), (1, 4), (4, 5), (5, 7)):
                ends = [(x + spots[k][0], 125 + spots[k][1]) for k in (start, end)]
                draw.arrow(*ends)
        for number, (dx, dy) in enumerate(spots):
            colour = BLUE if number in seen else "#bbbbbb"
            draw.dot(x + dx, 125 + dy, colour, 5)
        draw.dot(x + 64, 125 - 20, ORANGE, 5)
        draw.words(x + 112, 110, "query", 14, fill=ORANGE)
        draw.words(x, 232, note, 14, fill=GREY)
    draw.save("indexes.svg")


def path(
    notebooks: Sequence[tuple[str, Sequence[str]]] = (
        ("the article", ("1 baseline", "2 fine-tune", "3 compare")),
        ("done well", ("4 data", "5 no forgetting", "6 losses")),
        (
            "by need, any of",
            (
                "7 shorter",
                "8 bias",
                "9 share",
                "10 corpus",
                "11 classes",
                "12 inside",
                "13 fewer bits",
                "14 which, when",
            ),
        ),
        ("yours", ("template:\nyour own CSV",)),
    ),
) -> None:
    """The way through the notebooks."""
    draw = Drawing(880, 436, "The path through the notebooks")
    top, step, gap = 62, 48, 220
    for number, (title, names) in enumerate(notebooks):
        x, low = 110 + gap * number, top + step * (len(names) - 1)
        draw.words(x, 26, title, 17, font_weight="bold")
        any_of = title.endswith("any of")
        if any_of:
            draw.box(x, (top + low) / 2, 170, low - top + 58)
        for row, name in enumerate(names):
            y = top + step * row
            draw.box(
                x,
                y,
                150,
                38 + 14 * name.count("\n"),
                name,
                (BLUE, GREEN, GREY, ORANGE)[number],
            )
            if row and not any_of:
                draw.arrow((x, y - 29), (x, y - 20))
        # From the last of a group, or from all of them, to the next group.
        if any_of:
            draw.arrow((x + 86, top), (x + gap - 77, top))
        elif notebooks[number + 1 : number + 2]:
            following = notebooks[number + 1][0]
            to = x + gap - (87 if following.endswith("any of") else 77)
            bend = x + gap / 2
            draw.arrow((x + 76, low), (bend, low), (bend, top), (to, top))
    draw.save("path.svg")


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    lessons = (encoder, transformer, twins, losses, smaller, weat, indexes, path)
    for draw_one in lessons:
        draw_one()
