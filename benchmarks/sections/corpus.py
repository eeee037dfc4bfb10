"""Run time of real programs (the corpus), beside wasmtime."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from benchmarks.engines import open_engine
from benchmarks.model import Options, Section
from benchmarks.paths import CORPUS
from benchmarks.workers import Measured, Subject, Unavailable, measure_row

#: Programs that run long even with wasmtime; a quick run leaves them out.
_LONG = frozenset({"ackermann", "base64", "ctype", "hashset", "quicksort", "random", "richards", "ratelimit", "sieve"})
#: Their regions are empty or last some microseconds, so that only the two host calls would be timed.
_NOT_TIMED = frozenset({"noop", "nestedloop"})
#: What it prints is different each time.
_PRINTS_TIME = frozenset({"hashset"})


def _prepare(engine_name: str, folder: Path) -> Callable[[], Measured]:
    run = open_engine(engine_name).program(folder)

    def measure() -> Measured:
        seconds, output = run()
        return seconds * 1e3, None if folder.name in _PRINTS_TIME else output

    return measure


def measure(options: Options) -> Section:
    """Run every program of the corpus.

    Raises:
        Unavailable: The corpus is not there.
    """
    if not CORPUS.is_dir():
        raise Unavailable(f"no corpus at {CORPUS} (WASMETAL_SHARED says where the folder above it is)")
    left_out = _NOT_TIMED | (_LONG if options.quick else frozenset())
    rows = []
    for folder in sorted(CORPUS.iterdir()):
        if folder.is_dir() and folder.name not in left_out and options.wants(folder.name):
            subjects = {name: Subject(_prepare, (name, folder)) for name in ("wasmtime", "wasmetal")}
            rows.append(measure_row(folder.name, subjects, options.rounds, processes=options.processes))
    return Section(
        key="corpus",
        title="Run time of real programs",
        unit="ms",
        subjects=["wasmetal", "wasmtime"],
        ratios=[("wasmetal", "wasmtime")],
        rows=rows,
        notes=[
            "Processor time between the program's calls of `bench.start` and `bench.end`, read by these.",
            "Compilation is not included: the first round does not count.",
        ],
    )
