"""Time from the start of a process to the end of a program: imports, compilation, running, with and without a cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

import attrs

from benchmarks import native_wheels
from benchmarks.model import Options, Section
from benchmarks.paths import BUILD, CORPUS, HERE
from benchmarks.workers import Failed, Measured, Subject, Unavailable, measure_row

#: What `--quick` leaves of the corpus.
_FEW = ("noop", "gimli", "bz2", "pulldown-cmark", "rust-json")
#: Whose run fills a cache that other programs then find, and who fills it for that one.
_FIRST, _SECOND = "noop", "gimli"
#: 22 programs take 40 seconds a round.
_MOST_ROUNDS = 5
_TIMEOUT = 100.0

# What is in the cache of compiled code.
_NO_CACHE, _OWN_CODE, _CODE_OF_ANOTHER = range(3)


def _run(python: str, engine_name: str, program: str, cache: str) -> float:
    """Run a program in a process of its own; the time that takes, in milliseconds."""
    # What is installed has its .pyc files; here they are kept apart, whatever this process was told about them.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(BUILD / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    command = [python, str(HERE / "start_program.py"), engine_name, str(CORPUS / program), cache]
    started = perf_counter()
    done = subprocess.run(command, timeout=_TIMEOUT, stderr=subprocess.PIPE, text=True, check=False, env=environment)
    seconds = perf_counter() - started
    if done.returncode:
        last = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        raise Unavailable(last)
    return seconds * 1e3


def _prepare(python: str, engine_name: str, program: str, cache: int) -> Callable[[], Measured]:
    if cache == _NO_CACHE:
        return lambda: (_run(python, engine_name, program, "-"), None)
    # Kept as long as the worker.
    folder = tempfile.TemporaryDirectory()
    if cache == _CODE_OF_ANOTHER:
        _run(python, engine_name, _SECOND if program == _FIRST else _FIRST, folder.name)

    def measure() -> Measured:
        if cache == _OWN_CODE:  # the first round, which does not count, fills it
            milliseconds = _run(python, engine_name, program, folder.name)
        else:
            with tempfile.TemporaryDirectory() as copy:
                shutil.copytree(folder.name, copy, dirs_exist_ok=True)
                milliseconds = _run(python, engine_name, program, copy)
        if not any(Path(folder.name).iterdir()):
            raise Failed("the cache stayed empty")
        return milliseconds, None

    return measure


def _programs(options: Options) -> list[Path]:
    """The folders of the programs to be measured, small programs first."""
    folders = [path.parent for path in CORPUS.glob("*/program.wasm")]
    return sorted(
        [folder for folder in folders if options.wants(folder.name) and (not options.quick or folder.name in _FEW)],
        key=_size,
    )


def _size(folder: Path) -> int:
    return (folder / "program.wasm").stat().st_size


def measure(options: Options) -> Section:
    """Run programs in processes of their own.

    Raises:
        Unavailable: The corpus is not there.
    """
    if not CORPUS.is_dir():
        raise Unavailable(f"no corpus at {CORPUS}")
    here, native = sys.executable, options.native
    columns = {
        "python": (here, "python", _NO_CACHE),
        "wasmtime": (here, "wasmtime", _NO_CACHE),
        "wasmtime, cached": (here, "wasmtime", _OWN_CODE),
        "wasmetal": (here, "wasmetal", _NO_CACHE),
        "wasmetal, new program": (here, "wasmetal", _CODE_OF_ANOTHER),
        "wasmetal, cached": (here, "wasmetal", _OWN_CODE),
    }
    if native:
        native_wheels.check(native)
        columns["native"] = (native, "wasmetal", _NO_CACHE)
        columns["native, new program"] = (native, "wasmetal", _CODE_OF_ANOTHER)
    with_native = [name for name, (python, _, _) in columns.items() if python == native]
    rows = []
    for folder in _programs(options):
        subjects = {
            name: Subject(_prepare, (python, engine, folder.name, cache))
            for name, (python, engine, cache) in columns.items()
        }
        row = measure_row(folder.name, subjects, min(options.rounds, _MOST_ROUNDS))
        rows.append(attrs.evolve(row, name=f"{folder.name} ({_size(folder) / 1024:.0f} KiB)"))
    return Section(
        key="startup",
        title="Process start to program end",
        unit="ms",
        subjects=[
            *("wasmetal", "wasmetal, new program", "wasmetal, cached", *with_native),
            *("wasmtime", "wasmtime, cached", "python"),
        ],
        ratios=[
            ("wasmetal", "wasmtime"),
            ("wasmetal, new program", "wasmtime"),
            ("wasmetal, cached", "wasmtime, cached"),
            *[(name, "wasmtime") for name in with_native],
        ],
        rows=rows,
        notes=[
            "new program: with a cache in which another program has left something, as all but a user's first program "
            "find it; what is compiled is written to it.",
            *(["native: with native wheels of the compiler."] if native else []),
            "python: the same process without an engine. `.pyc` files are there in all rounds that count.",
        ],
    )
