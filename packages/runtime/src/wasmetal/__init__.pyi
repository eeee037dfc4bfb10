"""WebAssembly, compiled to machine code by Python: load a `Module`, instantiate it, call its exports.

The modules behind these names are imported when a name is first asked for: most programs need few of them.
"""

# Written by tests/typing/package_stubs.py (nox -s stubs) from the table in __init__.py.

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
from wasm_core.types import PAGE_SIZE as PAGE_SIZE
from wasm_core.types import ArrayType as ArrayType
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
from wasmetal.code.version import __version__ as __version__
from wasmetal.compiled.listener import FunctionDefinition as FunctionDefinition
from wasmetal.compiled.listener import Listener as Listener
from wasmetal.config import Config as Config
from wasmetal.engine import Engine as Engine
from wasmetal.engine import default_engine as default_engine
from wasmetal.exceptions import ExnRef as ExnRef
from wasmetal.exceptions import Tag as Tag
from wasmetal.exceptions import WasmException as WasmException
from wasmetal.exceptions import python_exception as python_exception
from wasmetal.function import Func as Func
from wasmetal.globals import Global as Global
from wasmetal.instance import Caller as Caller
from wasmetal.instance import Exports as Exports
from wasmetal.instance import Instance as Instance
from wasmetal.interruption import DeadlineExceeded as DeadlineExceeded
from wasmetal.interruption import deadline as deadline
from wasmetal.memory import Memory as Memory
from wasmetal.module import Module as Module
from wasmetal.module import instantiate as instantiate
from wasmetal.module import validate as validate
from wasmetal.registry.backends import BackendInfo as BackendInfo
from wasmetal.registry.backends import backends as backends
from wasmetal.table import Table as Table

__all__ = [
    "PAGE_SIZE",
    "ArrayType",
    "BackendInfo",
    "Caller",
    "CompileError",
    "Config",
    "DeadlineExceeded",
    "Engine",
    "ExnRef",
    "ExportType",
    "Exports",
    "ExternType",
    "Features",
    "FieldType",
    "Frame",
    "Func",
    "FuncType",
    "FunctionDefinition",
    "Global",
    "GlobalType",
    "ImportType",
    "Instance",
    "InvalidError",
    "LinkError",
    "Listener",
    "MalformedError",
    "Memory",
    "MemoryType",
    "Module",
    "PackedType",
    "StructType",
    "Table",
    "TableType",
    "Tag",
    "TagType",
    "Trap",
    "TrapCode",
    "Unsupported",
    "ValueType",
    "WasmError",
    "WasmException",
    "__version__",
    "backends",
    "deadline",
    "default_engine",
    "instantiate",
    "python_exception",
    "validate",
]
