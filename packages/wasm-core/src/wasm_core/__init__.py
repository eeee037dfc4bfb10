"""The WebAssembly module model, binary decoder, validator, features, errors and protocols."""

from __future__ import annotations

from wasm_core.body_facts import BodyFacts
from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.errors import (
    CompileError,
    Frame,
    InvalidError,
    LinkError,
    MalformedError,
    Trap,
    TrapCode,
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
    ExportType,
    ExternType,
    FuncType,
    GlobalType,
    ImportType,
    MemoryType,
    TableType,
    ValueType,
)
from wasm_core.validator import validate, validate_module

__all__ = [
    "MAX_PAGES",
    "PAGE_SIZE",
    "BodyFacts",
    "CompileError",
    "ConstExpr",
    "CustomSection",
    "DataSegment",
    "DecodedModule",
    "ElementSegment",
    "Engine",
    "Export",
    "ExportType",
    "ExternKind",
    "ExternType",
    "Features",
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
    "Section",
    "SegmentMode",
    "TableType",
    "Trap",
    "TrapCode",
    "ValueType",
    "WasmError",
    "decode",
    "validate",
    "validate_body",
    "validate_module",
]
