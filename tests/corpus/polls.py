"""What interruptibility costs: the programs of the corpus with polls in their loops and without, in one run.

    python tests/corpus/polls.py [--repeat N] [NAME]...

Function entries poll by the comparison with the stack limit that they need anyway, so they are the same in both.
Times are processor time of the region that a program marks, the least of the repetitions, both kinds in turn.
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

#: In seconds.
_SHORTEST: Final = 1e-4
#: Seconds for each program, and runs at most.
_LEAST: Final = 4
_MOST: Final = 200


def load(folder: Path, polls: bool) -> wasmetal.Module:
    """A program, compiled with or without polls."""
    engine = wasmetal.Engine(wasmetal.Config(validation="lazy"))
    module = engine.compile(folder / "program.wasm")
    code = module.code
    code._options = attrs.evolve(code._options, polls=polls)
    code.compile_all()
    return module


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=7, help="runs per program and kind, at least (7)")
    parser.add_argument("names", nargs="*", help="programs (all of them)")
    options = parser.parse_args()
    folders = [folder for folder in corpus.programs() if not options.names or folder.name in options.names]
    if not folders:
        raise SystemExit(f"no such program, or no corpus at {corpus.FOLDER} (WASMETAL_SHARED)")
    print(f"{'seconds in the region':22} {'without':>10} {'with polls':>10} {'cost':>7} {'code':>7}")
    ratios, sums, sizes = [], [0.0, 0.0], [0, 0]
    for folder in folders:
        modules = [load(folder, polls) for polls in (False, True)]
        times: list[list[float]] = [[], []]
        turn = 0
        until = time.monotonic() + _LEAST
        # Short programs more often: the least time of many is what nothing else disturbed.
        while turn < options.repeat or (time.monotonic() < until and turn < _MOST):
            turn += 1
            for kind in ((0, 1), (1, 0))[turn % 2]:
                times[kind].append(corpus.run(folder, modules[kind], clock=time.thread_time).region)
        without, polled = min(times[0]), min(times[1])
        code = [sum(len(made.code) for _, made in module.code._placed.values()) for module in modules]
        for kind, value in enumerate((without, polled)):
            sums[kind] += value
            sizes[kind] += code[kind]
        # Shorter than what the clock can tell: listed, but no part of the mean.
        if without >= _SHORTEST:
            ratios.append(polled / without)
        grown = code[1] / code[0] - 1
        cost = f"{polled / without - 1:+7.1%}" if without >= _SHORTEST else f"{'-':>7}"
        print(f"{folder.name:22} {without:10.5f} {polled:10.5f} {cost} {grown:+7.1%}", flush=True)
    mean = math.exp(statistics.mean(map(math.log, ratios)))
    print(f"{'sum':22} {sums[0]:10.5f} {sums[1]:10.5f} {sums[1] / sums[0] - 1:+7.1%} {sizes[1] / sizes[0] - 1:+7.1%}")
    print(f"{'geometric mean':44} {mean - 1:+7.1%}, median {statistics.median(ratios) - 1:+.1%}")


if __name__ == "__main__":
    main()
