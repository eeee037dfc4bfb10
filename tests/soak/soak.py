"""Hours of a busy embedder in minutes: threads that compile, instantiate, link, call, trap, interrupt and drop.

    python tests/soak/soak.py [--seconds N] [--threads N] [--seed N]

Prints what was done, and memory after the first tenth of the time and at the end. Exit code 1 when something came out
wrong or memory grew.
"""

from __future__ import annotations

import argparse
import collections
import gc
import os
import random
import signal
import struct
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any, Final

import wasmetal
from wasm_core.testing.builder import WasmBuilder
from wasm_wasi import Wasi
from wasmetal.code.arena import arena
from wasmetal.glue import ticker
from wasmetal.store import interruption
from wasmetal.store.store import stores
from wasmetal.system import lifetime

#: Growth of resident memory that is no leak, in MiB: fragmentation, caches of the allocator.
_SLACK: Final = 48
_VARIANTS: Final = 12


def binary(variant: int) -> bytes:
    """A module with one of everything; variants differ in a constant."""
    op = WasmBuilder.op
    b = WasmBuilder()
    b.import_func("m", "host", "i", "i")
    call = b.type("", "i")
    b.memory(1, 20, export="memory")
    b.table("r", 8, 100, export="table")
    b.table("e", 4, export="objects")
    b.func("i", "i", op.get(0) + b"\x10\x00" + op.i32(variant) + op.I32_ADD, export="host")
    b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    b.func("ii", "", op.get(0) + op.get(1) + op.I32_STORE, export="store")
    b.func("ii", "i", op.get(0) + op.get(1) + op.I32_DIV_S, export="divide")
    b.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
    b.func("i", "i", op.get(0) + b"\x11" + bytes([call]) + b"\x00", export="indirect")
    count_down = b"\x03\x40" + op.get(0) + op.i32(1) + b"\x6b\x22\x00\x0d\x00\x0b"
    b.func("i", "i", count_down + op.i32(variant), export="count")
    b.func(code=b"\x10\x08", export="down")
    b.func("e", "e", op.get(0), export="same")
    b.func("r", "r", op.get(0), export="same_function")
    b.func("", "i", op.i32(variant), export="variant")
    b.elements(op.i32(0), [11, 11])
    data: bytes = b.build()
    return data


def failing_binary(how: int) -> bytes:
    """A module that cannot be instantiated: an import is missing, a segment does not fit, or it traps."""
    op = WasmBuilder.op
    b = WasmBuilder()
    if how == 0:
        b.import_func("m", "missing")
    b.memory(1)
    b.table("r", 8)
    b.func(code=b"\x00" if how == 3 else b"")
    b.elements(op.i32(100 if how == 1 else 0), [0])
    b.data(op.i32(70000 if how == 2 else 0), b"data")
    b.start(0 if how else 1)
    data: bytes = b.build()
    return data


def wasi_binary() -> bytes:
    """Opens a file in the first directory, reads from it, and closes it; the number of the descriptor."""
    op = WasmBuilder.op
    b = WasmBuilder()
    b.import_func("wasi_snapshot_preview1", "path_open", "iiiiiIIii", "i")
    b.import_func("wasi_snapshot_preview1", "fd_pread", "iiiIi", "i")
    b.import_func("wasi_snapshot_preview1", "fd_close", "i", "i")
    b.memory(1, export="memory")
    paths = op.i32(3) + op.i32(0) + op.i32(16) + op.i32(7) + op.i32(0)
    opened = paths + op.i64(6) + op.i64(0) + op.i32(0) + op.i32(64) + b"\x10\x00"
    b.func("", "i", opened, export="open")
    b.func("i", "i", op.get(0) + op.i32(0) + op.i32(1) + op.i64(0) + op.i32(72) + b"\x10\x01", export="read")
    b.func("i", "i", op.get(0) + b"\x10\x02", export="close")
    b.data(op.i32(0), struct.pack("<II", 1024, 16))
    b.data(op.i32(16), b"soak.py")
    data: bytes = b.build()
    return data


class HostError(Exception):
    """What host functions raise now and then."""


