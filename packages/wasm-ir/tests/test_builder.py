"""The builder: its interface, value numbering and its scopes, branches on known conditions."""

from __future__ import annotations

from wasm_ir import opcodes as op
from wasm_ir.builder import Builder
from wasm_ir.ir import ABI_C, Branch, Function, Inst, Signature
from wasm_ir.types import F64, I32, I64, VOID
from wasm_ir.verifier import verify


def start(*params: int, results: tuple[int, ...] = (), abi: int = 0) -> tuple[Builder, list[Inst]]:
    builder = Builder(Function("test", Signature(params, results), abi))
    entry = builder.new_block()
    values = [builder.append_param(entry, type) for type in params]
    builder.switch_to(entry)
    return builder, values


def branch_of(inst: Inst | None) -> Branch:
    assert isinstance(inst, Branch)
    return inst


def test_constants_are_made_once_and_cut_to_their_type() -> None:
    builder, _ = start()
    assert builder.const(I32, -1) is builder.const(I32, 0xFFFFFFFF)
    assert builder.const(I32, 1) is not builder.const(I64, 1)
    assert builder.const(I32, 1 << 32).imm == 0
    assert builder.insts == []


def test_equal_pure_instructions_are_one() -> None:
    builder, (x, y) = start(I32, I32)
    assert builder.binary(op.IADD, I32, x, y) is builder.binary(op.IADD, I32, x, y)
    assert builder.binary(op.ISUB, I32, x, y) is not builder.binary(op.ISUB, I32, y, x)
    assert builder.icmp(op.LT_S, x, y) is builder.icmp(op.LT_S, x, y)
    assert builder.icmp(op.LT_S, x, y) is not builder.icmp(op.LT_U, x, y)
    assert builder.unary(op.EXTEND_U, I64, x) is not builder.unary(op.EXTEND_S, I64, x)
    assert builder.heap_address(x) is builder.heap_address(x)
    pointer = builder.vmctx()
    assert builder.load(op.LOAD_INVARIANT, I64, pointer, 8) is builder.load(op.LOAD_INVARIANT, I64, pointer, 8)
    assert builder.load(op.LOAD_INVARIANT, I64, pointer, 8) is not builder.load(op.LOAD_INVARIANT, I64, pointer, 16)


def test_memory_reads_are_not_numbered() -> None:
    builder, (address,) = start(I64)
    assert builder.load(op.LOAD, I32, address, 0) is not builder.load(op.LOAD, I32, address, 0)
    assert builder.load(op.HEAP_LOAD, I32, address, 0) is not builder.load(op.HEAP_LOAD, I32, address, 0)


def test_a_second_check_of_the_same_condition_disappears() -> None:
    builder, (x,) = start(I32)
    builder.trap_if(x, 1)
    builder.trap_if(builder.icmp(op.NE, x, builder.const(I32, 0)), 1)
    builder.trap_if(builder.const(I32, 0), 1)
    assert [inst.op for inst in builder.insts if inst.op == op.TRAP_IF] == [op.TRAP_IF]


def test_a_check_that_always_fails_stays() -> None:
    builder, _ = start()
    builder.trap_if(builder.const(I32, 1), 1)
    assert [inst.op for inst in builder.insts] == [op.TRAP_IF]


def test_values_of_one_side_are_not_used_on_the_other_or_after() -> None:
    builder, (x, y) = start(I32, I32, results=(I32,))
    then, otherwise, after = builder.new_block(), builder.new_block(), builder.new_block()
    builder.brif(x, then, (), otherwise, ())
    builder.switch_to(then)
    first = builder.binary(op.IADD, I32, x, y)
    builder.jump(after)
    builder.switch_to(otherwise)
    second = builder.binary(op.IADD, I32, x, y)
    assert second is not first
    builder.jump(after)
    builder.switch_to(after)
    third = builder.binary(op.IADD, I32, x, y)
    assert third is not first
    assert third is not second
    builder.ret([third])
    verify(builder.function)


