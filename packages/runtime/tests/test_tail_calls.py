"""Tail calls: what the stack, other instances, host functions, traps, listeners and deadlines make of them."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

import wasmetal
from wasmetal import Config, Engine, Trap, TrapCode

assemble = pytest.importorskip("wasm_text").assemble
if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)
if not getattr(wasmetal.default_engine().backend, "tail_calls", False):
    pytest.skip("the backend has no tail calls", allow_module_level=True)

MILLION = 1_000_000
#: Room for a few thousand frames.
SMALL = Engine(Config(max_stack_bytes=1 << 18))

_WIDE = " ".join(["i64"] * 20)
_VECTORS = " ".join(["v128"] * 12)
_STEP = "(i64.sub (local.get 0) (i64.const 1))"
RING = f"""
(module
  (type $one (func (param i64) (result i64)))
  (type $wide (func (param {_WIDE}) (result i64)))
  (type $vectors (func (param i64 {_VECTORS}) (result i64)))
  (table $t (export "t") 3 funcref)
  (elem (i32.const 0) $a $b $c)
  (elem declare func $a)
  (func $a (export "a") (type $one)
    (if (result i64) (i64.eqz (local.get 0)) (then (i64.const 0))
      (else (return_call_indirect $t (type $wide) {_STEP} {"(i64.const 7)" * 19} (i32.const 1)))))
  (func $b (export "b") (type $wide)
    (if (result i64) (i64.eqz (local.get 0)) (then (i64.add (i64.const 100) (local.get 19)))
      (else (return_call $c {_STEP} {"(i64x2.splat (local.get 19))" * 12}))))
  (func $c (export "c") (type $vectors)
    (if (result i64) (i64.eqz (local.get 0)) (then (i64.add (i64.const 200) (i64x2.extract_lane 1 (local.get 12))))
      (else (return_call_ref $one {_STEP} (ref.func $a)))))
  (func (export "between") (param i64) (result i64 i64)
    (call $a (local.get 0))
    (local.get 0)))
"""


@pytest.fixture(scope="module")
def ring() -> Any:
    return SMALL.compile(assemble(RING)).instantiate().exports


@pytest.mark.parametrize("name", ["a", "between"])
def test_a_million_hops(ring: Any, name: str) -> None:
    """Between functions whose arguments take no, 16 and 24 words of the stack."""
    for more, expected in enumerate((107, 207, 0)):
        # (the first number above a million that is divisible by 3 is two larger)
        result = ring[name](MILLION + more)
        assert result == (expected if name == "a" else (expected, MILLION + more))


def test_many_results() -> None:
    """Results that are on the stack are where the caller looks for them, whoever gives them."""
    results = " ".join(["i64"] * 12)
    numbers = "".join(f"(i64.add (local.get 1) (i64.const {n}))" for n in range(12))
    exports = wasmetal.instantiate(f"""
    (module
      (func $narrow (export "narrow") (param i64 i64) (result {results})
        (if (result {results}) (i64.eqz (local.get 0)) (then {numbers})
          (else (return_call $wide {_STEP} (local.get 1) {"(i64.const 5)" * 18}))))
      (func $wide (param {_WIDE}) (result {results})
        (return_call $narrow (local.get 0) (local.get 1)))
      (func (export "kept") (param i64) (result i64 {results} i64)
        (local.get 0) (call $narrow (i64.const 1001) (i64.const 30)) (local.get 0)))
    """).exports
    assert exports.narrow(MILLION, 7) == tuple(range(7, 19))
    assert exports.kept(3) == (3, *range(30, 42), 3)


def two_instances(engine: Engine = SMALL, **hosts: Any) -> tuple[Any, Any]:
    """Two instances with memories of their own, whose functions call each other's through a table."""
    source = assemble(f"""
    (module
      (type $hop (func (param i64 i32) (result i64)))
      (type $wide (func (param {_WIDE}) (result i64)))
      (import "host" "end" (func $end (param i64) (result i64)))
      (import "m" "t" (table $t 10 funcref))
      (global $own (export "own") (mut i32) (i32.const 0))
      (memory (export "memory") 1)
      (func $hop (export "hop") (type $hop)
        (if (i64.eqz (local.get 0)) (then (return_call $end (i64.load (i32.const 8)))))
        (return_call_indirect $t (type $hop) {_STEP} (i32.xor (local.get 1) (i32.const 1))
          (i32.xor (local.get 1) (i32.const 1))))
      (func $direct (export "direct") (param i64) (result i64) (return_call $hop (local.get 0) (global.get $own)))
      ;; The callee may be of the other instance; afterwards memory and globals are this one's.
      (func (export "around") (param i64) (result i64 i64 i32)
        (call $direct (local.get 0)) (i64.load (i32.const 8)) (global.get $own))
      (func $trap (export "trap") (type $wide) (i64.div_s (local.get 0) (i64.const 0)))
      (func $leave (export "leave") (param i32) (result i64)
        (return_call_indirect $t (type $wide) {"(i64.const 1)" * 20} (local.get 0)))
      (func (export "outer") (param i32) (result i64) (i64.add (call $leave (local.get 0)) (i64.const 1)))
      (elem declare func $hop))
    """)
    table = wasmetal.Table(wasmetal.TableType("funcref", minimum=10))
    module = engine.compile(source)
    found = []
    for number in range(2):
        instance = module.instantiate({"host": {"end": lambda n: n + 1} | hosts, "m": {"t": table}})
        instance.exports.own.value = number
        instance.exports.memory.write(8, (1000 + number).to_bytes(8, "little"))
        table[number] = instance.exports.hop
        table[2 + number] = instance.exports.trap
        found.append(instance)
    return found[0], found[1]


