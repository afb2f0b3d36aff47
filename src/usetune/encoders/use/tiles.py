"""Products of float32 matrices by a processor's tile unit, Intel's AMX.

The unit multiplies bfloat16 and adds in float32, some six times as fast as a processor
multiplies float32. A float32 is the sum of two bfloat16 but for 2**-17 of it, and three
products of these parts give all of a product but for some 2**-16 of each term (Henry,
Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence datatype for
higher-precision computations", 2019, arXiv:1904.06376).

TensorFlow rounds the product of bfloat16 to bfloat16, so that nothing can be added.
"""

from typing import NamedTuple

import numpy as np

from usetune.encoders.use import instructions as tile
from usetune.encoders.use.compiled import compiled
from usetune.encoders.use.products import ALIGNMENT, aligned

# A tile has 16 rows of 64 bytes: of 32 bfloat16, or of 16 float32.
_ROWS, _BYTES = 16, 64
_TILE = _ROWS * _BYTES
# Rows of a left factor that are rounded at a time, and stay in the cache.
_BLOCK = 64


class Kernels(NamedTuple):
    """Right factors, cut into tiles; see `pack`.

    Attributes:
        high: rounded to bfloat16, their bits, uint16 (number, columns / 16, rows / 32,
            16, 32). A row of a tile is two rows of a kernel, their columns in turn.
        low: what is missing there, alike; (0, ...) if nothing but ``high`` counts.
    """

    high: np.ndarray
    low: np.ndarray


def pack(kernels: np.ndarray, precision: str) -> Kernels:
    """Right factors for `multiply`.

    Args:
        kernels: float32 (number, rows, columns), rows and columns multiples of 32.
        precision: of products, ``"float32"`` or ``"bfloat16"``.
    """
    number, rows, columns = kernels.shape
    shape = (2, number, columns // 16, rows // 32, 16, 32)
    high, low = tiles = aligned(shape, np.uint16)
    _pack(np.ascontiguousarray(kernels), tiles)
    return Kernels(high, low if precision == "float32" else low[:0])


@compiled
def _pack(kernels: np.ndarray, tiles: np.ndarray) -> None:
    """Float32 (number, rows, columns) → ``high`` and ``low`` of `Kernels`."""
    number, rows, columns = kernels.shape
    steps, low = rows // 32, tiles.strides[0]
    for kernel in range(number):
        for row in range(0, rows, 2):
            for column in range(0, columns, 16):
                at = (kernel * rows + row) * columns + column
                source = kernels.ctypes.data + 4 * at
                at = (kernel * columns + column) // 16 * steps + row // 32
                to = tiles.ctypes.data + at * _TILE + row % 32 // 2 * _BYTES
                tile.split_pairs(source, source + 4 * columns, to, to + low)


@compiled
def _add(rows: int, depth: int, kernel: int) -> None:
    """Add the product of 32 rows and 32 columns to tiles 0 to 3.

    Args:
        rows: address of bfloat16 (32, depth).
        depth: columns of these rows.
        kernel: address of the tiles of the columns.
    """
    width, strip = 2 * depth, depth // 32 * _TILE
    for step in range(depth // 32):
        row, column = rows + step * _BYTES, kernel + step * _TILE
        tile.load_upper(row, width)
        tile.load_left(column, _BYTES)
        tile.multiply_0()
        tile.load_lower(row + _ROWS * width, width)
        tile.multiply_2()
        tile.load_right(column + strip, _BYTES)
        tile.multiply_1()
        tile.multiply_3()


@compiled
def _store(address: int, stride: int) -> None:
    """Tiles 0 to 3 → float32 (32, 32), so many bytes from row to row."""
    tile.store_0(address, stride)
    tile.store_1(address + _BYTES, stride)
    tile.store_2(address + _ROWS * stride, stride)
    tile.store_3(address + _ROWS * stride + _BYTES, stride)


@compiled
def _set_up(own: np.ndarray, before: np.ndarray) -> None:
    """Configure this thread's tiles, and write how they were before, uint8 (64,)."""
    tile.save_configuration(before.ctypes.data)
    tile.configure(own.ctypes.data)


@compiled
def _multiply(
    x: np.ndarray,
    kernels: Kernels,
    out: np.ndarray,
    parts: np.ndarray,
    sums: np.ndarray,
) -> None:
    """`multiply`, with tiles set up.

    Args:
        x: see there.
        kernels: see there.
        out: see there.
        parts: to work in, uint16, of two such blocks of x and a line of the cache.
        sums: to work in, float32 (32, 32).
    """
    high, low = kernels
    depth, strip = x.shape[1], high.shape[2] * _TILE
    rows, columns, width = out.shape[1], out.shape[2], out.strides[1]
    part = -(-parts.ctypes.data // ALIGNMENT) * ALIGNMENT
    rest = part + 2 * _BLOCK * depth
    for start in range(0, rows, _BLOCK):
        block = min(_BLOCK, rows - start)
        for i in range(0, block * depth, 16):
            source = x.ctypes.data + 4 * (start * depth + i)
            if low.size:
                tile.split_16(source, part + 2 * i, rest + 2 * i)
            else:
                tile.round_16(source, part + 2 * i)
        for number in range(out.shape[0]):
            for column in range(0, columns, 32):
                at = (number * columns + column) // 16 * strip
                kernel, missing = high.ctypes.data + at, low.ctypes.data + at
                for row in range(0, block, 32):
                    at = 2 * row * depth
                    tile.zero_0()
                    tile.zero_1()
                    tile.zero_2()
                    tile.zero_3()
                    _add(part + at, depth, kernel)
                    if low.size:
                        _add(part + at, depth, missing)
                        _add(rest + at, depth, kernel)
                    at = number * out.strides[0] + (start + row) * width
                    to = out.ctypes.data + at + column * out.itemsize
                    if out.itemsize == 4:
                        _store(to, width)
                    else:
                        _store(sums.ctypes.data, 4 * 32)
                        for i in range(32):
                            source, to_row = sums[i].ctypes.data, to + i * width
                            tile.round_16(source, to_row)
                            tile.round_16(source + 64, to_row + 32)


@compiled
def multiply(x: np.ndarray, kernels: Kernels, out: np.ndarray) -> None:
    """``out[i, :rows] = x @ kernel i``, where `has_tiles` has said so.

    Args:
        x: float32 (rows or more, columns of x), C-contiguous.
        kernels: of as many rows as ``x`` has columns.
        out: written to, (number, rows, columns of a kernel), rows a multiple of 32,
            the columns beside each other; float32, or uint16 for the bits of bfloat16.
    """
    # What is given to a function lives until it returns: Numba frees an array behind
    # its last use, and does not see that an address of it is in use.
    before, own = np.zeros(64, np.uint8), np.zeros(64, np.uint8)
    # Palette 1: all eight tiles of 16 rows of 64 bytes.
    own[0], own[16:32:2], own[48:56] = 1, _BYTES, _ROWS
    parts = np.empty(2 * _BLOCK * x.shape[1] + ALIGNMENT // 2, np.uint16)
    sums = np.empty((32, 32), np.float32)
    _set_up(own, before)
    _multiply(x, kernels, out, parts, sums)
    _set_up(before, own)
