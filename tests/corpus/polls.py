"""What interruptibility costs: the programs of the corpus with polls in their loops and without, in one run.

    python tests/corpus/polls.py [--repeat N] [--layouts N] [NAME]...

Function entries poll by the comparison with the stack limit that they need anyway, so they are the same in both.
Times are processor time of the region that a program marks, the least of the repetitions, all kinds in turn.

Where code lies may matter more than what it is (`sieve`, without polls, takes half as long again when its inner loop
starts 16 bytes further on). So each kind is run in several layouts: with functions that begin with more or fewer bytes
that do nothing. A time is the geometric mean of the layouts'; the span is from the fastest one without polls to the
slowest one. x86-64 only; elsewhere there is one layout.
"""

from __future__ import annotations

import argparse
import math
import statistics
import time
from pathlib import Path
from typing import Final

import attrs
import corpus

import wasmetal
from wasm_backend_amd64 import target as amd64
from wasm_ir.codegen.emission import Emitter
from wasm_ir.ir import ABI_WASM

#: In seconds.
_SHORTEST: Final = 1e-4
#: Seconds for each program, and runs at most.
_LEAST: Final = 4
_MOST: Final = 200
#: Bytes of a cache line, in which layouts differ.
_LINE: Final = 64
_emit_prologue: Final = amd64.Amd64Target.emit_prologue


def load(folder: Path, polls: bool, shift: int) -> wasmetal.Module:
    """A program, compiled with or without polls, and with so many bytes more at the start of each function."""

    def emit_prologue(self: amd64.Amd64Target, emitter: Emitter) -> None:
        _emit_prologue(self, emitter)
        if shift and emitter.function.abi == ABI_WASM:
            self.emit_padding(emitter, shift)

    amd64.Amd64Target.emit_prologue = emit_prologue  # type: ignore[method-assign]
    engine = wasmetal.Engine(wasmetal.Config(validation="lazy"))
    module = engine.compile(folder / "program.wasm")
    code = module.code
    code._options = attrs.evolve(code._options, polls=polls)
    code.compile_all()
    return module


def measure(folder: Path, modules: list[list[wasmetal.Module]], repeat: int) -> list[list[float]]:
    """The least time that each module takes."""
    times: list[list[float]] = [[math.inf] * len(kind) for kind in modules]
    turn = 0
    until = time.monotonic() + _LEAST
    # Short programs more often: the least time of many is what nothing else disturbed.
    while turn < repeat or (time.monotonic() < until and turn < _MOST):
        turn += 1
        for layout in range(len(modules[0])):
            for kind in ((0, 1), (1, 0))[turn % 2]:
                taken = corpus.run(folder, modules[kind][layout], clock=time.thread_time).region
                times[kind][layout] = min(times[kind][layout], taken)
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7, help="runs per program, kind and layout, at least (7)")
    parser.add_argument("--layouts", type=int, default=4, help="layouts per program and kind (4)")
    parser.add_argument("names", nargs="*", help="programs (all of them)")
    options = parser.parse_args()
    folders = [folder for folder in corpus.programs() if not options.names or folder.name in options.names]
    if not folders:
        raise SystemExit(f"no such program, or no corpus at {corpus.FOLDER} (WASMETAL_SHARED)")
    print(f"{'seconds in the region':22} {'without':>10} {'with polls':>10} {'cost':>7} {'code':>7}  layouts without")
    ratios, sums, sizes = [], [0.0, 0.0], [0, 0]
    for folder in folders:
        shifts = [_LINE * number // options.layouts for number in range(options.layouts)]
        modules = [[load(folder, polls, shift) for shift in shifts] for polls in (False, True)]
        times = measure(folder, modules, options.repeat)
        without, polled = [math.exp(statistics.mean(math.log(max(t, 1e-9)) for t in kind)) for kind in times]
        code = [sum(len(made.code) for _, made in kind[0].code._placed.values()) for kind in modules]
        for kind, value in enumerate((without, polled)):
            sums[kind] += value
            sizes[kind] += code[kind]
        # Shorter than what the clock can tell: listed, but no part of the mean.
        if without >= _SHORTEST:
            ratios.append(polled / without)
        grown = code[1] / code[0] - 1
        cost = f"{polled / without - 1:+7.1%}" if without >= _SHORTEST else f"{'-':>7}"
        span = f"{max(times[0]) / min(times[0]) - 1:+7.1%}" if without >= _SHORTEST else ""
        print(f"{folder.name:22} {without:10.5f} {polled:10.5f} {cost} {grown:+7.1%} {span}", flush=True)
    mean = math.exp(statistics.mean(map(math.log, ratios)))
    print(f"{'sum':22} {sums[0]:10.5f} {sums[1]:10.5f} {sums[1] / sums[0] - 1:+7.1%} {sizes[1] / sizes[0] - 1:+7.1%}")
    print(f"{'geometric mean':44} {mean - 1:+7.1%}, median {statistics.median(ratios) - 1:+.1%}")


if __name__ == "__main__":
    main()
