"""Traps and exceptions: codes, messages, backtraces."""

from __future__ import annotations

import copy
import pickle
import re
import traceback

import pytest

import wasmetal
from wasm_ir.backend import supports_vectors
from wasmetal import Frame, Module, Trap, TrapCode


@pytest.fixture
def source(wasm) -> bytes:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "host", "", "")
    builder.memory(1)
    builder.func("ii", "i", op.get(0) + op.get(1) + op.I32_DIV_S, export="div")
    builder.func("i", "i", op.i32(7) + op.get(0) + op.call(1) + op.i32(1) + op.I32_ADD, export="middle")
    builder.func("i", "i", op.get(0) + op.call(2) + op.i32(1) + op.I32_ADD, export="outer")
    builder.func("i", "i", op.get(0) + op.I32_LOAD, export="load")
    builder.func("", "", op.UNREACHABLE)
    builder.func("", "i", op.call(5) + op.i32(0), export="unreachable")
    builder.func("", "i", op.call(7) + op.i32(1) + op.I32_ADD, export="forever")
    builder.func("", "i", op.call(0) + op.i32(0), export="call-host")
    builder.func("", "i", op.call(8) + op.i32(0) + op.I32_ADD, export="call-call-host")
    builder.names("demo", {1: "divide", 5: "nowhere"})
    return builder.build()


def _offset(source: bytes, code: bytes, occurrence: int = 0) -> int:
    """Where an instruction of one byte is, given with what stands before it."""
    at = -1
    for _ in range(occurrence + 1):
        at = source.index(code, at + 1)
    return at + len(code) - 1


@pytest.fixture
def exports(source: bytes):
    return Module(source).instantiate({"env": {"host": lambda: None}}).exports


def test_codes_and_messages(exports) -> None:
    for call, code, message in [
        (lambda: exports.div(1, 0), TrapCode.INTEGER_DIVIDE_BY_ZERO, "integer divide by zero"),
        (lambda: exports.div(-(1 << 31), -1), TrapCode.INTEGER_OVERFLOW, "integer overflow"),
        (lambda: exports.load(-1), TrapCode.MEMORY_OUT_OF_BOUNDS, "out of bounds memory access"),
        (exports.unreachable, TrapCode.UNREACHABLE, "unreachable"),
        (exports.forever, TrapCode.CALL_STACK_EXHAUSTED, "call stack exhausted"),
    ]:
        with pytest.raises(Trap) as caught:
            call()
        assert caught.value.code is code
        assert str(caught.value) == message
    assert exports.div(7, 2) == 3


def test_frames(source: bytes, exports) -> None:
    with pytest.raises(Trap) as caught:
        exports.outer(0)
    frames = caught.value.frames
    assert [(frame.function_index, frame.function_name) for frame in frames] == [
        (1, "divide"),
        (2, "middle"),
        (3, "outer"),
    ]
    assert frames[0].module_offset == source.index(b"\x20\x00\x20\x01\x6d") + 4
    assert frames[1].module_offset == source.index(b"\x20\x00\x10\x01") + 2
    assert frames[2].module_offset == source.index(b"\x20\x00\x10\x02") + 2


def test_frames_of_a_fault(source: bytes, exports) -> None:
    with pytest.raises(Trap) as caught:
        exports.load(65536)
    (frame,) = caught.value.frames
    assert frame == Frame(4, "load", source.index(b"\x20\x00\x28\x02") + 2)


def test_frames_with_explicit_bounds_checks(source: bytes) -> None:
    engine = wasmetal.Engine(wasmetal.Config(bounds_checks="explicit"))
    with pytest.raises(Trap) as caught:
        engine.compile(source).instantiate({"env": {"host": print}}).exports.load(65536)
    (frame,) = caught.value.frames
    assert frame == Frame(4, "load", source.index(b"\x20\x00\x28\x02") + 2)


def test_unnamed_functions(exports) -> None:
    with pytest.raises(Trap) as caught:
        exports.unreachable()
    assert [frame.function_name for frame in caught.value.frames] == ["nowhere", "unreachable"]


def test_frames_of_a_stack_overflow_are_bounded(exports) -> None:
    with pytest.raises(Trap) as caught:
        exports.forever()
    frames = caught.value.frames
    assert 100 <= len(frames) <= 1000
    assert {frame.function_index for frame in frames} == {7}
    assert exports.div(6, 3) == 2