class Soak:
    """The work, and what is counted."""

    def __init__(self, seed: int, until: float) -> None:
        self.seed = seed
        self.until = until
        self.counts: collections.Counter[str] = collections.Counter()
        self.problems: list[str] = []
        self.modules = [wasmetal.Module(binary(variant)) for variant in range(_VARIANTS)]
        self.actions: list[Callable[[random.Random, Any, int], None]] = [
            self.calls,
            self.traps,
            self.host_errors,
            self.references,
            self.memory,
            self.deadline,
            self.interrupted,
            self.linked,
            self.recursion,
            self.compiled_again,
            self.does_not_start,
            self.shared_wasi,
        ]
        self.wasi = Wasi(stdin=None, stdout=None, stderr=None, preopens={"/": str(Path(__file__).parent)})
        self.wasi_module = wasmetal.Module(wasi_binary())

    def host(self, number: int) -> int:
        if number == 13:
            raise HostError(number)
        if number == 17:
            gc.collect()
        return number

    def instantiate(self, variant: int) -> wasmetal.Instance:
        self.counts["instances"] += 1
        return self.modules[variant].instantiate({"m": {"host": self.host}})

    def expect(self, truth: bool, what: str) -> None:
        if not truth:
            self.problems.append(what)

    def raises(self, error: type[BaseException], call: Callable[..., object], *args: object) -> None:
        try:
            call(*args)
        except error:
            self.counts[error.__name__] += 1
        else:
            self.problems.append(f"no {error.__name__} from {call}")

    # What a thread does with an instance of `variant`.

    def calls(self, rng: random.Random, exports: Any, variant: int) -> None:
        for number in (1, 17, 100):
            self.expect(exports.host(number) == number + variant, "host")
        self.expect(exports.count(rng.randrange(1, 50_000)) == variant, "count")
        self.expect(exports.variant.call_raw() == (variant,), "call_raw")

    def traps(self, rng: random.Random, exports: Any, variant: int) -> None:
        self.raises(wasmetal.Trap, exports.load, -rng.randrange(1, 1 << 30))
        self.raises(wasmetal.Trap, exports.divide, 1, 0)
        self.raises(wasmetal.Trap, exports.indirect, rng.randrange(8, 20))
        self.raises(TypeError, exports.load, "x")
        self.raises(OverflowError, exports.load, 1 << 32)

    def host_errors(self, rng: random.Random, exports: Any, variant: int) -> None:
        self.raises(HostError, exports.host, 13)

    def references(self, rng: random.Random, exports: Any, variant: int) -> None:
        things = [object() for _ in range(rng.randrange(1, 50))]
        self.expect(all(exports.same(thing) is thing for thing in things), "externref")
        exports.objects[rng.randrange(4)] = things[0]
        exports.table[rng.randrange(2, 8)] = wasmetal.Func(lambda: 5, wasmetal.FuncType((), ("i32",)))
        self.expect(exports.same_function(exports.variant) is exports.variant, "funcref")
        self.raises(ValueError, exports.same.call_raw, rng.getrandbits(63) | 1)

    def memory(self, rng: random.Random, exports: Any, variant: int) -> None:
        pages = exports.memory.pages
        view = exports.memory.view()
        self.expect(exports.grow(1) == pages, "grow")
        exports.store(pages * 65536, variant)
        self.expect(exports.load(pages * 65536) == variant and len(view) == pages * 65536, "memory")

    def deadline(self, rng: random.Random, exports: Any, variant: int) -> None:
        with wasmetal.deadline(rng.random() / 20):
            self.raises(wasmetal.DeadlineExceeded, exports.count, 0)

    def interrupted(self, rng: random.Random, exports: Any, variant: int) -> None:
        store = exports._core_.store
        timer = threading.Timer(rng.random() / 20 + 0.01, lambda: interruption.interrupt(store))
        timer.start()
        # The timer may come before the call.
        with wasmetal.deadline(0.5):
            self.raises(wasmetal.Trap, exports.count, 0)
        timer.join()

    def linked(self, rng: random.Random, exports: Any, variant: int) -> None:
        other = self.modules[(variant + 1) % _VARIANTS].instantiate({"m": {"host": exports.host}})
        exports.table[2] = other.exports.variant
        if rng.random() < 0.5:
            other.close()
        del other
        if rng.random() < 0.1:
            gc.collect()
        self.expect(exports.indirect(2) == (variant + 1) % _VARIANTS, "linked")

    def recursion(self, rng: random.Random, exports: Any, variant: int) -> None:
        self.raises(wasmetal.Trap, exports.down)

    def compiled_again(self, rng: random.Random, exports: Any, variant: int) -> None:
        module = wasmetal.Engine(wasmetal.Config(hold_gil=rng.random() < 0.5)).compile(binary(1000 + rng.randrange(50)))
        self.counts["modules"] += 1
        with module.instantiate({"m": {"host": self.host}}) as instance:
            self.expect(instance.exports.variant() >= 1000, "compiled again")

    def does_not_start(self, rng: random.Random, exports: Any, variant: int) -> None:
        how = rng.randrange(4)
        module = wasmetal.Module(failing_binary(how))
        self.raises(wasmetal.LinkError if how == 0 else wasmetal.Trap, module.instantiate, {"m": {}})

    def shared_wasi(self, rng: random.Random, exports: Any, variant: int) -> None:
        """All threads have one table of descriptors: what one opens, another may close or read from."""
        exports = self.wasi_module.instantiate(self.wasi.imports).exports
        for _ in range(20):
            self.expect(exports.open() == 0, "path_open")
            number = int.from_bytes(exports.memory.read(64, 4), "little")
            # Perhaps somebody has closed it, or it is another one by now.
            if exports.read(number) == 0 and exports.memory.read(72, 4) != bytes(4):
                self.expect(exports.memory.read(1024, 8) == b'"""Hours', "fd_pread")
            exports.close(rng.randrange(4, 12) if rng.random() < 0.3 else number)

    def warm_up(self) -> None:
        """Do everything once: what stays from the first time on, such as the code of thunks, is no growth later."""
        for action in self.actions:
            action(random.Random(self.seed), self.instantiate(0).exports, 0)
        for variant in range(_VARIANTS):
            self.instantiate(variant)

    # Threads.

    def work(self, number: int) -> None:
        rng = random.Random(self.seed * 1000 + number)
        try:
            while time.monotonic() < self.until and not self.problems:
                variant = rng.randrange(_VARIANTS)
                instance = self.instantiate(variant)
                exports = instance.exports
                for _ in range(rng.randrange(1, 8)):
                    action = rng.choice(self.actions)
                    action(rng, exports, variant)
                    self.counts[action.__name__] += 1
                if rng.random() < 0.3:
                    instance.close()
                    self.raises(wasmetal.WasmError, instance.exports.__getitem__, "load")
        except BaseException as error:
            self.problems.append(f"thread {number}: {type(error).__name__}: {error}")
            raise

    def generation(self, threads: int, seconds: float) -> None:
        """Threads come and go, too."""
        end = self.until
        self.until = min(end, time.monotonic() + seconds)
        running = [threading.Thread(target=self.work, args=(self.seed + number,)) for number in range(threads)]
        for thread in running:
            thread.start()
        # The main thread takes part, so that signal handlers run in WebAssembly code.
        self.work(self.seed + threads)
        for thread in running:
            thread.join()
        self.seed += threads + 1
        self.until = end
        self.counts["generations"] += 1


