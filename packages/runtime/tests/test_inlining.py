"""Small functions whose bodies stand in the place of calls: results, traps and their frames are those of calls.

Every test of behaviour runs a module twice: as it is, and with bodies that are validated when they are called, in which
nothing is inlined.
"""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("wasm_text", reason="the modules are text")

from wasm_core.errors import Frame
from wasm_text import assemble
from wasmetal import CompileError, Config, DeadlineExceeded, Engine, Instance, Module, Trap, TrapCode, deadline

SMALL = """
  (memory 1) (data (i32.const 4) "\\07") (global $g (mut i32) (i32.const 5))
  (func $get (param i32) (result i32) (i32.load (local.get 0)))
  (func $put (param i32 i32) (i32.store (local.get 0) (local.get 1)))
  (func $max (param i32 i32) (result i32) (local i32)
    (if (i32.gt_s (local.get 0) (local.get 1)) (then (local.set 2 (local.get 0))) (else (local.set 2 (local.get 1))))
    (local.get 2))
  (func $abs (param i32) (result i32)
    (if (i32.lt_s (local.get 0) (i32.const 0)) (then (return (i32.sub (i32.const 0) (local.get 0)))))
    (local.get 0))
  (func $fresh (result i32) (local i32) (local.set 0 (i32.add (local.get 0) (i32.const 1))) (local.get 0))
  (func $pair (param i32) (result i32 i32) (local.get 0) (i32.mul (local.get 0) (i32.const 3)))
  (func $checked (param i32) (result i32)
    (block (br_if 0 (i32.lt_u (local.get 0) (i32.const 10))) (unreachable))
    (i32.div_s (i32.const 100) (local.get 0)))
  (func $never (result i32) (unreachable))
  (func $count (result i32) (global.set $g (i32.add (global.get $g) (i32.const 1))) (global.get $g))"""
PROGRAM = f"""(module {SMALL}
  (func (export "loop") (param i32 i32) (result i32) (local i32)
    (loop $l
      (local.set 2 (i32.add (local.get 2)
        (call $max (call $abs (local.get 0)) (call $max (call $get (i32.const 4)) (local.get 1)))))
      (local.set 2 (i32.add (local.get 2) (i32.add (call $fresh) (call $count))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 2))
  (func (export "pair") (param i32) (result i32) (i32.sub (call $pair (local.get 0))))
  (func (export "branches") (param i32) (result i32)
    (if (result i32) (call $abs (local.get 0))
      (then (call $max (call $checked (local.get 0)) (i32.const 15)))
      (else (i32.add (call $never) (i32.const 1)))))
  (func $middle (param i32) (result i32)
    (call $put (i32.const 8) (local.get 0)) (call $checked (call $get (i32.const 8))))
  (func (export "deep") (param i32) (result i32) (i32.add (call $middle (local.get 0)) (i32.const 1)))
  (func (export "far") (param i32) (result i32) (call $get (local.get 0)))
  (func (export "g") (result i32) (global.get $g)))"""


def instances(text: str) -> tuple[Instance, Instance]:
    """With small functions inlined, and without."""
    source = assemble(text)
    configs = Config(cache=False), Config(cache=False, validation="lazy")
    made = [Module(source, engine=Engine(config)).instantiate() for config in configs]
    return made[0], made[1]


def outcome(instance: Instance, name: str, *arguments: int) -> object:
    """What a call gives, or the trap with frames and access."""
    try:
        return instance.exports[name](*arguments)
    except Trap as trap:
        return trap.code, trap.frames, trap.access


def names(frames: tuple[Frame, ...]) -> list[str | None]:
    return [frame.function_name for frame in frames]


def test_results_and_traps_are_those_of_calls() -> None:
    plain, other = instances(PROGRAM)
    for name, arguments in (
        *[("loop", (n, x)) for n in (1, 2, 5) for x in (-3, 3, 70)],
        *[(name, (x,)) for name in ("pair", "branches", "deep") for x in (-1, 0, 1, 7, 9, 10, 1 << 31)],
        *[("far", (x,)) for x in (4, 65532, 65533, -4)],
        ("g", ()),
    ):
        assert outcome(plain, name, *arguments) == outcome(other, name, *arguments), (name, arguments)
    known = plain.module.code.layout.small_functions
    assert sum(facts is not None for facts in known.values()) == 9
    assert not other.module.code.layout.small_functions


def test_frames_name_the_function_that_was_inlined_and_its_callers() -> None:
    plain, _ = instances(PROGRAM)
    code, frames, _ = outcome(plain, "deep", 10)
    assert code is TrapCode.UNREACHABLE
    assert names(frames) == ["checked", "middle", "deep"]
    source = plain.module.code.module.source
    # unreachable, and the calls
    assert [source[frame.module_offset] for frame in frames] == [0x00, 0x10, 0x10]
    code, frames, access = outcome(plain, "far", 65533)
    assert names(frames) == ["get", "far"]
    assert access.width == 4


