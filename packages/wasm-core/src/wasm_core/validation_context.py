"""What validating a function body needs to know of its module, in the integer form that the hot loop wants."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from weakref import WeakKeyDictionary

from wasm_core.features import Features
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.opcode_kinds import kinds_for
from wasm_core.opcodes import REF_FUNC
from wasm_core.reader import value_types_of
from wasm_core.type_codes import CODE_OF, codes_of
from wasm_core.types import FuncType


class Signature:
    """Parameters and results of a function type, as type codes."""

    __slots__ = ("params", "results")

    def __init__(self, params: list[int], results: list[int]) -> None:
        self.params: Final = params
        self.results: Final = results


class ValidationContext:
    """The module's index spaces, as the specification's context C has them."""

    __slots__ = (
        "_declared",
        "_referring",
        "data_count",
        "elements",
        "features",
        "functions",
        "global_mutable",
        "globals",
        "has_memory",
        "kinds",
        "source",
        "tables",
        "types",
        "value_types",
    )

    def __init__(self, module: DecodedModule, features: Features) -> None:
        self.features: Final = features
        self.kinds: Final = kinds_for(features)
        self.value_types: Final = value_types_of(features)
        self.source: Final = module.source
        self.types: Final = [
            Signature(codes_of(t.params), codes_of(t.results)) for t in module.types if isinstance(t, FuncType)
        ]
        types = self.types
        self.functions: Final = [types[index] for index in module.function_types]
        self.tables: Final = codes_of([t.element for t in module.tables])
        self.has_memory: Final = bool(module.memories)
        self.globals: Final = [CODE_OF[g.value_type] for g in module.global_types]
        self.global_mutable: Final = [g.mutable for g in module.global_types]
        self.elements: Final = codes_of([e.type for e in module.elements])
        #: None where there is no data count section.
        self.data_count: Final = module.data_count
        # The context is cached by module, so it must not keep the module alive: only what `declared` needs is held.
        self._referring: Final = (module.elements, module.globals, module.exports)
        self._declared: set[int] | None = None

    @property
    def declared(self) -> set[int]:
        """The functions that ref.func may name in a body: those that occur in the module outside of bodies."""
        found = self._declared
        if found is None:
            found = set()
            elements, module_globals, exports = self._referring
            for segment in elements:
                if segment.functions is not None:
                    found.update(segment.functions)
                for expression in segment.expressions or ():
                    found.update(_functions_named(expression.instructions))
            for definition in module_globals:
                found.update(_functions_named(definition.init.instructions))
            found.update(e.index for e in exports if e.kind is ExternKind.FUNC)
            self._declared = found
        return found


def _functions_named(instructions: Sequence[tuple[int, object]]) -> list[int]:
    return [index for opcode, index in instructions if opcode == REF_FUNC and isinstance(index, int)]


_contexts: Final[WeakKeyDictionary[DecodedModule, ValidationContext]] = WeakKeyDictionary()


def context_of(module: DecodedModule, features: Features) -> ValidationContext:
    """The context of a module, made once for as long as the module is validated with equal features."""
    context = _contexts.get(module)
    if context is None or context.features != features:
        context = ValidationContext(module, features)
        _contexts[module] = context
    return context
