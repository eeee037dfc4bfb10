"""Typed function references between Python and WebAssembly: what is not of the type never gets in."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import Any

import pytest

import wasmetal
from wasmetal import Engine, Func, FuncType, Global, GlobalType, LinkError, Table, TableType, Trap, ValueType

assemble = pytest.importorskip("wasm_text").assemble
if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)

UNARY = FuncType(["i32"], ["i32"])

CALLS = """
(module
  (type $f (func (param i32) (result i32)))
  (type $host (func (result (ref $f))))
  (import "m" "make" (func $make (type $host)))
  (global $g (export "g") (mut (ref $f)) (ref.func $double))
  (table $t (export "t") 3 9 (ref $f) (ref.func $double))
  (table $n (export "n") 1 (ref null $f))
  (func $double (export "double") (param i32) (result i32) (i32.mul (local.get 0) (i32.const 2)))
  (func $other (export "other") (param i64))
  (func (export "slot_of_double") (result (ref func)) (ref.func $double))
  (func (export "slot_of_other") (result (ref func)) (ref.func $other))
  (func (export "call") (param (ref $f) i32) (result i32) (call_ref $f (local.get 1) (local.get 0)))
  (func (export "call_null") (param (ref null $f) i32) (result i32) (call_ref $f (local.get 1) (local.get 0)))
  (func (export "made") (param i32) (result i32) (call_ref $f (local.get 0) (call $make)))
  (func (export "of_table") (param i32 i32) (result i32)
    (call_ref $f (local.get 1) (table.get $t (local.get 0))))
  (func (export "of_global") (param i32) (result i32) (call_ref $f (local.get 0) (global.get $g)))
  (func (export "same") (param (ref null $f)) (result (ref $f)) (ref.as_non_null (local.get 0)))
  (func (export "never") (param (ref null nofunc)) (result i32) (ref.is_null (local.get 0)))
  (func (export "any") (param (ref func)) (result (ref null func)) (local.get 0))
  (func (export "object") (param (ref extern)) (result (ref extern)) (local.get 0)))
