"""Random use of the public API, with hostile arguments, by several threads: only documented exceptions may come out.

`python -m fuzz.api CASE.json` does again what a find did, and says what it does. Which modes of Python it is done in is
the environment's business (`fuzz.targets`).
"""

from __future__ import annotations

import copy
import faulthandler
import gc
import inspect
import os
import pickle
import random
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import wasmetal
from fuzz.case import Case, Step, load
from fuzz.hostile import HostileError, HostileExit, adopt, derived, forget, hostile
from fuzz.report import Report
from fuzz.surface import CLASSES, FUNCTIONS, MEMBERS, is_description
from fuzz.world import EXPORTER, World
from wasm_wasi import Exit

#: What the documentation names, and what hostile objects raise.
_EXPECTED: Final = (
    *(wasmetal.WasmError, TypeError, ValueError, OverflowError, IndexError, KeyError, AttributeError, OSError),
    *(MemoryError, RecursionError, BufferError, pickle.PickleError, Exit, HostileError, HostileExit),
)
#: Seconds that a step may compute: WebAssembly code that goes on for ever is among what is called.
_PATIENCE: Final = 0.05
#: How deep hostile objects may use the library that is using them.
_DEEPEST: Final = 3
_FINDS: Final = 5

#: What makes arguments of parameters that are annotated with one of these words.
_BY_WORD: Final[dict[str, Callable[[World, random.Random], object]]] = {
    "int": lambda world, chance: chance.choice((0, 0, 1, 1, 2, 3, 4, 8, -1, 1 << 32)),
    "SupportsIndex": lambda world, chance: chance.choice((0, 1, -1, 3, 100)),
    "slice": lambda world, chance: slice(chance.choice((None, 0, 1, -1)), chance.choice((None, 0, 4, -1))),
    "float": lambda world, chance: chance.choice((0.0, 0.01, 1.5)),
    "bool": lambda world, chance: chance.choice((True, False)),
    "str": lambda world, chance: chance.choice(("x", "memory", "same_i", "auto", "eager", "lazy", "explicit")),
    "bytes": lambda world, chance: chance.choice((b"", b"x" * 16, bytearray(4), memoryview(b"abc"))),
    "Buffer": lambda world, chance: chance.choice((b"", b"x" * 16, bytearray(4), memoryview(b"abcdef")[::2])),
    "Source": lambda world, chance: chance.choice(world.sources),
    "ImportMapping": lambda world, chance: world.imports(chance),
    "Callable": lambda world, chance: world.host_function(chance),
    "Iterable": lambda world, chance: chance.choices(("i32", "i64", "f64", "externref", "funcref"), k=2),
    "ValueType": lambda world, chance: chance.choice(("i32", "i64", "f32", "f64", "funcref", "externref", "v128")),
    "Stream": lambda world, chance: None,
    "None": lambda world, chance: None,
}
#: What a number or a string may be that is none.
_DERIVABLE: Final[dict[str, type]] = {
    **dict.fromkeys(("int", "SupportsIndex"), int),
    **dict.fromkeys(("bytes", "Buffer", "Source"), bytes),
    "float": float,
    "str": str,
}
_BY_CLASS: Final[dict[str, list[str]]] = {}
for _name, _cls in CLASSES.items():
    _BY_CLASS.setdefault(_cls.__name__, []).append(_name)


@lru_cache(maxsize=2000)
def _parameters(name: str) -> tuple[tuple[tuple[str, ...], str, bool], ...]:
    """Words of the annotation, name, and whether it is by keyword, of each parameter of what a name stands for."""
    owner, _, member = name.rpartition(".")
    function: Any = FUNCTIONS.get(name) or CLASSES.get(name) or getattr(CLASSES.get(owner), member, None)
    try:
        found = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(
        (tuple(re.findall(r"\w+", str(p.annotation))), p.name, p.kind is p.KEYWORD_ONLY)
        for p in found
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD) and p.name != "self"
    )


