"""What validating a function body needs to know of its module, in the integer form that the hot loop wants."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from weakref import WeakKeyDictionary

from wasm_core.errors import InvalidError, MalformedError
from wasm_core.features import Features
from wasm_core.leb128 import read_s33
from wasm_core.module import ConstExpr, DecodedModule, ExternKind
from wasm_core.opcode_kinds import kinds_for
from wasm_core.opcodes import REF_FUNC
from wasm_core.reader import value_type_error, value_types_of
from wasm_core.type_codes import (
    ABSTRACT_HEAP_CODES,
    CODE_OF,
    DEFINED_SHIFT,
    FUNCREF,
    I8,
    I16,
    I32,
    I64,
    NON_NULL,
    REF_NULL_PREFIX,
    REF_PREFIX,
    UNKNOWN_REF,
    abstract_code,
    abstract_type,
)
from wasm_core.types import ArrayType, FieldType, FuncType, PackedType, StructType, ValueType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_core.defined_types import DefinedType


class Signature:
    """Parameters and results of a function type, as type codes."""

    __slots__ = ("params", "results")

    def __init__(self, params: list[int], results: list[int]) -> None:
        self.params: Final = params
        self.results: Final = results


class ValidationContext:
    """The module's index spaces, as the specification's context C has them.

    In type codes the number of a defined type is the first of its indices in the type section, so that equal types
    have equal codes.
    """

    __slots__ = (
        "_canonical",
        "_composites",
        "_declared",
        "_defined",
        "_fields",
        "_first_index",
        "_function_types",
        "_has_defaults",
        "_matching",
        "_operands",
        "_referring",
        "_signatures",
        "_types",
        "address_types",
        "data_count",
        "elements",
        "features",
        "functions",
        "global_mutable",
        "globals",
        "kinds",
        "source",
        "table_address_types",
        "tables",
        "tags",
        "value_types",
    )

    def __init__(self, module: DecodedModule, features: Features) -> None:
        self.features: Final = features
        self.kinds: Final = kinds_for(features)
        self.value_types: Final = value_types_of(features)
        self.source: Final = module.source
        # The context is cached by module, so it must not keep the module alive: only what is needed is held.
        self._composites: Final = module.types
        self._defined: Final = module.defined_types
        self._function_types: Final = module.function_types
        self._referring: Final = (module.elements, module.globals, module.table_inits, module.exports)
        self._declared: set[int] | None = None
        # Type index -> first index of an equal type; number of a type -> first index; what they are to the process.
        self._canonical: list[int] | None = None
        self._first_index: dict[int, int] = {}
        self._types: list[DefinedType] = []
        self._matching: dict[int, bool] = {}
        # Of structures and arrays, by type index. A type may have ten thousand fields, and be used every third byte.
        self._fields: Final[dict[int, list[tuple[int, bool]]]] = {}
        self._operands: Final[dict[int, list[int]]] = {}
        self._has_defaults: Final[dict[int, bool]] = {}
        self._signatures: Final[list[Signature | None]] = [
            Signature(self.codes(t.params), self.codes(t.results)) if isinstance(t, FuncType) else None
            for t in module.types
        ]
        self.functions: Final = [self.signature(index, 0) for index in module.function_types]
        self.tags: Final = [self.signature(index, 0) for index in module.tag_types]
        self.tables: Final = self.codes([t.element for t in module.tables])
        #: By table and by memory: I64 or I32, the type of addresses and sizes.
        self.table_address_types: Final = [I64 if t.is64 else I32 for t in module.tables]
        self.address_types: Final = [I64 if m.is64 else I32 for m in module.memories]
        self.globals: Final = self.codes([g.value_type for g in module.global_types])
        self.global_mutable: Final = [g.mutable for g in module.global_types]
        # Indices of functions stand for references that are not null.
        of_indices = FUNCREF | NON_NULL if features.function_references else FUNCREF
        self.elements: Final = [of_indices if e.functions is not None else self.code(e.type) for e in module.elements]
        #: None where there is no data count section.
        self.data_count: Final = module.data_count

    @property
    def declared(self) -> set[int]:
        """The functions that ref.func may name in a body: those that occur in the module outside of bodies."""
        found = self._declared
        if found is None:
            found = set()
            elements, module_globals, table_inits, exports = self._referring
            expressions: list[ConstExpr] = [definition.init for definition in module_globals]
            expressions.extend([init for init in table_inits if init is not None])
            for segment in elements:
                if segment.functions is not None:
                    found.update(segment.functions)
                expressions.extend(segment.expressions or ())
            for expression in expressions:
                found.update(_functions_named(expression.instructions))
            found.update(e.index for e in exports if e.kind is ExternKind.FUNC)
            self._declared = found
        return found

    # Types and their codes.

    def signature(self, index: int, at: int) -> Signature:
        """Entry `index` of the type section, which must be a function type; `at` is the offset for the error."""
        if index >= len(self._signatures):
            raise InvalidError(f"unknown type {index}", at)
        found = self._signatures[index]
        if found is None:
            raise InvalidError(f"type mismatch: type {index} is not a function type", at)
        return found

    def codes(self, types: Iterable[ValueType]) -> list[int]:
        """The codes of some value types."""
        try:
            return [CODE_OF[t] for t in types]
        except KeyError:
            return [self.code(t) for t in types]

    def code(self, value_type: ValueType) -> int:
        """The code of a value type."""
        defined = value_type.defined_type
        if defined is None:
            return abstract_code(value_type)
        self._number_types()
        code = (self._first_index[defined.number] + 1) << DEFINED_SHIFT
        return code if value_type.nullable else code | NON_NULL

    def value_type(self, code: int) -> ValueType:
        """The value type that has a code."""
        number = code >> DEFINED_SHIFT
        if number == 0:
            return abstract_type(code)
        self._number_types()
        return ValueType.reference(self._types[number - 1], not code & NON_NULL)

    def defined_type(self, index: int, at: int) -> DefinedType:
        """What entry `index` of the type section is to the process; `at` is the offset for the error."""
        self._number_types()
        if index >= len(self._types):
            raise InvalidError(f"unknown type {index}", at)
        return self._types[index]

    def reference_to(self, index: int, at: int, nullable: bool = True) -> int:
        """The code of references to entry `index` of the type section."""
        canonical = self._number_types()
        if index >= len(canonical):
            raise InvalidError(f"unknown type {index}", at)
        code = (canonical[index] + 1) << DEFINED_SHIFT
        return code if nullable else code | NON_NULL

    def function_reference(self, index: int) -> int:
        """The type code of what ref.func gives for a function."""
        if not self.features.function_references:
            return FUNCREF
        return self.reference_to(self._function_types[index], 0, nullable=False)

    def fields(self, index: int, at: int, what: type[StructType] | type[ArrayType]) -> list[tuple[int, bool]]:
        """The fields of a structure type, or the elements of an array type: type code (I8 and I16 too), mutability."""
        if index >= len(self._composites):
            raise InvalidError(f"unknown type {index}", at)
        composite = self._composites[index]
        if not isinstance(composite, what):
            name = "a structure" if what is StructType else "an array"
            raise InvalidError(f"type mismatch: type {index} is not {name} type", at)
        found = self._fields.get(index)
        if found is None:
            fields = composite.fields if isinstance(composite, StructType) else (composite.element,)
            found = self._fields[index] = [(self._storage_code(field), field.mutable) for field in fields]
        return found

    def operands(self, index: int, at: int) -> list[int]:
        """What a structure is made of: the types of its fields, unpacked."""
        found = self._operands.get(index)
        if found is None:
            fields = self.fields(index, at, StructType)
            found = self._operands[index] = [unpacked(code) for code, _ in fields]
        return found

    def has_defaults(self, index: int) -> bool:
        """Whether all fields of a structure have default values."""
        found = self._has_defaults.get(index)
        if found is None:
            found = self._has_defaults[index] = not any(code & NON_NULL for code in self.operands(index, 0))
        return found

    def _storage_code(self, field: FieldType) -> int:
        if isinstance(field.type, PackedType):
            return I8 if field.type is PackedType.I8 else I16
        return self.code(field.type)

    def _number_types(self) -> list[int]:
        """Find out which types are equal; most modules never need it."""
        canonical = self._canonical
        if canonical is None:
            if self._defined is not None:
                self._types = list(self._defined)
            else:
                from wasm_core.defined_types import function_type

                self._types = [function_type(t) for t in self._composites if isinstance(t, FuncType)]
            first_index = self._first_index
            canonical = [first_index.setdefault(t.number, index) for index, t in enumerate(self._types)]
            self._canonical = canonical
        return canonical

    def read_value_type(self, code: bytes, pos: int) -> tuple[int, int]:
        """The code of the value type at `code[pos]`, and the position after it."""
        byte = code[pos]
        if byte in self.value_types:
            return byte, pos + 1
        if byte not in (REF_PREFIX, REF_NULL_PREFIX) or not self.features.function_references:
            raise value_type_error(byte, pos)
        return self.read_reference(code, pos + 1, byte == REF_NULL_PREFIX)

    def read_reference(self, code: bytes, pos: int, nullable: bool) -> tuple[int, int]:
        """The code of references to the heap type at `code[pos]`, and the position after it."""
        byte = code[pos]
        if byte in ABSTRACT_HEAP_CODES:
            if byte not in self.value_types:
                raise value_type_error(byte, pos)
            return byte if nullable else byte | NON_NULL, pos + 1
        index, after = read_s33(code, pos, len(code))
        if index < 0 or not self.features.function_references:
            raise MalformedError("malformed reference type", pos)
        return self.reference_to(index, pos, nullable), after

    def matches(self, found: int, expected: int) -> bool:
        """Whether operands with code `found` may stand where `expected` is wanted; the codes are not equal."""
        if found == UNKNOWN_REF:
            return is_reference(expected)
        if not is_reference(found) or not is_reference(expected):
            return False
        key = found << 30 | expected
        known = self._matching.get(key)
        if known is None:
            from wasm_core.subtyping import matches

            known = self._matching[key] = matches(self.value_type(found), self.value_type(expected))
        return known


def is_reference(code: int) -> bool:
    """Whether a type code is that of a reference."""
    return code >= NON_NULL or code in ABSTRACT_HEAP_CODES


def unpacked(code: int) -> int:
    """The type of operands that a field of type `code` is made of."""
    return I32 if code in (I8, I16) else code


def _functions_named(instructions: Sequence[tuple[int, object]]) -> list[int]:
    return [index for opcode, index in instructions if opcode == REF_FUNC and isinstance(index, int)]


_contexts: Final[WeakKeyDictionary[DecodedModule, ValidationContext]] = WeakKeyDictionary()


def context_of(module: DecodedModule, features: Features) -> ValidationContext:
    """The context of a module, made once for as long as the module is validated with equal features."""
    context = _contexts.get(module)
    # (first by identity: a caller that goes through all functions has the same object each time)
    if context is None or (context.features is not features and context.features != features):
        context = ValidationContext(module, features)
        _contexts[module] = context
    return context
