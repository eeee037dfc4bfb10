"""Run time of the kernels, beside wasmtime and the same C compiled for this machine."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from time import thread_time

from benchmarks.engines import native, open_engine
from benchmarks.kernels import KERNELS, Kernel
from benchmarks.model import Options, Row, Section
from benchmarks.toolchain import OPTIMIZATION, native_kernel, wasm_kernel
from benchmarks.workers import Measured, Subject, measure_row

#: How the processor time is counted.
TIME_NOTE = "Processor time of the calling thread. Compilation is not included: the first round does not count."


def _prepare(engine_name: str, compiled: Path, result: str, work: int) -> Callable[[], Measured]:
    if engine_name == "native":
        run = native.load(compiled, result)
    else:
        engine = open_engine(engine_name)
        run = engine.function(engine.instantiate(engine.compile(compiled.read_bytes()), {}), "run")

    def measure() -> Measured:
        started = thread_time()
        result = run(work)
        return (thread_time() - started) * 1e3, result

    return measure


def measure_kernels(
    options: Options, kernels: Sequence[Kernel], wasm: Callable[[str], Path], native: Callable[[str], Path]
) -> list[Row]:
    """Run kernels, which `wasm` and `native` compile by name."""
    rows = []
    for kernel in kernels:
        if options.wants(kernel.name):
            # Compiled here, so that the processes that measure find it done.
            module = wasm(kernel.name)
            files = {"native": native(kernel.name), "wasmtime": module, "wasmetal": module}
            work = kernel.quick_work if options.quick else kernel.work
            subjects = {name: Subject(_prepare, (name, file, kernel.result, work)) for name, file in files.items()}
            rows.append(measure_row(kernel.name, subjects, options.rounds, processes=options.processes))
    return rows


def measure(options: Options) -> Section:
    """Run every kernel."""
    return Section(
        key="kernels",
        title="Run time of kernels",
        unit="ms",
        subjects=["wasmetal", "wasmtime", "native"],
        ratios=[("wasmetal", "wasmtime"), ("wasmetal", "native"), ("wasmtime", "native")],
        rows=measure_kernels(options, KERNELS, wasm_kernel, native_kernel),
        notes=[
            f"Native: the same C compiled with `python -m ziglang cc {OPTIMIZATION}`, which uses the vector "
            "instructions of this machine; the WebAssembly is compiled without SIMD.",
            TIME_NOTE,
        ],
    )
