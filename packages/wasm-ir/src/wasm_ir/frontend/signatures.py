"""WebAssembly types as IR types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from weakref import WeakKeyDictionary

from wasm_core import type_codes
from wasm_core.module import DecodedModule
from wasm_core.types import FuncType, ValueType
from wasm_ir import types
from wasm_ir.ir import Signature

#: Byte of a value type in the binary format -> IR type.
IR_TYPE_OF_CODE: Final[dict[int, int]] = {
    type_codes.I32: types.I32,
    type_codes.I64: types.I64,
    type_codes.F32: types.F32,
    type_codes.F64: types.F64,
    type_codes.V128: types.V128,
    type_codes.FUNCREF: types.POINTER,
    type_codes.EXTERNREF: types.POINTER,
}
_IR_TYPE: Final[dict[ValueType, int]] = {
    value_type: IR_TYPE_OF_CODE[code] for value_type, code in type_codes.CODE_OF.items()
}


def ir_type(value_type: ValueType) -> int:
    """The IR type of a value."""
    return _IR_TYPE[value_type]


def _ir_types(value_types: Iterable[ValueType]) -> tuple[int, ...]:
    return tuple([_IR_TYPE[t] for t in value_types])


class ModuleSignatures:
    """The entries of a module's type section as signatures, made when first asked for."""

    def __init__(self, func_types: tuple[FuncType, ...]) -> None:
        self._func_types = func_types
        self._made: list[Signature | None] = [None] * len(func_types)

    def get(self, index: int) -> Signature:
        """Entry `index`."""
        found = self._made[index]
        if found is None:
            func_type = self._func_types[index]
            found = self._made[index] = Signature(_ir_types(func_type.params), _ir_types(func_type.results))
        return found


_signatures: Final[WeakKeyDictionary[DecodedModule, ModuleSignatures]] = WeakKeyDictionary()


def signatures_of(module: DecodedModule) -> ModuleSignatures:
    """The signatures of a module."""
    found = _signatures.get(module)
    if found is None:
        found = _signatures[module] = ModuleSignatures(module.types)
    return found
