"""Time from the start of a process to the end of a program: imports, compilation, running, with and without a cache."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.model import Options, Section
from benchmarks.paths import BUILD, CORPUS, HERE
from benchmarks.workers import Failed, Measured, Subject, Unavailable, measure_row

_PROGRAMS = ("noop", "gimli", "bz2", "pulldown-cmark", "rust-json")
_TIMEOUT = 100.0


def _prepare(engine_name: str, program: str, cached: bool) -> Callable[[], Measured]:
    # Kept as long as the worker: the first round, which does not count, fills it.
    folder = tempfile.TemporaryDirectory() if cached else None
    cache = folder.name if folder else "-"
    # What is installed has its .pyc files; here they are kept apart, whatever this process was told about them.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(BUILD / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [sys.executable, str(HERE / "start_program.py"), engine_name, str(CORPUS / program), cache]

    def measure() -> Measured:
        started = perf_counter()
        done = subprocess.run(
            command, timeout=_TIMEOUT, stderr=subprocess.PIPE, text=True, check=False, env=environment
        )
        seconds = perf_counter() - started
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
            raise Unavailable(last)
        if folder and not any(Path(folder.name).iterdir()):
            raise Failed("the cache stayed empty")
        return seconds * 1e3, None

    return measure


def measure(options: Options) -> Section:
    """Run programs in processes of their own.

    Raises:
        Unavailable: The corpus is not there.
    """
    if not CORPUS.is_dir():
        raise Unavailable(f"no corpus at {CORPUS}")
    columns = {
        "python": ("python", False),
        "wasmtime": ("wasmtime", False),
        "wasmtime, cached": ("wasmtime", True),
        "wasmetal": ("wasmetal", False),
        "wasmetal, cached": ("wasmetal", True),
    }
    rows = []
    for program in _PROGRAMS:
        if options.wants(program):
            subjects = {
                name: Subject(_prepare, (engine, program, cached)) for name, (engine, cached) in columns.items()
            }
            rows.append(measure_row(program, subjects, options.rounds))
    return Section(
        key="startup",
        title="Process start to program end",
        unit="ms",
        subjects=["wasmetal", "wasmetal, cached", "wasmtime", "wasmtime, cached", "python"],
        ratios=[("wasmetal", "wasmtime"), ("wasmetal, cached", "wasmtime, cached")],
        rows=rows,
        notes=["python: the same process without an engine. `.pyc` files are there in all rounds that count."],
    )
