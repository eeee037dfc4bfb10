"""Run time beside other WebAssembly engines in pure Python, on the little work that they can do in reasonable time."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from time import perf_counter

from benchmarks.engines import open_engine
from benchmarks.kernels import KERNELS, Kernel
from benchmarks.model import Options, Section
from benchmarks.toolchain import wasm_kernel
from benchmarks.workers import Measured, Subject, measure_row

_TIMEOUT = 60.0


def _pywasm(source: bytes) -> Callable[[int], object]:
    import pywasm  # type: ignore[import-untyped]

    runtime = pywasm.Runtime()
    module = runtime.instance(pywasm.ModuleDesc.from_reader(BytesIO(source)))
    return lambda n: runtime.invocate(module, "run", [n])[0]


def _ppci(source: bytes, target: str) -> Callable[[int], object]:
    from ppci.wasm import Module, instantiate  # type: ignore[import-untyped]

    function: Callable[[int], object] = instantiate(Module(source), imports={}, target=target).exports["run"]
    return function


def _prepare(engine_name: str, kernel: Kernel) -> Callable[[], Measured]:
    source = wasm_kernel(kernel.name).read_bytes()
    if engine_name == "pywasm":
        run = _pywasm(source)
    elif engine_name.startswith("ppci"):
        run = _ppci(source, "python" if "Python" in engine_name else "native")
    else:
        engine = open_engine(engine_name)
        run = engine.function(engine.instantiate(engine.compile(source), {}), "run")
    work = kernel.tiny_work

    def measure() -> Measured:
        started = perf_counter()
        result = run(work)
        return (perf_counter() - started) * 1e3, result

    return measure


def measure(options: Options) -> Section:
    """Run the kernels that allow for little work."""
    rows = []
    names = ("wasmetal", "ppci, machine code", "ppci, Python code", "pywasm")
    for kernel in KERNELS:
        if kernel.tiny_work and options.wants(kernel.name):
            subjects = {name: Subject(_prepare, (name, kernel)) for name in names}
            rows.append(measure_row(kernel.name, subjects, min(options.rounds, 3), timeout=_TIMEOUT))
    return Section(
        key="peers",
        title="Other engines in pure Python",
        unit="ms",
        subjects=list(names),
        ratios=[("ppci, machine code", "wasmetal"), ("pywasm", "wasmetal")],
        rows=rows,
        notes=[
            "The work is so little (some hundreds of iterations) that for machine code mostly the call is measured. "
            "ppci compiles to machine code or to Python; pywasm interprets.",
        ],
    )
