"""Engines: a configuration, a backend, and the modules that were compiled with them."""

from __future__ import annotations

import os
from weakref import WeakValueDictionary

import wasm_ir  # in annotations its names are looked up when somebody asks what they mean, as are those of wasmetal
import wasmetal
from wasm_core.decoder import decode
from wasm_core.errors import MalformedError, WasmError
from wasm_core.module import DecodedModule
from wasm_core.quoting import shown
from wasmetal.code.cache import CodeCache, ModuleCache, default_directory
from wasmetal.code.checksum import digest
from wasmetal.code.code_file import MODULE_VALID, PRECOMPILED_MAGIC
from wasmetal.compiled.compiled_module import CompiledModule, frontend_options
from wasmetal.config import Config
from wasmetal.glue.glue import Glue
from wasmetal.memory import Buffer
from wasmetal.registry.selection import select
from wasmetal.store.shared_glue import glue_for
from wasmetal.system.hold import Turns, serialized, unserialized
from wasmetal.system.lifetime import Census

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_text import SourceMap
    from wasmetal.compiled.listener import Listener
    from wasmetal.compiled.precompiled import Precompiled

#: Where a module comes from: a path (of a binary, or .wat), a binary's bytes, or text format (a str that starts with
#: "(").
Source = str | os.PathLike[str] | Buffer

#: Characters of a path that messages show.
_MAX_PATH: Final = 400


#: What a binary starts with.
_MAGIC: Final = b"\0asm"


@serialized
class Engine:
    """Compiles modules. What was compiled once is shared as long as any module or instance uses it.

    Engines are independent of each other, and may be used by several threads.
    """

    def __init__(self, config: Config | None = None) -> None:
        """Make an engine.

        Args:
            config: Settings; `Config()` if None.

        Raises:
            TypeError: `config` is no Config.
            WasmError: There is no such backend, or it is not for this machine.
        """
        if config is None:
            config = Config()
        elif not issubclass(type(config), Config):
            raise TypeError(f"a Config is needed, not {type(config).__name__}")
        cache, backend = cache_of(config), select(config.backend)()
        self._config = config
        self._cache = cache
        self._backend: wasm_ir.Backend = backend
        self._turns = Turns()
        self._glue: Glue | None = None
        #: Counts the instances of modules of this engine.
        self._instances = Census()
        #: By content, and by listener, which code with calls to it is kept apart for.
        self._compiled: WeakValueDictionary[tuple[bytes, int], CompiledModule] = WeakValueDictionary()

    @property
    def config(self) -> Config:
        """The settings."""
        return self._config

    @property
    def backend(self) -> wasm_ir.Backend:
        """The backend that compiles for this engine."""
        return self._backend

    @property
    def glue(self) -> Glue:
        """The machine code between Python and WebAssembly."""
        if self._glue is None:
            with self._turns.wait():
                if self._glue is None:
                    self._glue = glue_for(self._backend, self._cache)
        return self._glue

    def compile(self, source: Source, *, listener: wasmetal.Listener | None = None) -> wasmetal.Module:
        """Make a module.

        Functions are validated, and compiled, now or on their first call, as the configuration says.

        Args:
            source: Path of a binary or of text format (.wat), a binary's bytes (anything bytes-like), or text format (a
                str that starts with "(").
            listener: Is told about all calls of the module's functions.

        Raises:
            MalformedError, InvalidError: The source is not a valid module.
            CompileError: A function needs what the compiler does not have (only with `compile="eager"`).
            OSError: The file cannot be read.
            WasmError: Text format, without the package that reads it; or the module is over the limit of the
                configuration.
        """
        from wasmetal.module import Module

        return Module(source, engine=self, listener=listener)

    @property
    def compiled_module_count(self) -> int:
        """How many compiled modules are alive: equal sources count once."""
        return len(self._compiled)

    def delete_compiled_module(self, module: wasmetal.Module) -> None:
        """Forget the code of a module.

        Its memory is given back when the last instance is gone; instances go on running. When the module is used again
        it is compiled again.

        Raises:
            ValueError: The module belongs to another engine.
        """
        if module.engine is not self:
            raise ValueError("the module belongs to another engine")
        with self._turns.wait():
            key = module._key
            if self._compiled.get(key) is module._compiled:
                self._compiled.pop(key, None)
            module._compiled = None

    def _compile(
        self,
        key: tuple[bytes, int],
        module: DecodedModule | bytes,
        listener: Listener | None,
        precompiled: Precompiled | None = None,
    ) -> CompiledModule:
        """The code of a module, which is only decoded if it has to be."""
        found = self._compiled.get(key)
        if found is None:
            with self._turns.wait():
                found = self._compiled.get(key)
                if found is None:
                    made = self._load(key, module, listener, precompiled)
                    found = self._compiled.setdefault(key, made)
        found.finish()
        return found

    @unserialized
    def _load(
        self,
        key: tuple[bytes, int],
        module: DecodedModule | bytes,
        listener: Listener | None,
        precompiled: Precompiled | None,
    ) -> CompiledModule:
        """Decode a module, and validate it but for its function bodies."""
        config = self._config
        if isinstance(module, bytes):
            if len(module) > config.max_module_bytes:
                raise WasmError(f"a module of {len(module)} bytes is over the limit of {config.max_module_bytes}")
            if module.startswith(PRECOMPILED_MAGIC):
                raise MalformedError(
                    "this is machine code of a compiled module, not a binary: Module.deserialize loads it, "
                    "if you trust whoever made it",
                    0,
                )
            module = decode(module, config.features)
        explicit = config.bounds_checks == "explicit"
        cache = ModuleCache(self._cache, key[0], config.features, self._backend)
        if precompiled is not None:
            cache.add(precompiled.options, precompiled.code)
        entry = cache.entry(frontend_options(config, self._backend, explicit, listener))
        if not entry.flags & MODULE_VALID:
            from wasm_core.validator import validate_module

            validate_module(module, config.features)
            entry.learn(MODULE_VALID)
        return CompiledModule(module, config, self._backend, self.glue, listener, explicit, cache)

    def __repr__(self) -> str:
        return f"<Engine, backend {self._backend.name!r}, {len(self._compiled)} compiled modules>"


