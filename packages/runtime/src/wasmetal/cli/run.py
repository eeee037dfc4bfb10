"""`wasmetal run`: run a program, or call one function of a module."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping, Sequence

from wasm_core.errors import WasmError
from wasm_core.lazy_attrs import frozen
from wasm_core.quoting import listed, quoted, similar
from wasm_core.types import MAX_PAGES_64, PAGE_SIZE, FuncType, ValueType
from wasmetal.cli.failures import Failure, about, module_source
from wasmetal.code.code_file import PRECOMPILED_MAGIC
from wasmetal.config import MAX_FUEL, Config
from wasmetal.engine import Engine
from wasmetal.instance import Instance
from wasmetal.module import Module
from wasmetal.store.interruption import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from wasm_wasi import Preopened, Wasi

_WASI: Final = "wasi_snapshot_preview1"
# What stands behind a directory that the program cannot change.
_READ_ONLY: Final = ":ro"
_INTEGER_BITS: Final = {ValueType.I32: 32, ValueType.I64: 64}


@frozen(kw_only=True)
class Surroundings:
    """What a program is given, as the command line has it."""

    directories: Sequence[str] = ()
    environment: Sequence[str] = ()
    addresses: Sequence[str] = ()
    #: NAME=FILE: modules to be instantiated first, and the names under which their exports can be imported.
    preloads: Sequence[str] = ()
    #: Names of modules to be replaced by functions that do nothing; `standins.ALL` for all that is missing.
    stubs: Sequence[str] = ()


def _usage(message: str, option: str | None = None) -> Exception:
    """Wrong usage, to be raised; with an option it is the option's value that is wrong."""
    import click

    return click.UsageError(message) if option is None else click.BadParameter(message, param_hint=option)


def run(
    file: str,
    args: Sequence[str],
    surroundings: Surroundings,
    *,
    invoke: str | None,
    max_memory: int | None,
    timeout: float | None,
    backend: str | None = None,
    fuel: int | None = None,
    cache: bool = True,
    precompiled: bool = False,
) -> int:
    """Run the program in a file, or call one of its exports; the exit code. `timeout` is in seconds."""
    preopens = _preopens(surroundings.directories)
    variables = dict(map(_variable, surroundings.environment))
    preloads = [_preload(text) for text in surroundings.preloads]
    pages = Config().max_memory_pages if max_memory is None else _pages(max_memory)
    config = Config(
        backend=backend or "auto",
        cache=cache,
        max_memory_pages=pages,
        fuel=fuel is not None,
        initial_fuel=MAX_FUEL if fuel is None else fuel,
    )
    engine = _engine(config)
    source = module_source(file)
    with contextlib.ExitStack() as stack:
        stack.enter_context(about(file))
        if precompiled:
            module = Module.deserialize(source, engine=engine)
        elif isinstance(source, bytes) and source.startswith(PRECOMPILED_MAGIC):
            raise Failure(f"{file}: this is machine code: add --allow-precompiled if you trust whoever made it")
        else:
            module = engine.compile(source)
        functions = {export.name: export.type for export in module.exports if isinstance(export.type, FuncType)}
        name = _entry(file, functions, invoke)
        values = None if invoke is None else _arguments(functions[name], args)
        loaded = [(space, path, _load(engine, path)) for space, path in preloads]
        needs_wasi = any(_needs_wasi(each, surroundings.stubs) for each in (module, *(each for _, _, each in loaded)))
        wasi = None
        if needs_wasi:
            wasi = _wasi(file, () if invoke else args, variables, preopens, surroundings.addresses)
        stack.enter_context(contextlib.nullcontext() if timeout is None else deadline(timeout))
        if wasi is not None and values is None and not loaded and not surroundings.stubs:
            return _code(wasi.run(module))
        return _call(module, loaded, wasi, surroundings.stubs, name, values or ())


def _engine(config: Config) -> Engine:
    try:
        return Engine(config)
    except WasmError as error:
        # There is no such backend, or it is not for this machine.
        raise Failure(str(error)) from None


def _load(engine: Engine, file: str) -> Module:
    """A module that another one imports from."""
    source = module_source(file)
    with about(file):
        return engine.compile(source)


def _needs_wasi(module: Module, stubs: Sequence[str]) -> bool:
    return _WASI not in stubs and any(entry.module == _WASI for entry in module.imports)


