"""Messages say what is wrong, what was meant, and what to do; whatever a module's names are, they stay short."""

from __future__ import annotations

import functools
import pickle
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Optional

import pytest

import wasmetal
import wasmetal as other_name
from wasmetal import Caller as Host
from wasmetal import FuncType, LinkError

NOTHING = FuncType([], [])


def importing(wasm, *names: tuple[str, str]) -> wasmetal.Module:
    builder = wasm()
    for module, name in names:
        builder.import_func(module, name, "i", "")
    return wasmetal.Module(builder.build())


def refused(module: wasmetal.Module, imports: Mapping[str, Mapping[str, object]] | None = None) -> str:
    with pytest.raises(LinkError) as error:
        module.instantiate(imports)
    return str(error.value)


def test_missing_imports(wasm) -> None:
    module = importing(wasm, ("env", "log"), ("env", "time"), ("math", "sin"), ("env", "there"))
    said = refused(module, {"env": {"lg": print, "there": print}, "maths": {}})
    assert said == (
        "unknown import (3 of 4 are missing): 'env'.'log', a function (i32) -> (); did you mean 'lg'?; "
        "'env'.'time', a function (i32) -> (); "
        "'math'.'sin', a function (i32) -> (); nothing is given for module 'math'; did you mean 'maths'?"
    )
    assert refused(importing(wasm, ("env", "log"))) == "unknown import: 'env'.'log', a function (i32) -> ()"


def test_missing_imports_are_told_in_bounds(wasm) -> None:
    module = importing(wasm, *[("m" * 10_000, f"\x1b[31m\n{number}" + "x" * 10_000) for number in range(5000)])
    said = refused(module, {"m" * 9_999: {}, "a": {}})
    assert len(said) < 10_000
    assert said.isprintable()
    assert "and 4980 more" in said


def test_mappings_of_any_kind(wasm) -> None:
    class Odd(dict):
        def __iter__(self):
            raise RuntimeError

    module = importing(wasm, ("env", "log"))
    assert "unknown import: 'env'.'log'" in refused(module, {"env": Odd()})
    assert "unknown import: 'env'.'log'" in refused(module, {1: {}, None: {}})
    assert "unknown import: 'env'.'log'" in refused(module, {"env": {1: 2, b"log": 3}})


@pytest.mark.parametrize(
    "names, hint",
    [
        (("wasi_snapshot_preview1", "fd_write"), "wasm_wasi.Wasi"),
        (("wasi_unstable", "fd_write"), "not supported"),
        (("env", "emscripten_resize_heap"), "-sSTANDALONE_WASM"),
        (("env", "invoke_vii"), "-sSTANDALONE_WASM"),
        (("__wbindgen_placeholder__", "__wbindgen_throw"), "wasm-bindgen"),
        (("./plugin_bg.js", "__wbg_log_1"), "wasm-bindgen"),
        (("gojs", "runtime.wasmExit"), "JavaScript"),
    ],
)
def test_known_tools(wasm, names: tuple[str, str], hint: str) -> None:
    said = refused(importing(wasm, names))
    assert hint in said
    assert ("not supported" in said) == (hint == "not supported")


def test_wasi_that_was_given(wasm) -> None:
    """A name that it does not have is what there is to say."""
    wasi = "wasi_snapshot_preview1"
    said = refused(importing(wasm, (wasi, "fd_wirte")), {wasi: {"fd_write": print}})
    assert said.endswith("did you mean 'fd_write'?")


def test_what_is_given_comes_first(wasm) -> None:
    """A mistake in what is given is reported as such where nothing is missing before."""
    module = importing(wasm, ("env", "log"), ("env", "time"))
    assert refused(module, {"env": {"log": 5}}).startswith("incompatible import type: 'env'.'log'")


def exporting(wasm) -> wasmetal.Instance:
    builder = wasm()
    builder.func("ii", "i", wasm.op.get(0), export="add")
    return wasmetal.Module(builder.build()).instantiate()


def test_exports(wasm) -> None:
    instance = exporting(wasm)
    with pytest.raises(KeyError, match="no export 'ad'; did you mean 'add'") as error:
        instance.exports["ad"]
    assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
    with pytest.raises(KeyError):
        instance.exports[1]  # type: ignore[index]
    with pytest.raises(AttributeError, match="the instance has no export 'ad'"):
        _ = instance.exports.ad
    assert instance.exports.get("ad") is None


