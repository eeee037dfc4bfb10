"""Whatever an embedder passes by mistake: an exception that Python programmers expect, never a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

import wasmetal
from wasmetal import Func, FuncType, Global, GlobalType, Memory, MemoryType, Module, Table, TableType, interruption
from wasmetal.cpython.native_callable import NativeCallable

EXPECTED = (TypeError, ValueError, OverflowError, LookupError, OSError, MemoryError, wasmetal.WasmError)


class _Huge:
    def __index__(self) -> int:
        return 1 << 70


class _Changing:
    """Another number each time."""

    def __init__(self) -> None:
        self.number = 0

    def __index__(self) -> int:
        self.number += 1 << 15
        return self.number


class _Liar:
    def __index__(self) -> Any:
        return "x"  # noqa: PLE0305 (that is the point)


class _Wrong:
    def __index__(self) -> int:
        raise ValueError("no")


class _Long(bytes):
    def __len__(self) -> int:
        return 1 << 40


def instance_of(wasm: Any) -> wasmetal.Instance:
    b = wasm()
    op = wasm.op
    b.memory(1, 3, export="memory")
    b.table("r", 4, 8, export="table")
    b.table("e", 4, 8, export="objects")
    b.glob("r", op.ref_null("r"), mutable=True, export="function")
    b.glob("e", op.ref_null("e"), mutable=True, export="object")
    b.glob("i", op.i32(0), mutable=True, export="number")
    for code in "iIfFre":
        b.func(code, code, op.get(0), export=f"same_{code}")
    return Module(b.build()).instantiate()


def things(instance: wasmetal.Instance) -> list[Any]:
    numbers = [
        -1,
        0,
        1,
        1 << 31,
        1 << 32,
        1 << 63,
        1 << 64,
        1 << 65,
        -(1 << 63) - 1,
        1.5,
        float("nan"),
        float("inf"),
        1j,
    ]
    return [
        *(None, True, *numbers, "x", "i32", b"x", b"x" * 16, (), [], {}, object(), slice(None)),
        *(_Huge(), _Changing(), _Liar(), _Wrong(), _Long(b"x" * 16), memoryview(b"x" * 32)[::2]),
        *(Func.__new__(Func), NativeCallable(), Func(lambda: 1, FuncType((), ("i32",)))),
        *(instance, instance.exports, instance.exports.memory, instance.exports.same_i, Func, Memory),
    ]


def calls(instance: wasmetal.Instance, one: Any, other: Any) -> list[Callable[[], object]]:
    """Every public entry that takes numbers, references or sizes."""
    e = instance.exports
    memory = e.memory
    return [
        lambda: memory[one],
        lambda: memory[one:other],
        lambda: memory[0:one:other],
        lambda: memory.__setitem__(one, other),
        lambda: memory.__setitem__(slice(one, other), b"abc"),
        lambda: memory.read(one, other),
        lambda: memory.write(one, other),
        lambda: memory.grow(one),
        lambda: e.table[one],
        lambda: e.table.__setitem__(one, other),
        lambda: e.objects.__setitem__(one, other),
        lambda: e.table.grow(one, other),
        lambda: Memory(MemoryType(one, other)),
        lambda: Table(TableType("funcref", one, other)),
        lambda: Table(TableType(one, other)),
        lambda: Global(GlobalType(one, True), other),
        lambda: Global(GlobalType("i32", one), other),
        lambda: Global(GlobalType("funcref"), one),
        lambda: FuncType(one, other),
        lambda: Func(one, other),
        lambda: Func(lambda: one, FuncType((), ("funcref",)))(),
        lambda: setattr(e["function"], "value", one),
        lambda: setattr(e["object"], "value", one),
        lambda: setattr(e["number"], "value", one),
    ]


def calls_with_one(instance: wasmetal.Instance, one: Any) -> list[Callable[[], object]]:
    e = instance.exports
    source = b"\0asm\x01\0\0\0"
    found: list[Callable[[], object]] = [
        lambda: Module(one),
        lambda: wasmetal.validate(one),
        lambda: wasmetal.instantiate(one),
        lambda: Module.deserialize(one),
        lambda: Module(source).instantiate(one),
        lambda: e[one],
        lambda: wasmetal.deadline(one).__enter__().__exit__(None, None, None),
    ]
    for code in "iIfFre":
        function = e[f"same_{code}"]
        found += [
            lambda function=function: function(one),
            lambda function=function: function(one, one),
            lambda function=function: function.call_raw(one),
            lambda function=function: function.call_raw(one, one),
            lambda function=function: function(x=one),
        ]
    for name in ("backend", "features", "validation", "max_memory_pages", "max_table_elements", "max_stack_bytes"):
        found.append(lambda name=name: wasmetal.Engine(wasmetal.Config(**{name: one})).compile(source))
    if not isinstance(one, int | float) or not one > 0:
        found.append(lambda: interruption.sleep(one))
    return found


def all_of_it(wasm: Any) -> int:
    """Make every call with everything; how many were refused."""
    instance = instance_of(wasm)
    refused = 0
    for one in things(instance):
        made = [(call, one) for call in calls_with_one(instance, one)]
        for other in things(instance):
            made += [(call, (one, other)) for call in calls(instance, one, other)]
        for number, (call, arguments) in enumerate(made):
            try:
                call()
            except EXPECTED:
                refused += 1
            except Exception as error:
                raise AssertionError(f"call {number} with {arguments!r}: {error!r}") from error
    assert instance.exports.same_i(5) == 5
    return refused


def test_everything_with_everything() -> None:
    path = [os.path.dirname(__file__), *[entry for entry in sys.path if entry]]
    program = (
        f"import sys; sys.path[:0] = {path!r}\nfrom test_hostile_arguments import *\n"
        "from wasm_core.testing.builder import WasmBuilder\n"
    )
    result = subprocess.run(
        [sys.executable, "-X", "faulthandler", "-c", program + "assert all_of_it(WasmBuilder) > 10_000"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr


# What lies about itself. Each of these once made code use memory that is not there, or another's.


class _Size(int):
    """A number that computes in a way of its own."""

    def __add__(self, other: int) -> int:
        return 0

    def __mul__(self, other: int) -> int:
        return 1 << 30

    def __le__(self, other: int) -> bool:
        return True

    def __lt__(self, other: int) -> bool:
        return False

    __ge__, __gt__, __radd__, __rmul__ = __le__, __lt__, __add__, __mul__


def test_sizes_that_compute_in_their_own_way() -> None:
    memory = Memory(MemoryType(_Size(1), _Size(4)), max_pages=_Size(3))
    assert memory.type == MemoryType(1, 4) and len(memory) == 65536
    assert memory.grow(_Size(2)) == 1
    assert len(memory) == 3 * 65536
    with pytest.raises(wasmetal.WasmError):
        memory.grow(_Size(1))
    table = Table(TableType("externref", _Size(3), _Size(5)))
    assert len(table) == 3 and table.grow(_Size(2)) == 3
    with pytest.raises(wasmetal.WasmError):
        table.grow(_Size(1))
    for size in (1.0, "1"):
        with pytest.raises(TypeError):
            memory.grow(size)
        with pytest.raises(TypeError):
            table.grow(size)
    with pytest.raises(ValueError):
        wasmetal.Config(max_stack_bytes=_Size(1))
    assert type(wasmetal.Config(max_stack_bytes=_Size(1 << 20)).max_stack_bytes) is int


class _Same:
    """Equal to everything."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return hash(FuncType())


