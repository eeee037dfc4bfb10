"""The machine code of both backends for each integer operation, proved to mean what the operation means.

Functions of one or two operations are compiled; their code is disassembled and run symbolically, along all paths. On
paths that return, the result is the operation's, the upper half of an i32 is zero (an invariant of the backends) and
the stack pointer is as before; a path traps exactly where the operation does, with its code.
"""

# ruff: noqa: B023 - the functions that are made in loops are called before the next round

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

pytest.importorskip("z3", reason="the solver is installed by nox -s proofs")
pytest.importorskip("capstone", reason="the disassembler is installed by nox -s proofs")

import amd64_meaning
import arm64_meaning
import ir_meaning
import z3
from ir_meaning import BINARY, CONDITIONS, UNARY, Term, meaning, traps
from machine import State, literal, low, paths, zero_extended

from wasm_backend_amd64.backend import REQUIRED_FEATURES, Amd64Backend
from wasm_backend_arm64.backend import Arm64Backend
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.backend_protocol import Backend
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.types import I32, I64

#: Milliseconds for one proof.
_PATIENCE = 120_000
_NEW = REQUIRED_FEATURES | {"avx", "avx2", "bmi1", "bmi2", "lzcnt", "fma"}
Build = Callable[[Builder, list[Inst]], Inst]


class Target:
    """A backend, what its instructions mean, and the registers of its convention."""

    def __init__(
        self, backend: Backend, machine: ModuleType, arguments: tuple[str, ...], names: tuple[str, str, str]
    ) -> None:
        self.backend = backend
        self.machine = machine
        self.arguments = arguments
        self.result, self.stack, self.trap_code = names


_AMD64 = (amd64_meaning, ("rdi", "rsi", "rdx"), ("rax", "rsp", "r11"))
_TARGETS = {
    "amd64": lambda: Target(Amd64Backend(_NEW), *_AMD64),
    "amd64-v2": lambda: Target(Amd64Backend(REQUIRED_FEATURES), *_AMD64),
    "arm64": lambda: Target(Arm64Backend(), arm64_meaning, ("x0", "x1", "x2"), ("x0", "sp", "x16")),
}


@pytest.fixture(params=_TARGETS, scope="module")
def target(request: pytest.FixtureRequest) -> Target:
    return _TARGETS[request.param]()


def _holds(claim: z3.BoolRef, given: list[z3.BoolRef], what: str) -> None:
    solver = z3.Solver()
    solver.set("timeout", _PATIENCE)
    solver.add(*given, z3.Not(claim))
    answer = solver.check()
    assert answer == z3.unsat, f"{what}: {solver.model() if answer == z3.sat else answer}"


def prove(target: Target, parameters: tuple[int, ...], build: Build, trap: tuple[int, int, int] | None = None) -> None:
    """Compile a function that returns what `build` makes, and prove that its code does that.

    `trap`: the operation that may trap, and which parameters are its operands (-1: the constant on the right, of which
    `build` must make sure that it cannot trap).
    """
    function = Function("proof", Signature(parameters, ()))
    builder = Builder(function)
    entry = builder.new_block()
    values = [builder.append_param(entry, type) for type in parameters]
    builder.switch_to(entry)
    result = build(builder, values)
    function.signature = Signature(parameters, (result.type,))
    builder.ret([result])
    state = target.machine.initial()
    known: dict[int, Term] = {}
    for value, register in zip(values, target.arguments):
        term = known[value.id] = z3.BitVec(f"p{value.id}", types.BITS[value.type])
        state.registers[register] = zero_extended(term, 64)
    # The function is consumed when it is compiled, and may be changed.
    expected = meaning(result, known)
    trapping = {} if trap is None else traps(trap[0], *(known[values[number].id] for number in trap[1:]))
    compiled = target.backend.compile(function)
    what = f"{builder.function.name}: {expected}"[:200]
    ends = 0
    for end, last in paths(target.machine, bytes(compiled.code), state):  # type: ignore[arg-type]
        ends += 1
        given = last.conditions
        if end == "exit":
            code = literal(low(last.registers[target.trap_code], 32))
            assert code in trapping, f"{what}: exit {code}"
            _holds(trapping[code], given, f"{what} traps")
            continue
        for obligation in last.obligations:
            _holds(obligation, given, f"{what} does not fault")
        for condition in trapping.values():
            _holds(z3.Not(condition), given, f"{what} must trap")
        got = last.registers[target.result]
        _holds(got == zero_extended(expected, 64), given, what)
        _holds(last.registers[target.stack] == state_of(target).registers[target.stack], given, "stack pointer")
    assert ends


