"""What follows opcodes in code that is passed over: the table is what follows from the table of instructions."""

from __future__ import annotations

from wasm_core import opcodes as wasm
from wasm_core.instructions import find
from wasm_ir.frontend import skipping

_SPECIAL = {
    wasm.ELSE: skipping._ELSE,
    wasm.CATCH_ALL: skipping._ELSE,
    wasm.END: skipping._END,
    wasm.CATCH: skipping._CATCH,
    wasm.DELEGATE: skipping._DELEGATE,
}


def _shape(byte: int) -> int:
    if byte in _SPECIAL:
        return _SPECIAL[byte]
    instruction = find(byte)
    if instruction is None:  # a prefix, as the code is valid
        return skipping._PREFIX
    return skipping._SHAPE_OF_IMMEDIATE.get(instruction.immediate, skipping._ANY)


def test_shapes() -> None:
    expected = bytes([_shape(byte) for byte in range(256)])
    assert expected == skipping._SHAPES, expected.hex()
