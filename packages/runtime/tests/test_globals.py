"""Globals: values of all types, mutability."""

from __future__ import annotations

import math

import pytest

from wasmetal import Func, FuncType, Global, GlobalType, Module, ValueType


@pytest.mark.parametrize(
    ("type", "value", "seen"),
    [
        ("i32", -1, -1),
        ("i32", 0xFFFF_FFFF, -1),
        ("i64", 1 << 63, -(1 << 63)),
        ("i64", -5, -5),
        ("f32", 0.1, 0.10000000149011612),
        ("f64", 0.1, 0.1),
        ("f64", 3, 3.0),
        ("v128", bytes(range(16)), bytes(range(16))),
        ("externref", "text", "text"),
        ("externref", None, None),
        ("funcref", None, None),
        (ValueType.F32, -math.inf, -math.inf),
    ],
)
def test_values(type: str, value: object, seen: object) -> None:
    assert Global(GlobalType(type), value).value == seen
    variable = Global(GlobalType(type, mutable=True))
    variable.value = value
    assert variable.value == seen
    assert repr(seen) in repr(variable)


def test_default_values() -> None:
    assert [Global(GlobalType(t)).value for t in ("i32", "i64", "f32", "f64")] == [0, 0, 0.0, 0.0]
    assert Global(GlobalType("v128")).value == bytes(16)
    assert Global(GlobalType("externref")).value is None


@pytest.mark.parametrize(
    ("type", "value", "error"),
    [
        ("i32", 1 << 32, OverflowError),
        ("i32", -(1 << 31) - 1, OverflowError),
        ("i64", 1 << 64, OverflowError),
        ("i32", 1.0, TypeError),
        ("f32", "1", TypeError),
        ("v128", b"short", TypeError),
        ("funcref", print, TypeError),
    ],
)
def test_wrong_values(type: str, value: object, error: type[Exception]) -> None:
    with pytest.raises(error):
        Global(GlobalType(type), value)
    variable = Global(GlobalType(type, mutable=True))
    before = variable.value
    with pytest.raises(error):
        variable.value = value
    assert variable.value == before


def test_immutable() -> None:
    constant = Global(GlobalType("i32"), 3)
    with pytest.raises(AttributeError, match="immutable"):
        constant.value = 4
    assert constant.value == 3


def test_references() -> None:
    function = Func(lambda: None, FuncType())
    assert Global(GlobalType("funcref"), function).value is function
    value = object()
    assert Global(GlobalType("externref"), value).value is value


def test_wasm_and_python_see_the_same_value(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_global("env", "shared", "I", mutable=True)
    builder.glob("F", b"\x44" + bytes(6) + b"\xf8\x3f", mutable=True, export="own")
    builder.glob("i", op.i32(-7), export="constant")
    builder.glob("e", op.ref_null("e"), mutable=True, export="object")
    builder.func(
        "", "I", op.global_get(0) + op.i64(1) + op.I64_ADD + op.global_set(0) + op.global_get(0), export="next"
    )
    builder.func("F", "F", op.global_get(1) + op.get(0) + op.global_set(1), export="swap")
    builder.func("e", "e", op.global_get(3) + op.get(0) + op.global_set(3), export="swap-object")
    shared = Global(GlobalType("i64", True), 1 << 40)
    module = Module(builder.build())
    first, second = (module.instantiate({"env": {"shared": shared}}).exports for _ in range(2))
    assert first.next() == (1 << 40) + 1
    assert second.next() == (1 << 40) + 2 == shared.value
    shared.value = -5
    assert first.next() == -4
    assert first.own.value == 1.5
    assert first.swap(2.25) == 1.5
    assert first.own.value == 2.25 and second.own.value == 1.5
    first.own.value = 8
    assert first.swap(0) == 8.0
    assert first.constant.value == -7
    with pytest.raises(AttributeError):
        first.constant.value = 1
    value = ["object"]
    first.object.value = value
    assert first["swap-object"]("next") is value
    assert first.object.value == "next"
