"""Linking: finding a module's imports and checking their types.

Core specification, sections "Instantiation" and "Import Subtyping".
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wasm_core.errors import LinkError
from wasm_core.module import ExternKind, Import
from wasm_core.quoting import quoted, shown
from wasm_core.types import PAGE_SIZE, ExternType, FuncType, GlobalType, MemoryType, TableType, TagType
from wasmetal.store import global_cells
from wasmetal.store.functions import FuncHandle, host_function
from wasmetal.store.global_cells import GlobalCell, GlobalHandle
from wasmetal.store.linear_memory import LinearMemory, MemoryHandle
from wasmetal.store.tables import TableHandle, TableStorage, matching_type

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Protocol, TypeGuard, TypeVar

    from wasmetal.compiled.compiled_module import CompiledModule
    from wasmetal.store.members import Instance
    from wasmetal.store.tags import Tag
else:
    from wasm_core.lazy_typing import Protocol


if TYPE_CHECKING:
    _T = TypeVar("_T")
#: Characters of a function type that are shown.
_MAX_TYPE: Final = 400


class PerInstance(Protocol):
    """What a mapping among the imports may have besides: then every instance gets objects of its own.

    That is for host functions that need the memory of the instance they belong to, and cannot afford to ask their
    `Caller` for it each time.
    """

    def for_instance(self) -> tuple[Mapping[str, object], Callable[[Any], None]]:
        """The objects for one new instance, by name, and whom to tell once that instance is there.

        The latter is called when the instance has its memories but none of its code has run. It may get at the memory
        and the exports through the `Caller`, but keeping that would keep the instance alive. What active data segments
        write is there already, or comes later.
        """


class Imports:
    """A module's imports, by kind, each in the order of its index space."""

    __slots__ = ("cells", "functions", "memories", "owners", "tables", "tags", "to_tell")

    def __init__(self) -> None:
        self.functions: list[FuncHandle] = []
        self.tables: list[TableStorage] = []
        self.memories: list[LinearMemory] = []
        self.cells: list[GlobalCell] = []
        self.tags: list[Tag] = []
        #: Instances that export those of the tables and globals that hold functions.
        self.owners: list[Instance] = []
        #: Who is to be told of the instance (`PerInstance`).
        self.to_tell: list[Callable[[Any], None]] = []


def resolve(code: CompiledModule, imports: object) -> Imports:
    """Find what a module imports.

    Args:
        code: The module.
        imports: Mapping from module names to mappings from names to objects (or to instances, or their exports); None
            for nothing.

    Raises:
        LinkError: Imports are missing ("unknown import"; all are named) or one has the wrong type ("incompatible import
            type").
        TypeError: `imports` is not such a mapping.
    """
    found = Imports()
    wanted = code.module.imports
    if not wanted:
        return found
    if imports is None:
        imports = {}
    if not isinstance(imports, Mapping):
        raise TypeError(f"imports must be a mapping of mappings, not {type(imports).__name__}")
    spaces: dict[str, Mapping[str, object]] = {}
    missing: list[Import] = []
    for entry in wanted:
        space = spaces.get(entry.module)
        if space is None:
            try:
                given = imports[entry.module]
            except KeyError:
                missing.append(entry)
                continue
            space = spaces[entry.module] = _space(found, given, entry)
        try:
            value = space[entry.name]
        except KeyError:
            missing.append(entry)
            continue
        # (when something is missing only the other missing ones matter)
        if not missing:
            _RESOLVERS[entry.kind](found, code, entry, value)
    if missing:
        from wasmetal.store.missing_imports import message

        raise LinkError(message(wanted, missing, imports, spaces))
    return found


def _is(value: object, cls: type[_T]) -> TypeGuard[_T]:
    """As isinstance, but never mind what the object says of itself (`unittest.mock`)."""
    return issubclass(type(value), cls)


def _space(found: Imports, given: object, entry: Import) -> Mapping[str, object]:
    """What there is under the module name of an import, as a mapping."""
    if not isinstance(given, Mapping):
        exports = getattr(given, "exports", None)
        if not isinstance(exports, Mapping):
            raise TypeError(
                f"imports[{quoted(entry.module)}] must be a mapping, an instance or its exports, "
                f"not {type(given).__name__}"
            )
        return exports
    # Looked up in the class: the exports of an instance have attributes of any name.
    for_instance = getattr(type(given), "for_instance", None)
    if for_instance is None:
        return given
    space: Mapping[str, object]
    space, tell = for_instance(given)
    found.to_tell.append(tell)
    return space


def name_of(entry: Import) -> str:
    """An import as messages name it."""
    return f"{quoted(entry.module)}.{quoted(entry.name)}"


def _incompatible(entry: Import, found: str) -> LinkError:
    what = f"{name_of(entry)} must be {describe(entry.type)}, not {found}"
    return LinkError(f"incompatible import type: {what}")


def _limits(minimum: int, maximum: int | None) -> str:
    return f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"


def _a(is64: bool) -> str:
    return "a 64-bit" if is64 else "a"