def _is_text(source: object) -> bool:
    return isinstance(source, str) and source.lstrip().startswith(("(", ";;"))


def name_file(error: WasmError, source: object) -> None:
    """Let the message of an error name the file that it is about, where `source` is a path."""
    if isinstance(source, (str, os.PathLike)) and not _is_text(source):
        message, *more = error.args
        error.args = (f"{shown(os.fsdecode(source), _MAX_PATH)}: {message}", *more)


def read_source(source: Source) -> tuple[bytes, SourceMap | None]:
    """The binary that a source stands for; for text format also the places that its instructions come from.

    Raises:
        OSError: The file cannot be read.
        MalformedError: Text format that is no module.
        WasmError: Text format, without the package that reads it.
        TypeError: It is neither a path nor bytes-like.
    """
    # (a class derived from bytes may show other bytes each time)
    if type(source) is bytes:
        return source, None
    if _is_text(source):
        from wasmetal.text import assemble

        assert isinstance(source, str)
        return assemble(source)
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        # Plain: what can be a number as well would be taken for a descriptor, and that closed.
        name = str.__str__(path) if isinstance(path, str) else memoryview(path).tobytes()
        with open(name, "rb") as file:
            data = file.read()
        if name[-4:] in (".wat", b".wat") and not data.startswith(_MAGIC):
            from wasmetal.text import assemble

            return assemble(data, os.fsdecode(name))
        return data, None
    try:
        return memoryview(source).tobytes(), None
    except TypeError:
        raise TypeError(f"a module is a path or bytes-like, not {type(source).__name__}") from None


def key_of(source: bytes, listener: Listener | None) -> tuple[bytes, int]:
    """Under which a module's code is found again."""
    return digest(source), 0 if listener is None else id(listener)


def cache_of(config: Config) -> CodeCache | None:
    """The cache that a configuration asks for."""
    if config.cache is None or config.cache is False:
        return None
    return CodeCache(default_directory() if config.cache is True else config.cache, config.cache_limit)


_default: Engine | None = None
_default_turns = Turns()
#: Engines of modules that were unpickled.
_by_config: WeakValueDictionary[Config, Engine] = WeakValueDictionary()


@serialized
def default_engine() -> Engine:
    """The engine of modules that were not given one: it has the default configuration. Made on first use."""
    global _default
    if _default is None:
        with _default_turns.wait():
            made = Engine() if _default is None else _default
            # (a signal handler may have made one meanwhile; no call stands between these)
            if _default is None:
                _default = made
    return _default


@serialized
def engine_for(config: Config) -> Engine:
    """An engine with this configuration, shared by those who ask here."""
    if config == Config():
        return default_engine()
    with _default_turns.wait():
        found = _by_config.get(config)
        return _by_config.setdefault(config, Engine(config)) if found is None else found
