"""Calls through tables that nothing changes once they are filled: what code leaves out must not be noticed.

Every test of behaviour runs a module as it is and with its table exported, which code can know nothing about.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest.importorskip("wasm_text", reason="the modules are text")

from wasm_core.features import Features
from wasm_text import assemble
from wasmetal import Config, Engine, Instance, Module, Trap, TrapCode, WasmException, instantiate

CALLERS = """
  (func (export "call") (param i32 i32) (result i32)
    (i32.add (call_indirect (type $one) (local.get 1) (local.get 0)) (i32.load (i32.const 0))))
  (func (export "none") (param i32) (result i32) (call_indirect (type $none) (local.get 0)))"""
TYPES = """(type $one (func (param i32) (result i32))) (type $again (func (param i32) (result i32)))
  (type $none (func (result i32)))
  (memory 1) (data (i32.const 0) "\\64\\00\\00\\00")"""
MIXED = f"""(module {TYPES}
  (table $t 6 funcref)
  (elem (i32.const 1) $double $seven) (elem (i32.const 4) $load)
  {CALLERS}
  (func $double (type $one) (i32.mul (local.get 0) (i32.const 2)))
  (func $seven (type $none) (i32.const 7))
  (func $load (type $again) (i32.load (local.get 0))))"""


def known(module: Module, table: int = 0) -> bool:
    """Whether code of the module that has been compiled knows a table."""
    return module.code.layout.known_tables[table] is not None


def exported(text: str) -> str:
    """The module with its table exported."""
    found, count = re.subn(r"\(table \$t ", '(table $t (export "table") ', text)
    assert count == 1
    return found


def both(text: str, imports: object = None, features: Features | None = None) -> list[Instance]:
    """Instances of the module as it is, and with its table exported."""
    engine = Engine(Config(cache=False) if features is None else Config(cache=False, features=features))
    made = [assemble(each) for each in (text, exported(text))]
    return [Module(each, engine=engine).instantiate(imports) for each in made]


def outcome(instance: Instance, name: str, *arguments: int) -> object:
    """What a call gives, or the trap and its frames."""
    try:
        return instance.exports[name](*arguments)
    except Trap as trap:
        return trap.code, [(frame.function_index, frame.function_name) for frame in trap.frames]


def test_bounds_null_and_type_trap_as_ever() -> None:
    """In the caller, and with the same codes; twice, because the first call of a function compiles it."""
    plain, other = both(MIXED)
    codes = set()
    for _ in range(2):
        for name, more in (("call", (8,)), ("none", ())):
            for index in (0, 1, 2, 3, 4, 5, 6, 7, -1, 1 << 30):
                found = outcome(plain, name, index, *more)
                assert found == outcome(other, name, index, *more), (name, index)
                codes.add(found[0] if isinstance(found, tuple) else found)
    kinds = (TrapCode.UNDEFINED_ELEMENT, TrapCode.UNINITIALIZED_ELEMENT, TrapCode.INDIRECT_CALL_TYPE_MISMATCH)
    assert codes == {116, 7, 100, *kinds}
    assert known(plain.module)
    assert not known(other.module)


def test_traps_of_callees_have_the_callers_frame() -> None:
    plain, other = both(MIXED)
    found = outcome(plain, "call", 4, -1)
    assert found == outcome(other, "call", 4, -1)
    assert found == (TrapCode.MEMORY_OUT_OF_BOUNDS, [(4, "load"), (0, "call")])


@pytest.mark.parametrize(
    ("write", "result"),
    [
        ("(table.set $t (i32.const 3) (ref.func $double))", 110),
        ("(table.fill $t (i32.const 3) (ref.func $double) (i32.const 1))", 110),
        ("(table.copy $t $t (i32.const 3) (i32.const 1) (i32.const 1))", 110),
        ("(table.copy $t $other (i32.const 3) (i32.const 0) (i32.const 1))", 110),
        ("(table.init $t $e (i32.const 3) (i32.const 0) (i32.const 1))", 110),
        ("(drop (table.grow $t (ref.func $double) (i32.const 9)))", TrapCode.UNINITIALIZED_ELEMENT),
    ],
)
def test_tables_that_are_written_are_not_known(write: str, result: object) -> None:
    """In a function behind the one that calls, which is compiled first."""
    more = f"""(table $other 1 funcref) (elem (table $other) (i32.const 0) func $double) (elem $e func $double)
      (func (export "write") {write}) (func (export "other") (call_indirect $other (type $none) (i32.const 0)) drop))"""
    text = MIXED.rpartition(")")[0] + more
    instance = Module(assemble(text), engine=Engine(Config(cache=False))).instantiate()
    assert outcome(instance, "call", 1, 5) == 110
    instance.exports["write"]()
    found = outcome(instance, "call", 3, 5)
    assert (found[0] if isinstance(found, tuple) else found) == result
    if "grow" in write:
        assert outcome(instance, "call", 10, 5) == 110
    assert not known(instance.module)
    with pytest.raises(Trap, match="type mismatch"):
        instance.exports["other"]()
    assert known(instance.module, 1)


def test_imported_functions_have_other_memories() -> None:
    """One type alone, and an import among the functions: what is pinned is the caller's again behind the call."""
    other = instantiate(
        assemble(
            '(module (memory 1) (data (i32.const 0) "\\07")'
            '(func (export "f") (param i32) (result i32) (i32.load (local.get 0))))'
        )
    )
    imports = '(import "" "f" (func $f (type $one))) (import "" "g" (func $g (type $one)))'
    text = f"""(module {TYPES.replace("(memory", f"{imports} (memory")}
      (table $t 4 funcref) (elem (i32.const 1) $f $g $own)
      {CALLERS}
      (func $own (type $again) (local.get 0)))"""
    plain, exporting = both(text, {"": {"f": other.exports["f"], "g": lambda x: x + 1}})
    for index in range(5):
        found = outcome(plain, "call", index, 0)
        assert found == outcome(exporting, "call", index, 0)
    assert [outcome(plain, "call", index, 0) for index in (1, 2, 3)] == [107, 101, 100]
    assert outcome(plain, "none", 3) == (TrapCode.INDIRECT_CALL_TYPE_MISMATCH, [(3, "none")])
    assert known(plain.module)


