"""Modules: what can be instantiated."""

from __future__ import annotations

import os
from collections.abc import Mapping

import wasmetal  # in annotations its names are looked up when somebody asks what they mean
from wasm_core.decoder import decode
from wasm_core.errors import CompileError, LinkError, WasmError
from wasm_core.features import Features
from wasm_core.module import DecodedModule
from wasm_core.quoting import quoted
from wasm_core.types import ExportType, ImportType
from wasmetal.compiled.compiled_module import CompiledModule
from wasmetal.config import Config
from wasmetal.engine import Engine, Source, default_engine, engine_for, key_of, name_file, read_source
from wasmetal.instance import Instance, instance_of
from wasmetal.memory import Buffer
from wasmetal.store.instance_core import instantiate as _instantiate
from wasmetal.system.hold import serialized

TYPE_CHECKING = False
if TYPE_CHECKING:
    import typing

    from wasm_text import SourceMap
    from wasmetal.compiled.listener import Listener
    from wasmetal.compiled.precompiled import Precompiled
else:
    from wasm_core import lazy_typing as typing

#: What a module is linked with: module names to mappings, instances, or exports of instances.
ImportMapping = Mapping[str, Mapping[str, object] | Instance]


def _engine(engine: Engine | None) -> Engine:
    if engine is None:
        return default_engine()
    # Not isinstance, which believes what objects say of themselves (`unittest.mock`).
    if not issubclass(type(engine), Engine):
        raise TypeError(f"an Engine is needed, not {type(engine).__name__}")
    return engine


