"""The WebAssembly module model, binary decoder, validator, features, errors and protocols.

The modules are imported when something of theirs is first asked for: a program that runs code from a cache has no use
for the validator.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wasm_core.body_facts import BodyFacts
    from wasm_core.body_validator import validate_body
    from wasm_core.decoder import decode
    from wasm_core.defined_types import DefinedType
    from wasm_core.encoder import encode
    from wasm_core.errors import (
        CompileError,
        Frame,
        InvalidError,
        LinkError,
        MalformedError,
        Trap,
        TrapCode,
        Unsupported,
        WasmError,
    )
    from wasm_core.features import Features
    from wasm_core.instructions import Instruction
    from wasm_core.module import (
        ConstExpr,
        CustomSection,
        DataSegment,
        DecodedModule,
        ElementSegment,
        Export,
        ExternKind,
        Global,
        Import,
        Section,
        SegmentMode,
    )
    from wasm_core.names import NameSection
    from wasm_core.protocols import Engine, FunctionDefinition, Instance, Listener, Module
    from wasm_core.types import (
        MAX_PAGES,
        PAGE_SIZE,
        ArrayType,
        CompositeType,
        ExportType,
        ExternType,
        FieldType,
        FuncType,
        GlobalType,
        ImportType,
        MemoryType,
        PackedType,
        StructType,
        TableType,
        TagType,
        ValueType,
    )
    from wasm_core.validator import validate, validate_module

__all__ = [
    "MAX_PAGES",
    "PAGE_SIZE",
    "ArrayType",
    "BodyFacts",
    "CompileError",
    "CompositeType",
    "ConstExpr",
    "CustomSection",
    "DataSegment",
    "DecodedModule",
    "DefinedType",
    "ElementSegment",
    "Engine",
    "Export",
    "ExportType",
    "ExternKind",
    "ExternType",
    "Features",
    "FieldType",
    "Frame",
    "FuncType",
    "FunctionDefinition",
    "Global",
    "GlobalType",
    "Import",
    "ImportType",
    "Instance",
    "Instruction",
    "InvalidError",
    "LinkError",
    "Listener",
    "MalformedError",
    "MemoryType",
    "Module",
    "NameSection",
    "PackedType",
    "Section",
    "SegmentMode",
    "StructType",
    "TableType",
    "TagType",
    "Trap",
    "TrapCode",
    "Unsupported",
    "ValueType",
    "WasmError",
    "decode",
    "encode",
    "validate",
    "validate_body",
    "validate_module",
]

#: Which names come from which module.
_NAMES = {
    "body_facts": "BodyFacts",
    "body_validator": "validate_body",
    "decoder": "decode",
    "defined_types": "DefinedType",
    "encoder": "encode",
    "errors": "CompileError Frame InvalidError LinkError MalformedError Trap TrapCode Unsupported WasmError",
    "features": "Features",
    "instructions": "Instruction",
    "module": (
        "ConstExpr CustomSection DataSegment DecodedModule ElementSegment Export ExternKind Global Import Section "
        "SegmentMode"
    ),
    "names": "NameSection",
    "protocols": "Engine FunctionDefinition Instance Listener Module",
    "types": (
        "MAX_PAGES PAGE_SIZE ArrayType CompositeType ExportType ExternType FieldType FuncType GlobalType ImportType "
        "MemoryType PackedType StructType TableType TagType ValueType"
    ),
    "validator": "validate validate_module",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(f"{__name__}.{module}", fromlist=["_"]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