class _LyingFuncType(_Same, FuncType):
    pass


class _LyingGlobalType(_Same, GlobalType):
    pass


def test_types_that_equal_every_other(wasm: Any) -> None:
    b = wasm()
    b.import_func("m", "f")
    with pytest.raises(wasmetal.LinkError, match="incompatible import type"):
        Module(b.build()).instantiate({"m": {"f": Func(print, _LyingFuncType(["i64"], ["funcref"]))}})
    b = wasm()
    b.import_global("m", "g", "r", mutable=True)
    with pytest.raises(wasmetal.LinkError, match="incompatible import type"):
        Module(b.build()).instantiate({"m": {"g": Global(_LyingGlobalType("i64", True), 4660)}})


def test_results_that_are_fewer_than_they_say(wasm: Any) -> None:
    # A slot without a result was what had been in memory before, and taken for a function.
    class Results(list[object]):
        def __len__(self) -> int:
            return 2

    b = wasm()
    b.import_func("m", "f", "I", "rr")
    b.func("I", "r", wasm.op.get(0) + wasm.op.call(0) + wasm.op.DROP + wasm.op.DROP + wasm.op.ref_null("r"), export="f")
    exports = Module(b.build()).instantiate({"m": {"f": lambda number: Results([None])}}).exports
    with pytest.raises(TypeError, match="2 results expected, got 1"):
        exports.f(1 << 40)


