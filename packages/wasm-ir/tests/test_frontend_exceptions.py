"""Exceptions as IR, in both encodings, interpreted: which handler sees what, and what locals are there."""

from __future__ import annotations

import sys

import pytest
from ir_interpreter import Instance, Thrown

from wasm_core import Features, Unsupported, decode, validate_body, validate_module
from wasm_core.testing.builder import Op, WasmBuilder
from wasm_ir import opcodes as op
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Function
from wasm_ir.verifier import verify
from wasm_ir.vmcontext import ContextLayout

_SET = b"\x21"
_RETURN = b"\x0f"


@pytest.fixture(params=["values", "memory"])
def locals_in(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Locals are values; or there are so many that they are in memory."""
    if request.param == "memory":
        module = sys.modules["wasm_ir.frontend.translate"]  # `wasm_ir.frontend` has a function of this name
        monkeypatch.setattr(module, "_VALUES_BASE", 0)
        monkeypatch.setattr(module, "_VALUES_PER_INSTRUCTION", 0)


def thrower(w: WasmBuilder) -> int:
    """Throws tag x % 4 (0 to 2) with x, or returns x + 1 when x % 4 is 3."""
    for _ in range(3):
        w.tag("i")
    code = b""
    for tag in range(3):
        code += Op.get(0) + Op.i32(3) + b"\x71" + Op.i32(tag) + b"\x46" + Op.if_("", Op.get(0) + Op.throw(tag), b"")
    return w.func("i", "i", code + Op.get(0) + Op.i32(1) + Op.I32_ADD)


def instance(w: WasmBuilder) -> Instance:
    module = decode(w.build())
    validate_module(module, Features.default())
    return Instance(module, FrontendOptions(), features=Features.default())


@pytest.mark.usefixtures("locals_in")
@pytest.mark.parametrize("legacy", [False, True], ids=["try_table", "try"])
def test_locals_in_handlers(legacy: bool) -> None:
    """Local 1 counts how many of three calls have returned; handlers see what it was at the call that threw."""
    w = WasmBuilder()
    f = thrower(w)
    count = Op.get(3) + Op.i32(1) + Op.I32_ADD + _SET + b"\x03"
    body = b"".join(Op.get(k) + Op.call(f) + Op.DROP + count for k in range(3))
    then = Op.get(3) + Op.i32(100) + Op.I32_MUL
    if legacy:
        clauses = [
            Op.caught(0, Op.i32(1000) + Op.I32_ADD + then + Op.I32_ADD),
            Op.caught(1, Op.i32(2000) + Op.I32_ADD + then + Op.I32_ADD),
            Op.caught_all(Op.i32(5000) + then + Op.I32_ADD),
        ]
        code = Op.try_("i", body + Op.i32(-1), *clauses)
    else:
        # Each label ends a block with what the clause brings along.
        inner = Op.try_table("", [Op.catch(0, 0), Op.catch(1, 1), Op.catch_all(2)], body) + Op.i32(-1) + _RETURN
        one = Op.block("i", inner) + Op.i32(1000) + Op.I32_ADD + then + Op.I32_ADD + _RETURN
        two = Op.block("i", one) + Op.i32(2000) + Op.I32_ADD + then + Op.I32_ADD + _RETURN
        code = Op.block("", two + _RETURN) + Op.i32(5000) + then + Op.I32_ADD
    g = w.func("iii", "i", code, locals="i")
    made = instance(w)
    assert made.call(g, [3, 7, 11]) == [0xFFFF_FFFF]
    assert made.call(g, [4, 3, 3]) == [1004]
    assert made.call(g, [3, 5, 3]) == [2105]
    assert made.call(g, [3, 3, 6]) == [5200]


@pytest.mark.usefixtures("locals_in")
@pytest.mark.parametrize("legacy", [False, True], ids=["try_table", "try"])
def test_the_innermost_handler_that_fits(legacy: bool) -> None:
    w = WasmBuilder()
    f = thrower(w)
    call = Op.get(0) + Op.call(f)
    if legacy:
        inner = Op.try_("i", call, Op.caught(1, Op.i32(10) + Op.I32_ADD))
        code = Op.try_("i", inner, Op.caught(0, Op.i32(20) + Op.I32_ADD), Op.caught(1, Op.i32(30) + Op.I32_ADD))
    else:
        inner = Op.block("i", Op.try_table("i", [Op.catch(1, 0)], call) + Op.br(1)) + Op.i32(10) + Op.I32_ADD
        outer = Op.try_table("i", [Op.catch(0, 0), Op.catch(1, 0)], inner) + Op.br(1)
        code = Op.block("i", Op.block("i", outer) + Op.i32(20) + Op.I32_ADD)
    g = w.func("i", "i", code)
    made = instance(w)
    assert [made.call(g, [x]) for x in (0, 1, 3)] == [[20], [11], [4]]
    with pytest.raises(Thrown):
        made.call(g, [2])


@pytest.mark.usefixtures("locals_in")
def test_loops_through_handlers() -> None:
    """A clause whose label is a loop around it: goes on with the next number until one is not caught."""
    w = WasmBuilder()
    f = thrower(w)
    step = Op.get(0) + Op.i32(1) + Op.I32_ADD + _SET + b"\x00"
    sum_ = Op.get(1) + Op.get(0) + Op.I32_ADD + _SET + b"\x01"
    body = step + sum_ + Op.try_table("", [Op.catch_all(0)], Op.get(0) + Op.call(f) + Op.DROP)
    g = w.func("i", "i", b"\x03\x40" + body + Op.END + Op.get(1), locals="i")
    made = instance(w)
    assert [made.call(g, [x]) for x in (3, 5, 6)] == [[4 + 5 + 6 + 7], [6 + 7], [7]]


def test_rethrow_and_delegate() -> None:
    w = WasmBuilder()
    f = thrower(w)
    call = Op.get(0) + Op.call(f)
    rethrown = Op.try_("i", call, Op.caught(0, Op.DROP + Op.rethrow(0)), Op.caught_all(Op.rethrow(0)))
    again = w.func("i", "i", Op.try_("i", rethrown, Op.caught(0, Op.i32(50) + Op.I32_ADD)))
    # To the handler around, past one that would have caught it.
    passed = Op.try_("i", Op.delegate("i", call, 1), Op.caught_all(Op.i32(-5)))
    past = w.func("i", "i", Op.try_("i", passed, Op.caught_all(Op.i32(-6))))
    caller = w.func("i", "i", Op.try_("i", Op.delegate("i", call, 1), Op.caught_all(Op.i32(-5))))
    made = instance(w)
    assert [made.call(again, [x]) for x in (0, 4, 7)] == [[50], [54], [8]]
    assert [made.call(past, [x]) for x in (0, 3)] == [[0xFFFF_FFFA], [4]]
    assert made.call(caller, [3]) == [4]
    for index, x in ((again, 1), (caller, 0)):
        with pytest.raises(Thrown):
            made.call(index, [x])


def test_throws_in_the_body_go_to_the_handler_without_a_call() -> None:
    w = WasmBuilder()
    t = w.tag("iI")
    thrown = Op.get(0) + Op.i64(1 << 40) + Op.throw(t)
    g = w.func("i", "I", Op.try_("I", thrown, Op.caught(t, _SET + b"\x01" + Op.DROP + Op.get(1))), locals="I")
    made = instance(w)
    assert made.call(g, [7]) == [1 << 40]
    operations = [block.terminator.op for block in made.compiled[g].blocks if block.terminator is not None]
    # (one for a tag that is not the wanted one)
    assert operations.count(op.THROW) == 1 and op.INVOKE not in operations


def test_code_that_nothing_reaches() -> None:
    """Handlers of bodies that throw nothing, and bodies and handlers behind what never ends."""
    w = WasmBuilder()
    f = thrower(w)
    call = Op.get(0) + Op.call(f)
    dead = Op.try_("i", Op.i32(1), Op.caught(0, Op.DROP + call), Op.caught_all(call))
    one = w.func("i", "i", dead)
    w.func("i", "i", Op.UNREACHABLE + Op.try_("i", call, Op.caught(0, b""), Op.caught_all(Op.delegate("i", call, 0))))
    ends = Op.try_("i", Op.get(0) + _RETURN, Op.caught_all(Op.i32(9)))
    two = w.func("i", "i", ends)
    three = w.func("i", "i", Op.delegate("i", Op.get(0) + _RETURN, 0))
    four = w.func("i", "i", Op.try_("i", call + _RETURN, Op.caught(0, _RETURN), Op.caught_all(Op.i32(9))))
    made = instance(w)
    assert [made.call(index, [3])[0] for index in (one, two, three, four)] == [1, 3, 3, 4]
    assert [made.call(four, [x])[0] for x in (0, 1, 2)] == [0, 9, 9]


def translated(w: WasmBuilder, options: FrontendOptions) -> Function:
    module = decode(w.build())
    index = len(module.function_types) - 1
    return translate(module, index, ContextLayout(module), validate_body(module, index), options)


def test_deep_nests_take_linear_time() -> None:
    """Of 2,000 constructs, each with a call; delegates too."""
    depth = 2_000
    w = WasmBuilder()
    f = w.func("", "")
    call = Op.call(f)
    w.func("", "", (b"\x06\x40" + call) * depth + (call + b"\x19" + Op.END) * depth)
    verify(translated(w, FrontendOptions()))
    w.func("", "", (b"\x06\x40" + call) * depth + b"\x18\x00" * depth)
    verify(translated(w, FrontendOptions()))
    w.func("", "", (b"\x1f\x40\x01\x02\x00" + call) * depth + Op.END * depth)
    verify(translated(w, FrontendOptions()))


def test_a_backend_without_exceptions() -> None:
    for code in (Op.throw(0), Op.try_table("", [], b""), Op.try_("", b"", Op.caught_all(b""))):
        w = WasmBuilder()
        w.tag("")
        w.func("", "", code)
        with pytest.raises(Unsupported) as caught:
            translated(w, FrontendOptions(exceptions=False))
        assert caught.value.feature == "exceptions" and caught.value.offset is not None
