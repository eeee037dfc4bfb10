"""Vector operations on what others give, run, against a model: backends make one instruction of two where there is one.

For backends that have vectors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence

import attrs
import pytest

from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.builder import Builder
from wasm_ir.ir import Inst, Signature
from wasm_ir.opcodes import F32X4, F64X2, I8X16, I16X8, I32X4, I64X2
from wasm_ir.testing.fixtures import BackendFixtures
from wasm_ir.testing.floats import edges
from wasm_ir.testing.native_code import Native, pointer, raw
from wasm_ir.testing.vector_model import allowed, join, vector
from wasm_ir.verifier import VECTOR_RULES

I32, I64, F32, F64, V128 = types.I32, types.I64, types.F32, types.F64, types.V128

#: Where functions under test find their operands in memory 0, and put their results: 16 bytes each.
_OPERANDS = 0x100
_RESULTS = 0x1000
_NOTHING = Signature((I32,), ())


@attrs.frozen
class Tree:
    """An operation on others, on constants (`op.CONST`) and on what is loaded (`op.HEAP_LOAD`; imm is which)."""

    operation: int
    type: int
    imm: int
    args: tuple[Tree, ...] = ()

    def build(self, b: Builder, base: Inst) -> Inst:
        """The instructions, each with one user."""
        if self.operation == op.CONST:
            return b.const(self.type, self.imm)
        if self.operation == op.HEAP_LOAD:
            return b.load(op.HEAP_LOAD, self.type, base, _OPERANDS + 16 * self.imm)
        args = [arg.build(b, base) for arg in self.args]
        if self.operation == op.V_SHUFFLE and len(args) == 1:
            args *= 2
        return raw(b, self.operation, self.type, args, self.imm)

    def value(self, loaded: Sequence[int]) -> int:
        """What the model gives."""
        if self.operation == op.CONST:
            return self.imm
        if self.operation == op.HEAP_LOAD:
            return loaded[self.imm] & types.MASKS[self.type]
        args = [arg.value(loaded) for arg in self.args]
        if self.operation in _BITWISE:
            x, y = args
            return _BITWISE[self.operation](x, y)
        return vector(self.operation, self.imm, args if self.operation != op.V_SHUFFLE else (args * 2)[:2])

    def accepts(self, loaded: Sequence[int], found: int) -> bool:
        """Whether a result is one that the outermost operation may give."""
        if self.operation not in VECTOR_RULES:
            return found == self.value(loaded)
        return allowed(self.operation, self.imm, [arg.value(loaded) for arg in self.args], found)

    def __str__(self) -> str:
        if self.operation == op.HEAP_LOAD:
            return f"x{self.imm}"
        return f"{op.NAMES[self.operation]}[{self.imm:#x}]({', '.join(map(str, self.args))})"


_BITWISE: dict[int, Callable[[int, int], int]] = {
    op.AND: lambda x, y: x & y,
    op.OR: lambda x, y: x | y,
    op.XOR: lambda x, y: x ^ y,
}
#: Operations whose result is not always the same, or may be a NaN of which it is not known which.
_VAGUE = frozenset(
    (
        *range(op.V_FADD, op.V_FMAX + 1),
        *range(op.V_FSQRT, op.V_FNEAREST + 1),
        *(op.V_DEMOTE, op.V_PROMOTE),
        *(operation for operation in VECTOR_RULES if op.NAMES[operation].startswith("v_relaxed_")),
    )
)
#: Bytes of shuffles: of both operands, or of one.
_SHUFFLES = (
    [*range(8, 16), *range(8)],
    [4, 5, 6, 7] * 4,
    [8, 9, 10, 11, 12, 13, 14, 15] * 2,
    [0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23],
    [*range(8, 16), *range(16, 24)],
)


@attrs.frozen
class Row:
    """An operation, without operands."""

    operation: int
    imm: int
    result: int
    operands: tuple[int, ...]

    def __str__(self) -> str:
        return f"{op.NAMES[self.operation]}-{self.imm:#x}"

    def on(self, args: Sequence[Tree]) -> Tree:
        return Tree(self.operation, self.result, self.imm, tuple(args))


def _rows() -> list[Row]:
    """Every operation in every shape, with every condition and half, and of the lanes the second."""
    rows = [Row(operation, 0, V128, (V128, V128)) for operation in _BITWISE]
    for operation, (result, operands, shapes, count) in VECTOR_RULES.items():
        for shape in shapes:
            kinds = {"v": V128, "i": I32, "s": op.SHAPE_TYPES[shape]}
            for rest in range(count) if count else (1,):
                if not (operation == op.V_ICMP and shape == I64X2 and rest >= op.LT_U):
                    imm = shape | rest << op.SHAPE_SHIFT
                    rows.append(Row(operation, imm, kinds[result], tuple([kinds[operand] for operand in operands])))
    for numbers in _SHUFFLES:
        count = 2 if max(numbers) > 15 else 1
        rows.append(Row(op.V_SHUFFLE, int.from_bytes(bytes(numbers), "little"), V128, (V128,) * count))
    return rows


ROWS = _rows()
INNER = [row for row in ROWS if row.result == V128 and row.operation not in _VAGUE]


def _operands(count: int, chance: random.Random) -> list[int]:
    """Values of 128 bits, in whose lanes there are edges of all widths; NaNs, too."""
    result = []
    for _ in range(count):
        shape = chance.choice((I8X16, I16X8, I32X4, I64X2, F32X4, F64X2))
        width = op.SHAPE_BITS[shape]
        special = [0, 1, (1 << width) - 1, 1 << width - 1, (1 << width - 1) - 1, chance.getrandbits(width)]
        values = edges(op.SHAPE_TYPES[shape]) if shape >= F32X4 else special
        result.append(join([chance.choice(values) for _ in range(op.SHAPE_LANES[shape])], shape))
    return result


def _check(native: Native, trees: Sequence[Tree], count: int, turns: int, chance: random.Random) -> None:
    """Run trees, all in one function, on `count` operands."""

    def body(b: Builder, p: list[Inst]) -> list[Inst]:
        base = pointer(b, p[0])
        for number, tree in enumerate(trees):
            b.store(op.HEAP_STORE, base, tree.build(b, base), _RESULTS + 16 * number)
        return []

    function = native.function(_NOTHING, body)
    memory = native.memory
    for _ in range(turns):
        loaded = _operands(count, chance)
        for number, value in enumerate(loaded):
            memory[_OPERANDS + 16 * number : _OPERANDS + 16 * number + 16] = value.to_bytes(16, "little")
        function(0)
        for number, tree in enumerate(trees):
            at = _RESULTS + 16 * number
            found = int.from_bytes(memory[at : at + types.BYTES[tree.type]], "little")
            if not tree.accepts(loaded, found):
                shown = ", ".join(f"x{i} = {value:#034x}" for i, value in enumerate(loaded))
                pytest.fail(f"{tree} is {found:#034x}, not {tree.value(loaded):#034x}; {shown}", pytrace=False)


class VectorTreeTests(BackendFixtures):
    """Vector operations that are operands of others. Skipped for backends without the attribute `vectors`."""

    needs = "vectors"

    @pytest.mark.parametrize("row", ROWS, ids=str)
    def test_operations_on_operations(self, native: Native, row: Row) -> None:
        """Every operation on every other: as one of the operands, and as all of them. Counts are constants."""
        chance = random.Random(str(row))
        trees = []
        vectors = [place for place, type in enumerate(row.operands) if type == V128]
        for inner in INNER if vectors else ():
            for places in [[place] for place in vectors] + ([vectors] if len(vectors) > 1 else []):
                leaf = 0
                args = []
                for place, type in enumerate(row.operands):
                    inner_args = []
                    for inner_type in inner.operands if place in places else (type,):
                        if inner_type == I32 and inner.operation in (op.V_SHL, op.V_SHR_S, op.V_SHR_U):
                            bits = op.SHAPE_BITS[inner.imm]
                            inner_args.append(
                                Tree(op.CONST, I32, chance.choice((bits // 2, chance.randrange(1, bits))))
                            )
                        else:
                            inner_args.append(Tree(op.HEAP_LOAD, inner_type, leaf))
                            leaf += 1
                    args.append(inner.on(inner_args) if place in places else inner_args[0])
                trees.append(row.on(args))
        _check(native, trees, 9, 3, chance)

    @pytest.mark.parametrize("shape", [I8X16, I16X8, I32X4, I64X2], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_rotations(self, any_native: Native, shape: int) -> None:
        """Both shifts, of one value and of two, by counts that are and that are not the width together."""
        bits = op.SHAPE_BITS[shape]
        trees = []
        for count in range(1, bits):
            for other in {bits - count, max(bits - count - 1, 1)}:
                for operand in (0, 1):
                    for operation in (op.OR, op.XOR, op.V_ADD):
                        left = _shift(op.V_SHL, shape, 0, count)
                        right = _shift(op.V_SHR_U, shape, operand, other)
                        imm = shape if operation == op.V_ADD else 0
                        trees += [
                            Tree(operation, V128, imm, (left, right)),
                            Tree(operation, V128, imm, (right, left)),
                        ]
        for start in range(0, len(trees), 2000):
            _check(any_native, trees[start : start + 2000], 2, 4, random.Random(shape))

    @pytest.mark.parametrize("shape", [I8X16, I16X8, I32X4], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_differences(self, any_native: Native, shape: int) -> None:
        """Without their sign: of the larger and the smaller one, and of what saturates; and what looks like that."""
        x, y, z = (Tree(op.HEAP_LOAD, V128, number) for number in range(3))
        operations = [op.V_MAX_S, op.V_MAX_U, op.V_MIN_S, op.V_MIN_U]
        trees = [
            Tree(op.V_SUB, V128, shape, (Tree(larger, V128, shape, (x, y)), Tree(smaller, V128, shape, operands)))
            for larger in operations
            for smaller in operations
            for operands in ((x, y), (y, x), (x, z))
        ]
        if shape < I32X4:
            trees += [
                Tree(op.OR, V128, 0, (Tree(first, V128, shape, (x, y)), Tree(second, V128, shape, operands)))
                for first in (op.V_SUB_SAT_S, op.V_SUB_SAT_U)
                for second in (op.V_SUB_SAT_S, op.V_SUB_SAT_U)
                for operands in ((x, y), (y, x), (z, x))
            ]
        _check(any_native, trees, 3, 40, random.Random(shape))

    @pytest.mark.parametrize("shape", [I8X16, I16X8], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_halves_of_lanes(self, any_native: Native, shape: int) -> None:
        """Lower and upper halves of lanes, and other parts, which are narrowed with and without sign."""
        x, y = Tree(op.HEAP_LOAD, V128, 0), Tree(op.HEAP_LOAD, V128, 1)
        bits = op.SHAPE_BITS[shape]
        parts = []
        for value in (x, y):
            masks = [sum((1 << n) - 1 << at for at in range(0, 128, 2 * bits)) for n in (bits, bits - 1, bits + 1)]
            parts.append(
                [
                    *(Tree(op.AND, V128, 0, (value, Tree(op.CONST, V128, mask))) for mask in masks),
                    *(
                        Tree(op.V_SHR_U, V128, shape + 1, (value, Tree(op.CONST, I32, n)))
                        for n in (bits, bits - 1, bits + 1, 3 * bits)
                    ),
                    Tree(op.V_SHR_U, V128, I64X2, (value, Tree(op.CONST, I32, bits))),
                    Tree(op.V_SHR_S, V128, shape + 1, (value, Tree(op.CONST, I32, bits))),
                ]
            )
        trees = [
            Tree(operation, V128, shape, (first, second))
            for operation in (op.V_NARROW_S, op.V_NARROW_U)
            for first in parts[0]
            for second in parts[1]
        ]
        _check(any_native, trees, 2, 20, random.Random(shape))

    def test_sums_of_products_of_bytes(self, any_native: Native) -> None:
        """With numbers of seven bits, of which all machines make the same."""
        mask = int.from_bytes(bytes([0x7F] * 16), "little")
        x, z = Tree(op.HEAP_LOAD, V128, 0), Tree(op.HEAP_LOAD, V128, 2)
        y = Tree(op.AND, V128, 0, (Tree(op.HEAP_LOAD, V128, 1), Tree(op.CONST, V128, mask)))
        dot = Tree(op.V_RELAXED_DOT, V128, I16X8, (x, y))
        trees = []
        for operation in (op.V_EXTADD_S, op.V_EXTADD_U):
            sums = Tree(operation, V128, I32X4, (dot,))
            trees += [Tree(op.V_ADD, V128, I32X4, (sums, z)), Tree(op.V_ADD, V128, I32X4, (z, sums))]
            trees += [Tree(op.V_SUB, V128, I32X4, (z, sums)), Tree(op.V_ADD, V128, I16X8, (z, sums))]
        _check(any_native, trees, 3, 40, random.Random(5))

    @pytest.mark.parametrize("shape", [F32X4, F64X2], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_products_with_one_lane(self, any_native: Native, shape: int) -> None:
        """Of a scalar, and of each lane of a vector, in either place."""
        size = op.SHAPE_BITS[shape] // 8
        x, y, z = (Tree(op.HEAP_LOAD, V128, number) for number in range(3))
        scalar = Tree(op.V_SPLAT, V128, shape, (Tree(op.HEAP_LOAD, op.SHAPE_TYPES[shape], 1),))
        spread = [scalar]
        for lane in range(op.SHAPE_LANES[shape]):
            numbers = int.from_bytes(bytes(range(lane * size, lane * size + size)) * (16 // size), "little")
            spread.append(Tree(op.V_SHUFFLE, V128, numbers, (y,)))
            extracted = Tree(op.V_EXTRACT_U, op.SHAPE_TYPES[shape], shape | lane << op.SHAPE_SHIFT, (y,))
            spread.append(Tree(op.V_SPLAT, V128, shape, (extracted,)))
        trees = []
        for other in spread:
            trees += [Tree(op.V_FMUL, V128, shape, (x, other)), Tree(op.V_FMUL, V128, shape, (other, x))]
            for operation in (op.V_RELAXED_MADD, op.V_RELAXED_NMADD):
                trees += [Tree(operation, V128, shape, (x, other, z)), Tree(operation, V128, shape, (other, x, z))]
                trees.append(Tree(operation, V128, shape, (z, x, other)))
        _check(any_native, trees, 3, 60, random.Random(shape))

    @pytest.mark.parametrize("shape", [I8X16, I16X8, I32X4, I64X2], ids=lambda shape: op.SHAPE_NAMES[shape])
    def test_tests_of_masks(self, any_native: Native, shape: int) -> None:
        """Comparisons, and bits of comparisons, as numbers: whole, and compared with zero."""
        loads = [Tree(op.HEAP_LOAD, V128, number) for number in range(4)]
        masks = [loads[0]]
        for wide in (I8X16, I16X8, I32X4, I64X2):
            for condition in (op.EQ, op.NE, op.GT_S):
                imm = wide | condition << op.SHAPE_SHIFT
                masks.append(Tree(op.V_ICMP, V128, imm, (loads[0], loads[1])))
                masks.append(Tree(op.V_ICMP, V128, imm, (loads[0], Tree(op.CONST, V128, 0))))
        masks += [
            Tree(op.V_FCMP, V128, F32X4 | condition << op.SHAPE_SHIFT, (loads[0], loads[1])) for condition in range(6)
        ]
        pairs = [
            Tree(operation, V128, 0, (masks[5], mask))
            for operation in (op.AND, op.OR, op.XOR, op.V_ANDNOT)
            for mask in masks
        ]
        trees = []
        for mask in (*masks, *pairs, *[Tree(op.V_NOT, V128, 0, (mask,)) for mask in masks]):
            for test, imm in ((op.V_ANY_TRUE, 0), (op.V_ALL_TRUE, shape), (op.V_BITMASK, shape)):
                trees.append(Tree(test, I32, imm, (mask,)))
        _check(any_native, trees, 4, 12, random.Random(shape))


def _shift(operation: int, shape: int, operand: int, count: int) -> Tree:
    return Tree(operation, V128, shape, (Tree(op.HEAP_LOAD, V128, operand), Tree(op.CONST, I32, count)))
