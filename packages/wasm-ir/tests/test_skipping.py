"""What follows opcodes in code that is passed over: the table is what follows from the table of instructions."""

from __future__ import annotations

from wasm_core import opcodes as wasm
from wasm_core.instructions import find
from wasm_ir.frontend import immediate_shapes, skipping

_SPECIAL = {
    wasm.ELSE: skipping.ELSE,
    wasm.CATCH_ALL: skipping.ELSE,
    wasm.END: skipping.END,
    wasm.CATCH: skipping.CATCH,
    wasm.DELEGATE: skipping.DELEGATE,
}


def _shape(byte: int) -> int:
    if byte in _SPECIAL:
        return _SPECIAL[byte]
    instruction = find(byte)
    if instruction is None:  # a prefix, as the code is valid
        return skipping.PREFIX
    return immediate_shapes._SHAPE_OF_IMMEDIATE.get(instruction.immediate, skipping.ANY)


def test_shapes() -> None:
    expected = bytes([_shape(byte) for byte in range(256)])
    assert expected == skipping.SHAPES, expected.hex()
