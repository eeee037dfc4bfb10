"""`wasmetal ir` and `wasmetal disasm`: what the compiler makes of functions."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Final

import click

from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.disassembler import disassemble, format_instruction
from wasm_core.errors import CompileError, WasmError
from wasm_core.features import Features
from wasm_core.lazy_attrs import frozen
from wasm_core.module import DecodedModule, ExternKind
from wasm_core.names import NameSection
from wasm_core.quoting import quoted, shown, similar
from wasm_core.validator import validate_module
from wasm_ir.backend import Backend
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Function
from wasm_ir.printer import format_function
from wasm_ir.vmcontext import ContextLayout
from wasmetal.cli.failures import FAILED, Failure, about, read_with_places
from wasmetal.cli.places import Places, place
from wasmetal.compiled.bodies import validate_bodies
from wasmetal.compiled.compiled_module import frontend_options
from wasmetal.config import Config
from wasmetal.registry import backends as registry

# Widest instruction whose bytes are shown in full, in bytes; longer ones push their text to the right.
_BYTES_SHOWN: Final = 8
#: Digits of an index: more are none (and Python refuses to read thousands).
_DIGITS: Final = 10
#: Characters of a line of an error message.
_MAX_LINE: Final = 2000
# Where notes start if there is room.
_NOTE_COLUMN: Final = 64
#: Instructions after which a row of the pc table is a return address, on any of the architectures.
_CALLS: Final = frozenset({"call", "bl", "blr"})


@frozen
class Loaded:
    """A module whose code is to be shown."""

    file: str
    module: DecodedModule
    #: Where in the text things come from; None for a binary.
    places: Places | None
    #: The functions that have names, by these: of the name section, and of exports.
    names: Mapping[str, int]
    #: The other way round.
    name_of: Mapping[int, str]
    layout: ContextLayout

    @classmethod
    def read(cls, file: str) -> Loaded:
        """Read a module and check that it is valid."""
        source, places = read_with_places(file)
        features = Config().features
        with about(file, places):
            module = decode(source, features)
            validate_module(module, features)
        names = _names(module)
        name_of: dict[int, str] = {}
        for name, index in names.items():
            name_of.setdefault(index, name)
        return cls(file, module, places, names, name_of, _layout(module, features))

    def own(self) -> range:
        """The functions that the module has code for."""
        return range(self.module.imported_functions, len(self.module.function_types))

    def find(self, function: str) -> int:
        """One of the module's own functions, which is given by index or by name."""
        count = len(self.module.function_types)
        if function.isdecimal():
            index = int(function) if len(function) <= _DIGITS else count
            if index >= count:
                raise Failure(f"{self.file}: there is no function {shown(function)}; the module has {count}")
        elif function in self.names:
            index = self.names[function]
        else:
            raise Failure(f"{self.file}: no function {quoted(function)}{similar(function, self.names)}")
        if index < self.module.imported_functions:
            raise Failure(f"{self.file}: function {index} is imported, so it has no code here")
        return index

    def title(self, index: int) -> str:
        """Index, name and type of a function."""
        name = self.name_of.get(index)
        return f"function {index}{f' {quoted(name)}' if name else ''} {self.module.func_type(index)}"

    def translate(self, index: int, options: FrontendOptions) -> Function:
        """The IR of a function."""
        # The one that is asked for is validated before it is compiled; the others do not matter.
        facts = validate_body(self.module, index, Config().features)
        return translate(self.module, index, self.layout, facts, options)


def _layout(module: DecodedModule, features: Features) -> ContextLayout:
    """The layout with what code depends on: whether all functions are valid, and which tables none of them writes."""
    layout = ContextLayout(module)
    try:
        layout.unwritten_tables = validate_bodies(module, features)[1]
        layout.valid_under = features
    except CompileError:
        pass
    return layout