def status() -> dict[str, int]:
    """What the process has, after a collection."""
    for _ in range(3):
        gc.collect()
    fields = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "resident MiB": int(fields["VmRSS"].split()[0]) >> 10,
        "address space MiB": int(fields["VmSize"].split()[0]) >> 10,
        "code bytes": arena().bytes_in_use,
        "instances": len([get for _, _, get in list(ticker._ticker.linked.values()) if get is not None and get()]),
        "stores": len(stores),
        "linked": len(ticker._ticker.linked),
        "threads": threading.active_count(),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "mappings": len(Path("/proc/self/maps").read_text().splitlines()),
        # Stacks and memories in use, code that is there.
        **collections.Counter(f"held: {type(thing).__name__}" for thing in list(lifetime._held.values())),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600, help="how long (600)")
    parser.add_argument("--threads", type=int, default=8, help="besides the main one (8)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (0)")
    options = parser.parse_args()

    began = time.monotonic()
    soak = Soak(options.seed, began + options.seconds)

    def alarm(number: int, frame: FrameType | None) -> None:
        soak.counts["signals"] += 1

    signal.signal(signal.SIGALRM, alarm)
    signal.setitimer(signal.ITIMER_REAL, 0.05, 0.05)
    soak.warm_up()
    soak.until = began + options.seconds / 10
    while time.monotonic() < soak.until and not soak.problems:
        soak.generation(options.threads, options.seconds / 40)
    first = status()
    soak.until = began + options.seconds
    while time.monotonic() < soak.until and not soak.problems:
        soak.generation(options.threads, options.seconds / 40)
    signal.setitimer(signal.ITIMER_REAL, 0)
    soak.wasi.close()
    last = status()

    print(f"{time.monotonic() - began:.0f} seconds, {options.threads} threads, seed {options.seed}")
    for name, count in sorted(soak.counts.items()):
        print(f"  {name:20} {count:>10,}")
    print(f"  {'':20} {'early':>10} {'end':>10}")
    for name in {**first, **last}:
        print(f"  {name:20} {first.get(name, 0):>10,} {last.get(name, 0):>10,}")
    counted = ("instances", "stores", "linked", "threads", "descriptors", *(n for n in last if n.startswith("held: ")))
    for name in counted:
        if last[name] > first.get(name, 0):
            soak.problems.append(f"{name}: {first.get(name, 0)} became {last[name]}")
    if last["resident MiB"] > first["resident MiB"] + _SLACK:
        soak.problems.append("memory grew")
    for problem in soak.problems:
        print(f"PROBLEM: {problem}", file=sys.stderr)
    return 1 if soak.problems else 0


if __name__ == "__main__":
    sys.exit(main())
