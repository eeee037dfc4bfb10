"""WebAssembly, compiled to machine code by Python: load a `Module`, instantiate it, call its exports.

The modules behind these names are imported when a name is first asked for: most programs need few of them.
"""

from __future__ import annotations

import sys

from wasmetal.code.version import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
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
    from wasm_core.types import (
        PAGE_SIZE,
        ArrayType,
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
    from wasmetal.compiled.listener import FunctionDefinition, Listener
    from wasmetal.config import Config
    from wasmetal.engine import Engine, default_engine
    from wasmetal.exceptions import ExnRef, Tag, WasmException, python_exception
    from wasmetal.function import Func
    from wasmetal.globals import Global
    from wasmetal.instance import Caller, Exports, Instance
    from wasmetal.interruption import DeadlineExceeded, deadline
    from wasmetal.memory import Memory
    from wasmetal.module import Module, instantiate, validate
    from wasmetal.registry.backends import BackendInfo, backends
    from wasmetal.table import Table

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

#: Which names come from which module.
_NAMES = {
    "wasm_core.errors": "CompileError Frame InvalidError LinkError MalformedError Trap TrapCode Unsupported WasmError",
    "wasm_core.features": "Features",
    "wasm_core.types": (
        "PAGE_SIZE ArrayType ExportType ExternType FieldType FuncType GlobalType ImportType MemoryType PackedType "
        "StructType TableType TagType ValueType"
    ),
    "wasmetal.config": "Config",
    "wasmetal.engine": "Engine default_engine",
    "wasmetal.exceptions": "ExnRef Tag WasmException python_exception",
    "wasmetal.function": "Func",
    "wasmetal.globals": "Global",
    "wasmetal.instance": "Caller Exports Instance",
    "wasmetal.interruption": "DeadlineExceeded deadline",
    "wasmetal.compiled.listener": "FunctionDefinition Listener",
    "wasmetal.memory": "Memory",
    "wasmetal.module": "Module instantiate validate",
    "wasmetal.registry.backends": "BackendInfo backends",
    "wasmetal.table": "Table",
}
_MODULES = {name: module for module, names in _NAMES.items() for name in names.split()}
#: What `globals()` is elsewhere; here that name is a submodule.
_HERE = vars(sys.modules[__name__])


def __getattr__(name: str) -> object:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(__import__(module, fromlist=["_"]), name)
    _HERE[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*_HERE, *__all__})
