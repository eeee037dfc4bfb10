"""Validating all function bodies of a module, and what that tells the compiler."""

from __future__ import annotations

from wasm_core.body_validator import validate_body

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_core.body_facts import BodyFacts
    from wasm_core.features import Features
    from wasm_core.module import DecodedModule

#: Facts about bodies are kept for the compiler unless a module has more code than this, in bytes: then most of its
#: functions will never be compiled, and validating one again costs a tenth of compiling it.
_KEEP_FACTS: Final = 1 << 20


def validate_bodies(module: DecodedModule, features: Features) -> tuple[dict[int, BodyFacts], int]:
    """Validate every function body.

    Returns:
        Facts by index of the function, none if there is much code; and a bit for each table that no body writes.

    Raises:
        MalformedError, InvalidError: One is not valid.
    """
    keep = sum(module.body_ends) - sum(module.body_starts) <= _KEEP_FACTS
    kept: dict[int, BodyFacts] = {}
    unwritten = (1 << len(module.tables)) - 1
    for index in range(module.imported_functions, len(module.function_types)):
        facts = validate_body(module, index, features)
        if keep:
            kept[index] = facts
        if facts.written_tables is not None:
            for table in facts.written_tables:
                unwritten &= ~(1 << table)
    return kept, unwritten
