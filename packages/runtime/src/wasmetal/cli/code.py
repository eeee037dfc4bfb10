"""`wasmetal ir` and `wasmetal disasm`: what the compiler makes of one function."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import click

from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.disassembler import disassemble, format_instruction
from wasm_core.errors import WasmError
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.names import NameSection
from wasm_core.quoting import quoted, similar
from wasm_core.validator import validate_module
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Function
from wasm_ir.printer import format_function
from wasm_ir.vmcontext import ContextLayout
from wasmetal.cli.failures import Failure, about, read
from wasmetal.compiled.compiled_module import frontend_options
from wasmetal.config import Config
from wasmetal.registry import backends as registry

# Widest instruction whose bytes are shown in full, in bytes; longer ones push their text to the right.
_BYTES_SHOWN: Final = 8
# Where notes start if there is room.
_NOTE_COLUMN: Final = 64
#: Instructions after which a row of the pc table is a return address, on any of the architectures.
_CALLS: Final = frozenset({"call", "bl", "blr"})


def _names(module: DecodedModule) -> dict[str, int]:
    """The functions that have names, by these: of the name section, and of exports."""
    section = NameSection.of(module)
    names = {
        name: index for index in range(len(module.function_types)) if (name := section.function_name(index)) is not None
    }
    for export in module.exports:
        if export.kind is ExternKind.FUNC:
            names[export.name] = export.index
    return names


def _find(file: str, function: str) -> tuple[DecodedModule, int, str]:
    """A module, and one of its own functions, which is given by index or by name: its index, and its name or ""."""
    source = read(file)
    features = Config().features
    with about(file):
        module = decode(source, features)
        validate_module(module, features)
    names = _names(module)
    count = len(module.function_types)
    if function.isdecimal():
        index = int(function)
        if index >= count:
            raise Failure(f"{file}: there is no function {index}; the module has {count}")
    elif function in names:
        index = names[function]
    else:
        raise Failure(f"{file}: no function {quoted(function)}{similar(function, names)}")
    if index < module.imported_functions:
        raise Failure(f"{file}: function {index} is imported, so it has no code here")
    return module, index, next((name for name, named in names.items() if named == index), "")


def _translate(module: DecodedModule, index: int, options: FrontendOptions) -> Function:
    # The one function that is asked for is validated before it is compiled; the others do not matter.
    facts = validate_body(module, index, Config().features)
    return translate(module, index, ContextLayout(module), facts, options)


def ir(file: str, function: str) -> None:
    """Print the IR of a function."""
    module, index, _ = _find(file, function)
    with about(file):
        text = format_function(_translate(module, index, FrontendOptions()), offsets=True)
    click.echo(text.rstrip("\n"))


def disasm(file: str, function: str, target: str | None) -> None:
    """Print the machine code of a function, with the place in the module beside what may trap or calls.

    The code is for this machine, or for the one that the backend `target` is for.
    """
    try:
        backend = registry.select(target or "auto", to_run=False)()
    except WasmError as error:
        raise Failure(str(error)) from None
    module, index, name = _find(file, function)
    with about(file):
        options = frontend_options(Config(), backend, explicit_bounds=False, listener=None)
        made = backend.compile(_translate(module, index, options))
        wasm = {
            offset: format_instruction(instruction, immediates)
            for offset, instruction, immediates in disassemble(module, index)
        }
    places = dict(zip(made.pcs, made.wasm_offsets))
    title = f"function {index}{f' {quoted(name)}' if name else ''} {module.func_type(index)}"
    click.echo(f"{title}: {len(made.code)} bytes, frame of {made.frame_size} bytes")
    lines = backend.disassemble(made.code, 0)
    if lines is None:
        click.echo("wasmetal: pip install capstone to see instructions instead of bytes", err=True)
        lines = list(_pieces(made.code, sorted(places)))
    for address, data, text in lines:
        # Faults are recorded at the instruction, calls at what comes after it.
        is_call = text.partition(" ")[0] in _CALLS
        place = places.pop(address + len(data) if is_call else address, None)
        note = f"  ; wasm {place:#x} {wasm.get(place, '')}".rstrip() if place else ""
        line = f"{address:6x}  {data.hex():<{2 * _BYTES_SHOWN}}  {text}"
        click.echo(f"{line:<{_NOTE_COLUMN}}{note}".rstrip())


def _pieces(code: bytes, cuts: Iterable[int]) -> Iterator[tuple[int, bytes, str]]:
    """Machine code as bytes, a few to a line, so that every place of interest starts one."""
    borders = [0, *cuts, len(code)]
    for start, end in itertools.pairwise(borders):
        for at in range(start, end, _BYTES_SHOWN):
            yield at, code[at : min(at + _BYTES_SHOWN, end)], ""
