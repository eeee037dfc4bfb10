"""Bytes of machine code per WebAssembly instruction."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks import sources
from benchmarks.elf import text_section
from benchmarks.model import Options, Section
from benchmarks.workers import Measured, Subject, measure_row

_TIMEOUT = 600.0


def _prepare(engine: str, name: str) -> Callable[[], Measured]:
    from benchmarks.compiling import compile_module, count_instructions

    source = sources.read(name)

    def measure() -> Measured:
        if engine == "wasmetal":
            compiled = compile_module(source)
            return compiled.code_bytes / compiled.instructions, None
        import wasmtime

        serialized = wasmtime.Module(wasmtime.Engine(), source).serialize()
        return len(text_section(bytes(serialized))) / count_instructions(source), None

    return measure


def measure(options: Options) -> Section:
    """Compile some modules once."""
    rows = []
    for name in sources.names(options):
        subjects = {engine: Subject(_prepare, (engine, name)) for engine in ("wasmtime", "wasmetal")}
        rows.append(measure_row(name, subjects, 1, warm_up=0, timeout=_TIMEOUT))
    return Section(
        key="code_size",
        title="Code size, per WebAssembly instruction",
        unit="bytes",
        subjects=["wasmetal", "wasmtime"],
        ratios=[("wasmetal", "wasmtime")],
        rows=rows,
        notes=["Constants and jump tables included. wasmtime: section `.text`, with its entry trampolines."],
    )
