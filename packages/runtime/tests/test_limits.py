"""Limits of the configuration, and modules that are large in one respect: error or success, soon, in little memory."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import pytest

import wasmetal
from wasm_core.testing import binary
from wasm_core.testing.binary import PREAMBLE, section, unsigned
from wasmetal import Config, Engine, WasmError


def module_of(body: bytes, *, params: bytes = b"", results: bytes = b"", locals: Sequence[int] = ()) -> bytes:
    """One exported function `f`, which has so many locals, groups of i32."""
    groups = [(count, 0x7F) for count in locals]
    return binary.function(body + b"\x0b", params, results, local_groups=groups, export="f")


# The configuration's.


def test_module_size(wasm: Any) -> None:
    b = wasm()
    b.custom("padding", bytes(1000))
    source = b.build()
    Engine(Config(max_module_bytes=len(source))).compile(source)
    with pytest.raises(WasmError, match=f"{len(source)} bytes is over the limit of {len(source) - 1}"):
        Engine(Config(max_module_bytes=len(source) - 1)).compile(source)


def test_number_of_instances(wasm: Any) -> None:
    b = wasm()
    b.memory(1)
    module = Engine(Config(max_instances=2)).compile(b.build())
    first, second = module.instantiate(), module.instantiate()
    for _ in range(2):
        with pytest.raises(WasmError, match="2 instances is at its limit"):
            module.instantiate()
    del first
    gc.collect()
    third = module.instantiate()
    second.close()
    module.instantiate()
    assert third is not None


def test_memory_and_table_and_stack(wasm: Any) -> None:
    b = wasm()
    b.memory(2, export="memory")
    b.table("r", 20, export="table")
    b.func("i", "i", wasm.op.get(0) + wasm.op.MEMORY_GROW, export="grow")
    b.func(code=b"\x10\x01", export="down")
    source = b.build()
    for config, message in (
        (Config(max_memory_pages=1), "memory of 2 pages is over the limit of 1"),
        (Config(max_table_elements=19), "table of 20 elements is over the limit of 19"),
    ):
        with pytest.raises(WasmError, match=message):
            Engine(config).compile(source).instantiate()
    config = Config(max_memory_pages=3, max_table_elements=21, max_stack_bytes=1 << 20)
    exports = Engine(config).compile(source).instantiate().exports
    assert [exports.grow(1), exports.grow(1)] == [2, -1]
    with pytest.raises(WasmError, match="limit is 21"):
        exports.table.grow(2)
    with pytest.raises(wasmetal.Trap, match="call stack exhausted"):
        exports.down()
    for wrong in ({"max_module_bytes": -1}, {"max_instances": -1}):
        with pytest.raises(ValueError, match="must be from 0"):
            Config(**wrong)


def test_tables_share_a_limit(wasm: Any) -> None:
    """Many tables are no way around it, neither at the start nor by growing."""
    b = wasm()
    for number in range(3):
        b.table("r", 5, export=f"table{number}")
        grow = b"\xd0\x70" + wasm.op.get(0) + b"\xfc\x0f" + bytes([number])
        b.func("i", "i", grow, export=f"grow{number}")
    source = b.build()
    with pytest.raises(WasmError, match="table of 5 elements is over the limit of 4"):
        Engine(Config(max_table_elements=14)).compile(source).instantiate()
    module = Engine(Config(max_table_elements=20)).compile(source)
    for exports in (module.instantiate().exports, module.instantiate().exports):
        assert [exports.grow0(3), exports.grow1(3), exports.grow1(2), exports.grow2(1), exports.grow0(0)] == [
            5,
            -1,
            5,
            -1,
            8,
        ]
        with pytest.raises(WasmError, match="its limit is 5"):
            exports.table2.grow(1)
    many = PREAMBLE + section(4, unsigned(1000) + (b"\x70\0" + unsigned(10_000_000)) * 1000)
    with pytest.raises(WasmError, match="over the limit"):
        Engine().compile(many).instantiate()


# Modules. Each is (binary, what happens then); sizes are doubled to see that the time is linear.


def deep_blocks(n: int) -> bytes:
    return module_of(b"\x02\x40" * n + b"\x0b" * n)


def deep_loops(n: int) -> bytes:
    return module_of(b"\x03\x40" * n + b"\x0b" * n)


def deep_ifs(n: int) -> bytes:
    return module_of(b"\x20\x00\x04\x40" * n + b"\x0b" * n, params=b"\x7f")


def many_locals(n: int) -> bytes:
    """All of them are set, in a loop."""
    sets = b"".join(b"\x20\x00\x21" + unsigned(index) for index in range(1, n))
    return module_of(b"\x03\x40" + sets + b"\x0b", params=b"\x7f", locals=[n - 1])


def many_values(n: int) -> bytes:
    """Returns its parameters."""
    return module_of(b"".join(b"\x20" + unsigned(index) for index in range(n)), params=b"\x7e" * n, results=b"\x7e" * n)


def wide_br_table(n: int) -> bytes:
    """n blocks around a br_table with n targets."""
    targets = b"".join(unsigned(depth) for depth in range(n))
    return module_of(b"\x02\x40" * n + b"\x20\x00\x0e" + unsigned(n - 1) + targets + b"\x0b" * n, params=b"\x7f")


def long_br_table(n: int) -> bytes:
    return module_of(b"\x02\x40\x20\x00\x0e" + unsigned(n) + bytes(n + 1) + b"\x0b", params=b"\x7f")


def straight_line(n: int) -> bytes:
    return module_of(b"\x20\x00" + b"\x20\x00\x6a" * n, params=b"\x7f", results=b"\x7f")


def many_functions(n: int) -> bytes:
    body = b"\x02\0\x0b"
    return (
        PREAMBLE
        + section(1, b"\x01\x60\0\0")
        + section(3, unsigned(n) + bytes(n))
        + section(10, unsigned(n) + body * n)
    )


COMPILED: list[tuple[Callable[[int], bytes], int]] = [
    (deep_blocks, 50_000),
    (deep_loops, 5_000),
    (deep_ifs, 5_000),
    (many_locals, 20_000),
    (many_values, 1000),
    (wide_br_table, 10_000),
    (long_br_table, 50_000),
    (straight_line, 20_000),
]


def compile_and_run(make: Callable[[int], bytes], size: int) -> float:
    """The processor time of everything, in seconds."""
    source = make(size)
    start = time.process_time()
    exports = Engine().compile(source).instantiate().exports
    parameters = list(range(len(exports.f.type.params)))
    result = exports.f(*parameters)
    if make is many_values:
        assert result == tuple(parameters)
    return time.process_time() - start


@pytest.mark.parametrize(("make", "size"), COMPILED, ids=[make.__name__ for make, _ in COMPILED])
def test_time_is_linear(make: Callable[[int], bytes], size: int) -> None:
    # The first time thunks are compiled too.
    quarter, whole = (min(compile_and_run(make, count) for _ in range(2)) for count in (size // 4, size))
    # Four times the size; quadratic would be sixteen times the time.
    assert whole < 9 * quarter + 0.3, (quarter, whole)


def test_locals_over_the_limit() -> None:
    assert compile_and_run(lambda n: module_of(b"", locals=[n]), 50_000) < 10
    for count in (50_001, 0xFFFF_FFFF):
        with pytest.raises(wasmetal.InvalidError, match="too many locals"):
            Engine().compile(module_of(b"", locals=[count]))
    with pytest.raises(wasmetal.MalformedError, match="too many locals"):
        Engine().compile(module_of(b"", locals=[0xFFFF_FFFF] * 2))


THOUSAND = b"".join(b"\x20" + unsigned(index) for index in range(1000))
#: Code that passes on the thousand operands on the stack, in few bytes: (what is repeated, how often it may well be).
PASSING = {
    "calls": (b"\x10\0", 30),
    "blocks": (b"\x02\0\x0b", 10_000),
    "loops": (b"\x03\0\x0b", 30),
    "ifs": (b"\x20\0\xa7\x04\0\x05\x0b", 20),
    "branches": (b"\x20\0\xa7\x0d\0", 50),
    "calls in ifs": (b"\x20\0\xa7\x04\0\x10\0\x05\x0b", 10),
}


def passing(repeated: bytes, times: int) -> bytes:
    return module_of(THOUSAND + repeated * times, params=b"\x7e" * 1000, results=b"\x7e" * 1000)


@pytest.mark.parametrize("name", PASSING)
def test_few_bytes_cannot_make_much_work(name: str) -> None:
    """Instructions of two bytes that pass on a thousand values each, for which the compiler takes up to 2 MiB."""
    repeated, times = PASSING[name]
    engine = Engine(Config(compile="eager"))
    engine.compile(passing(repeated, times))
    start = time.process_time()
    if name == "blocks":  # these pass on what is there already
        return
    with pytest.raises(wasmetal.CompileError, match="too many values for its size"):
        engine.compile(passing(repeated, 50 * times))
    assert time.process_time() - start < 10


def test_nested_loops_with_a_thousand_parameters() -> None:
    # In each, all of them are others in the next round: some kilobytes that would take as long as some hundred.
    level = b"\x03\0\x20\0\x20\0\xa7\x0d\0\x1a"

    def nested(depth: int) -> bytes:
        return module_of(THOUSAND + level * depth + b"\x0b" * depth, params=b"\x7e" * 1000, results=b"\x7e" * 1000)

    engine = Engine(Config(compile="eager"))
    engine.compile(nested(20))
    for depth in (200, 5000):
        with pytest.raises(wasmetal.CompileError, match="too many values for its size"):
            engine.compile(nested(depth))


HOSTILE = """
import resource, sys, time
import wasmetal
from test_limits import *

