"""Tables: elements and size; growing and the bulk instructions are in `bulk_tables`."""

from __future__ import annotations

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_u32
from wasm_ir import opcodes as ir
from wasm_ir.frontend.known_tables import known_table
from wasm_ir.frontend.memory import push_size, widened
from wasm_ir.frontend.state import State
from wasm_ir.ir import Inst
from wasm_ir.types import I64, POINTER
from wasm_ir.vmcontext import TABLE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_OUT_OF_BOUNDS: Final = TrapCode.TABLE_OUT_OF_BOUNDS.value
#: An element takes 8 bytes.
ELEMENT_BITS: Final = 3


def table_field(s: State, table: int, field: str) -> Inst:
    """A field of a TABLE structure; they change when the table grows."""
    structure = s.context_pointer(s.layout.tables + 8 * table)
    return s.builder.load(ir.LOAD, I64, structure, TABLE[field])


def element_address(s: State, base: Inst, index: Inst) -> Inst:
    """The address of element `index` (an i64)."""
    builder = s.builder
    scaled = builder.binary(ir.SHL, I64, index, builder.const(I64, ELEMENT_BITS))
    return builder.binary(ir.IADD, POINTER, base, scaled)


def _checked_address(s: State, table: int, index: Inst, code: int) -> Inst:
    """The address of element `index`; traps with `code` if there is none."""
    builder = s.builder
    wide = widened(s, index)
    known = known_table(s.layout, s.module, table)
    if known is not None:
        builder.trap_if(builder.icmp(ir.GE_U, index, builder.const(index.type, known.size)), code)
        structure = s.context_pointer(s.layout.tables + 8 * table)
        elements = builder.load(ir.LOAD_INVARIANT, POINTER, structure, TABLE["elements"])
        return element_address(s, elements, wide)
    builder.trap_if(builder.icmp(ir.GE_U, wide, table_field(s, table, "size")), code)
    return element_address(s, table_field(s, table, "elements"), wide)


def table_element(s: State, table: int, index: Inst, code: int) -> Inst:
    """Element `index` of a table; traps with `code` if there is none."""
    return s.builder.load(ir.LOAD, POINTER, _checked_address(s, table, index, code), 0)


# Instructions.


def table_get(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    stack = s.stack
    stack[-1] = table_element(s, table, stack[-1], _OUT_OF_BOUNDS)
    return pos


def table_set(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    value = s.stack.pop()
    address = _checked_address(s, table, s.stack.pop(), _OUT_OF_BOUNDS)
    s.builder.store(ir.STORE, address, value, 0)
    return pos


def table_size(s: State, pos: int) -> int:
    table, pos = read_u32(s.source, pos, s.end)
    push_size(s, table_field(s, table, "size"), s.module.tables[table].is64)
    return pos