def test_functions_that_stay_functions() -> None:
    """They call, loop, are large, or do what not every machine can; or belong to somebody else."""
    text = """(module (import "" "f" (func $f (result i32))) (memory 1)
      (func $calls (result i32) (call $f))
      (func $loops (param i32) (result i32)
        (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))) (local.get 0))
      (func $grows (result i32) (memory.grow (i32.const 1)))
      (func $fills (memory.fill (i32.const 0) (i32.const 1) (i32.const 2)))
      (func $vector (result i32) (i32x4.extract_lane 0 (v128.const i32x4 1 2 3 4)))
      (func $many (result i32) (local i64 i64 i64 i64 i64 i64 i64 i64 i64) (i32.const 3))
      (func (export "all") (result i32) (call $fills)
        (i32.add (i32.add (call $calls) (call $loops (i32.const 3)))
          (i32.add (call $grows) (i32.add (call $vector) (call $many))))))"""
    module = Module(assemble(text), engine=Engine(Config(cache=False)))
    assert module.instantiate({"": {"f": lambda: 10}}).exports["all"]() == 15
    assert not any(module.code.layout.small_functions.values())


def test_what_is_not_valid_is_said_when_it_is_called() -> None:
    """With bodies that are validated when they are called; and the caller runs."""
    source = assemble(
        '(module (func $f (result i32) (i32.const 1)) (func (export "g") (param i32) (result i32)'
        " (if (result i32) (local.get 0) (then (call $f)) (else (i32.const 3)))))"
    )
    at = source.index(b"\x41\x01\x0b")
    broken = source[:at] + b"\x42" + source[at + 1 :]
    with pytest.raises(CompileError):
        Module(broken, engine=Engine(Config(cache=False)))
    instance = Module(broken, engine=Engine(Config(cache=False, validation="lazy"))).instantiate()
    assert instance.exports["g"](0) == 3
    with pytest.raises(CompileError):
        instance.exports["g"](1)


def test_room_is_bounded() -> None:
    """A function of two bytes for each call does not become twenty times as large."""
    body = "(drop (i32.add (i32.load (i32.const 0)) (i32.load (i32.const 4))))" * 3
    text = f'(module (memory 1) (func $f {body}) (func (export "g") {"(call $f)" * 2000}))'
    module = Module(assemble(text), engine=Engine(Config(cache=False)))
    module.instantiate().exports["g"]()
    size = len(module.code._placed[1][1].code)
    assert size < 2000 * 12 + 6000 * 12


def test_work_is_counted_as_if_it_were_called() -> None:
    def left(validation: str) -> int | None:
        engine = Engine(Config(cache=False, fuel=True, validation=validation))
        instance = Module(assemble(PROGRAM), engine=engine).instantiate()
        instance.fuel = 10_000
        instance.exports["loop"](5, 7)
        return instance.fuel

    assert left("eager") == left("lazy")


def test_loops_that_call_nothing_any_more_can_be_interrupted() -> None:
    text = f'(module {SMALL} (func (export "for ever") (loop (call $put (i32.const 0) (call $count)) (br 0))))'
    plain, _ = instances(text)
    with pytest.raises(DeadlineExceeded), deadline(0.05):
        plain.exports["for ever"]()


def test_in_a_try_and_with_explicit_bounds() -> None:
    text = """(module (memory 1) (tag $e)
      (func $get (param i32) (result i32) (i32.load (local.get 0)))
      (func (export "f") (param i32) (result i32)
        (block $h (try_table (catch $e $h) (return (call $get (local.get 0))))) (i32.const 9)))"""
    for instance in instances(text):
        assert instance.exports["f"](0) == 0
        with pytest.raises(Trap) as caught:
            instance.exports["f"](65533)
        assert names(caught.value.frames) == ["get", "f"]
    source = assemble(PROGRAM)
    explicit = Module(source, engine=Engine(Config(cache=False))).code.with_explicit_bounds()
    explicit.compile_all()
    assert any(explicit.layout.small_functions.values())


def test_frames_out_of_the_cache_and_of_compiled_modules(tmp_path: Path) -> None:
    source = assemble(PROGRAM)
    expected = outcome(instances(PROGRAM)[1], "deep", 10)
    for _ in range(2):
        module = Engine(Config(cache=tmp_path)).compile(source)
        assert outcome(module.instantiate(), "deep", 10) == expected
        assert module.code.save()
    assert not module.code.layout.small_functions
    loaded = Module.deserialize(module.serialize(), engine=Engine(Config(cache=False))).instantiate()
    assert outcome(loaded, "deep", 10) == expected
