"""The binary decoder: bytes to `DecodedModule` (core specification, section "Binary Format", "Modules").

Function bodies and data are only located, never read; custom sections other than their names neither.
"""

from __future__ import annotations

from wasm_core.errors import MalformedError
from wasm_core.features import Features
from wasm_core.module import CustomSection, DecodedModule, ExternKind, Section
from wasm_core.reader import Reader, switched_off
from wasm_core.sections import CUSTOM, SECTION_FEATURES, SECTION_NAMES, SECTION_READERS, ModuleParts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_MAGIC: Final = b"\0asm"
_VERSION: Final = b"\x01\0\0\0"
# A component has the same magic number, then a version and a layer that is not 0 (component model, Binary.md).
_COMPONENT_LAYER: Final = b"\x01\0"

_ORDER: Final[dict[int, int]] = {section: place for place, section in enumerate(SECTION_READERS)}

# What people pass by mistake, by its first bytes.
_OTHER_FORMATS: Final[tuple[tuple[bytes, str], ...]] = (
    (b"\x7fELF", "an ELF file"),
    (b"MZ", "a Windows executable"),
    (b"\xcf\xfa\xed\xfe", "a Mach-O file"),
    (b"PK\x03\x04", "a zip archive"),
    (b"\x1f\x8b", "gzip-compressed data"),
    (b"!<arch>", "an ar archive"),
    (b"BC\xc0\xde", "LLVM bitcode"),
    (b"(", "the text format"),
)


def _check_preamble(source: bytes) -> None:
    magic = source[:4]
    if len(magic) < 4:
        raise MalformedError("unexpected end", len(source))
    if magic != _MAGIC:
        for start, what in _OTHER_FORMATS:
            if source.startswith(start):
                raise MalformedError(f"magic header not detected: this looks like {what}, not a WebAssembly binary", 0)
        raise MalformedError("magic header not detected", 0)
    version = source[4:8]
    if len(version) < 4:
        raise MalformedError("unexpected end", len(source))
    if version[2:] == _COMPONENT_LAYER:
        raise MalformedError("unknown binary version: this is a component, not a core module", 4)
    if version != _VERSION:
        raise MalformedError(f"unknown binary version {int.from_bytes(version, 'little')}", 4)


def decode(source: bytes, features: Features | None = None) -> DecodedModule:
    """Decode a binary module.

    Args:
        source: The module; it is kept and not copied.
        features: Which parts of WebAssembly are on; `Features.default()` if None.

    Raises:
        MalformedError: The bytes are not a module; the offset tells where.
        InvalidError: The type section, or a type elsewhere, names a type that does not exist.
        Unsupported: The module needs a feature that is switched off.
    """
    if features is None:
        features = Features.default()
    _check_preamble(source)
    reader = Reader(source, 8, len(source), features)
    parts = ModuleParts()
    customs: list[CustomSection] = []
    sections: list[Section] = []
    last = -1
    total = len(source)
    while reader.pos < total:
        at = reader.pos
        number = reader.byte()
        if number not in SECTION_NAMES:
            raise MalformedError(f"malformed section id {number}", at)
        needed = SECTION_FEATURES.get(number)
        if needed is not None and not any(getattr(features, feature) for feature in needed):
            raise switched_off(f"a {SECTION_NAMES[number]} section", needed[0], at)
        size = reader.u32()
        start = reader.pos
        end = start + size
        if end > total:
            raise MalformedError("length out of bounds", at + 1)
        sections.append(Section(number, start, end))
        reader.end = end
        if number == CUSTOM:
            name = reader.name()
            customs.append(CustomSection(name, reader.pos, end))
            reader.pos = end
        else:
            place = _ORDER[number]
            if place <= last:
                raise MalformedError(
                    f"unexpected content after last section: {SECTION_NAMES[number]} section is out of order or twice",
                    at,
                )
            last = place
            SECTION_READERS[number](reader, parts)
            if reader.pos != end:
                raise MalformedError("section size mismatch", reader.pos)
        reader.end = total

    types = reader.types
    imported = [0, 0, 0, 0, 0]
    for entry in parts.imports:
        imported[entry.kind] += 1
    if len(parts.function_types) - imported[ExternKind.FUNC] != len(parts.body_starts):
        raise MalformedError("function and code section have inconsistent lengths", total)
    if parts.data_count is not None and parts.data_count != len(parts.data):
        raise MalformedError("data count and data section have inconsistent lengths", total)
    return DecodedModule(
        source=source,
        types=tuple(types.composites),
        defined_types=None if types.plain else tuple([types.get(index) for index in range(len(types.composites))]),
        imports=tuple(parts.imports),
        function_types=parts.function_types,
        tables=tuple(parts.tables),
        memories=tuple(parts.memories),
        global_types=tuple(parts.global_types),
        tag_types=tuple(parts.tag_types),
        table_inits=tuple(parts.table_inits) if any(parts.table_inits) else (),
        globals=tuple(parts.globals),
        exports=tuple(parts.exports),
        start=parts.start,
        elements=tuple(parts.elements),
        data=tuple(parts.data),
        data_count=parts.data_count,
        body_starts=parts.body_starts,
        body_ends=parts.body_ends,
        customs=tuple(customs),
        sections=tuple(sections),
        imported_functions=imported[ExternKind.FUNC],
        imported_tables=imported[ExternKind.TABLE],
        imported_memories=imported[ExternKind.MEMORY],
        imported_globals=imported[ExternKind.GLOBAL],
        imported_tags=imported[ExternKind.TAG],
    )
