"""Runs a program of the corpus once, as a fresh process: started by the section `startup`, never imported.

Arguments: the engine, a folder of the corpus, and a folder for the cache of compiled code ("-" for none).
"""

from __future__ import annotations

import os
import sys
from typing import Any

engine_name, folder, cache = sys.argv[1:]


def nothing() -> None:
    """bench.start, bench.end."""


def run_wasmetal() -> int:
    """The program with wasmetal; gives its exit code."""
    import wasmetal
    from wasm_wasi import Wasi

    config = wasmetal.Config() if cache == "-" else wasmetal.Config(cache=cache)
    module = wasmetal.Engine(config).compile(os.path.join(folder, "program.wasm"))
    wasi = Wasi(["program"], preopens={".": folder}, stdin=None, stdout=None, stderr=None)
    return wasi.run(module, {"bench": {"start": nothing, "end": nothing}})


def run_wasmtime() -> int:
    """The program with wasmtime; gives its exit code."""
    import wasmtime

    config = wasmtime.Config()
    if cache != "-":
        settings = os.path.join(cache, "wasmtime.toml")
        with open(settings, "w") as file:
            file.write(f'[cache]\ndirectory = "{os.path.join(cache, "wasmtime")}"\n')
        config.cache = settings
    engine = wasmtime.Engine(config)
    module = wasmtime.Module.from_file(engine, os.path.join(folder, "program.wasm"))
    store = wasmtime.Store(engine)
    wasi = wasmtime.WasiConfig()
    wasi.argv = ["program"]
    wasi.preopen_dir(folder, ".")
    wasi.stdin_file = wasi.stdout_file = wasi.stderr_file = os.devnull
    store.set_wasi(wasi)
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    for name in ("start", "end"):
        linker.define_func("bench", name, wasmtime.FuncType([], []), nothing)
    start: Any = linker.instantiate(store, module).exports(store)["_start"]
    try:
        start(store)
    except wasmtime.ExitTrap as exit:
        return int(exit.code)
    return 0


def run_nothing() -> int:
    """What Python itself takes."""
    return 0


sys.exit({"wasmetal": run_wasmetal, "wasmtime": run_wasmtime, "python": run_nothing}[engine_name]())
