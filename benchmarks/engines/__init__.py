"""The engines that are compared, behind one interface."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path
from typing import Protocol

#: Host functions by (module, name).
Imports = Mapping[tuple[str, str], Callable[..., object]]


class Engine(Protocol):
    """What the benchmarks ask of an engine."""

    def compile(self, source: bytes) -> object:
        """Make a module ready, as an embedder would once."""

    def instantiate(self, compiled: object, imports: Imports) -> object:
        """Make an instance of what `compile` gave; the instance lives as long as the result."""

    def function(self, instance: object, name: str) -> Callable[..., object]:
        """An exported function, as a callable that takes and gives plain Python values."""

    def program(self, folder: Path) -> Callable[[], tuple[float, str]]:
        """Make the program of a folder of the corpus ready; each call runs it.

        It gives the seconds between the program's calls of bench.start and bench.end, and what it wrote to
        standard output.
        """


#: Where the engines are: imported only by the process that runs them.
_ENGINES = {
    "wasmetal": ("benchmarks.engines.wasmetal_engine", "WasmetalEngine"),
    "wasmetal, GIL held": ("benchmarks.engines.wasmetal_engine", "HoldingWasmetalEngine"),
    "wasmtime": ("benchmarks.engines.wasmtime_engine", "WasmtimeEngine"),
}


def open_engine(name: str) -> Engine:
    """The engine of this name, made with its default settings."""
    module, attribute = _ENGINES[name]
    engine: Engine = getattr(import_module(module), attribute)()
    return engine