@pytest.mark.skipif(sys.version_info < (3, 12), reason="before Python 3.12 that would make each call slower")
def test_exports_are_not_the_instance(wasm) -> None:
    instance = exporting(wasm)
    with pytest.raises(AttributeError, match=r"instance\.exports\.add"):
        _ = instance.add
    with pytest.raises(AttributeError, match=r"no attribute 'ad'$"):
        _ = instance.ad
    with pytest.raises(AttributeError):
        _ = wasmetal.Instance.__new__(wasmetal.Instance).exports


def test_files_are_named(wasm, tmp_path: Path) -> None:
    path = tmp_path / "bad.wasm"
    path.write_bytes(b"\0asm\1\0\0\0\x01\x05")
    actions: list[Callable[[Path | str], object]] = [
        wasmetal.Module,
        wasmetal.validate,
        wasmetal.instantiate,
        wasmetal.default_engine().compile,
        wasmetal.Module.deserialize,
    ]
    for action in actions:
        for given in (path, str(path)):
            with pytest.raises(wasmetal.WasmError) as error:
                action(given)
            assert str(error.value).count(str(path)) == 1
            assert str(pickle.loads(pickle.dumps(error.value))) == str(error.value)
    with pytest.raises(wasmetal.MalformedError) as malformed:
        wasmetal.Module(path)
    assert malformed.value.offset is not None
    assert str(path) not in malformed.value.message
    with pytest.raises(wasmetal.MalformedError) as unnamed:
        wasmetal.Module(path.read_bytes())
    assert str(unnamed.value).startswith("length out of bounds")
    builder = wasm()
    builder.import_func("env", "log", "i", "")
    path.write_bytes(builder.build())
    assert refused(wasmetal.Module(path)).startswith(f"{path}: unknown import")
    with pytest.raises(OSError, match=r"absent\.wasm"):
        wasmetal.Module("absent.wasm")


def test_arguments_of_constructors() -> None:
    memory = wasmetal.Memory(1, 10)
    assert memory.type == wasmetal.MemoryType(1, 10)
    assert wasmetal.Memory(2).type == wasmetal.MemoryType(2)
    wrong: list[tuple[Callable[[], object], type[Exception], str]] = [
        (lambda: wasmetal.Memory("1"), TypeError, r"such as MemoryType\(minimum=1, maximum=10\), not str"),
        (lambda: wasmetal.Memory("1"), TypeError, r"as in Memory\(1, 10\)"),
        (lambda: wasmetal.Memory(1, "2"), TypeError, "the maximum must be an int, not str"),
        (lambda: wasmetal.Memory(wasmetal.MemoryType("1")), TypeError, "the minimum must be an int, not str"),
        (lambda: wasmetal.Memory(wasmetal.MemoryType(1), 10), TypeError, "which has a maximum itself"),
        (lambda: wasmetal.Memory(5, 4), ValueError, "minimum not above maximum"),
        (lambda: wasmetal.Table("funcref"), TypeError, r"such as TableType\("),
        (lambda: wasmetal.Global("i32", 0), TypeError, r"such as GlobalType\("),
        (lambda: wasmetal.Global(wasmetal.GlobalType), TypeError, "not the class GlobalType"),
        (lambda: wasmetal.Func(print, ["i32"]), TypeError, r"such as FuncType\("),
        (lambda: FuncType(["int"], []), ValueError, "'int' is not a value type; choose from i32, i64, f32"),
        (lambda: FuncType([int], []), ValueError, "is not a value type; choose from i32, i64, f32"),
        (lambda: FuncType(int, []), TypeError, "a sequence of value types is needed, .* not the class int"),
        (lambda: FuncType([], None), TypeError, "a sequence of value types is needed, .* not NoneType"),
        (lambda: FuncType("i32", []), TypeError, r"such as \['i32'\], not the string 'i32'"),
        (lambda: wasmetal.TableType("int"), ValueError, "choose from"),
        (lambda: FuncType(["x" * 100_000], []), ValueError, r"x\.\.\.' is not a value type"),
    ]
    for make, kind, message in wrong:
        with pytest.raises(kind, match=message):
            make()


