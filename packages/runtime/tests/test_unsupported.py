"""What is read and validated but cannot be run yet: refused by name, at the latest moment."""

from __future__ import annotations

import pickle
from collections.abc import Callable

import pytest

import wasmetal
from wasmetal import Config, Engine, Features, FuncType, LinkError, Module, Unsupported, ValueType

if not any(backend.supported for backend in wasmetal.backends()):
    pytest.skip("no backend for this machine", allow_module_level=True)

#: (type (func)) (type (func (result i32)))
TYPES = b"\x02\x60\0\0\x60\0\x01\x7f"


def module(*sections: tuple[int, bytes]) -> bytes:
    """A binary of sections that are shorter than 128 bytes."""
    return b"\0asm\1\0\0\0" + b"".join([bytes([number, len(content)]) + content for number, content in sections])


def functions(*codes: bytes, types: bytes = TYPES, exports: bytes = b"") -> bytes:
    """A module whose functions have type 1 and these bodies."""
    bodies = b"".join([bytes([len(code) + 2, 0]) + code + b"\x0b" for code in codes])
    return module(
        (1, types),
        (3, bytes([len(codes)]) + b"\x01" * len(codes)),
        *([(7, exports)] if exports else []),
        (10, bytes([len(codes)]) + bodies),
    )


@pytest.mark.parametrize(
    ("source", "feature"),
    [
        (module((1, b"\x01\x5f\0"), (6, b"\x01\x64\0\0\xfb\x01\0\x0b")), "gc"),
    ],
)
def test_instantiation(source: bytes, feature: str) -> None:
    wasmetal.validate(source)
    loaded = Module(source)
    assert all(export.name for export in loaded.exports)
    with pytest.raises(Unsupported, match=f"needs the feature {feature}, which cannot be run yet") as caught:
        dict(loaded.instantiate().exports)
    assert caught.value.feature == feature
    again = pickle.loads(pickle.dumps(caught.value))
    assert (type(again), str(again), again.feature) == (Unsupported, str(caught.value), feature)


def test_threads_and_page_sizes_are_off() -> None:
    for flags, feature in ((b"\x03\x01\x01", "threads"), (b"\x08\x01\0", "custom_page_sizes")):
        source = module((5, b"\x01" + flags))
        with pytest.raises(Unsupported, match=f"needs the feature {feature}, which is switched off"):
            Module(source)
    engine = Engine(Config(features=Features(threads=True)))
    with pytest.raises(Unsupported, match="needs the feature threads, which cannot be run yet"):
        Module(module((5, b"\x01\x03\x01\x01")), engine=engine).instantiate()


def test_functions_are_refused_when_they_are_called() -> None:
    source = functions(
        b"\x41\x05",
        b"\x41\0\xfb\x1c\xfb\x1d",
        b"\0\x41\0\xfb\x1c\xfb\x1d",
        exports=b"\x03\x01a\0\0\x01b\0\x01\x01c\0\x02",
    )
    exports = Module(source).instantiate().exports
    assert exports.a() == 5
    with pytest.raises(Unsupported, match=r"^ref\.i31 needs the feature gc, which cannot be run yet \(function 1\)"):
        exports.b()
    # What cannot be reached needs nothing.
    with pytest.raises(wasmetal.Trap, match="unreachable"):
        exports.c()
    assert exports.a() == 5
    with pytest.raises(Unsupported):
        Engine(Config(compile="eager")).compile(source)


def test_extended_constant_expressions_run() -> None:
    # i32: 7 * 6 - 2; i64: that global's neighbour; an imported one plus 1.
    source = module(
        (2, b"\x01\x01m\x01g\x03\x7f\0"),
        (5, b"\x01\0\x01"),
        (
            6,
            b"\x04\x7f\0\x41\x07\x41\x06\x6c\x41\x02\x6b\x0b"
            b"\x7f\0\x23\x01\x0b\x7f\0\x23\0\x41\x01\x6a\x0b\x7e\0\x42\0\x42\x01\x7d\x0b",
        ),
        (7, b"\x05\x01a\x03\x01\x01b\x03\x02\x01c\x03\x03\x01d\x03\x04\x01m\x02\0"),
        (11, b"\x01\0\x23\x03\x41\x01\x6a\x0b\x02hi"),
    )
    exports = Module(source).instantiate({"m": {"g": -1}}).exports
    assert [exports[name].value for name in "abcd"] == [40, 40, 0, -1]
    assert exports.m[0:4] == b"\0hi\0"


def _linked(exporter: bytes, importer: bytes) -> Callable[[], object]:
    """Link the function `f` of a module of this type with an import of that type."""
    exported = Module(
        module((1, exporter), (3, b"\x01\0"), (7, b"\x01\x01f\0\0"), (10, b"\x01\x02\0\x0b"))
    ).instantiate()
    imported = Module(module((1, importer), (2, b"\x01\x01m\x01f\0\0"), (7, b"\x01\x01f\0\0")))
    return imported.instantiate({"m": exported}).exports.f


def test_functions_are_linked_by_what_their_types_are() -> None:
    plain = b"\x01\x60\0\0"
    open_type = b"\x01\x50\0\x60\0\0"
    paired = b"\x01\x4e\x02\x60\0\0\x5f\0"
    for type in (plain, open_type, paired):
        _linked(type, type)()
    for exporter, importer in (
        (plain, open_type),
        (open_type, plain),
        (plain, paired),
        (paired, plain),
    ):
        with pytest.raises(LinkError, match="incompatible import type"):
            _linked(exporter, importer)
    # A subtype will do.
    exported = Module(
        module(
            (1, b"\x02\x50\0\x60\0\0\x50\x01\0\x60\0\0"),
            (3, b"\x01\x01"),
            (7, b"\x01\x01f\0\0"),
            (10, b"\x01\x02\0\x0b"),
        )
    ).instantiate()
    Module(module((1, open_type), (2, b"\x01\x01m\x01f\0\0"))).instantiate({"m": exported})


def test_references_to_objects_are_null() -> None:
    """There are no objects yet: nothing but None is taken, and no null where the type excludes it."""
    for name in ("anyref", "eqref", "i31ref", "structref", "arrayref", "nullref", "nullexternref", "nullexnref"):
        cell = wasmetal.Global(wasmetal.GlobalType(name, mutable=True), None)
        cell.value = None
        assert cell.value is None
        with pytest.raises(TypeError, match=f"{name} takes nothing but None"):
            cell.value = 5
    table = wasmetal.Table(wasmetal.TableType("anyref", 3))
    with pytest.raises(TypeError, match="anyref takes nothing but None"):
        table[1] = "x"
    assert list(table) == [None] * 3
    calls: list[object] = []
    func = wasmetal.Func(calls.append, FuncType([ValueType("(ref i31)")]))
    with pytest.raises(TypeError):
        func(None)
    with pytest.raises(TypeError):
        func(5)
    assert not calls
