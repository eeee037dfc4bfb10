"""Validation of modules: the rules for everything except function bodies (core specification, section "Modules").

Errors are `InvalidError` with the specification's messages. Their offset is that of the constant expression, or else
that of the section.
"""

from __future__ import annotations

from typing import Final

from wasm_core import opcodes as op
from wasm_core import sections
from wasm_core.errors import InvalidError
from wasm_core.features import Features
from wasm_core.module import ConstExpr, DecodedModule, ElementSegment, ExternKind, SegmentMode
from wasm_core.quoting import quoted
from wasm_core.types import MAX_PAGES, FuncType, GlobalType, MemoryType, TableType, ValueType
from wasm_core.validation_context import context_of

#: Most parameters and most results of a function type. Other engines have the same limits.
MAX_PARAMS: Final = 1000
MAX_RESULTS: Final = 1000

_CONSTANTS: Final[dict[int, ValueType]] = {
    op.I32_CONST: ValueType.I32,
    op.I64_CONST: ValueType.I64,
    op.F32_CONST: ValueType.F32,
    op.F64_CONST: ValueType.F64,
    op.V128_CONST: ValueType.V128,
}


def validate(module: DecodedModule, features: Features | None = None) -> None:
    """Validate a module with all of its function bodies.

    Args:
        module: The module.
        features: Which parts of WebAssembly are on, as when the module was decoded; `Features.default()` if None.

    Raises:
        MalformedError: A function body is not well-formed.
        InvalidError: The module breaks a rule.
    """
    # Not needed, and not imported, where the bodies' code comes from a cache.
    from wasm_core.body_validator import validate_code

    if features is None:
        features = Features.default()
    validate_module(module, features)
    context = context_of(module, features)
    starts = module.body_starts
    ends = module.body_ends
    first = module.imported_functions
    for own in range(len(starts)):
        validate_code(context, first + own, starts[own], ends[own])


def validate_module(module: DecodedModule, features: Features | None = None) -> None:
    """Validate everything except function bodies; as `validate`."""
    _ModuleValidator(module, Features.default() if features is None else features).run()


