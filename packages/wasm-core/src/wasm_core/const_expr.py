"""Decoding constant expressions (core specification, section "Binary Format", "Expressions")."""

from __future__ import annotations

from wasm_core import constant_opcodes as op
from wasm_core.errors import MalformedError
from wasm_core.leb128 import read_s32, read_s64, read_u32
from wasm_core.module import ConstExpr, Immediate
from wasm_core.reader import Reader, switched_off
from wasm_core.types import ValueType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# How the immediate of the usual ones is read. They need none of the tables that describe all instructions.
_READERS: Final = {
    op.I32_CONST: read_s32,
    op.I64_CONST: read_s64,
    op.GLOBAL_GET: read_u32,
}


def read_const_expr(reader: Reader) -> ConstExpr:
    """Read an expression up to and with its `end`.

    Any well-formed expression is read: which instructions are constant is for the validator to say.

    Raises:
        MalformedError: An opcode is illegal, immediates are malformed, or there is no `end`.
    """
    data = reader.data
    end = reader.end
    start = reader.pos
    if start < end:
        opcode = data[start]
        read = _READERS.get(opcode)
        if read is not None:
            immediate, pos = read(data, start + 1, end)
            if pos < end and data[pos] == op.END:
                reader.pos = pos + 1
                return ConstExpr(((opcode, immediate),), start, pos + 1)
    return _read_any(reader)


def _read_any(reader: Reader) -> ConstExpr:
    """The same for expressions of any form."""
    from wasm_core.immediates import read_immediates, read_opcode
    from wasm_core.instructions import IMM_BLOCK, IMM_BLOCK_CATCHES, find, is_enabled
    from wasm_core.opcodes import DELEGATE

    data = reader.data
    end = reader.end
    pos = reader.pos
    start = pos
    instructions: list[tuple[int, Immediate]] = []
    depth = 0
    while True:
        if pos >= end:
            raise MalformedError("unexpected end", pos)
        at = pos
        opcode, pos = read_opcode(data, pos, end)
        if opcode == op.END:
            if depth == 0:
                reader.pos = pos
                return ConstExpr(tuple(instructions), start, pos)
            depth -= 1
            instructions.append((opcode, 0))
            continue
        instruction = find(opcode)
        if instruction is None:
            raise MalformedError(f"illegal opcode {opcode:02x}", at)
        if not is_enabled(instruction, reader.features):
            raise switched_off(instruction.name, instruction.feature, at)
        if opcode == op.REF_NULL:
            reader.pos = pos
            heap_type = reader.heap_type()
            pos = reader.pos
            if isinstance(heap_type, int):
                heap_type = ValueType.reference(reader.defined_type(heap_type, at))
            instructions.append((opcode, heap_type))
            continue
        immediates, pos = read_immediates(data, pos, end, instruction.immediate)
        if instruction.immediate in (IMM_BLOCK, IMM_BLOCK_CATCHES):
            depth += 1
        elif opcode == DELEGATE:
            depth -= 1
        instructions.append((opcode, immediates[0] if len(immediates) == 1 else immediates or 0))