def _names(module: DecodedModule) -> dict[str, int]:
    section = NameSection.of(module)
    names = {
        name: index for index in range(len(module.function_types)) if (name := section.function_name(index)) is not None
    }
    for export in module.exports:
        if export.kind is ExternKind.FUNC:
            names[export.name] = export.index
    return names


def backend_for(target: str | None) -> Backend:
    """The backend of this name, or for this machine; its code need not run here."""
    try:
        return registry.select(target or "auto", to_run=False)()
    except WasmError as error:
        raise Failure(str(error)) from None


def ir(file: str, function: str) -> None:
    """Print the IR of a function."""
    loaded = Loaded.read(file)
    index = loaded.find(function)
    with about(file, loaded.places):
        made = loaded.translate(index, FrontendOptions())
    text = format_function(made, offsets=True, places=lambda offset: place(loaded.places, offset))
    click.echo(text.rstrip("\n"))


def disasm(file: str, function: str | None, target: str | None) -> int:
    """Print the machine code of a function, or of all, with the place in the module beside what may trap or calls.

    The code is for this machine, or for the one that the backend `target` is for. The exit code tells whether there is
    code for all.
    """
    backend = backend_for(target)
    loaded = Loaded.read(file)
    options = frontend_options(Config(), backend, explicit_bounds=False, listener=None)
    if function is not None:
        with about(file, loaded.places):
            _disasm(loaded, backend, options, loaded.find(function))
        return 0
    failed = 0
    for index in loaded.own():
        if index > loaded.module.imported_functions:
            click.echo()
        try:
            with about(file, loaded.places):
                _disasm(loaded, backend, options, index)
        except Failure as failure:
            # The others can be shown all the same.
            click.echo(f"{loaded.title(index)}: no code")
            for line in (f"wasmetal: {failure}", *failure.more):
                click.echo(shown(line, _MAX_LINE), err=True)
            failed = FAILED
    return failed


def _disasm(loaded: Loaded, backend: Backend, options: FrontendOptions, index: int) -> None:
    made = backend.compile(loaded.translate(index, options))
    wasm = {
        offset: format_instruction(instruction, immediates)
        for offset, instruction, immediates in disassemble(loaded.module, index)
    }
    places = dict(zip(made.pcs, made.wasm_offsets))
    click.echo(f"{loaded.title(index)}: {len(made.code)} bytes, frame of {made.frame_size} bytes")
    for address, data, text in instructions(backend, made.code, places):
        # Faults are recorded at the instruction, calls at what comes after it.
        is_call = text.partition(" ")[0] in _CALLS
        at = places.pop(address + len(data) if is_call else address, None)
        where = "" if not at else f"{'wasm ' if loaded.places is None else ''}{place(loaded.places, at)}"
        note = f"  ; {where} {wasm.get(at, '')}".rstrip() if at else ""
        line = f"{address:6x}  {data.hex():<{2 * _BYTES_SHOWN}}  {text}"
        click.echo(f"{line:<{_NOTE_COLUMN}}{note}".rstrip())


def instructions(backend: Backend, code: bytes, cuts: Collection[int]) -> Iterable[tuple[int, bytes, str]]:
    """Machine code as (address, bytes, text); without a disassembler bytes, with lines that start at the cuts too."""
    lines = backend.disassemble(code, 0)
    if lines is not None:
        return lines
    if not _said:
        click.echo("wasmetal: pip install capstone to see instructions instead of bytes", err=True)
        _said.append(True)
    return _pieces(code, sorted({cut for cut in cuts if cut <= len(code)}))


#: Not empty when a disassembler was missed already.
_said: Final[list[bool]] = []


def _pieces(code: bytes, cuts: Iterable[int]) -> Iterator[tuple[int, bytes, str]]:
    """Machine code as bytes, a few to a line, so that every place of interest starts one."""
    borders = [0, *cuts, len(code)]
    for start, end in itertools.pairwise(borders):
        for at in range(start, end, _BYTES_SHOWN):
            yield at, code[at : min(at + _BYTES_SHOWN, end)], ""
