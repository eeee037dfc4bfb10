"""Exceptions of WebAssembly: through host functions and back, across instances, out of everything; what Python sees."""

from __future__ import annotations

import copy
import gc
import pickle
import sys
import traceback
import weakref
from typing import Any

import pytest

import wasmetal
from wasm_core.testing.builder import FUNC, TAG, Op, WasmBuilder
from wasmetal import (
    Config,
    Engine,
    ExnRef,
    Func,
    FuncType,
    Global,
    GlobalType,
    LinkError,
    Table,
    TableType,
    Tag,
    Trap,
    TrapCode,
    WasmException,
)


def supported() -> bool:
    return bool(getattr(wasmetal.default_engine().backend, "exceptions", False))


pytestmark = pytest.mark.skipif(not supported(), reason="the backend has no exceptions")

_EVERYTHING = "iIfFve"


def catcher(body: bytes, import_: bool = True) -> WasmBuilder:
    """Imports m.f (i32) -> i32; "catch" calls it and gives back what an exception with the tag "t" carries, plus 100;
    "all" gives -1 for any exception; "ref" gives the exception itself."""
    w = WasmBuilder()
    f = w.import_func("m", "f", "i", "i")
    t = w.tag("i", export="t")
    call = Op.get(0) + Op.call(f)
    w.func(
        "i",
        "i",
        Op.block("i", Op.try_table("i", [Op.catch(t, 0)], call) + b"\x0f") + Op.i32(100) + Op.I32_ADD,
        export="catch",
    )
    w.func("i", "i", Op.block("", Op.try_table("i", [Op.catch_all(0)], call) + b"\x0f") + Op.i32(-1), export="all")
    w.func(
        "i",
        "x",
        Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], call + Op.DROP) + Op.ref_null("x") + b"\x0f"),
        export="ref",
    )
    w.func("x", "", Op.get(0) + Op.THROW_REF, export="throw_ref")
    w.func("i", "", Op.get(0) + Op.throw(t), export="throw")
    w.export("f", FUNC, f)
    return w


def instance_of(w: WasmBuilder, imports: Any = None, **config: Any) -> Any:
    return Engine(Config(**config)).compile(w.build()).instantiate(imports)


def with_host(f: Any, **config: Any) -> Any:
    return instance_of(catcher(b""), {"m": {"f": f}}, **config)


def test_out_at_the_top() -> None:
    instance = with_host(lambda x: x)
    with pytest.raises(WasmException) as caught:
        instance.exports["throw"](7)
    assert caught.value.tag is instance.exports["t"]
    assert caught.value.values == (7,)
    assert str(caught.value) == "uncaught exception of WebAssembly (7)"
    assert any("WebAssembly backtrace" in note and "throw" in note for note in caught.value.__notes__)
    # The store is as before.
    assert instance.exports["catch"](5) == 5


def test_values_of_all_types() -> None:
    w = WasmBuilder()
    t = w.tag(_EVERYTHING, export="t")
    w.func(_EVERYTHING, "", b"".join(Op.get(k) for k in range(6)) + Op.throw(t), export="throw")
    instance = instance_of(w)
    given = (-5, 1 << 62, 0.5, -1e300, bytes(range(16)), object())
    with pytest.raises(WasmException) as caught:
        instance.exports["throw"](*given)
    assert caught.value.values == given
    assert caught.value.tag.type == FuncType(["i32", "i64", "f32", "f64", "v128", "externref"], [])


def test_host_functions_throw() -> None:
    """What a host function raises is caught, with what it carries."""
    instance: Any = None

    def f(x: int) -> int:
        raise WasmException(instance.exports["t"], (x + 1,))

    instance = with_host(f)
    assert instance.exports["catch"](41) == 142
    assert instance.exports["all"](41) == -1
    with pytest.raises(WasmException):
        instance.exports["f"](1)
    for _ in range(3000):
        assert instance.exports["catch"](1) == 102


@pytest.mark.parametrize("hold_gil", [False, True])
def test_host_functions_throw_with_and_without_the_gil(hold_gil: bool) -> None:
    instance: Any = None

    def f(x: int) -> int:
        raise WasmException(instance.exports["t"], (x,))

    instance = with_host(f, hold_gil=hold_gil)
    assert [instance.exports["catch"](k) for k in range(50)] == [100 + k for k in range(50)]


