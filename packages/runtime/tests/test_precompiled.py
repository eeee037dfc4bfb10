"""Compiled modules as bytes."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

import wasmetal
from wasm_core.decoder import decode
from wasm_core.features import Features
from wasm_ir.frontend_options import FrontendOptions
from wasmetal import Config, Engine, MalformedError, Module, WasmError
from wasmetal.compiled import precompiled
from wasmetal.compiled.compiled_module import CompiledModule
from wasmetal.compiled.precompiled import compile_all, serialize


@pytest.fixture
def program(wasm) -> bytes:
    builder = wasm()
    op = wasm.op
    builder.import_func("host", "log", "i", "")
    add = builder.func("ii", "i", op.get(0) + op.get(1) + op.I32_ADD, export="add")
    builder.func("i", "i", op.get(0) + op.call(0) + op.get(0) + op.get(0) + op.call(add), export="double")
    return builder.build()


def double(module: Module) -> object:
    seen: list[int] = []
    instance = module.instantiate({"host": {"log": lambda value: seen.append(value)}})
    result = instance.exports.double(21)
    assert seen == [21]
    return result


@pytest.fixture
def no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    def assemble(self: CompiledModule, index: int) -> object:
        raise AssertionError(f"function {index} is compiled")

    monkeypatch.setattr(CompiledModule, "assemble", assemble)


def test_nothing_is_left_to_compile(program: bytes, tmp_path: Path, no_compiler: None) -> None:
    content = Module(program, engine=Engine()).serialize()
    module = Module.deserialize(content, engine=Engine())
    assert double(module) == 42
    assert module.source == program
    assert [export.name for export in module.exports] == ["add", "double"]
    path = tmp_path / "program.cwasm"
    path.write_bytes(content)
    assert double(Module.deserialize(path, engine=Engine())) == 42
    assert double(Module.deserialize(str(path), engine=Engine())) == 42


def test_what_is_compiled_is_not_compiled_again(program: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(Config(compile="eager"))
    module = Module(program, engine=engine)
    monkeypatch.setattr(type(engine.backend), "compile", None)
    assert double(Module.deserialize(module.serialize(), engine=Engine())) == 42


def test_other_options_are_compiled(program: bytes) -> None:
    content = Module(program, engine=Engine()).serialize()
    assert double(Module.deserialize(content, engine=Engine(Config(bounds_checks="explicit")))) == 42


def test_untrusted_bytes_are_never_taken_for_it(program: bytes, tmp_path: Path) -> None:
    content = Module(program).serialize()
    path = tmp_path / "program.wasm"
    path.write_bytes(content)
    for source in (content, path, str(path)):
        with pytest.raises(MalformedError, match=r"Module\.deserialize"):
            Module(source)
    with pytest.raises(MalformedError):
        wasmetal.validate(content)


def test_damage(program: bytes) -> None:
    content = Module(program).serialize()
    engine = Engine()
    for position in range(0, len(content), 7):
        damaged = bytearray(content)
        damaged[position] ^= 4
        try:
            module = Module.deserialize(bytes(damaged), engine=engine)
        except WasmError:
            continue
        # One function's code is damaged: it is compiled.
        assert double(module) == 42
        engine.delete_compiled_module(module)


@pytest.mark.parametrize("content", [b"", b"\0metalpre", b"\0asm\x01\0\0\0", b"\0metalpre" + b"\xff" * 100])
def test_something_else(content: bytes) -> None:
    with pytest.raises(WasmError, match="not a compiled module"):
        Module.deserialize(content)


def test_other_machines_and_versions(program: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine()
    backend = type(engine.backend)
    content = Module(program, engine=engine).serialize()
    with monkeypatch.context() as context:
        context.setattr(backend, "name", "pdp11")
        with pytest.raises(WasmError, match="not for pdp11"):
            Module.deserialize(content, engine=Engine())
    with monkeypatch.context() as context:
        context.setattr(precompiled, "runtime_interface", lambda: "another")
        with pytest.raises(WasmError, match="another version"):
            Module.deserialize(content, engine=engine)
    with pytest.raises(WasmError, match="other parts of WebAssembly"):
        Module.deserialize(content, engine=Engine(Config(features=Features.wasm_1_0())))


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="features of x86-64")
def test_processor_features(program: bytes) -> None:
    engine = Engine()
    plain = type(engine.backend)(("sse4_1",))
    module, options = decode(program), FrontendOptions()
    blobs = compile_all(module, Features.default(), plain, options)
    content = serialize(program, Features.default(), plain, options, blobs)
    assert double(Module.deserialize(content, engine=engine)) == 42
    if engine.backend.cpu_features != plain.cpu_features:
        content = Module(program, engine=engine).serialize()
        engine = Engine()
        engine._backend = plain
        with pytest.raises(WasmError, match="compiled for processors with"):
            Module.deserialize(content, engine=engine)


def test_progress(program: bytes) -> None:
    seen: list[tuple[int, int]] = []
    module = decode(program)
    compile_all(
        module, Features.default(), Engine().backend, FrontendOptions(), lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 2), (2, 2)]


def test_listeners_are_not_lost_silently(program: bytes) -> None:
    class Listener:
        def before(self, definition, params) -> None: ...

        def after(self, definition, results) -> None: ...

    with pytest.raises(TypeError, match="listener"):
        Engine().compile(program, listener=Listener()).serialize()
