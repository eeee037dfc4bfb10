"""A reader for the part of the text format that filetests are written in (core specification, chapter "Text Format").

Modules are in parentheses, as everywhere; instructions are flat (no folded ones) and all indices are numbers. What an
instruction is called and which immediates it has comes from the table that the decoder uses.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Sequence
from typing import Final

from wasm_core import instructions as table
from wasm_core.instructions import Instruction, by_name
from wasm_core.testing.binary import func_type, limits, module, section, signed, sized, unsigned, vector
from wasm_core.type_codes import CODE_OF, EMPTY_BLOCK
from wasm_core.types import ValueType

#: A word, or what is in a pair of parentheses.
Item = str | list["Item"]  # type: ignore[misc]

_TOKEN: Final = re.compile(r';;[^\n]*|\(;.*?;\)|\s+|([()])|("[^"]*")|([^\s()";]+)', re.DOTALL)
_TYPE, _IMPORT, _FUNCTION, _TABLE, _MEMORY, _GLOBAL, _EXPORT, _ELEMENT, _CODE, _DATA, _DATA_COUNT = (
    *range(1, 8),
    *range(9, 13),
)
_TAG: Final = 13
_ORDER: Final = (
    _TYPE,
    _IMPORT,
    _FUNCTION,
    _TABLE,
    _MEMORY,
    _TAG,
    _GLOBAL,
    _EXPORT,
    _ELEMENT,
    _DATA_COUNT,
    _CODE,
    _DATA,
)
_END, _MUTABLE = b"\x0b", b"\x01"
_INDEX: Final = (
    *(table.IMM_LABEL, table.IMM_FUNC, table.IMM_LOCAL, table.IMM_GLOBAL, table.IMM_TABLE),
    *(table.IMM_DATA, table.IMM_ELEM, table.IMM_TAG),
)


#: Names of catch clauses by their numbers.
_CLAUSES: Final = ("catch", "catch_ref", "catch_all", "catch_all_ref")


def _value_type(name: Item) -> bytes:
    return bytes([CODE_OF[ValueType(name)]])


def parse(text: str) -> list[Item]:
    """The items of a text. Raises ValueError."""
    stack: list[list[Item]] = [[]]
    position = 0
    while position < len(text):
        found = _TOKEN.match(text, position)
        if found is None:
            raise ValueError(f"what is {text[position : position + 20]!r}?")
        position = found.end()
        bracket, string, word = found.groups()
        if bracket == "(":
            inner: list[Item] = []
            stack[-1].append(inner)
            stack.append(inner)
        elif bracket:
            stack.pop()
        elif string or word:
            stack[-1].append(string or word)
    if len(stack) != 1:
        raise ValueError("parentheses do not match")
    return stack[0]


class _Body:
    """Instructions of one expression, which are words with groups among them: `(result i32)`, `(type 2)`."""

    def __init__(self, items: Sequence[Item]) -> None:
        self.items = items
        self.at = 0

    def groups(self, name: str) -> list[Item]:
        """What is in the groups of this name that come next."""
        found: list[Item] = []
        while self.at < len(self.items) and self.items[self.at][0] == name:
            found += self.items[self.at][1:]
            self.at += 1
        return found

    def word(self) -> str:
        item = self.items[self.at]
        if not isinstance(item, str):
            raise ValueError(f"an instruction or a number, not {item}")
        self.at += 1
        return item

    def numbers(self) -> Iterator[int]:
        """The numbers that come next."""
        while self.at < len(self.items) and isinstance(self.items[self.at], str) and self.items[self.at].isdecimal():
            yield int(self.word())

    def option(self, name: str, default: int) -> int:
        """`name=number` if that comes next."""
        if self.at < len(self.items) and str(self.items[self.at]).startswith(f"{name}="):
            return int(self.word().partition("=")[2], 0)
        return default

    def encode(self) -> bytes:
        """The expression without its `end`."""
        out = bytearray()
        while self.at < len(self.items):
            name = self.word()
            instruction = by_name().get(name)
            if instruction is None:
                raise ValueError(f"no instruction {name!r}")
            if name == "select" and (types := self.groups("result")):
                out += b"\x1c" + vector([_value_type(item) for item in types])
                continue
            opcode = instruction.opcode
            out += bytes([opcode]) if opcode < 0x100 else bytes([opcode >> 12]) + unsigned(opcode & 0xFFF)
            out += self._immediates(instruction)
        return bytes(out)

    def _immediates(self, instruction: Instruction) -> bytes:
        kind = instruction.immediate
        if kind == table.IMM_NONE:
            return b""
        if kind in _INDEX:
            return unsigned(int(self.word()))
        if kind in (table.IMM_BLOCK, table.IMM_BLOCK_CATCHES):
            clauses = self._clauses if kind == table.IMM_BLOCK_CATCHES else bytes
            if index := self.groups("type"):
                return signed(int(str(index[0]))) + clauses()
            result = self.groups("result")
            return (_value_type(result[0]) if result else bytes([EMPTY_BLOCK])) + clauses()
        if kind == table.IMM_LABEL_TABLE:
            *labels, default = self.numbers()
            return vector([unsigned(label) for label in labels]) + unsigned(default)
        if kind in (table.IMM_MEMARG, table.IMM_MEMARG_LANE):
            offset = self.option("offset", 0)
            align = self.option("align", instruction.access_size)
            lane = bytes([int(self.word())]) if kind == table.IMM_MEMARG_LANE else b""
            return unsigned(align.bit_length() - 1) + unsigned(offset) + lane
        if kind == table.IMM_LANE:
            return bytes([int(self.word())])
        if kind == table.IMM_SHUFFLE:
            return bytes(self.numbers())
        if kind == table.IMM_V128:
            if self.word() != "i32x4":
                raise ValueError("vectors are written as four numbers of 32 bits, i32x4")
            return struct.pack("<4I", *[int(self.word(), 0) for _ in range(4)])
        if kind in (table.IMM_I32, table.IMM_I64):
            return signed(int(self.word(), 0))
        if kind in (table.IMM_F32, table.IMM_F64):
            return struct.pack("<f" if kind == table.IMM_F32 else "<d", float(self.word()))
        if kind == table.IMM_MEMORY:
            return b"\0"
        if kind == table.IMM_MEMORY_MEMORY:
            return b"\0\0"
        if kind == table.IMM_DATA_MEMORY:
            return unsigned(int(self.word())) + b"\0"
        if kind == table.IMM_TYPE_TABLE:
            chosen = next(self.numbers(), 0)
            return unsigned(int(str(self.groups("type")[0]))) + unsigned(chosen)
        raise ValueError(f"{instruction.name} is not read here")

    def _clauses(self) -> bytes:
        """The catch clauses of a try_table that come next."""
        found: list[bytes] = []
        while self.at < len(self.items) and self.items[self.at][0] in _CLAUSES:
            name, *numbers = self.items[self.at]
            found.append(bytes([_CLAUSES.index(str(name))]) + b"".join(map(unsigned, _numbers(numbers))))
            self.at += 1
        return vector(found)


def _numbers(words: Sequence[Item]) -> list[int]:
    return [int(str(word)) for word in words]


class _Module:
    def __init__(self) -> None:
        self.sections: dict[int, list[bytes]] = {}
        self.functions = 0

    def section(self, number: int) -> list[bytes]:
        return self.sections.setdefault(number, [])

    def type_index(self, body: _Body) -> int:
        """The type that `(param ...) (result ...)` describes, which is made if it is not there."""
        params = [_value_type(item) for item in body.groups("param")]
        results = [_value_type(item) for item in body.groups("result")]
        encoded = func_type(b"".join(params), b"".join(results))
        types = self.section(_TYPE)
        if encoded not in types:
            types.append(encoded)
        return types.index(encoded)

    def field(self, name: str, items: list[Item]) -> None:
        """One field of the module."""
        if name == "type":
            self.section(_TYPE)
            self.type_index(_Body(items[0][1:]))
        elif name == "import":
            source, field, group = items
            index = self.type_index(_Body(group[1:]))
            names = b"".join(sized(str(text)[1:-1].encode()) for text in (source, field))
            self.section(_IMPORT).append(names + b"\0" + unsigned(index))
            self.functions += 1
        elif name == "func":
            self.function(_Body(items))
        elif name == "table":
            self.section(_TABLE).append(_value_type(items[-1]) + limits(*_numbers(items[:-1])))
        elif name == "memory":
            self.section(_MEMORY).append(limits(*_numbers(items)))
        elif name == "tag":
            self.section(_TAG).append(b"\0" + unsigned(self.type_index(_Body(items))))
        elif name == "global":
            mutable = isinstance(items[0], list)
            value_type = _value_type(items[0][1] if mutable else items[0])
            initial = _Body(items[1]).encode() + _END
            self.section(_GLOBAL).append(value_type + (_MUTABLE if mutable else b"\0") + initial)
        elif name == "data":
            content = str(items[-1])[1:-1].encode()
            where = b"\0" + _Body(items[0]).encode() + _END if len(items) > 1 else b"\1"
            self.section(_DATA).append(where + sized(content))
        else:
            raise ValueError(f"no field {name!r} is read here")

    def function(self, body: _Body) -> None:
        """A function, and its export."""
        for name in body.groups("export"):
            exported = sized(str(name)[1:-1].encode())
            self.section(_EXPORT).append(exported + b"\0" + unsigned(self.functions))
        self.section(_FUNCTION).append(unsigned(self.type_index(body)))
        local_types = [b"\1" + _value_type(item) for item in body.groups("local")]
        self.section(_CODE).append(sized(vector(local_types) + body.encode() + _END))
        self.functions += 1

    def encode(self) -> bytes:
        if _DATA in self.sections:
            self.sections[_DATA_COUNT] = self.sections[_DATA]
        sections = []
        for number in _ORDER:
            items = self.sections.get(number)
            if items:
                sections.append(section(number, unsigned(len(items)) if number == _DATA_COUNT else vector(items)))
        return module(*sections)


def assemble(text: str) -> bytes:
    """The binary of a module. Raises ValueError, LookupError or TypeError for what is not understood."""
    (fields,) = parse(text)
    collected = _Module()
    for name, *items in fields[1:]:
        collected.field(str(name), items)
    return collected.encode()