def test_host_exceptions_come_through_as_themselves(source: bytes) -> None:
    error = LookupError("from the host")

    def host() -> None:
        raise error

    exports = Module(source).instantiate({"env": {"host": host}}).exports
    with pytest.raises(LookupError) as caught:
        exports["call-call-host"]()
    assert caught.value is error
    (note,) = error.__notes__
    lines = note.splitlines()
    assert lines[0] == "WebAssembly backtrace (innermost first):"
    offset = source.index(b"\x10\x00\x41\x00\x0b")
    assert lines[1] == f"  0: call-host (function 8) at {offset:#x}"
    assert lines[2].startswith("  1: call-call-host (function 9) at 0x")
    assert len(lines) == 3
    assert any(entry.name == "host" for entry in caught.traceback)


def test_traps_inside_of_nested_calls(source: bytes) -> None:
    exports = None

    def host() -> None:
        exports.div(1, 0)

    exports = Module(source).instantiate({"env": {"host": host}}).exports
    with pytest.raises(Trap, match="integer divide by zero") as caught:
        exports["call-host"]()
    assert [frame.function_name for frame in caught.value.frames] == ["divide"]
    own, note = caught.value.__notes__
    assert "divide" in own
    assert "call-host" in note


def test_frames_across_instances(wasm, source: bytes) -> None:
    inner = Module(source).instantiate({"env": {"host": print}})
    builder = wasm()
    op = wasm.op
    builder.import_func("inner", "middle", "i", "i")
    builder.func("i", "i", op.get(0) + op.call(0) + op.i32(1) + op.I32_ADD, export="through")
    outer = Module(builder.build()).instantiate({"inner": inner})
    with pytest.raises(Trap) as caught:
        outer.exports.through(0)
    assert [frame.function_name for frame in caught.value.frames] == ["divide", "middle", "through"]
    assert outer.exports.through(1) == 9


def test_endless_recursion_through_python(source: bytes, clean: None) -> None:
    exports = None

    def host() -> None:
        exports["call-host"]()

    exports = Module(source).instantiate({"env": {"host": host}}).exports
    for _ in range(2):
        with pytest.raises((RecursionError, Trap)):
            exports["call-host"]()
    assert exports.div(6, 3) == 2


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_base_exceptions(source: bytes, kind: type[BaseException]) -> None:
    def host() -> None:
        raise kind

    exports = Module(source).instantiate({"env": {"host": host}}).exports
    with pytest.raises(kind):
        exports["call-call-host"]()
    assert exports.div(4, 2) == 2


def test_wrong_results_of_host_functions(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "one", "", "i")
    builder.import_func("env", "two", "", "iF")
    builder.func("", "i", op.call(0), export="one")
    builder.func("", "iF", op.call(1), export="two")
    module = Module(builder.build())

    def call(name: str, result: object) -> object:
        imports = {"one": lambda: result, "two": lambda: result}
        return module.instantiate({"env": imports}).exports[name]()

    assert call("one", True) == 1
    assert call("one", 0xFFFF_FFFF) == -1
    assert call("two", (1, 2)) == (1, 2.0)
    assert call("two", [1, 2.5]) == (1, 2.5)
    for name, result, error in [
        ("one", None, TypeError),
        ("one", "1", TypeError),
        ("one", 1.0, TypeError),
        ("one", 1 << 32, OverflowError),
        ("two", 1, TypeError),
        ("two", (1,), TypeError),
        ("two", (1, 2, 3), TypeError),
        ("two", (1, "2"), TypeError),
    ]:
        with pytest.raises(error):
            call(name, result)


@pytest.mark.parametrize("protocol", range(6))
def test_traps_pickle(exports, protocol: int) -> None:
    # A trap that cannot be unpickled breaks pools of processes.
    with pytest.raises(Trap) as caught:
        exports.outer(0)
    trap = caught.value
    for made in (pickle.loads(pickle.dumps(trap, protocol)), copy.copy(trap), copy.deepcopy(trap)):
        assert (type(made), str(made), made.code, made.frames) == (Trap, str(trap), trap.code, trap.frames)
        assert made.__notes__ == trap.__notes__
    assert f"{trap.code} {trap.code:d}" == "INTEGER_DIVIDE_BY_ZERO 7"


