"""A random module: what its functions can use, and how it becomes a binary."""

from __future__ import annotations

import random
from typing import Final

import attrs

from fuzz.edge_values import I32, I64, NUMERIC, V128, bits
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

#: What engines that have no Python values for vectors do not use: functions with vectors in their signatures.
DIRECT: Final = "direct "
#: An export that stores the global variables with vectors, which no engine's Python has, in memory; and where.
DUMP: Final = "vectors"
_DUMP_ADDRESS: Final = 0x7F00

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
    """What a module has before its functions' bodies are made; they are appended later.

    Its values have the types `kinds`, of which those that stand there more than once are more frequent. Exports have no
    vectors in their signatures, but pairs of i64; the functions themselves are exported too, as DIRECT and the name.
    """

    def __init__(self, chance: random.Random, function_count: int, kinds: tuple[int, ...] = NUMERIC) -> None:
        self.kinds = kinds
        self.types: list[Signature] = []
        #: Host functions, in the order of the imports; the first is "reenter".
        self.hosts: list[Signature] = [((I32,), (I32,))]
        self.hosts += [_signature(chance, 5, 1 if chance.random() < 0.8 else 3) for _ in range(chance.randint(1, 4))]
        # Few signatures, so that calls through the table often fit.
        few = [_signature(chance, chance.choice((2, 4, 12)), chance.choice((1, 1, 2, 10)), kinds) for _ in range(8)]
        self.signatures: list[Signature] = [chance.choice(few) for _ in range(function_count)]
        self.bodies: list[Body] = []
        self.globals = [Global(I32, True, FUEL)]
        for value_type in dict.fromkeys(kinds):
            self.globals += [Global(value_type, True, bits(chance, value_type)) for _ in range(2)]
            self.globals.append(Global(value_type, False, bits(chance, value_type)))
        self.data = [chance.randbytes(512), chance.randbytes(40), chance.randbytes(7)]
        count = self.function_count
        self.table = [chance.randrange(count) if chance.random() < 0.9 else None for _ in range(TABLE_SIZES[0])]
        self.passive = [chance.randrange(count) if chance.random() < 0.8 else None for _ in range(6)]
        #: Pages that the memory may have; without a difference to PAGES, memory.grow fails.
        self.max_pages = chance.choice((PAGES, MAX_PAGES))
        #: What exceptions bring along, by tag.
        self.tags: list[tuple[int, ...]] = [(), (I32,), (I64, chance.choice(NUMERIC), chance.choice(kinds))]
        #: The types of addresses of the memory, and of indices of both tables.
        self.address_type = I64 if chance.random() < 0.35 else I32
        self.index_types = tuple(I64 if chance.random() < 0.3 else I32 for _ in TABLE_SIZES)

    @property
    def function_count(self) -> int:
        """Functions, imports included."""
        return len(self.hosts) + len(self.signatures)

    def signature(self, function: int) -> Signature:
        """By index in the function index space."""
        hosts = len(self.hosts)
        return self.hosts[function] if function < hosts else self.signatures[function - hosts]

    def exported_signature(self, number: int) -> Signature:
        """What the export of a function, by its number among `signatures`, takes and gives."""
        params, results = self.signatures[number]
        return _flat(params), _flat(results)

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
        exports = []
        for number, index in enumerate(functions):
            if V128 in self.signatures[number][0] + self.signatures[number][1]:
                exports.append(sized(b"%sf%d" % (DIRECT.encode(), number)) + b"\0" + unsigned(index))
                index = len(self.hosts) + len(declared)
                declared.append(unsigned(self.type_index(self.exported_signature(number))))
                bodies.append(sized(_wrapper(self.signatures[number], len(self.hosts) + number)))
            exports.append(sized(b"f%d" % number) + b"\0" + unsigned(index))
        if V128 in self.kinds:
            exports.append(sized(DUMP.encode()) + b"\0" + unsigned(len(self.hosts) + len(declared)))
            declared.append(unsigned(self.type_index(((), ()))))
            bodies.append(sized(_dump(self.globals, self.address_type)))
        exports += [sized(b"memory") + b"\x02\0", sized(b"table0") + b"\x01\0", sized(b"table1") + b"\x01\x01"]
        exports += [
            sized(b"g%d" % index) + b"\x03" + unsigned(index)
            for index, variable in enumerate(self.globals)
            if variable.type != V128
        ]
        wide = [type == I64 for type in self.index_types]
        tables = [
            b"\x70" + limits(TABLE_SIZES[0], None, wide[0]),
            b"\x70" + limits(TABLE_SIZES[1], MAX_TABLE_SIZE, wide[1]),
        ]
        variables = [
            bytes([variable.type, variable.mutable]) + encode(const(variable.type, variable.pattern)) + b"\x0b"
            for variable in self.globals
        ]
        tags = [b"\0" + unsigned(self.type_index((tag, ()))) for tag in self.tags]
        start = encode(const(self.address_type, 0)) + b"\x0b"
        elements = [b"\x04" + encode(const(self.index_types[0], 0)) + b"\x0b" + vector(map(_reference, self.table))]
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
            vector_section(5, [limits(PAGES, self.max_pages, self.address_type == I64)]),
            vector_section(13, tags),
            vector_section(6, variables),
            vector_section(7, exports),
            vector_section(9, elements),
            section(12, unsigned(len(data))),
            vector_section(10, bodies),
            vector_section(11, data),
        )


def _signature(chance: random.Random, params: int, results: int, kinds: tuple[int, ...] = NUMERIC) -> Signature:
    return (
        tuple(chance.choice(kinds) for _ in range(chance.randint(0, params))),
        tuple(chance.choice(kinds) for _ in range(chance.randint(0 if results > 1 else results, results))),
    )


def _flat(types: tuple[int, ...]) -> tuple[int, ...]:
    """Two i64 instead of each vector, the low half first."""
    return tuple(part for type in types for part in ((I64, I64) if type == V128 else (type,)))


def _wrapper(signature: Signature, function: int) -> bytes:
    """The body of a function that calls another one, and has two i64 for each of its vectors."""
    params, results = signature
    code = bytearray()
    index = 0
    for type in params:
        code += b"\x20" + unsigned(index)
        index += 1
        if type == V128:
            # i64x2.splat, and i64x2.replace_lane of the upper half.
            code += b"\xfd\x12\x20" + unsigned(index) + b"\xfd\x1e\x01"
            index += 1
    code += b"\x10" + unsigned(function)
    for number in reversed(range(len(results))):
        code += b"\x21" + unsigned(index + number)
    for number, type in enumerate(results):
        get = b"\x20" + unsigned(index + number)
        # i64x2.extract_lane.
        code += get + b"\xfd\x1d\0" + get + b"\xfd\x1d\x01" if type == V128 else get
    return _locals(list(results)) + bytes(code) + b"\x0b"


def _dump(variables: list[Global], address_type: int) -> bytes:
    """The body of a function that stores variables with vectors."""
    vectors = [index for index, variable in enumerate(variables) if variable.type == V128]
    code = bytearray()
    for number, index in enumerate(vectors):
        address = encode(const(address_type, _DUMP_ADDRESS + 16 * number))
        code += address + b"\x23" + unsigned(index) + b"\xfd\x0b\0\0"
    return _locals([]) + bytes(code) + b"\x0b"


def _reference(function: int | None) -> bytes:
    return (b"\xd0\x70" if function is None else b"\xd2" + unsigned(function)) + b"\x0b"


def _locals(types: list[int]) -> bytes:
    return vector(b"\x01" + bytes([type]) for type in types)
