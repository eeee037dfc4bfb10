"""Cost of compiling, by phase, and how it grows with the size of a function."""

from __future__ import annotations

from collections.abc import Callable
from time import process_time

from benchmarks import native_wheels, sources
from benchmarks.model import Options, Row, Section
from benchmarks.workers import Failed, Measured, Worker

_TIMEOUT = 600.0
_TOTAL = "total"
_NATIVE = "native"
#: Prints processor time per instruction, of the second time.
_NATIVE_PROGRAM = """
import sys
from time import process_time
from benchmarks import sources
from benchmarks.compiling import compile_module
source = sources.read(sys.argv[1])
for _ in range(2):
    started = process_time()
    compiled = compile_module(source)
    seconds = process_time() - started
print(seconds / compiled.instructions * 1e6)
"""


def _prepare_wasmetal(name: str) -> Callable[[], Measured]:
    from benchmarks.compiling import compile_module

    source = sources.read(name)

    def measure() -> Measured:
        started = process_time()
        compiled = compile_module(source)
        total = (process_time() - started) / compiled.instructions * 1e6
        # Phases are timed by the wall clock, which other processes hold up: only their shares of the whole are used.
        real = sum(compiled.seconds.values())
        phases = {phase: total * seconds / real for phase, seconds in compiled.seconds.items()}
        return total, (phases, compiled.instructions)

    return measure


def _prepare_wasmtime(name: str) -> Callable[[], Measured]:
    import wasmtime

    source = sources.read(name)
    config = wasmtime.Config()
    config.parallel_compilation = False
    engine = wasmtime.Engine(config)

    def measure() -> Measured:
        started = process_time()
        wasmtime.Module(engine, source)
        return (process_time() - started) * 1e6, None

    return measure


def _measure_row(name: str, rounds: int, native: str) -> Row:
    samples: dict[str, list[float]] = {}
    missing: dict[str, str] = {}
    instructions = 0
    try:
        ours = Worker(_prepare_wasmetal, name, timeout=_TIMEOUT)
    except Failed as error:
        return Row(name, {}, {_TOTAL: str(error)})
    theirs = Worker(_prepare_wasmtime, name, timeout=_TIMEOUT)
    try:
        # The first round does not count: it imports, and warms up the interpreter.
        for number in range(rounds + 1):
            total, outcome = ours.measure()
            assert isinstance(outcome, tuple)
            phases, instructions = outcome
            other, _ = theirs.measure()
            if number:
                for subject, value in {**phases, _TOTAL: total, "wasmtime": other / instructions}.items():
                    samples.setdefault(subject, []).append(value)
                if native:
                    samples.setdefault(_NATIVE, []).append(float(native_wheels.output(native, _NATIVE_PROGRAM, name)))
    except Failed as error:
        missing[_TOTAL] = str(error)
    finally:
        ours.stop()
        theirs.stop()
    return Row(f"{name} ({instructions:,} instructions)" if instructions else name, samples, missing)


def measure(options: Options) -> Section:
    """Compile every function of some modules."""
    from benchmarks.compiling import build

    if options.native:
        native_wheels.check(options.native)
    rows = [_measure_row(name, min(options.rounds, 3), options.native) for name in sources.names(options)]
    with_native = [_NATIVE] if options.native else []
    return Section(
        key="compilation",
        title="Compiling, per WebAssembly instruction",
        unit="µs",
        subjects=[
            "decode",
            "validate",
            "front end",
            "lower",
            "allocate",
            "emit",
            "install",
            _TOTAL,
            *with_native,
            "wasmtime",
        ],
        ratios=[(_TOTAL, "wasmtime"), *[(subject, "wasmtime") for subject in with_native]],
        rows=rows,
        notes=[
            f"Processor time; the phases are shares of the total. All functions, on one thread ({build()}); "
            "the front end includes the passes over the IR. wasmtime: all phases, on one thread too "
            "(`parallel_compilation = False`).",
            "Rows `functions of N`: generated functions of about N instructions each, 20,000 instructions at least.",
        ],
    )
