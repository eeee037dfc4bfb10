"""Generates modules to compile: function bodies of a given size, with instructions mixed about as compilers mix them.

They are valid, and made to be compiled rather than run.
"""

from __future__ import annotations

from random import Random

from wasm_core.testing.binary import signed, unsigned
from wasm_core.testing.builder import Op, WasmBuilder

#: Locals of generated functions: two i32 parameters and six more, then i64, then f64.
_I32_LOCALS = range(8)
_I64_LOCALS = range(8, 11)
_F64_LOCALS = range(11, 14)
_LOCALS = "iiiiiiIIIFFF"
_MAX_DEPTH = 6
_CONSTANTS = (0, 1, 1, 2, 3, 4, 8, 16, 24, 255, 1000, -1, -16, 65536, 1050000)

#: What an instruction of this mix takes on average.
BYTES_PER_INSTRUCTION = 2.0

_GET, _SET, _TEE = 0x20, 0x21, 0x22
#: add, sub, mul, and, or, xor, shl, shr_s, shr_u by how often compilers emit them.
_I32_BINARY = bytes(
    [0x6A] * 8 + [0x6B] * 3 + [0x6C] * 2 + [0x71] * 4 + [0x72] * 2 + [0x73] * 2 + [0x74] * 3 + [0x75, 0x76]
)
_I64_BINARY = bytes([0x7C] * 4 + [0x7D, 0x7E, 0x83, 0x84, 0x85, 0x86, 0x88])
_F64_BINARY = bytes([0xA0, 0xA0, 0xA1, 0xA2, 0xA2])
#: eq, ne, lt_s, lt_u, gt_s, gt_u, le_s, ge_u.
_COMPARISONS = bytes([0x46, 0x47, 0x48, 0x49, 0x4A, 0x4B, 0x4C, 0x4F])
#: Opcode and log2 of the alignment of loads and stores of i32: all of it, bytes, 16 bits.
_LOADS = ((0x28, 2), (0x28, 2), (0x28, 2), (0x2D, 0), (0x2C, 0), (0x2F, 1))
_STORES = ((0x36, 2), (0x36, 2), (0x36, 2), (0x3A, 0), (0x3B, 1))