def test_none_is_no_raw_reference(wasm) -> None:
    # Null is 0: the address of None would be a reference that is not null and reads as None.
    builder = wasm()
    builder.func("e", "e", wasm.op.get(0), export="same")
    same = Module(builder.build()).instantiate().exports.same
    with pytest.raises(ValueError):
        same.call_raw(id(None))
    assert same.call_raw(0) == (0,)


def test_uncaught_traps_show_where(exports) -> None:
    with pytest.raises(Trap) as caught:
        exports.middle(0)
    shown = "".join(traceback.format_exception(caught.value))
    assert "WebAssembly backtrace (innermost first):" in shown
    assert re.search(r"0: divide \(function 1\) at 0x[0-9a-f]+\n +1: middle \(function 2\) at 0x", shown)


def test_equal_frames_collapse(exports) -> None:
    with pytest.raises(Trap) as caught:
        exports.forever()
    (note,) = caught.value.__notes__
    lines = note.splitlines()
    assert len(lines) < 10
    assert "  ... 252 more" in lines or "  ... 253 more" in lines
    assert len(caught.value.frames) == 256


@pytest.mark.parametrize("bounds_checks", ["guard", "explicit"])
def test_accesses_out_of_bounds_say_what(wasm, bounds_checks: str) -> None:
    builder = wasm()
    op = wasm.op
    builder.memory(1)
    accesses = {f"load{width}": (code, width) for code, width in [(0x2D, 1), (0x2F, 2), (0x28, 4), (0x29, 8)]}
    for name, (code, _) in accesses.items():
        builder.func("i", "", op.get(0) + bytes([code, 0, 8]) + op.DROP, export=name)
    builder.func("i", "", op.get(0) + op.i64(1) + b"\x37\x00\x08", export="store")
    builder.func("i", "", op.get(0) + op.i32(0) + op.i32(9) + b"\xfc\x0b\x00", export="fill")
    engine = wasmetal.Engine(wasmetal.Config(bounds_checks=bounds_checks))
    exports = Module(builder.build(), engine=engine).instantiate().exports
    for name, width in [*((name, width) for name, (_, width) in accesses.items()), ("store", 8)]:
        for address in (65_536, 70_000, -1):
            with pytest.raises(Trap) as caught:
                exports[name](address)
            access = caught.value.access
            assert access.width == width
            if bounds_checks == "guard":
                assert access.memory_size == 65_536
                assert access.address == (address & 0xFFFF_FFFF) + 8
                assert f"at address {access.address}" in caught.value.__notes__[0]
            assert f"access of {width} byte" in caught.value.__notes__[0]
    # Half of it is inside: the first byte that is not is named.
    with pytest.raises(Trap) as caught:
        exports.load8(65_536 - 8 - 4)
    if bounds_checks == "guard":
        assert caught.value.access.address == 65_536
    # What was accessed then is not said of another one.
    with pytest.raises(Trap) as caught:
        exports.fill(65_530)
    assert caught.value.access is None


@pytest.mark.parametrize("position", range(4))
@pytest.mark.parametrize("kind", "re")
def test_raw_references_are_checked_wherever_they_are(wasm, kind: str, position: int) -> None:
    # A slot that is no live reference of the store would be used as an address.
    params = ["v", "I", "f"]
    params.insert(position, kind)
    builder = wasm()
    builder.func("".join(params[:]), "", b"", export="take")
    builder.func("r", "r", wasm.op.get(0), export="func")
    builder.func("e", "e", wasm.op.get(0), export="extern")
    exports = Module(builder.build()).instantiate().exports
    other = Module(builder.build()).instantiate().exports
    take = exports.take
    slots: list[int] = []
    at = 0
    for n, param in enumerate(params):
        if n == position:
            at = len(slots)
        slots += [1, 2] if param == "v" else [0]
    same, handle = (exports.func, other.func._funcref) if kind == "r" else (exports.extern, id(exports))
    for wrong in (1, 8, id(None), id(exports), handle, 1 << 63, 2**64 - 1, id(type)):
        slots[at] = wrong
        with pytest.raises(ValueError, match="not a reference"):
            take.call_raw(*slots)
        with pytest.raises(ValueError, match="not a reference"):
            same.call_raw(wrong)
    slots[at] = 0
    if supports_vectors(wasmetal.default_engine().backend):
        assert take.call_raw(*slots) == ()
