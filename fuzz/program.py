"""A random module: what its functions can use, and how it becomes a binary."""

from __future__ import annotations

import random
from typing import Final

import attrs

from fuzz.edge_values import I32, NUMERIC, bits
from fuzz.tree import Node, const, encode
from wasm_core.testing import binary
from wasm_core.testing.binary import func_type, limits, section, sized, unsigned, vector, vector_section

#: Work that one call may do: each round of a loop takes 1, each function that is entered FUEL_PER_CALL.
FUEL: Final = 1500
FUEL_PER_CALL: Final = 30
PAGES: Final = 1
MAX_PAGES: Final = 3
#: Elements of the tables: 0 is called through, 1 is written to.
TABLE_SIZES: Final = (40, 10)
MAX_TABLE_SIZE: Final = 20

Signature = tuple[tuple[int, ...], tuple[int, ...]]


@attrs.define
class Body:
    """A function of the module."""

    signature: Signature
    locals: list[int]
    code: Node


@attrs.define
class Global:
    """A global variable and its first value."""

    type: int
    mutable: bool
    pattern: int


class Program:
    """What a module has before its functions' bodies are made; they are appended later."""

    def __init__(self, chance: random.Random, function_count: int) -> None:
        self.types: list[Signature] = []
        #: Host functions, in the order of the imports; the first is "reenter".
        self.hosts: list[Signature] = [((I32,), (I32,))]
        self.hosts += [_signature(chance, 5, 1 if chance.random() < 0.8 else 3) for _ in range(chance.randint(1, 4))]
        # Few signatures, so that calls through the table often fit.
        kinds = [_signature(chance, chance.choice((2, 4, 12)), chance.choice((1, 1, 2, 10))) for _ in range(8)]
        self.signatures: list[Signature] = [chance.choice(kinds) for _ in range(function_count)]
        self.bodies: list[Body] = []
        self.globals = [Global(I32, True, FUEL)]
        for value_type in NUMERIC:
            self.globals += [Global(value_type, True, bits(chance, value_type)) for _ in range(2)]
            self.globals.append(Global(value_type, False, bits(chance, value_type)))
        self.data = [chance.randbytes(512), chance.randbytes(40), chance.randbytes(7)]
        count = self.function_count
        self.table = [chance.randrange(count) if chance.random() < 0.9 else None for _ in range(TABLE_SIZES[0])]
        self.passive = [chance.randrange(count) if chance.random() < 0.8 else None for _ in range(6)]
        #: Pages that the memory may have; without a difference to PAGES, memory.grow fails.
        self.max_pages = chance.choice((PAGES, MAX_PAGES))

    @property
    def function_count(self) -> int:
        """Functions, imports included."""
        return len(self.hosts) + len(self.signatures)

    def signature(self, function: int) -> Signature:
        """By index in the function index space."""
        hosts = len(self.hosts)
        return self.hosts[function] if function < hosts else self.signatures[function - hosts]

    def type_index(self, signature: Signature) -> int:
        """Index of a type, which is added if it is new."""
        if signature not in self.types:
            self.types.append(signature)
        return self.types.index(signature)

    def binary(self) -> bytes:
        """The module."""
        functions = list(range(len(self.hosts), self.function_count))
        imports = [
            sized(b"env") + sized(b"host%d" % number) + b"\0" + unsigned(self.type_index(signature))
            for number, signature in enumerate(self.hosts)
        ]
        declared = [unsigned(self.type_index(signature)) for signature in self.signatures]
        bodies = [sized(_locals(body.locals) + encode(body.code) + b"\x0b") for body in self.bodies]
        exports = [sized(b"f%d" % number) + b"\0" + unsigned(index) for number, index in enumerate(functions)]
        exports += [sized(b"memory") + b"\x02\0", sized(b"table0") + b"\x01\0", sized(b"table1") + b"\x01\x01"]
        exports += [sized(b"g%d" % index) + b"\x03" + unsigned(index) for index in range(len(self.globals))]
        tables = [b"\x70" + limits(TABLE_SIZES[0]), b"\x70" + limits(TABLE_SIZES[1], MAX_TABLE_SIZE)]
        variables = [
            bytes([variable.type, variable.mutable]) + encode(const(variable.type, variable.pattern)) + b"\x0b"
            for variable in self.globals
        ]
        start = b"\x41\0\x0b"
        elements = [b"\x04" + start + vector(map(_reference, self.table))]
        elements.append(b"\x05\x70" + vector(map(_reference, self.passive)))
        # Every function is declared, so that ref.func can take any.
        elements.append(b"\x03\0" + vector(map(unsigned, range(self.function_count))))
        data = [b"\0" + start + sized(self.data[0]), *(b"\x01" + sized(content) for content in self.data[1:])]
        types = [func_type(bytes(params), bytes(results)) for params, results in self.types]
        return binary.module(
            vector_section(1, types),
            vector_section(2, imports),
            vector_section(3, declared),
            vector_section(4, tables),
            vector_section(5, [limits(PAGES, self.max_pages)]),
            vector_section(6, variables),
            vector_section(7, exports),
            vector_section(9, elements),
            section(12, unsigned(len(data))),
            vector_section(10, bodies),
            vector_section(11, data),
        )


def _signature(chance: random.Random, params: int, results: int) -> Signature:
    return (
        tuple(chance.choice(NUMERIC) for _ in range(chance.randint(0, params))),
        tuple(chance.choice(NUMERIC) for _ in range(chance.randint(0 if results > 1 else results, results))),
    )


def _reference(function: int | None) -> bytes:
    return (b"\xd0\x70" if function is None else b"\xd2" + unsigned(function)) + b"\x0b"


def _locals(types: list[int]) -> bytes:
    return vector(b"\x01" + bytes([type]) for type in types)
