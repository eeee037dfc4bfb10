"""Indirect calls whose type may have subtypes: functions of these are called, all others are not."""

from __future__ import annotations

import gc
from typing import Any

import pytest

import wasmetal
from wasmetal import Func, Trap, TrapCode

assemble = pytest.importorskip("wasm_text").assemble
if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)

TAIL_CALLS = bool(getattr(wasmetal.default_engine().backend, "tail_calls", False))

#: $root, $left and $right below it, $leaf (final) below $left, and types that look the same but are others.
TYPES = """
  (type $root (sub (func (param i32) (result (ref null func)))))
  (type $left (sub $root (func (param i32) (result (ref func)))))
  (type $right (sub $root (func (param i32) (result (ref null func)))))
  (type $leaf (sub final $left (func (param i32) (result (ref func)))))
  (rec (type $other (sub (func (param i32) (result (ref null func))))) (type (func)))
  (type $plain (func (param i32) (result (ref null func))))
"""
NAMES = ("root", "left", "right", "leaf", "other", "plain")
#: By type of the call: functions of which types it takes.
TAKES = {
    "root": {"root", "left", "right", "leaf"},
    "left": {"left", "leaf"},
    "right": {"right"},
    "leaf": {"leaf"},
    "other": {"other"},
    "plain": {"plain"},
}


def functions() -> str:
    return "\n".join(
        f"""
        (func ${name} (export "{name}") (type ${name}) (ref.func ${name}))
        (func (export "call_{name}") (param i32) (result i32)
          (ref.is_null (call_indirect $t (type ${name}) (i32.const 1) (local.get 0))))
        (func ${name}_tail (param i32) (result (ref null func))
          (return_call_indirect $t (type ${name}) (i32.const 1) (local.get 0)))
        (func (export "tail_{name}") (param i32) (result i32) (ref.is_null (call ${name}_tail (local.get 0))))
        """
        if TAIL_CALLS
        else f"""
        (func ${name} (export "{name}") (type ${name}) (ref.func ${name}))
        (func (export "call_{name}") (param i32) (result i32)
          (ref.is_null (call_indirect $t (type ${name}) (i32.const 1) (local.get 0))))
        """
        for name in NAMES
    )


CALLER = f"""
(module {TYPES}
  (import "m" "t" (table $t 20 funcref))
  (elem (i32.const 0) {" ".join(f"${name}" for name in NAMES)})
  {functions()})
"""
KINDS = ("call", "tail") if TAIL_CALLS else ("call",)


def check(exports: Any, first: int) -> None:
    """Call elements first, first + 1, ... of the table, which have functions of the types of NAMES in this order."""
    for kind in KINDS:
        for wanted in NAMES:
            for number, found in enumerate(NAMES):
                call = exports[f"{kind}_{wanted}"]
                if found in TAKES[wanted]:
                    assert call(first + number) == 0
                else:
                    with pytest.raises(Trap) as caught:
                        call(first + number)
                    assert caught.value.code is TrapCode.INDIRECT_CALL_TYPE_MISMATCH, (wanted, found)


def test_functions_of_two_modules() -> None:
    """The second one has the same types, at other places of its type section."""
    table = wasmetal.Table(wasmetal.TableType("funcref", minimum=20))
    caller = wasmetal.Module(assemble(CALLER)).instantiate({"m": {"t": table}})
    other = wasmetal.Module(
        assemble(f'(module (type (func (param i64))) {TYPES} (import "m" "t" (table $t 20 funcref)) {functions()})')
    ).instantiate({"m": {"t": table}})
    for number, name in enumerate(NAMES):
        table[10 + number] = other.exports[name]
    check(caller.exports, 0)
    check(caller.exports, 10)
    check(other.exports, 0)
    # What keeps lineages alive is what keeps functions alive.
    del other
    gc.collect()
    check(caller.exports, 10)


def test_host_functions() -> None:
    """A callable among the imports is of the type that the module declares."""
    imports = "\n".join(f'(import "h" "{name}" (func $h_{name} (type ${name})))' for name in NAMES)
    source = assemble(
        f"""
        (module {TYPES} {imports}
          (table $t 20 funcref)
          (elem (i32.const 3) {" ".join(f"$h_{name}" for name in NAMES)})
          {functions()})
        """
    )
    double: Func = wasmetal.instantiate('(module (func (export "f") (param i32) (result i32) (local.get 0)))').exports.f
    hosts = {name: lambda number: double for name in NAMES}
    exports = wasmetal.Module(source).instantiate({"h": hosts}).exports
    check(exports, 3)
    del hosts
    gc.collect()
    check(exports, 3)


def test_plain_functions_of_python() -> None:
    """They are of a final type without supertypes, and never of one that may have subtypes."""
    table = wasmetal.Table(wasmetal.TableType("funcref", minimum=20))
    caller = wasmetal.Module(assemble(CALLER)).instantiate({"m": {"t": table}})
    table[10] = Func(lambda number: None, wasmetal.FuncType(["i32"], ["funcref"]))
    assert caller.exports.call_plain(10) == 1
    for name in NAMES[:-1]:
        with pytest.raises(Trap, match="indirect call type mismatch"):
            caller.exports[f"call_{name}"](10)


def test_sixty_four_levels() -> None:
    """As many as there may be: each is called as each one above it, and not as what is below."""
    types = ["(type $t0 (sub (func (result i32))))"]
    types += [f"(type $t{n} (sub $t{n - 1} (func (result i32))))" for n in range(1, 64)]
    chosen = (0, 1, 31, 62, 63)
    bodies = [f"(func $f{n} (type $t{n}) (i32.const {n}))" for n in chosen]
    bodies += [
        f'(func (export "as{n}") (param i32) (result i32) (call_indirect (type $t{n}) (local.get 0)))' for n in chosen
    ]
    elements = " ".join(f"$f{n}" for n in chosen)
    exports = (
        wasmetal.Module(assemble(f"(module {' '.join(types)} (table funcref (elem {elements})) {' '.join(bodies)})"))
        .instantiate()
        .exports
    )
    for wanted in chosen:
        for number, found in enumerate(chosen):
            if found >= wanted:
                assert exports[f"as{wanted}"](number) == found
            else:
                with pytest.raises(Trap, match="indirect call type mismatch"):
                    exports[f"as{wanted}"](number)
