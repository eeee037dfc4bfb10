"""Time and memory of instances of a module that is compiled already."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable
from pathlib import Path
from time import process_time

from benchmarks.engines import open_engine
from benchmarks.model import Options, Section
from benchmarks.workers import Measured, Subject, measure_row
from wasm_core.testing.builder import Op, WasmBuilder

_PAGE = os.sysconf("SC_PAGESIZE")


def _module(kind: str) -> bytes:
    builder = WasmBuilder()
    count = 1000 if kind == "1000 functions, table" else 1
    for index in range(count):
        builder.func("i", "i", Op.get(0), export="run" if index == 0 else None)
    if kind != "no memory":
        builder.memory(2, export="memory")
        builder.data(Op.i32(1024), bytes(range(256)) * 16)
    if count > 1:
        builder.table("r", count)
        builder.elements(Op.i32(0), range(count))
        for value in range(20):
            builder.glob("i", Op.i32(value), mutable=True)
    return builder.build()


_KINDS = ("no memory", "memory, 4 KiB of data", "1000 functions, table")
_MEASURES = ("time, µs", "time with a call, µs", "memory, KiB")


def _resident() -> int:
    """Bytes of memory that this process has now."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE


def _prepare(engine_name: str, kind: str, number: int, measured: str) -> Callable[[], Measured]:
    engine = open_engine(engine_name)
    compiled = engine.compile(_module(kind))
    engine.function(engine.instantiate(compiled, {}), "run")(1)

    def time() -> Measured:
        gc.collect()
        started = process_time()
        for _ in range(number):
            engine.instantiate(compiled, {})
        return (process_time() - started) / number * 1e6, None

    def time_with_call() -> Measured:
        gc.collect()
        started = process_time()
        for _ in range(number):
            engine.function(engine.instantiate(compiled, {}), "run")(1)
        return (process_time() - started) / number * 1e6, None

    def space() -> Measured:
        gc.collect()
        before = _resident()
        kept = [engine.instantiate(compiled, {}) for _ in range(number)]
        for instance in kept:
            engine.function(instance, "run")(1)
        return (_resident() - before) / number / 1024, None

    return dict(zip(_MEASURES, (time, time_with_call, space)))[measured]


def measure(options: Options) -> Section:
    """Make instances."""
    number = 50 if options.quick else 300
    rows = []
    for measured in _MEASURES:
        for kind in _KINDS:
            name = f"{measured}: {kind}"
            if options.wants(name):
                subjects = {e: Subject(_prepare, (e, kind, number, measured)) for e in ("wasmtime", "wasmetal")}
                # Memory that went back to the allocator is taken again in later rounds: only the first counts.
                rounds, warm_up = (1, 0) if measured.startswith("memory") else (options.rounds, 1)
                rows.append(measure_row(name, subjects, rounds, warm_up=warm_up))
    return Section(
        key="instances",
        title="One instance",
        unit="",
        mean=False,
        subjects=["wasmetal", "wasmtime"],
        ratios=[("wasmetal", "wasmtime")],
        rows=rows,
        notes=[
            "Time: of the processor; made and dropped, one after the other, of a module that was instantiated and "
            "called before (wasmtime: with a store of its own each).",
            "With a call: called once in between, through an export that is looked up.",
            "Memory: growth of the resident set per instance, of instances that are all alive and each called once.",
        ],
    )