def describe(type: ExternType) -> str:
    """A type as messages name it."""
    if isinstance(type, FuncType):
        return f"a function {shown(str(type), _MAX_TYPE)}"
    if isinstance(type, TableType):
        return f"{_a(type.is64)} table of {_limits(type.minimum, type.maximum)} {type.element.value}"
    if isinstance(type, MemoryType):
        return f"{_a(type.is64)} memory of {_limits(type.minimum, type.maximum)} pages"
    if isinstance(type, TagType):
        return f"a tag {type.type}"
    return f"{'a mutable' if type.mutable else 'an immutable'} {type.value_type.value} global"


def _describe_value(value: object) -> str:
    if _is(value, FuncHandle):
        return describe(value._core.type)
    if _is(value, MemoryHandle):
        return describe(value._opened()._matching_type)
    if _is(value, TableHandle):
        return describe(value._open().type)
    if _is(value, GlobalHandle):
        return describe(value._open().type)
    return type(value).__name__


def _matches(found: ExternType, wanted: ExternType) -> bool:
    """Whether something of type `found` can be imported as `wanted`."""
    if found == wanted:
        return True
    from wasm_core.subtyping import import_matches

    return import_matches(found, wanted)


def _function(found: Imports, code: CompiledModule, entry: Import, value: object) -> None:
    wanted = entry.type
    assert isinstance(wanted, FuncType)
    if _is(value, FuncHandle):
        if value._core.type != wanted or code.module.defined_types is not None or not _has_plain_type(value):
            _check_function_type(code, entry, value)
        if value._core.is_host:
            value._core.prepare(code.glue)
        elif value._core.instance.closed:
            raise LinkError(f"{name_of(entry)} is a function of an instance that is closed")
        found.functions.append(value)
    elif callable(value):
        defined = None
        if code.module.defined_types is not None:
            assert entry.type_index is not None
            defined = code.module.defined_type(entry.type_index)
        name = f"{shown(entry.module)}.{shown(entry.name)}"
        function = host_function(value, wanted, code.glue, name, defined)
        function._core.prepare(code.glue)
        found.functions.append(function)
    else:
        raise _incompatible(entry, _describe_value(value))


def _has_plain_type(function: FuncHandle) -> bool:
    """Whether the type of a function is told by its parameters and results, and has no supertypes."""
    core = function._core
    if core.is_host:
        return core.has_plain_type
    return core.instance.closed or core.instance.code.module.defined_types is None


def _check_function_type(code: CompiledModule, entry: Import, value: FuncHandle) -> None:
    """Check the type of an imported function where it is not plainly the one that is wanted."""
    assert entry.type_index is not None
    if not value._core.defined_type().matches(code.module.defined_type(entry.type_index)):
        raise _incompatible(entry, _describe_value(value))


def _table(found: Imports, code: CompiledModule, entry: Import, value: object) -> None:
    wanted = entry.type
    assert isinstance(wanted, TableType)
    if not _is(value, TableHandle):
        raise _incompatible(entry, _describe_value(value))
    # First: it is closed from one moment to the next, and an open one without an owner refers to nobody.
    owner = value._owner
    storage = value._open()
    actual = matching_type(storage)
    if not _matches(actual, wanted):
        raise _incompatible(entry, describe(actual))
    found.tables.append(storage)
    if owner is not None and wanted.element.is_function_reference:
        found.owners.append(owner)


def _memory(found: Imports, code: CompiledModule, entry: Import, value: object) -> None:
    wanted = entry.type
    assert isinstance(wanted, MemoryType)
    if not _is(value, MemoryHandle):
        raise _incompatible(entry, _describe_value(value))
    storage = value._opened()
    if not storage.is_plainly(wanted):
        actual = storage._matching_type
        if not _matches(actual, wanted):
            raise _incompatible(entry, describe(actual))
    if not storage.guarded and code.config.bounds_checks == "guard" and wanted.page_size == PAGE_SIZE:
        raise LinkError(f"{name_of(entry)} has no guard pages, which Config(bounds_checks='guard') needs")
    found.memories.append(storage)


def _global(found: Imports, code: CompiledModule, entry: Import, value: object) -> None:
    wanted = entry.type
    assert isinstance(wanted, GlobalType)
    if not _is(value, GlobalHandle):
        # A plain value will do for a global that cannot change.
        if wanted.mutable or (value is None and not wanted.value_type.is_reference):
            raise _incompatible(entry, _describe_value(value))
        try:
            value = global_cells.global_class(wanted, value)
        except (TypeError, OverflowError) as error:
            raise LinkError(f"{_incompatible(entry, _describe_value(value))}: {error}") from error
    owner = value._owner  # first, see `_table`
    cell = value._open()
    if not _matches(cell.type, wanted):
        raise _incompatible(entry, describe(cell.type))
    found.cells.append(cell)
    if owner is not None and wanted.value_type.is_function_reference:
        found.owners.append(owner)


def _tag(found: Imports, code: CompiledModule, entry: Import, value: object) -> None:
    from wasmetal.store.tags import Tag

    wanted = entry.type
    assert isinstance(wanted, TagType)
    if not _is(value, Tag):
        raise _incompatible(entry, _describe_value(value))
    assert entry.type_index is not None
    if not value.has_type(code.module.defined_type(entry.type_index)):
        raise _incompatible(entry, describe(TagType(value.type)))
    found.tags.append(value)


_RESOLVERS = {
    ExternKind.FUNC: _function,
    ExternKind.TABLE: _table,
    ExternKind.MEMORY: _memory,
    ExternKind.GLOBAL: _global,
    ExternKind.TAG: _tag,
}
