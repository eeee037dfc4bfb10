"""The objects that random use of the library begins with, and adds to: engines, modules, instances, their exports."""

from __future__ import annotations

import io
import random
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import wasmetal
from fuzz.hostile import hostile
from fuzz.surface import CLASSES
from wasm_core.testing.builder import Op, WasmBuilder
from wasm_wasi import Wasi
from wasmetal import Config, Engine, Func, FuncType, Global, GlobalType, Memory, MemoryType, Table, TableType

#: Objects of each class that are kept.
_KEPT: Final = 6
_WASI: Final = "wasi_snapshot_preview1"
_INTS: Final = (
    *(-1, 0, 0, 1, 1, 2, 3, 4, 7, 8, 16, 17, 255, 256, -2, -(1 << 31)),
    *(1 << 31, (1 << 32) - 1, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 64) - 1, 1 << 64, 1 << 70, -(1 << 63) - 1),
)
_STRINGS: Final = (
    *("", "x", "i32", "i64", "f64", "v128", "funcref", "externref", "anyref", "(module)", "env", "m", "a\0b", "\udc80"),
    *("no such file", "good.wasm", ".", "auto", "amd64", "arm64", "lazy", "eager", "guard", "explicit", "127.0.0.1:0"),
    *("memory", "table", "objects", "same_i", "host", "_start", "eq", "in", "run"),
)
#: A Python value for a value type, by its name.
_BY_TYPE: Final[dict[str, tuple[object, ...]]] = {
    "i32": (0, 1, -1, (1 << 32) - 1),
    "i64": (0, 1, -1, (1 << 64) - 1),
    "f32": (0.0, 1.5, float("nan"), 3),
    "f64": (0.0, -2.5, float("inf"), 3),
    "v128": (bytes(16), bytearray(16)),
    "externref": (None, "object", 5, ("tuple",)),
}


def exporter() -> bytes:
    """A module with one of everything."""
    b = WasmBuilder()
    b.import_func("env", "host", "i", "i", export="host")
    b.import_func("env", "pass", "e", "e")
    b.memory(1, 9, export="memory")
    b.table("r", 8, 40, export="table")
    b.table("e", 4, 40, export="objects")
    for letter in "iIfFre":
        init = {"i": b"\x41\0", "I": b"\x42\0", "f": b"\x43" + bytes(4), "F": b"\x44" + bytes(8)}
        b.glob(letter, init.get(letter) or Op.ref_null(letter), mutable=True, export=f"global_{letter}")
        b.func(letter, letter, Op.get(0), export=f"same_{letter}")
    call = b.type("i", "i")
    b.func("i", "i", Op.get(0) + Op.call(0), export="call_host")
    b.func("e", "e", Op.get(0) + Op.call(1), export="pass")
    b.func("ii", "i", Op.get(0) + Op.get(1) + Op.call_indirect(call), export="indirect")
    b.func("ir", "", Op.get(0) + Op.get(1) + Op.table_set(), export="set_function")
    b.func("i", "r", Op.get(0) + Op.table_get(), export="get_function")
    b.func("ie", "", Op.get(0) + Op.get(1) + Op.table_set(1), export="set_object")
    b.func("i", "e", Op.get(0) + Op.table_get(1), export="get_object")
    b.func("ri", "i", Op.get(0) + Op.get(1) + Op.table_grow(), export="grow_table")
    b.func("i", "i", Op.get(0) + Op.MEMORY_GROW, export="grow")
    b.func("i", "i", Op.get(0) + Op.I32_LOAD, export="load")
    b.func("ii", "", Op.get(0) + Op.get(1) + Op.I32_STORE, export="store")
    b.func("iIfFer", "iIfFer", b"".join(map(Op.get, range(6))), export="all")
    down = b.func("", "", b"", export="nothing")
    b.func("", "", Op.call(down + 1), export="down")
    b.func("", "", b"\x03\x40\x0c\x00\x0b", export="forever")
    b.func("", "", Op.UNREACHABLE, export="trap")
    b.elements(Op.i32(1), [down, down + 1, 0])
    b.data(Op.i32(3), b"data")
    b.names("exporter", {0: "host"})
    b.custom("notes", b"one")
    return b.build()


def importer() -> bytes:
    """A module that imports what the other exports."""
    b = WasmBuilder()
    b.import_func("m", "call_host", "i", "i", export="call_host")
    b.import_func("m", "same_r", "r", "r")
    b.import_memory("m", "memory", 1, export="memory")
    b.import_table("m", "table", "r", 1, export="table")
    b.import_table("m", "objects", "e", 1)
    b.import_global("m", "global_i", "i", mutable=True, export="global_i")
    b.import_global("m", "global_r", "r", mutable=True)
    b.func("i", "i", Op.get(0) + Op.call(0), export="twice")
    own = b.func("", "", Op.global_get(0) + b"\x1a", export="own")
    b.elements(Op.i32(0), [own])
    b.func("", "i", Op.MEMORY_SIZE, export="size")
    return b.build()


def program() -> bytes:
    """A WASI program that writes, and then exits."""
    b = WasmBuilder()
    write = b.import_func(_WASI, "fd_write", "iiii", "i")
    leave = b.import_func(_WASI, "proc_exit", "i")
    b.memory(1, export="memory")
    b.data(Op.i32(0), (16).to_bytes(4, "little") + (5).to_bytes(4, "little") + bytes(8) + b"hello")
    b.func(
        code=Op.i32(1) + Op.i32(0) + Op.i32(1) + Op.i32(8) + Op.call(write) + Op.DROP + Op.i32(3) + Op.call(leave),
        export="_start",
    )
    return b.build()


