"""The protocols: what has the members is an instance."""

from __future__ import annotations

from collections.abc import Mapping

from wasm_core import Engine, ExportType, FunctionDefinition, FuncType, ImportType, Instance, Listener, Module


class MinimalInstance:
    exports: Mapping[str, object] = {}

    def close(self) -> None:
        pass


class MinimalModule:
    imports: tuple[ImportType, ...] = ()
    exports: tuple[ExportType, ...] = ()

    def instantiate(self, imports: Mapping[str, Mapping[str, object]] | None = None) -> Instance:
        return MinimalInstance()


class MinimalEngine:
    compiled_module_count = 0

    def compile(self, source: bytes, *, listener: Listener | None = None) -> Module:
        return MinimalModule()

    def delete_compiled_module(self, module: Module) -> None:
        pass


class MinimalListener:
    def before(self, definition: FunctionDefinition, params: tuple[object, ...]) -> None:
        pass

    def after(self, definition: FunctionDefinition, results: tuple[object, ...]) -> None:
        pass


class MinimalDefinition:
    index = 0
    name = None
    module_name = None
    type = FuncType()


def test_protocols() -> None:
    engine: Engine = MinimalEngine()
    listener: Listener = MinimalListener()
    definition: FunctionDefinition = MinimalDefinition()
    module = engine.compile(b"", listener=listener)
    assert isinstance(engine, Engine)
    assert isinstance(module, Module)
    assert isinstance(module.instantiate(), Instance)
    assert isinstance(listener, Listener)
    assert isinstance(definition, FunctionDefinition)
    assert not isinstance(object(), Engine)
    assert not isinstance(engine, Module)