# Without a GIL Python reserves a gigabyte when it starts.
limit = 1 << (31 if "free-threading" in sys.version else 30)
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
most = 0xFFFF_FFFF
start = time.process_time()
for number in (1, 2, 3, 4, 5, 6, 7, 9, 10, 11):
    count = unsigned(most)
    for content in (count, count + b"\\x60", count + bytes(100), b"\\x01\\x60" + count + b"\\x7f"):
        try:
            wasmetal.Module(PREAMBLE + section(number, content))
        except wasmetal.CompileError:
            continue
        raise AssertionError((number, content))
for wrong in (
    PREAMBLE + b"\\x01" + unsigned(most) + b"\\0",
    module_of(b"\\x20\\0\\x0e" + unsigned(most), params=b"\\x7f"),
    module_of(b"\\x1c" + unsigned(most) + b"\\x7f"),
    PREAMBLE + section(1, b"\\x01\\x60\\0\\0") + section(3, unsigned(1_000_000) + bytes(1_000_000)),
):
    try:
        wasmetal.Module(wrong)
    except wasmetal.CompileError:
        continue
    raise AssertionError(wrong[:40])
print("small", time.process_time() - start)
# A memory larger than what this process may have; the largest table.
try:
    wasmetal.Module(PREAMBLE + section(5, b"\\x01\\0" + unsigned(65536))).instantiate()
except MemoryError:
    pass
else:
    raise AssertionError("4 GiB out of 1")
wasmetal.Module(PREAMBLE + section(4, b"\\x01\\x70\\0" + unsigned(10_000_000))).instantiate()
try:
    wasmetal.Module(PREAMBLE + section(4, b"\\x01\\x70\\0" + unsigned(most))).instantiate()
except wasmetal.WasmError as error:
    assert "limit" in str(error)
else:
    raise AssertionError("a table of 32 GiB")
# A million functions in four million bytes.
start = time.process_time()
module = wasmetal.Engine(wasmetal.Config(validation="lazy")).compile(many_functions(1_000_000))
module.instantiate()
seconds = time.process_time() - start
assert seconds < 20, seconds
print("million", seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "MiB")
"""


@pytest.mark.usefixtures("address_limit")
def test_hostile_counts() -> None:
    path = [os.path.dirname(__file__), *[entry for entry in sys.path if entry]]
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path[:0] = {path!r}\n{HOSTILE}"],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    print(result.stdout)
