"""Threads that do everything at once with what they share: instances, modules, memories, tables, globals, functions.

    python tests/soak/racing.py [--operations N] [--threads N] [--seed N]

Nearly every operation races with others: a call with the closing of its instance, with the linking of its store, with
an interruption, with another call. What each may come to is known: its result, or an error that says who was in the
way. Each thread has an instance of its own besides, whose calls nothing may disturb. Where Python has a GIL this shows
little; it is meant for builds without one. Exit code 1 when something came out wrong; faulthandler ends the program
when it hangs.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import faulthandler
import gc
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

import wasmetal
from wasm_core.testing.builder import WasmBuilder
from wasmetal.code.arena import arena

#: Instances that all threads use.
_SHARED: Final = 6
_VARIANTS: Final = 4
#: Pages of the memories that instances share.
_PAGES: Final = 2
#: Seconds without an end after which the program has hung.
_PATIENCE: Final = 300

_BUSY: Final = "another thread is running"
#: What messages of errors say that are the result of a race.
_EXPECTED: Final = (
    _BUSY,
    "is closed",
    "both running",
    "members that were garbage",
    "is being destroyed",
    "not a reference of this store",
    "a function of another store",
)


def binary(variant: int, functions: int = 4) -> bytes:
    """A module with one of everything; variants differ in a constant."""
    op = WasmBuilder.op
    b = WasmBuilder()
    b.import_func("m", "host", "i", "i")
    b.import_func("m", "raise", "i", "i")
    b.import_memory("m", "memory", _PAGES)
    b.import_global("m", "shared", "I", mutable=True)
    call = b.type("", "i")
    b.table("r", 8, 100, export="table")
    b.table("e", 4, export="objects")
    count_down = b"\x03\x40" + op.get(0) + op.i32(1) + b"\x6b\x22\x00\x0d\x00\x0b"
    b.func("i", "i", op.get(0) + b"\x10\x00" + op.i32(variant) + op.I32_ADD, export="host")
    b.func("i", "i", op.get(0) + b"\x10\x01", export="raise")
    b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    b.func("ii", "", op.get(0) + op.get(1) + op.I32_STORE, export="store")
    b.func("ii", "i", op.get(0) + op.get(1) + op.I32_DIV_S, export="divide")
    b.func("i", "i", op.get(0) + b"\x11" + bytes([call]) + b"\x00", export="indirect")
    b.func("i", "i", count_down + op.i32(variant), export="count")
    b.func("e", "e", op.get(0), export="same")
    b.func("r", "r", op.get(0), export="same_function")
    constant = b.func("", "i", op.i32(variant), export="variant")
    for number in range(functions):
        b.func("i", "i", op.get(0) + op.i32(number + variant) + op.I32_ADD, export=f"add{number}")
    b.elements(op.i32(0), [constant, constant])
    data: bytes = b.build()
    return data


def growing() -> bytes:
    """A module with a memory of its own that grows."""
    op = WasmBuilder.op
    b = WasmBuilder()
    b.memory(1, 40, export="memory")
    b.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
    b.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    data: bytes = b.build()
    return data


class HostError(Exception):
    """What host functions raise."""


class Race:
    """The work, and what is counted."""

    def __init__(self, seed: int, operations: int, threads: int) -> None:
        self.seed = seed
        self.counts: collections.Counter[str] = collections.Counter()
        self.problems: list[str] = []
        #: About: threads may lose some of each other's.
        self.done = 0
        self._operations = operations
        self._threads = threads
        self.engine = wasmetal.Engine(wasmetal.Config(hold_gil=True))
        self.modules = [wasmetal.Module(binary(variant)) for variant in range(_VARIANTS)]
        #: Modules that are compiled while several threads call the same functions, and thrown away.
        self.fresh: list[tuple[int, wasmetal.Module]] = [(0, wasmetal.Module(binary(0, 40)))] * 2
        self.memory = wasmetal.Memory(_PAGES)
        self.globals = [wasmetal.Global(wasmetal.GlobalType("i64", mutable=True), 0) for _ in range(2)]
        self.host_function = wasmetal.Func(self.host, wasmetal.FuncType(("i32",), ("i32",)))
        self.shared = [(number % _VARIANTS, self.instantiate(number % _VARIANTS)) for number in range(_SHARED)]
        grow = wasmetal.Module(growing())
        self.growing = [grow.instantiate() for _ in range(2)]
        self.table = wasmetal.Table(wasmetal.TableType("externref", 4, 1000))
        self.actions: Final[list[Callable[[random.Random], None]]] = [
            *[self.call] * 4,
            self.call_that_traps,
            self.call_host,
            self.call_raising,
            self.raw,
            self.references,
            self.indirect,
            self.replace,
            self.close,
            self.link,
            self.set_table,
            self.set_global,
            self.own_memory,
            self.grow,
            self.grow_table,
            self.compile_same,
            self.replace_fresh,
            self.interrupt,
            self.deadline,
            self.suspend,
            self.load_module,
            self.look,
        ]

    # Host functions.

    def host(self, number: int) -> int:
        if number % 200 == 7:
            gc.collect()
        elif number % 10 == 3:
            # Whoever is called back here may be another instance of the same store or not.
            self.attempt(lambda: self.shared[number % _SHARED][1].exports.variant())
        return number

    def raises(self, number: int) -> int:
        raise HostError(number)

    def instantiate(self, variant: int, module: wasmetal.Module | None = None) -> wasmetal.Instance:
        imports = {
            "host": self.host_function if variant % 2 else self.host,
            "raise": self.raises,
            "memory": self.memory,
            "shared": self.globals[variant % 2],
        }
        return (module or self.modules[variant]).instantiate({"m": imports})

    # What may happen.

    def expect(self, truth: bool, what: str) -> None:
        if not truth:
            self.problems.append(what)

    def attempt(self, call: Callable[[], Any]) -> Any:
        """What a call gives; None where a race has decided otherwise."""
        self.done += 1
        try:
            return call()
        except wasmetal.Trap as trap:
            if trap.code in (wasmetal.TrapCode.INTERRUPTED, wasmetal.TrapCode.UNINITIALIZED_ELEMENT):
                self.counts[trap.code.name.lower()] += 1
                return None
            raise
        except wasmetal.WasmError as error:
            if not any(part in str(error) for part in _EXPECTED):
                raise
            self.counts[type(error).__name__] += 1
            return None

    def any(self, rng: random.Random) -> tuple[int, wasmetal.Instance]:
        return self.shared[rng.randrange(_SHARED)]

    # Operations.

    def call(self, rng: random.Random) -> None:
        variant, instance = self.any(rng)
        number = rng.randrange(4)
        add = self.attempt(lambda: instance.exports[f"add{number}"])
        if add is None:
            return
        for argument in range(1000, 1030):
            found = self.attempt(lambda argument=argument: add(argument))
            self.expect(found in (None, argument + number + variant), f"add: {found}")
        found = self.attempt(lambda: instance.exports.count(rng.randrange(1, 500)))
        self.expect(found in (None, variant), f"count: {found}")

    def call_that_traps(self, rng: random.Random) -> None:
        _, instance = self.any(rng)
        try:
            found = self.attempt(lambda: instance.exports.divide(1, 0))
        except wasmetal.Trap as trap:
            self.expect(trap.code is wasmetal.TrapCode.INTEGER_DIVIDE_BY_ZERO, f"trap: {trap}")
        else:
            self.expect(found is None, f"divide: {found}")
        try:
            found = self.attempt(lambda: instance.exports.load(0x7FFF_0000))
        except wasmetal.Trap as trap:
            self.expect(trap.code is wasmetal.TrapCode.MEMORY_OUT_OF_BOUNDS, f"trap: {trap}")
        else:
            self.expect(found is None, f"load: {found}")

    def call_host(self, rng: random.Random) -> None:
        variant, instance = self.any(rng)
        number = rng.randrange(200)
        found = self.attempt(lambda: instance.exports.host(number))
        self.expect(found in (None, number + variant), f"host: {found}")

    def call_raising(self, rng: random.Random) -> None:
        _, instance = self.any(rng)
        try:
            found = self.attempt(lambda: instance.exports["raise"](5))
        except HostError as error:
            self.expect(error.args == (5,), f"raised: {error}")
        else:
            self.expect(found is None, f"raise: {found}")

    def raw(self, rng: random.Random) -> None:
        variant, instance = self.any(rng)
        found = self.attempt(lambda: instance.exports.variant.call_raw())
        self.expect(found in (None, (variant,)), f"call_raw: {found}")

    def references(self, rng: random.Random) -> None:
        _, instance = self.any(rng)
        thing = object()
        found = self.attempt(lambda: instance.exports.same(thing))
        self.expect(found is None or found is thing, f"same: {found}")
        own = self.attempt(lambda: instance.exports.variant)
        found = self.attempt(lambda: instance.exports.same_function(own))
        # Nobody finds the function of a closed instance any more.
        self.expect(found is None or found is own or instance.closed, f"same_function: {found}")

    def indirect(self, rng: random.Random) -> None:
        variant, instance = self.any(rng)
        found = self.attempt(lambda: instance.exports.indirect(0))
        self.expect(found in (None, variant), f"indirect: {found}")
        # Elements that others set to functions of other instances.
        found = self.attempt(lambda: instance.exports.indirect(2 + rng.randrange(2))) if rng.random() < 0.5 else None
        self.expect(found in (None, 77, *range(_VARIANTS)), f"indirect, set: {found}")

    def replace(self, rng: random.Random) -> None:
        place = rng.randrange(_SHARED)
        variant = rng.randrange(_VARIANTS)
        old = self.shared[place]
        self.shared[place] = (variant, self.instantiate(variant))
        if rng.random() < 0.5:
            old[1].close()

    def close(self, rng: random.Random) -> None:
        variant, instance = self.any(rng)
        functions = self.attempt(lambda: [instance.exports.variant, instance.exports.count])
        instance.close()
        self.expect(instance.closed, "closed")
        if functions:
            try:
                functions[0]()
            except wasmetal.WasmError as error:
                self.expect("closed" in str(error), f"after close: {error}")
            else:
                self.expect(False, "a function of a closed instance ran")
        place = rng.randrange(_SHARED)
        self.shared[place] = (variant, self.instantiate(variant))

    def link(self, rng: random.Random) -> None:
        """An instance whose host function is one of another instance: their stores become one."""
        variant, instance = self.any(rng)
        place = rng.randrange(_SHARED)

        def link() -> wasmetal.Instance:
            imports = {
                "host": instance.exports.add0,
                "raise": self.raises,
                "memory": self.memory,
                "shared": self.globals[0],
            }
            return self.modules[variant].instantiate({"m": imports})

        made = self.attempt(link)
        if made is not None:
            found = self.attempt(lambda: made.exports.host(5))
            self.expect(found in (None, 5 + 2 * variant), f"linked: {found}")
            if rng.random() < 0.3:
                self.shared[place] = (variant, self.instantiate(variant))

    def set_table(self, rng: random.Random) -> None:
        _, instance = self.any(rng)
        _, other = self.any(rng)

        def set_one() -> None:
            # (in the table of an instance that is linked with many, stores would only ever grow)
            function = other.exports.variant if rng.random() < 0.1 else self.seventy_seven
            instance.exports.table[2 + rng.randrange(2)] = function

        self.attempt(set_one)
        self.attempt(lambda: instance.exports.objects.__setitem__(rng.randrange(4), [1]))
        found = self.attempt(lambda: instance.exports.objects[rng.randrange(4)])
        self.expect(found in (None, [1]), f"objects: {found}")

    seventy_seven: Final = wasmetal.Func(lambda: 77, wasmetal.FuncType((), ("i32",)))

    def set_global(self, rng: random.Random) -> None:
        cell = rng.choice(self.globals)
        # Both halves are the same, whoever comes in between.
        number = rng.getrandbits(31)
        cell.value = number << 32 | number
        found = cell.value
        self.expect(found >> 32 == found & 0xFFFF_FFFF, f"global: {found:#x}")

    def own_memory(self, rng: random.Random) -> None:
        """The memory that all stores share: each thread has a word of its own."""
        at = 64 * (threading.get_ident() % 1000) + 4
        self.memory.write(at, b"abcd")
        self.expect(len(self.memory.read(at, 4)) == 4 and len(self.memory.view()) >= _PAGES << 16, "memory")

    def grow(self, rng: random.Random) -> None:
        place = rng.randrange(2)
        instance = self.growing[place]
        before = self.attempt(lambda: instance.exports.memory.pages)
        if before is None or before > 38:
            self.growing[place] = instance.module.instantiate()
            return
        if rng.random() < 0.5:
            found = self.attempt(lambda: instance.exports.grow(1))
        else:
            try:
                found = self.attempt(lambda: instance.exports.memory.grow(1))
            except wasmetal.WasmError as error:
                self.expect("cannot grow" in str(error), f"grow: {error}")
                return
        self.expect(found is None or found == -1 or found >= before, f"grow: {found} after {before}")
        if found is not None and found >= 0:
            self.expect(self.attempt(lambda: instance.exports.load((found << 16) + 100)) in (0, None), "new pages")

    def grow_table(self, rng: random.Random) -> None:
        if len(self.table) > 900:
            self.table = wasmetal.Table(wasmetal.TableType("externref", 4, 1000))
        try:
            size = self.attempt(lambda: self.table.grow(1, "x"))
            self.expect(size is None or self.table[-1] in ("x", None, 1), "table")
        except (wasmetal.WasmError, IndexError):
            pass  # (others have put a new one there, or it is full)
        self.table[0] = 1

    def compile_same(self, rng: random.Random) -> None:
        if rng.random() < 0.9:
            return
        variant, module = rng.choice(self.fresh)
        instance = self.instantiate(0, module)
        for number in range(40):
            self.done += 1
            found = instance.exports[f"add{number}"](1)
            self.expect(found == 1 + number + variant, f"fresh: {found}")

    def replace_fresh(self, rng: random.Random) -> None:
        if rng.random() < 0.02:
            variant = 1000 + rng.randrange(1_000_000)
            engine = rng.choice((self.engine, wasmetal.default_engine()))
            self.fresh[rng.randrange(2)] = (variant, engine.compile(binary(variant, 40)))

    def interrupt(self, rng: random.Random) -> None:
        _, instance = self.any(rng)
        self.attempt(instance.interrupt)

    def deadline(self, rng: random.Random) -> None:
        if rng.random() < 0.03:
            _, instance = self.any(rng)
            with wasmetal.deadline(0.001):
                found = self.attempt(lambda: instance.exports.count(0))
            self.expect(found is None, "deadline")

    def suspend(self, rng: random.Random) -> None:
        if rng.random() < 0.1:
            variant, instance = self.any(rng)

            def run() -> Any:
                return asyncio.run(instance.exports.host.call_async(9))

            found = self.attempt(run)
            self.expect(found in (None, 9 + variant), f"call_async: {found}")

    def load_module(self, rng: random.Random) -> None:
        variant = rng.randrange(20)
        module = wasmetal.Module(binary(variant % _VARIANTS))
        self.expect(module.exports[0].name == "table" or len(module.exports) > 4, "exports")

    def look(self, rng: random.Random) -> None:
        _, instance = self.any(rng)
        self.attempt(lambda: (repr(instance), list(instance.exports), repr(instance.exports.count)))
        self.expect(arena().bytes_in_use >= 0, "arena")

    # Threads.

    def work(self, number: int) -> None:
        rng = random.Random(self.seed * 1000 + number)
        # Nobody else knows this one.
        variant = number % _VARIANTS
        own = self.instantiate(variant)
        module = wasmetal.Module(growing())
        try:
            while self.done < self._operations and not self.problems:
                action = rng.choice(self.actions)
                action(rng)
                self.counts[action.__name__] += 1
                self.expect(own.exports.add1(5) == 6 + variant, "a call of a thread's own instance")
                if rng.random() < 0.02:
                    own.close()
                    own = self.instantiate(variant)
                elif rng.random() < 0.05:
                    self.expect(module.instantiate().exports.grow(1) == 1, "a memory of a thread's own")
        except BaseException as error:
            self.problems.append(f"thread {number}: {type(error).__name__}: {error}")
            raise

    def run(self) -> None:
        threads = [threading.Thread(target=self.work, args=(number,)) for number in range(1, self._threads)]
        for thread in threads:
            thread.start()
        self.work(0)
        for thread in threads:
            thread.join()


def race(operations: int, threads: int, seed: int) -> Race:
    """Do so many operations altogether."""
    made = Race(seed, operations, threads)
    made.run()
    return made


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--operations", type=int, default=1_000_000, help="how many (1,000,000)")
    parser.add_argument("--threads", type=int, default=4, help="how many (4)")
    parser.add_argument("--seed", type=int, default=0, help="of the random choices (0)")
    options = parser.parse_args()
    left = total = options.operations
    counts: collections.Counter[str] = collections.Counter()
    began = time.monotonic()
    seed = options.seed
    problems: list[str] = []
    # Each round with threads of its own: they come and go, too.
    while left > 0 and not problems:
        faulthandler.dump_traceback_later(_PATIENCE, exit=True)
        made = race(min(left, 50_000), options.threads, seed)
        counts += made.counts
        problems = made.problems
        left -= made.done
        seed += 1
        del made
        gc.collect()
    faulthandler.cancel_dump_traceback_later()
    seconds = time.monotonic() - began
    print(f"{total - left:,} operations, {seconds:.0f} seconds, {options.threads} threads, seed {options.seed}")
    for name, count in sorted(counts.items()):
        print(f"  {name:20} {count:>10,}")
    for problem in problems:
        print(f"PROBLEM: {problem}", file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
