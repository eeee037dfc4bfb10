"""Validation of modules: the rules for everything except function bodies (core specification, section "Modules").

Errors are `InvalidError` with the specification's messages. Their offset is that of the constant expression, or else
that of the section.
"""

from __future__ import annotations

from wasm_core import opcodes as op
from wasm_core import sections
from wasm_core.errors import InvalidError, Unsupported
from wasm_core.features import Features
from wasm_core.module import ConstExpr, DecodedModule, ElementSegment, ExternKind, SegmentMode
from wasm_core.quoting import quoted
from wasm_core.reader import switched_off
from wasm_core.types import (
    MAX_PAGES,
    PAGE_SIZE,
    FuncType,
    GlobalType,
    MemoryType,
    StructType,
    TableType,
    ValueType,
)
from wasm_core.validation_context import context_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_core.defined_types import DefinedType

#: Most parameters and most results of a function type. Other engines have the same limits.
MAX_PARAMS: Final = 1000
MAX_RESULTS: Final = 1000
#: Most fields of a structure type.
MAX_FIELDS: Final = 10_000

# How many bytes there are addresses for; of 64-bit memories, as their pages are limited by the specification.
_ADDRESSES: Final = 1 << 32
_ADDRESSES_64: Final = 1 << 64
_MAX_ELEMENTS: Final = (1 << 32) - 1
_MAX_ELEMENTS_64: Final = (1 << 64) - 1

_CONSTANTS: Final[dict[int, ValueType]] = {
    op.I32_CONST: ValueType.I32,
    op.I64_CONST: ValueType.I64,
    op.F32_CONST: ValueType.F32,
    op.F64_CONST: ValueType.F64,
    op.V128_CONST: ValueType.V128,
}

