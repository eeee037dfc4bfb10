"""wasmtime through its own Python package."""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import wasmtime

from benchmarks.engines import Imports
from benchmarks.engines.stopwatch import Stopwatch


class WasmtimeEngine:
    """An engine with the default configuration: Cranelift, optimizing for speed, compiling on all cores."""

    def __init__(self) -> None:
        self._engine = wasmtime.Engine()

    def compile(self, source: bytes) -> Any:
        return wasmtime.Module(self._engine, source)

    def instantiate(self, compiled: Any, imports: Imports) -> Any:
        store = wasmtime.Store(self._engine)
        given = [wasmtime.Func(store, i.type, imports[i.module, i.name or ""]) for i in compiled.imports]
        return store, wasmtime.Instance(store, compiled, given)

    def function(self, instance: Any, name: str) -> Callable[..., object]:
        store, exports = instance[0], instance[1].exports(instance[0])
        return functools.partial(exports[name], store)

    def program(self, folder: Path) -> Callable[[], tuple[float, str]]:
        module = wasmtime.Module(self._engine, (folder / "program.wasm").read_bytes())
        signature = wasmtime.FuncType([], [])

        def run() -> tuple[float, str]:
            stopwatch = Stopwatch()
            with tempfile.NamedTemporaryFile() as stdout:
                store = wasmtime.Store(self._engine)
                wasi = wasmtime.WasiConfig()
                wasi.argv = ["program"]
                wasi.preopen_dir(os.fspath(folder), ".")
                wasi.stdin_file = os.devnull
                wasi.stdout_file = stdout.name
                wasi.stderr_file = os.devnull
                store.set_wasi(wasi)
                linker = wasmtime.Linker(self._engine)
                linker.define_wasi()
                linker.define_func("bench", "start", signature, stopwatch.start)
                linker.define_func("bench", "end", signature, stopwatch.end)
                start: Any = linker.instantiate(store, module).exports(store)["_start"]
                try:
                    start(store)
                except wasmtime.ExitTrap as exit:
                    if exit.code:
                        raise RuntimeError(f"the program ended with exit code {exit.code}") from None
                return stopwatch.seconds, Path(stdout.name).read_text()

        return run
