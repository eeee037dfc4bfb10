"""Writes binary modules (core specification, chapter "Binary Format"): as much of it as the benchmarks need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

I32, I64, F32, F64, FUNCREF = 0x7F, 0x7E, 0x7D, 0x7C, 0x70
FUNC, TABLE, MEMORY, GLOBAL = 0, 1, 2, 3


def unsigned(value: int) -> bytes:
    """LEB128 of an unsigned integer."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if not value:
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def signed(value: int) -> bytes:
    """LEB128 of a signed integer."""
    out = bytearray()
    while True:
        byte = value & 0x7F
        value >>= 7
        if value == (-1 if byte & 0x40 else 0):
            out.append(byte)
            return bytes(out)
        out.append(byte | 0x80)


def name(text: str) -> bytes:
    """A name: its length and UTF-8."""
    data = text.encode()
    return unsigned(len(data)) + data


def vector(items: Iterable[bytes]) -> bytes:
    """A vector: the number of items, and the items."""
    listed = list(items)
    return unsigned(len(listed)) + b"".join(listed)


def func_type(params: Sequence[int], results: Sequence[int]) -> bytes:
    """A function type."""
    return b"\x60" + unsigned(len(params)) + bytes(params) + unsigned(len(results)) + bytes(results)


def body(locals_: Sequence[tuple[int, int]], code: bytes) -> bytes:
    """A code entry: its size, locals as (count, type), and instructions (without the final `end`)."""
    content = vector(unsigned(count) + bytes([type_]) for count, type_ in locals_) + code + b"\x0b"
    return unsigned(len(content)) + content


class ModuleWriter:
    """Collects the parts of a module."""

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._imports: list[bytes] = []
        self._functions: list[bytes] = []
        self._bodies: list[bytes] = []
        self._exports: list[bytes] = []
        self._memory: bytes | None = None
        self._table: bytes | None = None
        self._elements: list[int] = []
        self._globals: list[bytes] = []
        self._data: bytes | None = None

    def type(self, params: Sequence[int], results: Sequence[int]) -> int:
        """Index of a function type, added if new."""
        encoded = func_type(params, results)
        if encoded not in self._types:
            self._types.append(encoded)
        return self._types.index(encoded)

    def import_function(self, module: str, field: str, type_: int) -> int:
        """Add an imported function (before all others); gives its index."""
        assert not self._functions
        self._imports.append(name(module) + name(field) + bytes([FUNC]) + unsigned(type_))
        return len(self._imports) - 1

    def function(self, type_: int, encoded_body: bytes, export: str | None = None) -> int:
        """Add a function with a body made by `body`; gives its index."""
        index = len(self._imports) + len(self._functions)
        self._functions.append(unsigned(type_))
        self._bodies.append(encoded_body)
        if export is not None:
            self._exports.append(name(export) + bytes([FUNC]) + unsigned(index))
        return index

    def memory(self, pages: int, export: str | None = None) -> None:
        """Give the module a memory."""
        self._memory = b"\x00" + unsigned(pages)
        if export is not None:
            self._exports.append(name(export) + bytes([MEMORY, 0]))

    def table(self, functions: Sequence[int]) -> None:
        """Give the module a table of these functions."""
        self._table = bytes([FUNCREF]) + b"\x00" + unsigned(len(functions))
        self._elements = list(functions)

    def global_i32(self, value: int) -> None:
        """Add a mutable global of type i32."""
        self._globals.append(bytes([I32, 1, 0x41]) + signed(value) + b"\x0b")

    def data(self, offset: int, content: bytes) -> None:
        """Set the one data segment."""
        self._data = b"\x00\x41" + signed(offset) + b"\x0b" + unsigned(len(content)) + content

    def write(self) -> bytes:
        """The module in binary."""
        elements = b"\x00\x41\x00\x0b" + vector(map(unsigned, self._elements))
        sections = [
            (1, vector(self._types)),
            (2, vector(self._imports) if self._imports else None),
            (3, vector(self._functions)),
            (4, vector([self._table]) if self._table is not None else None),
            (5, vector([self._memory]) if self._memory is not None else None),
            (6, vector(self._globals) if self._globals else None),
            (7, vector(self._exports)),
            (9, vector([elements]) if self._elements else None),
            (10, vector(self._bodies)),
            (11, vector([self._data]) if self._data is not None else None),
        ]
        out = [b"\0asm\x01\0\0\0"]
        for number, content in sections:
            if content is not None:
                out += [bytes([number]), unsigned(len(content)), content]
        return b"".join(out)