#: Instructions of constant expressions, with the field of `Features` that they need there, or "".
CONSTANT_INSTRUCTIONS: Final[dict[int, str]] = {
    **dict.fromkeys((*_CONSTANTS, op.GLOBAL_GET, op.REF_NULL, op.REF_FUNC), ""),
    **dict.fromkeys((op.I32_ADD, op.I32_SUB, op.I32_MUL, op.I64_ADD, op.I64_SUB, op.I64_MUL), "extended_const"),
    **dict.fromkeys(
        (
            *(op.STRUCT_NEW, op.STRUCT_NEW_DEFAULT, op.ARRAY_NEW, op.ARRAY_NEW_DEFAULT, op.ARRAY_NEW_FIXED),
            *(op.REF_I31, op.ANY_CONVERT_EXTERN, op.EXTERN_CONVERT_ANY),
        ),
        "gc",
    ),
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

    __slots__ = ("features", "functions", "module", "scope")

    def __init__(self, module: DecodedModule, features: Features) -> None:
        self.module: Final = module
        self.features: Final = features
        self.functions: Final = len(module.function_types)
        #: How many globals segments may refer to.
        self.scope: Final = len(module.global_types) if features.extended_const else module.imported_globals

    def run(self) -> None:
        self._types()
        self._imports()
        self._functions()
        self._tables()
        self._memories()
        self._tags()
        self._globals()
        self._exports()
        self._start()
        self._elements()
        self._data()

    def _error(self, message: str, section: int) -> InvalidError:
        """An error in a section; in the import section if the module has no such section."""
        starts = {found.id: found.start for found in self.module.sections}
        return InvalidError(message, starts.get(section, starts.get(sections.IMPORT)))

    def _unsupported(self, what: str, feature: str, section: int) -> Unsupported:
        """The error for what a section needs of a feature that is switched off."""
        return switched_off(what, feature, self._error("", section).offset or 0)

    def _types(self) -> None:
        max_results = MAX_RESULTS if self.features.multi_value else 1
        for index, composite in enumerate(self.module.types):
            if isinstance(composite, FuncType):
                if len(composite.results) > max_results:
                    what = f"type {index} has {len(composite.results)} results, the limit is {max_results}"
                    raise self._error(f"invalid result arity: {what}", sections.TYPE)
                if len(composite.params) > MAX_PARAMS:
                    what = f"type {index} has {len(composite.params)} parameters, the limit is {MAX_PARAMS}"
                    raise self._error(f"too many parameters: {what}", sections.TYPE)
            elif isinstance(composite, StructType) and len(composite.fields) > MAX_FIELDS:
                what = f"type {index} has {len(composite.fields)} fields, the limit is {MAX_FIELDS}"
                raise self._error(f"too many fields: {what}", sections.TYPE)
        if self.module.defined_types is not None:
            self._subtypes(self.module.defined_types)

    def _subtypes(self, defined_types: tuple[DefinedType, ...]) -> None:
        from wasm_core.defined_types import MAX_DEPTH
        from wasm_core.subtyping import composite_matches

        # Number of a type -> supertypes above it. Supertypes come first.
        depths: dict[int, int] = {}
        for index, defined in enumerate(defined_types):
            supertype = defined.supertype
            depth = 0
            if supertype is not None and defined.number not in depths:
                depth = depths.get(supertype.number, 0) + 1
                if supertype.final or not composite_matches(self.module.types[index], supertype.composite):
                    raise self._error(f"sub type {index} does not match super type", sections.TYPE)
                if depth > MAX_DEPTH:
                    what = f"type {index} has {depth} supertypes, the limit is {MAX_DEPTH}"
                    raise self._error(f"sub type hierarchy too deep: {what}", sections.TYPE)
            depths.setdefault(defined.number, depth)

    def _imports(self) -> None:
        if self.features.mutable_globals:
            return
        for entry in self.module.imports:
            if isinstance(entry.type, GlobalType) and entry.type.mutable:
                raise self._error("mutable globals cannot be imported", sections.IMPORT)

    def _functions(self) -> None:
        module = self.module
        highest = max(module.function_types, default=-1)
        if highest >= len(module.types):
            raise self._error(f"unknown type {highest}", sections.FUNCTION)
        if module.defined_types is not None:
            for index in {*module.function_types}:
                if not isinstance(module.types[index], FuncType):
                    raise self._error(f"unknown type: type {index} is not a function type", sections.FUNCTION)

    def _tags(self) -> None:
        types = self.module.types
        for index in self.module.tag_types:
            if index >= len(types):
                raise self._error(f"unknown type {index}", sections.TAG)
            tag_type = types[index]
            if not isinstance(tag_type, FuncType):
                raise self._error(f"unknown type: type {index} is not a function type", sections.TAG)
            if tag_type.results:
                raise self._error("non-empty tag result type", sections.TAG)

    def _limits(self, limits: TableType | MemoryType, section: int) -> None:
        if limits.maximum is not None and limits.minimum > limits.maximum:
            raise self._error("size minimum must not be greater than maximum", section)

    def _tables(self) -> None:
        module = self.module
        tables = module.tables
        if len(tables) > 1 and not self.features.reference_types:
            raise self._unsupported("multiple tables", "reference_types", sections.TABLE)
        for index, table in enumerate(tables):
            section = sections.IMPORT if index < module.imported_tables else sections.TABLE
            self._limits(table, section)
            largest = _MAX_ELEMENTS_64 if table.is64 else _MAX_ELEMENTS
            if table.minimum > largest or (table.maximum is not None and table.maximum > largest):
                raise self._error("table size must be at most 2^32-1 elements", section)
            own = index - module.imported_tables
            if own < 0:
                continue
            init = module.table_inits[own] if module.table_inits else None
            if init is not None:
                self._const_expr(init, table.element, module.imported_globals)
            elif not table.element.nullable:
                what = f"elements of type {table.element} need an initial value"
                raise self._error(f"type mismatch: {what}", section)

    def _memories(self) -> None:
        memories = self.module.memories
        if len(memories) > 1 and not self.features.multi_memory:
            raise self._unsupported("multiple memories", "multi_memory", sections.MEMORY)
        for index, memory in enumerate(memories):
            section = sections.IMPORT if index < self.module.imported_memories else sections.MEMORY
            if memory.page_size not in (1, PAGE_SIZE):
                raise self._error("invalid custom page size", section)
            largest = (_ADDRESSES_64 if memory.is64 else _ADDRESSES) // memory.page_size
            # As many pages as addresses is one more than fits the encoding.
            largest -= memory.page_size == 1
            if memory.minimum > largest or (memory.maximum is not None and memory.maximum > largest):
                what = f"{largest} pages (4GiB)" if largest == MAX_PAGES else f"{largest} pages"
                raise self._error(f"memory size must be at most {what}", section)
            self._limits(memory, section)
            if memory.shared and memory.maximum is None:
                raise self._error("shared memory must have maximum", section)

    def _globals(self) -> None:
        first = self.module.imported_globals
        for own, definition in enumerate(self.module.globals):
            scope = first + own if self.features.extended_const else first
            self._const_expr(definition.init, definition.type.value_type, scope)

    def _exports(self) -> None:
        module = self.module
        sizes = {
            ExternKind.FUNC: self.functions,
            ExternKind.TABLE: len(module.tables),
            ExternKind.MEMORY: len(module.memories),
            ExternKind.GLOBAL: len(module.global_types),
            ExternKind.TAG: len(module.tag_types),
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
            address_type = ValueType.I32
            if segment.mode is SegmentMode.ACTIVE:
                if segment.table >= len(tables):
                    raise self._error(f"unknown table {segment.table}", sections.ELEMENT)
                expected = tables[segment.table].element
                found = segment.type
                if found != expected and segment.functions is not None and self.features.function_references:
                    # Indices of functions stand for references that are not null.
                    found = ValueType.reference("func", nullable=False)
                if not self._matches(found, expected):
                    what = f"expected elements of {expected.value}, found {found.value}"
                    raise self._error(f"type mismatch: {what}", sections.ELEMENT)
                if tables[segment.table].is64:
                    address_type = ValueType.I64
            self._element_items(segment, address_type)

    def _element_items(self, segment: ElementSegment, address_type: ValueType) -> None:
        if segment.offset is not None:
            self._const_expr(segment.offset, address_type, self.scope)
        if segment.functions:
            highest = max(segment.functions)
            if highest >= self.functions:
                raise self._error(f"unknown function {highest}", sections.ELEMENT)
        for expression in segment.expressions or ():
            self._const_expr(expression, segment.type, self.scope)

    def _data(self) -> None:
        memories = self.module.memories
        for segment in self.module.data:
            address_type = ValueType.I32
            if segment.mode is SegmentMode.ACTIVE:
                if segment.memory >= len(memories):
                    raise self._error(f"unknown memory {segment.memory}", sections.DATA)
                if memories[segment.memory].is64:
                    address_type = ValueType.I64
            if segment.offset is not None:
                self._const_expr(segment.offset, address_type, self.scope)

    @staticmethod
    def _matches(found: ValueType, expected: ValueType) -> bool:
        if found == expected:
            return True
        # Segments of functions that go into tables of funcref: they do not wait for the rules.
        heap_type = found.heap_type
        if heap_type is not None and heap_type == expected.heap_type and (expected.nullable or not found.nullable):
            return True
        from wasm_core.subtyping import matches

        return matches(found, expected)

    def _const_expr(self, expression: ConstExpr, expected: ValueType, scope: int) -> None:
        """Check a constant expression of one value (core specification, "Constant Expressions").

        Globals are in scope below index `scope`.
        """
        if len(expression.instructions) != 1:
            self._long_const_expr(expression, expected, scope)
            return
        opcode, immediate = expression.instructions[0]
        found = _CONSTANTS.get(opcode)
        if found is None:
            if opcode == op.GLOBAL_GET and isinstance(immediate, int):
                found = self._constant_global(immediate, scope, expression.offset)
            elif opcode == op.REF_FUNC and isinstance(immediate, int):
                found = self._function_reference(immediate, expected, expression.offset)
            elif opcode == op.REF_NULL and isinstance(immediate, ValueType):
                found = immediate
            else:
                self._long_const_expr(expression, expected, scope)
                return
        if found is not expected and not self._matches(found, expected):
            raise InvalidError(f"type mismatch: expected {expected.value}, found {found.value}", expression.offset)

    def _long_const_expr(self, expression: ConstExpr, expected: ValueType, scope: int) -> None:
        """The same for expressions of several instructions, or of unusual ones."""
        for opcode, immediate in expression.instructions:
            feature = CONSTANT_INSTRUCTIONS.get(opcode)
            if feature is None:
                raise InvalidError("constant expression required", expression.offset)
            if feature and not getattr(self.features, feature):
                raise switched_off("this constant expression", feature, expression.offset)
            if opcode == op.GLOBAL_GET and isinstance(immediate, int):
                self._constant_global(immediate, scope, expression.offset)
        # Not needed, and not imported, where there are none.
        from wasm_core.body_validator import validate_constant

        context = context_of(self.module, self.features)
        try:
            validate_constant(context, self.module.source[expression.offset : expression.end], context.code(expected))
        except InvalidError as error:
            raise InvalidError(error.message, expression.offset) from None

    def _function_reference(self, index: int, expected: ValueType, at: int) -> ValueType:
        """The type of ref.func, to compare with the one that is expected."""
        if index >= self.functions:
            raise InvalidError(f"unknown function {index}", at)
        if expected is ValueType.FUNCREF:
            return expected
        return ValueType.reference(self.module.defined_type(self.module.function_types[index]), nullable=False)

    def _constant_global(self, index: int, scope: int, at: int) -> ValueType:
        # The module's own globals have no values until all before them have.
        if index >= scope:
            raise InvalidError(f"unknown global {index}", at)
        global_type = self.module.global_types[index]
        if global_type.mutable:
            raise InvalidError("constant expression required", at)
        return global_type.value_type