def test_across_instances() -> None:
    """The callee has its own memory; the caller has its own again. In the end an imported host function is called."""
    first, second = two_instances()
    for hops in (0, 1, 2, MILLION, MILLION + 1):
        assert first.exports.around(hops) == (1001 + hops % 2, 1000, 0)
        assert second.exports.around(hops) == (1001 + (hops + 1) % 2, 1001, 1)


def test_the_host_function_is_told_who_calls() -> None:
    seen = []

    def end(caller: wasmetal.Caller, n: int) -> int:
        seen.append(int.from_bytes(caller.memory.read(8, 8), "little"))
        return n

    first, _ = two_instances(end=end)
    first.exports.around(0)
    first.exports.around(1)
    assert seen == [1000, 1001]


def test_exceptions_of_host_functions() -> None:
    """They come out as themselves, and the instances can be used afterwards."""

    def end(n: int) -> int:
        raise KeyError(n)

    first, _ = two_instances(end=end)
    for _ in range(2):
        with pytest.raises(KeyError, match="1001"):
            first.exports.around(1)


@pytest.mark.parametrize("index", [2, 3])
def test_traps(index: int) -> None:
    """The backtrace has the callee and those that wait for it, not who was left."""
    first, _ = two_instances()
    with pytest.raises(Trap, match="integer divide by zero") as caught:
        first.exports.outer(index)
    assert [frame.function_name for frame in caught.value.frames] == ["trap", "outer"]
    assert first.exports.around(1) == (1002, 1000, 0)


def test_null_and_wrong_callees() -> None:
    first, _ = two_instances()
    for index, code in ((5, TrapCode.UNINITIALIZED_ELEMENT), (0, TrapCode.INDIRECT_CALL_TYPE_MISMATCH)):
        with pytest.raises(Trap) as caught:
            first.exports.outer(index)
        assert caught.value.code is code
        # The call is still in the function that made it.
        assert [frame.function_name for frame in caught.value.frames] == ["leave", "outer"]


ENDLESS = """
(module
  (type $one (func (param i32)))
  (table $t 2 funcref)
  (elem (i32.const 0) $through $through)
  (func $self (export "self") (return_call $self))
  (func $even (export "even") (return_call $odd))
  (func $odd (return_call $even))
  (func $through (export "through") (type $one) (return_call_indirect $t (type $one) (i32.const 1) (local.get 0)))
  (func (export "seven") (result i32) (i32.const 7)))
"""


@pytest.mark.parametrize("name", ["self", "even", "through"])
def test_endless_loops_end(name: str) -> None:
    exports = wasmetal.instantiate(ENDLESS).exports
    arguments = (1,) if name == "through" else ()
    exports.seven()
    with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
        exports[name](*arguments)
    assert exports.seven() == 7


def test_another_thread_ends_it() -> None:
    instance = wasmetal.instantiate(ENDLESS)
    done = threading.Event()

    def interrupt() -> None:
        while not done.is_set():
            time.sleep(0.02)
            instance.interrupt()

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(Trap) as caught:
            instance.exports.even()
    finally:
        done.set()
        thread.join()
    assert caught.value.code is TrapCode.INTERRUPTED
    assert caught.value.frames


