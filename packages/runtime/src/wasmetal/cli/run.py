"""`wasmetal run`: run a program, or call one function of a module."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence

from wasm_core.lazy_attrs import frozen
from wasm_core.quoting import listed, quoted, similar
from wasm_core.types import MAX_PAGES_64, PAGE_SIZE, FuncType, ValueType
from wasmetal.cli.failures import Failure, about, module_source
from wasmetal.code.code_file import PRECOMPILED_MAGIC
from wasmetal.config import Config
from wasmetal.engine import Engine
from wasmetal.function import Func
from wasmetal.module import Module
from wasmetal.store.interruption import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    from wasm_wasi import Preopened, Wasi

_WASI: Final = "wasi_snapshot_preview1"
# What stands behind a directory that the program cannot change.
_READ_ONLY: Final = ":ro"
_ZEROS: Final[dict[ValueType, object]] = {
    ValueType.I32: 0,
    ValueType.I64: 0,
    ValueType.F32: 0.0,
    ValueType.F64: 0.0,
    ValueType.V128: bytes(16),
    ValueType.FUNCREF: None,
    ValueType.EXTERNREF: None,
}
_INTEGER_BITS: Final = {ValueType.I32: 32, ValueType.I64: 64}


@frozen(kw_only=True)
class Surroundings:
    """What a program is given, as the command line has it."""

    directories: Sequence[str] = ()
    environment: Sequence[str] = ()
    addresses: Sequence[str] = ()
    #: Names of modules to be replaced by functions that do nothing.
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
    cache: bool = True,
    precompiled: bool = False,
) -> int:
    """Run the program in a file, or call one of its exports; the exit code. `timeout` is in seconds."""
    preopens = _preopens(surroundings.directories)
    variables = dict(map(_variable, surroundings.environment))
    config = Config(cache=cache) if max_memory is None else Config(cache=cache, max_memory_pages=_pages(max_memory))
    engine = Engine(config)
    source = module_source(file)
    with about(file):
        if precompiled:
            module = Module.deserialize(source, engine=engine)
        elif isinstance(source, bytes) and source.startswith(PRECOMPILED_MAGIC):
            raise Failure(f"{file}: this is machine code: add --allow-precompiled if you trust whoever made it")
        else:
            module = engine.compile(source)
        functions = {export.name: export.type for export in module.exports if isinstance(export.type, FuncType)}
        name = _entry(file, functions, invoke)
        values = None if invoke is None else _arguments(functions[name], args)
        stubs = {space: _stubs(module, space) for space in surroundings.stubs}
        wasi = None
        if any(entry.module == _WASI and _WASI not in stubs for entry in module.imports):
            wasi = _wasi(file, () if invoke else args, variables, preopens, surroundings.addresses)
        with contextlib.nullcontext() if timeout is None else deadline(timeout):
            if wasi is not None and values is None:
                return _code(wasi.run(module, stubs))
            return _call(module, wasi, stubs, name, values or ())


def _pages(size: int) -> int:
    return min(size // PAGE_SIZE, MAX_PAGES_64)


def _stubs(module: Module, space: str) -> dict[str, Func]:
    """Functions that do nothing for all that a module imports from somewhere."""
    wanted = {entry.name: entry.type for entry in module.imports if entry.module == space}
    return {name: Func(_stub(type), type) for name, type in wanted.items() if isinstance(type, FuncType)}


def _stub(type: FuncType) -> Callable[..., object]:
    zeros = tuple(_ZEROS.get(result) for result in type.results)
    result = zeros[0] if len(zeros) == 1 else zeros or None
    return lambda *args: result


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
            os.close(os.open(host, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
        except OSError as error:
            raise Failure(f"--dir {host}: {error.strerror}") from None
        preopens[guest] = host, read_only
    return preopens


def _variable(text: str) -> tuple[str, str]:
    name, separator, value = text.partition("=")
    if not name or not separator:
        raise _usage(f"{text!r} is not K=V", "--env")
    return name, value


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


def _call(
    module: Module, wasi: Wasi | None, stubs: Mapping[str, Mapping[str, Func]], name: str, values: Sequence[int | float]
) -> int:
    """Call one function and print its results."""
    if wasi is None:
        _print(_results(module, stubs, name, values, reactor=False))
        return 0
    from wasm_wasi import Exit

    with wasi:
        try:
            _print(_results(module, {**wasi.imports, **stubs}, name, values, reactor=True))
        except Exit as exit:
            return _code(exit.code)
    return 0


def _code(code: int) -> int:
    """As much of an exit code as a process has."""
    return code & 0xFF


def _results(
    module: Module,
    imports: Mapping[str, Mapping[str, Func]],
    name: str,
    values: Sequence[int | float],
    *,
    reactor: bool,
) -> object:
    with module.instantiate(imports) as instance:
        exports: Mapping[str, Any] = instance.exports
        # A library for WASI is to be initialized before anything else is called (WASI application ABI, "reactors").
        if reactor and "_initialize" in exports and name not in ("_initialize", "_start"):
            exports["_initialize"]()
        result: object = exports[name](*values)
    return result


def _print(result: object) -> None:
    if result is None:
        return
    for value in result if isinstance(result, tuple) else (result,):
        print(f"0x{value[::-1].hex()}" if isinstance(value, bytes) else value)
