"""Shows that WebAssembly code of several threads runs at the same time: the same work on 1, 2, ... threads.

    python tests/soak/parallel.py [--threads N]

Besides, a thread of Python code runs: how far it comes tells whether it can work meanwhile.
"""

from __future__ import annotations

import argparse
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).parent))

import wasmetal
from wasm_core.testing.builder import WasmBuilder

#: Rounds of a loop.
_ROUNDS = 1_000_000_000


def measure(threads: int, config: wasmetal.Config) -> float:
    """Seconds until all threads have done the work, each all of it."""
    op = WasmBuilder.op
    b = WasmBuilder()
    b.func("i", "", b"\x03\x40" + op.get(0) + op.i32(1) + b"\x6b\x22\x00\x0d\x00\x0b", export="count")
    module = wasmetal.Engine(config).compile(b.build())
    exports: list[Any] = [module.instantiate().exports for _ in range(threads)]
    running = [threading.Thread(target=each.count, args=(_ROUNDS,)) for each in exports]
    start = time.perf_counter()
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 2, help="at most (the number of processors)")
    options = parser.parse_args()
    for title, config in (("GIL released", wasmetal.Config()), ("GIL held", wasmetal.Config(hold_gil=True))):
        one = measure(1, config)
        print(f"{title}: 1 thread {one:.2f} s")
        for threads in range(2, options.threads + 1):
            seconds = measure(threads, config)
            print(f"{title}: {threads} threads {seconds:.2f} s, speed-up {threads * one / seconds:.2f}")
    ticks = 0
    finished = threading.Event()

    def tick() -> None:
        nonlocal ticks
        while not finished.is_set():
            ticks += 1

    thread = threading.Thread(target=tick)
    thread.start()
    seconds = measure(1, wasmetal.Config())
    finished.set()
    thread.join()
    print(f"beside a thread of Python code: {seconds:.2f} s, in which that made {ticks:,} rounds")


if __name__ == "__main__":
    main()
