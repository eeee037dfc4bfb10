"""Bytes of machine code of the kernels that use WebAssembly's vector instructions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.kernels import VECTOR_KERNELS
from benchmarks.model import Options, Section
from benchmarks.toolchain import wasm_vector_kernel
from benchmarks.workers import Measured, Subject, measure_row


def _prepare(engine: str, compiled: Path) -> Callable[[], Measured]:
    source = compiled.read_bytes()

    def measure() -> Measured:
        if engine == "wasmetal":
            from benchmarks.compiling import compile_module

            return compile_module(source).code_bytes, None
        import wasmtime

        from benchmarks.elf import function_sizes

        return sum(function_sizes(bytes(wasmtime.Module(wasmtime.Engine(), source).serialize())).values()), None

    return measure


def measure(options: Options) -> Section:
    """Compile every kernel once."""
    rows = []
    for kernel in VECTOR_KERNELS:
        if options.wants(kernel.name):
            compiled = wasm_vector_kernel(kernel.name)
            subjects = {engine: Subject(_prepare, (engine, compiled)) for engine in ("wasmtime", "wasmetal")}
            rows.append(measure_row(kernel.name, subjects, 1, warm_up=0))
    return Section(
        key="vectors_size",
        title="Code size of vector kernels",
        unit="bytes",
        subjects=["wasmetal", "wasmtime"],
        ratios=[("wasmetal", "wasmtime")],
        rows=rows,
        notes=["All functions of the module, constants and jump tables included; without wasmtime's trampolines."],
    )
