"""The WebAssembly module model, binary decoder, validator, features, errors and protocols.

The modules are imported when something of theirs is first asked for: a program that runs code from a cache has no use
for the validator.
"""

# Written by tests/typing/package_stubs.py (nox -s stubs) from the table in __init__.py.

from wasm_core.body_facts import BodyFacts as BodyFacts
from wasm_core.body_validator import validate_body as validate_body
from wasm_core.decoder import decode as decode
from wasm_core.defined_types import DefinedType as DefinedType
from wasm_core.encoder import encode as encode
from wasm_core.errors import CompileError as CompileError
from wasm_core.errors import Frame as Frame
from wasm_core.errors import InvalidError as InvalidError
from wasm_core.errors import LinkError as LinkError
from wasm_core.errors import MalformedError as MalformedError
from wasm_core.errors import Trap as Trap
from wasm_core.errors import TrapCode as TrapCode
from wasm_core.errors import Unsupported as Unsupported
from wasm_core.errors import WasmError as WasmError
from wasm_core.features import Features as Features
from wasm_core.instructions import Instruction as Instruction
from wasm_core.module import ConstExpr as ConstExpr
from wasm_core.module import CustomSection as CustomSection
from wasm_core.module import DataSegment as DataSegment
from wasm_core.module import DecodedModule as DecodedModule
from wasm_core.module import ElementSegment as ElementSegment
from wasm_core.module import Export as Export
from wasm_core.module import ExternKind as ExternKind
from wasm_core.module import Global as Global
from wasm_core.module import Import as Import
from wasm_core.module import Section as Section
from wasm_core.module import SegmentMode as SegmentMode
from wasm_core.names import NameSection as NameSection
from wasm_core.protocols import Engine as Engine
from wasm_core.protocols import FunctionDefinition as FunctionDefinition
from wasm_core.protocols import Instance as Instance
from wasm_core.protocols import Listener as Listener
from wasm_core.protocols import Module as Module
from wasm_core.types import MAX_PAGES as MAX_PAGES
from wasm_core.types import MAX_PAGES_64 as MAX_PAGES_64
from wasm_core.types import PAGE_SIZE as PAGE_SIZE
from wasm_core.types import ArrayType as ArrayType
from wasm_core.types import CompositeType as CompositeType
from wasm_core.types import ExportType as ExportType
from wasm_core.types import ExternType as ExternType
from wasm_core.types import FieldType as FieldType
from wasm_core.types import FuncType as FuncType
from wasm_core.types import GlobalType as GlobalType
from wasm_core.types import ImportType as ImportType
from wasm_core.types import MemoryType as MemoryType
from wasm_core.types import PackedType as PackedType
from wasm_core.types import StructType as StructType
from wasm_core.types import TableType as TableType
from wasm_core.types import TagType as TagType
from wasm_core.types import ValueType as ValueType
from wasm_core.validator import validate as validate
from wasm_core.validator import validate_module as validate_module

__all__ = [
    "MAX_PAGES",
    "MAX_PAGES_64",
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
