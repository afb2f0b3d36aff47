"""Seeded damage to the bytes of a file."""

import gzip
from collections.abc import Callable, Sequence
from random import Random

# What people and programs put into tables, and what parsers trip over.
TEXT_TOKENS = [
    *(b'"', b'""', b'"""', b",", b";", b"\t", b"\n", b"\r", b"\r\n", b"\n\n", b" "),
    *(b"\x00", b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xc2\x85"),
    *(b"\\ud800", b"\\udfff\\ud800", b"\\u0000", b"\xe2\x80\xa8", b"\x0b", b"\x0c"),
    *(b"\x1c", b"\xc2\xa0", b"'", b"\\", b"\\n", b'5" nail', b"#", b"//"),
    *(b"NaN", b"nan", b"null", b"NA", b"true", b"True", b"inf", b"Infinity", b"-1"),
    *(b"1e999", b"1e-999", b"0x1", b"1_0", b"0,5", b"1.0", b"-0", b"\xd9\xa1"),
    *(b"9" * 400, b"9" * 5000, b"0." + b"3" * 5000, b"[" * 100_000, b'{"a":' * 3000),
    *(b"{}", b"[]", b"{", b"}", b'{"a": 1}', b'"similarity": 1, ', b'"label": 3, '),
    *(b'"anchor": "x", ', b'"text": "y", ', b'"base": true, ', b"x" * 200_000),
]
BINARY_TOKENS = [
    *(
        b"\x00",
        b"\xff",
        b"\xff" * 8,
        b"\x00" * 64,
        b"PAR1",
        b"PK\x05\x06",
        b"PK\x03\x04",
    ),
    *(b"\x7f\xff\xff\xff", b"\x80\x00\x00\x00", b"\xff\xff\xff\x7f", b"{}", b'"'),
]


def damaged(content: bytes, random: Random, is_text: bool) -> tuple[bytes, str]:
    """Damage a file in one to three ways; say how."""
    tokens = TEXT_TOKENS if is_text else BINARY_TOKENS
    ways = _TEXT_WAYS if is_text else _WAYS
    told = []
    for _ in range(random.choice([1, 1, 1, 2, 3])):
        way = random.choice(ways)
        content = way(content, random, tokens)
        told.append(way.__name__.strip("_"))
    return content, "+".join(told)


def _place(content: bytes, random: Random) -> int:
    """Anywhere, and often within the first or last hundred bytes."""
    size = len(content)
    near = random.randrange(min(size, 100) + 1)
    return random.choice([random.randrange(size + 1), near, size - near])


def _flip(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    if not content:
        return content
    place = min(_place(content, random), len(content) - 1)
    bit = bytes([content[place] ^ 1 << random.randrange(8)])
    return content[:place] + bit + content[place + 1 :]


def _insert(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    place = _place(content, random)
    return content[:place] + random.choice(tokens) + content[place:]


def _overwrite(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    place, token = _place(content, random), random.choice(tokens)
    return content[:place] + token + content[place + len(token) :]


def _cut(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    return content[: _place(content, random)]


def _remove(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    start = _place(content, random)
    return content[:start] + content[start + random.choice([1, 2, 10, 100]) :]


def _repeat(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    start, place = _place(content, random), _place(content, random)
    part = content[start : start + random.choice([1, 8, 60, 500])]
    return content[:place] + part + content[place:]


def _swap(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    a, b = sorted((_place(content, random), _place(content, random)))
    size = min(random.choice([1, 4, 30]), b - a)
    first, second = content[a : a + size], content[b : b + size]
    return content[:a] + second + content[a + size : b] + first + content[b + size :]


def _append(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    tail = random.choice([*tokens, content[: len(content) // 2], b"\n"])
    return content + tail


def _zeros(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    start = _place(content, random)
    size = min(random.choice([1, 16, 300]), len(content) - start)
    return content[:start] + bytes(size) + content[start + size :]


def _empty(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    return random.choice([b"", b"\n", b" ", b"\xef\xbb\xbf", b"\x00"])


def _zip(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    return gzip.compress(content, mtime=0)


def _line(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    """A line doubled, dropped or moved."""
    lines = content.split(b"\n")
    row = lines.pop(random.randrange(len(lines)))
    for _ in range(random.choice([0, 1, 2])):
        lines.insert(random.randrange(len(lines) + 1), row)
    return b"\n".join(lines)


def _header(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    """Another first line: capitals, spaces, a name twice or too few."""
    head, feed, rest = content.partition(b"\n")
    names = head.split(b",")
    edits: list[Callable[[], bytes]] = [
        lambda: head.upper(),
        lambda: b", ".join(names),
        lambda: b",".join([*names, names[0]]),
        lambda: b",".join([names[-1], *names[1:]]),
        lambda: b",".join(names[1:]),
        lambda: b",".join(reversed(names)),
        lambda: b",".join(b'"' + name + b'"' for name in names),
        lambda: b",".join([*names, b"extra"]),
    ]
    return random.choice(edits)() + feed + rest


def _separators(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    other = random.choice([b";", b"\t", b"|", b", "])
    return content.replace(b",", other, random.choice([1, 5, -1]))


def _quotes(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    """A quote where a cell begins or ends, or one less."""
    places = [place for place, byte in enumerate(content) if byte in b',\n"']
    if not places:
        return content + b'"'
    place = random.choice(places)
    if content[place : place + 1] == b'"':
        return content[:place] + content[place + 1 :]
    place += random.choice([0, 1])
    return content[:place] + b'"' + content[place:]


def _encoding(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    text = content.decode("utf-8", "replace")
    encoding = random.choice(["utf-16", "utf-16-le", "latin-1", "cp1252", "utf-8-sig"])
    return text.encode(encoding, "replace")


def _ends(content: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    return content.replace(b"\n", random.choice([b"\r\n", b"\r", b"\n\n", b" \n"]))


_WAYS = [
    *(_flip, _flip, _insert, _overwrite, _cut, _remove, _repeat, _swap, _append),
    *(_zeros, _empty),
]
_TEXT_WAYS = [
    *(_flip, _insert, _insert, _insert, _overwrite, _cut, _remove, _repeat, _swap),
    *(_append, _empty, _zip, _line, _header, _separators, _quotes, _quotes),
    *(_encoding, _ends),
]
