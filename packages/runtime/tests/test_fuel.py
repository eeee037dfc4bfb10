"""Counting work: the same sum however code is compiled, a trap that nothing catches, and the rest where users look."""

from __future__ import annotations

import asyncio
import importlib
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("wasm_text", reason="the modules are text")

from wasm_text import assemble
from wasmetal import (
    Caller,
    Config,
    Engine,
    Func,
    FuncType,
    Module,
    Trap,
    TrapCode,
    WasmError,
    WasmException,
    default_engine,
    instantiate,
)

MUCH = 10**12
MAX = 2**63 - 1
#: The package has a function of the same name.
translate: Any = importlib.import_module("wasm_ir.frontend.translate")

PROGRAM = """(module
  (memory 1 3) (data $d "abcdefgh")
  (global $g (mut i32) (i32.const 0))
  (table $t 10 20 funcref) (elem (table $t) (i32.const 0) func $square $odd) (elem $e func $square $square)
  (type $u (func (param i32) (result i32)))
  (tag $e (param i32))
  (func (export "nothing"))
  (func $square (export "square") (param i32) (result i32) (i32.mul (local.get 0) (local.get 0)))
  (func $odd (param i32) (result i32)
    (if (result i32) (i32.and (local.get 0) (i32.const 1))
      (then (i32.add (local.get 0) (i32.const 1)))
      (else (nop) (local.get 0))))
  (func (export "loop") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1)
        (call_indirect (type $u) (local.get 0) (i32.and (local.get 0) (i32.const 1)))))
      (block $b (block $c (br_table $b $c 0 (i32.rem_u (local.get 0) (i32.const 3)))) (drop (i32.const 1)))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $fib (export "fib") (param i32) (result i32)
    (if (i32.lt_s (local.get 0) (i32.const 2)) (then (return (local.get 0))))
    (i32.add (call $fib (i32.sub (local.get 0) (i32.const 1))) (call $fib (i32.sub (local.get 0) (i32.const 2)))))
  (func (export "dead") (param i32) (result i32)
    (block (result i32) (br 0 (i32.const 3)) (i32.const 9) (drop))
    (global.set $g)
    (block (br_if 0 (i32.const 1)) (local.set 0 (i32.const 8)))
    (if (i32.const 0) (then (local.set 0 (i32.const 3))) (else (local.set 0 (i32.const 5))))
    (if (i32.const 0) (then (local.set 0 (i32.const 3))))
    (if (i32.const 1) (then (local.set 0 (i32.add (local.get 0) (i32.const 2)))))
    (block $a (br_on_null $a (ref.null func)) (drop) (local.set 0 (i32.const 1)))
    (i32.store (i32.const 0) (local.get 0))
    (select (global.get $g) (i32.load (i32.const 0)) (local.get 0)))
  (func $thrower (param i32) (result i32)
    (if (i32.and (local.get 0) (i32.const 1)) (then (throw $e (local.get 0))))
    (local.get 0))
  (func (export "throws") (param i32) (result i32) (local i32)
    (loop $l
      (local.set 1 (i32.add (local.get 1)
        (block $h (result i32) (try_table (result i32) (catch $e $h) (call $thrower (local.get 0))))))
      (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
    (local.get 1))
  (func $sum (param i32 i32) (result i32)
    (if (result i32) (local.get 0)
      (then (return_call $sum (i32.sub (local.get 0) (i32.const 1)) (i32.add (local.get 0) (local.get 1))))
      (else (local.get 1))))
  (func (export "tail") (param i32) (result i32) (return_call $sum (local.get 0) (i32.const 0)))
  (func (export "bulk") (param i32) (result i32)
    (memory.fill (i32.const 8) (i32.const 1) (local.get 0))
    (memory.copy (i32.const 0) (i32.const 9) (local.get 0))
    (memory.init $d (i32.const 0) (i32.const 0) (i32.const 8))
    (table.fill (i32.const 3) (ref.null func) (i32.const 2))
    (table.copy (i32.const 3) (i32.const 4) (i32.const 5))
    (table.init $e (i32.const 3) (i32.const 0) (i32.const 2))
    (i32.add (memory.grow (i32.const 1)) (table.grow (ref.null func) (i32.const 5)))))"""
