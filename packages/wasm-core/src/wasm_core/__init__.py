"""The WebAssembly module model, binary decoder, validator, features, errors and protocols.

The modules are imported when something of theirs is first asked for: a program that runs code from a cache has no use
for the validator.
"""

from __future__ import annotations

#: Which names come from which module. Type checkers and editors see `__init__.pyi`, made from this (nox -s stubs).
_NAMES = {
    "wasm_core.body_facts": "BodyFacts",
    "wasm_core.body_validator": "validate_body",
    "wasm_core.decoder": "decode",
    "wasm_core.defined_types": "DefinedType",
    "wasm_core.encoder": "encode",
    "wasm_core.errors": "CompileError Frame InvalidError LinkError MalformedError Trap TrapCode Unsupported WasmError",
    "wasm_core.features": "Features",
    "wasm_core.instructions": "Instruction",
    "wasm_core.module": (
        "ConstExpr CustomSection DataSegment DecodedModule ElementSegment Export ExternKind Global Import Section "
        "SegmentMode"
    ),
    "wasm_core.names": "NameSection",
    "wasm_core.protocols": "Engine FunctionDefinition Instance Listener Module",
    "wasm_core.types": (
        "MAX_PAGES MAX_PAGES_64 PAGE_SIZE ArrayType CompositeType ExportType ExternType FieldType FuncType GlobalType "
        "ImportType MemoryType PackedType StructType TableType TagType ValueType"
    ),
    "wasm_core.validator": "validate validate_module",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}

__all__ = list(_MODULES)


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(module, fromlist=["_"]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
