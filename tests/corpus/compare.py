"""How long the programs of the corpus take beside wasmtime, and what compiling an instruction costs, phase by phase.

    python tests/corpus/compare.py [--repeat N] [NAME]...

Run times are medians of the region that a program marks, both engines in turn in one process.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import corpus
import wasmtime

import wasmetal
from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.disassembler import disassemble
from wasm_core.features import Features
from wasm_ir.codegen.pipeline import compile_function


def wasmtime_program(folder: Path, engine: wasmtime.Engine) -> Callable[[], float]:
    """A program ready to run with wasmtime: each call runs it and returns the seconds in its region."""
    module = wasmtime.Module.from_file(engine, str(folder / "program.wasm"))

    def run() -> float:
        times: list[float] = []
        store = wasmtime.Store(engine)
        wasi = wasmtime.WasiConfig()
        wasi.argv = ["program.wasm"]
        wasi.preopen_dir(str(folder), ".")
        wasi.stdout_file = wasi.stderr_file = os.devnull
        store.set_wasi(wasi)
        linker = wasmtime.Linker(engine)
        linker.define_wasi()
        for name in ("start", "end"):
            linker.define_func("bench", name, wasmtime.FuncType([], []), lambda: times.append(time.perf_counter()))
        start = linker.instantiate(store, module).exports(store)["_start"]
        assert isinstance(start, wasmtime.Func)
        try:
            start(store)
        except wasmtime.ExitTrap as exit:
            assert exit.code == 0
        return times[1] - times[0]

    return run


def compare(folders: list[Path], repeat: int) -> None:
    """Print run times."""
    engine = wasmtime.Engine()
    ratios, sums = [], [0.0, 0.0]
    print(
        f"{'seconds in the region':22} {'wasmetal':>10} {'wasmtime':>10} {'ratio':>7} {'first run, with compiling':>26}"
    )
    for folder in folders:
        began = time.perf_counter()
        module = wasmetal.Module(folder / "program.wasm")
        corpus.run(folder, module)
        first = time.perf_counter() - began
        other = wasmtime_program(folder, engine)
        ours, theirs = [], []
        for _ in range(repeat):
            ours.append(corpus.run(folder, module).region)
            theirs.append(other())
        mine, yours = statistics.median(ours), statistics.median(theirs)
        sums[0] += mine
        sums[1] += yours
        ratios.append(mine / yours)
        print(f"{folder.name:22} {mine:10.5f} {yours:10.5f} {mine / yours:7.2f} {first:22.3f}", flush=True)
    mean = math.exp(statistics.mean(map(math.log, ratios)))
    print(f"{'sum, geometric mean':22} {sums[0]:10.5f} {sums[1]:10.5f} {mean:7.2f}")


def phases(folders: list[Path]) -> None:
    """Print what compiling costs per WebAssembly instruction, all functions of the programs together."""
    seconds: dict[str, float] = {}
    instructions = 0
    for folder in folders:
        source = (folder / "program.wasm").read_bytes()
        began = time.perf_counter()
        module = decode(source)
        seconds["decode"] = seconds.get("decode", 0.0) + time.perf_counter() - began
        code = wasmetal.Engine(wasmetal.Config(validation="lazy")).compile(source).code
        # The timing hook is the pipeline's, below the backend's own interface.
        target = getattr(code.backend, "_target", None)
        if target is None:
            print(f"backend {code.backend.name} offers no timings")
            return
        for index in range(module.imported_functions, len(module.function_types)):
            instructions += sum(1 for _ in disassemble(module, index))
            start = time.perf_counter()
            facts = validate_body(module, index, Features.default())
            validated = time.perf_counter()
            code._facts[index] = facts
            function = code.translate(index)
            translated = time.perf_counter()
            seconds["validate"] = seconds.get("validate", 0.0) + validated - start
            seconds["translate"] = seconds.get("translate", 0.0) + translated - validated
            compile_function(function, target, seconds)
    print(f"\nµs per WebAssembly instruction, {instructions:,} instructions:")
    for name, total in [*seconds.items(), ("all", sum(seconds.values()))]:
        print(f"  {name:10} {1e6 * total / instructions:7.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5, help="runs per program and engine (5)")
    parser.add_argument("names", nargs="*", help="programs (all of them)")
    options = parser.parse_args()
    folders = [folder for folder in corpus.programs() if not options.names or folder.name in options.names]
    if not folders:
        raise SystemExit(f"no such program, or no corpus at {corpus.FOLDER} (WASMETAL_SHARED)")
    compare(folders, options.repeat)
    phases(folders)


if __name__ == "__main__":
    main()