def _pages(size: int) -> int:
    return min(size // PAGE_SIZE, MAX_PAGES_64)


def _preopens(directories: Iterable[str]) -> dict[str, tuple[str, bool]]:
    """Directory of the host, and whether it is read-only, by the name that the program knows it under."""
    preopens: dict[str, tuple[str, bool]] = {}
    for directory in directories:
        host, separator, guest = directory.partition("::")
        # (a directory of that name is given as HOST::GUEST)
        name, read_only = (guest if separator else host), False
        if name.endswith(_READ_ONLY):
            name, read_only = name.removesuffix(_READ_ONLY), True
        guest = name
        if not separator:
            host = name
        if not host or not guest:
            raise _usage(f"{directory!r} is not HOST[::GUEST][:ro]", "--dir")
        if guest in preopens:
            raise _usage(f"two directories have the name {guest!r}", "--dir")
        try:
            os.scandir(host).close()
        except OSError as error:
            raise Failure(f"--dir {host}: {error.strerror}") from None
        preopens[guest] = host, read_only
    return preopens


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name:
        raise _usage(f"{text!r} is not K=V", "--env")
    if separator:
        return name, value
    here = os.environ.get(name)
    if here is None:
        raise _usage(f"{name!r} is not set here: write {name}=VALUE", "--env")
    return name, here


def _preload(text: str) -> tuple[str, str]:
    name, separator, file = text.partition("=")
    if not separator or not file:
        raise _usage(f"{text!r} is not NAME=FILE", "--preload")
    return name, file


def _entry(file: str, functions: Mapping[str, FuncType], invoke: str | None) -> str:
    """The name of the function to call."""
    if invoke is None:
        if "_start" in functions:
            return "_start"
        names = listed(functions) or "none"
        raise Failure(f"{file}: no _start, so it is not a program; name a function with --invoke (there are: {names})")
    if invoke in functions:
        return invoke
    raise Failure(f"{file}: exports no function {quoted(invoke)}{similar(invoke, functions)}")


def _arguments(func_type: FuncType, texts: Sequence[str]) -> tuple[int | float, ...]:
    if len(texts) != len(func_type.params):
        raise _usage(f"the function takes {len(func_type.params)} arguments {func_type}, not {len(texts)}")
    return tuple(map(_value, func_type.params, texts))


def _value(value_type: ValueType, text: str) -> int | float:
    bits = _INTEGER_BITS.get(value_type)
    try:
        if bits is None and value_type in (ValueType.F32, ValueType.F64):
            return float(text)
        if bits is not None:
            value = int(text, 0)
            if -(1 << (bits - 1)) <= value < 1 << bits:
                return value
            raise _usage(f"{text} is out of range for {value_type}")
    except ValueError:
        raise _usage(f"{text!r} is not a number for {value_type}") from None
    raise _usage(f"values of type {value_type} cannot be given on the command line")


def _wasi(
    file: str,
    args: Sequence[str],
    environment: Mapping[str, str],
    preopens: Mapping[str, tuple[str, bool]],
    addresses: Sequence[str],
) -> Wasi:
    try:
        from wasm_wasi import Wasi
    except ModuleNotFoundError:
        raise Failure(f"{file}: the program needs WASI: pip install wasm-wasi") from None
    given: dict[str, Preopened] = {}
    for name, (host, read_only) in preopens.items():
        if read_only:
            from wasm_wasi import Directory

            given[name] = Directory(host, read_only=True)
        else:
            given[name] = host
    try:
        return Wasi(args=[os.path.basename(file), *args], env=environment, preopens=given, sockets=addresses)
    except ValueError as error:
        raise _usage(str(error)) from None


_Loaded = Sequence[tuple[str, str, Module]]


def _call(
    module: Module,
    loaded: _Loaded,
    wasi: Wasi | None,
    stubs: Sequence[str],
    name: str,
    values: Sequence[int | float],
) -> int:
    """Call one function and print its results."""
    with contextlib.ExitStack() as stack:
        if wasi is None:
            _print(_results(stack, module, loaded, {}, stubs, name, values, reactor=False))
            return 0
        from wasm_wasi import Exit

        stack.enter_context(wasi)
        try:
            _print(_results(stack, module, loaded, wasi.imports, stubs, name, values, reactor=True))
        except Exit as exit:
            return _code(exit.code)
    return 0


def _code(code: int) -> int:
    """As much of an exit code as a process has."""
    return code & 0xFF


def _results(
    stack: contextlib.ExitStack,
    module: Module,
    loaded: _Loaded,
    given: Mapping[str, Mapping[str, object]],
    stubs: Sequence[str],
    name: str,
    values: Sequence[int | float],
    *,
    reactor: bool,
) -> object:
    """Instantiate all modules, until the stack is left, and call a function of the last one."""
    imports: dict[str, Mapping[str, object] | Instance] = dict(given)
    for space, file, each in loaded:
        with about(file):
            instance = stack.enter_context(each.instantiate(_with_stubs(each, imports, stubs)))
            if reactor:
                _initialize(instance)
        imports[space] = instance
    instance = stack.enter_context(module.instantiate(_with_stubs(module, imports, stubs)))
    if reactor and name not in ("_initialize", "_start"):
        _initialize(instance)
    exports: Mapping[str, Any] = instance.exports
    result: object = exports[name](*values)
    return result


def _initialize(instance: Instance) -> None:
    # A library for WASI is to be initialized before anything else is called (WASI application ABI, "reactors").
    if "_initialize" in instance.exports:
        instance.exports["_initialize"]()


def _with_stubs(
    module: Module, imports: Mapping[str, Mapping[str, object] | Instance], stubs: Sequence[str]
) -> Mapping[str, Mapping[str, object] | Instance]:
    if not stubs:
        return imports
    from wasmetal.cli import standins

    given = {**imports, **{space: standins.of_space(module, space) for space in stubs if space != standins.ALL}}
    return standins.of_missing(module, given) if standins.ALL in stubs else given


def _print(result: object) -> None:
    if result is None:
        return
    for value in result if isinstance(result, tuple) else (result,):
        print(f"0x{value[::-1].hex()}" if isinstance(value, bytes) else value)
