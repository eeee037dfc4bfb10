"""Decoding constant expressions (core specification, section "Binary Format", "Expressions")."""

from __future__ import annotations

from wasm_core import opcodes as op
from wasm_core.errors import MalformedError
from wasm_core.immediates import read_immediates, read_opcode
from wasm_core.instructions import BY_OPCODE, IMM_BLOCK, is_enabled
from wasm_core.module import ConstExpr
from wasm_core.reader import Reader
from wasm_core.type_codes import VALUE_TYPE_OF
from wasm_core.types import ValueType


def read_const_expr(reader: Reader) -> ConstExpr:
    """Read an expression up to and with its `end`.

    Any well-formed expression is read: which instructions are constant is for the validator to say, so those that are
    not appear in the result with 0 for their immediate.

    Raises:
        MalformedError: An opcode is illegal, immediates are malformed, or there is no `end`.
    """
    data = reader.data
    end = reader.end
    pos = reader.pos
    start = pos
    instructions: list[tuple[int, int | ValueType]] = []
    depth = 0
    while True:
        if pos >= end:
            raise MalformedError("unexpected end", pos)
        at = pos
        opcode, pos = read_opcode(data, pos, end)
        if opcode == op.END:
            if depth == 0:
                reader.pos = pos
                return ConstExpr(tuple(instructions), start)
            depth -= 1
            continue
        instruction = BY_OPCODE.get(opcode)
        if instruction is None or not is_enabled(instruction, reader.features):
            raise MalformedError(f"illegal opcode {opcode:02x}", at)
        immediates, pos = read_immediates(data, pos, end, instruction.immediate)
        if instruction.immediate == IMM_BLOCK:
            depth += 1
        if opcode == op.REF_NULL:
            instructions.append((opcode, VALUE_TYPE_OF[immediates[0]]))
        else:
            instructions.append((opcode, immediates[0] if len(immediates) == 1 else 0))