class _BodyGenerator:
    """Writes statements until a number of instructions is reached."""

    def __init__(self, random: Random, functions: int) -> None:
        self._random = random
        self._functions = functions
        self._code = bytearray()
        self.count = 0

    def _emit(self, instructions: int, *parts: int | bytes) -> None:
        for part in parts:
            self._code += bytes([part]) if isinstance(part, int) else part
        self.count += instructions

    def statements(self, limit: int, depth: int = 0) -> None:
        """Statements until `limit` instructions have been written in all; `depth` constructs are open."""
        pick = self._random.random
        simple = (self._assign, self._assign, self._store, self._call, self._wide, self._float)
        nested = (self._block, self._block, self._block, self._if, self._loop)
        while self.count < limit:
            chance = pick()
            if chance < 0.2 and depth < _MAX_DEPTH and limit - self.count > 12:
                # Constructs take part of what is left, so that they nest and also follow each other.
                size = min(limit - self.count, 10 + int(pick() * 120))
                self._random.choice(nested)(self.count + size - 6, depth + 1)
            elif chance < 0.28 and depth:
                self._condition()
                self._emit(1, 0x0D, self._random.randrange(depth))
            elif chance < 0.285:
                self._switch()
            else:
                simple[int(pick() ** 1.6 * len(simple))]()

    def body(self) -> bytes:
        """Its instructions; the function gives one i32."""
        self._emit(2, _GET, 2)
        return bytes(self._code)

    def _local(self) -> int:
        return self._random.choice(_I32_LOCALS)

    def _operand(self) -> None:
        """A local or a constant."""
        if self._random.random() < 0.65:
            self._emit(1, _GET, self._local())
        else:
            self._emit(1, 0x41, signed(self._random.choice(_CONSTANTS)))

    def _value(self, depth: int = 0) -> None:
        """An i32: an operation on values, a load, or an operand."""
        chance = self._random.random()
        if chance < 0.5 and depth < 3:
            self._value(depth + 1)
            self._operand()
            self._emit(1, self._random.choice(_I32_BINARY))
        elif chance < 0.65:
            self._load()
        else:
            self._operand()
        if chance < 0.1:
            self._emit(1, _TEE, self._local())

    def _memory_argument(self, alignment: int) -> bytes:
        return unsigned(alignment) + unsigned(self._random.randrange(0, 100, 4))

    def _load(self) -> None:
        opcode, alignment = self._random.choice(_LOADS)
        self._emit(2, _GET, self._local(), opcode, self._memory_argument(alignment))

    def _assign(self) -> None:
        self._value()
        self._emit(1, _SET, self._local())

    def _store(self) -> None:
        opcode, alignment = self._random.choice(_STORES)
        self._emit(1, _GET, self._local())
        self._value()
        self._emit(1, opcode, self._memory_argument(alignment))

    def _call(self) -> None:
        self._value(2)
        self._operand()
        self._emit(2, 0x10, unsigned(self._random.randrange(self._functions)), _SET, self._local())

    def _wide(self) -> None:
        choice = self._random.choice
        if self._random.random() < 0.4:
            self._emit(3, _GET, self._local(), 0x29, self._memory_argument(3), _SET, choice(_I64_LOCALS))
        else:
            self._emit(3, _GET, self._local(), _GET, choice(_I64_LOCALS), _GET, choice(_I64_LOCALS))
            self._emit(2, choice(_I64_BINARY), 0x37, self._memory_argument(3))

    def _float(self) -> None:
        choice = self._random.choice
        operator = choice(_F64_BINARY)
        self._emit(4, _GET, choice(_F64_LOCALS), _GET, choice(_F64_LOCALS), operator, _SET, choice(_F64_LOCALS))

    def _condition(self) -> None:
        # A condition that a compiler knows could make a loop endless, and all that follows unreachable.
        self._emit(2, _GET, self._local(), 0x28, self._memory_argument(2))
        if self._random.random() < 0.4:
            self._emit(1, 0x45)
        else:
            self._emit(2, 0x41, signed(self._random.choice((1, 2, 3, 255, 1000))), self._random.choice(_COMPARISONS))

    def _if(self, limit: int, depth: int) -> None:
        self._condition()
        self._emit(1, 0x04, 0x40)
        half = self._random.random() < 0.4
        self.statements((self.count + limit) // 2 if half else limit, depth)
        if half:
            self._emit(1, 0x05)
            self.statements(limit, depth)
        self._emit(1, 0x0B)

    def _block(self, limit: int, depth: int) -> None:
        self._emit(1, 0x02, 0x40)
        self._condition()
        self._emit(1, 0x0D, 0)
        self.statements(limit, depth)
        self._emit(1, 0x0B)

    def _loop(self, limit: int, depth: int) -> None:
        self._emit(1, 0x03, 0x40)
        self.statements(limit - 4, depth)
        self._condition()
        self._emit(2, 0x0D, 0, 0x0B)

    def _switch(self) -> None:
        ways = self._random.randrange(3, 9)
        self._emit(ways, *[b"\x02\x40"] * ways)
        self._emit(2, _GET, self._local(), 0x0E, unsigned(ways - 1), bytes(range(ways)))
        for _ in range(ways):
            self._emit(1, 0x0B)
            self._assign()


def function_body(random: Random, instructions: int, functions: int = 1) -> tuple[bytes, int]:
    """Code of about `instructions` instructions, with calls of some of `functions`; and the exact number."""
    generator = _BodyGenerator(random, functions)
    generator.statements(instructions - 3)
    code = generator.body()
    return code, generator.count + 1


def functions_of(instructions: int, functions: int, seed: int = 1) -> bytes:
    """A module of so many functions of about so many instructions each."""
    random = Random(seed)
    builder = WasmBuilder()
    builder.memory(1)
    for _ in range(functions):
        builder.func("ii", "i", function_body(random, instructions, functions)[0], locals=_LOCALS)
    return builder.build()


def large_module(functions: int, size: int, seed: int = 1) -> tuple[bytes, int]:
    """A module of so many functions and about `size` bytes; and how many instructions it has.

    Sizes of functions are distributed log-normally, as in real programs. There are at most 1000 different bodies.
    `main`, the first function, is exported and calls nothing.
    """
    random = Random(seed)
    sizes = [random.lognormvariate(0, 1.2) for _ in range(min(functions - 1, 1000))]
    scale = size / functions / BYTES_PER_INSTRUCTION / (sum(sizes) / len(sizes))
    made = [function_body(random, int(scale * size), functions) for size in sizes]
    builder = WasmBuilder()
    builder.memory(256)
    builder.func("ii", "i", Op.get(0) + Op.get(1) + Op.I32_ADD, export="main")
    count = 4
    for number in range(functions - 1):
        code, instructions = made[number % len(made)]
        builder.func("ii", "i", code, locals=_LOCALS)
        count += instructions
    return builder.build(), count