CALLS = [
    ("nothing", ()),
    ("square", (3,)),
    *(("loop", (count,)) for count in (1, 2, 50)),
    ("fib", (12,)),
    *(("dead", (number,)) for number in (0, 1)),
    *(("throws", (count,)) for count in (1, 2, 9)),
    ("tail", (100,)),
    ("bulk", (100,)),
]


def used(instance: Any, name: str, args: tuple[object, ...]) -> int:
    instance.fuel = MUCH
    instance.exports[name](*args)
    return int(MUCH - instance.fuel)


def sums(engine: Engine) -> list[int]:
    return [used(Module(PROGRAM, engine=engine).instantiate(), *call) for call in CALLS]


@pytest.fixture(scope="module")
def engine() -> Engine:
    return Engine(Config(fuel=True))


@pytest.fixture(scope="module")
def expected(engine: Engine) -> list[int]:
    return sums(engine)


def test_costs(engine: Engine, expected: list[int]) -> None:
    # Entering and three instructions; nothing but entering.
    assert dict(zip(CALLS, expected))["square", (3,)] == 4
    assert dict(zip(CALLS, expected))["nothing", ()] == 1


def test_the_same_as_in_wasmtime(expected: list[int]) -> None:
    wasmtime = pytest.importorskip("wasmtime")
    config = wasmtime.Config()
    config.consume_fuel = True
    config.wasm_exceptions = True
    config.wasm_tail_call = True
    engine = wasmtime.Engine(config)
    module = wasmtime.Module(engine, assemble(PROGRAM))
    for (name, args), ours in zip(CALLS, expected):
        store = wasmtime.Store(engine)
        store.set_fuel(MUCH)
        instance = wasmtime.Instance(store, module, [])
        store.set_fuel(MUCH)
        instance.exports(store)[name](store, *args)
        assert (name, MUCH - store.get_fuel()) == (name, ours)


@pytest.mark.parametrize(
    "settings",
    [{"bounds_checks": "explicit"}, {"compile": "eager"}, {"hold_gil": True}, {"validation": "lazy"}],
    ids=str,
)
def test_settings_do_not_matter(expected: list[int], settings: dict[str, Any]) -> None:
    assert sums(Engine(Config(fuel=True, **settings))) == expected


