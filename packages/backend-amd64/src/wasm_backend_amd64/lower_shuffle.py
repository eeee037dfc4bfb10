"""Instruction selection for v_shuffle: the cheapest instructions that move bytes to where they belong.

A pattern is looked for as elements as wide as they can be: there are more instructions for dwords than for bytes. What
is none of them is a table in the pool for pshufb, one for each operand.
"""

from __future__ import annotations

from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64 import vector_encodings as v
from wasm_backend_amd64.encodings import Encoding
from wasm_backend_amd64.forms import in_registers_alone
from wasm_backend_amd64.vector_instructions import (
    BROADCAST,
    INTERLEAVE_HIGH,
    INTERLEAVE_LOW,
    LOWEST_LANE,
)
from wasm_backend_amd64.vector_operands import make, make_with, operate, operate_one
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst
from wasm_ir.ir import Inst
from wasm_ir.opcodes import I8X16, I16X8

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_amd64.lower_memory import MemoryLowering

_V128: Final = types.V128
#: A byte that is zero.
_ZERO: Final = 0x80
_IDENTITY: Final = bytes(range(16))
#: Words and dwords that have the lower half of their bits set.
_LOW_BYTES: Final = int.from_bytes(b"\xff\0" * 8, "little")
_LOW_WORDS: Final = int.from_bytes(b"\xff\xff\0\0" * 4, "little")


def _interleaving(size: int, start: int, second: int) -> bytes:
    """Elements of two operands in turns, the second one's bytes numbered from `second`."""
    half = range(start, start + 8, size)
    return bytes([first + at + k for at in half for first in (0, second) for k in range(size)])


