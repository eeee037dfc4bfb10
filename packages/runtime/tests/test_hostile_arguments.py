"""Whatever an embedder passes by mistake: an exception that Python programmers expect, never a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

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
        timeout=100,
    )
    assert result.returncode == 0, result.stdout + result.stderr
