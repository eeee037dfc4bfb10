"""Dispatch tables of the body validator for one set of features."""

from __future__ import annotations

from wasm_core.features import Features

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

# What follows from the table of instructions for every byte, with all features: reading that takes long, and a program
# that has something to compile waits for it. tests/test_opcode_kinds.py has the rules.
# fmt: off
_KINDS: Final = bytes.fromhex(
    "12140a0a0a0f0a18171a17080b0715110916171716171b1b1918100e161b1b0a1c02030c0d16161b0404040404040404"
    "040404040404050505050505050505161601011313060000000000000000000006000000000000000000000000000000"
    "000000000000000606060000000000000000000000000000000606060000000000000000000000000000000606060606"
    "060600000000000000060606060606060000000000000006060606060606060606060606060606060606060606060606"
    "06060606061b1b1b1b1b1b1b1b1b1b1b161616001616161b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b1b"
    "1b1b1b1b1b1b1b1b1b1b1b161616161b"
)
_OPERANDS: Final = bytes.fromhex(
    "000000000000000000000000000000000000000000000000000000000000000000000000000000007f7f7f7f7f7f7f7f"
    "7f7f7f7f7f7f7f7e7d7c7f7f7e7e7e007f000000007f7f7f7f7f7f7f7f7f7f7f7e7e7e7e7e7e7e7e7e7e7e7d7d7d7d7d"
    "7d7c7c7c7c7c7c7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7d7d7d7d7d"
    "7d7d7d7d7d7d7d7d7d7c7c7c7c7c7c7c7c7c7c7c7c7c7c7e7d7d7c7c7f7f7d7d7c7c7f7f7e7e7c7f7f7e7e7d7d7c7f7e"
    "7f7f7e7e7e00000000000000000000000000006d00000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000"
)
_RESULTS: Final = bytes.fromhex(
    "000000000000000000000000000000000000000000000000000000000000000000000000000000007f7e7d7c7f7f7f7f"
    "7e7e7e7e7e7e0000000000000000007f7f7f7e7d7c7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f"
    "7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7f7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7e7d7d7d7d7d"
    "7d7d7d7d7d7d7d7d7d7c7c7c7c7c7c7c7c7c7c7c7c7c7c7f7f7f7f7f7e7e7e7e7e7e7d7d7d7d7d7c7c7c7c7c7f7e7d7c"
    "7f7f7e7e7e00000000000000000000000000707f00000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000"
)
_MAX_ALIGN: Final = bytes.fromhex(
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000203020300000101"
    "000001010202020302030001000102000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
    "00000000000000000000000000000000"
)
# fmt: on
#: The bytes that need one of some features.
_NEEDED: Final = (
    (("exceptions", "legacy_exceptions"), b"\x08"),
    (("exceptions",), b"\x0a\x1f"),
    (("legacy_exceptions",), b"\x06\x07\x09\x18\x19"),
    (("tail_calls",), b"\x12\x13"),
    (("reference_types",), b"\x1c\x25\x26\xd0\xd1\xd2"),
    (("function_references",), b"\x14\x15\xd4\xd5\xd6"),
    (("gc",), b"\xd3"),
    (("sign_extension",), b"\xc0\xc1\xc2\xc3\xc4"),
)


class OpcodeKinds:
    """For every byte: how to treat it, and what a plain instruction takes and gives."""

    __slots__ = ("kinds", "max_align", "operands", "results")

    def __init__(self, features: Features) -> None:
        kinds = list(_KINDS)
        for names, opcodes in _NEEDED:
            if not any(getattr(features, name) for name in names):
                for opcode in opcodes:
                    kinds[opcode] = ILLEGAL
        #: Lists, because the interpreter indexes them faster than bytes.
        self.kinds: Final = kinds
        #: The type of the last operand; of a store, the value. Both operands of a BINARY one have the same type.
        self.operands: Final = list(_OPERANDS)
        self.results: Final = list(_RESULTS)
        #: Exponent of the natural alignment of a LOAD or STORE.
        self.max_align: Final = list(_MAX_ALIGN)


_made: Final[dict[Features, OpcodeKinds]] = {}


def kinds_for(features: Features) -> OpcodeKinds:
    """The tables for some features; made once."""
    found = _made.get(features)
    if found is None:
        found = _made[features] = OpcodeKinds(features)
    return found
