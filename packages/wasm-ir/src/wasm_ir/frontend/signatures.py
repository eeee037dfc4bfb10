"""WebAssembly types as IR types."""

from __future__ import annotations

from collections.abc import Iterable
from weakref import WeakKeyDictionary

from wasm_core import type_codes
from wasm_core.module import DecodedModule
from wasm_core.types import CompositeType, FuncType, ValueType
from wasm_ir import types
from wasm_ir.ir import Signature
from wasm_ir.vmcontext import check_supported

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Byte of a value type in the binary format -> IR type.
IR_TYPE_OF_CODE: Final[dict[int, int]] = {
    type_codes.I32: types.I32,
    type_codes.I64: types.I64,
    type_codes.F32: types.F32,
    type_codes.F64: types.F64,
    type_codes.V128: types.V128,
    type_codes.FUNCREF: types.POINTER,
    type_codes.EXTERNREF: types.POINTER,
    type_codes.EXNREF: types.POINTER,
    type_codes.NULLEXNREF: types.POINTER,
}
_IR_TYPE: Final[dict[ValueType, int]] = {
    type_codes.VALUE_TYPE_OF[code]: ir_type for code, ir_type in IR_TYPE_OF_CODE.items()
}


def ir_type(value_type: ValueType) -> int:
    """The IR type of a value. References are addresses; those to objects of the garbage collector can only be null."""
    return _IR_TYPE.get(value_type, types.POINTER)


def ir_type_of_code(code: int) -> int:
    """The IR type of a value whose type has a code."""
    return IR_TYPE_OF_CODE.get(code, types.POINTER)


def _ir_types(value_types: Iterable[ValueType]) -> tuple[int, ...]:
    return tuple([ir_type(t) for t in value_types])


class ModuleSignatures:
    """The entries of a module's type section as signatures, made when first asked for."""

    def __init__(self, types: tuple[CompositeType, ...]) -> None:
        self._types = types
        self._made: list[Signature | None] = [None] * len(types)

    def get(self, index: int) -> Signature:
        """Entry `index`, which must be a function type."""
        found = self._made[index]
        if found is None:
            func_type = self._types[index]
            assert isinstance(func_type, FuncType)
            found = self._made[index] = Signature(_ir_types(func_type.params), _ir_types(func_type.results))
        return found


_signatures: Final[WeakKeyDictionary[DecodedModule, ModuleSignatures]] = WeakKeyDictionary()


def signatures_of(module: DecodedModule) -> ModuleSignatures:
    """The signatures of a module.

    Raises:
        Unsupported: No code can be made for the module yet.
    """
    found = _signatures.get(module)
    if found is None:
        check_supported(module)
        found = _signatures[module] = ModuleSignatures(module.types)
    return found
