"""Engines and configurations."""

from __future__ import annotations

import gc
import pickle

import pytest

import wasmetal
from wasmetal import Config, Engine, InvalidError, Module, WasmError
from wasmetal.code.arena import arena


@pytest.fixture
def add(wasm) -> bytes:
    builder = wasm()
    op = wasm.op
    builder.func("ii", "i", op.get(0) + op.get(1) + op.I32_ADD, export="add")
    return builder.build()


@pytest.fixture
def invalid_body(wasm) -> bytes:
    builder = wasm()
    builder.func("", "i", b"", export="bad")
    builder.func("", "i", wasm.op.i32(1), export="good")
    return builder.build()


@pytest.mark.parametrize(
    "settings",
    [
        {"validation": "never"},
        {"compile": "sometimes"},
        {"bounds_checks": "none"},
        {"max_memory_pages": (1 << 48) + 1},
        {"max_memory_pages": -1},
        {"max_table_elements": -1},
        {"max_stack_bytes": 1024},
    ],
)
def test_wrong_settings(settings: dict) -> None:
    with pytest.raises(ValueError):
        Config(**settings)


@pytest.mark.parametrize("settings", [{"features": None}, {"hold_gil": "yes"}, {"cache": 1}, {"max_stack_bytes": 1e6}])
def test_settings_of_the_wrong_type(settings: dict) -> None:
    with pytest.raises(TypeError):
        Config(**settings)


def test_config_is_frozen_and_keyword_only() -> None:
    with pytest.raises(AttributeError):
        Config().backend = "other"
    with pytest.raises(TypeError):
        Config("amd64")


def test_unknown_backend() -> None:
    with pytest.raises(WasmError, match="no backend 'nonsense'"):
        Engine(Config(backend="nonsense"))


def test_default_engine_is_one() -> None:
    assert wasmetal.default_engine() is wasmetal.default_engine()
    assert wasmetal.default_engine().config == Config()


def test_equal_sources_are_compiled_once(add: bytes, clean: None) -> None:
    engine = Engine()
    assert engine.compiled_module_count == 0
    first = engine.compile(add)
    second = engine.compile(bytearray(add))
    assert first.code is second.code
    assert engine.compiled_module_count == 1
    del first, second
    assert engine.compiled_module_count == 0


def test_engines_share_nothing(add: bytes) -> None:
    assert Engine().compile(add).code is not Engine().compile(add).code


def test_instances_keep_the_code(add: bytes, clean: None) -> None:
    engine = Engine()
    function = engine.compile(add).instantiate().exports.add
    assert engine.compiled_module_count == 1
    assert function(2, 3) == 5
    del function
    assert engine.compiled_module_count == 0


def test_code_memory_is_given_back(add: bytes, clean: None) -> None:
    engine = Engine()
    engine.compile(add).instantiate().exports.add(1, 2)  # glue stays with the engine
    before = arena().bytes_in_use
    modules = [engine.compile(add + b"\0\2\1" + bytes([65 + i])) for i in range(5)]
    for module in modules:
        assert module.instantiate().exports.add(1, 2) == 3
    assert arena().bytes_in_use > before
    del modules, module
    assert arena().bytes_in_use == before


def test_code_is_compiled_on_the_first_call(add: bytes) -> None:
    module = Engine().compile(add)
    instance = module.instantiate()
    assert not module.code.is_compiled(0)
    instance.exports.add(1, 2)
    assert module.code.is_compiled(0)
    other = module.instantiate()
    assert other.exports.add(3, 4) == 7


def test_eager_compilation(add: bytes) -> None:
    module = Engine(Config(compile="eager")).compile(add)
    assert module.code.is_compiled(0)
    assert module.instantiate().exports.add(3, 4) == 7


def test_eager_validation(invalid_body: bytes) -> None:
    with pytest.raises(InvalidError) as caught:
        Engine().compile(invalid_body)
    assert caught.value.offset is not None
    with pytest.raises(InvalidError):
        Engine(Config(validation="lazy", compile="eager")).compile(invalid_body)


def test_lazy_validation_raises_from_the_call(invalid_body: bytes) -> None:
    exports = Engine(Config(validation="lazy")).compile(invalid_body).instantiate().exports
    assert exports.good() == 1
    for _ in range(2):
        with pytest.raises(InvalidError, match="type mismatch"):
            exports.bad()
    assert exports.good() == 1


