"""Reading the text format: modules, and scripts of the specification's test suite."""

from __future__ import annotations

import resource
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

from benchmarks import native_wheels, sources
from benchmarks.model import Options, Row, Section
from benchmarks.paths import SHARED
from benchmarks.workers import Measured, Subject, Unavailable, measure_row

_TIMEOUT = 600.0
_SCRIPTS = SHARED / "spec" / "scripts" / "2.0"
_CHOSEN = ("simd/simd_f32x4", "simd/simd_i16x8_extmul_i8x16", "float_exprs", "conversions")

#: Prints processor time, of the second time.
_NATIVE_PROGRAM = """
import sys
from time import process_time
import wasm_text
from benchmarks import native_wheels, sources
text = wasm_text.format(sources.read(sys.argv[1])).encode()
for _ in range(2):
    started = process_time()
    wasm_text.assemble(text)
    seconds = process_time() - started
print(seconds)
"""


def _module_text(name: str) -> bytes:
    import wasm_text

    return wasm_text.format(sources.read(name)).encode()


def _prepare_module(engine: str, name: str) -> Callable[[], Measured]:
    text = _module_text(name)

    def measure() -> Measured:
        if engine == "wasm_text":
            from wasm_text import assemble as read
        else:
            from wasmtime import wat2wasm as read
        started = process_time()
        read(text)
        return _per_megabyte(process_time() - started, text), None

    return measure


def _prepare_native(python: str, name: str) -> Callable[[], Measured]:
    text = _module_text(name)
    return lambda: (_per_megabyte(float(native_wheels.output(python, _NATIVE_PROGRAM, name)), text), None)


def _prepare_script(name: str) -> Callable[[], Measured]:
    from wasm_text import TextError, parse_script

    text = (_SCRIPTS / f"{name}.wast").read_bytes()

    def measure() -> Measured:
        started = process_time()
        for command in parse_script(text):
            if command.module is not None:
                try:
                    command.module.assemble()
                except TextError:
                    # Some are malformed on purpose.
                    assert command.kind == "assert_malformed"
        return _per_megabyte(process_time() - started, text), None

    return measure


def _prepare_wast2json(name: str) -> Callable[[], Measured]:
    program = shutil.which("wast2json")
    if program is None:
        raise Unavailable("wabt is not installed")
    path = _SCRIPTS / f"{name}.wast"

    def measure() -> Measured:
        with tempfile.TemporaryDirectory() as folder:
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run([program, path, "-o", Path(folder, "script.json")], check=True, capture_output=True)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return _per_megabyte(seconds, path.read_bytes()), None

    return measure


def _per_megabyte(seconds: float, text: bytes) -> float:
    """Milliseconds for each megabyte."""
    return seconds * 1e9 / len(text)


def _rows(options: Options) -> list[Row]:
    rounds = min(options.rounds, 3)
    rows = []
    for name in sources.names(options):
        subjects = {engine: Subject(_prepare_module, (engine, name)) for engine in ("wasm_text", "wasmtime")}
        if options.native:
            subjects["native"] = Subject(_prepare_native, (options.native, name))
        rows.append(measure_row(name, subjects, rounds, timeout=_TIMEOUT, missing={"wast2json": "reads scripts"}))
    reads_modules = dict.fromkeys(("wasmtime", "native") if options.native else ("wasmtime",), "reads modules")
    for name in _CHOSEN if _SCRIPTS.is_dir() else ():
        if options.wants(name):
            scripts = {
                "wasm_text": Subject(_prepare_script, (name,)),
                "wast2json": Subject(_prepare_wast2json, (name,)),
            }
            rows.append(measure_row(name, scripts, rounds, timeout=_TIMEOUT, missing=reads_modules))
    return rows


def measure(options: Options) -> Section:
    """Assemble what the printer makes of some modules, and the modules of some scripts."""
    with_native = ["native"] if options.native else []
    return Section(
        key="text",
        title="Reading the text format, per megabyte of text",
        unit="ms",
        subjects=["wasm_text", *with_native, "wasmtime", "wast2json"],
        ratios=[("wasm_text", "wasmtime"), *[(each, "wasmtime") for each in with_native], ("wasm_text", "wast2json")],
        rows=_rows(options),
        notes=[
            "Processor time on one thread. wasmtime: `wasmtime.wat2wasm`; wast2json: wabt's program, its start and the "
            "files that it writes included.",
            "The names of scripts are those of the specification's test suite.",
        ],
    )
