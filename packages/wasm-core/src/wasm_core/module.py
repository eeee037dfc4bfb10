"""The module model: what the decoder makes of a binary (core specification, section "Structure", "Modules").

Function bodies are not decoded: the model holds their places in the source. Everything else is decoded and immutable.
"""

from __future__ import annotations

import enum
from array import array
from collections.abc import Sequence

import wasm_core  # in annotations its names are looked up when somebody asks what they mean
from wasm_core.lazy_attrs import field, frozen
from wasm_core.types import (
    CompositeType,
    ExternType,
    FuncType,
    GlobalType,
    MemoryType,
    TableType,
    TagType,
    ValueType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    #: Function indices.
    Indices = array[int]
else:
    # (before Python 3.12 there is no `array[int]` at run time)
    Indices = array


class ExternKind(enum.IntEnum):
    """The kinds of things that are imported and exported; values as in the binary format."""

    FUNC = 0
    TABLE = 1
    MEMORY = 2
    GLOBAL = 3
    TAG = 4


#: What an instruction of a constant expression has: an integer if there is one, a tuple if there are several, 0 if
#: there are none; the type of the null for ref.null.
Immediate = int | tuple[int, ...] | ValueType


@frozen
class ConstExpr:
    """A constant expression, as (opcode, immediate) pairs without the final `end`.

    Immediates: the signed integer of i32.const and i64.const, the bit pattern of f32.const and f64.const, the 16
    bytes (as an unsigned little-endian integer) of v128.const, the index of global.get and ref.func, the
    ValueType of ref.null; for others see `Immediate` and `immediates.read_immediates`.
    """

    instructions: tuple[tuple[int, Immediate], ...]
    #: Byte offset in the module, and that of what comes after the `end`.
    offset: int = 0
    end: int = 0


@frozen
class Import:
    """One import; `type_index` is set for functions and tags only."""

    module: str
    name: str
    kind: ExternKind
    type: ExternType
    type_index: int | None = None


@frozen
class Export:
    name: str
    kind: ExternKind
    index: int


@frozen
class Global:
    """A global that the module defines itself."""

    type: GlobalType
    init: ConstExpr


class SegmentMode(enum.Enum):
    ACTIVE = "active"
    PASSIVE = "passive"
    DECLARATIVE = "declarative"


@frozen
class ElementSegment:
    """Initial values of (a part of) a table.

    Either `functions` (an array of function indices, the usual case, kept compact) or `expressions` is set.
    """

    mode: SegmentMode
    type: ValueType
    table: int = 0
    offset: ConstExpr | None = None
    functions: Indices | None = None
    expressions: tuple[ConstExpr, ...] | None = None

    def __len__(self) -> int:
        return len(self.functions if self.functions is not None else self.expressions or ())


@frozen
class DataSegment:
    """Initial bytes of (a part of) a memory: `source[start:end]` of the module."""

    mode: SegmentMode
    memory: int
    offset: ConstExpr | None
    start: int
    end: int


@frozen
class Section:
    """A section of the binary: its content is `source[start:end]` of the module."""

    #: As in the binary format; 0 is a custom section.
    id: int
    start: int
    end: int


@frozen
class CustomSection:
    """A custom section: its content is `source[start:end]` of the module, read on demand."""

    name: str
    start: int
    end: int


@frozen(eq=False)
class DecodedModule:
    """A decoded module. Index spaces put imports first, as in the specification."""

    #: The binary that was decoded.
    source: bytes = field(repr=False)
    #: The entries of the type section; all of them are function types, but in modules with garbage-collected objects.
    types: tuple[CompositeType, ...] = ()
    #: What the entries are to the process, in the same order; None if all of them are plain function types (final,
    #: without a supertype, each in a group of its own). See `defined_type`.
    defined_types: tuple[wasm_core.DefinedType, ...] | None = field(default=None, repr=False)
    imports: tuple[Import, ...] = ()
    #: Type index of every function, imported ones first.
    function_types: Sequence[int] = field(default=(), repr=False)
    #: Every table, memory, global and tag, imported ones first.
    tables: tuple[TableType, ...] = ()
    memories: tuple[MemoryType, ...] = ()
    global_types: tuple[GlobalType, ...] = ()
    #: Type index of every tag.
    tag_types: tuple[int, ...] = ()
    #: What the elements of the module's own tables start as, None for null; empty if that goes for all of them.
    table_inits: tuple[ConstExpr | None, ...] = ()
    #: The module's own globals (those that are not imported).
    globals: tuple[Global, ...] = ()
    exports: tuple[Export, ...] = ()
    start: int | None = None
    elements: tuple[ElementSegment, ...] = ()
    data: tuple[DataSegment, ...] = ()
    #: What the data count section says, or None where there is none.
    data_count: int | None = None
    #: For every function of the module's own: where its code entry (locals and instructions) starts and ends.
    body_starts: Sequence[int] = field(default=(), repr=False)
    body_ends: Sequence[int] = field(default=(), repr=False)
    customs: tuple[CustomSection, ...] = ()
    #: All sections in the order of the binary, custom ones included.
    sections: tuple[Section, ...] = field(default=(), repr=False)

    imported_functions: int = 0
    imported_tables: int = 0
    imported_memories: int = 0
    imported_globals: int = 0
    imported_tags: int = 0

    def func_type(self, index: int) -> FuncType:
        """The type of function `index` of the function index space."""
        found = self.types[self.function_types[index]]
        assert isinstance(found, FuncType)
        return found

    def defined_type(self, index: int) -> wasm_core.DefinedType:
        """What entry `index` of the type section is to the process.

        Its number stands for the type as long as somebody has it: plain function types are not held by the module.

        Raises:
            TypeError: The module was made by hand, without `defined_types` though not all types are functions'.
        """
        if self.defined_types is not None:
            return self.defined_types[index]
        from wasm_core.defined_types import function_type

        found = self.types[index]
        if not isinstance(found, FuncType):
            raise TypeError("types that are not functions' are in defined_types")
        return function_type(found)

    def body(self, index: int) -> tuple[int, int]:
        """Where the code entry of function `index` (not an imported one) starts and ends in `source`."""
        own = index - self.imported_functions
        return self.body_starts[own], self.body_ends[own]

    def extern_type(self, kind: ExternKind, index: int) -> ExternType:
        """The type of an item of one of the index spaces."""
        if kind is ExternKind.FUNC:
            return self.func_type(index)
        if kind is ExternKind.TABLE:
            return self.tables[index]
        if kind is ExternKind.MEMORY:
            return self.memories[index]
        if kind is ExternKind.GLOBAL:
            return self.global_types[index]
        found = self.types[self.tag_types[index]]
        assert isinstance(found, FuncType)
        return TagType(found)