def test_a_host_function_whose_result_is_wrong_is_named(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "answer", "", "i")
    builder.import_func("env", "pair", "", "ii")
    builder.func("", "i", op.call(0), export="one")
    builder.func("", "ii", op.call(1), export="two")
    module = wasmetal.Module(builder.build())

    def call(name: str, result: object) -> None:
        instance = module.instantiate({"env": {"answer": lambda: result, "pair": lambda: result}})
        instance.exports[name]()

    with pytest.raises(TypeError, match=r"env\.answer: result 1: i32 takes an int, not str"):
        call("one", "42")
    with pytest.raises(OverflowError, match=r"env\.answer: result 1: 4294967296 is out of range"):
        call("one", 1 << 32)
    with pytest.raises(TypeError, match=r"env\.pair: result 2: i32 takes an int, not NoneType"):
        call("two", (1, None))
    with pytest.raises(TypeError, match=r"env\.pair: 2 results expected, got 3"):
        call("two", (1, 2, 3))
    with pytest.raises(TypeError, match=r"env\.pair must return a tuple of 2 results, not int"):
        call("two", 1)


# The annotation of a host function, as it is written.


def quoted(caller: "wasmetal.Caller", value: int) -> None: ...  # noqa: UP037
def twice_quoted(caller: "'Host'", value: int) -> None: ...  # noqa: UP037
def plain(caller: Host, value: int) -> None: ...
def through_module(caller: other_name.Caller, value: int) -> None: ...
def optional(caller: Optional[Host], value: int) -> None: ...  # noqa: UP045
def union(caller: Host | None, value: int) -> None: ...
def annotated(caller: Annotated[Host, "the instance"], value: int) -> None: ...
def for_checkers(caller: typing_only.Caller, value: int) -> None: ...  # type: ignore[name-defined]  # noqa: F821


class Service:
    def method(self, caller: Host, value: int) -> None: ...
    @classmethod
    def of_class(cls, caller: Host, value: int) -> None: ...
    @staticmethod
    def static(caller: Host, value: int) -> None: ...


class Callable1:
    def __call__(self, caller: Host, value: int) -> None: ...


def decorated(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def wrapper(*args: object) -> None:
        return function(*args)

    return wrapper


def with_prefix(prefix: str, caller: Host, value: int) -> None: ...


WANTING: list[Callable[..., None]] = [
    *(quoted, twice_quoted, plain, through_module, optional, union, annotated, for_checkers),
    *(Service().method, Service.of_class, Service.static, Callable1()),
    *(decorated(plain), decorated(decorated(Service().method))),
    *(functools.partial(plain), functools.partial(with_prefix, "x"), decorated(functools.partial(plain))),
    functools.partial(Service().method),
]


class CallerId: ...


def other_class(caller: CallerId, value: int) -> None: ...
def callback(caller: Callable[[Host], None], value: int) -> None: ...
def second(value: int, caller: Host) -> None: ...
def unannotated(caller, value) -> None: ...  # type: ignore[no-untyped-def]
def unknown(caller: NothingOfThatName, value: int) -> None: ...  # type: ignore[name-defined]  # noqa: F821


NOT_WANTING: list[Callable[..., None]] = [
    *(other_class, callback, second, unannotated, unknown, print),
    functools.partial(plain, None),
]


def name_of(function: object) -> str:
    return getattr(function, "__name__", type(function).__name__)


@pytest.mark.parametrize("function", WANTING, ids=name_of)
def test_callers_are_recognised(function: Callable[..., None]) -> None:
    assert wasmetal.Func(function, NOTHING)._core.wants_caller
    assert not wasmetal.Func(function, NOTHING, caller=False)._core.wants_caller


@pytest.mark.parametrize("function", NOT_WANTING, ids=name_of)
def test_no_callers_are_recognised(function: Callable[..., None]) -> None:
    assert not wasmetal.Func(function, NOTHING)._core.wants_caller


def test_callers_by_request(wasm) -> None:
    seen = []
    builder = wasm()
    builder.import_func("env", "log", "i", "")
    builder.func("", "", wasm.op.i32(7) + wasm.op.call(0), export="run")
    func = wasmetal.Func(lambda *args: seen.append(args), FuncType(["i32"], []), caller=True)
    instance = wasmetal.Module(builder.build()).instantiate({"env": {"log": func}})
    instance.exports.run()
    caller, value = seen[0]
    assert isinstance(caller, wasmetal.Caller) and value == 7


def test_callers_named_in_a_function() -> None:
    from wasmetal import Caller

    def local(caller: Caller, value: int) -> None: ...

    assert wasmetal.Func(local, NOTHING)._core.wants_caller
