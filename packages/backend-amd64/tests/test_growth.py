"""Compiling a function four times as large takes about four times as much work, whatever its shape.

Work is counted in calls (of Python functions, and of list, dict and other methods), not in time.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable

import pytest

from wasm_backend_amd64 import Amd64Backend
from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.testing import binary
from wasm_core.testing.binary import unsigned
from wasm_ir import builder
from wasm_ir.codegen.pipeline import compile_function
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.vmcontext import ContextLayout

GET, SET, TEE = b"\x20", b"\x21", b"\x22"
ADD, MUL, LESS, DROP, END = b"\x6a", b"\x6c", b"\x48", b"\x1a", b"\x0b"
BLOCK, LOOP, IF, BR, BR_IF, BR_TABLE = b"\x02\x40", b"\x03\x40", b"\x04\x40", b"\x0c", b"\x0d", b"\x0e"


def function(body: bytes, locals_declared: int) -> bytes:
    """A module of one function of type [i32] -> []."""
    return binary.function(body + END, b"\x7f", local_groups=[(locals_declared, 0x7F)])


COUNT = GET + b"\0\x41\x01" + ADD + TEE + b"\0"  # local 0 += 1
STEP = COUNT + b"\x41\x64" + LESS


def values(count: int) -> bytes:
    """Leave `count` different values on the stack."""
    return b"".join([GET + b"\0\x41" + unsigned(0x40 + 2 * i) + MUL for i in range(count)])


def put(count: int) -> bytes:
    """Different values for locals 1 to `count`."""
    return b"".join([GET + b"\0\x41" + unsigned(0x40 + 2 * i) + MUL + SET + unsigned(i) for i in range(1, count + 1)])


def use(count: int) -> bytes:
    return b"".join([GET + unsigned(i) + GET + b"\0" + ADD + SET + b"\0" for i in range(1, count + 1)])


SHAPES: dict[str, Callable[[int], bytes]] = {
    "straight": lambda n: (GET + b"\1" + STEP + ADD + SET + b"\1") * n,
    "nested loops": lambda n: LOOP * n + (STEP + BR_IF + b"\0" + END) * n,
    "nested while loops": lambda n: (BLOCK + LOOP + STEP + BR_IF + b"\1") * n + (BR + b"\0" + END + END) * n,
    "nested loops with one condition": lambda n: LOOP * n + (GET + b"\0" + BR_IF + b"\0" + END) * n,
    "many br_tables": lambda n: (
        (
            BLOCK * 10
            + GET
            + b"\0"
            + BR_TABLE
            + unsigned(99)
            + bytes([i % 10 for i in range(100)])
            + END
            + (COUNT + DROP + END) * 9
        )
        * (n // 10)
    ),
    "loops in sequence": lambda n: (LOOP + STEP + BR_IF + b"\0" + END) * n,
    "nested ifs": lambda n: (COUNT + IF) * n + (COUNT + SET + b"\1" + END) * n,
    "operands over ifs": lambda n: values(n) + (GET + b"\0" + IF + COUNT + DROP + END) * n + DROP * n,
    "operands over loops": lambda n: values(n) + (LOOP + STEP + BR_IF + b"\0" + END) * n + DROP * n,
    "locals over ifs": lambda n: put(n) + (GET + b"\0" + IF + COUNT + DROP + END) * n + use(n),
    "locals over loops": lambda n: put(n) + (LOOP + STEP + BR_IF + b"\0" + END) * n + use(n),
    "locals in one loop": lambda n: put(n) + LOOP + use(n) + GET + b"\0" + BR_IF + b"\0" + END + use(n),
    "br_table": lambda n: (
        BLOCK * n
        + GET
        + b"\0"
        + BR_TABLE
        + unsigned(n - 1)
        + b"".join(map(unsigned, range(n)))
        + END
        + (COUNT + DROP + END) * (n - 1)
    ),
    "br_table with equal arms": lambda n: (
        BLOCK * 20
        + GET
        + b"\0"
        + BR_TABLE
        + unsigned(20 * n - 1)
        + bytes([i % 20 for i in range(20 * n)])
        + END
        + (COUNT + DROP + END) * 19
    ),
    # In each state some thirty values come from the one before or from the table, most of them in memory.
    "states": lambda n: (
        put(30)
        + BLOCK * n
        + GET
        + b"\0"
        + BR_TABLE
        + unsigned(n - 1)
        + b"".join(map(unsigned, range(n)))
        + b"".join([END + GET + (var := unsigned(1 + i % 30)) + GET + b"\0" + ADD + SET + var for i in range(n)])
        + use(30)
    ),
}


def calls_in_compiling(body: bytes, locals_declared: int) -> int:
    module = decode(function(body, locals_declared))
    facts = validate_body(module, 0)
    layout = ContextLayout(module)
    backend = Amd64Backend(())
    calls = 0

    def count(frame: object, event: str, argument: object) -> None:
        nonlocal calls
        calls += event in ("call", "c_call")

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        backend.compile(translate(module, 0, layout, facts, FrontendOptions()))
    finally:
        sys.setprofile(before)
    return calls


@pytest.mark.skipif(not str(builder.__file__).endswith(".py"), reason="calls of native code are not counted")
@pytest.mark.parametrize("shape", SHAPES)
def test_work_is_in_proportion_to_size(shape: str) -> None:
    make = SHAPES[shape]
    # Locals that are live over many branches are values up to a limit, and in memory beyond it.
    small, large = (300, 1200) if shape.startswith("locals over") else (60, 240)
    # Once before, so that what is made on first use does not count.
    calls_in_compiling(make(4), 30)
    one = calls_in_compiling(make(small), small)
    four = calls_in_compiling(make(large), large)
    assert four < 4 * 1.3 * one, f"{one} calls for {small}, {four} for {large}"


@pytest.mark.long
@pytest.mark.parametrize(
    ("shape", "size"), [("nested while loops", 16_000), ("nested loops with one condition", 64_000)]
)
def test_one_call_can_be_much_work(shape: str, size: int) -> None:
    """Copies of sets, and insertions at the front of long lists, are single calls: these show in time alone."""

    def seconds(count: int) -> float:
        module = decode(function(SHAPES[shape](count), 4))
        facts = validate_body(module, 0)
        backend = Amd64Backend(())
        times: dict[str, float] = {}
        compile_function(translate(module, 0, ContextLayout(module), facts, FrontendOptions()), backend.target, times)
        return times["allocate"]

    collecting = gc.isenabled()
    gc.disable()
    try:
        quarter, whole = (min(seconds(count) for _ in range(2)) for count in (size // 4, size))
    finally:
        if collecting:
            gc.enable()
    # Where sets were copied, and uses inserted one by one, it was seven times as long.
    assert whole < 5.5 * quarter + 0.1, (quarter, whole)