@serialized
class Module:
    """A WebAssembly module, ready to be instantiated any number of times.

    It pickles, as its binary and the engine's configuration, and with its machine code where all functions have been
    compiled (`Config(compile="eager")`, `deserialize`). A process keeps the modules that it unpickled last, so the same
    one in every task of a worker is read and compiled once. Equal modules share their code.
    """

    __slots__ = (
        "__weakref__",
        "_compiled",
        "_engine",
        "_exports",
        "_file",
        "_imports",
        "_key",
        "_listener",
        "_source",
        "_source_map",
    )

    def __init__(
        self, source: Source, *, engine: Engine | None = None, listener: wasmetal.Listener | None = None
    ) -> None:
        """Load a module.

        Args:
            source: Path of a binary or of text format (.wat), a binary's bytes (anything bytes-like), or text format (a
                str that starts with "(").
            engine: Compiles it; `default_engine()` if None.
            listener: Is told about all calls of the module's functions.

        Raises:
            MalformedError, InvalidError: The source is not a valid module; for text format, a note shows the place.
            OSError: The file cannot be read.
            WasmError: There is no backend for this machine, or no reader of the text format.
        """
        binary, source_map = read_source(source)
        self._file = None if binary is source else source
        engine = _engine(engine)
        try:
            if source_map is None:
                self._load(binary, engine, listener, None)
            else:
                self._load_text(binary, source_map, engine, listener)
        except WasmError as error:
            name_file(error, source)
            raise

    def _load(self, source: bytes, engine: Engine, listener: Listener | None, precompiled: Precompiled | None) -> None:
        self._engine = engine
        self._source = source
        self._source_map: SourceMap | None = None
        self._listener = listener
        self._key = key_of(self._source, listener)
        self._imports: tuple[ImportType, ...] | None = None
        self._exports: tuple[ExportType, ...] | None = None
        self._compiled: CompiledModule | None = engine._compile(self._key, source, listener, precompiled)

    def _load_text(self, binary: bytes, source_map: SourceMap, engine: Engine, listener: Listener | None) -> None:
        """As `_load`; errors and traps tell where in the text they happen."""
        try:
            self._load(binary, engine, listener, None)
        except CompileError as error:
            source_map.explain(error)
            raise
        self._source_map = source_map
        self.code.source_map = source_map

    @classmethod
    def deserialize(cls, source: str | os.PathLike[str] | Buffer, *, engine: Engine | None = None) -> typing.Self:
        """Load a module that `serialize` or `wasmetal compile` has compiled.

        Only from a place that you trust: the bytes are machine code that runs with all rights of this process.

        Args:
            source: Path of a file, or the bytes.
            engine: Runs it; `default_engine()` if None.

        Raises:
            WasmError: This is not a compiled module, it is damaged, or it was compiled for another processor, another
                version of wasmetal or other features.
            OSError: The file cannot be read.
        """
        from wasmetal.compiled.precompiled import deserialize

        engine = _engine(engine)
        binary, _ = read_source(source)
        module = cls.__new__(cls)
        module._file = None if binary is source else source
        try:
            precompiled = deserialize(binary, engine.backend, engine.config)
            module._load(precompiled.source, engine, None, precompiled)
        except WasmError as error:
            name_file(error, source)
            raise
        return module

    def serialize(self) -> bytes:
        """The module with the machine code of all its functions, which are compiled if they are not yet.

        `deserialize` loads it without compiling anything, on a machine with the same kind of processor and the same
        version of wasmetal.

        Raises:
            CompileError: A function is malformed or invalid, or needs what the compiler does not have.
            TypeError: The module has a listener.
        """
        if self._listener is not None:
            raise TypeError("a module with a listener cannot be serialized: the listener would be lost")
        return self.code.serialize()

    @property
    def engine(self) -> Engine:
        """The engine that compiles the module."""
        return self._engine

    @property
    def code(self) -> CompiledModule:
        """The module's machine code (internal; for tools)."""
        code = self._compiled
        if code is None:
            code = self._compiled = self._engine._compile(self._key, self._source, self._listener)
            code.source_map = self._source_map
        return code

    @property
    def _decoded(self) -> DecodedModule:
        return self.code.module

    @property
    def source(self) -> bytes:
        """The binary."""
        return self._source

    @property
    def name(self) -> str | None:
        """The module's own name from its name section, or None."""
        return self.code.names.module_name

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What the module needs, in the order of the binary."""
        if self._imports is None:
            self._imports = tuple([ImportType(i.module, i.name, i.type) for i in self._decoded.imports])
        return self._imports

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What instances of the module offer, in the order of the binary."""
        if self._exports is None:
            decoded = self._decoded
            self._exports = tuple([ExportType(e.name, decoded.extern_type(e.kind, e.index)) for e in decoded.exports])
        return self._exports

    @property
    def custom_section_names(self) -> tuple[str, ...]:
        """Names of the custom sections, in the order of the binary; a name may occur several times."""
        return tuple([custom.name for custom in self._decoded.customs])

    def custom_sections(self, name: str) -> tuple[bytes, ...]:
        """Contents of the custom sections with this name; empty if there is none."""
        return tuple([self._source[c.start : c.end] for c in self._decoded.customs if c.name == name])

    def instantiate(self, imports: ImportMapping | None = None) -> Instance:
        """Make an instance: link it, write its segments, run its start function.

        Args:
            imports: For each module name that the module imports from, a mapping of names (or an instance, or the
                exports of one) with `Func` objects or any callables, `Memory`, `Table` and `Global` objects; plain
                values do for globals that cannot change.

        Raises:
            LinkError: An import is missing or has the wrong type.
            Trap: A segment does not fit, or the start function trapped. What was written to imported memories and
                tables stays.
            WasmError: A limit of the configuration is exceeded.
            MemoryError: There is no room.
        """
        try:
            return instance_of(_instantiate(self, self.engine._instances, self.code, imports))
        except LinkError as error:
            name_file(error, self._file)
            raise

    def __reduce_ex__(self, protocol: typing.SupportsIndex) -> tuple[typing.Any, ...]:
        if self._listener is not None:
            raise TypeError("a module with a listener cannot be pickled: the listener would be lost")
        from wasmetal.shipping import packed

        return packed(self, self._key[0], int(protocol))

    @classmethod
    def _unpacked(cls, content: bytes, compiled: bool, config: Config) -> typing.Self:
        """A module that was pickled, as what `serialize` returns where `compiled`, else as its binary."""
        engine = engine_for(config)
        if compiled:
            try:
                return cls.deserialize(content, engine=engine)
            except WasmError:
                # Compiled for another processor, or by another version.
                from wasmetal.compiled.precompiled import source_of

                content = source_of(content)
        return cls(content, engine=engine)

    def __repr__(self) -> str:
        name = "" if self.name is None else f" {quoted(self.name)}"
        return f"<Module{name}, {len(self._source)} bytes>"


def instantiate(source: Source | Module, imports: ImportMapping | None = None) -> Instance:
    """Load a module, if it is not one yet, and make an instance: `Module(source).instantiate(imports)`."""
    module = source if isinstance(source, Module) else Module(source)
    return module.instantiate(imports)


@serialized
def validate(source: Source, features: Features | None = None) -> None:
    """Check that a source is a valid module, all function bodies included. Needs no backend.

    Args:
        source: As in `Module`.
        features: Which parts of WebAssembly are on; `Features.default()` if None.

    Raises:
        MalformedError, InvalidError: It is not; the offset says where.
    """
    from wasm_core.validator import validate as validate_all

    features = Features.default() if features is None else features
    binary, source_map = read_source(source)
    try:
        validate_all(decode(binary, features), features)
    except WasmError as error:
        if source_map is not None and isinstance(error, CompileError):
            source_map.explain(error)
        name_file(error, source)
        raise
