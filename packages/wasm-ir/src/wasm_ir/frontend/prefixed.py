"""Instructions with the prefix 0xFC: saturating truncations, bulk instructions, arithmetic on 128 bits."""

from __future__ import annotations

from collections.abc import Callable

from wasm_core import opcodes as wasm
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir import types
from wasm_ir.frontend import bulk_memory, bulk_tables, tables
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst
from wasm_ir.types import I32, I64
from wasm_ir.vmcontext import not_yet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_Handler = Callable[[State, int], int]

#: Second opcode of the saturating truncations (after the prefix 0xFC) -> (operation, type).
_SATURATING: Final = (
    (ir.FTOI_SAT_S, I32),
    (ir.FTOI_SAT_U, I32),
    (ir.FTOI_SAT_S, I32),
    (ir.FTOI_SAT_U, I32),
    (ir.FTOI_SAT_S, I64),
    (ir.FTOI_SAT_U, I64),
    (ir.FTOI_SAT_S, I64),
    (ir.FTOI_SAT_U, I64),
)


def prefixed_instruction(s: State, pos: int) -> int:
    """Translate the instruction whose number is at `pos`; the position behind it."""
    number, pos = read_u32(s.source, pos, s.end)
    if number < len(_SATURATING):
        operation, type = _SATURATING[number]
        s.stack[-1] = s.builder.unary(operation, type, s.stack[-1])
        return pos
    handler = _HANDLERS.get(number)
    if handler is None:
        from wasm_core.instructions import find

        instruction = find(0xFC000 | number)
        assert instruction is not None
        raise not_yet(instruction.name, instruction.feature, s.where)
    return handler(s, pos)


def _add128(s: State, pos: int) -> int:
    """The sum of two numbers of 128 bits: (low, high) and (low, high)."""
    builder = s.builder
    low, high, right_low, right_high = _pop_two_pairs(s)
    sum_low = builder.binary(ir.IADD, types.I64, low, right_low)
    carry = builder.unary(ir.EXTEND_U, types.I64, builder.icmp(ir.LT_U, sum_low, right_low))
    sum_high = builder.binary(ir.IADD, types.I64, high, right_high)
    s.stack.extend((sum_low, builder.binary(ir.IADD, types.I64, sum_high, carry)))
    return pos


def _sub128(s: State, pos: int) -> int:
    """The difference of two numbers of 128 bits."""
    builder = s.builder
    low, high, right_low, right_high = _pop_two_pairs(s)
    borrow = builder.unary(ir.EXTEND_U, types.I64, builder.icmp(ir.LT_U, low, right_low))
    difference_high = builder.binary(ir.ISUB, types.I64, high, right_high)
    difference_low = builder.binary(ir.ISUB, types.I64, low, right_low)
    s.stack.extend((difference_low, builder.binary(ir.ISUB, types.I64, difference_high, borrow)))
    return pos


def _pop_two_pairs(s: State) -> list[Inst]:
    operands = s.stack[-4:]
    del s.stack[-4:]
    return operands


def _mul_wide_s(s: State, pos: int) -> int:
    return _mul_wide(s, pos, ir.MULHI_S)


def _mul_wide_u(s: State, pos: int) -> int:
    return _mul_wide(s, pos, ir.MULHI_U)


def _mul_wide(s: State, pos: int, high: int) -> int:
    """Both halves of a product."""
    builder = s.builder
    right = s.stack.pop()
    left = s.stack.pop()
    low = builder.binary(ir.IMUL, types.I64, left, right)
    s.stack.extend((low, builder.binary(high, types.I64, left, right)))
    return pos


#: By the number after the prefix 0xFC.
_HANDLERS: Final[dict[int, _Handler]] = {
    opcode & 0xFFF: handler
    for opcode, handler in (
        (wasm.MEMORY_INIT, bulk_memory.memory_init),
        (wasm.DATA_DROP, bulk_memory.data_drop),
        (wasm.MEMORY_COPY, bulk_memory.memory_copy),
        (wasm.MEMORY_FILL, bulk_memory.memory_fill),
        (wasm.TABLE_INIT, bulk_tables.table_init),
        (wasm.ELEM_DROP, bulk_tables.elem_drop),
        (wasm.TABLE_COPY, bulk_tables.table_copy),
        (wasm.TABLE_GROW, bulk_tables.table_grow),
        (wasm.TABLE_SIZE, tables.table_size),
        (wasm.TABLE_FILL, bulk_tables.table_fill),
        (wasm.I64_ADD128, _add128),
        (wasm.I64_SUB128, _sub128),
        (wasm.I64_MUL_WIDE_S, _mul_wide_s),
        (wasm.I64_MUL_WIDE_U, _mul_wide_u),
    )
}
