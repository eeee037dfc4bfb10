"""Dispatch tables of the body validator, made from the table of instructions for one set of features."""

from __future__ import annotations

from wasm_core import opcodes as op
from wasm_core.features import Features
from wasm_core.instructions import IMM_MEMARG, IMM_NONE, find, is_enabled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# How the validator's loop treats a single-byte instruction. Below FIRST_RARE, roughly by how common they are.
BINARY: Final = 0
CONST_INT: Final = 1
LOCAL_SET: Final = 2
LOCAL_TEE: Final = 3
LOAD: Final = 4
STORE: Final = 5
UNARY: Final = 6
BR_IF: Final = 7
FIRST_RARE: Final = 8
END: Final = 8
CALL: Final = 9
BLOCK: Final = 10
BR: Final = 11
GLOBAL_GET: Final = 12
GLOBAL_SET: Final = 13
SELECT: Final = 14
ELSE: Final = 15
DROP: Final = 16
RETURN: Final = 17
UNREACHABLE: Final = 18
CONST_FLOAT: Final = 19
NOP: Final = 20
BR_TABLE: Final = 21
#: Handled by a function of `rare_instructions`.
RARE: Final = 22
#: The same, and what follows cannot be reached.
RARE_EXIT: Final = 23
#: catch and catch_all.
CATCH: Final = 24
DELEGATE: Final = 25
RETHROW: Final = 26
#: No instruction, or one of a feature that is switched off.
ILLEGAL: Final = 27
LOCAL_GET: Final = 28

_SPECIAL: Final[dict[int, int]] = {
    op.LOCAL_GET: LOCAL_GET,
    op.LOCAL_SET: LOCAL_SET,
    op.LOCAL_TEE: LOCAL_TEE,
    op.I32_CONST: CONST_INT,
    op.I64_CONST: CONST_INT,
    op.F32_CONST: CONST_FLOAT,
    op.F64_CONST: CONST_FLOAT,
    op.BR_IF: BR_IF,
    op.END: END,
    op.CALL: CALL,
    op.BLOCK: BLOCK,
    op.LOOP: BLOCK,
    op.IF: BLOCK,
    op.ELSE: ELSE,
    op.BR: BR,
    op.BR_TABLE: BR_TABLE,
    op.RETURN: RETURN,
    op.UNREACHABLE: UNREACHABLE,
    op.NOP: NOP,
    op.GLOBAL_GET: GLOBAL_GET,
    op.GLOBAL_SET: GLOBAL_SET,
    op.SELECT: SELECT,
    op.DROP: DROP,
    op.TRY_TABLE: BLOCK,
    op.TRY: BLOCK,
    op.CATCH: CATCH,
    op.CATCH_ALL: CATCH,
    op.DELEGATE: DELEGATE,
    op.RETHROW: RETHROW,
    **dict.fromkeys(
        (op.RETURN_CALL, op.RETURN_CALL_INDIRECT, op.RETURN_CALL_REF, op.THROW, op.THROW_REF),
        RARE_EXIT,
    ),
}


class OpcodeKinds:
    """For every byte: how to treat it, and what a plain instruction takes and gives."""

    __slots__ = ("kinds", "max_align", "operands", "results")

    def __init__(self, features: Features) -> None:
        kinds = [ILLEGAL] * 256
        operands = [0] * 256
        results = [0] * 256
        max_align = [0] * 256
        for byte in range(256):
            instruction = find(byte)
            if instruction is None or not is_enabled(instruction, features):
                continue
            params = instruction.params
            outcome = instruction.results
            kinds[byte] = _SPECIAL.get(byte, RARE)
            if outcome:
                results[byte] = outcome[0]
            if params:
                # Of a store, the value; the address below it is the memory's matter.
                operands[byte] = params[-1]
            if instruction.immediate == IMM_MEMARG:
                kinds[byte] = LOAD if outcome else STORE
                max_align[byte] = instruction.access_size.bit_length() - 1
            elif instruction.immediate == IMM_NONE and params and outcome:
                kinds[byte] = UNARY if len(params) == 1 else BINARY
        # All of the instructions with a prefix: their handlers ask the features.
        kinds[0xFB] = kinds[0xFC] = kinds[0xFD] = kinds[0xFE] = RARE
        #: Lists, because the interpreter indexes them faster than bytes.
        self.kinds: Final = kinds
        #: The type of the (last) operand. Both operands of a BINARY instruction have the same type.
        self.operands: Final = operands
        self.results: Final = results
        #: Exponent of the natural alignment of a LOAD or STORE.
        self.max_align: Final = max_align


_made: Final[dict[Features, OpcodeKinds]] = {}


def kinds_for(features: Features) -> OpcodeKinds:
    """The tables for some features; made once."""
    found = _made.get(features)
    if found is None:
        found = _made[features] = OpcodeKinds(features)
    return found
