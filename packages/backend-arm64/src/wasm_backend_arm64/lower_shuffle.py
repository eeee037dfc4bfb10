"""Instruction selection for v_shuffle: the cheapest instruction that moves bytes like that."""

from __future__ import annotations

from wasm_backend_arm64 import vector_encodings as v
from wasm_backend_arm64.forms import on_registers
from wasm_backend_arm64.vector_encodings import B, D, H, S, lane, left, source_lane
from wasm_backend_arm64.vector_instructions import (
    BYTES_FROM,
    INSERT_LANE,
    ROWS,
    SPLAT_LANE,
    TABLE_OF_TWO,
    TABLE_REGISTERS,
)
from wasm_ir import opcodes as op
from wasm_ir.codegen.machinst import MFixed, MInst, MOp
from wasm_ir.ir import Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_arm64.lower_conditions import ConditionLowering

#: The number of no byte: tables give 0 for it.
_NONE: Final = 0xFF

_Pattern = tuple[int, ...]


def _spread(lanes: list[int], width: int) -> _Pattern:
    """Numbers of bytes, from numbers of lanes."""
    size = 1 << width
    return tuple([number * size + byte for number in lanes for byte in range(size)])


def _of_two() -> dict[_Pattern, MOp]:
    """Patterns of both operands -> the instruction."""
    result: dict[_Pattern, MOp] = {}
    for width in (D, S, H, B):
        count = 16 >> width
        half = count // 2
        for row, lanes in (
            (v.ZIP1_VVV, [n // 2 + n % 2 * count for n in range(count)]),
            (v.ZIP2_VVV, [n // 2 + n % 2 * count + half for n in range(count)]),
            (v.UZP1_VVV, [2 * n for n in range(count)]),
            (v.UZP2_VVV, [2 * n + 1 for n in range(count)]),
            (v.TRN1_VVV, [n // 2 * 2 + n % 2 * count for n in range(count)]),
            (v.TRN2_VVV, [n // 2 * 2 + n % 2 * count + 1 for n in range(count)]),
        ):
            result.setdefault(_spread(lanes, width), on_registers(row[width]))
    return result


def _of_one() -> dict[_Pattern, tuple[MOp, int]]:
    """Patterns of one operand -> the instruction on it, and imm."""
    result: dict[_Pattern, tuple[MOp, int]] = {}
    for width in (D, S, H, B):
        count = 16 >> width
        for number in range(count):
            result.setdefault(_spread([number] * count, width), (SPLAT_LANE[width], lane(width, number)))
        for bigger, family in ((H, v.REV16_VV), (S, v.REV32_VV), (D, v.REV64_VV)):
            if width in family:
                size = 1 << bigger - width
                lanes = [n // size * size + size - 1 - n % size for n in range(count)]
                result[_spread(lanes, width)] = on_registers(family[width]), 0
    return result


_TWO: Final = _of_two()
_ONE: Final = _of_one()
#: The same instructions on one operand twice.
_TWICE: Final[dict[_Pattern, MOp]] = {
    tuple([number & 15 for number in numbers]): form for numbers, form in _TWO.items()
}
#: One operand and zeros: lanes that are extended.
_EXTENDED: Final[dict[_Pattern, MOp]] = {
    tuple([n // size * narrow + n % size + start if n % size < narrow else _NONE for n in range(16)]): ROWS[
        op.V_EXTEND_U << 4 | shape | half
    ]
    for shape in (op.I16X8, op.I32X4, op.I64X2)
    for size, narrow in ((1 << shape, 1 << shape - 1),)
    for start, half in ((0, 0), (8, op.HIGH_HALF))
}
#: The whole operand shifted right by so many bytes, or (negative) left.
_SHIFTED: Final[dict[_Pattern, int]] = {
    **{(*range(count, 16), *(_NONE,) * count): count for count in range(1, 16)},
    **{(*(_NONE,) * count, *range(16 - count)): -count for count in range(1, 16)},
}


def lower_shuffle(s: ConditionLowering, inst: Inst) -> None:
    """v_shuffle."""
    first, second = inst.args
    numbers = tuple(inst.imm.to_bytes(16, "little"))
    destination = s.define(inst)
    if first is second:
        _shuffle_one(s, destination, first, numbers)
    elif second.op == op.CONST and second.imm == 0:
        _shuffle_with_zeros(s, destination, first, second, numbers)
    elif first.op == op.CONST and first.imm == 0:
        _shuffle_with_zeros(s, destination, second, first, tuple([number ^ 16 for number in numbers]))
    else:
        _shuffle_two(s, destination, first, second, numbers)


def splat_of_lane(imm: int, width: int) -> int:
    """The number of the lane that a shuffle of one operand puts everywhere, else -1."""
    found = _ONE.get(tuple(imm.to_bytes(16, "little")))
    form = SPLAT_LANE[width]
    return found[1] >> width + 17 if found is not None and found[0] is form else -1


def _constant(s: ConditionLowering, numbers: _Pattern) -> int:
    return s.vector_constant(int.from_bytes(bytes(numbers), "little"))


def _rotation(numbers: _Pattern, modulus: int) -> int:
    """The number of the first byte if the others follow it, else -1."""
    start = numbers[0]
    for place, number in enumerate(numbers):
        if number != (start + place) % modulus:
            return -1
    return start


def _insertion(numbers: _Pattern, base: int) -> tuple[int, int, int] | None:
    """When all is in its place in one operand (`base`: the number of its first byte), but for one lane: width of that
    lane, its number, and the number of the lane (of both operands) that it comes from."""
    wrong = [place for place, number in enumerate(numbers) if number != base + place]
    for width in (B, H, S, D):
        size = 1 << width
        place = wrong[0] // size
        if wrong[-1] // size != place:
            continue
        source = numbers[place * size]
        if source % size or any(numbers[place * size + byte] != source + byte for byte in range(size)):
            continue
        return width, place, source // size
    return None


def _shuffle_one(s: ConditionLowering, destination: int, value: Inst, numbers: _Pattern) -> None:
    found = _ONE.get(numbers)
    if found is not None:
        s.emit(MInst(found[0], [destination], [s.use(value)], found[1]))
        return
    start = _rotation(numbers, 16)
    if start >= 0:
        register = s.use(value)
        s.emit(MInst(BYTES_FROM, [destination], [register, register], start << 11))
        return
    form = _TWICE.get(numbers)
    if form is not None:
        register = s.use(value)
        s.emit(MInst(form, [destination], [register, register], 0))
        return
    inserted = _insertion(numbers, 0)
    if inserted is not None:
        register = s.use(value)
        _insert(s, destination, register, register, inserted)
        return
    s.emit(MInst(_TABLE, [destination], [s.use(value), _constant(s, numbers)], 0))


def _insert(s: ConditionLowering, destination: int, base: int, other: int, inserted: tuple[int, int, int]) -> None:
    width, place, source = inserted
    imm = lane(width, place) | source_lane(width, source & (16 >> width) - 1)
    s.emit(MInst(INSERT_LANE[width], [destination], [base, other], imm))


def _shuffle_with_zeros(s: ConditionLowering, destination: int, value: Inst, zero: Inst, numbers: _Pattern) -> None:
    """Numbers below 16 are bytes of the value, others are zero."""
    known = tuple([number if number < 16 else _NONE for number in numbers])
    form = _EXTENDED.get(known)
    if form is not None:
        s.emit(MInst(form, [destination], [s.use(value)], left(0)))
        return
    shifted = _SHIFTED.get(known)
    if shifted is not None:
        uses = [s.use(zero), s.use(value)] if shifted < 0 else [s.use(value), s.use(zero)]
        s.emit(MInst(BYTES_FROM, [destination], uses, (shifted & 15) << 11))
        return
    s.emit(MInst(_TABLE, [destination], [s.use(value), _constant(s, known)], 0))


def _shuffle_two(s: ConditionLowering, destination: int, first: Inst, second: Inst, numbers: _Pattern) -> None:
    for x, y, turned in ((first, second, numbers), (second, first, tuple([number ^ 16 for number in numbers]))):
        form = _TWO.get(turned)
        if form is not None:
            s.emit(MInst(form, [destination], [s.use(x), s.use(y)], 0))
            return
        start = _rotation(turned, 32)
        if 0 <= start < 16:
            s.emit(MInst(BYTES_FROM, [destination], [s.use(x), s.use(y)], start << 11))
            return
    for base, x in ((0, first), (16, second)):
        inserted = _insertion(numbers, base)
        if inserted is not None:
            from_first = inserted[2] << inserted[0] < 16
            _insert(s, destination, s.use(x), s.use(first if from_first else second), inserted)
            return
    fixed: list[tuple[int | Inst, int]] = list(zip((s.value(first), s.value(second)), TABLE_REGISTERS))
    s.emit(MFixed(TABLE_OF_TWO, [destination], [_constant(s, numbers)], 0, fixed, [], 0))


_TABLE: Final = on_registers(v.TBL_VVV)
