"""Random function bodies: expressions, many locals, control flow of every kind, calls, memory and tables."""

from __future__ import annotations

import random
from typing import Final

from fuzz.edge_values import F32, F64, FUNCREF, I32, I64, NUMERIC, V128, WIDTHS, bits, from_float
from fuzz.instructions import BY_RESULT, EQUAL, LOADS, STORES, WHOLE_STORES, Instruction
from fuzz.program import FUEL_PER_CALL, Body, Program, Signature
from fuzz.tree import NEVER, VOID, Label, Node, Part, const
from wasm_core.testing.binary import signed, unsigned

_END: Final = b"\x0b"
_NAN: Final = {F32: 0x7FC00000, F64: 0x7FF8000000000000}
#: A NaN in each lane, and the comparison of each lane for equality, by the lanes' type.
_NAN_LANES: Final = {
    F32: (_NAN[F32] * (1 << 96 | 1 << 64 | 1 << 32 | 1), b"\xfd\x41"),
    F64: (_NAN[F64] * (1 << 64 | 1), b"\xfd\x47"),
}
_BITSELECT: Final = b"\xfd\x52"
#: Instructions that give two i64, and how many they take.
_WIDE: Final = ((b"\xfc\x13", 4), (b"\xfc\x14", 4), (b"\xfc\x15", 2), (b"\xfc\x16", 2))
#: Offsets of loads and stores.
_OFFSETS: Final = (0, 0, 0, 1, 3, 4, 7, 8, 16, 100, 4095, 65528, 65535, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
_OFFSET_WEIGHTS: Final = (300, 200, 200, 90, 90, 90, 90, 90, 90, 90, 30, 1, 1, 1, 1, 1)
#: What is rarely added to a 64-bit address, and an offset only of such.
_FAR: Final = (1 << 32, (1 << 32) - 8, 1 << 34, (1 << 34) - 8, 1 << 63, (1 << 64) - 8, (1 << 64) - 1)
#: Counts and masks that code often has.
_ROUND: Final = (0, 1, 2, 3, 4, 7, 8, 8, 15, 16, 16, 24, 24, 31, 32, 32, 33, 48, 56, 63, 64, 0xFF, 0xFFFF, 0x7FFFFFFF)
#: Where functions leave the values of their locals at the end.
_DUMP: Final = 0x8000


def local_get(index: int, type: int) -> Node:
    return Node(type, [b"\x20" + unsigned(index)])


def local_set(index: int, value: Node) -> Node:
    return Node(VOID, [value, b"\x21" + unsigned(index)])


class FunctionGenerator:
    """Makes one body."""

    def __init__(self, chance: random.Random, program: Program, signature: Signature) -> None:
        self.chance = chance
        self.program = program
        self.params, self.results = signature
        self.types = list(self.params)
        for _ in range(chance.choice((0, 3, 6, 6, 12, 25, 40))):
            self.types.append(chance.choice(program.kinds))
        if chance.random() < 0.05:
            self.types += [chance.choice((I32, I64))] * 150
        #: Locals that any code may assign to, by type.
        self.by_type = {type: [i for i, t in enumerate(self.types) if t == type] for type in program.kinds}
        #: Those that are assigned to: often not all, so that computations can be repeated with the same result.
        few = (
            {i for i in range(len(self.types)) if i % 4 == 0} if chance.random() < 0.5 else set(range(len(self.types)))
        )
        self.assignable = {type: [i for i in names if i in few] for type, names in self.by_type.items()}
        self.budget = chance.choice((15, 40, 40, 40, 80, 80, 120, 200)) * (8 if chance.random() < 0.02 else 1)
        self.depth = chance.choice((3, 5, 5, 8))
        #: Whether most is safe, or traps of every kind are to be expected.
        self.safe = chance.random() < 0.85
        #: How much of the code is control flow.
        self.branchy = chance.random()
        #: Calls need fuel, or recursion would have no end.
        self.may_call = True
        self.labels: list[Label] = []
        self.scratch: dict[int, int] = {}
        #: Code to be used again, by type: compilers look for the same computation in several places.
        self.seen: dict[int, list[Node]] = {type: [] for type in program.kinds}

    def small(self) -> Body:
        """One expression per result: chains of operations with constants, as the simplifier looks for."""
        self.types = list(self.params)
        self.by_type = {type: [i for i, t in enumerate(self.types) if t == type] for type in self.program.kinds}
        self.assignable = self.by_type
        self.safe = self.chance.random() < 0.9
        self.branchy = 0.1
        self.may_call = False
        parts: list[Part] = []
        for type in self.results:
            self.budget = self.chance.choice((4, 8, 8, 20))
            parts.append(self._chain(type, 3) if self.chance.random() < 0.7 else self.expression(type, 5))
        return Body((self.params, self.results), self.types[len(self.params) :], Node(VOID, [b"", *parts], None))

    def _chain(self, type: int, depth: int) -> Node:
        """Something, and two to five operations on it whose other operand is a constant."""
        chance = self.chance
        steps = chance.randint(2, 5)
        kinds = [type]
        for _ in range(steps):
            # From the outside to the inside; a few operations change the type.
            kinds.append(kinds[-1] if chance.random() < 0.7 else chance.choice((I32, I64)))
        value = self._leaf(kinds[-1]) if chance.random() < 0.5 else self.expression(kinds[-1], depth)
        few = [chance.choice(_ROUND) for _ in range(2)]
        for wanted in reversed(kinds[:-1]):
            value = self._operate(value, wanted, few)
        return value

    def _operate(self, value: Node, wanted: int, few: list[int]) -> Node:
        """One more operation on a value; its constant is one of a few."""
        chance = self.chance
        rows = [row for row in BY_RESULT[wanted][0] if row.params[0] == value.type]
        row: Instruction = chance.choices(rows, [max(row.weight, 3) for row in rows])[0]
        if row.shows_nan:
            value = self.settled(value)
        if row.may_trap and self.safe:
            return const(wanted, bits(chance, wanted))
        if len(row.params) == 1:
            return Node(wanted, [value, row.code], exact=row.code in (b"\xbe", b"\xbf"))
        how = chance.random()
        if how < 0.6 and value.type in (I32, I64):
            number = chance.choice(few) if how < 0.5 else -chance.choice(few)
            other = const(row.params[1], number & (0xFFFFFFFF if row.params[1] == I32 else 0xFFFFFFFFFFFFFFFF))
        elif how < 0.9:
            other = const(row.params[1], bits(chance, row.params[1]))
        else:
            other = self._leaf(row.params[1])
        return Node(wanted, [other, value, row.code] if how > 0.55 and how < 0.65 else [value, other, row.code])

    def body(self) -> Body:
        """The whole function."""
        outer = Label(self.results)
        self.labels.append(outer)
        parts: list[Part] = [take_fuel(FUEL_PER_CALL)]
        while self.budget > 0:
            parts.append(self.statement(self.depth))
        if self.chance.random() < 0.7:
            parts += self._dump()
        self.budget = 10
        # Many functions end in a tail call: hops from function to function, until the fuel is used up.
        tail_call = self._tail_call(3) if self.chance.random() < 0.4 else None
        if tail_call is not None:
            parts.append(tail_call)
        else:
            parts += [self.expression(type, 3) for type in self.results]
        # The function's own block: a label, but no bytes to open it.
        root = Node(VOID, [b"", *parts], outer)
        return Body((self.params, self.results), self.types[len(self.params) :], root)

    def _dump(self) -> list[Part]:
        """Store locals, so that all of them are alive until the end and can be compared."""
        # The scratch local for vectors has NaNs whose bits are open.
        names = [i for i in range(len(self.types)) if i != self.scratch.get(V128)]
        chosen = [i for i in names if self.chance.random() < 0.8]
        parts: list[Part] = []
        for index in chosen:
            type = self.types[index]
            value = self.settled(local_get(index, type))
            address = const(self.program.address_type, _DUMP + 16 * index)
            parts.append(Node(VOID, [address, value, WHOLE_STORES[type] + b"\0\0"]))
        return parts

    def new_local(self, type: int) -> int:
        """A local that only the caller knows of."""
        self.types.append(type)
        return len(self.types) - 1

    def settled(self, value: Node) -> Node:
        """The value with the bits of a NaN made the same everywhere."""
        type = value.type
        if value.exact or (type not in _NAN and value.nan_lanes == 0):
            return value
        if type not in self.scratch:
            self.scratch[type] = self.new_local(type)
        name = unsigned(self.scratch[type])
        get = b"\x20" + name
        if value.nan_lanes:
            pattern, equal = _NAN_LANES[value.nan_lanes]
            node = Node(type, [value, b"\x22" + name, const(type, pattern), get + get + equal + _BITSELECT])
            node.repeatable = value.repeatable
            return node
        test = const(type, _NAN[type])
        return Node(type, [value, b"\x22" + name, test, get + get + EQUAL[type] + b"\x1b"], exact=True)

    def block_type(self, params: tuple[int, ...], results: tuple[int, ...]) -> bytes:
        if not params and len(results) <= 1:
            return bytes(results) or b"\x40"
        return signed(self.program.type_index((params, results)))

    # Expressions.

    def expression(self, type: int, depth: int) -> Node:
        """Code that leaves one value."""
        self.budget -= 1
        chance = self.chance
        if type == FUNCREF:
            return self._reference(depth)
        if depth <= 0 or self.budget <= 0:
            return self._leaf(type)
        if chance.random() < 0.18 and self.seen[type]:
            self.budget -= 2
            return chance.choice(self.seen[type][-10:]).copy()
        if type in (I32, I64) and chance.random() < 0.06:
            return self._chain(type, depth - 2)
        how = chance.random()
        if how < 0.30:
            return self._leaf(type)
        if how < 0.72:
            return self._numeric(type, depth)
        if how < 0.78:
            return self._load(type, depth)
        if how < 0.83:
            operands = [self.expression(type, depth - 1), self.expression(type, depth - 1), self._condition(depth - 1)]
            return Node(type, [*operands, b"\x1c\x01" + bytes([type]) if chance.random() < 0.3 else b"\x1b"])
        if how < 0.87:
            return self._tee(type, depth)
        if how < 0.90:
            return self._call(type, depth)
        if how < 0.90 + 0.08 * self.branchy:
            return self._construct(type, depth)
        if how < 0.985:
            return self._numeric(type, depth)
        if how < 0.99 and self.labels:
            never = self._leave(depth - 1)
            return Node(type, [never])
        return self._question(type)

    def _leaf(self, type: int) -> Node:
        chance = self.chance
        names = self.by_type[type]
        how = chance.random()
        if names and how < 0.65:
            # Some locals more than others.
            index = names[min(chance.randrange(len(names)), chance.randrange(len(names)))]
            return local_get(index, type)
        if how < 0.72:
            index = chance.choice([i for i, g in enumerate(self.program.globals) if g.type == type and i])
            return Node(type, [b"\x23" + unsigned(index)])
        return const(type, bits(chance, type))

    def _numeric(self, type: int, depth: int) -> Node:
        chance = self.chance
        rows, weights = BY_RESULT[type]
        row: Instruction = chance.choices(rows, weights)[0]
        operands = [self.expression(param, depth - 1) for param in row.params]
        if row.may_trap and self.safe:
            # From an integer of 15 bits, made a float and half of it taken.
            param = row.params[0]
            integer = Node(I32, [self.expression(I32, depth - 1), const(I32, 0x7FFF), b"\x71"])
            converted = Node(param, [integer, b"\xb2" if param == F32 else b"\xb7"])
            half = const(param, from_float(param, 0.5))
            operands[0] = Node(param, [converted, half, b"\x94" if param == F32 else b"\xa2"])
        if len(operands) == 2:
            how = chance.random()
            if how < 0.35:
                operands[1] = const(row.params[1], bits(chance, row.params[1]))
            elif how < 0.40:
                operands[0] = const(row.params[0], bits(chance, row.params[0]))
            elif how < 0.43:
                operands[1] = local_or(operands[0], operands[1])
        if row.divides and self.safe:
            one = const(type, 1)
            operands[1] = Node(type, [operands[1], one, b"\x72" if type == I32 else b"\x84"])
        if row.shows_nan:
            operands[0] = self.settled(operands[0])
        node = Node(type, [*operands, row.code], exact=row.code in (b"\xbe", b"\xbf"))
        if all(is_repeatable(operand) for operand in operands):
            node.repeatable = True
            self.seen[type].append(node)
        return node

    def _condition(self, depth: int) -> Node:
        """An i32; mostly a comparison."""
        if self.chance.random() < 0.3:
            return self.expression(I32, depth)
        type = self.chance.choice((I32, I32, I64, F32, F64))
        first = {I32: 0x46, I64: 0x51, F32: 0x5B, F64: 0x61}[type]
        last = {I32: 0x4F, I64: 0x5A, F32: 0x60, F64: 0x66}[type]
        operands = [self.expression(type, depth - 1), self.expression(type, depth - 1)]
        if self.chance.random() < 0.3:
            operands[1] = const(type, bits(self.chance, type))
        node = Node(I32, [*operands, bytes([self.chance.randint(first, last)])])
        return Node(I32, [node, b"\x45"]) if self.chance.random() < 0.15 else node

    def _address(self, depth: int) -> tuple[Node, int]:
        """An address, mostly within the first half of the first page, and an offset."""
        chance = self.chance
        type = self.program.address_type
        offset = chance.choices(_OFFSETS, _OFFSET_WEIGHTS)[0]
        how = chance.random()
        if how < 0.2:
            return const(type, chance.randrange(1024)), offset
        address = self.expression(type, depth - 1)
        if how < (0.998 if self.safe else 0.9):
            mask = const(type, chance.choice((0xFF, 0x3FF, 0x7FF8, 0x7FFF, 0x7FFF)))
            address = Node(type, [address, mask, b"\x71" if type == I32 else b"\x83"])
        if type == I64:
            if chance.random() < 0.5:
                far = chance.random() < (0.005 if self.safe else 0.1)
                distance = chance.choice(_FAR) if far else chance.randrange(256) - (0 if self.safe else 16)
                address = Node(I64, [address, const(I64, distance & (1 << 64) - 1), b"\x7c"])
            elif chance.random() < (0.002 if self.safe else 0.02):
                offset = chance.choice(_FAR)
        return address, offset

    def _size(self, type: int, parts: list[Part]) -> Node:
        """An i32 of what an instruction gives whose result has another type."""
        return Node(I32, parts if type == I32 else [*parts, b"\xa7"])

    def _narrow(self, first: int, second: int) -> int:
        """The type of the length of what is copied between those with these types of addresses."""
        return I32 if I32 in (first, second) else I64

    def _load(self, type: int, depth: int) -> Node:
        address, offset = self._address(depth)
        opcode, _ = self.chance.choice(LOADS[type])
        align = bytes([0])
        return Node(type, [address, bytes([opcode]) + align + unsigned(offset)], exact=True)

    def _tee(self, type: int, depth: int) -> Node:
        names = self.assignable[type]
        value = self.expression(type, depth - 1)
        return Node(type, [value, b"\x22" + unsigned(self.chance.choice(names))]) if names else value

    def _question(self, type: int) -> Node:
        """Something that the instance is asked."""
        if type != I32:
            return self._leaf(type)
        chance = self.chance
        how = chance.randrange(5)
        if how == 0:
            return self._size(self.program.address_type, [b"\x3f\0"])
        if how == 1:
            type = self.program.address_type
            return self._size(type, [const(type, chance.choice((0, 0, 1, 2, 0xFFFFFFFF))), b"\x40\0"])
        if how == 2:
            table = chance.randrange(2)
            return self._size(self.program.index_types[table], [b"\xfc\x10" + unsigned(table)])
        if how == 3:
            type = self.program.index_types[1]
            return self._size(type, [self._reference(2), const(type, chance.choice((0, 1, 5, 11))), b"\xfc\x0f\x01"])
        return Node(I32, [self._reference(2), b"\xd1"])

    def _reference(self, depth: int) -> Node:
        chance = self.chance
        how = chance.random()
        if how < 0.2:
            return const(FUNCREF, 0)
        if how < 0.6:
            return Node(FUNCREF, [b"\xd2" + unsigned(chance.randrange(self.program.function_count))])
        table = chance.randrange(2)
        below = 32 if table == 0 else 8
        index = self._index(depth - 1, below if chance.random() < 0.95 else 45, self.program.index_types[table])
        return Node(FUNCREF, [index, b"\x25" + unsigned(table)])

    def _index(self, depth: int, below: int, type: int = I32) -> Node:
        """An integer, mostly a small one."""
        if self.chance.random() < 0.5:
            return const(type, self.chance.randrange(below))
        mask = (1 << below.bit_length() - 1) - 1
        if type == I64 and self.chance.random() < (0.002 if self.safe else 0.02):
            mask = (1 << 64) - 1
        return Node(type, [self.expression(type, depth - 1), const(type, mask), b"\x71" if type == I32 else b"\x83"])

    # Calls.

    def _arguments(self, params: tuple[int, ...], depth: int) -> list[Part]:
        return [self.expression(param, depth - 1) for param in params]

    def _call_any(self, depth: int, wanted: tuple[int, ...] | None) -> tuple[list[Part], tuple[int, ...]]:
        """Code of a call whose results are as wanted, or of any call; and its results."""
        chance = self.chance
        program = self.program
        if not self.may_call:
            return [], ()
        if wanted is None:
            found = list(range(program.function_count))
        else:
            found = [i for i in range(program.function_count) if program.signature(i)[1] == wanted]
        if not found:
            return [], ()
        function = chance.choice(found)
        params, results = program.signature(function)
        arguments = self._arguments(params, depth)
        return self._callee(function, arguments, depth, tail=False), results

    def _callee(self, function: int, arguments: list[Part], depth: int, tail: bool) -> list[Part]:
        """The call of a function, or of another one of the same type, in one of the ways that there are."""
        chance = self.chance
        program = self.program
        direct: list[Part] = [*arguments, (b"\x12" if tail else b"\x10") + unsigned(function)]
        if chance.random() < 0.5:
            return direct
        params, results = program.signature(function)
        if chance.random() < 0.3:
            opcode = b"\x15" if tail else b"\x14"
            return [*arguments, self._typed_reference(function, depth), opcode + unsigned(self._type_of(function))]
        type = (params, results)
        fitting = [i for i, f in enumerate(program.table) if f is not None and program.signature(f) == type]
        if fitting and chance.random() < 0.85:
            index_type = program.index_types[0]
            index = const(index_type, chance.choice(fitting))
            if chance.random() < 0.5:
                # Not known while compiling: plus something that is always zero.
                zero = Node(I32, [b"\x23\0", const(I32, 0x40000000), b"\x71"])
                wide = index_type == I64
                index = Node(index_type, [index, zero, b"\xad\x84" if wide else b"\x72"])
        elif chance.random() < 0.2:
            index = self._index(depth - 1, 42, program.index_types[0])
        else:
            return direct
        return [*arguments, index, (b"\x13" if tail else b"\x11") + unsigned(program.type_index(type)) + b"\0"]

    def _type_of(self, function: int) -> int:
        return self.program.type_index(self.program.signature(function))

    def _typed_reference(self, function: int, depth: int) -> Node:
        """A reference to a function, or to another one of its type; of a type that is never null, or is, at times."""
        chance = self.chance
        type = self._type_of(function)
        first = b"\xd2" + unsigned(function)
        how = chance.random()
        if how < 0.3:
            return Node(NEVER, [first])
        others = [i for i in range(self.program.function_count) if self._type_of(i) == type]
        other = b"\xd2" + unsigned(chance.choice(others))
        if how < 0.5 or self.safe:
            kind = b"\x64" + signed(type)
        else:
            kind = b"\x63" + signed(type)
            if chance.random() < 0.3:
                other = b"\xd0" + signed(type)
        # (nobody branches to its end: there is no local to take the value from)
        label = Label(())
        parts: list[Part] = [self._condition(depth - 1), b"\x04" + kind, first, b"\x05", other, _END]
        if chance.random() < 0.3:
            return Node(NEVER, [Node(NEVER, parts, label), b"\xd4"])
        return Node(NEVER, parts, label)

    def _call_unless_null(self, depth: int) -> Node:
        """A call through a reference where that is not null: br_on_null, or br_on_non_null to a call."""
        chance = self.chance
        program = self.program
        function = chance.randrange(program.function_count)
        params, results = program.signature(function)
        type = self._type_of(function)
        call = b"\x14" + unsigned(type)
        reference: list[Part] = [b"\xd2" + unsigned(function)]
        outer = Label(())
        condition = self._condition(depth - 1)
        null = b"\xd0" + signed(type)
        maybe = Node(NEVER, [condition, b"\x04\x63" + signed(type), *reference, b"\x05", null, _END], Label(()))
        if chance.random() < 0.5:
            self.labels.append(outer)
            arguments = self._arguments(params, depth)
            self.labels.pop()
            after = self._assign_results([*arguments, maybe, b"\xd5", outer, call], results)
            return Node(VOID, [b"\x02\x40", after, _END], outer)
        there = Label(())
        arguments = self._arguments(params, depth)
        inner = Node(NEVER, [b"\x02\x64" + signed(type), maybe, b"\xd6", there, *reference, _END], there)
        return self._assign_results([*arguments, inner, call], results)

    def _call(self, type: int, depth: int) -> Node:
        parts, results = self._call_any(depth, (type,))
        return Node(type, parts) if results else self._numeric(type, depth)

    def _assign_results(self, parts: list[Part], results: tuple[int, ...]) -> Node:
        """Put what is on the stack into locals."""
        for type in reversed(results):
            names = self.assignable[type]
            parts.append(b"\x21" + unsigned(self.chance.choice(names)) if names else b"\x1a")
        return Node(VOID, parts)

    # Control flow.

    def _inside(self, label: Label, count: int, depth: int, results: tuple[int, ...]) -> list[Part]:
        """Statements and the results, in the scope of a label."""
        self.labels.append(label)
        parts: list[Part] = [self.statement(depth - 1) for _ in range(count)]
        parts += [self.expression(type, depth - 1) for type in results]
        self.labels.pop()
        return parts

    def _construct(self, type: int, depth: int) -> Node:
        """A block, loop or if with a result."""
        chance = self.chance
        label = Label((type,))
        opening = self.block_type((), (type,))
        how = chance.random()
        if how < 0.4:
            inside = self._inside(label, chance.randint(0, 3), depth, (type,))
            return Node(type, [b"\x02" + opening, *inside, _END], label)
        if how < 0.8:
            condition = self._condition(depth - 1)
            then = self._inside(label, chance.randint(0, 2), depth, (type,))
            otherwise = self._inside(label, chance.randint(0, 2), depth, (type,))
            return Node(type, [condition, b"\x04" + opening, *then, b"\x05", *otherwise, _END], label)
        return self._loop(depth, (), (type,), type)

    def _loop(self, depth: int, params: tuple[int, ...], results: tuple[int, ...], type: int) -> Node:
        """A loop that goes round a few times; its parameters stay on the stack."""
        chance = self.chance
        label = Label(params)
        counter = self.new_local(I32)
        name = unsigned(counter)
        rounds = chance.randint(1, 6)
        self.labels.append(label)
        statements: list[Part] = [self.statement(depth - 1) for _ in range(chance.randint(1, 4))]
        again: list[Part] = [self.expression(param, depth - 2) for param in params]
        # (counter -= 1) != 0
        step = b"\x20" + name + b"\x41\x01\x6b\x22" + name
        again += [step, b"\x0d", label]
        tail: list[Part] = [self.expression(result, depth - 1) for result in results]
        self.labels.pop()
        drop = b"\x1a" * len(params)
        count = local_set(counter, const(I32, rounds))
        first: list[Part] = [self.expression(param, depth - 1) for param in params]
        opening = b"\x03" + self.block_type(params, results)
        enter = self._assign_results([], params).parts
        return Node(type, [count, *first, opening, take_fuel(1), *enter, *statements, *again, drop, *tail, _END], label)

    def _leave(self, depth: int) -> Node:
        """Code that goes elsewhere for good."""
        chance = self.chance
        how = chance.random()
        if how < 0.15:
            return Node(NEVER, [*self._arguments(self.results, depth), b"\x0f"])
        if how < 0.16:
            return Node(NEVER, [b"\x00"])
        if how < 0.18:
            return self._throw(depth)
        if how < 0.35:
            tail_call = self._tail_call(depth)
            if tail_call is not None:
                return tail_call
        label = chance.choice(self.labels)
        values = self._arguments(label.types, depth)
        if how < 0.7:
            return Node(NEVER, [*values, b"\x0c", label])
        fitting = [other for other in self.labels if other.types == label.types]
        count = chance.choice((0, 1, 2, 3, 8))
        targets: list[Part] = [chance.choice(fitting) for _ in range(count + 1)]
        index = self._index(depth, 5) if chance.random() < 0.8 else self.expression(I32, depth - 1)
        return Node(NEVER, [*values, index, b"\x0e" + unsigned(count), *targets])

    def _tail_call(self, depth: int) -> Node | None:
        """The function is left to one with the same results."""
        program = self.program
        found = [i for i in range(program.function_count) if program.signature(i)[1] == self.results]
        if not found or not self.may_call:
            return None
        function = self.chance.choice(found)
        arguments = self._arguments(program.signature(function)[0], depth)
        return Node(NEVER, self._callee(function, arguments, depth, tail=True))

    # Statements.

    def statement(self, depth: int) -> Node:
        """Code that leaves nothing."""
        self.budget -= 1
        chance = self.chance
        if depth <= 0 or self.budget <= 0:
            return self._assign(1)
        how = chance.random()
        if how < 0.45:
            return self._assign(depth)
        if how < 0.60:
            return self._store(depth)
        if how < 0.68:
            parts, results = self._call_any(depth, None)
            return self._assign_results(parts, results)
        if how < 0.72:
            type = chance.choice(self.program.kinds)
            index = chance.choice([i for i, g in enumerate(self.program.globals) if g.type == type and g.mutable and i])
            return Node(VOID, [self.expression(type, depth - 1), b"\x24" + unsigned(index)])
        if how < 0.75:
            return self._bulk(depth)
        if how < 0.77:
            return Node(VOID, [self.expression(chance.choice(self.program.kinds), depth - 1), b"\x1a"])
        if how < 0.78 and self.may_call and chance.random() < 0.5:
            return self._call_unless_null(depth)
        if how < 0.79:
            return self._wide(depth)
        if how < 0.79 + 0.21 * self.branchy:
            return self._branching(depth)
        return self._assign(depth)

    def _assign(self, depth: int) -> Node:
        if not any(self.assignable.values()):
            return Node(VOID, [self.expression(I32, depth - 1), b"\x1a"])
        type = self.chance.choice([type for type in self.program.kinds if self.assignable[type]])
        return local_set(self.chance.choice(self.assignable[type]), self.expression(type, depth - 1))

    def _store(self, depth: int) -> Node:
        type = self.chance.choice(NUMERIC)
        address, offset = self._address(depth)
        opcode, _ = self.chance.choice(STORES[type])
        value = self.settled(self.expression(type, depth - 1))
        return Node(VOID, [address, value, bytes([opcode, 0]) + unsigned(offset)])

    def _bulk(self, depth: int) -> Node:
        chance = self.chance
        how = chance.randrange(8)
        address = self.program.address_type
        called, written = self.program.index_types
        if how == 0:
            small = self._operands(depth, 32, address, I32, I32)
            return Node(VOID, [*small, b"\xfc\x08" + unsigned(chance.randint(1, 2)) + b"\0"])
        if how == 1:
            return Node(VOID, [*self._operands(depth, 32, address, address, address), b"\xfc\x0a\0\0"])
        if how == 2:
            return Node(VOID, [*self._operands(depth, 32, address, I32, address), b"\xfc\x0b\0"])
        # Tables are small.
        below = 4 if chance.random() < 0.95 else 16
        if how == 3:
            return Node(VOID, [*self._operands(depth, below, written, I32, I32), b"\xfc\x0c" + unsigned(1) + b"\x01"])
        if how == 4:
            origin = chance.randrange(2)
            index = (called, written)[origin]
            small = self._operands(depth, below, written, index, self._narrow(index, written))
            return Node(VOID, [*small, b"\xfc\x0e\x01" + unsigned(origin)])
        if how == 5:
            small = self._operands(depth, 5, written, written)
            return Node(VOID, [small[0], self._reference(depth), small[1], b"\xfc\x11\x01"])
        if how == 6:
            drops = (b"\xfc\x09\x01", b"\xfc\x09\x02", b"\xfc\x0d\x01")
            return Node(VOID, [chance.choice(drops) if chance.random() < 0.2 else b"\x01"])
        return Node(VOID, [self._index(depth - 1, below, written), self._reference(depth), b"\x26\x01"])

    def _wide(self, depth: int) -> Node:
        """Arithmetic with 128 bits."""
        opcode, count = self.chance.choice(_WIDE)
        return self._assign_results([*self._arguments((I64,) * count, depth), opcode], (I64, I64))

    def _operands(self, depth: int, below: int, *types: int) -> list[Node]:
        return [self._index(depth - 1, below, type) for type in types]

    def _branching(self, depth: int) -> Node:
        chance = self.chance
        how = chance.random()
        label = Label(())
        if how < 0.15:
            return Node(VOID, [b"\x02\x40", *self._inside(label, chance.randint(1, 4), depth, ()), _END], label)
        if how < 0.45:
            condition = self._condition(depth - 1)
            then = self._inside(label, chance.randint(1, 3), depth, ())
            if chance.random() < 0.5:
                return Node(VOID, [condition, b"\x04\x40", *then, _END], label)
            otherwise = self._inside(label, chance.randint(0, 3), depth, ())
            return Node(VOID, [condition, b"\x04\x40", *then, b"\x05", *otherwise, _END], label)
        if how < 0.60:
            params = tuple(chance.choice(self.program.kinds) for _ in range(chance.choice((0, 0, 0, 1, 3))))
            return self._loop(depth, params, (), VOID)
        if how < 0.75 and self.labels:
            label = chance.choice(self.labels)
            values = self._arguments(label.types, depth)
            drop = b"\x1a" * len(label.types)
            return Node(VOID, [*values, self._condition(depth - 1), b"\x0d", label, drop])
        if how < 0.85:
            # Something leaves, now and then.
            then = self._inside(label, chance.randint(0, 1), depth, ())
            self.labels.append(label)
            then.append(self._leave(depth - 1))
            self.labels.pop()
            return Node(VOID, [self._condition(depth - 1), b"\x04\x40", *then, _END], label)
        if how < 0.89:
            return self._switch(depth)
        if how < 0.96:
            return self._try(depth) if chance.random() < 0.7 else self._finally(depth)
        return self._many_values(depth)

    def _try(self, depth: int) -> Node:
        """Statements, and what is done with an exception that one of them throws."""
        chance = self.chance
        tag = chance.randrange(len(self.program.tags))
        types = self.program.tags[tag]
        caught = Label(types)
        self.labels.append(caught)
        label = Label(())
        inside = self._inside(label, chance.randint(0, 2), depth, ())
        inside.append(self._throw_sometimes(depth))
        # (the label of the handler is counted from outside)
        opening = Node(VOID, [b"\x1f\x40\x01\0" + unsigned(tag), caught])
        if chance.random() < 0.3:
            other = Label(())
            opening = Node(VOID, [b"\x1f\x40\x02\0" + unsigned(tag), caught, b"\x02", other])
            body = Node(VOID, [opening, b"", *inside, _END], label)
            values = self._arguments(types, depth)
            inner = Node(VOID, [b"\x02\x40", body, *values, b"\x0c", caught, _END], other)
            parts: list[Part] = [inner, *self._arguments(types, depth)]
        else:
            parts = [Node(VOID, [opening, b"", *inside, _END], label), *self._arguments(types, depth)]
        self.labels.pop()
        block = Node(VOID, [b"\x02" + self.block_type((), types), *parts, _END], caught)
        return self._assign_results([block], types)

    def _finally(self, depth: int) -> Node:
        """Statements, and some that run only when one of these throws, before it is thrown again."""
        done = Label(())
        # Nobody else branches there: it takes an exception.
        caught = Label(())
        inside = self._inside(done, self.chance.randint(0, 2), depth, ())
        inside.append(self._throw_sometimes(depth))
        body = Node(VOID, [Node(VOID, [b"\x1f\x40\x01\x03", caught]), b"", *inside, _END], Label(()))
        handler = Node(VOID, [b"\x02\x69", body, b"\x0c", done, _END], caught)
        return Node(VOID, [b"\x02\x40", handler, self.statement(depth - 1), b"\x0a", _END], done)

    def _throw_sometimes(self, depth: int) -> Node:
        label = Label(())
        return Node(VOID, [self._condition(depth - 1), b"\x04\x40", self._throw(depth), _END], label)

    def _throw(self, depth: int) -> Node:
        tag = self.chance.randrange(len(self.program.tags))
        return Node(NEVER, [*self._arguments(self.program.tags[tag], depth), b"\x08" + unsigned(tag)])

    def _switch(self, depth: int) -> Node:
        """Nested blocks, a br_table in the innermost, code behind each."""
        chance = self.chance
        labels = [Label(()) for _ in range(chance.randint(1, 5))]
        targets: list[Part] = [chance.choice(labels) for _ in range(chance.randint(1, 12))]
        index = self._index(depth - 1, 8) if chance.random() < 0.7 else self.expression(I32, depth - 1)
        inner = Node(VOID, [index, b"\x0e" + unsigned(len(targets) - 1), *targets])
        self.labels += labels
        for label in reversed(labels):
            self.labels.pop()
            block = Node(VOID, [b"\x02\x40", inner, _END], label)
            inner = Node(VOID, [block, *(self.statement(depth - 1) for _ in range(chance.randint(0, 2)))])
        return inner

    def _many_values(self, depth: int) -> Node:
        """A block or if with parameters and results."""
        chance = self.chance
        params = tuple(chance.choice(self.program.kinds) for _ in range(chance.randint(0, 3)))
        results = tuple(chance.choice(self.program.kinds) for _ in range(chance.randint(0, 4)))
        label = Label(results)
        first = self._arguments(params, depth)
        opening = self.block_type(params, results)
        enter = self._assign_results([], params).parts
        inside = self._inside(label, chance.randint(0, 2), depth, results)
        if chance.random() < 0.5:
            parts: list[Part] = [*first, b"\x02" + opening, *enter, *inside, _END]
        else:
            condition = self._condition(depth - 1)
            leave = self._assign_results([], params).parts
            otherwise = self._inside(label, chance.randint(0, 2), depth, results)
            parts = [*first, condition, b"\x04" + opening, *enter, *inside, b"\x05", *leave, *otherwise, _END]
        return self._assign_results([Node(VOID, parts, label)], results)


def is_repeatable(node: Node) -> bool:
    """Whether it does no harm to evaluate it somewhere else, too."""
    leaf = len(node.parts) == 1 and isinstance(node.parts[0], bytes) and node.type in WIDTHS
    return node.repeatable or leaf


def local_or(first: Node, second: Node) -> Node:
    """The first again if evaluating it twice does no harm, else the second."""
    return first.copy() if is_repeatable(first) and first.type == second.type else second


def take_fuel(amount: int) -> Node:
    """Trap when the fuel, global 0, is used up."""
    less = b"\x23\0\x41" + signed(amount) + b"\x6b\x24\0"
    return Node(VOID, [b"\x23\0\x41\0\x4c\x04\x40\0\x0b" + less])


def generate(seed: str, function_count: int, small: bool = False) -> Program:
    """The module that belongs to a seed."""
    program = Program(random.Random(seed), function_count)
    for number, signature in enumerate(program.signatures):
        generator = FunctionGenerator(random.Random(f"{seed}/{number}"), program, signature)
        program.bodies.append(generator.small() if small else generator.body())
    return program