def test_the_same_object_comes_out_with_its_traceback() -> None:
    instance: Any = None
    raised: list[WasmException] = []

    def deep(x: int) -> None:
        raised.append(WasmException(instance.exports["t"], (x,)))
        raise raised[-1]

    def f(x: int) -> int:
        deep(x)
        return 0

    instance = with_host(f)
    # Caught by reference, and thrown again.
    reference = instance.exports["ref"](3)
    assert isinstance(reference, ExnRef)
    assert reference.tag is instance.exports["t"]
    assert reference.exception is raised[0]
    with pytest.raises(WasmException) as caught:
        instance.exports["throw_ref"](reference)
    assert caught.value is raised[0]
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-2:] == ["f", "deep"]


def test_other_tags_go_on_outwards() -> None:
    other = Tag(FuncType(["i32"], []))

    def f(x: int) -> int:
        raise WasmException(other, (x,))

    instance = with_host(f)
    with pytest.raises(WasmException) as caught:
        instance.exports["catch"](9)
    assert caught.value.tag is other
    assert instance.exports["all"](9) == -1


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_python_exceptions_pass(error: type[BaseException]) -> None:
    """A sandbox cannot swallow them."""

    def f(x: int) -> int:
        raise error("it")

    instance = with_host(f)
    for name in ("catch", "all", "ref"):
        with pytest.raises(error, match="it") as caught:
            instance.exports[name](1)
        assert any("WebAssembly backtrace" in note for note in caught.value.__notes__)


class _Uncatchable(Exception):
    uncatchable = True


def test_python_exceptions_are_caught_when_the_configuration_says_so() -> None:
    raised: list[BaseException] = []

    def f(x: int) -> int:
        raised.append([ValueError("no"), KeyboardInterrupt(), _Uncatchable(), Trap(wasmetal.TrapCode.UNREACHABLE)][x])
        raise raised[-1]

    instance = with_host(f, catch_python_exceptions=True)
    assert instance.exports["all"](0) == -1
    with pytest.raises(ValueError, match="no"):
        instance.exports["catch"](0)
    reference = instance.exports["ref"](0)
    assert reference.tag is wasmetal.python_exception
    with pytest.raises(ValueError, match="no") as caught:
        instance.exports["throw_ref"](reference)
    assert caught.value is raised[-1]
    assert [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)][-1] == "f"
    for number, error in ((1, KeyboardInterrupt), (2, _Uncatchable), (3, Trap)):
        with pytest.raises(error):
            instance.exports["all"](number)


def test_python_exceptions_have_a_tag() -> None:
    w = WasmBuilder()
    f = w.import_func("m", "f")
    t = w.import_tag("wasmetal", "python_exception", "e")
    w.func("", "e", Op.block("e", Op.try_table("", [Op.catch(t, 0)], Op.call(f)) + Op.ref_null("e")), export="catch")
    w.func("e", "", Op.get(0) + Op.throw(t), export="throw")
    error = ValueError("it")

    def fails() -> None:
        raise error

    imports = {"m": {"f": fails}, "wasmetal": {"python_exception": wasmetal.python_exception}}
    instance = instance_of(w, imports, catch_python_exceptions=True)
    assert instance.exports["catch"]() is error
    with pytest.raises(ValueError, match="it") as caught:
        instance.exports["throw"](error)
    assert caught.value is error
    # Anything else is what the exception carries.
    with pytest.raises(WasmException) as other:
        instance.exports["throw"]("text")
    assert other.value.values == ("text",)


def test_traps_are_not_caught() -> None:
    w = WasmBuilder()
    f = w.func("i", "i", Op.i32(1) + Op.get(0) + Op.I32_DIV_S)
    w.func("i", "i", Op.block("", Op.try_table("i", [Op.catch_all(0)], Op.get(0) + Op.call(f)) + b"\x0f") + Op.i32(-1),
           export="all")  # fmt: skip
    instance = instance_of(w)
    assert instance.exports["all"](1) == 1
    with pytest.raises(Trap, match="integer divide by zero"):
        instance.exports["all"](0)