def test_a_memory_cannot_be_initialized_twice(wasm: Any) -> None:
    # Code went on with the one that it had before, which was gone.
    b = wasm()
    b.memory(1, export="memory")
    b.table("r", 1, export="table")
    b.glob("r", wasm.op.ref_null("r"), export="global")
    exports = Module(b.build()).instantiate().exports
    for thing, kind in (
        (exports.memory, MemoryType(1)),
        (exports.table, TableType("funcref")),
        (exports["global"], GlobalType("i32")),
    ):
        with pytest.raises(TypeError, match="twice"):
            thing.__init__(kind)


def test_a_function_cannot_be_initialized_while_it_is(wasm: Any) -> None:
    # An argument came back to the same function when it was asked: code went on with what that was, which was gone.
    b = wasm()
    b.import_func("m", "f", "", "i")
    b.func("", "i", wasm.op.call(0), export="call")
    module = Module(b.build())
    type = FuncType((), ("i32",))
    function = Func.__new__(Func)
    calls = []

    class Callable:
        @property
        def __name__(self) -> str:
            if not calls:
                Func.__init__(function, lambda: 42, type)
                calls.append(module.instantiate({"m": {"f": function}}).exports.call)
            return "name"

        def __call__(self) -> int:
            return 1

    with pytest.raises(TypeError, match="twice"):
        Func.__init__(function, Callable(), type)
    assert calls[0]() == 42 and function() == 42


def test_what_only_says_that_it_is_ours(wasm: Any) -> None:
    # A stand-in for an engine got as far as installing its signal handlers.
    source = b"\0asm\x01\0\0\0"
    with pytest.raises(TypeError, match="an Engine is needed"):
        Module(source, engine=mock.MagicMock(spec=wasmetal.Engine))
    with pytest.raises(TypeError, match="a Config is needed"):
        wasmetal.Engine(mock.MagicMock(spec=wasmetal.Config))
    for spec, make in ((MemoryType, Memory), (TableType, Table), (GlobalType, Global)):
        with pytest.raises(TypeError, match="is needed"):
            make(mock.MagicMock(spec=spec))
    with pytest.raises(TypeError, match="funcref takes"):
        Table(TableType("funcref", 1))[0] = mock.Mock(spec=Func)
    for spec, add in (
        (Memory, lambda b: b.import_memory("m", "x", 1)),
        (Table, lambda b: b.import_table("m", "x", "r", 1)),
        (Global, lambda b: b.import_global("m", "x", "i", mutable=True)),
    ):
        b = wasm()
        add(b)
        with pytest.raises(wasmetal.LinkError, match="incompatible import type"):
            Module(b.build()).instantiate({"m": {"x": mock.MagicMock(spec=spec)}})


def test_a_source_that_shows_other_bytes_each_time(wasm: Any) -> None:
    class Source(bytes):
        def __getitem__(self, key: Any) -> Any:
            return 0 if isinstance(key, int) else bytes(self)[key][::-1]

    source = Source(b"\0asm\x01\0\0\0")
    assert type(Module(source).source) is bytes


def test_a_path_that_is_a_number_as_well(tmp_path: Path) -> None:
    # `open` took it for the number of a descriptor, read from that and closed it.
    class Number(str):
        def __index__(self) -> int:
            return descriptor

    class Path_(os.PathLike[str]):
        def __index__(self) -> int:
            return descriptor

        def __fspath__(self) -> str:
            return Number(tmp_path / "absent.wasm")

    descriptor = os.open(os.devnull, os.O_RDONLY)
    for path in (Path_(), Number(tmp_path / "absent.wasm")):
        with pytest.raises(FileNotFoundError):
            Module(path)
    os.close(descriptor)


def test_a_caller_of_something_else() -> None:
    caller = wasmetal.Caller("an instance")
    for name in ("instance", "exports", "memory"):
        with pytest.raises(wasmetal.WasmError, match="not called by an instance"):
            getattr(caller, name)