def test_the_stack_is_still_checked() -> None:
    """Calls that are not tail calls, in functions that are reached by tail calls."""
    exports = SMALL.compile(
        assemble(f"""
        (module
          (func $deep (export "deep") (param i64) (result i64) (return_call $wide {"(local.get 0)" * 20}))
          (func $wide (param {_WIDE}) (result i64) (i64.add (call $deep (local.get 3)) (local.get 4))))
        """)
    )
    with pytest.raises(Trap) as caught:
        exports.instantiate().exports.deep(1)
    assert caught.value.code is TrapCode.CALL_STACK_EXHAUSTED


@pytest.mark.skipif(not getattr(wasmetal.default_engine().backend, "exceptions", False), reason="no exceptions")
def test_handlers_are_left() -> None:
    """A tail call leaves the `try` that it stands in; the caller's sees what the callee throws."""
    exports = wasmetal.instantiate("""
    (module
      (type $thrower (func (param i32) (result i32)))
      (tag $e (param i32))
      (table $t 1 funcref)
      (elem (i32.const 0) $throw)
      (func $id (param i32) (result i32) (local.get 0))
      (func $throw (export "throw") (param i32) (result i32) (throw $e (local.get 0)))
      (func $in_try (export "in_try") (param i32) (result i32)
        (block $h (result i32)
          (try_table (result i32) (catch $e $h) (call $id (local.get 0)) (return_call $throw))
          (return))
        (i32.const 1000) (i32.add))
      (func $indirect (param i32) (result i32)
        (block $h (result i32)
          (try_table (result i32) (catch $e $h)
            (call $id (local.get 0)) (return_call_indirect $t (type $thrower) (i32.const 0)))
          (return))
        (i32.const 1000) (i32.add))
      (func (export "outer") (param i32) (result i32) (local $kept i32)
        (local.set $kept (i32.mul (local.get 0) (i32.const 3)))
        (block $h (result i32)
          (try_table (result i32) (catch $e $h) (call $in_try (local.get 0)))
          (return))
        (i32.add (local.get $kept)))
      (func (export "outer_indirect") (param i32) (result i32)
        (block $h (result i32) (try_table (catch $e $h) (drop (call $indirect (local.get 0)))) (return (i32.const 5)))))
    """).exports
    assert exports.outer(7) == 28
    assert exports.outer_indirect(7) == 7
    with pytest.raises(wasmetal.WasmException) as caught:
        exports.in_try(8)
    assert caught.value.values == (8,)


class Recorder:
    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []

    def before(self, definition: wasmetal.FunctionDefinition, params: tuple[object, ...]) -> None:
        self.events.append(("before", definition.name, params))

    def after(self, definition: wasmetal.FunctionDefinition, results: tuple[object, ...]) -> None:
        self.events.append(("after", definition.name, results))


def test_listeners() -> None:
    """Every call is seen, and the return of the one that returns: the others have been left."""
    recorder = Recorder()
    source = assemble("""
    (module
      (func $f (export "f") (param i32) (result i32)
        (if (i32.eqz (local.get 0)) (then (return (i32.const 5))))
        (return_call $f (i32.sub (local.get 0) (i32.const 1))))
      (func $g (export "g") (param i32) (result i32) (return_call $f (local.get 0))))
    """)
    exports = SMALL.compile(source, listener=recorder).instantiate().exports
    assert exports.g(2) == 5
    assert recorder.events == [
        ("before", "g", (2,)),
        *[("before", "f", (n,)) for n in (2, 1, 0)],
        ("after", "f", (5,)),
    ]
    recorder.events.clear()
    assert exports.f(20_000) == 5
    assert len(recorder.events) == 20_002


@pytest.mark.parametrize("kind", ["slot", "reference"])
def test_a_callee_that_cannot_be_compiled(kind: str) -> None:
    """With lazy validation the error comes at the call, and the instance can be used afterwards."""
    engine = Engine(Config(validation="lazy"))
    call = {"slot": "return_call $bad", "reference": "return_call_indirect $t (type $none)"}[kind]
    argument = {"slot": "", "reference": "(i32.const 0)"}[kind]
    source = assemble(f"""
    (module
      (type $none (func (result i32)))
      (table $t 1 funcref)
      (elem (i32.const 0) $bad)
      (func $bad (type $none) (i64.const 77777))
      (func $leave (export "leave") (type $none) ({call} {argument}))
      (func (export "outer") (result i32) (i32.add (call $leave) (i32.const 1))))
    """)
    exports = engine.compile(source).instantiate().exports
    for name in ("outer", "leave", "outer"):
        with pytest.raises(wasmetal.InvalidError):
            exports[name]()