def test_deep_recursion_is_not_caught_and_deep_exceptions_are() -> None:
    w = WasmBuilder()
    t = w.tag("i")
    # f(n): n == 0 ? throw 5 : f(n - 1)
    recursion = Op.get(0) + b"\x45" + Op.if_("", Op.i32(5) + Op.throw(t), b"")
    recursion += Op.get(0) + Op.i32(-1) + Op.I32_ADD + Op.call(0)
    f = w.func("i", "", recursion)
    w.func("i", "i", Op.block("i", Op.try_table("", [Op.catch(t, 0)], Op.get(0) + Op.call(f)) + Op.i32(0)), export="g")
    instance = instance_of(w)
    assert instance.exports["g"](10_000) == 5
    with pytest.raises(Trap, match="call stack exhausted"):
        instance.exports["g"](100_000_000)
    assert instance.exports["g"](10_000) == 5


def test_null_references_trap() -> None:
    instance = with_host(lambda x: x)
    assert instance.exports["ref"](1) is None
    with pytest.raises(Trap, match="null exception reference"):
        instance.exports["throw_ref"](None)
    with pytest.raises(TypeError, match="exnref takes"):
        instance.exports["throw_ref"](5)


def test_out_of_start() -> None:
    w = WasmBuilder()
    t = w.import_tag("m", "t", "i")
    w.start(w.func("", "", Op.i32(3) + Op.throw(t)))
    tag = Tag(FuncType(["i32"], []))
    with pytest.raises(WasmException) as caught:
        instance_of(w, {"m": {"t": tag}})
    assert caught.value.tag is tag and caught.value.values == (3,)


def test_across_instances() -> None:
    """One instance throws, another catches, with a tag that they share; their memories are their own again after."""
    tag = Tag(FuncType(["i32"], []))
    w = WasmBuilder()
    t = w.import_tag("m", "t", "i")
    w.memory(1)
    w.data(Op.i32(0), (11).to_bytes(4, "little"))
    w.func("i", "i", Op.get(0) + Op.if_("", Op.i32(0) + Op.I32_LOAD + Op.throw(t), b"") + Op.i32(1), export="f")
    thrower = instance_of(w, {"m": {"t": tag}})
    w = WasmBuilder()
    f = w.import_func("m", "f", "i", "i")
    t = w.import_tag("m", "t", "i")
    w.memory(1)
    w.data(Op.i32(0), (22).to_bytes(4, "little"))
    body = Op.block("i", Op.try_table("i", [Op.catch(t, 0)], Op.get(0) + Op.call(f)) + b"\x0f")
    w.func("i", "i", body + Op.i32(1000) + Op.I32_MUL + Op.i32(0) + Op.I32_LOAD + Op.I32_ADD, export="g")
    instance = instance_of(w, {"m": {"t": tag, "f": thrower.exports["f"]}})
    assert instance.exports["g"](0) == 1
    assert instance.exports["g"](1) == 11022


def test_through_python_frames() -> None:
    """WebAssembly, host function, WebAssembly: the host function sees it, and may let it go on."""
    seen: list[object] = []
    inner = with_host(lambda x: x)
    outer: Any = None

    def f(x: int) -> int:
        try:
            inner.exports["throw"](x)
        except WasmException as error:
            seen.append(error)
            raise
        finally:
            seen.append("finally")
        return 0

    outer = with_host(f)
    assert outer.exports["all"](4) == -1
    with pytest.raises(WasmException) as caught:
        outer.exports["catch"](4)
    assert [type(item) for item in seen] == [WasmException, str] * 2
    assert caught.value is seen[2]


def test_what_host_functions_raise_must_fit() -> None:
    instance: Any = None

    def f(x: int) -> int:
        raise WasmException(instance.exports["t"], ("text",))

    instance = with_host(f)
    with pytest.raises(TypeError, match="i32 takes an int"):
        instance.exports["all"](1)
    assert instance.exports["f"] is not None


