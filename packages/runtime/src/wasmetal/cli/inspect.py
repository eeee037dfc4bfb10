"""`wasmetal inspect`, `validate` and `backends`: what there is, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import click

from wasm_core.decoder import decode
from wasm_core.module import DecodedModule
from wasm_core.names import NameSection
from wasm_core.sections import CUSTOM, SECTION_NAMES
from wasm_core.types import ExternType, FuncType, GlobalType, MemoryType, TableType
from wasmetal.cli.failures import Failure, about, read
from wasmetal.module import validate as validate_module
from wasmetal.registry import backends as installed_backends

_KINDS: Final = {FuncType: "function", TableType: "table", MemoryType: "memory", GlobalType: "global"}


def _limits(minimum: int, maximum: int | None, unit: str) -> str:
    return f"{minimum} {unit} or more" if maximum is None else f"{minimum} to {maximum} {unit}"


def _describe(extern_type: ExternType) -> str:
    if isinstance(extern_type, MemoryType):
        return _limits(extern_type.minimum, extern_type.maximum, "pages")
    if isinstance(extern_type, TableType):
        return f"{extern_type.element}, {_limits(extern_type.minimum, extern_type.maximum, 'elements')}"
    if isinstance(extern_type, GlobalType):
        return f"{'mutable ' if extern_type.mutable else ''}{extern_type.value_type}"
    return str(extern_type)


def _printable(name: str) -> str:
    return name if name and name.isprintable() else repr(name)


def _table(title: str, rows: Iterable[Sequence[str]]) -> None:
    """Print rows in columns under a title; those of numbers to the right. Nothing for no rows."""
    cells = [[_printable(cell) if cell else "" for cell in row] for row in rows]
    if not cells:
        return
    click.echo(f"\n{title}:")
    widths = [max(map(len, column)) for column in zip(*cells)]
    numeric = [all(cell.replace(",", "").isdigit() for cell in column) for column in zip(*cells)]
    for row in cells:
        line = "  ".join(
            cell.rjust(width) if number else cell.ljust(width) for cell, width, number in zip(row, widths, numeric)
        )
        click.echo(f"  {line.rstrip()}")


def inspect(file: str) -> None:
    """Print what a module is made of. Its function bodies are not looked at."""
    source = read(file)
    with about(file):
        module = decode(source)
    name = NameSection.of(module).module_name
    click.echo(f"{file}: WebAssembly module{f' {_printable(name)}' if name else ''}, {len(source):,} bytes")
    own = len(module.body_starts)
    click.echo(f"functions: {own:,} of its own, {module.imported_functions:,} imported")
    for memory in module.memories:
        click.echo(f"memory: {_describe(memory)}")
    if module.start is not None:
        click.echo(f"start function: {module.start}")
    _table("imports", ((_KINDS[type(i.type)], f"{i.module}.{i.name}", _describe(i.type)) for i in module.imports))
    types = ((export, module.extern_type(export.kind, export.index)) for export in module.exports)
    _table("exports", ((_KINDS[type(t)], export.name, _describe(t)) for export, t in types))
    _table("sections", _sections(module))


def _sections(module: DecodedModule) -> Iterable[Sequence[str]]:
    customs = {custom.end: custom for custom in module.customs}
    for section in module.sections:
        name = SECTION_NAMES[section.id]
        if section.id == CUSTOM:
            name = f"custom {_printable(customs[section.end].name)}"
        yield f"{section.start:#x}", name, f"{section.end - section.start:,}"


def validate(file: str) -> None:
    """Say that a module is valid, or fail."""
    source = read(file)
    with about(file):
        validate_module(source)
    click.echo(f"{file}: valid")


def backends() -> None:
    """Print the installed backends."""
    found = installed_backends()
    if not found:
        raise Failure("no backend is installed: pip install wasm-backend-amd64")
    for backend in found:
        click.echo(str(backend))
