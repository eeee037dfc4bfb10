"""`wasmetal inspect`, `validate` and `backends`: what there is, without running anything."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import click

from wasm_core.custom_sections import producers, target_features
from wasm_core.decoder import decode
from wasm_core.features import Features
from wasm_core.module import DecodedModule, ExternKind, Import, Section
from wasm_core.names import NameSection
from wasm_core.sections import CUSTOM, SECTION_NAMES
from wasm_core.types import ExternType, FuncType, GlobalType, MemoryType, TableType, TagType
from wasmetal.cli.failures import Failure, about, module_source, read_with_places
from wasmetal.cli.needed_features import Needed, all_features, needed
from wasmetal.cli.output import printable, table
from wasmetal.cli.places import Places, place
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


def inspect(file: str, as_json: bool) -> None:
    """Print what a module is made of. Its function bodies are only looked at for the features that they need."""
    source, places = read_with_places(file)
    with about(file, places):
        module = decode(source, all_features())
    names = NameSection.of(module)
    found = needed(module)
    if as_json:
        import json

        click.echo(json.dumps(_as_json(file, module, names, found, places), indent=2))
        return
    name = f" {printable(names.module_name)}" if names.module_name else ""
    click.echo(f"{printable(file)}: WebAssembly module{name}, {len(source):,} bytes")
    for line in _summary(module):
        click.echo(line)
    for line in _needed_lines(found):
        click.echo(line)
    imports = ((_KINDS[type(i.type)], _import_name(i), _describe(i.type)) for i in module.imports)
    table("imports", ("kind", "name", "type"), imports)
    types = ((export, module.extern_type(export.kind, export.index)) for export in module.exports)
    table("exports", ("kind", "name", "type"), ((_KINDS[type(t)], export.name, _describe(t)) for export, t in types))
    made = ((field, name, version) for field, values in producers(module).items() for name, version in values)
    table("producers", ("field", "name", "version"), made)
    table("sections", ("name", "at", "bytes"), _sections(module))
    biggest = _biggest(module, names, places)
    if places is None:
        table("biggest functions", ("index", "name", "bytes"), (row[:3] for row in biggest))
    else:
        table("biggest functions", ("index", "name", "bytes", "at"), biggest)


def _needed_lines(found: Needed) -> Iterable[str]:
    if found.features:
        default = Features.default()
        words = [name if getattr(default, name) else f"{name} (off by default)" for name in found.features]
        yield f"features needed: {', '.join(words)}"
    if found.unread:
        yield f"not read for features: {found.unread}"


def _as_json(
    file: str, module: DecodedModule, names: NameSection, found: Needed, places: Places | None
) -> dict[str, object]:
    """What `inspect` tells, for programs."""
    exports = [(export.name, module.extern_type(export.kind, export.index)) for export in module.exports]
    return {
        "file": file,
        "bytes": len(module.source),
        "name": names.module_name,
        "features": list(found.features),
        "features_unread": found.unread or None,
        "producers": {
            field: [{"name": name, "version": version} for name, version in values]
            for field, values in producers(module).items()
        },
        "target_features": [f"{prefix}{name}" for prefix, name in target_features(module)],
        "imports": [{"module": i.module, "name": i.name, **_type_json(i.type)} for i in module.imports],
        "exports": [{"name": name, **_type_json(type)} for name, type in exports],
        "functions": {
            "own": len(module.body_starts),
            "imported": module.imported_functions,
            "code_bytes": sum(module.body_ends) - sum(module.body_starts),
        },
        "memories": [_type_json(memory)["type"] for memory in module.memories],
        "tables": [_type_json(each)["type"] for each in module.tables],
        "globals": {"own": len(module.globals), "imported": module.imported_globals},
        "data": {"segments": len(module.data), "bytes": sum(segment.end - segment.start for segment in module.data)},
        "start": module.start,
        "sections": [
            {"name": name, "offset": section.start, "bytes": section.end - section.start}
            for name, section in _named_sections(module)
        ],
        "biggest_functions": [
            {"index": index, "name": name or None, "bytes": size, **({"place": at} if places else {})}
            for index, name, size, at in _biggest_functions(module, names, places)
        ],
    }


def _type_json(type: ExternType) -> dict[str, object]:
    """Kind and type of an import or export."""
    what: dict[str, object]
    if isinstance(type, MemoryType):
        what = {
            "minimum": type.minimum,
            "maximum": type.maximum,
            "is64": type.is64,
            "shared": type.shared,
            "page_size": type.page_size,
        }
    elif isinstance(type, TableType):
        what = {
            "element": str(type.element),
            "minimum": type.minimum,
            "maximum": type.maximum,
            "is64": type.is64,
        }
    elif isinstance(type, GlobalType):
        what = {"value_type": str(type.value_type), "mutable": type.mutable}
    else:
        function = type.type if isinstance(type, TagType) else type
        what = {"params": [*map(str, function.params)], "results": [*map(str, function.results)]}
    return {"kind": _KINDS[type.__class__], "type": what}


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
    for name, section in _named_sections(module):
        yield name, f"{section.start:#x}", f"{section.end - section.start:,}"


def _named_sections(module: DecodedModule) -> Iterable[tuple[str, Section]]:
    customs = {custom.end: custom for custom in module.customs}
    for section in module.sections:
        name = SECTION_NAMES[section.id]
        if section.id == CUSTOM:
            name = f"custom {printable(customs[section.end].name)}"
        yield name, section


def _biggest(module: DecodedModule, names: NameSection, places: Places | None) -> Iterable[Sequence[str]]:
    for index, name, size, at in _biggest_functions(module, names, places):
        yield str(index), name, f"{size:,}", at


def _biggest_functions(
    module: DecodedModule, names: NameSection, places: Places | None
) -> Iterable[tuple[int, str, int, str]]:
    """Index, name, size in bytes, and place in the text or in the binary."""
    sizes = [end - start for start, end in zip(module.body_starts, module.body_ends)]
    exported = {export.index: export.name for export in module.exports if export.kind is ExternKind.FUNC}
    for own in sorted(range(len(sizes)), key=lambda own: (-sizes[own], own))[:_BIGGEST]:
        index = module.imported_functions + own
        name = names.function_name(index) or exported.get(index, "")
        yield index, name, sizes[own], place(places, module.body_starts[own])


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