def _argument(world: World, chance: random.Random, words: tuple[str, ...]) -> object:
    fitting = [word for word in words if word in _BY_WORD or word in _BY_CLASS]
    if not fitting or chance.random() < 0.3:
        return world.thing(chance)
    word = chance.choice(fitting)
    if word in _DERIVABLE and chance.random() < 0.2:
        return hostile(chance, world, _DERIVABLE[word])
    if word in _BY_CLASS and chance.random() < 0.8:
        return world.one(chance, chance.choice(_BY_CLASS[word]))
    return _BY_WORD[word](world, chance) if word in _BY_WORD else world.thing(chance)


def _arguments(world: World, chance: random.Random, name: str) -> tuple[list[object], dict[str, object]]:
    """Arguments for what a name stands for: plausible ones, most of the time."""
    plain: list[object] = []
    by_keyword: dict[str, object] = {}
    for words, parameter, keyword in _parameters(name):
        if keyword:
            if chance.random() < 0.3:
                by_keyword[parameter] = _argument(world, chance, words)
        elif chance.random() < 0.97:
            plain.append(_argument(world, chance, words))
    if chance.random() < (0.05 if _parameters(name) else 0.5):
        plain.append(world.thing(chance))
    if chance.random() < 0.02:
        by_keyword["x"] = world.thing(chance)
    return plain, by_keyword


#: What the language does with objects.
_OPERATORS: Final[tuple[Callable[[Any, Any, Any], object], ...]] = (
    lambda one, key, value: one[key],
    lambda one, key, value: one.__setitem__(key, value),
    lambda one, key, value: one.__delitem__(key),
    lambda one, key, value: one[key : value if isinstance(value, int) else None],
    lambda one, key, value: len(one),
    lambda one, key, value: [item for item, _ in zip(one, range(100))],
    lambda one, key, value: key in one,
    lambda one, key, value: one == value,
    lambda one, key, value: {one: key}.get(value),
    lambda one, key, value: (repr(one), str(one), f"{one}"),
    lambda one, key, value: bool(one),
    lambda one, key, value: memoryview(one),
    lambda one, key, value: copy.copy(one),
    lambda one, key, value: copy.deepcopy(one),
    lambda one, key, value: pickle.loads(pickle.dumps(one)),
    lambda one, key, value: one(key),
    lambda one, key, value: dir(one),
    lambda one, key, value: isinstance(key, type(one)),
    lambda one, key, value: inspect.signature(one),
    lambda one, key, value: one.__enter__() and one.__exit__(None, None, None),
)


def _empty(cls: Any) -> Any:
    return cls.__new__(cls)


