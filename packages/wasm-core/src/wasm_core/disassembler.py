"""Iterating over the instructions of a function body, for tools and messages.

This reads what is there without validating it. The compiler has faster loops of its own.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from wasm_core.errors import MalformedError
from wasm_core.immediates import read_immediates, read_opcode
from wasm_core.instructions import (
    CATCH_ALL,
    IMM_BLOCK,
    IMM_BLOCK_CATCHES,
    IMM_CAST_LABEL,
    IMM_DATA_MEMORY,
    IMM_ELEM_TABLE,
    IMM_F32,
    IMM_F64,
    IMM_HEAP_TYPE,
    IMM_MEMARG,
    IMM_MEMARG_LANE,
    IMM_MEMORY,
    IMM_MEMORY_MEMORY,
    IMM_REF_TYPE,
    IMM_SELECT_TYPES,
    IMM_TYPE_TABLE,
    IMM_V128,
    IMM_ZERO,
    Instruction,
    find,
)
from wasm_core.leb128 import read_u32
from wasm_core.module import DecodedModule
from wasm_core.reader import read_value_type
from wasm_core.type_codes import EMPTY_BLOCK, heap_type_name, type_name

_CLAUSES = ("catch", "catch_ref", "catch_all", "catch_all_ref")


def read_local_groups(source: bytes, start: int, end: int) -> tuple[list[tuple[int, int]], int]:
    """The local declarations of the code entry `source[start:end]`, each (count, type code), and the position after.

    Raises:
        MalformedError: The declarations are malformed.
    """
    groups: list[tuple[int, int]] = []
    count, pos = read_u32(source, start, end)
    for _ in range(count):
        size, pos = read_u32(source, pos, end)
        code, pos = read_value_type(source, pos, end)
        groups.append((size, code))
    return groups, pos


def instructions_between(source: bytes, pos: int, end: int) -> Iterator[tuple[int, Instruction, tuple[int, ...]]]:
    """The instructions in `source[pos:end]`: offset of the opcode, instruction, immediates as of `read_immediates`.

    Raises:
        MalformedError: An opcode is illegal or an immediate malformed.
    """
    while pos < end:
        at = pos
        opcode, pos = read_opcode(source, pos, end)
        instruction = find(opcode)
        if instruction is None:
            raise MalformedError(f"illegal opcode {opcode:02x}", at)
        immediates, pos = read_immediates(source, pos, end, instruction.immediate)
        yield at, instruction, immediates


def disassemble(module: DecodedModule, index: int) -> Iterator[tuple[int, Instruction, tuple[int, ...]]]:
    """The instructions of function `index` of the function index space, which must not be an imported one."""
    start, end = module.body(index)
    _, pos = read_local_groups(module.source, start, end)
    return instructions_between(module.source, pos, end)


def format_instruction(instruction: Instruction, immediates: tuple[int, ...]) -> str:
    """An instruction in the notation of the text format.

    Floats appear as decimal numbers, so the payload of a NaN does not show.
    """
    text = _format_immediates(instruction, immediates)
    return f"{instruction.name} {text}" if text else instruction.name


def _format_immediates(instruction: Instruction, immediates: tuple[int, ...]) -> str:
    kind = instruction.immediate
    if kind == IMM_BLOCK:
        return _format_block_type(immediates[0])
    if kind == IMM_BLOCK_CATCHES:
        words = [_format_block_type(immediates[0])]
        for at in range(1, len(immediates), 3):
            clause, tag, label = immediates[at : at + 3]
            operands = str(label) if clause >= CATCH_ALL else f"{tag} {label}"
            words.append(f"({_CLAUSES[clause]} {operands})")
        return " ".join(words).lstrip()
    if kind in (IMM_MEMARG, IMM_MEMARG_LANE):
        words = [str(immediates[2])] if immediates[2] else []
        if immediates[1]:
            words.append(f"offset={immediates[1]}")
        if 1 << immediates[0] != instruction.access_size:
            words.append(f"align={1 << immediates[0]}")
        words.extend([str(lane) for lane in immediates[3:]])
        return " ".join(words)
    if kind == IMM_F32:
        return str(struct.unpack("<f", immediates[0].to_bytes(4, "little"))[0])
    if kind == IMM_F64:
        return str(struct.unpack("<d", immediates[0].to_bytes(8, "little"))[0])
    if kind == IMM_V128:
        lanes = struct.unpack("<4I", immediates[0].to_bytes(16, "little"))
        return " ".join(["i32x4", *[f"{lane:#010x}" for lane in lanes]])
    if kind == IMM_HEAP_TYPE:
        return heap_type_name(immediates[0])
    if kind == IMM_REF_TYPE:
        return _format_reference(immediates[0], instruction.constant_name.endswith("_NULL"))
    if kind == IMM_CAST_LABEL:
        flags, label, source, target = immediates
        return f"{label} {_format_reference(source, bool(flags & 1))} {_format_reference(target, bool(flags & 2))}"
    if kind == IMM_SELECT_TYPES:
        return f"(result {' '.join([type_name(code) for code in immediates])})"
    if kind == IMM_TYPE_TABLE:
        type_use = f"(type {immediates[0]})"
        return f"{immediates[1]} {type_use}" if immediates[1] else type_use
    if kind == IMM_ZERO:
        return ""
    if kind in (IMM_MEMORY, IMM_MEMORY_MEMORY) and not any(immediates):
        return ""
    if kind == IMM_DATA_MEMORY:
        return f"{immediates[1]} {immediates[0]}" if immediates[1] else str(immediates[0])
    if kind == IMM_ELEM_TABLE:
        return f"{immediates[1]} {immediates[0]}"
    return " ".join([str(value) for value in immediates])


def _format_block_type(block_type: int) -> str:
    if block_type >= 0:
        return f"(type {block_type})"
    return "" if block_type == -EMPTY_BLOCK else f"(result {type_name(-block_type)})"


def _format_reference(heap_type: int, nullable: bool) -> str:
    return f"(ref null {heap_type_name(heap_type)})" if nullable else f"(ref {heap_type_name(heap_type)})"