def test_making_tags_and_exceptions() -> None:
    with pytest.raises(ValueError, match="no results"):
        Tag(FuncType([], ["i32"]))
    with pytest.raises(TypeError, match="FuncType"):
        Tag("i32")  # type: ignore[arg-type]
    tag = Tag(FuncType(["i32"], []))
    with pytest.raises(TypeError, match="initialized twice"):
        tag.__init__(FuncType([], []))  # type: ignore[misc]
    with pytest.raises(TypeError, match="carries 1 values"):
        WasmException(tag)
    with pytest.raises(TypeError, match=r"a wasmetal\.Tag is needed"):
        WasmException("tag", ())  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="only WebAssembly"):
        ExnRef()
    assert "(i32)" in repr(tag)


def test_copies() -> None:
    """An exception pickles with all that it has; the tag stays the same one."""
    tag = Tag(FuncType(["i32", "externref"], []))
    error = WasmException(tag, (5, "text"))
    error.add_note("note")
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert copied.tag is tag and copied.values == (5, "text") and copied.__notes__ == ["note"]


def test_linking() -> None:
    w = WasmBuilder()
    w.import_tag("m", "t", "i", export="again")
    assert wasmetal.Module(w.build()).imports[0].type == wasmetal.TagType(FuncType(["i32"], []))
    tag = Tag(FuncType(["i32"], []))
    assert instance_of(w, {"m": {"t": tag}}).exports["again"] is tag
    with pytest.raises(LinkError, match=r"unknown import.*a tag \(i32\)"):
        instance_of(w, {"m": {}})
    with pytest.raises(LinkError, match="incompatible import type"):
        instance_of(w, {"m": {"t": Tag(FuncType(["i64"], []))}})
    with pytest.raises(LinkError, match="incompatible import type"):
        instance_of(w, {"m": {"t": 5}})


def test_references_in_tables_and_globals() -> None:
    """Any number is alive at a time, and each stays what it is."""
    w = WasmBuilder()
    t = w.tag("i", export="t")
    table = w.table("x", 5000, export="table")
    glob = w.glob("x", Op.ref_null("x"), mutable=True, export="global")
    made = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.get(0) + Op.throw(t)) + Op.UNREACHABLE)
    # keep(i): table[i] = exception that carries i
    w.func("i", "", made + b"\x21\x01" + Op.get(0) + Op.get(1) + Op.table_set(table), locals="x", export="keep")
    w.func("i", "", made + Op.global_set(glob), export="keep_in_global")
    again = Op.try_table("", [Op.catch(t, 0)], Op.get(0) + Op.table_get(table) + Op.THROW_REF) + Op.i32(-1)
    w.func("i", "i", Op.block("i", again), export="carried")
    w.func("i", "", made + Op.DROP, export="drop")
    instance = instance_of(w)
    kept = range(0, 5000, 7)
    for number in range(5000):
        instance.exports["keep" if number in kept else "drop"](number)
    instance.exports["keep_in_global"](-9)
    for _ in range(20_000):
        instance.exports["drop"](1)
    assert [instance.exports["carried"](number) for number in kept] == list(kept)
    assert instance.exports["table"][7].exception.values == (7,)
    assert instance.exports["table"][8] is None
    assert instance.exports["global"].value.exception.values == (-9,)
    heap = instance.exports["table"]._storage.store.exceptions
    with_all = len(heap._blocks)
    assert with_all < 1000
    # What is not referred to any more makes room.
    for number in kept:
        instance.exports["table"][number] = None
    for _ in range(100_000):
        instance.exports["drop"](1)
    assert len(heap._blocks) - len(heap._free) < 40


def test_references_that_python_holds() -> None:
    instance = with_host(lambda x: x)
    tag = instance.exports["t"]

    def f(x: int) -> int:
        raise WasmException(tag, (x,))

    thrower = with_host(f)
    held = [thrower.exports["ref"](number) for number in range(300)]
    for _ in range(30_000):
        thrower.exports["all"](1)
    assert [reference.exception.values for reference in held] == [(number,) for number in range(300)]
    # (those that came from Python are that again while it is alive)
    for number, reference in enumerate(held[:5]):
        with pytest.raises(WasmException) as caught:
            thrower.exports["throw_ref"](reference)
        assert caught.value.values == (number,)