class Use:
    """One case: the objects, and what is done with them."""

    def __init__(self, seed: str, say: Callable[[str], None]) -> None:
        self._say = say
        self.finds: list[str] = []
        self._depth = threading.local()
        self.world = World(random.Random(seed), self.misuse)

    def step(self, name: str) -> None:
        """What a name stands for, in full: the random use, and the look at what came out."""
        chance = random.Random(name)
        self._depth.value = 0
        try:
            with wasmetal.deadline(_PATIENCE):
                self.world.add(self._do(chance), chance.randrange(100))
        except _EXPECTED:
            pass
        except BaseException as error:
            self._found(name, error)

    def _found(self, name: str, error: BaseException) -> None:
        if len(self.finds) < _FINDS:
            self.finds.append(f"{name}\n{''.join(traceback.format_exception(error))}")

    def unraisable(self, unraisable: Any) -> None:
        """For `sys.unraisablehook`: what came out where nobody could catch it."""
        error = unraisable.exc_value
        if error is not None and not isinstance(error, _EXPECTED):
            self._found(f"unraisable, {unraisable.object!r:.100}", error)

    def look(self) -> None:
        """Touch the ends of what has a size: what is not there is a crash."""
        for thing in (*self.world.objects["wasmetal.Memory"], *self.world.objects["wasmetal.Table"]):
            try:
                if len(thing):
                    thing[-1] = thing[0]
            except _EXPECTED:
                pass

    def misuse(self, chance: random.Random) -> object:
        """What hostile objects do: anything, but not for ever."""
        depth = getattr(self._depth, "value", _DEEPEST)
        if depth >= _DEEPEST:
            return None
        self._depth.value = depth + 1
        try:
            how = chance.random()
            if how < 0.3:
                return gc.collect(chance.randrange(3))
            if how < 0.5:
                kind = chance.choice(("wasmetal.Instance", "wasm_wasi.Wasi"))
                return self._do_with(self.world.one(chance, kind), kind, "close", chance)
            # (finalizers also run between the steps)
            with wasmetal.deadline(_PATIENCE):
                return self._do(chance)
        finally:
            self._depth.value = depth

    def _do(self, chance: random.Random) -> object:
        how = chance.choices(tuple(self._KINDS), weights=tuple(self._KINDS.values()))[0]
        return how(self, chance)

    def _call(self, name: str, function: Callable[..., object], chance: random.Random) -> object:
        arguments, by_keyword = _arguments(self.world, chance, name)
        self._say(f"{name}: {len(arguments)} arguments, of {[type(argument).__name__ for argument in arguments]}")
        return function(*arguments, **by_keyword)

    def _construct(self, chance: random.Random) -> object:
        name = chance.choice(tuple(CLASSES))
        cls = CLASSES[name]
        if chance.random() < 0.8:
            return self._call(name, cls, chance)
        cls = derived(chance, cls)
        made = _empty(cls)
        adopt(made, chance, self.world)
        self._call(name, made.__init__, chance)
        return made

    def _new(self, chance: random.Random) -> object:
        """An object that is never initialized."""
        cls = CLASSES[chance.choice(tuple(CLASSES))]
        self._say(f"{cls.__name__}.__new__")
        return _empty(cls)

    def _function(self, chance: random.Random) -> object:
        name = chance.choice(tuple(FUNCTIONS))
        function: Any = FUNCTIONS[name]
        return self._call(name, function, chance)

    def _method(self, chance: random.Random) -> object:
        name = chance.choice(tuple(MEMBERS))
        return self._do_with(self.world.one(chance, name), name, chance.choice(MEMBERS[name]), chance)

    def _do_with(self, thing: Any, name: str, member: str, chance: random.Random) -> object:
        self._say(f"{name}.{member}")
        found = getattr(CLASSES[name] if chance.random() < 0.05 else thing, member)
        return self._call(f"{name}.{member}", found, chance) if callable(found) else found

    def _often(self, chance: random.Random) -> object:
        """As `_method`, of those classes that have machine code behind them."""
        kind = chance.choice(("Instance", "Exports", "Memory", "Table", "Global", "Func", "Module", "Caller"))
        name = f"wasmetal.{kind}"
        members = [member for member in MEMBERS[name] if not member.startswith("__") or chance.random() < 0.3]
        return self._do_with(self.world.one(chance, name), name, chance.choice(members), chance)

    def _run(self, chance: random.Random) -> object:
        """A call of a function, with arguments of its type most of the time."""
        function = self.world.one(chance, "wasmetal.Func")
        arguments = [self.world.value(chance, str(kind)) for kind in function.type.params]
        if chance.random() < 0.1:
            arguments.append(self.world.thing(chance))
        self._say(f"{function!r}({', '.join(type(argument).__name__ for argument in arguments)})")
        if chance.random() < 0.1:
            return function.call_raw(*[chance.choice((0, 1, 1 << 63, argument)) for argument in arguments])
        return function(*arguments)

    def _operator(self, chance: random.Random) -> object:
        name = chance.choice(tuple(CLASSES))
        key, value = self.world.thing(chance), self.world.thing(chance)
        number = chance.randrange(len(_OPERATORS))
        self._say(f"operator {number} of {name}, {type(key).__name__}, {type(value).__name__}")
        return _OPERATORS[number](self.world.one(chance, name), key, value)

    def _set(self, chance: random.Random) -> object:
        name = chance.choice([name for name, cls in CLASSES.items() if not is_description(cls)])
        thing = self.world.one(chance, name)
        member = chance.choice(MEMBERS[name])
        if thing is not None and not member.startswith("__"):
            self._say(f"{name}.{member} = ...")
            if chance.random() < 0.1:
                delattr(thing, member)
            setattr(thing, member, self.world.thing(chance))
        return None

    def _instantiate(self, chance: random.Random) -> object:
        module = self.world.one(chance, "wasmetal.Module")
        self._say(f"{module!r}.instantiate")
        instance = module.instantiate(self.world.imports(chance) if chance.random() < 0.8 else self.world.thing(chance))
        for name in list(instance.exports):
            self.world.add(instance.exports[name], chance.randrange(100))
        self.world.add(instance.exports, chance.randrange(100))
        return instance

    def _wasi(self, chance: random.Random) -> object:
        """A WASI function by itself, or a program."""
        wasi = self.world.one(chance, "wasm_wasi.Wasi")
        if chance.random() < 0.2:
            return wasi.run(self.world.one(chance, "wasmetal.Module"))
        functions = wasi.imports["wasi_snapshot_preview1"]
        function = functions[chance.choice(sorted(functions))]
        self._say(f"{function!r}")
        return function(*[self.world.value(chance, str(kind)) for kind in function.type.params])

    def _drop(self, chance: random.Random) -> object:
        kept = chance.choice([*self.world.objects.values(), self.world.others])
        self._say("drop")
        if kept:
            kept[int(chance.random() * len(kept))] = hostile(chance, self.world) if chance.random() < 0.2 else None
        return None

    def _collect(self, chance: random.Random) -> object:
        self._say("collect")
        return gc.collect(chance.randrange(3))

    #: What there is to do, and how often.
    _KINDS: Final[dict[Callable[[Use, random.Random], object], float]] = {
        _construct: 15,
        _new: 1,
        _function: 4,
        _method: 12,
        _often: 25,
        _run: 20,
        _operator: 10,
        _set: 3,
        _instantiate: 3,
        _wasi: 3,
        _drop: 5,
        _collect: 0.5,
    }


