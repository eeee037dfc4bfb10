"""wasmetal, as its users call it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import cast

import wasmetal
from benchmarks.engines import Imports
from benchmarks.engines.stopwatch import Stopwatch
from wasm_wasi import Wasi


class WasmetalEngine:
    """An `Engine` with the default configuration."""

    config = wasmetal.Config()

    def __init__(self) -> None:
        self._engine = wasmetal.Engine(self.config)

    def compile(self, source: bytes) -> wasmetal.Module:
        return self._engine.compile(source)

    def instantiate(self, compiled: object, imports: Imports) -> wasmetal.Instance:
        given: dict[str, dict[str, object]] = {}
        for (module, name), function in imports.items():
            given.setdefault(module, {})[name] = function
        return cast(wasmetal.Module, compiled).instantiate(given)

    def function(self, instance: object, name: str) -> Callable[..., object]:
        return cast(Callable[..., object], cast(wasmetal.Instance, instance).exports[name])

    def program(self, folder: Path) -> Callable[[], tuple[float, str]]:
        module = self._engine.compile((folder / "program.wasm").read_bytes())

        def run() -> tuple[float, str]:
            stopwatch = Stopwatch()
            with tempfile.NamedTemporaryFile() as stdout:
                wasi = Wasi(["program"], preopens={".": folder}, stdin=None, stdout=stdout.name, stderr=None)
                code = wasi.run(module, {"bench": {"start": stopwatch.start, "end": stopwatch.end}})
                if code:
                    raise RuntimeError(f"the program ended with exit code {code}")
                return stopwatch.seconds, Path(stdout.name).read_text()

        return run


class HoldingWasmetalEngine(WasmetalEngine):
    """The same, keeping the GIL while WebAssembly runs."""

    config = wasmetal.Config(hold_gil=True)