#: Bytes -> the instruction on both operands.
_INTERLEAVINGS: Final[dict[bytes, Encoding]] = {
    _interleaving(1 << log, start, 16): rows[log]
    for rows, start in ((INTERLEAVE_LOW, 0), (INTERLEAVE_HIGH, 8))
    for log in range(4)
}
#: Of one operand with itself.
_DOUBLINGS: Final[dict[bytes, Encoding]] = {
    _interleaving(1 << log, start, 0): rows[log]
    for rows, start in ((INTERLEAVE_LOW, 0), (INTERLEAVE_HIGH, 8))
    for log in range(4)
}
#: Of one operand with zeros.
_EXTENSIONS: Final[dict[bytes, Encoding]] = {
    bytes([n // (2 * size) * size + n % size if n % (2 * size) < size else _ZERO for n in range(16)]): row
    for size, row in ((1, v.PMOVZXBW), (2, v.PMOVZXWD), (4, v.PMOVZXDQ))
}
#: Every second byte or word of both operands: how the lanes are brought to their lower half (a shift, or a mask), and
#: what packs them.
_EVERY_SECOND: Final[dict[bytes, tuple[Encoding | None, int, Encoding]]] = {
    bytes(range(0, 32, 2)): (None, _LOW_BYTES, v.PACKUSWB),
    bytes(range(1, 32, 2)): (v.PSRLW_I, 8, v.PACKUSWB),
    bytes([n * 2 - n % 2 for n in range(16)]): (None, _LOW_WORDS, v.PACKUSDW),
    bytes([n * 2 - n % 2 + 2 for n in range(16)]): (v.PSRLD_I, 16, v.PACKUSDW),
}


def _elements(numbers: bytes, size: int) -> list[int] | None:
    """The bytes as numbers of elements of `size` bytes, if they are whole ones."""
    elements = []
    for at in range(0, 16, size):
        first = numbers[at]
        if first % size:
            return None
        for k in range(1, size):
            if numbers[at + k] != first + k:
                return None
        elements.append(first // size)
    return elements


def _order(elements: list[int]) -> int:
    """Four numbers of two bits each: the immediate of pshufd and its like."""
    return sum([(number & 3) << 2 * at for at, number in enumerate(elements)])


def _from(numbers: list[int] | bytes) -> int:
    return int.from_bytes(bytes(numbers), "little")


def shuffle(s: MemoryLowering, inst: Inst) -> None:
    x, y = inst.args
    numbers = inst.imm.to_bytes(16, "little")
    destination = s.define(inst)
    if x is y:
        shuffle_bytes(s, x, bytes([number & 15 for number in numbers]), destination)
    elif y.op == op.CONST and y.imm == 0:
        _with_zeros(s, x, bytes([number if number < 16 else _ZERO for number in numbers]), destination)
    elif x.op == op.CONST and x.imm == 0:
        _with_zeros(s, y, bytes([number - 16 if number >= 16 else _ZERO for number in numbers]), destination)
    else:
        _two(s, x, y, numbers, destination)


def shuffle_bytes(s: MemoryLowering, x: Inst, numbers: bytes, destination: int) -> None:
    """Bytes of one vector."""
    dwords = _elements(numbers, 4)
    if dwords is not None:
        if numbers == _IDENTITY:
            s.emit(MInst(LOWEST_LANE, [destination], [s.use(x)], 0))
        else:
            operate_one(s, v.PSHUFD, x, destination, _order(dwords))
        return
    words = _elements(numbers, 2)
    if words is not None and _words(s, x, words, destination):
        return
    first = numbers[0]
    source = s.use(x)
    doubling = _DOUBLINGS.get(numbers)
    if numbers == bytes([(first + n) % 16 for n in range(16)]):
        make(s, v.PALIGNR, [source, source], first, destination)
    elif doubling is not None:
        make(s, doubling, [source, source], 0, destination)
    elif numbers == bytes(16) and "avx2" in s.features:
        make(s, BROADCAST[I8X16], [source], 0, destination)
    else:
        make_with(s, v.PSHUFB, source, _from(numbers), destination)


def _words(s: MemoryLowering, x: Inst, words: list[int], destination: int) -> bool:
    """Words of one vector, where there is something simpler than a table."""
    lower, upper = words[:4], words[4:]
    if upper == [4, 5, 6, 7] and max(lower) < 4:
        operate_one(s, v.PSHUFLW, x, destination, _order(lower))
    elif lower == [0, 1, 2, 3] and min(upper) > 3:
        operate_one(s, v.PSHUFHW, x, destination, _order(upper))
    elif words == [words[0]] * 8:
        if words[0] == 0 and "avx2" in s.features:
            make(s, BROADCAST[I16X8], [s.use(x)], 0, destination)
        elif words[0] < 4:
            make(s, v.PSHUFD, [operate_one(s, v.PSHUFLW, x, 0, _order(lower))], 0, destination)
        else:
            make(s, v.PSHUFD, [operate_one(s, v.PSHUFHW, x, 0, _order(lower))], 0xFF, destination)
    else:
        return False
    return True


def _with_zeros(s: MemoryLowering, x: Inst, numbers: bytes, destination: int) -> None:
    """Bytes of one vector, and zeros."""
    source = s.use(x)
    extension = _EXTENSIONS.get(numbers)
    if extension is not None:
        make(s, extension, [source], 0, destination)
        return
    if numbers == _IDENTITY[:8] + bytes([_ZERO] * 8):
        make(s, e.MOVQ_RR, [source], 0, destination)
        return
    kept = [number for number in numbers if number != _ZERO]
    if not kept:
        s.emit(MInst(LOWEST_LANE, [destination], [s.vector_constant(0)], 0))
        return
    zeros = 16 - len(kept)
    if numbers == bytes([_ZERO] * zeros) + _IDENTITY[: len(kept)]:
        make(s, v.PSLLDQ_I, [source], zeros, destination)
    elif numbers == _IDENTITY[zeros:] + bytes([_ZERO] * zeros):
        make(s, v.PSRLDQ_I, [source], zeros, destination)
    elif all(number in (at, _ZERO) for at, number in enumerate(numbers)):
        make_with(s, v.PAND, source, _from([0 if number == _ZERO else 0xFF for number in numbers]), destination)
    else:
        make_with(s, v.PSHUFB, source, _from(numbers), destination)


def _two(s: MemoryLowering, x: Inst, y: Inst, numbers: bytes, destination: int) -> None:
    """Bytes of two vectors; byte 0 is one of x."""
    interleaving = _INTERLEAVINGS.get(numbers)
    if interleaving is not None:
        operate(s, interleaving, x, y, destination)
        return
    if all(number & 15 == at for at, number in enumerate(numbers)):
        blend(s, x, y, [number > 15 for number in numbers], destination)
        return
    first = numbers[0]
    if numbers == bytes(range(first, first + 16)):
        operate(s, v.PALIGNR, y, x, destination, first)
        return
    dwords = _elements(numbers, 4)
    if dwords is not None:
        _dwords(s, x, y, dwords, destination)
        return
    every_second = _EVERY_SECOND.get(numbers)
    if every_second is not None:
        row, imm, pack = every_second
        halves = [
            make_with(s, v.PAND, s.use(value), imm) if row is None else make(s, row, [s.use(value)], imm)
            for value in (x, y)
        ]
        make(s, pack, halves, 0, destination)
        return
    if "avx512vbmi" in s.features:
        make(s, v.VPERMI2B, [s.vector_constant(_from(numbers)), s.use(x), s.use(y)], 0, destination)
        return
    of_x = make_with(s, v.PSHUFB, s.use(x), _from([number if number < 16 else _ZERO for number in numbers]))
    of_y = make_with(s, v.PSHUFB, s.use(y), _from([number - 16 if number > 15 else _ZERO for number in numbers]))
    make(s, v.POR, [of_x, of_y], 0, destination)


def blend(s: MemoryLowering, x: Inst, y: Inst, second: list[bool], destination: int) -> None:
    """Bytes that stay where they are, of y where `second` says so, else of x."""
    if all(second[n] == second[n | 1] for n in range(16)):
        if "avx2" in s.features and all(second[n] == second[n | 3] for n in range(16)):
            operate(s, v.VPBLENDD, x, y, destination, sum([second[4 * n] << n for n in range(4)]))
        else:
            operate(s, v.PBLENDW, x, y, destination, sum([second[2 * n] << n for n in range(8)]))
        return
    mask = _from([0xFF if chosen else 0 for chosen in second])
    if s.avx:
        make(s, v.VPBLENDVB, [s.use(x), s.use(y), s.vector_constant(mask)], 0, destination)
    else:
        of_x = make_with(s, v.PAND, s.use(x), mask ^ types.MASKS[_V128])
        make(s, v.POR, [of_x, make_with(s, v.PAND, s.use(y), mask)], 0, destination)


def _dwords(s: MemoryLowering, x: Inst, y: Inst, dwords: list[int], destination: int) -> None:
    """Dwords of two vectors, in one or two instructions."""
    of_y = [at for at in range(4) if dwords[at] > 3]
    if of_y == [2, 3]:
        operate(s, v.SHUFPS, x, y, destination, _order(dwords))
        return
    if len(of_y) == 2:
        # Both of x, both of y, and then in order.
        of_x = [at for at in range(4) if dwords[at] < 4]
        pairs = make(s, v.SHUFPS, [s.use(x), s.use(y)], _order([dwords[at] for at in (*of_x, *of_y)]))
        places = (*of_x, *of_y)
        make(s, v.PSHUFD, [pairs], _order([places.index(at) for at in range(4)]), destination)
        return
    if len(of_y) == 3:
        x, y = y, x
        dwords = [number ^ 4 for number in dwords]
    (at,) = [at for at in range(4) if dwords[at] > 3]
    others = [number if number < 4 else at for at, number in enumerate(dwords)]
    source = s.use(x) if others == [0, 1, 2, 3] else operate_one(s, v.PSHUFD, x, 0, _order(others))
    # In memory its operand would be the lowest dword.
    insert = in_registers_alone(v.INSERTPS, s.avx)
    s.emit(MInst(insert, [destination], [source, s.use(y)], (dwords[at] & 3) << 6 | at << 4))
