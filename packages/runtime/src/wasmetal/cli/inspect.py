"""`wasmetal inspect`, `validate` and `backends`: what there is, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import click

from wasm_core.decoder import decode
from wasm_core.module import DecodedModule, ExternKind, Import
from wasm_core.names import NameSection
from wasm_core.sections import CUSTOM, SECTION_NAMES
from wasm_core.types import ExternType, FuncType, GlobalType, MemoryType, TableType, TagType
from wasmetal.cli.failures import Failure, about, module_source, read
from wasmetal.cli.output import printable, table
from wasmetal.module import validate as validate_module
from wasmetal.registry.backends import backends as installed_backends

_KINDS: Final = {
    FuncType: "function",
    TableType: "table",
    MemoryType: "memory",
    GlobalType: "global",
    TagType: "tag",
}
#: What is said of memories and tables whose addresses have 64 bits.
_WIDE: Final = ", 64-bit"
#: How many of the biggest functions are listed.
_BIGGEST: Final = 10


def _limits(minimum: int, maximum: int | None, unit: str) -> str:
    return f"{minimum} {unit} or more" if maximum is None else f"{minimum} to {maximum} {unit}"


def _describe(extern_type: ExternType) -> str:
    if isinstance(extern_type, MemoryType):
        return _limits(extern_type.minimum, extern_type.maximum, "pages") + _WIDE * extern_type.is64
    if isinstance(extern_type, TableType):
        limits = _limits(extern_type.minimum, extern_type.maximum, "elements") + _WIDE * extern_type.is64
        return f"{extern_type.element}, {limits}"
    if isinstance(extern_type, GlobalType):
        return f"{'mutable ' if extern_type.mutable else ''}{extern_type.value_type}"
    if isinstance(extern_type, TagType):
        return str(extern_type.type)
    return str(extern_type)


def inspect(file: str) -> None:
    """Print what a module is made of. Its function bodies are not looked at."""
    source = read(file)
    with about(file):
        module = decode(source)
    names = NameSection.of(module)
    name = f" {printable(names.module_name)}" if names.module_name else ""
    click.echo(f"{printable(file)}: WebAssembly module{name}, {len(source):,} bytes")
    for line in _summary(module):
        click.echo(line)
    imports = ((_KINDS[type(i.type)], _import_name(i), _describe(i.type)) for i in module.imports)
    table("imports", ("kind", "name", "type"), imports)
    types = ((export, module.extern_type(export.kind, export.index)) for export in module.exports)
    table("exports", ("kind", "name", "type"), ((_KINDS[type(t)], export.name, _describe(t)) for export, t in types))
    table("sections", ("name", "at", "bytes"), _sections(module))
    table("biggest functions", ("index", "name", "bytes"), _biggest(module, names))


def _import_name(entry: Import) -> str:
    return f"{entry.module}.{entry.name}"


def _summary(module: DecodedModule) -> Iterable[str]:
    own = len(module.body_starts)
    code = sum(module.body_ends) - sum(module.body_starts)
    yield f"functions: {own:,} of its own with {code:,} bytes of code, {module.imported_functions:,} imported"
    for memory in module.memories:
        yield f"memory: {_describe(memory)}"
    for each in module.tables:
        yield f"table: {_describe(each)}"
    if module.global_types:
        yield f"globals: {len(module.globals):,} of its own, {module.imported_globals:,} imported"
    if module.data:
        size = sum(segment.end - segment.start for segment in module.data)
        yield f"data: {len(module.data):,} segments with {size:,} bytes"
    if module.start is not None:
        yield f"start function: {module.start}"


def _sections(module: DecodedModule) -> Iterable[Sequence[str]]:
    customs = {custom.end: custom for custom in module.customs}
    for section in module.sections:
        name = SECTION_NAMES[section.id]
        if section.id == CUSTOM:
            name = f"custom {printable(customs[section.end].name)}"
        yield name, f"{section.start:#x}", f"{section.end - section.start:,}"


def _biggest(module: DecodedModule, names: NameSection) -> Iterable[Sequence[str]]:
    sizes = [end - start for start, end in zip(module.body_starts, module.body_ends)]
    exported = {export.index: export.name for export in module.exports if export.kind is ExternKind.FUNC}
    for own in sorted(range(len(sizes)), key=lambda own: (-sizes[own], own))[:_BIGGEST]:
        index = module.imported_functions + own
        yield str(index), names.function_name(index) or exported.get(index, ""), f"{sizes[own]:,}"


def validate(file: str) -> None:
    """Say that a module is valid, or fail."""
    source = module_source(file)
    with about(file):
        validate_module(source)
    click.echo(f"{printable(file)}: valid")


def backends() -> None:
    """Print the installed backends; a star marks the one that this machine gets."""
    found = installed_backends()
    if not found:
        raise Failure("no backend is installed: pip install wasm-backend-amd64")
    rows = [
        (
            f"{'*' if backend.selected else ' '} {backend.name}",
            f"{backend.distribution} {backend.version}".strip(),
            "yes" if backend.supported else "no",
            backend.reason,
        )
        for backend in found
    ]
    table("backends", ("name", "from", "runs here", "why"), rows)