def test_references_of_another_store() -> None:
    instance = with_host(lambda x: x)
    with pytest.raises(WasmException):
        instance.exports["throw"](1)

    def f(x: int) -> int:
        raise WasmException(instance.exports["t"], (x,))

    reference = with_host(f).exports["ref"](1)
    with pytest.raises(TypeError, match="an exception of the same store"):
        instance.exports["throw_ref"](reference)


def test_references_in_objects_of_python() -> None:
    def f(x: int) -> int:
        raise WasmException(Tag(FuncType([], [])))

    reference = with_host(f).exports["ref"](1)
    table = Table(TableType("exnref", 2))
    glob = Global(GlobalType("exnref", True))
    assert table[0] is None and glob.value is None
    with pytest.raises(TypeError):
        table[0] = 5
    with pytest.raises(TypeError, match="an exception of the same store"):
        table[0] = reference


def test_exceptions_that_live_while_others_are_thrown() -> None:
    """References that only a frame of running code has, one that is suspended in a host function among them."""
    w = WasmBuilder()
    host = w.import_func("m", "host", "i", "")
    t = w.tag("i", export="t")
    made = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.get(0) + Op.throw(t)) + Op.UNREACHABLE)
    # Makes an exception, throws n others, calls the host, and gives back what the first one carries.
    many = Op.block(
        "",
        b"\x03\x40"  # loop
        + Op.get(2) + b"\x45" + b"\x0d\x01"
        + Op.get(2) + Op.i32(-1) + Op.I32_ADD + b"\x21\x02"
        + made + Op.DROP + Op.br(0) + Op.END,
    )  # fmt: skip
    body = made + b"\x21\x03" + Op.get(1) + b"\x21\x02" + many + Op.get(0) + Op.call(host)
    body += Op.block("i", Op.try_table("", [Op.catch(t, 0)], Op.get(3) + Op.THROW_REF) + Op.UNREACHABLE)
    w.func("ii", "i", body, locals="ix", export="f")
    depth = [0]

    def call_back(x: int) -> None:
        depth[0] += 1
        if depth[0] < 6:
            assert instance.exports["f"](x + 1, 20_000) == x + 1
        depth[0] -= 1

    instance = instance_of(w, {"m": {"host": call_back}})
    assert instance.exports["f"](1, 5000) == 1
    heap = instance.exports["f"]._core.instance.store.exceptions
    assert len(heap._blocks) < 100


def test_exceptions_carry_exceptions() -> None:
    w = WasmBuilder()
    t = w.tag("i", export="t")
    u = w.tag("x", export="u")
    made = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.get(0) + Op.throw(t)) + Op.UNREACHABLE)
    nested = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.get(1) + Op.throw(u)) + Op.UNREACHABLE)
    w.func("i", "x", made + b"\x21\x01" + nested, locals="x", export="make")
    w.func("i", "", made + Op.DROP, export="drop")
    instance = instance_of(w)
    outer = instance.exports["make"](77)
    for _ in range(30_000):
        instance.exports["drop"](1)
    assert outer.exception.tag is instance.exports["u"]
    (inner,) = outer.exception.values
    assert inner.exception.values == (77,)


def test_what_they_carry_stays_alive() -> None:
    """An object that only an exception refers to."""

    class Thing:
        pass

    w = WasmBuilder()
    t = w.tag("e", export="t")
    glob = w.glob("x", Op.ref_null("x"), mutable=True, export="global")
    made = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.get(0) + Op.throw(t)) + Op.UNREACHABLE)
    w.func("e", "", made + Op.global_set(glob), export="keep")
    w.func("e", "", b"", export="touch")
    instance = instance_of(w)
    thing = Thing()
    reference = weakref.ref(thing)
    instance.exports["keep"](thing)
    del thing
    for _ in range(5000):
        instance.exports["touch"](object())
    gc.collect()
    assert instance.exports["global"].value.exception.values == (reference(),) != (None,)
    instance.exports["global"].value = None
    for _ in range(10_000):
        instance.exports["touch"](object())
    gc.collect()
    assert reference() is None


