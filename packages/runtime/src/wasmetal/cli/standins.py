"""What stands in for imports that nothing provides (`run --stub`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wasm_core.errors import Trap, TrapCode
from wasm_core.quoting import quoted
from wasm_core.types import (
    FuncType,
    GlobalType,
    ImportType,
    MemoryType,
    TableType,
    TagType,
    ValueType,
)
from wasmetal.globals import Global
from wasmetal.instance import Instance
from wasmetal.memory import Memory
from wasmetal.module import Module
from wasmetal.table import Table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

#: In the place of a module's name: all imports that nothing else provides.
ALL: Final = "*"
_ZEROS: Final[dict[ValueType, object]] = {
    ValueType.I32: 0,
    ValueType.I64: 0,
    ValueType.F32: 0.0,
    ValueType.F64: 0.0,
    ValueType.V128: bytes(16),
}

Space = Mapping[str, object] | Instance


def of_space(module: Module, space: str) -> dict[str, object]:
    """Objects for all that a module imports from somewhere: functions do nothing and return zeros."""
    return _made([(entry, _zeros) for entry in module.imports if entry.module == space])


def of_missing(module: Module, given: Mapping[str, Space]) -> dict[str, Space]:
    """`given`, and objects for all that a module imports and it has not: functions trap and name the import."""
    missing: dict[str, list[tuple[ImportType, _MakesFunction]]] = {}
    for entry in module.imports:
        space = given.get(entry.module, {})
        if entry.name not in (space.exports if isinstance(space, Instance) else space):
            missing.setdefault(entry.module, []).append((entry, _trapping))
    found = dict(given)
    for name, entries in missing.items():
        space = given.get(name, {})
        exports: Mapping[str, object] = space.exports if isinstance(space, Instance) else space
        # (one by one: what a mapping has only for those who ask, as that of WASI, is not in a copy)
        named = {
            entry.name: exports[entry.name]
            for entry in module.imports
            if entry.module == name and entry.name in exports
        }
        found[name] = named | _made(entries)
    return found


_MakesFunction = Callable[[ImportType, FuncType], Callable[..., object]]


def _made(entries: list[tuple[ImportType, _MakesFunction]]) -> dict[str, object]:
    made: dict[str, object] = {}
    for entry, function in entries:
        if entry.name in made:
            # Two imports of one name: the type of the second may be another, which linking will say.
            continue
        if isinstance(entry.type, FuncType):
            made[entry.name] = function(entry, entry.type)
            continue
        with_type = _OTHERS[type(entry.type)](entry.type)
        if with_type is not None:
            made[entry.name] = with_type
    return made


def _zeros(entry: ImportType, type: FuncType) -> Callable[..., object]:
    zeros = tuple(_ZEROS.get(result) for result in type.results)
    result = zeros[0] if len(zeros) == 1 else zeros or None
    return lambda *args: result


def _trapping(entry: ImportType, type: FuncType) -> Callable[..., object]:
    message = f"{quoted(entry.module)}.{quoted(entry.name)} was called, an import that only --stub provides"

    def stub(*args: object) -> object:
        raise Trap(TrapCode.UNREACHABLE, message)

    return stub


def _global(type: GlobalType) -> object:
    try:
        return Global(type, _ZEROS.get(type.value_type))
    except TypeError:
        # A reference that cannot be null: there is nothing to be made up, and linking will say that it is missing.
        return None


def _table(type: TableType) -> object:
    try:
        return Table(type)
    except TypeError:
        return None


def _tag(type: TagType) -> object:
    # Few programs have any, so the start of none waits for it.
    from wasmetal.exceptions import Tag

    return Tag(type.type)


_OTHERS: Final[dict[type, Callable[[Any], object]]] = {
    GlobalType: _global,
    TableType: _table,
    MemoryType: Memory,
    TagType: _tag,
}
