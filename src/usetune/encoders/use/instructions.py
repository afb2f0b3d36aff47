"""The processor's instructions for tiles (Intel AMX), in functions of Numba.

They are those of Intel's "Architecture instruction set extensions programming
reference", chapter 3, as LLVM names them; an address is an integer.
"""

import ctypes
import functools
import platform
import sys
from typing import Any

import llvmlite.binding
from llvmlite import ir
from numba import config, types
from numba.extending import intrinsic

_FEATURES = ("amx-tile", "amx-bf16", "avx512bf16")
# Linux lets a process use tiles once it has asked (arch_prctl, since 5.16).
_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18


@functools.cache
def has_tiles() -> bool:
    """Whether processor and system let this process use tiles of bfloat16.

    It asks the system: without that, the first instruction ends the process.
    """
    # Numba's settings get their names when it is imported.
    if vars(config)["DISABLE_JIT"]:
        return False
    if (sys.platform, platform.machine()) != ("linux", "x86_64"):
        return False
    features = llvmlite.binding.get_host_cpu_features()
    if not all(features.get(name) for name in _FEATURES):
        return False
    request = _ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA
    return ctypes.CDLL(None).syscall(*map(ctypes.c_long, request)) == 0


def _instruction(name: str, *constants: int, operands: int = 0) -> Any:
    """A function that compiled code may call: one instruction on the tiles' state.

    Args:
        name: LLVM's.
        constants: numbers of tiles.
        operands: 0; 1, an address; or 2, an address and bytes between rows.
    """
    address = ir.IntType(8).as_pointer()
    kinds = [*[ir.IntType(8)] * len(constants), address, ir.IntType(64)]
    kinds = kinds[: len(constants) + operands]

    def generate(_: Any, builder: Any, __: Any, values: Any) -> ir.Constant:
        kind = ir.FunctionType(ir.VoidType(), kinds)
        function = builder.module.globals.get(f"llvm.x86.{name}")
        function = function or ir.Function(builder.module, kind, f"llvm.x86.{name}")
        given = [ir.Constant(ir.IntType(8), constant) for constant in constants]
        given += [builder.inttoptr(value, address) for value in values[:1]]
        builder.call(function, [*given, *values[1:]])
        return ir.Constant(address, None)

    signature = types.void(*[types.intp] * operands)
    if operands == 0:
        return intrinsic(lambda _: (signature, generate))
    if operands == 1:
        return intrinsic(lambda _, address: (signature, generate))
    return intrinsic(lambda _, address, stride: (signature, generate))


def _load(tile: int) -> Any:
    return _instruction("tileloadd64", tile, operands=2)


configure = _instruction("ldtilecfg", operands=1)
save_configuration = _instruction("sttilecfg", operands=1)
# Tiles 0 to 3 are a square of sums, 4 and 5 left factors, 6 and 7 right ones.
zero_0, zero_1, zero_2, zero_3 = (_instruction("tilezero", i) for i in range(4))
store_0, store_1, store_2, store_3 = (
    _instruction("tilestored64", i, operands=2) for i in range(4)
)
load_upper, load_lower, load_left, load_right = map(_load, (4, 5, 6, 7))
multiply_0, multiply_1, multiply_2, multiply_3 = (
    _instruction("tdpbf16ps", *tiles)
    for tiles in ((0, 4, 6), (1, 4, 7), (2, 5, 6), (3, 5, 7))
)


class _Bfloat16(ir.Type):
    def _to_string(self) -> str:
        return "bfloat"


_FLOATS, _HALVES, _BITS, _WORDS = (
    ir.VectorType(kind, 16)
    for kind in (ir.FloatType(), _Bfloat16(), ir.IntType(16), ir.IntType(32))
)


# Numbers of two vectors of 16, one of each in turn.
_IN_TURN = ir.Constant(
    ir.VectorType(ir.IntType(32), 32), [i // 2 + i % 2 * 16 for i in range(32)]
)


def _rounded(builder: Any, numbers: Any) -> Any:
    return builder.bitcast(builder.fptrunc(numbers, _HALVES), _BITS)


def _read(builder: Any, address: Any) -> Any:
    return builder.load(builder.inttoptr(address, _FLOATS.as_pointer()), align=4)


def _write(builder: Any, bits: Any, address: Any) -> None:
    builder.store(bits, builder.inttoptr(address, bits.type.as_pointer()), align=2)


def _round_16(_: Any, numbers: Any, high: Any) -> Any:
    """16 float32 at one address → bfloat16 at another."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> ir.Constant:
        _write(builder, _rounded(builder, _read(builder, values[0])), values[1])
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    return types.void(types.intp, types.intp), generate


def _halves(builder: Any, address: Any) -> tuple[Any, Any]:
    """Bits of 16 float32 rounded to bfloat16, and of what is missing there."""
    numbers = _read(builder, address)
    high = _rounded(builder, numbers)
    words = builder.shl(builder.zext(high, _WORDS), ir.Constant(_WORDS, [16] * 16))
    missing = builder.fsub(numbers, builder.bitcast(words, _FLOATS))
    return high, _rounded(builder, missing)


def _split_16(_: Any, numbers: Any, high: Any, low: Any) -> Any:
    """16 float32 at one address → bfloat16 at another, and what is missing there."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> ir.Constant:
        numbers, *to = values
        for bits, address in zip(_halves(builder, numbers), to, strict=True):
            _write(builder, bits, address)
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    return types.void(types.intp, types.intp, types.intp), generate


def _split_pairs(_: Any, upper: Any, lower: Any, high: Any, low: Any) -> Any:
    """The same of 16 float32 at each of two addresses, those of the two in turn."""

    def generate(_: Any, builder: Any, __: Any, values: Any) -> ir.Constant:
        upper, lower, *to = values
        halves = zip(_halves(builder, upper), _halves(builder, lower), strict=True)
        for (one, other), address in zip(halves, to, strict=True):
            _write(builder, builder.shuffle_vector(one, other, _IN_TURN), address)
        return ir.Constant(ir.IntType(8).as_pointer(), None)

    return types.void(*[types.intp] * 4), generate


round_16: Any = intrinsic(_round_16)
split_16: Any = intrinsic(_split_16)
split_pairs: Any = intrinsic(_split_pairs)
