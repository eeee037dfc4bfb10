"""`import wasmetal.importer` lets `import plugin` load plugin.wasm, when sys.path or a package has no plugin of Python.

The exports are attributes of the module; `__wasm_instance__` is the instance. What the file imports from a module is
taken from the Python (or WebAssembly) module of that name, which is imported: one in the same package first. Files that
need WASI get the standard streams of this process, and nothing else of it.

`wasmetal stubs --as-module plugin.wasm -o plugin.pyi` tells type checkers and editors what is in it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import pathlib
import sys
from collections.abc import Mapping, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, Final

from wasm_core.errors import Trap, WasmError
from wasm_core.quoting import quoted
from wasmetal.instance import Instance
from wasmetal.module import Module

_SUFFIX: Final = ".wasm"
_WASI: Final = "wasi_"


class WasmLoader(Loader):
    """Makes a Python module of a WebAssembly file."""

    def __init__(self, path: str) -> None:
        self.path = path
        #: The WASI process of the module, which is open as long as this is there.
        self._process: object = None

    def create_module(self, spec: ModuleSpec) -> None:
        """The usual kind of module."""

    def exec_module(self, module: ModuleType) -> None:
        """Instantiate the file, and let the module have its exports.

        Raises:
            ImportError: It is not a valid module, or something that it imports is missing.
            Trap: Its start function trapped.
        """
        try:
            # (from its bytes: errors shall name the file once)
            wasm = Module(pathlib.Path(self.path).read_bytes())
            imports = self._imports(wasm, module)
            instance = wasm.instantiate(imports)
        except Trap:
            raise
        except WasmError as error:
            raise ImportError(f"{self.path}: {error}", name=module.__name__, path=self.path) from error
        initialize = instance.exports.get("_initialize")
        if initialize is not None:
            # A library for WASI wants to be initialized first (WASI application ABI, "reactors").
            initialize()
        # What Python keeps in a module stays what it is.
        names = [name for name in instance.exports if not (name.startswith("__") and name.endswith("__"))]
        module.__dict__.update({name: instance.exports[name] for name in names})
        module.__dict__["__wasm_instance__"] = instance
        module.__dict__["__all__"] = [name for name in names if not name.startswith("_")]

    def _imports(self, wasm: Module, module: ModuleType) -> dict[str, Mapping[str, Any] | Instance]:
        spaces = dict.fromkeys([entry.module for entry in wasm.imports])
        return {space: self._space(space, module) for space in spaces}

    def _space(self, space: str, module: ModuleType) -> Mapping[str, Any] | Instance:
        if space.startswith(_WASI):
            return self._wasi(space)
        parent = module.__name__.rpartition(".")[0]
        candidates = [f"{parent}.{space}"] if parent else []
        if all(part.isidentifier() for part in space.split(".")):
            for name in (*candidates, space):
                if name in sys.modules or importlib.util.find_spec(name) is not None:
                    return vars(importlib.import_module(name))
        raise ImportError(
            f"{self.path} imports from {quoted(space)}, and there is no Python module of that name: write one with "
            "these functions, or instantiate the file by hand with wasmetal.instantiate",
            name=module.__name__,
            path=self.path,
        )

    def _wasi(self, space: str) -> Mapping[str, Any]:
        try:
            from wasm_wasi import Wasi
        except ModuleNotFoundError:
            raise ImportError(f"{self.path} needs WASI: pip install 'wasmetal[wasi]'", path=self.path) from None
        wasi = self._process = Wasi(args=[self.path])
        return wasi.imports.get(space, {})


class WasmFinder(MetaPathFinder):
    """Finds NAME.wasm where Python looks for NAME.py."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Where the file is, or None."""
        file = fullname.rpartition(".")[2] + _SUFFIX
        for folder in sys.path if path is None else path:
            if isinstance(folder, str):
                found = os.path.abspath(os.path.join(folder, file))
                if os.path.isfile(found):
                    return importlib.util.spec_from_file_location(fullname, found, loader=WasmLoader(found))
        return None


if not any(isinstance(finder, WasmFinder) for finder in sys.meta_path):
    # Behind all others: a Python module of the same name comes first.
    sys.meta_path.append(WasmFinder())
