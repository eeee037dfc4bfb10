"""Run time of the kernels, beside wasmtime and the same C compiled for this machine."""

from __future__ import annotations

from collections.abc import Callable
from time import thread_time

from benchmarks.engines import native, open_engine
from benchmarks.kernels import KERNELS, Kernel
from benchmarks.model import Options, Section
from benchmarks.toolchain import OPTIMIZATION, native_kernel, wasm_kernel
from benchmarks.workers import Measured, Subject, measure_row


def _prepare(engine_name: str, kernel: Kernel, work: int) -> Callable[[], Measured]:
    if engine_name == "native":
        run = native.load(native_kernel(kernel.name), kernel.result)
    else:
        engine = open_engine(engine_name)
        compiled = engine.compile(wasm_kernel(kernel.name).read_bytes())
        run = engine.function(engine.instantiate(compiled, {}), "run")

    def measure() -> Measured:
        started = thread_time()
        result = run(work)
        return (thread_time() - started) * 1e3, result

    return measure


def measure(options: Options) -> Section:
    """Run every kernel."""
    rows = []
    for kernel in KERNELS:
        if options.wants(kernel.name):
            # Compiled here, so that the processes that measure find it done.
            native_kernel(kernel.name), wasm_kernel(kernel.name)
            work = kernel.quick_work if options.quick else kernel.work
            names = ("native", "wasmtime", "wasmetal")
            subjects = {name: Subject(_prepare, (name, kernel, work)) for name in names}
            rows.append(measure_row(kernel.name, subjects, options.rounds, processes=options.processes))
    return Section(
        key="kernels",
        title="Run time of kernels",
        unit="ms",
        subjects=["wasmetal", "wasmtime", "native"],
        ratios=[("wasmetal", "wasmtime"), ("wasmetal", "native"), ("wasmtime", "native")],
        rows=rows,
        notes=[
            f"Native: the same C compiled with `python -m ziglang cc {OPTIMIZATION}`, which uses the vector "
            "instructions of this machine; the WebAssembly is compiled without SIMD.",
            "Processor time of the calling thread. Compilation is not included: the first round does not count.",
        ],
    )
