"""Run time of the kernels that use WebAssembly's vector instructions, beside wasmtime and scalar C."""

from __future__ import annotations

from benchmarks.kernels import VECTOR_KERNELS
from benchmarks.model import Options, Section
from benchmarks.sections.kernels import TIME_NOTE, measure_kernels
from benchmarks.toolchain import OPTIMIZATION, native_vector_kernel, wasm_vector_kernel


def measure(options: Options) -> Section:
    """Run every kernel."""
    return Section(
        key="vectors",
        title="Run time of vector kernels",
        unit="ms",
        subjects=["wasmetal", "wasmtime", "native"],
        ratios=[("wasmetal", "wasmtime"), ("wasmetal", "native"), ("wasmtime", "native")],
        rows=measure_kernels(options, VECTOR_KERNELS, wasm_vector_kernel, native_vector_kernel),
        notes=[
            f"WebAssembly: C with the instructions of `wasm_simd128.h`, compiled with `{OPTIMIZATION} -msimd128`. "
            "Native: plain C that does the same, which confirms the results; the compiler may vectorize it or not.",
            TIME_NOTE,
        ],
    )