def test_imported_globals_can_be_anything() -> None:
    text = f"""(module {TYPES.replace("(memory", '(import "" "g" (global $g funcref)) (memory')}
      (table $t 2 funcref) (elem (i32.const 0) funcref (item global.get $g) (ref.func $own))
      {CALLERS}
      (func $own (type $one) (local.get 0)))"""
    source = assemble('(module (func (export "f") (result i32) (i32.const 5)))')
    other = instantiate(source).exports["f"]
    plain, exporting = both(text, {"": {"g": other}})
    for name, more in (("call", (8,)), ("none", ())):
        for index in range(3):
            assert outcome(plain, name, index, *more) == outcome(exporting, name, index, *more)
    assert outcome(plain, "none", 0) == 5


def test_tables_with_initial_values() -> None:
    text = f"""(module {TYPES} (table $t 3 funcref (ref.func $own)) (elem (i32.const 1) $seven) {CALLERS}
      (func $own (type $one) (local.get 0)) (func $seven (type $none) (i32.const 7)))"""
    plain, exporting = both(text)
    for name, more in (("call", (8,)), ("none", ())):
        for index in range(4):
            assert outcome(plain, name, index, *more) == outcome(exporting, name, index, *more)
    assert [outcome(plain, "call", 0, 8), outcome(plain, "none", 1)] == [108, 7]


