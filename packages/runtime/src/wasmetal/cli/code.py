"""`wasmetal ir` and `wasmetal disasm`: what the compiler makes of one function."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Iterable, Iterator
from typing import Final

import click

from wasm_core.disassembler import disassemble, format_instruction
from wasm_ir.printer import format_function
from wasmetal.cli.failures import Failure, about, read
from wasmetal.compiled_module import CompiledModule
from wasmetal.config import Config
from wasmetal.engine import Engine

# Widest instruction whose bytes are shown in full, in bytes; longer ones push their text to the right.
_BYTES_SHOWN: Final = 8
# Where notes start if there is room.
_NOTE_COLUMN: Final = 64


def _load(file: str) -> CompiledModule:
    # The one function that is asked for is validated before it is compiled; the others do not matter.
    source = read(file)
    with about(file):
        return Engine(Config(validation="lazy")).compile(source).code


def _find(file: str, code: CompiledModule, function: str) -> int:
    """The index of a function that is given by index or by name."""
    module = code.module
    count = len(module.function_types)
    if function.isdecimal():
        index = int(function)
        if index >= count:
            raise Failure(f"{file}: there is no function {index}; the module has {count}")
    else:
        names = {name: number for number in range(count) if (name := code.function_name(number)) is not None}
        names |= {name: number for number in range(count) if (name := code.export_name(number)) is not None}
        if function not in names:
            close = difflib.get_close_matches(function, names, n=1)
            raise Failure(f"{file}: no function {function!r}{f'; did you mean {close[0]!r}?' if close else ''}")
        index = names[function]
    if index < module.imported_functions:
        raise Failure(f"{file}: function {index} is imported, so it has no code here")
    return index


def ir(file: str, function: str) -> None:
    """Print the IR of a function."""
    code = _load(file)
    with about(file):
        text = format_function(code.translate(_find(file, code, function)), offsets=True)
    click.echo(text.rstrip("\n"))


def disasm(file: str, function: str) -> None:
    """Print the machine code of a function, with the place in the module beside what may trap or calls."""
    code = _load(file)
    index = _find(file, code, function)
    with about(file):
        made = code.assemble(index)
        wasm = {
            offset: format_instruction(instruction, immediates)
            for offset, instruction, immediates in disassemble(code.module, index)
        }
    places = dict(zip(made.pcs, made.wasm_offsets))
    name = code.function_name(index)
    title = f"function {index}{f' {name!r}' if name else ''} {code.module.func_type(index)}"
    click.echo(f"{title}: {len(made.code)} bytes, frame of {made.frame_size} bytes")
    lines = code.backend.disassemble(made.code, 0)
    if lines is None:
        click.echo("wasmetal: pip install capstone to see instructions instead of bytes", err=True)
        lines = list(_pieces(made.code, sorted(places)))
    for address, data, text in lines:
        # Faults are recorded at the instruction, calls at what comes after it.
        place = places.get(address) or (places.get(address + len(data)) if "call" in text else None)
        note = f"  ; wasm {place:#x} {wasm.get(place, '')}".rstrip() if place else ""
        line = f"{address:6x}  {data.hex():<{2 * _BYTES_SHOWN}}  {text}"
        click.echo(f"{line:<{_NOTE_COLUMN}}{note}".rstrip())


def _pieces(code: bytes, cuts: Iterable[int]) -> Iterator[tuple[int, bytes, str]]:
    """Machine code as bytes, a few to a line, so that every place of interest starts one."""
    borders = [0, *cuts, len(code)]
    for start, end in itertools.pairwise(borders):
        for at in range(start, end, _BYTES_SHOWN):
            yield at, code[at : min(at + _BYTES_SHOWN, end)], ""
