"""Custom sections that tools agreed on, read on demand: producers, target features, branch hints.

Tool conventions, "ProducersSection" and "Linking" (target features); the proposal "branch hinting". As with names,
damage never is an error: what comes before it is used.
"""

from __future__ import annotations

from wasm_core.errors import MalformedError
from wasm_core.leb128 import read_u32
from wasm_core.module import DecodedModule

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_PRODUCERS: Final = "producers"
_TARGET_FEATURES: Final = "target_features"
_BRANCH_HINTS: Final = "metadata.code.branch_hint"


class _Cursor:
    """Reads a custom section."""

    __slots__ = ("data", "end", "pos")

    def __init__(self, data: bytes, pos: int, end: int) -> None:
        self.data: Final = data
        self.pos = pos
        self.end: Final = end

    def byte(self) -> int:
        if self.pos >= self.end:
            raise MalformedError("unexpected end", self.pos)
        self.pos += 1
        return self.data[self.pos - 1]

    def u32(self) -> int:
        value, self.pos = read_u32(self.data, self.pos, self.end)
        return value

    def name(self) -> str:
        size = self.u32()
        start = self.pos
        if start + size > self.end:
            raise MalformedError("unexpected end", start)
        self.pos = start + size
        return self.data[start : self.pos].decode(errors="replace")


def _section(module: DecodedModule, name: str) -> _Cursor | None:
    for custom in module.customs:
        if custom.name == name:
            return _Cursor(module.source, custom.start, custom.end)
    return None


def producers(module: DecodedModule) -> dict[str, list[tuple[str, str]]]:
    """What made a module: by field ("language", "processed-by", "sdk"), names and versions."""
    found: dict[str, list[tuple[str, str]]] = {}
    section = _section(module, _PRODUCERS)
    if section is None:
        return found
    try:
        for _ in range(section.u32()):
            values = found.setdefault(section.name(), [])
            for _ in range(section.u32()):
                name = section.name()
                values.append((name, section.name()))
    except MalformedError:
        pass
    return found


def target_features(module: DecodedModule) -> list[tuple[str, str]]:
    """The features that a toolchain says about a module: "+" where it is used, "-" where it must not be; the name."""
    found: list[tuple[str, str]] = []
    section = _section(module, _TARGET_FEATURES)
    if section is None:
        return found
    try:
        for _ in range(section.u32()):
            prefix = chr(section.byte())
            found.append((prefix, section.name()))
    except MalformedError:
        pass
    return found


def branch_hints(module: DecodedModule) -> dict[int, dict[int, bool]]:
    """By function index: byte offset in the module of an `if` or `br_if` -> whether its condition is likely to hold."""
    found: dict[int, dict[int, bool]] = {}
    section = _section(module, _BRANCH_HINTS)
    if section is None:
        return found
    first = module.imported_functions
    try:
        for _ in range(section.u32()):
            function = section.u32()
            if not first <= function < len(module.function_types):
                break
            start, _ = module.body(function)
            hints = found.setdefault(function, {})
            for _ in range(section.u32()):
                offset = section.u32()
                size = section.u32()
                value = section.byte()
                if size != 1 or value > 1:
                    return found
                hints[start + offset] = value == 1
    except MalformedError:
        pass
    return found