EXPORTER, IMPORTER, PROGRAM = exporter(), importer(), program()


class World:
    """Objects by the name of their class. Several threads use and replace them."""

    def __init__(self, chance: random.Random, use: Callable[[random.Random], object]) -> None:
        """`use`: makes one random use of the library."""
        self._use = use
        self.objects: dict[str, list[Any]] = {name: [] for name in CLASSES}
        self.others: list[Any] = [None, "kept", {}, []]
        self.sources: list[Any] = [EXPORTER, IMPORTER, PROGRAM, b"\0asm\1\0\0\0", "good.wasm", Path("good.wasm")]
        self._fill(chance)

    def _fill(self, chance: random.Random) -> None:
        Path("good.wasm").write_bytes(EXPORTER)
        configs = [
            Config(),
            Config(hold_gil=True),
            Config(bounds_checks="explicit", compile="eager", cache="cache"),
            Config(validation="lazy", max_instances=3, max_memory_pages=2, max_table_elements=20),
        ]
        chance.shuffle(configs)
        for config in configs[:2]:
            self.add(config)
            engine = Engine(config)
            self.add(engine)
            module, second = engine.compile(EXPORTER), engine.compile(IMPORTER)
            for thing in (module, second, engine.compile(PROGRAM), *module.exports, *module.imports):
                self.add(thing)
            instance = module.instantiate({"env": self.host_functions(chance)})
            self.add_all(instance)
            # (it may be over one of the limits above)
            with suppress(wasmetal.WasmError, MemoryError):
                self.add_all(second.instantiate({"m": instance}))
        kinds = (FuncType(["i32"], ["i32"]), FuncType(), FuncType(["externref", "funcref"], ["externref"]))
        for kind in (*kinds, MemoryType(1, 4), TableType("funcref", 3, 9), GlobalType("externref", True)):
            self.add(kind)
        self.add(Memory(MemoryType(1, 4)))
        self.add(Table(TableType("externref", 3, 9)))
        self.add(Global(GlobalType("funcref", True)))
        self.add(Func(lambda *args: args[0] if args else None, kinds[0]))
        self.add(Wasi(args=["a"], preopens={"/d": "."}, stdin=None, stdout=io.BytesIO(), stderr=None))
        self.add(wasmetal.deadline(0.05))

    def add_all(self, instance: wasmetal.Instance) -> None:
        """An instance, and what it exports."""
        self.add(instance)
        self.add(instance.exports)
        for name in list(instance.exports):
            self.add(instance.exports[name])

    def add(self, thing: Any, number: int | None = None) -> None:
        """Keep an object, in the place of another if there are many."""
        for name, cls in CLASSES.items():
            if type(thing) is cls or (isinstance(thing, cls) and type(thing).__name__.startswith("Hostile")):
                kept = self.objects[name]
                break
        else:
            kept = self.others
        if len(kept) < _KEPT or number is None:
            kept.append(thing)
        else:
            kept[number % len(kept)] = thing

    def one(self, chance: random.Random, name: str) -> Any:
        """An object of a class; None if there is none."""
        kept = self.objects[name]
        return kept[int(chance.random() * len(kept))] if kept else None

    def host_functions(self, chance: random.Random) -> dict[str, object]:
        """What the modules import from `env`."""
        return {"host": self.host_function(chance), "pass": self.host_function(chance)}

    def host_function(self, chance: random.Random) -> Callable[..., object]:
        """A Python function that returns its argument, most of the time."""
        own = random.Random(chance.random())

        def with_caller(caller: wasmetal.Caller, *args: object) -> object:
            if own.random() < 0.3:
                self.add(caller, 0)
            return plain(*args)

        def plain(*args: object) -> object:
            if own.random() < 0.3:
                self.mischief(own)
            return self.thing(own) if own.random() < 0.1 else args[0] if args else None

        return with_caller if chance.random() < 0.3 else plain

    # What hostile objects do.

    def mischief(self, chance: random.Random) -> object:
        """Use the library, or close or collect something."""
        return self._use(chance)

    def thing(self, chance: random.Random) -> object:
        """Any object."""
        kind = chance.randrange(11)
        if kind < 2:
            return chance.choice(_INTS)
        if kind == 2:
            return chance.choice(_STRINGS)
        if kind == 3:
            return chance.choice(
                (None, True, 1.5, float("nan"), 1j, (), [], {}, b"", b"x" * 16, bytearray(16), ..., int)
            )
        if kind == 4:
            return chance.choice(self.sources)
        if kind < 8:
            return self.one(chance, chance.choice(tuple(CLASSES)))
        if kind == 8:
            return chance.choice(self.others)
        return hostile(chance, self)

    def value(self, chance: random.Random, type: str) -> object:
        """A Python value for a value type, most of the time."""
        if type == "funcref" and chance.random() < 0.8:
            return self.one(chance, "wasmetal.Func")
        if type not in _BY_TYPE or chance.random() < 0.15:
            return self.thing(chance)
        return chance.choice(_BY_TYPE[type])

    def imports(self, chance: random.Random) -> object:
        """What to link a module with."""
        source = self.one(chance, "wasmetal.Instance")
        others: Any = source
        if chance.random() < 0.3:
            exports = self.one(chance, "wasmetal.Exports")
            names = ("memory", "table", "objects", "global_i", "global_r", "call_host", "same_r")
            try:
                others = {name: exports[name] for name in names}
            except (KeyError, wasmetal.WasmError):
                others = exports
            else:
                kind = chance.choice(("Memory", "Table", "Global", "Func"))
                others[chance.choice(names)] = self.one(chance, f"wasmetal.{kind}")
        return {"env": self.host_functions(chance), "m": others, "wasi_snapshot_preview1": {}}
