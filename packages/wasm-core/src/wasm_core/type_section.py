"""The type section beyond plain function types: recursion groups, subtypes, structures and arrays.

Core specification, section "Binary Format", "Types".
"""

from __future__ import annotations

from wasm_core.defined_types import (
    ARRAY,
    FUNC,
    NO_SUPERTYPE,
    OPEN,
    REC,
    STRUCT,
    SUB,
    SUB_FINAL,
    DefinedType,
    inner_code,
    outer_code,
    recursion_group,
)
from wasm_core.errors import InvalidError, MalformedError
from wasm_core.reader import Reader, read_value_type, switched_off, value_type_error
from wasm_core.type_codes import DEFINED_SHIFT, I8, I16, NON_NULL, REF_NULL_PREFIX, REF_PREFIX
from wasm_core.types import FuncType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final


class _Entry:
    """One type as it is in the binary; references to defined types have type indices."""

    __slots__ = ("at", "fields", "form", "param_count", "supertypes")

    def __init__(self, at: int, form: int, supertypes: list[int]) -> None:
        #: Byte offset in the module.
        self.at: Final = at
        #: As in `defined_types`.
        self.form: Final = form
        self.supertypes: Final = supertypes
        #: Type codes << 1 | mutability; of a function, those of parameters and results.
        self.fields: Final[list[int]] = []
        self.param_count = 0


def read_recursive_type(reader: Reader) -> None:
    """Read a recursion group, or a type by itself, and add it to the types of the reader."""
    at = reader.pos
    if reader.byte() == REC:
        if not reader.features.gc:
            raise switched_off("a recursion group", "gc", at)
        entries = [_read_subtype(reader) for _ in range(reader.count())]
    else:
        reader.pos = at
        entries = [_read_subtype(reader)]
    if entries:
        _add_group(reader, entries)


def _read_subtype(reader: Reader) -> _Entry:
    at = reader.pos
    form = reader.byte()
    supertypes: list[int] = []
    is_open = 0
    if form in (SUB, SUB_FINAL):
        if not reader.features.gc:
            raise switched_off("a subtype", "gc", at)
        is_open = OPEN if form == SUB else 0
        supertypes = [reader.u32() for _ in range(reader.count())]
        form = reader.byte()
    if form in (STRUCT, ARRAY):
        if not reader.features.gc:
            raise switched_off("a structure type" if form == STRUCT else "an array type", "gc", at)
    elif form != FUNC:
        raise MalformedError("malformed definition type" if reader.features.gc else "malformed function type", at)
    entry = _Entry(at, form | is_open, supertypes)
    fields = entry.fields
    if form == FUNC:
        for _ in range(reader.count()):
            fields.append(_read_type_code(reader) << 1)
        entry.param_count = len(fields)
        for _ in range(reader.count()):
            fields.append(_read_type_code(reader) << 1)
    else:
        for _ in range(reader.count() if form == STRUCT else 1):
            fields.append(_read_field(reader))
    return entry


def _read_type_code(reader: Reader) -> int:
    """A value type that is switched on."""
    at = reader.pos
    code = reader.byte()
    if code in reader.value_types:
        return code
    if code in (REF_PREFIX, REF_NULL_PREFIX) and reader.features.function_references:
        code, reader.pos = read_value_type(reader.data, at, reader.end)
        heap_type = code & 0xFF
        if heap_type and heap_type not in reader.value_types:
            raise value_type_error(heap_type, at)
        return code
    raise value_type_error(code, at)


def _read_field(reader: Reader) -> int:
    if reader.pos < reader.end and reader.data[reader.pos] in (I8, I16):
        code = reader.byte()
    else:
        code = _read_type_code(reader)
    mutability = reader.byte()
    if mutability > 1:
        raise MalformedError("malformed mutability", reader.pos - 1)
    return code << 1 | mutability


def _add_group(reader: Reader, entries: list[_Entry]) -> None:
    types = reader.types
    first = len(types.composites)
    limit = first + len(entries)
    structure: list[int] = []
    starts: list[int] = []
    outer: dict[int, DefinedType] = {}
    is_recursive = False

    def group_code(index: int, nullable: bool, at: int) -> int:
        nonlocal is_recursive
        if index >= limit:
            raise InvalidError(f"unknown type {index}", at)
        if index >= first:
            is_recursive = True
            return inner_code(index - first, nullable)
        found = types.get(index)
        outer[found.number] = found
        return outer_code(found.number, nullable)

    for number, entry in enumerate(entries):
        starts.append(len(structure))
        supertype = NO_SUPERTYPE
        if entry.supertypes:
            if len(entry.supertypes) > 1:
                raise InvalidError(f"sub type {first + number} has more than one super type", entry.at)
            if entry.supertypes[0] >= first + number:
                raise InvalidError(f"unknown type {entry.supertypes[0]}: a super type must come first", entry.at)
            supertype = group_code(entry.supertypes[0], True, entry.at)
        structure += (entry.form, supertype)
        if entry.form & ~OPEN == FUNC:
            structure += (entry.param_count, len(entry.fields) - entry.param_count)
        else:
            structure.append(len(entry.fields))
        for field in entry.fields:
            code = field >> 1
            if code >> DEFINED_SHIFT:
                code = group_code((code >> DEFINED_SHIFT) - 1, not code & NON_NULL, entry.at)
            structure.append(code << 1 | field & 1)

    group = recursion_group(tuple(structure), starts, outer)
    if len(entries) == 1 and entries[0].form == FUNC and structure[1] == NO_SUPERTYPE and not is_recursive:
        func_type = group.composite(0)
        assert isinstance(func_type, FuncType)
        types.add_function(func_type)
        return
    types.plain = False
    for place in range(len(entries)):
        types.composites.append(group.composite(place))
        types.defined.append(DefinedType(group, place))