def make(seed: str) -> Case:
    """The steps of a seed, each a thread's number and a name for its random numbers."""
    chance = random.Random(seed)
    threads = chance.choice((1, 1, 2, 3))
    return Case(b"", [["use", thread, f"{seed}/{thread}/{n}"] for n in range(150) for thread in range(threads)])


def seed_of(case: Case) -> str:
    """The seed that steps come from."""
    seed: str = case.steps[0][2].rsplit("/", 2)[0]
    return seed


def check(case: Case, seed: str, say: Callable[[str], None] = lambda text: None) -> Report:
    """Do the steps. A crash ends the process, and a hang the worker's patience."""
    with _surroundings():
        use = Use(seed, say)
        hook, sys.unraisablehook = sys.unraisablehook, use.unraisable
        try:
            numbers = sorted({step[1] for step in case.steps})
            threads = [threading.Thread(target=_work, args=(use, case.steps, number, say)) for number in numbers]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            forget()
            use.look()
            del use.world
            gc.collect()
        finally:
            sys.unraisablehook = hook
        if not gc.isenabled():
            use.finds.append("the garbage collector is switched off")
        exports = wasmetal.Module(EXPORTER).instantiate({"env": {"host": abs, "pass": id}}).exports
        if exports.call_host(-5) != 5:
            use.finds.append("calls are wrong afterwards")
    return Report("\n\n".join(use.finds), calls=len(case.steps))


def _work(use: Use, steps: list[Step], thread: int, say: Callable[[str], None]) -> None:
    for _, number, name in steps:
        if number == thread:
            say(f"--- {name}")
            use.step(name)


@contextmanager
def _surroundings() -> Iterator[None]:
    """A folder of its own, for files and the cache, and standard streams that go nowhere."""
    before = Path.cwd()
    streams = [os.dup(number) for number in range(2)]
    cache = os.environ.get("XDG_CACHE_HOME")
    with tempfile.TemporaryDirectory() as folder:
        nowhere = os.open(os.devnull, os.O_RDWR)
        try:
            os.chdir(folder)
            os.environ["XDG_CACHE_HOME"] = folder
            sys.stdout.flush()
            for number in range(2):
                os.dup2(nowhere, number)
            yield
        finally:
            os.chdir(before)
            os.environ.pop("XDG_CACHE_HOME")
            if cache is not None:
                os.environ["XDG_CACHE_HOME"] = cache
            for number, stream in enumerate(streams):
                os.dup2(stream, number)
                os.close(stream)
            os.close(nowhere)


def main(path: str) -> int:
    """Do again what a find did; 1 if something is wrong."""
    faulthandler.enable()
    case, _ = load(Path(path))
    report = check(case, seed_of(case), lambda text: print(text, file=sys.stderr, flush=True))
    print(report.find)
    return int(bool(report.find))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