def test_locals_in_memory_do_not_matter(expected: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    # As in functions that have far too many.
    monkeypatch.setattr(translate, "_VALUES_BASE", -(10**9))
    assert sums(Engine(Config(fuel=True))) == expected


def test_other_backends_get_the_same_code() -> None:
    # The front end alone counts: what a backend is given has all of it.
    from wasm_core.body_validator import validate_body
    from wasm_core.decoder import decode
    from wasm_ir.frontend import FrontendOptions
    from wasm_ir.printer import format_function
    from wasm_ir.verifier import verify
    from wasm_ir.vmcontext import ContextLayout
    from wasmetal.registry.backends import backends as installed
    from wasmetal.registry.backends import select

    backends = [select(each.name, to_run=False)() for each in installed()]
    module = decode(assemble(PROGRAM))
    for index in range(len(module.function_types)):
        facts = validate_body(module, index)
        texts = []
        for fuel in (False, True):
            made = translate.translate(module, index, ContextLayout(module), facts, FrontendOptions(fuel=fuel))
            verify(made)
            texts.append(format_function(made))
            for backend in backends:
                assert backend.compile(made).code
                made = translate.translate(module, index, ContextLayout(module), facts, FrontendOptions(fuel=fuel))
        assert "out_of_fuel" not in texts[0] and f"[vmctx+{ContextLayout(module).fuel}]" not in texts[0]
        assert "out_of_fuel" in texts[1]


LOOPS = """(module
  (tag $t)
  (func $forever (export "loop") (loop (br 0)))
  (func $deep (export "recursion") (call $deep))
  (func (export "caught") (block $h (try_table (catch_all $h) (call $forever))))
  (func (export "caught by the older encoding") try (call $forever) catch_all end)
  (func (export "fill") (loop (memory.fill (i32.const 0) (i32.const 0) (i32.const 65536)) (br 0)))
  (func (export "copy once") (memory.copy (i32.const 0) (i32.const 0) (i32.const 65536)))
  (func $tail (export "tail recursion") (return_call $tail))
  (table $f funcref (elem $tail_indirect))
  (func $tail_indirect (export "indirect tail recursion") (return_call_indirect (i32.const 0)))
  (func (export "divide") (param i32)
    (loop
      (drop (i32.div_u (i32.const 1) (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (br 0)))
  (memory 1))"""


@pytest.mark.parametrize(
    "name",
    [
        "tail recursion",
        "indirect tail recursion",
        "loop",
        "recursion",
        "caught",
        "caught by the older encoding",
        "fill",
        "copy once",
    ],
)
def test_running_out(engine: Engine, name: str) -> None:
    instance = Module(LOOPS, engine=engine).instantiate()
    for _ in range(2):
        instance.fuel = 10_000
        with pytest.raises(Trap, match="all fuel consumed") as caught:
            instance.exports[name]()
        assert caught.value.code is TrapCode.OUT_OF_FUEL
        assert caught.value.frames
        assert instance.fuel == 0
        # And so it stays until there is some again.
        with pytest.raises(Trap, match="all fuel consumed"):
            instance.exports[name]()


def test_where_it_ends(engine: Engine) -> None:
    instance = Module(PROGRAM, engine=engine).instantiate()
    need = used(instance, "fib", (12,))
    instance.fuel = need
    assert instance.exports.fib(12) == 144
    assert instance.fuel == 0
    with pytest.raises(Trap, match="all fuel"):
        instance.exports.nothing()
    # The last functions are entered with something left.
    instance.fuel = need - 20
    with pytest.raises(Trap, match="all fuel"):
        instance.exports.fib(12)


def test_other_traps_keep_what_ran_before(engine: Engine) -> None:
    instance = Module(LOOPS, engine=engine).instantiate()
    instance.fuel = 10_000
    with pytest.raises(Trap, match="divide by zero"):
        instance.exports.divide(100)
    # Each round but the one of the trap: six instructions and the branch.
    assert 10_000 - instance.fuel == 1 + 99 * 7


def test_where_an_unrolled_loop_ends(engine: Engine) -> None:
    """Each copy of it pays, and looks whether there is something left, as each round does."""
    small = """(module (func (export "sum") (param i32) (result i32) (local i32)
      (loop $l
        (local.set 1 (i32.add (local.get 1) (local.get 0)))
        (br_if $l (local.tee 0 (i32.sub (local.get 0) (i32.const 1)))))
      (local.get 1)))"""
    instance = Module(small, engine=engine).instantiate()
    round = 9
    for rounds in range(1, 11):
        assert used(instance, "sum", (rounds,)) == 1 + rounds * round + 1
        for fuel in range(1, 1 + rounds * round):
            instance.fuel = fuel
            if fuel > 1 + (rounds - 1) * round:
                assert instance.exports.sum(rounds) == rounds * (rounds + 1) // 2
            else:
                with pytest.raises(Trap, match="all fuel consumed"):
                    instance.exports.sum(rounds)


HOST = """(module
  (import "env" "host" (func $host (param i32) (result i32)))
  (func (export "work") (param i32) (loop (br_if 0 (local.tee 0 (i32.sub (local.get 0) (i32.const 1))))))
  (func (export "call") (param i32) (result i32) (call $host (local.get 0)))
  (func (export "catching") (param i32) (result i32)
    (block $h (try_table (catch_all $h) (drop (call $host (local.get 0))))) (i32.const -1)))"""


def test_host_functions_see_and_set_it(engine: Engine) -> None:
    seen = []

    def host(caller: Caller, number: int) -> int:
        seen.append((caller.fuel, caller.instance.fuel))
        caller.fuel = 5_000 + number
        return number

    instance = Module(HOST, engine=engine).instantiate({"env": {"host": host}})
    instance.fuel = 100
    assert instance.exports.call(7) == 7
    assert seen == [(97, 97)]
    assert instance.fuel == 5_007


def test_host_functions_that_raise(engine: Engine) -> None:
    def host(caller: Caller, number: int) -> int:
        caller.fuel -= 10
        if number == 1:
            raise LookupError("host")
        raise WasmException(tag)

    from wasmetal import Tag

    tag = Tag(FuncType([], []))
    instance = Module(HOST, engine=engine).instantiate({"env": {"host": host}})
    instance.fuel = 100
    with pytest.raises(LookupError):
        instance.exports.call(1)
    assert instance.fuel == 87
    # A handler goes on with what the host function has left.
    instance.fuel = 100
    assert instance.exports.catching(2) == -1
    assert instance.fuel == 100 - 4 - 10 - 1


def test_reentry(engine: Engine) -> None:
    def host(caller: Caller, number: int) -> int:
        caller.exports.work(number)
        return 0

    instance = Module(HOST, engine=engine).instantiate({"env": {"host": host}})
    alone = used(instance, "work", (100,))
    assert used(instance, "call", (100,)) == alone + 3
    instance.fuel = alone
    with pytest.raises(Trap, match="all fuel"):
        instance.exports.call(1_000)
    assert instance.fuel == 0


def test_calls_that_are_suspended(engine: Engine) -> None:
    """While one waits others go on with the same fuel, and what is set meanwhile counts."""

    async def host(number: int) -> int:
        if number == 9:
            instance.fuel = 500
        await asyncio.sleep(0)
        return number

    async def calls() -> list[int]:
        return [*await asyncio.gather(*[instance.exports.call.call_async(number) for number in range(5)])]

    instance = Module(HOST, engine=engine).instantiate({"env": {"host": host}})
    instance.fuel = 1_000
    assert asyncio.run(calls()) == [0, 1, 2, 3, 4]
    assert instance.fuel == 1_000 - 5 * 3

    async def call() -> int:
        return int(await instance.exports.call.call_async(9))

    assert asyncio.run(call()) == 9
    assert instance.fuel == 500


def test_each_instance_has_its_own(engine: Engine) -> None:
    worker = Module(HOST, engine=engine).instantiate({"env": {"host": lambda number: number}})
    text = """(module (import "env" "work" (func $work (param i32)))
      (table (export "t") 1 funcref) (elem (i32.const 0) func $work)
      (func (export "direct") (call $work (i32.const 100)))
      (func (export "indirect") (call_indirect (param i32) (i32.const 100) (i32.const 0))))"""
    caller = Module(text, engine=engine).instantiate({"env": worker})
    alone = used(worker, "work", (100,))
    for name, cost in (("direct", 3), ("indirect", 4)):
        caller.fuel = worker.fuel = 10_000
        caller.exports[name]()
        assert (caller.fuel, worker.fuel) == (10_000 - cost, 10_000 - alone)
    worker.fuel = 50
    with pytest.raises(Trap, match="all fuel"):
        caller.exports.direct()
    assert worker.fuel == 0 < caller.fuel
    # One that does not count can call one that does, and the other way round.
    plain = Module(text, engine=default_engine()).instantiate({"env": worker})
    with pytest.raises(Trap, match="all fuel"):
        plain.exports.direct()


def test_what_there_is_at_first(engine: Engine) -> None:
    text = "(module (func $s (loop (br 0))) (start $s))"
    assert Module(PROGRAM, engine=engine).instantiate().fuel == MAX
    few = Engine(Config(fuel=True, initial_fuel=1_000))
    assert Module(PROGRAM, engine=few).instantiate().fuel == 1_000
    with pytest.raises(Trap, match="all fuel"):
        Module(text, engine=few).instantiate()
    none = Module(PROGRAM, engine=Engine(Config(fuel=True, initial_fuel=0))).instantiate()
    with pytest.raises(Trap, match="all fuel"):
        none.exports.nothing()


@pytest.mark.parametrize(
    ("value", "error"),
    [
        (-1, OverflowError),
        (MAX + 1, OverflowError),
        (1.0, TypeError),
        (True, TypeError),
        ("1", TypeError),
        (None, TypeError),
    ],
)
def test_values_that_are_none(engine: Engine, value: Any, error: type[Exception]) -> None:
    instance = Module(PROGRAM, engine=engine).instantiate()
    instance.fuel = 5
    with pytest.raises(error, match="fuel is"):
        instance.fuel = value
    assert instance.fuel == 5


def test_where_it_is_not_counted(engine: Engine) -> None:
    instance = instantiate(PROGRAM)
    with pytest.raises(WasmError, match=r"Config\(fuel=True\)"):
        instance.fuel  # noqa: B018
    with pytest.raises(WasmError, match=r"Config\(fuel=True\)"):
        instance.fuel = 1
    closed = Module(PROGRAM, engine=engine).instantiate()
    closed.close()
    with pytest.raises(WasmError, match="closed"):
        closed.fuel  # noqa: B018
    with pytest.raises(WasmError, match="not called by an instance"):
        Func(lambda caller: caller.fuel, FuncType([], ["i64"]), caller=True)()


def test_settings_are_checked() -> None:
    for wrong, error in (
        ({"fuel": 1}, TypeError),
        ({"initial_fuel": -1}, ValueError),
        ({"initial_fuel": "1"}, TypeError),
    ):
        with pytest.raises(error):
            Config(**wrong)


def test_code_that_counts_is_kept_apart(tmp_path: Path) -> None:
    """Code of the one kind must not run for the other: it would not end, or not be found."""
    for fuel in (False, True, False, True):
        engine = Engine(Config(fuel=fuel, cache=tmp_path, initial_fuel=1_000))
        module = Module(LOOPS, engine=engine)
        module.code.compile_all()
        module.code.save()
        if fuel:
            with pytest.raises(Trap, match="all fuel"):
                module.instantiate().exports.loop()
    counting = Engine(Config(fuel=True, initial_fuel=1_000))
    for saver in (Engine(Config()), counting):
        loaded = Module.deserialize(Module(LOOPS, engine=saver).serialize(), engine=counting)
        with pytest.raises(Trap, match="all fuel"):
            loaded.instantiate().exports.loop()


def test_listeners_and_threads(engine: Engine) -> None:
    class Listener:
        def before(self, definition: object, params: object) -> None: ...
        def after(self, definition: object, results: object) -> None: ...

    listened = Module(PROGRAM, engine=engine, listener=Listener()).instantiate()
    plain = Module(PROGRAM, engine=engine).instantiate()
    assert used(listened, "fib", (10,)) == used(plain, "fib", (10,))
    # Instances of one module in several threads do not share it.
    module = Module(PROGRAM, engine=engine)
    found: list[int] = []
    threads = [
        threading.Thread(target=lambda: found.append(used(module.instantiate(), "fib", (15,)))) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 3 and len({*found}) == 1


def test_on_the_command_line(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("click", reason="the command line needs click")
    from wasmetal.cli import main

    path = tmp_path / "loops.wat"
    path.write_text(LOOPS)
    assert main(["run", "--fuel", "100000", "--invoke", "loop", str(path)]) == 134
    assert "all fuel consumed" in capfd.readouterr().err
    path.write_text(PROGRAM)
    assert main(["run", "--fuel", "4", "--invoke", "square", str(path), "3"]) == 0
    assert main(["run", "--fuel", "-1", "--invoke", "square", str(path), "3"]) == 2