"""


def instantiate(make: Callable[[], object] = lambda: None) -> Any:
    return Engine().compile(assemble(CALLS)).instantiate({"m": {"make": make}}).exports


def triple(x: int) -> int:
    return 3 * x


def test_functions_of_the_type_get_in() -> None:
    e = instantiate()
    host = Func(triple, UNARY)
    assert e.call(e.double, 4) == 8
    assert e.call(host, 4) == 12
    assert e.call_null(host, 4) == 12
    assert e.same(host) is host
    assert e.same(e.double) is e.double
    assert e.any(e.other) is e.other
    assert e.object("text") == "text"
    assert e.never(None) == 1
    assert e.double.type.params == ("i32",)


@pytest.mark.parametrize("name", ["call", "call_null"])
def test_others_do_not(name: str) -> None:
    e = instantiate()
    call = e[name]
    for wrong in (e.other, Func(triple, FuncType(["i64"], ["i32"])), triple, 0, "x", Func.__new__(Func)):
        with pytest.raises(TypeError):
            call(wrong, 4)
    if name == "call":
        with pytest.raises(TypeError, match=r"Func of type \(i32\) -> \(i32\), not None"):
            call(None, 4)
    else:
        with pytest.raises(Trap, match="null function reference"):
            call(None, 4)


def test_null_is_refused_where_it_is_no_value() -> None:
    e = instantiate()
    with pytest.raises(TypeError, match="not None"):
        e.object(None)
    with pytest.raises(TypeError, match="not None"):
        e.any(None)
    with pytest.raises(TypeError, match="nothing but None"):
        e.never(e.double)
    with pytest.raises(Trap, match="null reference"):
        e.same(None)


def test_results_of_host_functions() -> None:
    assert instantiate(lambda: Func(triple, UNARY)).made(5) == 15
    for wrong in (None, 1, triple, Func(triple, FuncType())):
        with pytest.raises(TypeError, match="make"):
            instantiate(lambda wrong=wrong: wrong).made(5)


def test_raw_slots() -> None:
    e = instantiate()
    (double,) = e.slot_of_double.call_raw()
    (other,) = e.slot_of_other.call_raw()
    assert e.call.call_raw(double, 4) == (8,)
    assert e.any.call_raw(other) == (other,)
    with pytest.raises(ValueError, match="not None"):
        e.call.call_raw(0, 4)
    for wrong in (other, double + 8):
        with pytest.raises(ValueError, match="a slot is not a reference"):
            e.call.call_raw(wrong, 4)
    # A host function that is called without a store has no references but null.
    with pytest.raises(ValueError, match="not None"):
        Func(triple, FuncType([e.g.type.value_type])).call_raw(0)


def test_tables() -> None:
    e = instantiate()
    assert [e.of_table(i, 4) for i in range(3)] == [8, 8, 8]
    e.t[1] = Func(triple, UNARY)
    assert [e.of_table(i, 4) for i in range(3)] == [8, 12, 8]
    for wrong in (None, e.other, 5):
        with pytest.raises(TypeError):
            e.t[0] = wrong
        with pytest.raises(TypeError):
            e.t.grow(1, wrong)
    with pytest.raises(TypeError):
        e.t.grow(1)
    assert e.t.grow(1, e.double) == 3
    assert e.of_table(3, 1) == 2
    assert e.n[0] is None
    with pytest.raises(LinkError):
        importer = assemble('(module (type $f (func)) (import "m" "t" (table 1 (ref $f))))')
        Engine().compile(importer).instantiate({"m": {"t": e.t}})


def test_globals() -> None:
    e = instantiate()
    assert e.of_global(4) == 8
    e.g.value = Func(triple, UNARY)
    gc.collect()
    assert e.of_global(4) == 12
    for wrong in (None, e.other, 5):
        with pytest.raises(TypeError):
            e.g.value = wrong
    assert e.of_global(4) == 12


def test_tables_and_globals_of_python() -> None:
    e = instantiate()
    unary = e.g.type.value_type
    table = Table(TableType(unary, 2), e.double)
    assert table[1] is e.double
    variable = Global(GlobalType(unary), e.double)
    assert variable.value is e.double
    # Whoever keeps what could not be made has no table with elements that it must not have.
    for wrong in (None, e.other):
        unfinished = Table.__new__(Table)
        with pytest.raises(TypeError):
            unfinished.__init__(TableType(unary, 2), wrong)
        assert not hasattr(unfinished, "_storage")
        half = Global.__new__(Global)
        with pytest.raises(TypeError):
            half.__init__(GlobalType(unary, True), wrong)
        assert not hasattr(half, "_cell")
    source = assemble(
        """(module (type $f (func (param i32) (result i32)))
             (import "m" "t" (table 2 (ref $f))) (import "m" "g" (global (ref $f)))
             (func (export "f") (param i32) (result i32)
               (call_ref $f (call_ref $f (local.get 0) (table.get 0 (i32.const 1))) (global.get 0))))"""
    )
    module = Engine().compile(source)
    assert module.instantiate({"m": {"t": table, "g": variable}}).exports.f(3) == 12
    assert module.instantiate({"m": {"t": table, "g": Func(triple, UNARY)}}).exports.f(3) == 18
    for wrong in (None, e.other, triple):
        with pytest.raises(LinkError):
            module.instantiate({"m": {"t": table, "g": wrong}})


def test_a_function_stays_as_long_as_a_table_has_it() -> None:
    e = instantiate()
    e.n[0] = Func(lambda x: x + 40, UNARY)
    gc.collect()
    assert e.call(e.n[0], 2) == 42


def test_functions_of_closed_instances_are_refused() -> None:
    one, other = Engine().compile(assemble(CALLS)), instantiate()
    instance = one.instantiate({"m": {"make": lambda: None}})
    double = instance.exports.double
    instance.close()
    with pytest.raises(wasmetal.WasmError):
        other.call(double, 4)


def test_types_of_python() -> None:
    import inspect

    e = instantiate()
    assert inspect.signature(e.call).parameters["arg0"].annotation is Func
    assert inspect.signature(e.call_null).parameters["arg0"].annotation == Func | None
    assert e.g.type.value_type == ValueType.reference(e.g.type.value_type.defined_type, nullable=False)


def test_a_callable_is_of_the_type_that_it_is_imported_with() -> None:
    """Also where that is not the plain type of its parameters and results: call_indirect compares types."""
    source = assemble(
        """(module
             (rec (type $f (func (param i32) (result i32))) (type (func)))
             (import "m" "f" (func $i (type $f)))
             (export "f" (func $i))
             (table funcref (elem $i))
             (func (export "by_reference") (result i32) (call_ref $f (i32.const 4) (ref.func $i)))
             (func (export "by_table") (result i32) (call_indirect (type $f) (i32.const 4) (i32.const 0))))"""
    )
    e = Engine().compile(source).instantiate({"m": {"f": triple}}).exports
    assert (e.by_reference(), e.by_table()) == (12, 12)
    # What it has become is of that type and of no other.
    assert Engine().compile(source).instantiate({"m": {"f": e.f}}).exports.by_table() == 12
    with pytest.raises(LinkError, match="incompatible import type"):
        plain = assemble('(module (import "m" "f" (func (param i32) (result i32))))')
        Engine().compile(plain).instantiate({"m": {"f": e.f}})


def test_what_exceptions_carry() -> None:
    source = assemble(
        """(module
             (type $f (func (result i32)))
             (import "m" "h" (func $h))
             (tag $t (export "t") (param (ref $f)))
             (func $seven (export "seven") (type $f) (i32.const 7))
             (func (export "catch") (result i32)
               (block $b (result (ref $f)) (try_table (catch $t $b) (call $h)) (return (i32.const 0)))
               (call_ref $f)))"""
    )

    def throw() -> None:
        raise wasmetal.WasmException(e.t, carried)

    e = Engine().compile(source).instantiate({"m": {"h": throw}}).exports
    carried: list[object] = [e.seven]
    assert e["catch"]() == 7
    carried[0] = Func(lambda: 5, FuncType([], ["i32"]))
    assert e["catch"]() == 5
    for wrong in (None, Func(triple, UNARY), 3):
        carried[0] = wrong
        with pytest.raises(TypeError):
            e["catch"]()
