"""Each rule of `wasm_ir.simplify` proved with an SMT solver, for all values of its operands.

Constants that rules look at are not symbolic, since rules are Python code: they take the values at which rules may
change their mind, and some others. What a rule makes is compared with what was asked for, as terms of bit vectors.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest

pytest.importorskip("z3", reason="the solver is installed by nox -s proofs")

import z3
from ir_meaning import BINARY, CONDITIONS, UNARY, Term, meaning, truth

from wasm_ir import opcodes as op
from wasm_ir import simplify, types
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.types import I32, I64

#: Milliseconds for one proof; they take a few each.
_PATIENCE = 60_000
#: Bits at which rules may change their mind.
_EDGES = (0, 1, 2, 3, 4, 7, 8, 15, 16, 17, 24, 31, 32, 33, 48, 56, 63, 64)
_random = random.Random(1)


def constants(type: int) -> list[int]:
    """Small numbers, powers of two and their neighbours, both signs, and some of no kind."""
    width = types.BITS[type]
    found = {number + (1 << bit) for bit in (8, 16, 31, 32, 63) for number in (-1, 0, 1)}
    found |= set(_EDGES) | {-number for number in (1, 2, 3, 5, 7, 8, 128, 256, 1 << 16, 1 << 31)} | {10, 100, 255}
    found |= {_random.getrandbits(width) for _ in range(4)}
    return sorted({number & types.MASKS[type] for number in found})


class Proof:
    """A function under construction, and what its values mean."""

    def __init__(self) -> None:
        self.builder = Builder(Function("proof", Signature((), ())))
        self.entry = self.builder.new_block()
        self.builder.switch_to(self.entry)
        self.known: dict[int, Term] = {}
        #: What opaque values are known to be.
        self.facts: list[z3.BoolRef] = []
        self.proved = 0

    def opaque(self, type: int) -> Inst:
        """A value of which nothing is known."""
        param = self.builder.append_param(self.entry, type)
        self.known[param.id] = z3.BitVec(f"v{param.id}", types.BITS[type])
        return param

    def loaded(self, operation: int, type: int, bits: int) -> Inst:
        """A value that came from memory with so many bits."""
        inst = self.builder.load(operation, type, self.opaque(I64), 0)
        term = self.known[inst.id] = z3.BitVec(f"v{inst.id}", types.BITS[type])
        self.facts.append(z3.ULT(term, z3.BitVecVal(1 << bits, types.BITS[type])))
        return inst

    def term(self, inst: Inst) -> Term:
        return meaning(inst, self.known)

    def equal(self, made: Inst, asked: Term, what: str) -> None:
        """Prove that what was made means what was asked for."""
        term = self.term(made)
        assert term.size() == asked.size(), what
        solver = z3.Solver()
        solver.set("timeout", _PATIENCE)
        solver.add(*self.facts, term != asked)
        answer = solver.check()
        assert answer == z3.unsat, f"{what}: {solver.model() if answer == z3.sat else answer}"
        self.proved += 1


def operands(proof: Proof, type: int) -> Iterator[tuple[str, Inst]]:
    """Operands of all kinds that a rule can look into."""
    b = proof.builder
    x = proof.opaque(type)
    yield "x", x
    for operation in BINARY:
        if op.DIV_S <= operation <= op.REM_U or (type == I32 and operation in (op.MULHI_S, op.MULHI_U)):
            continue
        yield f"{op.NAMES[operation]} x y", b.binary(operation, type, x, proof.opaque(type))
        shift = op.SHL <= operation <= op.ROTR
        width = types.BITS[type]
        for c in (1, 7, 8, 16, 24, width - 16, width - 1) if shift else (1, 5, 0xFF, 1 << 31, -1, -8):
            yield f"{op.NAMES[operation]} x {c}", b.binary(operation, type, x, b.const(type, c))
    for operation in (op.CLZ, op.CTZ, op.POPCNT, op.SEXT8, op.SEXT16):
        yield op.NAMES[operation], b.unary(operation, type, x)
    loads = [(op.LOAD8_U, 8), (op.LOAD16_U, 16), (op.HEAP_LOAD8_U, 8), (op.HEAP_LOAD16_U, 16)]
    if type == I32:
        yield "wrap", b.unary(op.WRAP, I32, proof.opaque(I64))
        yield "icmp", b.icmp(op.LT_S, x, proof.opaque(I32))
        yield "eqz", b.icmp(op.EQ, x, b.const(I32, 0))
        for c in (1, 2, 3, 4):
            for bits in (31, 30, 29, 28):
                masked = b.binary(op.AND, I32, x, b.const(I32, (1 << bits) - 1))
                yield f"{bits} bits << {c}", b.binary(op.SHL, I32, masked, b.const(I32, c))
    else:
        yield "sext32", b.unary(op.SEXT32, I64, x)
        for operation in (op.EXTEND_S, op.EXTEND_U):
            yield op.NAMES[operation], b.unary(operation, I64, proof.opaque(I32))
            yield f"{op.NAMES[operation]} load", b.unary(operation, I64, proof.loaded(op.LOAD8_U, I32, 8))
        loads += [(op.LOAD32_U, 32), (op.HEAP_LOAD32_U, 32)]
    for operation, bits in loads:
        yield op.NAMES[operation], proof.loaded(operation, type, bits)


def _built_as_asked(made: Inst, operation: int, x: Inst, y: Inst) -> bool:
    return made.op == operation and made.args[0] is x and made.args[1] is y


_TYPES = pytest.mark.parametrize("type", [I32, I64], ids=["i32", "i64"])
#: Divisions by constants have a proof of their own (test_reciprocals.py), but for those without a multiplication.
_DIVISIONS = (op.DIV_S, op.DIV_U, op.REM_S, op.REM_U)
_RULES = [number for number, rule in enumerate(simplify.RIGHT_CONST_RULES) if rule is not None]


@_TYPES
@pytest.mark.parametrize(
    "operation", [number for number in _RULES if number not in _DIVISIONS], ids=op.NAMES.__getitem__
)
def test_right_constant(operation: int, type: int) -> None:
    proof = Proof()
    b = proof.builder
    for name, x in operands(proof, type):
        for c in constants(type):
            right = b.const(type, c)
            made = b.binary(operation, type, x, right)
            if not _built_as_asked(made, operation, x, right):
                proof.equal(made, BINARY[operation](proof.term(x), proof.term(right)), f"({name}) by {c:#x}")
    assert proof.proved


@_TYPES
@pytest.mark.parametrize("operation", _DIVISIONS, ids=op.NAMES.__getitem__)
def test_division_by_power_of_two(operation: int, type: int) -> None:
    proof = Proof()
    b = proof.builder
    x = proof.opaque(type)
    width = types.BITS[type]
    for bit in range(width):
        for c in {1 << bit, -1 << bit & types.MASKS[type]}:
            if c & (c - 1) and operation in (op.DIV_U, op.REM_U):
                continue  # no power of two
            right = b.const(type, c)
            made = b.binary(operation, type, x, right)
            if not _built_as_asked(made, operation, x, right):
                # Without a division in the question, which no solver likes: what is meant, by sign and bits.
                proof.equal(made, _by_power_of_two(operation, proof.term(x), bit, c >> width - 1 == 1), f"by {c:#x}")
    assert proof.proved >= width - 1


def _by_power_of_two(operation: int, x: Term, bit: int, negative: bool) -> Term:
    """x divided by 2**bit, negated if `negative` and the operation is signed, or what remains."""
    if operation == op.DIV_U:
        return z3.LShR(x, bit)
    low = z3.BitVecVal((1 << bit) - 1, x.size())
    if operation == op.REM_U:
        return x & low
    size = z3.If(x < 0, -x, x)  # unsigned: of the lowest number it is right as well
    if operation == op.REM_S:
        return z3.If(x < 0, -(size & low), size & low)
    quotient = z3.LShR(size, bit)
    return z3.If(x < 0, quotient, -quotient) if negative else z3.If(x < 0, -quotient, quotient)


@_TYPES
@pytest.mark.parametrize(
    "operation", [number for number in BINARY if number not in _DIVISIONS], ids=op.NAMES.__getitem__
)
def test_left_constant_and_equal_operands(operation: int, type: int) -> None:
    if type == I32 and operation in (op.MULHI_S, op.MULHI_U):
        return  # of i64 only
    proof = Proof()
    b = proof.builder
    for name, x in operands(proof, type):
        made = b.binary(operation, type, x, x)
        if not _built_as_asked(made, operation, x, x):
            proof.equal(made, BINARY[operation](proof.term(x), proof.term(x)), f"({name}) with itself")
        for c in constants(type):
            left = b.const(type, c)
            made = b.binary(operation, type, left, x)
            if not _built_as_asked(made, operation, left, x):
                proof.equal(made, BINARY[operation](proof.term(left), proof.term(x)), f"{c:#x} by ({name})")


@pytest.mark.parametrize("operation", list(UNARY), ids=op.NAMES.__getitem__)
def test_unary(operation: int) -> None:
    proof = Proof()
    b = proof.builder
    sources = {op.WRAP: (I64,), op.SEXT32: (I64,), op.EXTEND_S: (I32,), op.EXTEND_U: (I32,)}.get(operation, (I32, I64))
    for source in sources:
        result = {op.WRAP: I32, op.EXTEND_S: I64, op.EXTEND_U: I64}.get(operation, source)
        for name, x in operands(proof, source):
            made = b.unary(operation, result, x)
            if made.op != operation or made.args[0] is not x:
                proof.equal(made, UNARY[operation](proof.term(x)), f"of ({name})")
        for c in constants(source):
            proof.equal(
                b.unary(operation, result, b.const(source, c)),
                UNARY[operation](z3.BitVecVal(c, types.BITS[source])),
                f"of {c:#x}",
            )
    assert proof.proved


@_TYPES
@pytest.mark.parametrize("condition", list(CONDITIONS))
def test_comparison(condition: int, type: int) -> None:
    proof = Proof()
    b = proof.builder
    for name, x in operands(proof, type):
        for y in [x, *(b.const(type, c) for c in constants(type))]:
            for left, right in ((x, y), (y, x)):
                made = b.icmp(condition, left, right)
                if not (
                    made.op == op.ICMP and made.imm == condition and made.args[0] is left and made.args[1] is right
                ):
                    asked = truth(CONDITIONS[condition](proof.term(left), proof.term(right)))
                    proof.equal(made, asked, f"({name}) with {y.imm:#x}")
    assert proof.proved


@_TYPES
def test_select(type: int) -> None:
    proof = Proof()
    b = proof.builder
    chosen = [proof.opaque(type), *(b.const(type, c) for c in (0, 1, 2, -1))]
    for name, condition in operands(proof, I32):
        for compared in (
            condition,
            b.icmp(op.EQ, condition, b.const(I32, 0)),
            b.icmp(op.NE, condition, b.const(I32, 5)),
        ):
            for x in chosen:
                for y in chosen:
                    made = b.select(compared, x, y)
                    asked = z3.If(proof.term(compared) != 0, proof.term(x), proof.term(y))
                    proof.equal(made, asked, f"({name}) ? {x.imm} : {y.imm}")


def test_conditions_of_branches() -> None:
    proof = Proof()
    b = proof.builder
    for name, x in operands(proof, I32):
        zero = b.const(I32, 0)
        for condition in (
            x,
            b.icmp(op.EQ, x, zero),
            b.icmp(op.NE, x, zero),
            b.icmp(op.EQ, b.icmp(op.EQ, x, zero), zero),
        ):
            simplest, inverted = simplify.simplify_condition(condition)
            holds = proof.term(condition) != 0
            solver = z3.Solver()
            solver.add(*proof.facts, ((proof.term(simplest) != 0) != inverted) != holds)
            assert solver.check() == z3.unsat, name
