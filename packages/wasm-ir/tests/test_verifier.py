"""The verifier finds what is wrong: one fault at a time in a function that is right."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from test_builder import start

from wasm_ir import opcodes as op
from wasm_ir.builder import Builder
from wasm_ir.ir import Function, Inst, Signature
from wasm_ir.passes.loops import find_loops
from wasm_ir.types import F64, I32, I64
from wasm_ir.verifier import VerificationError, verify


def sample() -> Function:
    """Entry, a loop of two blocks, an exit."""
    b, (x, y) = start(I32, I64, results=(I32,))
    header, body, after = b.new_block(), b.new_block(), b.new_block()
    count = b.append_param(header, I32)
    b.jump(header, [b.binary(op.IADD, I32, x, b.const(I32, 1))])
    b.switch_to(header)
    b.brif(count, body, (), after, ())
    b.switch_to(body)
    b.store(op.STORE, y, count, 0)
    b.jump(header, [b.binary(op.ISUB, I32, count, x)])
    b.switch_to(after)
    b.ret([count])
    find_loops(b.function)
    return b.function


def _inst(function: Function, operation: int) -> Inst:
    return next(inst for block in function.blocks for inst in block.insts if inst.op == operation)


def _make(operation: int, type: int, args: list[Inst], function: Function) -> Inst:
    function.value_count += 1
    return Inst(operation, type, args, 0, function.value_count - 1, 0)


def _no_terminator(f: Function) -> None:
    f.blocks[2].terminator = None


def _predecessor(f: Function) -> None:
    f.blocks[3].predecessors.append(f.blocks[0])


def _missing_argument(f: Function) -> None:
    f.blocks[0].successors()[0].args = []


def _type_of_argument(f: Function) -> None:
    f.blocks[0].successors()[0].args = [f.blocks[0].params[1]]


def _operand_type(f: Function) -> None:
    _inst(f, op.IADD).args[0] = f.blocks[0].params[1]


def _use_before_definition(f: Function) -> None:
    insts = f.blocks[2].insts
    insts[0].args[1] = insts[1]


def _no_dominance(f: Function) -> None:
    terminator = f.blocks[3].terminator
    assert terminator is not None
    terminator.args = [_inst(f, op.ISUB)]


def _order(f: Function) -> None:
    f.blocks[1], f.blocks[3] = f.blocks[3], f.blocks[1]


def _header_flag(f: Function) -> None:
    f.blocks[1].is_loop_header = False


def _depth(f: Function) -> None:
    f.blocks[2].loop_depth = 0


def _twice(f: Function) -> None:
    f.blocks[2].insts.append(f.blocks[2].insts[0])


def _constant_in_block(f: Function) -> None:
    f.blocks[2].insts.append(_make(op.CONST, I32, [], f))


def _unknown_value(f: Function) -> None:
    f.blocks[2].insts[0].args[1] = _make(op.IADD, I32, [f.blocks[0].params[0]] * 2, f)


def _return_type(f: Function) -> None:
    terminator = f.blocks[3].terminator
    assert terminator is not None
    terminator.args = []


def _unreachable(f: Function) -> None:
    builder = Builder(f)
    builder.block_count = 100
    builder.switch_to(builder.new_block())
    builder.trap(1)


def _terminator_inside(f: Function) -> None:
    f.blocks[2].insts.append(_make(op.TRAP, 0, [], f))


def _float_operand(f: Function) -> None:
    _inst(f, op.ISUB).type = F64


def _narrow_high_half(f: Function) -> None:
    _inst(f, op.ISUB).op = op.MULHI_U


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_narrow_high_half, "has operands of"),
        (_no_terminator, "no terminator"),
        (_predecessor, "predecessors"),
        (_missing_argument, "do not fit the parameters"),
        (_type_of_argument, "do not fit the parameters"),
        (_operand_type, "has operands of"),
        (_use_before_definition, "before it is there"),
        (_no_dominance, "does not dominate"),
        (_order, "before its dominator"),
        (_header_flag, "is_loop_header"),
        (_depth, "less deep"),
        (_twice, "stands twice"),
        (_constant_in_block, "const in the block"),
        (_unknown_value, "in no block"),
        (_return_type, "wrong operands"),
        (_unreachable, "cannot be reached"),
        (_terminator_inside, "in the middle"),
        (_float_operand, "has operands of|do not fit"),
    ],
)
def test_faults_are_found(spoil: Callable[[Function], None], message: str) -> None:
    function = sample()
    verify(function)
    spoil(function)
    with pytest.raises(VerificationError, match=message):
        verify(function)


def test_results_must_stand_behind_their_call() -> None:
    from wasm_ir.ir import Signature

    b, _ = start(results=())
    b.call(0, Signature((), (I32, I64)), [])
    b.ret([])
    verify(b.function)
    b.function.blocks[0].insts.reverse()
    with pytest.raises(VerificationError, match="behind"):
        verify(b.function)


@pytest.mark.parametrize(
    ("params", "results", "fits"),
    [((I32, I64), (I32,), True), ((I32,), (I32,), False), ((I32, I64), (I64,), False), ((I32, I64), (), False)],
)
def test_tail_calls(params: tuple[int, ...], results: tuple[int, ...], fits: bool) -> None:
    """They pass on what the callee takes, and its results are the function's."""
    for through_reference in (False, True):
        b, (x, y) = start(I32, I64, results=(I32,))
        if through_reference:
            b.return_call_ref(y, Signature(params, results), [x, y])
        else:
            b.return_call(0, Signature(params, results), [x, y])
        if fits:
            verify(b.function)
        else:
            with pytest.raises(VerificationError, match="return_call"):
                verify(b.function)
