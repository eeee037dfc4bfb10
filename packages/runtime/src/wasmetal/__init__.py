"""WebAssembly, compiled to machine code by Python: load a `Module`, instantiate it, call its exports."""

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
from wasm_core.types import (
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
from wasmetal.caller import Caller
from wasmetal.config import Config
from wasmetal.engine import Engine, default_engine
from wasmetal.function import Func
from wasmetal.globals import Global
from wasmetal.instance import Exports, Instance
from wasmetal.interruption import DeadlineExceeded, deadline
from wasmetal.listener import FunctionDefinition, Listener
from wasmetal.memory import Memory
from wasmetal.module import Module, instantiate, validate
from wasmetal.registry import BackendInfo, backends
from wasmetal.table import Table

__version__ = "0.1.0"

__all__ = [
    "PAGE_SIZE",
    "BackendInfo",
    "Caller",
    "CompileError",
    "Config",
    "DeadlineExceeded",
    "Engine",
    "ExportType",
    "Exports",
    "ExternType",
    "Features",
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
    "Table",
    "TableType",
    "Trap",
    "TrapCode",
    "ValueType",
    "WasmError",
    "__version__",
    "backends",
    "deadline",
    "default_engine",
    "instantiate",
    "validate",
]