def test_tags_outlive_instances() -> None:
    """An exception in a table, whose tag was that of an instance that is gone."""
    shared = Table(TableType("exnref", 1))
    w = WasmBuilder()
    w.import_table("m", "table", "x", 1)
    t = w.tag("i")
    made = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.i32(6) + Op.throw(t)) + Op.UNREACHABLE)
    w.func("", "", made + b"\x21\x00" + Op.i32(0) + Op.get(0) + Op.table_set(), locals="x", export="f")
    instance = instance_of(w, {"m": {"table": shared}})
    instance.exports["f"]()
    del instance
    gc.collect()
    others = [Tag(FuncType(["externref"], [])) for _ in range(100)]
    assert shared[0].exception.values == (6,)
    assert shared[0].tag not in others


def test_the_older_encoding() -> None:
    w = WasmBuilder()
    f = w.import_func("m", "f", "i", "i")
    t = w.tag("i", export="t")
    call = Op.get(0) + Op.call(f)
    hundred = Op.i32(100) + Op.I32_ADD
    w.func("i", "i", Op.try_("i", call, Op.caught(t, hundred), Op.caught_all(Op.i32(-1))), export="catch")
    w.func("i", "i", Op.try_("i", call, Op.caught_all(Op.rethrow(0))), export="rethrow")
    inner = Op.delegate("i", call, 0)
    w.func("i", "i", Op.try_("i", inner, Op.caught(t, Op.i32(7) + Op.I32_MUL)), export="delegate")
    w.func("i", "i", Op.delegate("i", call, 0), export="to_caller")
    instance: Any = None
    other = Tag(FuncType([], []))
    raised: list[WasmException] = []

    def host(x: int) -> int:
        if x > 0:
            raised.append(WasmException(instance.exports["t"], (x,)) if x < 10 else WasmException(other))
            raise raised[-1]
        return x

    instance = instance_of(w, {"m": {"f": host}})
    assert [instance.exports["catch"](x) for x in (0, 5, 50)] == [0, 105, -1]
    assert [instance.exports["delegate"](x) for x in (0, 5)] == [0, 35]
    for name in ("rethrow", "to_caller"):
        assert instance.exports[name](0) == 0
        for x in (5, 50):
            with pytest.raises(WasmException) as caught:
                instance.exports[name](x)
            assert caught.value is raised[-1]
    with pytest.raises(WasmException):
        instance.exports["delegate"](50)


def test_unwinding_leaves_the_ways_of_interruption_open() -> None:
    """A deadline ends a loop that throws and catches for ever; catch_all does not catch it."""
    w = WasmBuilder()
    t = w.tag("")
    thrower = w.func("", "", Op.throw(t))
    body = b"\x03\x40" + Op.block("", Op.try_table("", [Op.catch_all(0)], Op.call(thrower))) + Op.br(0) + Op.END
    w.func("", "", Op.block("", Op.try_table("", [Op.catch_all(0)], body)), export="f")
    instance = instance_of(w)
    with pytest.raises(wasmetal.DeadlineExceeded), wasmetal.deadline(0.05):
        instance.exports["f"]()


def test_listeners() -> None:
    """Hear of calls; not of the ends of those that were left by an exception."""
    heard: list[str] = []

    class Listener:
        def before(self, definition: Any, params: tuple[object, ...]) -> None:
            heard.append(f"before {definition.index}")

        def after(self, definition: Any, results: tuple[object, ...]) -> None:
            heard.append(f"after {definition.index}")

    w = WasmBuilder()
    t = w.tag("")
    thrower = w.func("", "", Op.throw(t))
    w.func("", "i", Op.block("", Op.try_table("", [Op.catch_all(0)], Op.call(thrower))) + Op.i32(1), export="f")
    w.func("", "", Op.throw(t), export="throw")
    instance = Engine().compile(w.build(), listener=Listener()).instantiate()
    assert instance.exports["f"]() == 1
    assert heard == ["before 1", "before 0", "after 1"]
    with pytest.raises(WasmException):
        instance.exports["throw"]()


def test_the_types_of_tags() -> None:
    module = wasmetal.Module(catcher(b"").build())
    types = {export.name: export.type for export in module.exports}
    assert types["t"] == wasmetal.TagType(FuncType(["i32"], []))