def state_of(target: Target) -> State:
    initial: State = target.machine.initial()
    return initial


#: Constants at which lowering changes its mind: what fits in immediates of either machine, and what does not.
_CONSTANTS = (
    1,
    2,
    3,
    4,
    5,
    7,
    8,
    9,
    10,
    15,
    16,
    31,
    32,
    33,
    63,
    0x7F,
    0x80,
    0xFF,
    0x100,
    0xFFF,
    0x1000,
    0x1001,
    0xFFFF,
)
_CONSTANTS += (0xFFFFF, 0xFFF000, 0x7FFFFFFF, 1 << 31, 0x0F0F0F0F, 0xFFFF0000, 0x12345678)
_WIDE_CONSTANTS = (
    1 << 32,
    (1 << 32) - 1,
    (1 << 63) - 1,
    1 << 63,
    0x00FF00FF00FF00FF,
    0xFFFF0000FFFF0000,
    0x123456789ABCDEF0,
)


def constants(type: int) -> Iterator[int]:
    for c in (*_CONSTANTS, *(-c for c in _CONSTANTS), *(_WIDE_CONSTANTS if type == I64 else ())):
        yield c & types.MASKS[type]


_TYPES = pytest.mark.parametrize("type", [I32, I64], ids=["i32", "i64"])
_DIVISIONS = (op.DIV_S, op.DIV_U, op.REM_S, op.REM_U)
_HIGH = (op.MULHI_S, op.MULHI_U)


def _exists(operation: int, type: int) -> bool:
    return not (type == I32 and operation in _HIGH)


@_TYPES
@pytest.mark.parametrize("operation", BINARY, ids=op.NAMES.__getitem__)
def test_two_registers(target: Target, operation: int, type: int) -> None:
    if not _exists(operation, type):
        return
    for left, right in ((0, 1), (1, 0), (0, 0)):
        if left == right and operation in _DIVISIONS:
            continue
        trap = (operation, left, right) if operation in _DIVISIONS else None
        prove(target, (type, type), lambda b, p: b.binary(operation, type, p[left], p[right]), trap)


@_TYPES
@pytest.mark.parametrize(
    "operation", [number for number in BINARY if number not in _DIVISIONS], ids=op.NAMES.__getitem__
)
def test_constant(target: Target, operation: int, type: int) -> None:
    if not _exists(operation, type) or operation in _HIGH:
        return  # a product with a constant: the solver has no end; test_two_registers has the instruction
    shift = op.SHL <= operation <= op.ROTR
    for c in range(0, types.BITS[type], 3) if shift else constants(type):
        prove(target, (type,), lambda b, p: b.binary(operation, type, p[0], b.const(type, c)))
        if not opcodes_commute(operation):
            prove(target, (type,), lambda b, p: b.binary(operation, type, b.const(type, c), p[0]))


def opcodes_commute(operation: int) -> bool:
    return bool(op.PROPERTIES[operation] & op.COMMUTATIVE)


@pytest.mark.parametrize("operation", UNARY, ids=op.NAMES.__getitem__)
def test_unary(target: Target, operation: int) -> None:
    sources = {op.WRAP: (I64,), op.SEXT32: (I64,), op.EXTEND_S: (I32,), op.EXTEND_U: (I32,)}.get(operation, (I32, I64))
    for source in sources:
        result = {op.WRAP: I32, op.EXTEND_S: I64, op.EXTEND_U: I64}.get(operation, source)
        prove(target, (source,), lambda b, p: b.unary(operation, result, p[0]))


@_TYPES
@pytest.mark.parametrize("condition", CONDITIONS)
def test_comparison(target: Target, condition: int, type: int) -> None:
    prove(target, (type, type), lambda b, p: b.icmp(condition, p[0], p[1]))
    for c in (0, *constants(type)):
        prove(target, (type,), lambda b, p: b.icmp(condition, p[0], b.const(type, c)))