class _ModuleValidator:
    """One pass over the parts of a module."""

    __slots__ = ("features", "functions", "module")

    def __init__(self, module: DecodedModule, features: Features) -> None:
        self.module: Final = module
        self.features: Final = features
        self.functions: Final = len(module.function_types)

    def run(self) -> None:
        self._types()
        self._imports()
        self._functions()
        self._tables()
        self._memories()
        self._globals()
        self._exports()
        self._start()
        self._elements()
        self._data()

    def _error(self, message: str, section: int) -> InvalidError:
        """An error in a section; in the import section if the module has no such section."""
        starts = {found.id: found.start for found in self.module.sections}
        return InvalidError(message, starts.get(section, starts.get(sections.IMPORT)))

    def _types(self) -> None:
        max_results = MAX_RESULTS if self.features.multi_value else 1
        for index, func_type in enumerate(self.module.types):
            if len(func_type.results) > max_results:
                what = f"type {index} has {len(func_type.results)} results, the limit is {max_results}"
                raise self._error(f"invalid result arity: {what}", sections.TYPE)
            if len(func_type.params) > MAX_PARAMS:
                what = f"type {index} has {len(func_type.params)} parameters, the limit is {MAX_PARAMS}"
                raise self._error(f"too many parameters: {what}", sections.TYPE)

    def _imports(self) -> None:
        if self.features.mutable_globals:
            return
        for entry in self.module.imports:
            if isinstance(entry.type, GlobalType) and entry.type.mutable:
                raise self._error("mutable globals cannot be imported", sections.IMPORT)

    def _functions(self) -> None:
        types = self.module.function_types
        highest = max(types, default=-1)
        if highest >= len(self.module.types):
            raise self._error(f"unknown type {highest}", sections.FUNCTION)

    def _limits(self, limits: TableType | MemoryType, section: int) -> None:
        if limits.maximum is not None and limits.minimum > limits.maximum:
            raise self._error("size minimum must not be greater than maximum", section)

    def _tables(self) -> None:
        tables = self.module.tables
        if len(tables) > 1 and not self.features.reference_types:
            raise self._error("multiple tables", sections.TABLE)
        for index, table in enumerate(tables):
            imported = index < self.module.imported_tables
            self._limits(table, sections.IMPORT if imported else sections.TABLE)

    def _memories(self) -> None:
        memories = self.module.memories
        for index, memory in enumerate(memories):
            section = sections.IMPORT if index < self.module.imported_memories else sections.MEMORY
            if memory.minimum > MAX_PAGES or (memory.maximum is not None and memory.maximum > MAX_PAGES):
                raise self._error(f"memory size must be at most {MAX_PAGES} pages (4GiB)", section)
            self._limits(memory, section)
        if len(memories) > 1:
            raise self._error("multiple memories", sections.MEMORY)

    def _globals(self) -> None:
        for definition in self.module.globals:
            self._const_expr(definition.init, definition.type.value_type)

    def _exports(self) -> None:
        module = self.module
        sizes = {
            ExternKind.FUNC: self.functions,
            ExternKind.TABLE: len(module.tables),
            ExternKind.MEMORY: len(module.memories),
            ExternKind.GLOBAL: len(module.global_types),
        }
        names: set[str] = set()
        for export in module.exports:
            if export.index >= sizes[export.kind]:
                what = "function" if export.kind is ExternKind.FUNC else export.kind.name.lower()
                raise self._error(f"unknown {what} {export.index}", sections.EXPORT)
            if export.name in names:
                raise self._error(f"duplicate export name {quoted(export.name)}", sections.EXPORT)
            names.add(export.name)
            if (
                export.kind is ExternKind.GLOBAL
                and not self.features.mutable_globals
                and module.global_types[export.index].mutable
            ):
                raise self._error("mutable globals cannot be exported", sections.EXPORT)

    def _start(self) -> None:
        start = self.module.start
        if start is None:
            return
        if start >= self.functions:
            raise self._error(f"unknown function {start}", sections.START)
        if self.module.func_type(start) != FuncType():
            raise self._error("start function must have no parameters and no results", sections.START)

    def _elements(self) -> None:
        tables = self.module.tables
        for segment in self.module.elements:
            if segment.mode is SegmentMode.ACTIVE:
                if segment.table >= len(tables):
                    raise self._error(f"unknown table {segment.table}", sections.ELEMENT)
                expected = tables[segment.table].element
                if segment.type is not expected:
                    what = f"expected elements of {expected.value}, found {segment.type.value}"
                    raise self._error(f"type mismatch: {what}", sections.ELEMENT)
            self._element_items(segment)

    def _element_items(self, segment: ElementSegment) -> None:
        if segment.offset is not None:
            self._const_expr(segment.offset, ValueType.I32)
        if segment.functions:
            highest = max(segment.functions)
            if highest >= self.functions:
                raise self._error(f"unknown function {highest}", sections.ELEMENT)
        for expression in segment.expressions or ():
            self._const_expr(expression, segment.type)

    def _data(self) -> None:
        memories = len(self.module.memories)
        for segment in self.module.data:
            if segment.mode is SegmentMode.ACTIVE and segment.memory >= memories:
                raise self._error(f"unknown memory {segment.memory}", sections.DATA)
            if segment.offset is not None:
                self._const_expr(segment.offset, ValueType.I32)

    def _const_expr(self, expression: ConstExpr, expected: ValueType) -> None:
        """Check a constant expression of one value (core specification, "Constant Expressions")."""
        stack: list[ValueType] = []
        for opcode, immediate in expression.instructions:
            constant = _CONSTANTS.get(opcode)
            if constant is not None:
                stack.append(constant)
            elif opcode == op.GLOBAL_GET and isinstance(immediate, int):
                stack.append(self._constant_global(immediate, expression.offset))
            elif opcode == op.REF_FUNC and isinstance(immediate, int):
                if immediate >= self.functions:
                    raise InvalidError(f"unknown function {immediate}", expression.offset)
                stack.append(ValueType.FUNCREF)
            elif opcode == op.REF_NULL and isinstance(immediate, ValueType):
                stack.append(immediate)
            else:
                raise InvalidError("constant expression required", expression.offset)
        if stack != [expected]:
            found = ", ".join([t.value for t in stack]) or "nothing"
            raise InvalidError(f"type mismatch: expected {expected.value}, found {found}", expression.offset)

    def _constant_global(self, index: int, at: int) -> ValueType:
        # Only imported globals are in scope: the module's own have no values yet.
        if index >= self.module.imported_globals:
            raise InvalidError(f"unknown global {index}", at)
        global_type = self.module.global_types[index]
        if global_type.mutable:
            raise InvalidError("constant expression required", at)
        return global_type.value_type