def test_subtypes() -> None:
    """A table all of whose functions have a subtype of what is called; and one with a supertype among them."""
    text = """(module
      (type $a (sub (func (result i32)))) (type $b (sub final $a (func (result i32))))
      (table $t 3 funcref) (elem (i32.const 0) $x {more})
      (func $x (type $b) (i32.const 7)) (func $y (type $a) (i32.const 8))
      (func (export "a") (param i32) (result i32) (call_indirect (type $a) (local.get 0)))
      (func (export "b") (param i32) (result i32) (call_indirect (type $b) (local.get 0))))"""
    features = Features(gc=True, function_references=True)
    for more in ("", "$y"):
        plain, exporting = both(text.format(more=more), None, features)
        found = [outcome(plain, name, index) for name in "ab" for index in range(4)]
        assert found == [outcome(exporting, name, index) for name in "ab" for index in range(4)]
        assert found[0] == found[4] == 7


def test_exceptions_land_behind_such_calls() -> None:
    text = """(module (tag $e (param i32)) (type $v (func (param i32)))
      (table $t 2 funcref) (elem (i32.const 0) $throw $nothing) (memory 1) (data (i32.const 0) "\\05")
      (func $throw (type $v) (throw $e (local.get 0))) (func $nothing (type $v))
      (func (export "caught") (param i32) (result i32)
        (block $h (result i32)
          (try_table (catch $e $h) (call_indirect (type $v) (i32.const 30) (local.get 0)))
          (i32.const 1))
        (i32.add (i32.load (i32.const 0))))
      (func (export "thrown") (param i32) (call_indirect (type $v) (i32.const 30) (local.get 0))))"""
    features = Features(exceptions=True)
    for instance in both(text, None, features):
        for _ in range(2):
            assert [outcome(instance, "caught", index) for index in (0, 1)] == [35, 6]
            with pytest.raises(WasmException):
                instance.exports["thrown"](0)


def test_an_instance_that_was_not_finished() -> None:
    """Its functions may be in another's table already when a segment traps: they find their own table still empty."""
    other = instantiate(
        assemble(
            '(module (type $f (func (result i32))) (table (export "t") 2 funcref)'
            ' (func (export "call") (result i32) (call_indirect (type $f) (i32.const 0))))'
        )
    )
    text = """(module (type $f (func (result i32))) (import "" "t" (table $shared 2 funcref)) (table $t 2 funcref)
      (elem (table $shared) (i32.const 0) func $through)
      (elem (table $shared) (i32.const 2) func $through)
      (elem (table $t) (i32.const 0) func $seven)
      (func $through (type $f) (call_indirect $t (type $f) (i32.const 0)))
      (func $seven (type $f) (i32.const 7)))"""
    with pytest.raises(Trap):
        instantiate(assemble(text), {"": {"t": other.exports["t"]}})
    for _ in range(2):
        with pytest.raises(Trap, match="uninitialized element"):
            other.exports["call"]()


def test_bodies_that_are_validated_when_they_are_called() -> None:
    """Nobody knows what the others do to the table."""
    engine = Engine(Config(cache=False, validation="lazy"))
    instance = Module(assemble(MIXED), engine=engine).instantiate()
    assert outcome(instance, "call", 1, 5) == 110
    assert not known(instance.module)


def test_what_the_cache_says(tmp_path: Path) -> None:
    """Bodies are not validated again: what they do not write is in the file, for what is compiled later."""
    for name, arguments, known_now in (("none", (2,), True), ("call", (1, 5), True), ("call", (1, 5), False)):
        module = Engine(Config(cache=tmp_path)).compile(assemble(MIXED))
        instance = module.instantiate()
        assert outcome(instance, name, *arguments) in (7, 110)
        assert bool(module.code.layout.known_tables) is known_now
        assert not known_now or known(module)
        assert module.code.save()
        del instance, module


def test_compiled_modules_have_the_same_code() -> None:
    """Whether their functions were compiled one by one as they were called, or all at once for another process."""
    module = Engine(Config(cache=False)).compile(assemble(MIXED))
    outcome(module.instantiate(), "call", 1, 5)
    assert known(module)
    loaded = Module.deserialize(module.serialize(), engine=Engine(Config(cache=False))).instantiate()
    assert outcome(loaded, "call", 3, 5) == (TrapCode.UNINITIALIZED_ELEMENT, [(0, "call")])
    assert outcome(loaded, "call", 1, 5) == 110