@_TYPES
@pytest.mark.parametrize("condition", CONDITIONS)
def test_select(target: Target, condition: int, type: int) -> None:
    """Of values and of constants, by a comparison that is nowhere else."""
    chosen: list[Build] = [
        lambda b, p: b.select(b.icmp(condition, p[0], p[1]), p[2], p[0]),
        lambda b, p: b.select(b.icmp(condition, p[0], b.const(type, 7)), p[1], p[2]),
    ]
    for x, y in ((1, 0), (0, 1), (-1, 0), (0, -1), (5, 4), (4, 5), (100, 3)):
        chosen.append(
            lambda b, p, x=x, y=y: b.select(b.icmp(condition, p[0], p[1]), b.const(type, x), b.const(type, y))
        )
        chosen.append(lambda b, p, x=x: b.select(b.icmp(condition, p[0], p[1]), p[2], b.const(type, x)))
    for build in chosen:
        prove(target, (type, type, type), build)


@_TYPES
@pytest.mark.parametrize(
    "outer", [number for number in BINARY if number not in (*_DIVISIONS, *_HIGH)], ids=op.NAMES.__getitem__
)
def test_pairs(target: Target, outer: int, type: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One operation in another: addresses, shifted operands, negations, multiplications with additions and the like."""
    inner = [number for number in BINARY if number not in (*_DIVISIONS, *_HIGH)]
    monkeypatch.setattr(ir_meaning, "opaque_products", outer == op.IMUL)
    for operation in inner:
        build: list[Build] = [
            lambda b, p: b.binary(outer, type, p[0], b.binary(operation, type, p[1], p[2])),
            lambda b, p: b.binary(outer, type, b.binary(operation, type, p[0], p[1]), p[2]),
        ]
        for c in (1, 2, 3, 8, 31, -1, 0xFF):
            build.append(
                lambda b, p, c=c: b.binary(outer, type, p[0], b.binary(operation, type, p[1], b.const(type, c)))
            )
            build.append(
                lambda b, p, c=c: b.binary(outer, type, b.binary(operation, type, p[0], b.const(type, c)), p[1])
            )
        for one in build:
            prove(target, (type, type, type), one)


@_TYPES
@pytest.mark.parametrize("condition", CONDITIONS)
@pytest.mark.parametrize("operation", [op.IADD, op.ISUB, op.AND, op.XOR, op.SHR_U, op.SHL], ids=op.NAMES.__getitem__)
def test_comparison_of_a_result(target: Target, operation: int, condition: int, type: int) -> None:
    """Flags that an operation leaves, single bits, masks."""
    for c in (0, 1, 0x80, -1):
        for d in (1, 8, 0x80, 1 << 31):
            prove(
                target,
                (type,),
                lambda b, p: b.icmp(condition, b.binary(operation, type, p[0], b.const(type, d)), b.const(type, c)),
            )
        prove(
            target,
            (type, type),
            lambda b, p: b.icmp(condition, b.binary(operation, type, p[0], p[1]), b.const(type, c)),
        )


@pytest.mark.parametrize("extension", [op.EXTEND_S, op.EXTEND_U], ids=op.NAMES.__getitem__)
@pytest.mark.parametrize(
    "operation", [op.IADD, op.ISUB, op.AND, op.XOR, op.SHR_U, op.SHR_S, op.SHL, op.IMUL], ids=op.NAMES.__getitem__
)
def test_extensions(target: Target, operation: int, extension: int) -> None:
    """i32 in i64: operands that are extended on the way, and results."""
    prove(target, (I64, I32), lambda b, p: b.binary(operation, I64, p[0], b.unary(extension, I64, p[1])))
    prove(target, (I32, I32), lambda b, p: b.unary(extension, I64, b.binary(operation, I32, p[0], p[1])))
    prove(
        target,
        (I64, I64),
        lambda b, p: b.binary(operation, I32, b.unary(op.WRAP, I32, p[0]), b.unary(op.WRAP, I32, p[1])),
    )
    for c in (1, 3, 8, 31):
        prove(
            target,
            (I64, I32),
            lambda b, p: b.binary(
                operation, I64, p[0], b.binary(op.SHL, I64, b.unary(extension, I64, p[1]), b.const(I64, c))
            ),
        )
        prove(target, (I32,), lambda b, p: b.unary(extension, I64, b.binary(operation, I32, p[0], b.const(I32, c))))
