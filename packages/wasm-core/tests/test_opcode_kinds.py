"""The validator's dispatch tables are what follows from the table of instructions."""

from __future__ import annotations

import pytest

from wasm_core import opcode_kinds as kinds
from wasm_core import opcodes as op
from wasm_core.features import Features
from wasm_core.instructions import IMM_MEMARG, IMM_NONE, find, is_enabled
from wasm_core.opcode_kinds import OpcodeKinds

_SPECIAL = {
    op.LOCAL_GET: kinds.LOCAL_GET,
    op.LOCAL_SET: kinds.LOCAL_SET,
    op.LOCAL_TEE: kinds.LOCAL_TEE,
    op.I32_CONST: kinds.CONST_INT,
    op.I64_CONST: kinds.CONST_INT,
    op.F32_CONST: kinds.CONST_FLOAT,
    op.F64_CONST: kinds.CONST_FLOAT,
    op.BR_IF: kinds.BR_IF,
    op.END: kinds.END,
    op.CALL: kinds.CALL,
    op.BLOCK: kinds.BLOCK,
    op.LOOP: kinds.BLOCK,
    op.IF: kinds.BLOCK,
    op.ELSE: kinds.ELSE,
    op.BR: kinds.BR,
    op.BR_TABLE: kinds.BR_TABLE,
    op.RETURN: kinds.RETURN,
    op.UNREACHABLE: kinds.UNREACHABLE,
    op.NOP: kinds.NOP,
    op.GLOBAL_GET: kinds.GLOBAL_GET,
    op.GLOBAL_SET: kinds.GLOBAL_SET,
    op.SELECT: kinds.SELECT,
    op.DROP: kinds.DROP,
    op.TRY_TABLE: kinds.BLOCK,
    op.TRY: kinds.BLOCK,
    op.CATCH: kinds.CATCH,
    op.CATCH_ALL: kinds.CATCH,
    op.DELEGATE: kinds.DELEGATE,
    op.RETHROW: kinds.RETHROW,
    **dict.fromkeys(
        (op.RETURN_CALL, op.RETURN_CALL_INDIRECT, op.RETURN_CALL_REF, op.THROW, op.THROW_REF),
        kinds.RARE_EXIT,
    ),
}

_NAMES = [name for name in vars(Features) if not name.startswith("_") and isinstance(getattr(Features(), name), bool)]


def expected(features: Features) -> dict[str, list[int]]:
    made = {
        "kinds": [kinds.ILLEGAL] * 256,
        "operands": [0] * 256,
        "results": [0] * 256,
        "max_align": [0] * 256,
    }
    for byte in range(256):
        instruction = find(byte)
        if instruction is None:
            continue
        params = instruction.params
        outcome = instruction.results
        kind = _SPECIAL.get(byte, kinds.RARE)
        if outcome:
            made["results"][byte] = outcome[0]
        if params:
            # Of a store, the value; the address below it is the memory's matter.
            made["operands"][byte] = params[-1]
        if instruction.immediate == IMM_MEMARG:
            kind = kinds.LOAD if outcome else kinds.STORE
            made["max_align"][byte] = instruction.access_size.bit_length() - 1
        elif instruction.immediate == IMM_NONE and params and outcome:
            kind = kinds.UNARY if len(params) == 1 else kinds.BINARY
        if is_enabled(instruction, features):
            made["kinds"][byte] = kind
    # All of the instructions with a prefix: their handlers ask the features.
    for prefix in (0xFB, 0xFC, 0xFD, 0xFE):
        made["kinds"][prefix] = kinds.RARE
    return made


@pytest.mark.parametrize("name", [*_NAMES, "all", "none"])
def test_tables(name: str) -> None:
    """With each feature alone."""
    features = Features(**{each: name in (each, "all") for each in _NAMES})
    found = OpcodeKinds(features)
    for table, rows in expected(features).items():
        assert getattr(found, table) == rows, f"{table}: {bytes(rows).hex()}"