def test_values_of_the_entry_block_are_used_everywhere() -> None:
    builder, (x, y) = start(I32, I32)
    total = builder.binary(op.IADD, I32, x, y)
    then, after = builder.new_block(), builder.new_block()
    builder.brif(x, then, (), after, ())
    builder.switch_to(then)
    product = builder.binary(op.IMUL, I32, x, y)
    assert builder.binary(op.IADD, I32, x, y) is total
    builder.jump(after)
    builder.switch_to(after)
    assert builder.binary(op.IADD, I32, x, y) is total
    assert builder.binary(op.IMUL, I32, x, y) is not product


def test_begin_keeps_what_it_is_told_to() -> None:
    builder, (x, y) = start(I32, I32)
    kept = builder.binary(op.IADD, I32, x, y)
    mark = len(builder.log)
    dropped = builder.binary(op.IMUL, I32, x, y)
    following = builder.new_block()
    builder.jump(following)
    builder.begin(following, mark)
    assert builder.binary(op.IADD, I32, x, y) is kept
    assert builder.binary(op.IMUL, I32, x, y) is not dropped


def test_branch_on_a_comparison_with_zero_takes_the_value_itself() -> None:
    builder, (x,) = start(I32)
    then, otherwise = builder.new_block(), builder.new_block()
    branch = builder.brif(builder.icmp(op.EQ, x, builder.const(I32, 0)), then, (), otherwise, ())
    assert branch.args == [x]
    assert [edge.block for edge in branch.targets] == [otherwise, then]


def test_branch_on_a_constant_is_a_jump() -> None:
    for bits, expected in ((0, 1), (7, 0)):
        builder, _ = start()
        blocks = [builder.new_block(), builder.new_block()]
        branch = builder.brif(builder.const(I32, bits), blocks[0], (), blocks[1], ())
        assert branch.op == op.JUMP
        assert branch.targets[0].block is blocks[expected]
        assert blocks[1 - expected].predecessors == []


def test_br_table_with_few_targets() -> None:
    builder, (x,) = start(I32)
    a, b = builder.new_block(), builder.new_block()
    branch = builder.br_table(x, [(a, ()), (b, ())])
    # Index 0 is `a`, everything else `b`.
    assert branch.op == op.BRIF
    assert [edge.block for edge in branch.targets] == [b, a]
    builder, (x,) = start(I32)
    a = builder.new_block()
    assert builder.br_table(x, [(a, ())]).op == op.JUMP
    builder, _ = start()
    blocks = [builder.new_block() for _ in range(4)]
    branch = builder.br_table(builder.const(I32, -1), [(block, ()) for block in blocks])
    assert branch.targets[0].block is blocks[3]


def test_calls_and_their_results() -> None:
    builder, (x, pointer) = start(I32, I64)
    call = builder.call(5, Signature((I32,), (I64, F64, I32)), [x])
    assert call.imm == 5
    assert builder.result(call, 0) is call
    assert [builder.result(call, i).type for i in range(3)] == [I64, F64, I32]
    assert builder.insts == [call, *call.results]
    nothing = builder.call_ref(pointer, Signature((), ()), ())
    assert nothing.type == VOID
    native = builder.call_native(pointer, Signature((I64,), (I64,)), [pointer])
    assert native.args == [pointer, pointer]
    builder.ret([])
    verify(builder.function)


def test_enter_gives_the_status_first() -> None:
    builder, (store, funcref) = start(I64, I64, abi=ABI_C)
    call = builder.enter(store, funcref, builder.const(I64, 0), Signature((), (F64, I64)), ())
    assert [builder.result(call, i).type for i in range(3)] == [I32, F64, I64]
    builder.unwind(call)
    verify(builder.function)


def test_stack_slots_and_callee() -> None:
    builder, _ = start()
    assert builder.callee().type == I64
    slots = [builder.stack_slot(size) for size in (1, 16, 17)]
    assert [slot.imm for slot in slots] == [0, 1, 2]
    assert builder.function.stack_slots == [16, 16, 32]
    assert builder.function.uses_callee


def test_offsets_are_stamped() -> None:
    builder, (x, y) = start(I32, I32)
    builder.offset = 0x123
    assert builder.binary(op.DIV_S, I32, x, y).offset == 0x123
    builder.offset = 0
    assert builder.load(op.LOAD, I32, builder.vmctx(), 0).offset == 0
