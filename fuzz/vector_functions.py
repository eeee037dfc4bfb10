"""Random function bodies with vectors: every vector instruction, and the combinations that compilers look for."""

from __future__ import annotations

import random
from typing import Final

from fuzz.edge_values import F32, F64, I32, I64, NUMERIC, V128, bits
from fuzz.functions import FunctionGenerator, is_repeatable
from fuzz.program import Body, Program
from fuzz.tree import VOID, Node, Part, const
from fuzz.vector_instructions import (
    BY_NAME,
    BY_SHAPE,
    COMPUTING,
    FLOATS,
    LOADS,
    SHAPES,
    STORES,
    TO_SCALAR,
    TRUTHS,
    WIDTH,
    VectorInstruction,
)
from fuzz.vector_patterns import pattern
from wasm_core.testing.binary import unsigned

#: Types of locals and so on: half of them vectors.
KINDS: Final = (*NUMERIC, *[V128] * len(NUMERIC))
#: Of functions whose results are little more than one instruction each.
FLAT: Final = ((V128, V128, V128, *NUMERIC), (V128,) * 8)
_NONE_OR_ALL: Final = (0, (1 << 128) - 1)


class VectorFunctionGenerator(FunctionGenerator):
    """Makes one body."""

    def flat(self) -> Body:
        """An instruction or a combination per result, so that nothing hides what it gives."""
        self.types = list(self.params)
        self.by_type = {type: [i for i, t in enumerate(self.types) if t == type] for type in self.program.kinds}
        self.assignable = self.by_type
        self.safe = self.chance.random() < 0.8
        self.may_call = False
        parts: list[Part] = []
        makes = (self._shuffle, self._idiom, self._one, self._vector_load)
        for _ in self.results:
            self.budget = 8
            (make,) = self.chance.choices(makes, (6, 6, 5, 3))
            parts.append(self.settled(make(self.chance.randint(1, 2))))
        return Body((self.params, self.results), self.types[len(self.params) :], Node(VOID, [b"", *parts], None))

    def _one(self, depth: int) -> Node:
        return self._apply(self.chance.choice(COMPUTING), [], depth)

    # What the class above asks for.

    def _numeric(self, type: int, depth: int) -> Node:
        if type == V128:
            node = self.settled(self._vector(depth))
            if is_repeatable(node):
                self.seen[V128].append(node)
            return node
        if self.chance.random() < 0.25:
            return self._scalar(type, depth)
        return super()._numeric(type, depth)

    def _chain(self, type: int, depth: int) -> Node:
        if type != V128:
            return super()._chain(type, depth)
        chance = self.chance
        shape = chance.choice(SHAPES)
        value = self._vector(depth, shape)
        for _ in range(chance.randint(1, 5)):
            if chance.random() < 0.2:
                shape = chance.choice(SHAPES)
            rows = [row for row in BY_SHAPE[shape] if row.params[0] == V128]
            value = self._apply(chance.choice(rows), [value], 1)
        return self.settled(value)

    def _load(self, type: int, depth: int) -> Node:
        return self._vector_load(depth) if type == V128 else super()._load(type, depth)

    def _store(self, depth: int) -> Node:
        chance = self.chance
        if chance.random() < 0.5:
            return super()._store(depth)
        row = BY_NAME["v128.store"] if chance.random() < 0.5 else chance.choice(STORES)
        address, offset = self._address(depth)
        return Node(VOID, [address, self.expression(V128, depth - 1), self._memory_code(row, offset)])

    def _condition(self, depth: int) -> Node:
        chance = self.chance
        if depth <= 0 or chance.random() < 0.7:
            return super()._condition(depth)
        how = chance.random()
        row = chance.choice(TRUTHS)
        test = self._apply(row, [self._mask(depth - 1)] if chance.random() < 0.5 else [], depth)
        if how < 0.5:
            return test
        if how < 0.7:
            return Node(I32, [test, b"\x45"])
        # Compared with the mask of all lanes, with none, or with anything.
        lanes = 128 // WIDTH.get(row.shape, 128)
        other = const(I32, chance.choice(((1 << lanes) - 1, 0, chance.getrandbits(lanes))))
        return Node(I32, [test, other, chance.choice((b"\x46", b"\x47"))])

    # Vectors.

    def _vector(self, depth: int, shape: str = "") -> Node:
        """A vector, of that shape if possible; it may have NaNs with open bits."""
        self.budget -= 1
        chance = self.chance
        if depth <= 0 or self.budget <= 0:
            return self._leaf(V128)
        how = chance.random()
        if how < 0.12:
            return self._leaf(V128)
        if how < 0.16:
            return self.expression(V128, depth - 1)
        if how < 0.24:
            return self._vector_load(depth)
        if how < 0.40:
            return self._shuffle(depth)
        if how < 0.50:
            return self._idiom(depth)
        rows = BY_SHAPE[shape] if shape and how < 0.85 else COMPUTING
        return self._apply(chance.choice(rows), [], depth)

    def _apply(self, row: VectorInstruction, first: list[Node], depth: int) -> Node:
        """An instruction on operands of which the first ones may be given."""
        chance = self.chance
        # As the instruction will take them.
        operands = [self._allowed(row, operand) for operand in first]
        for number in range(len(operands), len(row.params)):
            type = row.params[number]
            if type == V128:
                operands.append(self._operand(row, operands, depth))
            elif type == I32 and ".sh" in row.name:
                count = const(I32, chance.randrange(2 * WIDTH[row.shape]))
                operands.append(count if chance.random() < 0.7 else self.expression(I32, depth - 1))
            else:
                operands.append(self.expression(type, depth - 1))
        if row.access:
            address, offset = self._address(depth)
            return Node(row.result, [address, *operands[1:], self._memory_code(row, offset)])
        if "dot_i8x16_i7x16" in row.name:
            # What else there may be is open.
            operands[1] = Node(V128, [operands[1], const(V128, int.from_bytes(b"\x7f" * 16)), BY_NAME["v128.and"].code])
        if row.name.endswith("madd"):
            operands[:2] = [self._exact_factor(row, self.settled(operand)) for operand in operands[:2]]
        if len(operands) == 2 and first and row.params == (V128, V128) and chance.random() < 0.15:
            operands.reverse()
        code = row.code + (bytes([chance.randrange(row.lanes)]) if row.lanes else b"")
        node = Node(row.result, [*operands, code], nan_lanes=self._nan_lanes(row, operands))
        node.repeatable = all(map(is_repeatable, operands))
        return node

    def _allowed(self, row: VectorInstruction, operand: Node) -> Node:
        return operand if operand.nan_lanes in (0, row.operand_nan) else self.settled(operand)

    def _operand(self, row: VectorInstruction, others: list[Node], depth: int) -> Node:
        chance = self.chance
        how = chance.random()
        if how < 0.06 and others:
            return others[0].copy()
        if how < 0.2:
            return const(V128, chance.choice(_NONE_OR_ALL) if how < 0.1 else bits(chance, V128))
        shape = row.operand_shape if row.operand_shape in SHAPES else chance.choice(SHAPES)
        return self._allowed(row, self._vector(depth - 1, shape))

    @staticmethod
    def _nan_lanes(row: VectorInstruction, operands: list[Node]) -> int:
        if row.makes_nan:
            return row.makes_nan
        unknown = any(operand.nan_lanes or (operand.type in (F32, F64) and not operand.exact) for operand in operands)
        if unknown and (row.moves_nan or row.name.endswith("splat")):
            return FLOATS.get(row.shape, 0)
        return 0

    def _exact_factor(self, row: VectorInstruction, value: Node) -> Node:
        """Integers so small that their products are exact: rounding once or twice makes no difference."""
        # 10 and 25 bits of a significand's 24 and 53, and the sign.
        shift, convert = (21, "f32x4.convert_i32x4_s") if row.shape == "f32x4" else (6, "f64x2.convert_low_i32x4_s")
        small = Node(V128, [value, const(I32, shift), BY_NAME["i32x4.shr_s"].code])
        return Node(V128, [small, BY_NAME[convert].code])

    def _vector_load(self, depth: int) -> Node:
        row = BY_NAME["v128.load"] if self.chance.random() < 0.5 else self.chance.choice(LOADS)
        address, offset = self._address(depth)
        operands = [self.expression(V128, depth - 1)] if V128 in row.params else []
        return Node(V128, [address, *operands, self._memory_code(row, offset)])

    def _memory_code(self, row: VectorInstruction, offset: int) -> bytes:
        chance = self.chance
        align = chance.choice([bit for bit in range(5) if 1 << bit <= row.access])
        lane = bytes([chance.randrange(row.lanes)]) if row.lanes else b""
        return row.code + bytes([align]) + unsigned(offset) + lane

    def _shuffle(self, depth: int) -> Node:
        chance = self.chance
        first = self.settled(self._vector(depth - 1))
        how = chance.random()
        if how < 0.25:
            second = first.copy()
        elif how < 0.35:
            second = const(V128, 0)
        else:
            second = self.settled(self._vector(depth - 1))
        operands: list[Part] = [second, first] if chance.random() < 0.2 else [first, second]
        return Node(V128, [*operands, b"\xfd\x0d" + pattern(chance)])

    # Scalars from vectors.

    def _scalar(self, type: int, depth: int) -> Node:
        return self._apply(self.chance.choice(TO_SCALAR[type]), [], depth)

    # Combinations.

    def _idiom(self, depth: int) -> Node:
        idioms = (
            self._extended,
            self._sums,
            self._masked,
            self._rotated,
            self._moved_lane,
            self._made_of_scalars,
            self._clamped,
            self._repeated_shuffle,
            self._negated,
            self._chosen,
        )
        return self.chance.choice(idioms)(depth)

    def _make(self, name: str, *operands: Node) -> Node:
        """An instruction by its name, with these operands."""
        row = BY_NAME[name]
        return self._apply(row, list(operands), 0)

    def _known(self, depth: int, shape: str = "") -> Node:
        return self.settled(self._vector(depth - 1, shape))

    def _extended(self, depth: int) -> Node:
        """Products or sums of halves that are extended."""
        chance = self.chance
        wide, narrow = chance.choice((("i16x8", "i8x16"), ("i32x4", "i16x8"), ("i64x2", "i32x4")))
        names = [f"{wide}.extend_{chance.choice(('low', 'high'))}_{narrow}_{chance.choice('su')}" for _ in range(2)]
        if chance.random() < 0.7:
            names[1] = names[0]
        halves = [self._make(name, self._known(depth, narrow)) for name in names]
        if chance.random() < 0.3:
            halves[1] = self._known(depth, wide)
        return self._make(f"{wide}.{chance.choice(('mul', 'add', 'sub'))}", *halves)

    def _sums(self, depth: int) -> Node:
        """A sum of sums of neighbours, or of products."""
        chance = self.chance
        wide, narrow = chance.choice((("i16x8", "i8x16"), ("i32x4", "i16x8")))
        if wide == "i32x4" and chance.random() < 0.5:
            inner = self._make("i32x4.dot_i16x8_s", self._known(depth, narrow), self._known(depth, narrow))
        else:
            value = self._known(depth, narrow)
            if chance.random() < 0.4:
                # Perhaps without signs.
                value = self._make("v128.and", value, const(V128, bits(chance, V128)))
            inner = self._make(f"{wide}.extadd_pairwise_{narrow}_{chance.choice('su')}", value)
        return self._make(f"{wide}.add", inner, self._known(depth, wide))

    def _comparison(self, depth: int) -> Node:
        """Lanes of ones and zeros."""
        chance = self.chance
        shape = chance.choice(SHAPES)
        first = self._known(depth, shape)
        how = chance.random()
        if how < 0.3:
            second = const(V128, bits(chance, V128))
        elif how < 0.5:
            # The same but for one lane.
            scalar = self.expression(_SCALARS[shape], depth - 2)
            second = self.settled(self._make(f"{shape}.replace_lane", first.copy(), scalar))
        else:
            second = self._known(depth, shape)
        return self._apply(chance.choice([row for row in BY_SHAPE[shape] if row.is_comparison]), [first, second], 0)

    def _mask(self, depth: int) -> Node:
        """Comparisons together, of lanes of several widths, and constants that are masks or almost."""
        chance = self.chance
        value = self._comparison(depth)
        for _ in range(chance.choice((0, 1, 1, 2))):
            if chance.random() < 0.2:
                value = self._make("v128.not", value)
                continue
            other = self._comparison(depth - 1) if chance.random() < 0.7 else const(V128, bits(chance, V128))
            value = self._make(f"v128.{chance.choice(('and', 'or', 'xor', 'andnot'))}", value, other)
        return value

    def _masked(self, depth: int) -> Node:
        """Bits that are chosen by something that is inverted, constant, or a comparison."""
        chance = self.chance
        how = chance.randrange(4)
        if how == 0:
            return self._make("v128.and", self._known(depth), self._make("v128.not", self._known(depth)))
        if how == 1:
            return self._make("v128.xor", self._known(depth), const(V128, _NONE_OR_ALL[1]))
        shape = chance.choice(SHAPES)
        rows = [row for row in BY_SHAPE[shape] if row.is_comparison]
        operands = [self._known(depth, shape), self._known(depth, shape)]
        mask = self._apply(chance.choice(rows), operands, 0)
        if how == 2:
            mask = const(V128, bits(chance, V128))
        if chance.random() < 0.5:
            # Minimum and maximum in other words.
            return self._make("v128.bitselect", operands[0].copy(), operands[1].copy(), mask)
        return self._make("v128.bitselect", self._known(depth), self._known(depth), mask)

    def _rotated(self, depth: int) -> Node:
        chance = self.chance
        shape = chance.choice(("i8x16", "i16x8", "i32x4", "i64x2"))
        count = chance.randrange(WIDTH[shape])
        value = self._known(depth, shape)
        left = self._make(f"{shape}.shl", value, const(I32, count))
        if chance.random() < 0.3:
            # Extended within its lane.
            return self._make(f"{shape}.shr_{chance.choice('su')}", left, const(I32, count))
        right = self._make(f"{shape}.shr_u", value.copy(), const(I32, WIDTH[shape] - count))
        return self._make(chance.choice(("v128.or", "v128.xor", f"{shape}.add")), left, right)

    def _moved_lane(self, depth: int) -> Node:
        """A lane of one vector, in a lane of another or in all."""
        chance = self.chance
        shape = chance.choice(SHAPES)
        extracting = [row for row in TO_SCALAR[_SCALARS[shape]] if row.name.startswith(f"{shape}.extract")]
        lane = self._apply(chance.choice(extracting), [self._known(depth, shape)], depth)
        # It comes from a vector whose bits are known.
        lane.exact = True
        if chance.random() < 0.4:
            return self._make(f"{shape}.splat", lane)
        return self._make(f"{shape}.replace_lane", self._known(depth, shape), lane)

    def _made_of_scalars(self, depth: int) -> Node:
        """As C compilers make a vector of numbers."""
        chance = self.chance
        shape = chance.choice(SHAPES)
        value = const(V128, bits(chance, V128))
        if chance.random() < 0.5:
            value = self._make(f"{shape}.splat", self.expression(_SCALARS[shape], depth - 2))
        replace = BY_NAME[f"{shape}.replace_lane"]
        for lane in range(min(replace.lanes, 4)):
            scalar = self.expression(_SCALARS[shape], depth - 2)
            nan_lanes = self._nan_lanes(replace, [value, scalar])
            value = Node(V128, [value, scalar, replace.code + bytes([lane])], nan_lanes=nan_lanes)
        return value

    def _clamped(self, depth: int) -> Node:
        chance = self.chance
        shape = chance.choice(("i8x16", "i16x8", "i32x4", "f32x4", "f64x2"))
        sign = "" if shape in FLOATS else f"_{chance.choice('su')}"
        prefix = "p" if shape in FLOATS and chance.random() < 0.5 else ""
        names = [f"{shape}.{prefix}min{sign}", f"{shape}.{prefix}max{sign}"]
        chance.shuffle(names)
        value = self._known(depth, shape)
        for name in names:
            value = self._make(name, value, const(V128, bits(chance, V128)))
        if shape not in FLOATS and shape != "i8x16" and chance.random() < 0.6:
            narrow = "i8x16.narrow_i16x8_" if shape == "i16x8" else "i16x8.narrow_i32x4_"
            return self._make(narrow + chance.choice("su"), value, self._known(depth, shape))
        return value

    def _repeated_shuffle(self, depth: int) -> Node:
        chance = self.chance
        value = self._shuffle(depth - 1)
        for _ in range(chance.randint(1, 2)):
            other = value.copy() if chance.random() < 0.4 else self._known(depth - 1)
            value = Node(V128, [value, other, b"\xfd\x0d" + pattern(chance)])
        return value

    def _negated(self, depth: int) -> Node:
        """Zero minus something, and bits of signs."""
        chance = self.chance
        shape = chance.choice(SHAPES)
        value = self._known(depth, shape)
        if chance.random() < 0.5:
            return self._make(f"{shape}.sub", const(V128, 0), value)
        width = WIDTH[shape]
        sign = sum(1 << at + width - 1 for at in range(0, 128, width))
        mask = const(V128, sign if chance.random() < 0.5 else sign ^ _NONE_OR_ALL[1])
        return self._make(chance.choice(("v128.xor", "v128.and", "v128.or", "v128.andnot")), value, mask)

    def _chosen(self, depth: int) -> Node:
        return Node(V128, [self._known(depth), self._known(depth), self._condition(depth - 1), b"\x1b"])


#: Shape -> type of the number that is a lane.
_SCALARS: Final = {"i8x16": I32, "i16x8": I32, "i32x4": I32, "i64x2": I64, "f32x4": F32, "f64x2": F64}


def generate(seed: str, function_count: int, kind: str) -> Program:
    """The module that belongs to a seed, with functions of a kind: "large", "small" or "flat"."""
    program = Program(random.Random(seed), function_count, KINDS)
    if kind == "flat":
        program.signatures = [FLAT] * function_count
    for number, signature in enumerate(program.signatures):
        generator = VectorFunctionGenerator(random.Random(f"{seed}/{number}"), program, signature)
        make = {"large": generator.body, "small": generator.small, "flat": generator.flat}[kind]
        program.bodies.append(make())
    return program