def test_functions_of_exception_references() -> None:
    """Host functions take them and give them back."""
    w = WasmBuilder()
    host = w.import_func("m", "host", "x", "x")
    t = w.tag("i")
    made = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.get(0) + Op.throw(t)) + Op.UNREACHABLE)
    again = Op.try_table("", [Op.catch(t, 0)], made + Op.call(host) + Op.THROW_REF) + Op.UNREACHABLE
    w.func("i", "i", Op.block("i", again), export="f")
    held: list[ExnRef] = []

    def host_function(reference: ExnRef) -> ExnRef:
        held.append(reference)
        return held[0]

    instance = instance_of(w, {"m": {"host": Func(host_function, FuncType(["exnref"], ["exnref"]))}})
    assert [instance.exports["f"](k) for k in (5, 6, 7)] == [5, 5, 5]


def test_raw_references() -> None:
    """Of the last call; numbers that anybody made up are refused."""
    tag = Tag(FuncType(["i32"], []))

    def f(x: int) -> int:
        raise WasmException(tag, (x,))

    instance = with_host(f)
    (reference,) = instance.exports["ref"].call_raw(6)
    with pytest.raises(WasmException) as caught:
        instance.exports["throw_ref"].call_raw(reference)
    assert caught.value.values == (6,)
    for number in (1, 8, reference + 8, id(tag), (1 << 64) - 1):
        with pytest.raises(ValueError, match="not a reference of this store"):
            instance.exports["throw_ref"].call_raw(number)
    with pytest.raises(Trap, match="null exception reference"):
        instance.exports["throw_ref"].call_raw(0)
    del caught


def test_too_many_exceptions(monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an end to the memory that they may take; afterwards the store is as before."""
    from wasmetal.store import exceptions

    monkeypatch.setattr(exceptions, "_MAX_BYTES", 1 << 18)
    w = WasmBuilder()
    t = w.tag("i")
    w.table("x", 100_000)
    made = Op.block("x", Op.try_table("", [Op.catch_all_ref(0)], Op.get(0) + Op.throw(t)) + Op.UNREACHABLE)
    w.func("i", "", made + b"\x21\x01" + Op.get(0) + Op.get(1) + Op.table_set(), locals="x", export="keep")
    w.func("i", "i", Op.get(0), export="same")
    instance = instance_of(w)
    with pytest.raises(wasmetal.WasmError, match="exceptions that are referred to take more than"):
        for number in range(100_000):
            instance.exports["keep"](number)
    assert instance.exports["same"](3) == 3


def test_exceptions_are_exported_and_imported_by_name() -> None:
    w = WasmBuilder()
    t = w.tag("i", export="t")
    w.export("again", TAG, t)
    exports = instance_of(w).exports
    assert exports["t"] is exports["again"]


def test_a_signal_handler_throws_where_an_exception_has_just_left() -> None:
    """Before Python has looked what it was: the handler's own exception, or none, would have been taken for it."""
    w = WasmBuilder()
    t = w.tag("i", export="t")
    w.func("i", "", Op.get(0) + Op.throw(t), export="throw")
    w.func("", "", b"\x00", export="trap")
    w.func("i", "i", Op.get(0) + Op.get(0) + b"\x6d", export="divide")
    exports = wasmetal.Module(w.build()).instantiate().exports
    with pytest.raises(WasmException):
        exports.throw(1)  # (imports what it takes)
    handled: list[Any] = []

    def handler(frame: Any, event: str, argument: object) -> None:
        # In the middle of what another one runs, as a signal's would be.
        if frame.f_code.co_name == "failed" and not handled:
            for call in (lambda: exports.throw(2), lambda: exports.divide(0), gc.collect):
                try:
                    handled.append(call())
                except (WasmException, Trap) as error:
                    handled.append(error)

    for call, carried in ((lambda: exports.throw(3), (3,)), (exports.trap, TrapCode.UNREACHABLE)):
        handled.clear()
        before = sys.gettrace()
        sys.settrace(handler)
        try:
            with pytest.raises((WasmException, Trap)) as raised:
                call()
        finally:
            sys.settrace(before)
        error = raised.value
        assert (error.code if isinstance(error, Trap) else error.values) == carried
        assert handled[0].values == (2,) and handled[1].code is TrapCode.INTEGER_DIVIDE_BY_ZERO
