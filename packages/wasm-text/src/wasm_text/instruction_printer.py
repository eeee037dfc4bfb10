"""Single instructions as text: their immediates, and how many operands they take and results they leave."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from wasm_core import instructions as table
from wasm_core.instructions import Instruction
from wasm_text.identifiers import Identifiers
from wasm_text.module_view import ModuleView
from wasm_text.numbers import F32, F64, float_text


class Scope:
    """What an instruction can refer to."""

    __slots__ = ("_depths", "_names", "locals", "results", "view")

    def __init__(self, view: ModuleView, local_variables: Identifiers, results: int) -> None:
        self.view: Final = view
        self.locals: Final = local_variables
        #: How many results the function has.
        self.results: Final = results
        # Labels in scope, outermost first: their names ("" if they have none), and how many values a branch takes.
        self._names: Final[list[tuple[str, int]]] = []
        self._depths: Final[dict[str, list[int]]] = {}

    def push(self, name: str, values: int) -> None:
        """Begin a block."""
        self._depths.setdefault(name, []).append(len(self._names))
        self._names.append((name, values))

    def pop(self) -> None:
        """End a block."""
        name, _ = self._names.pop()
        self._depths[name].pop()

    def label(self, number: int) -> str:
        """How to refer to a label."""
        at = len(self._names) - 1 - number
        if at < 0:
            return str(number)
        name = self._names[at][0]
        # Another one of the same name may be nearer.
        return name if name and self._depths[name][-1] == at else str(number)

    def values(self, number: int) -> int:
        """How many values a branch to a label takes."""
        at = len(self._names) - 1 - number
        return self._names[at][1] if at >= 0 else self.results


Immediates = tuple[int, ...]


def immediates_text(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    """The immediates, each with a space before it."""
    write = _WRITERS.get(instruction.immediate)
    return "" if write is None else write(instruction, immediates, scope)


def _memory(index: int, scope: Scope) -> str:
    return f" {scope.view.memories.use(index)}" if index else ""


def _memarg(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    text = _memory(immediates[2], scope)
    if immediates[1]:
        text += f" offset={immediates[1]}"
    if 1 << immediates[0] != instruction.access_size:
        text += f" align={1 << immediates[0]}"
    return text


def _memarg_lane(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    return f"{_memarg(instruction, immediates, scope)} {immediates[3]}"


def _numbers(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    return "".join([f" {value}" for value in immediates])


def _labels(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    return "".join([f" {scope.label(value)}" for value in immediates])


def _v128(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    return " i32x4" + "".join([f" {immediates[0] >> shift & 0xFFFFFFFF:#010x}" for shift in (0, 32, 64, 96)])


def _pair(first: str, second: str, needed: bool) -> str:
    return f" {first} {second}" if needed else ""


def _block_catches(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    text = scope.view.block_type(immediates[0])
    for at in range(1, len(immediates), 3):
        clause, tag, label = immediates[at : at + 3]
        word = _CLAUSES[clause]
        tag_text = f" {scope.view.tags.use(tag)}" if clause < table.CATCH_ALL else ""
        text += f" ({word}{tag_text} {scope.label(label)})"
    return text


_CLAUSES: Final = ("catch", "catch_ref", "catch_all", "catch_all_ref")


def _reference(view: ModuleView, heap_type: int, null: bool) -> str:
    text = view.heap_type(heap_type)
    return f"(ref null {text})" if null else f"(ref {text})"


def _cast_label(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    flags, label, source, target = immediates
    source_text = _reference(scope.view, source, flags & 1 != 0)
    return f" {scope.label(label)} {source_text} {_reference(scope.view, target, flags & 2 != 0)}"


def _type_field(instruction: Instruction, immediates: Immediates, scope: Scope) -> str:
    index, field = immediates
    return f" {scope.view.types.use(index)} {scope.view.fields(index).use(field)}"


_Writer = Callable[[Instruction, Immediates, Scope], str]
_WRITERS: Final[Mapping[int, _Writer]] = {
    table.IMM_BLOCK: lambda i, a, s: s.view.block_type(a[0]),
    table.IMM_LABEL: _labels,
    table.IMM_LABEL_TABLE: _labels,
    table.IMM_FUNC: lambda i, a, s: f" {s.view.functions.use(a[0])}",
    table.IMM_TYPE_TABLE: lambda i, a, s: (
        f"{f' {s.view.tables.use(a[1])}' if a[1] else ''} (type {s.view.types.use(a[0])})"
    ),
    table.IMM_LOCAL: lambda i, a, s: f" {s.locals.use(a[0])}",
    table.IMM_GLOBAL: lambda i, a, s: f" {s.view.globals.use(a[0])}",
    table.IMM_TABLE: lambda i, a, s: f" {s.view.tables.use(a[0])}" if a[0] or len(s.view.tables) > 1 else "",
    table.IMM_MEMARG: _memarg,
    table.IMM_I32: _numbers,
    table.IMM_I64: _numbers,
    table.IMM_F32: lambda i, a, s: f" {float_text(a[0], F32)}",
    table.IMM_F64: lambda i, a, s: f" {float_text(a[0], F64)}",
    table.IMM_V128: _v128,
    table.IMM_LANE: _numbers,
    table.IMM_SHUFFLE: _numbers,
    table.IMM_MEMARG_LANE: _memarg_lane,
    table.IMM_MEMORY: lambda i, a, s: _memory(a[0], s),
    table.IMM_MEMORY_MEMORY: lambda i, a, s: _pair(s.view.memories.use(a[0]), s.view.memories.use(a[1]), any(a)),
    table.IMM_DATA: lambda i, a, s: f" {s.view.data.use(a[0])}",
    table.IMM_DATA_MEMORY: lambda i, a, s: f"{_memory(a[1], s)} {s.view.data.use(a[0])}",
    table.IMM_ELEM: lambda i, a, s: f" {s.view.elements.use(a[0])}",
    table.IMM_ELEM_TABLE: lambda i, a, s: (
        f"{f' {s.view.tables.use(a[1])}' if a[1] else ''} {s.view.elements.use(a[0])}"
    ),
    table.IMM_TABLE_TABLE: lambda i, a, s: _pair(s.view.tables.use(a[0]), s.view.tables.use(a[1]), any(a)),
    table.IMM_HEAP_TYPE: lambda i, a, s: f" {s.view.heap_type(a[0])}",
    table.IMM_SELECT_TYPES: lambda i, a, s: f" (result{''.join([f' {s.view.value_type(code)}' for code in a])})",
    table.IMM_TAG: lambda i, a, s: f" {s.view.tags.use(a[0])}",
    table.IMM_TYPE: lambda i, a, s: f" {s.view.types.use(a[0])}",
    table.IMM_TYPE_FIELD: _type_field,
    table.IMM_TYPE_COUNT: lambda i, a, s: f" {s.view.types.use(a[0])} {a[1]}",
    table.IMM_TYPE_DATA: lambda i, a, s: f" {s.view.types.use(a[0])} {s.view.data.use(a[1])}",
    table.IMM_TYPE_ELEM: lambda i, a, s: f" {s.view.types.use(a[0])} {s.view.elements.use(a[1])}",
    table.IMM_TYPE_TYPE: lambda i, a, s: f" {s.view.types.use(a[0])} {s.view.types.use(a[1])}",
    table.IMM_REF_TYPE: lambda i, a, s: f" {_reference(s.view, a[0], i.constant_name.endswith('_NULL'))}",
    table.IMM_CAST_LABEL: _cast_label,
    table.IMM_BLOCK_CATCHES: _block_catches,
}


#: Operands and results of instructions for which the instruction table leaves them to the context.
_EFFECTS: Final[Mapping[str, tuple[int, int]]] = {
    "unreachable": (0, 0),
    "drop": (1, 0),
    "select": (3, 1),
    "local.get": (0, 1),
    "local.set": (1, 0),
    "local.tee": (1, 1),
    "global.get": (0, 1),
    "global.set": (1, 0),
    "table.get": (1, 1),
    "table.set": (2, 0),
    "table.grow": (2, 1),
    "table.fill": (3, 0),
    "ref.null": (0, 1),
    "ref.is_null": (1, 1),
    "ref.as_non_null": (1, 1),
    "struct.new_default": (0, 1),
    "struct.get": (1, 1),
    "struct.get_s": (1, 1),
    "struct.get_u": (1, 1),
    "struct.set": (2, 0),
    "array.new": (2, 1),
    "array.new_default": (1, 1),
    "array.new_data": (2, 1),
    "array.new_elem": (2, 1),
    "array.get": (2, 1),
    "array.get_s": (2, 1),
    "array.get_u": (2, 1),
    "array.set": (3, 0),
    "array.fill": (4, 0),
    "array.copy": (5, 0),
    "array.init_data": (4, 0),
    "array.init_elem": (4, 0),
    "ref.test": (1, 1),
    "ref.cast": (1, 1),
    "any.convert_extern": (1, 1),
    "extern.convert_any": (1, 1),
    "throw_ref": (1, 0),
    "rethrow": (0, 0),
}


def effect(instruction: Instruction, immediates: Immediates, scope: Scope) -> tuple[int, int]:
    """How many operands an instruction (other than those of blocks) takes, and how many results it leaves."""
    params, results = instruction.params, instruction.results
    if params is not None and results is not None:
        return len(params), len(results)
    known = _EFFECTS.get(instruction.name)
    if known is not None:
        return known
    of_context = _EFFECTS_IN_CONTEXT.get(instruction.name)
    return (0, 0) if of_context is None else of_context(immediates, scope)


def _of_type(index: int, scope: Scope, more: int, returns: bool) -> tuple[int, int]:
    entry = scope.view.signature(index)
    if entry is None:
        return more, 0
    return len(entry.params) + more, 0 if returns else len(entry.results)


def _of_function(index: int, scope: Scope, returns: bool) -> tuple[int, int]:
    types = scope.view.module.function_types
    return _of_type(types[index], scope, 0, returns) if index < len(types) else (0, 0)


def _throw(a: Immediates, s: Scope) -> tuple[int, int]:
    types = s.view.module.tag_types
    return _of_type(types[a[0]], s, 0, True) if a[0] < len(types) else (0, 0)


def _struct_new(a: Immediates, s: Scope) -> tuple[int, int]:
    entries = s.view.type_entries
    return (len(entries[a[0]].params) if a[0] < len(entries) else 0), 1


_EFFECTS_IN_CONTEXT: Final[Mapping[str, Callable[[Immediates, Scope], tuple[int, int]]]] = {
    "call": lambda a, s: _of_function(a[0], s, False),
    "return_call": lambda a, s: _of_function(a[0], s, True),
    "call_indirect": lambda a, s: _of_type(a[0], s, 1, False),
    "return_call_indirect": lambda a, s: _of_type(a[0], s, 1, True),
    "call_ref": lambda a, s: _of_type(a[0], s, 1, False),
    "return_call_ref": lambda a, s: _of_type(a[0], s, 1, True),
    "return": lambda a, s: (s.results, 0),
    "br": lambda a, s: (s.values(a[0]), 0),
    "br_if": lambda a, s: (s.values(a[0]) + 1, s.values(a[0])),
    "br_table": lambda a, s: (s.values(a[-1]) + 1, 0),
    "br_on_null": lambda a, s: (s.values(a[0]) + 1, s.values(a[0]) + 1),
    "br_on_non_null": lambda a, s: (max(1, s.values(a[0])), max(0, s.values(a[0]) - 1)),
    "br_on_cast": lambda a, s: (max(1, s.values(a[1])), max(1, s.values(a[1]))),
    "br_on_cast_fail": lambda a, s: (max(1, s.values(a[1])), max(1, s.values(a[1]))),
    "throw": _throw,
    "struct.new": _struct_new,
    "array.new_fixed": lambda a, s: (a[1], 1),
}
