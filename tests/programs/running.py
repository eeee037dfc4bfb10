"""Running a compiled program with wasmetal, and with wasmtime to compare."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import attrs

import wasmetal
from wasm_wasi import Wasi


@attrs.frozen
class Outcome:
    """What came of running a program."""

    code: int
    stdout: bytes
    #: Seconds until the program could start, and until it had ended.
    compile: float = attrs.field(eq=False)
    run: float = attrs.field(eq=False)


def with_wasmetal(program: Path, args: Sequence[str], env: dict[str, str], folder: Path, stdin: bytes) -> Outcome:
    """Run a program with `folder` as /d. Functions are compiled while it runs."""
    began = time.perf_counter()
    module = wasmetal.Module(program)
    ready = time.perf_counter()
    stdout = io.BytesIO()
    wasi = Wasi([program.name, *args], env, {"/d": folder}, stdin=io.BytesIO(stdin), stdout=stdout)
    code = wasi.run(module)
    return Outcome(code, stdout.getvalue(), ready - began, time.perf_counter() - ready)


def with_wasmtime(program: Path, args: Sequence[str], env: dict[str, str], folder: Path, stdin: bytes) -> Outcome:
    """The same with wasmtime, whose streams are files."""
    import wasmtime

    began = time.perf_counter()
    engine = wasmtime.Engine()
    module = wasmtime.Module.from_file(engine, str(program))
    ready = time.perf_counter()
    with tempfile.TemporaryDirectory() as streams:
        given, taken = Path(streams, "in"), Path(streams, "out")
        given.write_bytes(stdin)
        config = wasmtime.WasiConfig()
        config.argv = [program.name, *args]
        config.env = env.items()
        config.preopen_dir(str(folder), "/d")
        config.stdin_file = str(given)
        config.stdout_file = str(taken)
        store = wasmtime.Store(engine)
        store.set_wasi(config)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        start = linker.instantiate(store, module).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        code = 0
        try:
            start(store)
        except wasmtime.ExitTrap as exit:
            code = exit.code
        ended = time.perf_counter()
        del store, start, linker
        return Outcome(code, taken.read_bytes(), ready - began, ended - ready)
