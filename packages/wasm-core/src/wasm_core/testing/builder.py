"""Whole modules from Python: `WasmBuilder`, and the instructions that tests use most, `Op`."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Final

from wasm_core.testing import binary
from wasm_core.testing.binary import limits, sized, unsigned, vector

#: Letters for value types: i32, i64, f32, f64, v128, funcref, externref, exnref.
TYPE_CODES: Final = {"i": 0x7F, "I": 0x7E, "f": 0x7D, "F": 0x7C, "v": 0x7B, "r": 0x70, "e": 0x6F, "x": 0x69}
#: Kinds of imports and exports.
FUNC, TABLE, MEMORY, GLOBAL, TAG = range(5)


def _codes(types: str) -> bytes:
    return bytes([TYPE_CODES[letter] for letter in types])


class Op:
    """Instructions as bytes."""

    END = b"\x0b"
    UNREACHABLE = b"\x00"
    DROP = b"\x1a"
    I32_ADD = b"\x6a"
    I32_MUL = b"\x6c"
    I32_DIV_S = b"\x6d"
    I64_ADD = b"\x7c"
    F64_ADD = b"\xa0"
    I32_LOAD = b"\x28\x02\x00"
    I32_LOAD8_U = b"\x2d\x00\x00"
    I32_STORE = b"\x36\x02\x00"
    MEMORY_SIZE = b"\x3f\x00"
    MEMORY_GROW = b"\x40\x00"

    @staticmethod
    def i32(value: int) -> bytes:
        return b"\x41" + binary.signed(value)

    @staticmethod
    def i64(value: int) -> bytes:
        return b"\x42" + binary.signed(value)

    @staticmethod
    def get(index: int) -> bytes:
        """local.get"""
        return b"\x20" + unsigned(index)

    @staticmethod
    def global_get(index: int) -> bytes:
        return b"\x23" + unsigned(index)

    @staticmethod
    def global_set(index: int) -> bytes:
        return b"\x24" + unsigned(index)

    @staticmethod
    def call(index: int) -> bytes:
        return b"\x10" + unsigned(index)

    @staticmethod
    def call_indirect(type: int, table: int = 0) -> bytes:
        return b"\x11" + unsigned(type) + unsigned(table)

    @staticmethod
    def ref_func(index: int) -> bytes:
        return b"\xd2" + unsigned(index)

    @staticmethod
    def ref_null(type: str) -> bytes:
        return b"\xd0" + _codes(type)

    @staticmethod
    def table_get(index: int = 0) -> bytes:
        return b"\x25" + unsigned(index)

    @staticmethod
    def table_set(index: int = 0) -> bytes:
        return b"\x26" + unsigned(index)

    @staticmethod
    def table_grow(index: int = 0) -> bytes:
        return b"\xfc\x0f" + unsigned(index)

    @staticmethod
    def table_init(element: int, table: int = 0) -> bytes:
        return b"\xfc\x0c" + unsigned(element) + unsigned(table)

    @staticmethod
    def throw(tag: int) -> bytes:
        return b"\x08" + unsigned(tag)

    THROW_REF = b"\x0a"

    @staticmethod
    def try_table(results: str, clauses: Sequence[bytes], body: bytes) -> bytes:
        kind = _codes(results) if results else b"\x40"
        return b"\x1f" + kind + vector(clauses) + body + b"\x0b"

    @staticmethod
    def catch(tag: int, label: int) -> bytes:
        """A clause of try_table, as the following."""
        return b"\x00" + unsigned(tag) + unsigned(label)

    @staticmethod
    def catch_ref(tag: int, label: int) -> bytes:
        return b"\x01" + unsigned(tag) + unsigned(label)

    @staticmethod
    def catch_all(label: int) -> bytes:
        return b"\x02" + unsigned(label)

    @staticmethod
    def catch_all_ref(label: int) -> bytes:
        return b"\x03" + unsigned(label)

    @staticmethod
    def block(results: str, body: bytes) -> bytes:
        kind = _codes(results) if results else b"\x40"
        return b"\x02" + kind + body + b"\x0b"

    @staticmethod
    def br(label: int) -> bytes:
        return b"\x0c" + unsigned(label)

    @staticmethod
    def try_(results: str, body: bytes, *clauses: bytes) -> bytes:
        """The older encoding; clauses are `caught` and `caught_all`."""
        kind = _codes(results) if results else b"\x40"
        return b"\x06" + kind + body + b"".join(clauses) + b"\x0b"

    @staticmethod
    def caught(tag: int, body: bytes) -> bytes:
        return b"\x07" + unsigned(tag) + body

    @staticmethod
    def caught_all(body: bytes) -> bytes:
        return b"\x19" + body

    @staticmethod
    def delegate(results: str, body: bytes, label: int) -> bytes:
        kind = _codes(results) if results else b"\x40"
        return b"\x06" + kind + body + b"\x18" + unsigned(label)

    @staticmethod
    def rethrow(label: int) -> bytes:
        return b"\x09" + unsigned(label)

    @staticmethod
    def if_(results: str, then: bytes, otherwise: bytes) -> bytes:
        kind = _codes(results) if results else b"\x40"
        return b"\x04" + kind + then + b"\x05" + otherwise + b"\x0b"


class WasmBuilder:
    """Puts a binary module together. Imports come before what the module defines itself.

    What adds something gives its index. Types are written as strings of i, I, f, F (i32, i64, f32, f64), v (v128),
    r (funcref), e (externref) and x (exnref).
    """

    op = Op

    def __init__(self) -> None:
        self._types: list[bytes] = []
        self._imports: list[bytes] = []
        self._counts = [0, 0, 0, 0, 0]
        self._tags: list[bytes] = []
        self._functions: list[bytes] = []
        self._tables: list[bytes] = []
        self._memories: list[bytes] = []
        self._globals: list[bytes] = []
        self._exports: list[bytes] = []
        self._elements: list[bytes] = []
        self._data: list[bytes] = []
        self._bodies: list[bytes] = []
        self._customs: list[bytes] = []
        self._start = b""

    def _item(self, kind: int, export: str | None) -> int:
        index = self._counts[kind]
        self._counts[kind] += 1
        if export is not None:
            self.export(export, kind, index)
        return index

    def export(self, name: str, kind: int, index: int) -> None:
        self._exports.append(binary.name(name) + bytes([kind]) + unsigned(index))

    def type(self, params: str = "", results: str = "") -> int:
        entry = binary.func_type(_codes(params), _codes(results))
        if entry not in self._types:
            self._types.append(entry)
        return self._types.index(entry)

    def _import(self, kind: int, module: str, name: str, description: bytes, export: str | None) -> int:
        self._imports.append(binary.name(module) + binary.name(name) + bytes([kind]) + description)
        return self._item(kind, export)

    def import_func(
        self, module: str, name: str, params: str = "", results: str = "", *, export: str | None = None
    ) -> int:
        return self._import(FUNC, module, name, unsigned(self.type(params, results)), export)

    def import_table(
        self, module: str, name: str, type: str, minimum: int, maximum: int | None = None, *, export: str | None = None
    ) -> int:
        return self._import(TABLE, module, name, _codes(type) + limits(minimum, maximum), export)

    def import_memory(
        self, module: str, name: str, minimum: int, maximum: int | None = None, *, export: str | None = None
    ) -> int:
        return self._import(MEMORY, module, name, limits(minimum, maximum), export)

    def import_global(
        self, module: str, name: str, type: str, *, mutable: bool = False, export: str | None = None
    ) -> int:
        return self._import(GLOBAL, module, name, _codes(type) + bytes([mutable]), export)

    def func(
        self, params: str = "", results: str = "", code: bytes = b"", *, locals: str = "", export: str | None = None
    ) -> int:
        """A function; its `end` is added."""
        self._functions.append(unsigned(self.type(params, results)))
        groups = [(len(list(group)), TYPE_CODES[letter]) for letter, group in groupby(locals)]
        self._bodies.append(binary.code(groups, code + Op.END))
        return self._item(FUNC, export)

    def table(self, type: str, minimum: int, maximum: int | None = None, *, export: str | None = None) -> int:
        self._tables.append(_codes(type) + limits(minimum, maximum))
        return self._item(TABLE, export)

    def memory(self, minimum: int, maximum: int | None = None, *, export: str | None = None) -> int:
        self._memories.append(limits(minimum, maximum))
        return self._item(MEMORY, export)

    def glob(self, type: str, init: bytes, *, mutable: bool = False, export: str | None = None) -> int:
        self._globals.append(_codes(type) + bytes([mutable]) + init + Op.END)
        return self._item(GLOBAL, export)

    def import_tag(self, module: str, name: str, params: str = "", *, export: str | None = None) -> int:
        return self._import(TAG, module, name, b"\x00" + unsigned(self.type(params)), export)

    def tag(self, params: str = "", *, export: str | None = None) -> int:
        self._tags.append(b"\x00" + unsigned(self.type(params)))
        return self._item(TAG, export)

    def start(self, index: int) -> None:
        self._start = unsigned(index)

    def elements(self, offset: bytes | None, functions: Sequence[int], table: int = 0) -> int:
        """An active segment of functions, or a passive one without `offset`."""
        indices = vector([unsigned(index) for index in functions])
        if offset is None:
            self._elements.append(b"\x01\x00" + indices)
        else:
            self._elements.append(b"\x02" + unsigned(table) + offset + Op.END + b"\x00" + indices)
        return len(self._elements) - 1

    def element_expressions(self, offset: bytes, type: str, expressions: Sequence[bytes], table: int = 0) -> int:
        items = vector([expression + Op.END for expression in expressions])
        self._elements.append(b"\x06" + unsigned(table) + offset + Op.END + _codes(type) + items)
        return len(self._elements) - 1

    def data(self, offset: bytes | None, content: bytes) -> int:
        """An active segment, or a passive one without `offset`."""
        self._data.append((b"\x01" if offset is None else b"\x00" + offset + Op.END) + sized(content))
        return len(self._data) - 1

    def custom(self, name: str, content: bytes) -> None:
        self._customs.append(binary.custom(name, content))

    def names(self, module: str, functions: dict[int, str]) -> None:
        """A name section."""
        entries = vector([unsigned(index) + binary.name(name) for index, name in sorted(functions.items())])
        self.custom("name", b"\x00" + sized(binary.name(module)) + b"\x01" + sized(entries))

    def build(self) -> bytes:
        """The module so far."""
        return binary.module(
            binary.vector_section(1, self._types),
            binary.vector_section(2, self._imports),
            binary.vector_section(3, self._functions),
            binary.vector_section(4, self._tables),
            binary.vector_section(5, self._memories),
            binary.vector_section(13, self._tags),
            binary.vector_section(6, self._globals),
            binary.vector_section(7, self._exports),
            binary.section(8, self._start) if self._start else b"",
            binary.vector_section(9, self._elements),
            binary.section(12, unsigned(len(self._data))) if self._data else b"",
            binary.vector_section(10, self._bodies),
            binary.vector_section(11, self._data),
            *self._customs,
        )