def test_lazy_validation_raises_through_wasm_frames(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.func("", "", b"\x6a")
    builder.func("", "i", op.call(0) + op.i32(1), export="caller")
    exports = Engine(Config(validation="lazy")).compile(builder.build()).instantiate().exports
    for _ in range(2):
        with pytest.raises(InvalidError):
            exports.caller()


def test_delete_compiled_module(add: bytes, clean: None) -> None:
    engine = Engine()
    module = engine.compile(add)
    instance = module.instantiate()
    function = instance.exports.add
    assert function(1, 2) == 3
    engine.delete_compiled_module(module)
    assert function(1, 2) == 3
    again = module.instantiate()
    assert again.exports.add(3, 4) == 7
    assert function(1, 2) == 3
    assert engine.compiled_module_count == 1
    del instance, function
    assert again.exports.add(3, 4) == 7


def test_delete_compiled_module_frees_the_code(add: bytes, clean: None) -> None:
    engine = Engine()
    engine.compile(add).instantiate().exports.add(1, 2)
    before = arena().bytes_in_use
    module = engine.compile(add)
    module.instantiate().exports.add(1, 2)
    assert arena().bytes_in_use > before
    engine.delete_compiled_module(module)
    assert arena().bytes_in_use == before
    assert [export.name for export in module.exports] == ["add"]


def test_delete_a_module_of_another_engine(add: bytes) -> None:
    with pytest.raises(ValueError):
        Engine().delete_compiled_module(Engine().compile(add))


def test_features_are_those_of_the_config(wasm) -> None:
    builder = wasm()
    builder.func("i", "i", wasm.op.get(0) + b"\xc0", export="extend8")
    source = builder.build()
    assert Engine().compile(source).instantiate().exports.extend8(255) == -1
    with pytest.raises(wasmetal.CompileError):
        Engine(Config(features=wasmetal.Features.wasm_1_0())).compile(source)


def test_stack_size(wasm) -> None:
    builder = wasm()
    op = wasm.op
    # depth(n) = n == 0 ? 0 : depth(n - 1) + 1
    deeper = op.get(0) + op.i32(-1) + op.I32_ADD + op.call(0) + op.i32(1) + op.I32_ADD
    builder.func("i", "i", op.get(0) + op.if_("i", deeper, op.i32(0)), export="depth")
    source = builder.build()

    def fits(engine: Engine, depth: int) -> bool:
        try:
            return engine.compile(source).instantiate().exports.depth(depth) == depth
        except wasmetal.Trap as trap:
            assert trap.code is wasmetal.TrapCode.CALL_STACK_EXHAUSTED
            return False

    small = Engine(Config(max_stack_bytes=256 * 1024))
    large = Engine(Config(max_stack_bytes=64 << 20))
    assert fits(small, 1000) and not fits(small, 20_000)
    assert fits(large, 200_000)


def test_limits_of_memories_and_tables(wasm) -> None:
    builder = wasm()
    op = wasm.op
    builder.memory(2, 10, export="memory")
    builder.table("r", 5, export="table")
    builder.func("i", "i", op.get(0) + op.MEMORY_GROW, export="grow")
    source = builder.build()
    instance = Engine(Config(max_memory_pages=3)).compile(source).instantiate()
    assert instance.exports.grow(2) == -1
    assert instance.exports.grow(1) == 2
    assert instance.exports.grow(1) == -1
    with pytest.raises(WasmError, match="limit of 1"):
        Engine(Config(max_memory_pages=1)).compile(source).instantiate()
    with pytest.raises(WasmError, match="limit of 4"):
        Engine(Config(max_table_elements=4)).compile(source).instantiate()


def test_pickled_modules_share_an_engine(add: bytes) -> None:
    config = Config(hold_gil=True)
    module = Engine(config).compile(add)
    copies = [pickle.loads(pickle.dumps(module)) for _ in range(2)]
    assert copies[0].engine is copies[1].engine
    assert copies[0].engine.config == config
    assert copies[0].instantiate().exports.add(1, 2) == 3
    default = pickle.loads(pickle.dumps(Module(add)))
    assert default.engine is wasmetal.default_engine()
    gc.collect()


def test_hold_gil(add: bytes) -> None:
    exports = Engine(Config(hold_gil=True)).compile(add).instantiate().exports
    assert exports.add(20, 22) == 42
