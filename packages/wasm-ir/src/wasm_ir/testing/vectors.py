"""Vector operations, run, against a model; and vectors wherever values can be. For backends that have vectors."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Sequence

import pytest

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import ABI_WASM, Function, Inst, Signature
from wasm_ir.opcodes import F32X4, F64X2, HIGH_HALF, I8X16, I16X8, I32X4, I64X2
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.floats import edges
from wasm_ir.testing.native_code import Body, Native, build, pointer, raw
from wasm_ir.testing.vector_model import allowed, join, split, vector
from wasm_ir.verifier import VECTOR_RULES, verify

I32, I64, F32, F64, V128 = types.I32, types.I64, types.F32, types.F64, types.V128

#: Where functions under test find their operands in memory 0, and put their result.
_OPERANDS = (0x100, 0x120, 0x140)
_RESULT = 0x180
_NOTHING = Signature((I32,), ())

_INTEGER_EDGES = {
    8: [0, 1, 2, 0x7F, 0x80, 0x81, 0xFF, 0xFE, 0x55, 0x10, 0x0F],
    16: [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0x8001, 0xFFFF, 0xFF7F, 0xFF80, 0x5555, 0x4000],
    32: [
        *(0, 1, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0x80000001, 0xFFFFFFFF),
        *(0xFFFF7FFF, 0xFFFF8000),
    ],
    64: [
        *(0, 1, 0x7FFFFFFF, 0xFFFFFFFF, 1 << 32, (1 << 63) - 1, 1 << 63, (1 << 63) + 1, (1 << 64) - 1),
        0xFFFFFFFF00000000,
    ],
}


def _lane_values(shape: int, chance: random.Random) -> list[int]:
    if shape in (F32X4, F64X2):
        return edges(op.SHAPE_TYPES[shape])
    width = op.SHAPE_BITS[shape]
    return _INTEGER_EDGES[width] + [chance.getrandbits(width) for _ in range(10)]


def _operand_shape(operation: int, imm: int) -> int:
    """The shape in which an operation looks at its operands."""
    shape = imm & op.SHAPE_MASK
    if operation in (op.V_NARROW_S, op.V_NARROW_U):
        return shape + 1
    if operation in (op.V_CONVERT_S, op.V_CONVERT_U):
        return I32X4
    if operation in (op.V_DOT, *range(op.V_EXTEND_S, op.V_EXTADD_U + 1)):
        return shape - 1
    if operation in (op.V_DEMOTE, op.V_PROMOTE):
        return F64X2 if operation == op.V_DEMOTE else F32X4
    if operation in (op.V_SHUFFLE, op.V_SWIZZLE, op.V_RELAXED_SWIZZLE, op.V_RELAXED_DOT):
        return I8X16
    return shape


def _vectors(shape: int, count: int, chance: random.Random) -> list[int]:
    """Vectors whose lanes are edges, shuffled; and a few of all zeros, all ones, and anything."""
    values = _lane_values(shape, chance)
    result = [0, types.MASKS[V128], chance.getrandbits(128)]
    lanes = op.SHAPE_LANES[shape]
    while len(result) < count:
        result.append(join([chance.choice(values) for _ in range(lanes)], shape))
    # Every edge once, at least.
    for at in range(0, len(values), lanes):
        result.append(join((values[at : at + lanes] * lanes)[:lanes], shape))
    return result


#: Operation, imm of every operation in every shape, with every lane.
ROWS = [
    (operation, shape | rest << op.SHAPE_SHIFT)
    for operation, (_, _, shapes, count) in VECTOR_RULES.items()
    for shape in shapes
    for rest in range(count or op.SHAPE_LANES[shape])
    if not (operation == op.V_ICMP and shape == I64X2 and rest >= op.LT_U)
]


def _name(row: tuple[int, int]) -> str:
    operation, imm = row
    rest = imm >> op.SHAPE_SHIFT
    return f"{op.NAMES[operation]}-{op.SHAPE_NAMES[imm & op.SHAPE_MASK]}{f'-{rest}' if rest else ''}"


#: Patterns that machines have instructions for, and some like them.
SHUFFLES = [
    list(range(16)),
    *([n + k for n in range(16)] for k in range(1, 16)),
    # Interleaving, low and high halves; choosing from the same place.
    *(
        [n // size % 2 * 16 + n // (2 * size) * size + n % size + start for n in range(16)]
        for size in (1, 2, 4, 8)
        for start in (0, 8)
    ),
    *([n // size % 2 * 16 + n for n in range(16)] for size in (1, 2, 4, 8)),
    # Every second element.
    *([(n // size * 2 + odd) * size + n % size for n in range(16)] for size in (1, 2, 4, 8) for odd in (0, 1)),
    # One element everywhere, reversals, rotations.
    *([k * size + n % size for n in range(16)] for size in (1, 2, 4, 8) for k in (0, 1, 16 // size - 1)),
    *([15 - n for n in range(16)], [n ^ 1 for n in range(16)], [n ^ 3 for n in range(16)], [n ^ 7 for n in range(16)]),
    *([(n // 4) * 4 + (n + 1) % 4 for n in range(16)], [(n + 4) % 16 for n in range(16)]),
    *([n ^ 4 for n in range(16)], [n ^ 8 for n in range(16)], [n ^ 2 for n in range(16)]),
    # One byte or word of the other operand.
    *([n + 16 * (n == k) for n in range(16)] for k in (1, 15)),
    *([n + 16 * (n // 2 == k) for n in range(16)] for k in (1, 7)),
    *([n + 16 * (n // 4 == k) for n in range(16)] for k in (1, 3)),
]


class VectorTests(BackendFixtures):
    """Vector operations of the IR. Skipped for backends without the attribute `vectors`."""

    needs = "vectors"

    # Operations, on values in registers and on values that are loaded for them.

    @pytest.mark.parametrize("row", ROWS, ids=_name)
    def test_operation(self, any_native: Native, row: tuple[int, int]) -> None:
        operation, imm = row
        shape = imm & op.SHAPE_MASK
        kinds = {"v": V128, "i": I32, "s": op.SHAPE_TYPES[shape]}
        result, operands, _, _ = VECTOR_RULES[operation]
        operand_types = [kinds[operand] for operand in operands]
        chance = random.Random(repr(row))
        samples = [_samples(operation, imm, type, chance) for type in operand_types]
        for form in ("loaded", "in registers", "twice used"):
            run = _operation(any_native, operation, imm, kinds[result], operand_types, form)
            for arguments in _combinations(samples, 120 if form == "loaded" else 40, chance):
                _check(operation, imm, arguments, run(arguments))

    @pytest.mark.parametrize("row", [row for row in ROWS if len(VECTOR_RULES[row[0]][1]) > 1], ids=_name)
    def test_operation_on_constants(self, native: Native, row: tuple[int, int]) -> None:
        """One operand is a constant, whichever it is."""
        operation, imm = row
        kinds = {"v": V128, "i": I32, "s": op.SHAPE_TYPES[imm & op.SHAPE_MASK]}
        result, operands, _, _ = VECTOR_RULES[operation]
        operand_types = [kinds[operand] for operand in operands]
        chance = random.Random(repr(row))
        samples = [_samples(operation, imm, type, chance) for type in operand_types]
        for position in range(len(operand_types)):
            constants = [0, types.MASKS[operand_types[position]], *chance.sample(samples[position], 2)]
            for constant in constants:
                known = [constant if number == position else None for number in range(len(operand_types))]
                run = _operation(native, operation, imm, kinds[result], operand_types, "loaded", known)
                for arguments in _combinations(samples, 6, chance):
                    arguments[position] = constant
                    _check(operation, imm, arguments, run(arguments))

    @pytest.mark.parametrize("row", [row for row in ROWS if VECTOR_RULES[row[0]][1] in ("vv", "vvv")], ids=_name)
    def test_operation_on_one_value(self, native: Native, row: tuple[int, int]) -> None:
        operation, imm = row
        kinds = {"v": V128, "i": I32}
        result, operands, _, _ = VECTOR_RULES[operation]
        chance = random.Random(repr(row))

        def body(b: Builder, p: list[Inst]) -> Sequence[Inst]:
            x = b.load(op.HEAP_LOAD, V128, pointer(b, p[0]), _OPERANDS[0])
            b.store(
                op.HEAP_STORE, pointer(b, p[0]), raw(b, operation, kinds[result], [x] * len(operands), imm), _RESULT
            )
            return []

        function = native.function(_NOTHING, body)
        for x in _samples(operation, imm, V128, chance)[:20]:
            _put(native, _OPERANDS[0], x)
            function(0)
            _check(operation, imm, [x] * len(operands), _get(native, kinds[result]))

    @pytest.mark.parametrize("operation", [op.AND, op.OR, op.XOR], ids=lambda operation: op.NAMES[operation])
    @pytest.mark.parametrize("constant", [None, 0, types.MASKS[V128], 0x0F << 64 | 0xF0], ids=str)
    def test_bitwise(self, any_native: Native, operation: int, constant: int | None) -> None:
        chance = random.Random(operation)
        run = _operation(any_native, operation, 0, V128, [V128, V128], "loaded", [None, constant])
        for _ in range(20):
            x, y = chance.getrandbits(128), chance.getrandbits(128)
            y = y if constant is None else constant
            assert run([x, y]) == {op.AND: x & y, op.OR: x | y, op.XOR: x ^ y}[operation]

    def test_shuffles(self, any_native: Native) -> None:
        chance = random.Random(1)
        patterns = [[n % 32 for n in pattern] for pattern in SHUFFLES]
        patterns += [chance.choices(range(32), k=16) for _ in range(60)]
        patterns += [chance.choices(range(16), k=16) for _ in range(30)]
        x, y = (int.from_bytes(bytes(range(start, start + 16)), "little") for start in (0x10, 0xA0))
        for pattern in patterns:
            # In the forms that `Builder.vector` gives: of both operands, and of one.
            mixed = [n ^ pattern[0] & 16 for n in pattern]
            for numbers in (mixed, [n % 16 for n in pattern]):
                operands = [x, y] if max(numbers) > 15 else [x, x]
                imm = int.from_bytes(bytes(numbers), "little")
                function = any_native.function(_NOTHING, _shuffling(imm, operands[1] == x))
                for at, operand in zip(_OPERANDS, operands):
                    _put(any_native, at, operand)
                function(0)
                assert _get(any_native, V128) == vector(op.V_SHUFFLE, imm, operands), numbers

    def test_shuffles_of_doublewords(self, any_native: Native) -> None:
        """Every choice of four from two vectors that begins with the first vector's."""
        x, y = (int.from_bytes(bytes(range(start, start + 16)), "little") for start in (0x10, 0xA0))
        patterns = [(first, *rest) for rest in itertools.product(range(8), repeat=3) for first in (0, 3)]
        for at in range(0, len(patterns), 64):
            some = patterns[at : at + 64]
            imms = [
                int.from_bytes(bytes([4 * number + k for number in pattern for k in range(4)]), "little")
                for pattern in some
            ]

            def body(b: Builder, p: list[Inst], imms: list[int] = imms) -> list[Inst]:
                base = pointer(b, p[0])
                values = [b.load(op.HEAP_LOAD, V128, base, at) for at in _OPERANDS[:2]]
                for number, imm in enumerate(imms):
                    two = max(imm.to_bytes(16, "little")) > 15
                    shuffled = raw(b, op.V_SHUFFLE, V128, values if two else values[:1] * 2, imm)
                    b.store(op.HEAP_STORE, base, shuffled, 0x1000 + 16 * number)
                return []

            _put(any_native, _OPERANDS[0], x)
            _put(any_native, _OPERANDS[1], y)
            any_native.function(_NOTHING, body)(0)
            for number, (pattern, imm) in enumerate(zip(some, imms)):
                assert _get(any_native, V128, 0x1000 + 16 * number) == vector(op.V_SHUFFLE, imm, [x, y]), pattern

    @pytest.mark.parametrize("zero_first", [False, True])
    def test_shuffles_with_zeros(self, any_native: Native, zero_first: bool) -> None:
        """One operand is the constant 0: bytes that move to the left or to the right, are extended, or vanish."""
        chance = random.Random(5)
        x = int.from_bytes(bytes(range(0x10, 0x20)), "little")
        patterns = [[n + k for n in range(16)] for k in range(1, 16)]
        patterns += [[n // 2 if n % 2 == 0 else 16 for n in range(16)], [n if n < 8 else 16 for n in range(16)]]
        patterns += [
            [n // size * size // 2 + n % size if n // size % 2 == 0 else 16 for n in range(16)] for size in (2, 4)
        ]
        patterns += [[n + 16 * (n // size % 2) for n in range(16)] for size in (1, 2, 4, 8)]
        patterns += [[number % 32 for number in pattern] for pattern in SHUFFLES]
        patterns += [chance.choices(range(32), k=16) for _ in range(30)]
        for pattern in patterns:
            numbers = [n ^ pattern[0] & 16 for n in pattern]
            if max(numbers) < 16:
                continue
            imm = int.from_bytes(bytes(numbers), "little")

            def body(b: Builder, p: list[Inst], imm: int = imm) -> list[Inst]:
                value = b.load(op.HEAP_LOAD, V128, pointer(b, p[0]), _OPERANDS[0])
                zero = b.const(V128, 0)
                operands = [zero, value] if zero_first else [value, zero]
                b.store(op.HEAP_STORE, pointer(b, p[0]), raw(b, op.V_SHUFFLE, V128, operands, imm), _RESULT)
                return []

            _put(any_native, _OPERANDS[0], x)
            any_native.function(_NOTHING, body)(0)
            operands = [0, x] if zero_first else [x, 0]
            assert _get(any_native, V128) == vector(op.V_SHUFFLE, imm, operands), numbers

    @pytest.mark.parametrize("operation", [op.V_SHL, op.V_SHR_S, op.V_SHR_U], ids=lambda operation: op.NAMES[operation])
    @pytest.mark.parametrize("shape", [I8X16, I16X8, I32X4, I64X2], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_shifts_by_constants(self, any_native: Native, shape: int, operation: int) -> None:
        """By every number, and some that are taken modulo the width."""
        counts = [*range(op.SHAPE_BITS[shape] + 2), 127, 1 << 31]

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            base = pointer(b, p[0])
            x = b.load(op.HEAP_LOAD, V128, base, _OPERANDS[0])
            for number, count in enumerate(counts):
                shifted = raw(b, operation, V128, [x, b.const(I32, count)], shape)
                b.store(op.HEAP_STORE, base, shifted, 0x1000 + 16 * number)
            return []

        function = any_native.function(_NOTHING, body)
        for x in _vectors(shape, 10, random.Random(shape)):
            _put(any_native, _OPERANDS[0], x)
            function(0)
            for number, count in enumerate(counts):
                found = _get(any_native, V128, 0x1000 + 16 * number)
                assert found == vector(operation, shape, [x, count]), (hex(x), count)

    @pytest.mark.parametrize("shape", [I8X16, I16X8, I32X4, I64X2], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_truth_of_comparisons_and_bits(self, any_native: Native, shape: int) -> None:
        """What is tested is a comparison, or several in one, of lanes as wide as the test's or not; or other bits."""
        chance = random.Random(shape)
        pool = [0, types.MASKS[V128], 1, 1 << 127, *_vectors(shape, 6, chance)]
        for inner, outer in itertools.product(range(7), (op.V_ANY_TRUE, op.V_ALL_TRUE)):
            for lanes in (I8X16, I32X4):

                def compared(b: Builder, x: Inst, y: Inst, condition: int, lanes: int = lanes) -> Inst:
                    return raw(b, op.V_ICMP, V128, [x, y], lanes | condition << op.SHAPE_SHIFT)

                def body(b: Builder, p: list[Inst], row: tuple[int, int] = (inner, outer)) -> list[Inst]:
                    base = pointer(b, p[0])
                    x, y = (b.load(op.HEAP_LOAD, V128, base, at) for at in _OPERANDS[:2])
                    value = (
                        lambda: compared(b, x, y, op.EQ),
                        lambda: raw(b, op.V_NOT, V128, [compared(b, x, y, op.EQ)]),
                        lambda: raw(b, op.OR, V128, [compared(b, x, y, op.EQ), compared(b, x, y, op.GT_S)]),
                        lambda: raw(b, op.AND, V128, [compared(b, x, y, op.EQ), y]),
                        lambda: raw(b, op.AND, V128, [x, y]),
                        lambda: raw(b, op.V_ANDNOT, V128, [x, y]),
                        lambda: raw(b, op.V_NOT, V128, [x]),
                    )[row[0]]()
                    b.store(
                        op.HEAP_STORE,
                        base,
                        raw(b, row[1], I32, [value], shape if row[1] == op.V_ALL_TRUE else 0),
                        _RESULT,
                    )
                    return []

                function = any_native.function(_NOTHING, body)
                for x, y in itertools.product(pool, repeat=2):
                    _put(any_native, _OPERANDS[0], x)
                    _put(any_native, _OPERANDS[1], y)
                    function(0)
                    equal, greater = (
                        vector(op.V_ICMP, lanes | kind << op.SHAPE_SHIFT, [x, y]) for kind in (op.EQ, op.GT_S)
                    )
                    ones = types.MASKS[V128]
                    value = (equal, equal ^ ones, equal | greater, equal & y, x & y, x & ~y, x ^ ones)[inner]
                    assert _get(any_native, I32) == vector(outer, shape, [value]), (inner, hex(x), hex(y))

    @pytest.mark.parametrize("shape", [I8X16, I16X8, I32X4, I64X2], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_rotations(self, any_native: Native, shape: int) -> None:
        """By every number: both shifts of one value, and almost that."""
        width = op.SHAPE_BITS[shape]
        chance = random.Random(shape)
        cases = [(count, width - count, True) for count in range(1, width)]
        for left, right, same in (*cases, (3, width - 3, False), (1, 2, True)):

            def body(b: Builder, p: list[Inst], counts: tuple[int, int, bool] = (left, right, same)) -> list[Inst]:
                base = pointer(b, p[0])
                x, y = (b.load(op.HEAP_LOAD, V128, base, at) for at in _OPERANDS[:2])
                shifted = raw(b, op.V_SHL, V128, [x, b.const(I32, counts[0])], shape)
                other = raw(b, op.V_SHR_U, V128, [x if counts[2] else y, b.const(I32, counts[1])], shape)
                operands = [shifted, other] if counts[0] & 1 else [other, shifted]
                b.store(op.HEAP_STORE, base, raw(b, op.OR, V128, operands), _RESULT)
                return []

            function = any_native.function(_NOTHING, body)
            for _ in range(3):
                x, y = chance.getrandbits(128), chance.getrandbits(128)
                _put(any_native, _OPERANDS[0], x)
                _put(any_native, _OPERANDS[1], y)
                function(0)
                shifted = vector(op.V_SHL, shape, [x, left])
                assert _get(any_native, V128) == shifted | vector(op.V_SHR_U, shape, [x if same else y, right])

    # Constants.

    def test_constants(self, any_native: Native) -> None:
        chance = random.Random(2)
        constants = [0, types.MASKS[V128], 1, 1 << 127, *(chance.getrandbits(128) for _ in range(10))]
        for width in (8, 16, 32, 64):
            spread = sum(1 << at for at in range(0, 128, width))
            constants += [
                n % (1 << width) * spread for n in (1, -1, 0x7F, 0x80, 1 << width - 1, 0x12345678, 0x3F80_0000)
            ]
        for constant in constants:
            run = _operation(any_native, op.XOR, 0, V128, [V128, V128], "loaded", [None, constant])
            assert run([0x55 << 64, 0]) == constant ^ 0x55 << 64

            def body(b: Builder, p: list[Inst], constant: int = constant) -> Sequence[Inst]:
                b.store(op.HEAP_STORE, pointer(b, p[0]), b.const(V128, constant), _RESULT)
                return []

            any_native.function(_NOTHING, body)(0)
            assert _get(any_native, V128) == constant

    @pytest.mark.parametrize("count", [1, 6, 15, 50])
    @pytest.mark.parametrize("where", ["nowhere", "inside", "outside"])
    def test_constants_in_loops(self, any_native: Native, count: int, where: str) -> None:
        """In two loops, one in the other, with a call in the inner one, in the outer one, or in neither, and behind
        them; each constant is used in both and behind."""
        nothing = Signature((), ())
        if where != "nowhere":
            any_native.define(8, build(nothing, lambda b, p: []))
        chance = random.Random(count)
        constants = [chance.getrandbits(128) for _ in range(count)]

        def step(b: Builder, x: Inst) -> Inst:
            for number, constant in enumerate(constants):
                x = raw(b, op.V_ADD if number % 2 else op.XOR, V128, [x, b.const(V128, constant)], I64X2 * (number % 2))
            return x

        def model(x: int) -> int:
            for number, constant in enumerate(constants):
                x = vector(op.V_ADD, I64X2, [x, constant]) if number % 2 else x ^ constant
            return x

        function = Function("loops", Signature((I32, I32), ()), ABI_WASM)
        b = Builder(function)
        entry, outer, inner, following, done = (b.new_block() for _ in range(5))
        turns, inner_turns = b.append_param(entry, I32), b.append_param(entry, I32)
        outer_count, outer_value = b.append_param(outer, I32), b.append_param(outer, V128)
        inner_count, inner_value = b.append_param(inner, I32), b.append_param(inner, V128)
        last = b.append_param(done, V128)
        b.switch_to(entry)
        base = pointer(b, b.const(I32, 0))
        b.jump(outer, [turns, b.load(op.HEAP_LOAD, V128, base, _OPERANDS[0])])
        b.switch_to(outer)
        outer.is_loop_header, outer.loop_depth = True, 1
        if where == "outside":
            b.call(8, nothing, [])
        b.jump(inner, [inner_turns, step(b, outer_value)])
        b.switch_to(inner)
        inner.is_loop_header, inner.loop_depth = True, 2
        if where == "inside":
            b.call(8, nothing, [])
        stepped = step(b, inner_value)
        less = raw(b, op.ISUB, I32, [inner_count, b.const(I32, 1)])
        b.brif(less, inner, [less, stepped], following, ())
        b.switch_to(following)
        following.loop_depth = 1
        less = raw(b, op.ISUB, I32, [outer_count, b.const(I32, 1)])
        b.brif(less, outer, [less, stepped], done, [stepped])
        b.switch_to(done)
        b.store(op.HEAP_STORE, pointer(b, b.const(I32, 0)), step(b, last), _RESULT)
        b.ret([])
        verify(function)
        address, _ = any_native.place(function)
        funcref = any_native.funcref(address)
        for numbers in ((1, 1), (3, 2)):
            expected = value = chance.getrandbits(128)
            for _ in range(numbers[0] * (numbers[1] + 1) + 1):
                expected = model(expected)
            _put(any_native, _OPERANDS[0], value)
            any_native.call(funcref, function.signature, numbers)
            assert _get(any_native, V128) == expected

    # Memory: the trees that `wasm_ir.opcodes` lists.

    @pytest.mark.parametrize("used_twice", [False, True])
    def test_parts_of_memory(self, any_native: Native, used_twice: bool) -> None:
        memory = any_native.memory
        content = bytes(random.Random(3).randbytes(64))
        memory[0x200:0x240] = content
        loads: list[tuple[int, int, int, int, int]] = [
            (op.HEAP_LOAD8_U, I32, 1, op.V_SPLAT, I8X16),
            (op.HEAP_LOAD16_U, I32, 2, op.V_SPLAT, I16X8),
            (op.HEAP_LOAD, I32, 4, op.V_SPLAT, I32X4),
            (op.HEAP_LOAD, I64, 8, op.V_SPLAT, I64X2),
            (op.HEAP_LOAD, F32, 4, op.V_SPLAT, F32X4),
            (op.HEAP_LOAD, F64, 8, op.V_SPLAT, F64X2),
            (op.HEAP_LOAD, I32, 4, op.V_LOW, I32X4),
            (op.HEAP_LOAD, I64, 8, op.V_LOW, I64X2),
            (op.HEAP_LOAD, F32, 4, op.V_LOW, F32X4),
            (op.HEAP_LOAD, F64, 8, op.V_LOW, F64X2),
        ]
        for (load, type, size, spread, shape), offset in itertools.product(loads, (0x200, 0x203, 0x21F)):

            def body(
                b: Builder, p: list[Inst], row: tuple[int, ...] = (load, type, spread, shape, offset)
            ) -> list[Inst]:
                loaded = b.load(row[0], row[1], pointer(b, p[0]), row[4])
                made = raw(b, row[2], V128, [loaded], row[3])
                b.store(op.HEAP_STORE, pointer(b, p[0]), made, _RESULT)
                if used_twice:
                    b.store(op.HEAP_STORE, pointer(b, p[0]), loaded, 0x300)
                return []

            any_native.function(_NOTHING, body)(0)
            part = int.from_bytes(memory[offset : offset + size], "little")
            assert _get(any_native, V128) == vector(spread, shape, [part])

    @pytest.mark.parametrize("used_twice", [False, True])
    @pytest.mark.parametrize("shape", [I16X8, I32X4, I64X2], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_extended_parts_of_memory(self, any_native: Native, shape: int, used_twice: bool) -> None:
        memory = any_native.memory
        memory[0x200:0x210] = random.Random(4).randbytes(16)
        for operation, half in itertools.product((op.V_EXTEND_S, op.V_EXTEND_U), (0, HIGH_HALF)):

            def body(b: Builder, p: list[Inst], row: tuple[int, int] = (operation, half)) -> list[Inst]:
                loaded = b.load(op.HEAP_LOAD, F64, pointer(b, p[0]), 0x203)
                low = raw(b, op.V_LOW, V128, [loaded], F64X2)
                b.store(op.HEAP_STORE, pointer(b, p[0]), raw(b, row[0], V128, [low], shape | row[1]), _RESULT)
                if used_twice:
                    b.store(op.HEAP_STORE, pointer(b, p[0]), low, 0x300)
                return []

            any_native.function(_NOTHING, body)(0)
            part = int.from_bytes(memory[0x203:0x20B], "little")
            assert _get(any_native, V128) == vector(operation, shape | half, [part])
            if used_twice:
                assert int.from_bytes(memory[0x300:0x310], "little") == part

    @pytest.mark.parametrize(
        ("load", "store", "type", "shape"),
        [
            (op.HEAP_LOAD8_U, op.HEAP_STORE8, I32, I8X16),
            (op.HEAP_LOAD16_U, op.HEAP_STORE16, I32, I16X8),
            (op.HEAP_LOAD, op.HEAP_STORE, I32, I32X4),
            (op.HEAP_LOAD, op.HEAP_STORE, I64, I64X2),
            (op.HEAP_LOAD, op.HEAP_STORE, F32, F32X4),
            (op.HEAP_LOAD, op.HEAP_STORE, F64, F64X2),
        ],
        ids=lambda value: str(value),
    )
    def test_lanes_in_memory(self, any_native: Native, load: int, store: int, type: int, shape: int) -> None:
        memory = any_native.memory
        size = op.SHAPE_BITS[shape] // 8
        start = int.from_bytes(bytes(range(1, 17)), "little")
        for lane in range(op.SHAPE_LANES[shape]):
            imm = shape | lane << op.SHAPE_SHIFT

            def loading(b: Builder, p: list[Inst], imm: int = imm) -> list[Inst]:
                x = b.load(op.HEAP_LOAD, V128, pointer(b, p[0]), _OPERANDS[0])
                loaded = b.load(load, type, pointer(b, p[0]), 0x203)
                b.store(op.HEAP_STORE, pointer(b, p[0]), raw(b, op.V_REPLACE, V128, [x, loaded], imm), _RESULT)
                return []

            def storing(b: Builder, p: list[Inst], imm: int = imm) -> list[Inst]:
                x = b.load(op.HEAP_LOAD, V128, pointer(b, p[0]), _OPERANDS[0])
                b.store(store, pointer(b, p[0]), raw(b, op.V_EXTRACT_U, type, [x], imm), 0x303)
                return []

            memory[0x200:0x210] = bytes([0xAA]) * 16
            memory[0x300:0x320] = bytes([0xBB]) * 32
            _put(any_native, _OPERANDS[0], start)
            any_native.function(_NOTHING, loading)(0)
            wanted = bytearray(range(1, 17))
            wanted[lane * size : (lane + 1) * size] = bytes([0xAA]) * size
            assert _get(any_native, V128) == int.from_bytes(wanted, "little")
            any_native.function(_NOTHING, storing)(0)
            stored = bytes(range(1, 17))[lane * size : (lane + 1) * size]
            assert bytes(memory[0x300:0x320]) == b"\xbb" * 3 + stored + b"\xbb" * (29 - size)

    @pytest.mark.parametrize("operation", [op.V_SPLAT, op.V_REPLACE], ids=lambda operation: op.NAMES[operation])
    @pytest.mark.parametrize("shape", [I8X16, I16X8], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_parts_of_memory_that_are_extended(self, any_native: Native, operation: int, shape: int) -> None:
        """What extends a loaded number does not matter to a lane, but it does to others that look at it."""
        load, extension = ((op.HEAP_LOAD8_U, op.SEXT8), (op.HEAP_LOAD16_U, op.SEXT16))[shape]
        width = op.SHAPE_BITS[shape]

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            base = pointer(b, p[0])
            x = b.load(op.HEAP_LOAD, V128, base, _OPERANDS[0])
            extended = raw(b, extension, I32, [b.load(load, I32, base, 0x203)])
            other = raw(b, op.IADD, I32, [extended, b.const(I32, 1)])
            made = raw(b, operation, V128, [x, extended] if operation == op.V_REPLACE else [extended], shape)
            b.store(op.HEAP_STORE, base, made, _RESULT)
            b.store(op.HEAP_STORE, base, other, 0x300)
            return []

        memory = any_native.memory
        memory[0x203:0x205] = b"\x85\x96"
        _put(any_native, _OPERANDS[0], 1 << 100)
        any_native.function(_NOTHING, body)(0)
        number = int.from_bytes(memory[0x203 : 0x203 + width // 8], "little") - (1 << width)
        part = number & types.MASKS[I32]
        expected = vector(operation, shape, [1 << 100, part] if operation == op.V_REPLACE else [part])
        assert _get(any_native, V128) == expected
        assert int.from_bytes(memory[0x300:0x304], "little") == number + 1 & types.MASKS[I32]

    def test_loads_and_stores_that_are_not_aligned(self, any_native: Native) -> None:
        memory = any_native.memory
        for offset in range(0x200, 0x212):
            memory[0x1F0:0x240] = bytes(range(80))

            def body(b: Builder, p: list[Inst], offset: int = offset) -> list[Inst]:
                x = b.load(op.HEAP_LOAD, V128, pointer(b, p[0]), offset)
                y = b.load(op.LOAD, V128, pointer(b, p[0]), offset + 1)
                b.store(op.HEAP_STORE, pointer(b, p[0]), raw(b, op.XOR, V128, [x, y]), offset + 3)
                return []

            before = bytes(memory[0x1F0:0x240])
            any_native.function(_NOTHING, body)(0)
            at = offset - 0x1F0
            changed = bytes(i ^ j for i, j in zip(before[at : at + 16], before[at + 1 : at + 17]))
            assert bytes(memory[0x1F0:0x240]) == before[: at + 3] + changed + before[at + 19 :]

    # Vectors on their way.

    @pytest.mark.parametrize("count", [1, 5, 20, 60])
    def test_many_at_once(self, any_native: Native, count: int) -> None:
        """More than there are registers: they are spilled, aligned, and come back whole."""

        def body(b: Builder, p: list[Inst]) -> list[Inst]:
            base = pointer(b, p[0])
            values = [b.load(op.HEAP_LOAD, V128, base, 0x400 + 16 * number) for number in range(count)]
            numbers = [b.load(op.HEAP_LOAD, F64, base, 0x400 + 16 * number) for number in range(count)]
            for number, value in enumerate(reversed(values)):
                b.store(op.HEAP_STORE, base, raw(b, op.V_ADD, V128, [value, values[0]], I32X4), 0x1000 + 16 * number)
            for number, scalar in enumerate(reversed(numbers)):
                b.store(op.HEAP_STORE, base, scalar, 0x2000 + 8 * number)
            return []

        memory = any_native.memory
        content = random.Random(count).randbytes(16 * count)
        memory[0x400 : 0x400 + 16 * count] = content
        any_native.function(_NOTHING, body)(0)
        parts = [int.from_bytes(content[at : at + 16], "little") for at in range(0, 16 * count, 16)]
        for number, part in enumerate(reversed(parts)):
            found = int.from_bytes(memory[0x1000 + 16 * number : 0x1010 + 16 * number], "little")
            assert found == vector(op.V_ADD, I32X4, [part, parts[0]])
            low = int.from_bytes(memory[0x2000 + 8 * number : 0x2008 + 8 * number], "little")
            assert low == part & types.MASKS[I64]

    @pytest.mark.parametrize("seed", range(8))
    def test_calls(self, any_native: Native, seed: int) -> None:
        """Arguments and results in registers and on the stack, among others; what lives across the call survives it."""
        chance = random.Random(seed)
        signature_types = tuple(chance.choices((V128, V128, I32, I64, F32, F64), k=chance.randint(1, 40)))
        order = list(range(len(signature_types)))
        chance.shuffle(order)
        callee_type = Signature(signature_types, tuple(signature_types[number] for number in order))

        def callee(b: Builder, p: list[Inst]) -> list[Inst]:
            return [p[number] for number in order]

        def caller(b: Builder, p: list[Inst]) -> list[Inst]:
            base = pointer(b, p[0])
            values = [b.load(op.HEAP_LOAD, type, base, 0x400 + 16 * i) for i, type in enumerate(signature_types)]
            call = b.call(7, callee_type, values)
            for number in range(len(order)):
                b.store(op.HEAP_STORE, base, b.result(call, number), 0x1000 + 16 * number)
            for number, value in enumerate(values):
                b.store(op.HEAP_STORE, base, value, 0x2000 + 16 * number)
            return []

        any_native.define(7, build(callee_type, callee))
        memory = any_native.memory
        size = 16 * len(order)
        content = random.Random(seed).randbytes(size)
        memory[0x400 : 0x400 + size] = content
        any_native.function(_NOTHING, caller)(0)
        for number, source in enumerate(order):
            width = types.BYTES[signature_types[source]]
            given = content[16 * source : 16 * source + width]
            assert bytes(memory[0x1000 + 16 * number : 0x1000 + 16 * number + width]) == given
            kept = bytes(memory[0x2000 + 16 * source : 0x2000 + 16 * source + width])
            assert kept == given

    @pytest.mark.parametrize("count", [2, 3, 5, 20, 40])
    def test_values_change_places_in_a_loop(self, any_native: Native, count: int) -> None:
        """Parameters of a loop turn round by one place in each iteration: in registers and in memory."""
        function = Function("turn", Signature((I32,), ()), ABI_WASM)
        b = Builder(function)
        entry, header, done = b.new_block(), b.new_block(), b.new_block()
        start = b.append_param(entry, I32)
        counter = b.append_param(header, I32)
        params = [b.append_param(header, V128) for _ in range(count)]
        b.switch_to(entry)
        base = pointer(b, b.const(I32, 0))
        values = [b.load(op.HEAP_LOAD, V128, base, 0x400 + 16 * number) for number in range(count)]
        b.jump(header, [start, *values])
        header.is_loop_header = True
        header.loop_depth = 1
        b.switch_to(header)
        following = b.binary(op.ISUB, I32, counter, b.const(I32, 1))
        again = b.new_block()
        b.brif(counter, again, (), done, ())
        again.loop_depth = 1
        b.switch_to(again)
        b.jump(header, [following, *params[1:], params[0]])
        b.switch_to(done)
        for number, value in enumerate(params):
            b.store(op.HEAP_STORE, base, value, 0x1000 + 16 * number)
        b.ret([])
        verify(function)
        address, _ = any_native.place(function)
        funcref = any_native.funcref(address)
        memory = any_native.memory
        content = random.Random(count).randbytes(16 * count)
        memory[0x400 : 0x400 + len(content)] = content
        for turns in (0, 1, 2, count, count + 1):
            any_native.call(funcref, function.signature, (turns,))
            at = 16 * (turns % count)
            assert bytes(memory[0x1000 : 0x1000 + len(content)]) == content[at:] + content[:at]

    def test_select(self, any_native: Native) -> None:
        for compared in (False, True):

            def body(b: Builder, p: list[Inst], compared: bool = compared) -> list[Inst]:
                base = pointer(b, b.const(I32, 0))
                x, y = (b.load(op.HEAP_LOAD, V128, base, at) for at in _OPERANDS[:2])
                condition = raw(b, op.ICMP, I32, [p[0], b.const(I32, 5)], op.LT_S) if compared else p[0]
                b.store(op.HEAP_STORE, base, raw(b, op.SELECT, V128, [condition, x, y]), _RESULT)
                return []

            function = any_native.function(_NOTHING, body)
            _put(any_native, _OPERANDS[0], 1 << 100 | 2)
            _put(any_native, _OPERANDS[1], 3 << 100 | 4)
            for number in (0, 1, 5, -1 & types.MASKS[I32]):
                function(number)
                truth = number in (0, 1, types.MASKS[I32]) if compared else number != 0
                assert _get(any_native, V128) == (1 << 100 | 2 if truth else 3 << 100 | 4)

    @pytest.mark.parametrize("test", [op.V_ANY_TRUE, op.V_ALL_TRUE], ids=lambda test: op.NAMES[test])
    @pytest.mark.parametrize("inverted", [False, True])
    def test_branches(self, any_native: Native, test: int, inverted: bool) -> None:
        """The truth of a vector decides where to go, or which value to take, without becoming a number."""
        for shape in (I8X16, I16X8, I32X4, I64X2) if test == op.V_ALL_TRUE else (0,):
            function = Function("branch", Signature((I32,), (I32, I32)), ABI_WASM)
            b = Builder(function)
            entry, yes, no = b.new_block(), b.new_block(), b.new_block()
            b.append_param(entry, I32)
            b.switch_to(entry)
            base = pointer(b, b.const(I32, 0))
            x = b.load(op.HEAP_LOAD, V128, base, _OPERANDS[0])
            taken = raw(b, op.SELECT, I32, [_condition(b, test, x, shape, inverted), b.const(I32, 7), b.const(I32, 8)])
            b.brif(_condition(b, test, x, shape, inverted), yes, (), no, ())
            for block, number in ((yes, 1), (no, 0)):
                b.switch_to(block)
                b.ret([b.const(I32, number), taken])
            address, _ = any_native.place(function)
            funcref = any_native.funcref(address)
            chance = random.Random(shape)
            for value in [*_vectors(shape, 10, chance), 1, 1 << 127, *(1 << 8 * n for n in range(16))]:
                _put(any_native, _OPERANDS[0], value)
                truth = bool(vector(test, shape, [value])) != inverted
                assert any_native.call(funcref, function.signature, (0,)) == (int(truth), 7 if truth else 8)


def _shuffling(imm: int, one: bool) -> Body:
    """Shuffles one operand or two."""

    def body(b: Builder, p: list[Inst]) -> Sequence[Inst]:
        values = [b.load(op.HEAP_LOAD, V128, pointer(b, p[0]), at) for at in _OPERANDS[: 1 if one else 2]]
        shuffled = raw(b, op.V_SHUFFLE, V128, values * 2 if one else values, imm)
        b.store(op.HEAP_STORE, pointer(b, p[0]), shuffled, _RESULT)
        return []

    return body


def _condition(b: Builder, test: int, x: Inst, shape: int, inverted: bool) -> Inst:
    truth = raw(b, test, I32, [x], shape)
    return raw(b, op.ICMP, I32, [truth, b.const(I32, 0)], op.EQ) if inverted else truth


def _put(native: Native, at: int, value: int, type: int = V128) -> None:
    size = types.BYTES[type]
    native.memory[at : at + size] = value.to_bytes(size, "little")


def _get(native: Native, type: int, at: int = _RESULT) -> int:
    return int.from_bytes(native.memory[at : at + types.BYTES[type]], "little")


def _samples(operation: int, imm: int, type: int, chance: random.Random) -> list[int]:
    """Operands of a type."""
    if type == V128:
        samples = _vectors(_operand_shape(operation, imm), 24, chance)
        if operation in (op.V_BITSELECT, op.V_RELAXED_LANESELECT, op.V_ALL_TRUE, op.V_BITMASK):
            width = op.SHAPE_BITS[imm & op.SHAPE_MASK]
            lanes = range(128 // width)
            samples += [join([chance.choice([0, -1]) for _ in lanes], imm & op.SHAPE_MASK) for _ in range(6)]
        return samples
    if type in (F32, F64):
        return edges(type)
    width = types.BITS[type]
    return [0, 1, 7, 8, 15, 16, 31, 32, 63, 64, 65, 127, 128, 0x7FFF, 0x8000, 1 << width - 1, (1 << width) - 1]


def _combinations(samples: list[list[int]], count: int, chance: random.Random) -> list[list[int]]:
    """Operands: every sample of each place once, and chance ones."""
    longest = max(map(len, samples))
    result = [[values[number % len(values)] for values in samples] for number in range(longest)]
    result += [[chance.choice(values) for values in samples] for _ in range(max(0, count - longest))]
    return result


def _operation(
    native: Native,
    operation: int,
    imm: int,
    result: int,
    operands: Sequence[int],
    form: str,
    known: Sequence[int | None] = (),
) -> Callable[[list[int]], int]:
    """A function that runs the operation on operands that it loads; those that are known are constants."""

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        values = []
        for number, type in enumerate(operands):
            constant = known[number] if known else None
            if constant is not None:
                values.append(b.const(type, constant))
            else:
                values.append(b.load(op.HEAP_LOAD, type, pointer(b, p[0]), _OPERANDS[number]))
        if form != "loaded":
            # An effect in between, so that no load can be part of the operation.
            b.store(op.HEAP_STORE, pointer(b, p[0]), b.const(I64, 0), _RESULT)
        made = raw(b, operation, result, values, imm)
        b.store(op.HEAP_STORE, pointer(b, p[0]), made, _RESULT)
        if form == "twice used":
            # The operands are needed afterwards, so the result may not take their registers.
            for number, value in enumerate(values):
                b.store(op.HEAP_STORE, pointer(b, p[0]), value, 0x200 + 16 * number)
        return []

    function = native.function(_NOTHING, body)

    def run(arguments: list[int]) -> int:
        for at, argument, type in zip(_OPERANDS, arguments, operands):
            _put(native, at, argument, type)
        function(0)
        if form == "twice used":
            for number, (argument, type) in enumerate(zip(arguments, operands)):
                size = types.BYTES[type]
                at = 0x200 + 16 * number
                assert int.from_bytes(native.memory[at : at + size], "little") == argument
        return _get(native, result)

    return run


def _check(operation: int, imm: int, arguments: list[int], found: int) -> None:
    if not allowed(operation, imm, arguments, found):
        shape = imm & op.SHAPE_MASK
        expected = vector(operation, imm, arguments)
        shown = [[hex(lane) for lane in split(value, shape)] for value in (*arguments, found, expected)]
        pytest.fail(
            f"{_name((operation, imm))}: of {shown[:-2]} gives {shown[-2]}, should be {shown[-1]}", pytrace=False
        )
