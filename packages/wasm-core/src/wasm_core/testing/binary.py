"""Writing the binary format (core specification, chapter "Binary Format"): numbers, vectors, sections, types.

Nothing is checked: tests want what is wrong as well.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from wasm_core.leb128 import signed as signed
from wasm_core.leb128 import unsigned as unsigned

#: What every module begins with: the magic number and the version.
PREAMBLE: Final = b"\0asm\x01\0\0\0"


def sized(content: bytes) -> bytes:
    """Bytes behind their number."""
    return unsigned(len(content)) + content


def name(text: str) -> bytes:
    """A name: UTF-8 behind the number of its bytes."""
    return sized(text.encode())


def vector(items: Iterable[bytes]) -> bytes:
    """Items behind their number."""
    listed = list(items)
    return unsigned(len(listed)) + b"".join(listed)


def limits(minimum: int, maximum: int | None = None, is64: bool = False) -> bytes:
    """The limits of a memory or a table."""
    flags = bytes([(maximum is not None) + 4 * is64])
    return flags + unsigned(minimum) + (b"" if maximum is None else unsigned(maximum))


def func_type(params: bytes = b"", results: bytes = b"") -> bytes:
    """A function type, of codes of value types."""
    return b"\x60" + sized(params) + sized(results)


def code(local_groups: Iterable[tuple[int, int]], instructions: bytes) -> bytes:
    """An entry of the code section: locals as pairs of how many and the code of a type; instructions with an `end`."""
    return sized(vector(unsigned(count) + bytes([type]) for count, type in local_groups) + instructions)


def section(number: int, content: bytes) -> bytes:
    """A section."""
    return bytes([number]) + sized(content)


def vector_section(number: int, items: Sequence[bytes]) -> bytes:
    """A section that is a vector; nothing without items."""
    return section(number, vector(items)) if items else b""


def custom(title: str, content: bytes) -> bytes:
    """A custom section."""
    return section(0, name(title) + content)


def module(*sections: bytes) -> bytes:
    """A module of sections, in the order in which they are given."""
    return PREAMBLE + b"".join(sections)


def function(
    instructions: bytes,
    params: bytes = b"",
    results: bytes = b"",
    *,
    local_groups: Iterable[tuple[int, int]] = (),
    types: Sequence[bytes] = (),
    memory: bool = False,
    table: bool = False,
    globals: Sequence[bytes] = (),
    export: str | None = None,
    tail: bytes = b"",
) -> bytes:
    """A module with one function, whose type is number 0 and whose instructions are given with their `end`.

    It can have a memory of a page, a table of ten funcrefs, more types, globals, and anything as its tail.
    """
    return module(
        vector_section(1, [func_type(params, results), *types]),
        section(3, b"\1\0"),
        vector_section(4, [b"\x70" + limits(10)] if table else []),
        vector_section(5, [limits(1)] if memory else []),
        vector_section(6, globals),
        vector_section(7, [] if export is None else [name(export) + b"\0\0"]),
        vector_section(10, [code(local_groups, instructions)]),
        tail,
    )
