"""WebAssembly, compiled to machine code by Python: load a `Module`, instantiate it, call its exports.

The modules behind these names are imported when a name is first asked for: most programs need few of them.
"""

from __future__ import annotations

import sys

#: Which names come from which module. Type checkers and editors see `__init__.pyi`, made from this (nox -s stubs).
_NAMES = {
    "wasm_core.errors": "CompileError Frame InvalidError LinkError MalformedError Trap TrapCode Unsupported WasmError",
    "wasm_core.features": "Features",
    "wasm_core.types": (
        "PAGE_SIZE ArrayType ExportType ExternType FieldType FuncType GlobalType ImportType MemoryType PackedType "
        "StructType TableType TagType ValueType"
    ),
    "wasmetal.code.version": "__version__",
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

__all__ = list(_MODULES)

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
