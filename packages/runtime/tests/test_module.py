"""Modules: sources, descriptions, pickling."""

from __future__ import annotations

import array
import pickle
import tracemalloc
from pathlib import Path

import pytest

import wasmetal
from wasm_core.testing import binary
from wasm_core.testing.binary import section, sized, unsigned
from wasmetal import (
    Config,
    Engine,
    ExportType,
    Features,
    FuncType,
    GlobalType,
    ImportType,
    InvalidError,
    MalformedError,
    MemoryType,
    Module,
    TableType,
    WasmError,
)


@pytest.fixture
def source(wasm) -> bytes:
    builder = wasm()
    op = wasm.op
    builder.import_func("env", "log", "iF", "")
    builder.import_global("env", "base", "i")
    builder.func("", "I", op.i64(7), export="seven")
    builder.memory(1, 3, export="memory")
    builder.table("r", 2, export="table")
    builder.glob("f", b"\x43\0\0\0\0", mutable=True, export="level")
    builder.export("log", 0, 0)
    builder.custom("notes", b"one")
    builder.custom("notes", b"two")
    builder.names("demo", {0: "log", 1: "lucky"})
    return builder.build()


def test_descriptions(source: bytes) -> None:
    module = Module(source)
    assert module.imports == (
        ImportType("env", "log", FuncType(["i32", "f64"])),
        ImportType("env", "base", GlobalType("i32")),
    )
    assert module.exports == (
        ExportType("seven", FuncType([], ["i64"])),
        ExportType("memory", MemoryType(1, 3)),
        ExportType("table", TableType("funcref", 2)),
        ExportType("level", GlobalType("f32", True)),
        ExportType("log", FuncType(["i32", "f64"])),
    )
    assert module.name == "demo"
    assert module.custom_section_names == ("notes", "notes", "name")
    assert module.custom_sections("notes") == (b"one", b"two")
    assert module.custom_sections("absent") == ()
    assert module.source == source
    assert "demo" in repr(module)


def test_sources(source: bytes, tmp_path: Path) -> None:
    path = tmp_path / "module.wasm"
    path.write_bytes(source)
    for form in (source, bytearray(source), memoryview(source), array.array("B", source), str(path), path):
        assert Module(form).source == source


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Module(str(tmp_path / "absent.wasm"))


@pytest.mark.parametrize("text", ["(module)", "\n  (module)"])
def test_text_format_is_refused_with_advice(text: str) -> None:
    with pytest.raises(WasmError, match="wasm-text"):
        Module(text)


@pytest.mark.parametrize("source", [None, 7, ["bytes"]])
def test_sources_of_the_wrong_type(source: object) -> None:
    with pytest.raises(TypeError, match="path or bytes-like"):
        Module(source)


def test_malformed() -> None:
    with pytest.raises(MalformedError) as caught:
        Module(b"\0asm\1\0\0\0\x0e\0")
    assert caught.value.offset == 8


def test_validate(wasm) -> None:
    builder = wasm()
    builder.func("", "i", b"")
    with pytest.raises(InvalidError, match="type mismatch"):
        wasmetal.validate(builder.build())
    good = wasm()
    good.func("i", "i", wasm.op.get(0) + b"\xc0")
    wasmetal.validate(good.build())
    with pytest.raises(wasmetal.CompileError):
        wasmetal.validate(good.build(), features=Features.wasm_1_0())


def test_pickle(source: bytes) -> None:
    module = Module(source)
    copy = pickle.loads(pickle.dumps(module))
    assert copy.exports == module.exports
    assert copy.code is module.code


def test_a_module_with_a_listener_does_not_pickle(source: bytes) -> None:
    module = wasmetal.default_engine().compile(source, listener=object())
    with pytest.raises(TypeError, match="listener"):
        pickle.dumps(module)


def test_instantiate_does_both_steps(wasm) -> None:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(5), export="five")
    assert wasmetal.instantiate(builder.build()).exports.five() == 5
    assert wasmetal.instantiate(Module(builder.build())).exports.five() == 5


def test_empty_module() -> None:
    module = Module(b"\0asm\1\0\0\0")
    assert module.imports == module.exports == ()
    assert module.name is None
    assert len(module.instantiate().exports) == 0


def test_many_functions_take_little_memory() -> None:
    """As many as large programs have: bodies are only located, and nothing is made for each function."""
    count = 46_000
    body = b"\0" + b"\x20\0\x1a" * 30 + b"\x20\0\x0b"
    source = binary.module(
        section(1, b"\x01\x60\x01\x7f\x01\x7f"),
        section(3, unsigned(count) + b"\0" * count),
        section(7, b"\x01\x03run\0" + unsigned(count - 1)),
        section(10, unsigned(count) + sized(body) * count),
    )
    engine = Engine(Config(validation="lazy"))
    engine.compile(source[:8]).instantiate()
    tracemalloc.start()
    try:
        instance = engine.compile(source).instantiate()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert instance.exports.run(5) == 5
    assert peak < 60 * count, peak


def test_what_validation_found_is_kept_for_compiling_however_long_the_names_are(wasm, monkeypatch) -> None:
    builder = wasm()
    builder.func("", "i", wasm.op.i32(1), export="one")
    padding = section(0, bytes((2 << 20) + 1))
    exports = Module(builder.build() + padding).instantiate().exports
    monkeypatch.setattr("wasm_core.body_validator.validate_body", None)
    assert exports.one() == 1
