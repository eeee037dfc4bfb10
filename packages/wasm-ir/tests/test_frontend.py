"""The front end: what small functions become, and that large and hostile ones come out well-formed."""

from __future__ import annotations

import gc
import sys
import time
from textwrap import dedent

import pytest
import wasm_programs as w

from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.errors import CompileError
from wasm_core.validator import validate_module
from wasm_ir import opcodes as op
from wasm_ir.frontend import FrontendOptions, translate
from wasm_ir.ir import Function
from wasm_ir.printer import format_function
from wasm_ir.verifier import verify
from wasm_ir.vmcontext import ContextLayout

ADD, SUB, MUL = b"\x6a", b"\x6b", b"\x6c"
LOAD, STORE = b"\x28\x02", b"\x36\x02"


def check(source: bytes, expected: str, **options: bool) -> None:
    assert w.text_of(source, **options) == dedent(expected).strip("\n")


def operations(function: Function) -> list[int]:
    return [inst.op for block in function.blocks for inst in block.insts]


# What becomes of small functions.


def test_loop_that_counts() -> None:
    body = w.i32(1) + w.put(1)
    body += w.block(
        w.loop(
            w.get(0), b"\x45", w.br_if(1), w.get(1), w.get(0), MUL, w.put(1), w.get(0), w.i32(1), SUB, w.put(0), w.br(0)
        )
    )
    check(
        w.module(body + w.get(1), [w.I32], [w.I32], [(1, w.I32)]),
        """
        block0(v0: i32):
          jump block1(v0, 1:i32)
        block1(v1: i32, v2: i32):  ; loop, depth 1
          brif v1, block2, block3
        block2:
          poll
          v3 = imul.i32 v2, v1
          v4 = iadd.i32 v1, -1:i32
          jump block1(v4, v3)
        block3:
          return v2
        """,
    )


def test_loops_poll_only_when_asked() -> None:
    source = w.module(w.loop(w.get(0), w.br_if(0)), [w.I32])
    assert operations(w.compile_function(source)).count(op.POLL) == 1
    assert operations(w.compile_function(source, polls=False)).count(op.POLL) == 0


def test_if_with_result() -> None:
    body = w.get(0) + w.if_(w.get(1), w.i32(7), w.I32)
    check(
        w.module(body, [w.I32, w.I32], [w.I32]),
        """
        block0(v0: i32, v1: i32):
          brif v0, block1, block2
        block1:
          jump block3(v1)
        block2:
          jump block3(7:i32)
        block3(v2: i32):
          return v2
        """,
    )


def test_if_without_else_that_assigns() -> None:
    body = w.get(0) + w.if_(w.i32(5) + w.put(1)) + w.get(1)
    check(
        w.module(body, [w.I32, w.I32], [w.I32]),
        """
        block0(v0: i32, v1: i32):
          brif v0, block1, block2(v1)
        block1:
          jump block2(5:i32)
        block2(v2: i32):
          return v2
        """,
    )


def test_constant_conditions_leave_one_side() -> None:
    for condition, kept, expected in ((1, "10", [op.JUMP, op.RETURN]), (0, "20", [op.RETURN])):
        body = w.i32(condition) + w.if_(w.i32(10), w.i32(20), w.I32)
        function = w.compile_function(w.module(body, [], [w.I32]))
        assert [block.terminator and block.terminator.op for block in function.blocks] == expected
        assert format_function(function).count(f"return {kept}:i32") == 1
    body = w.i32(0) + w.if_(w.i32(9) + w.put(0)) + w.get(0)
    check(w.module(body, [w.I32], [w.I32]), "block0(v0: i32):\n  return v0")
    check(w.module(w.block(w.i32(1), w.br_if(0), w.UNREACHABLE), [], []), "block0:\n  jump block1\nblock1:\n  return")


def test_value_numbering_follows_the_structure() -> None:
    """The address of the first access is used again, and not one made on only one side."""
    body = w.get(0) + LOAD + w.unsigned(0) + w.put(1)
    body += w.get(0) + w.if_(w.get(1) + LOAD + w.unsigned(4) + w.put(1))
    body += w.get(0) + LOAD + w.unsigned(8) + w.get(1) + ADD
    check(
        w.module(body, [w.I32, w.I32], [w.I32]),
        """
        block0(v0: i32, v1: i32):
          v2 = extend_u.i64 v0
          v3 = iadd.i64 memory_base, v2
          v4 = heap_load.i32 [v3]
          brif v0, block1, block2(v4)
        block1:
          v5 = extend_u.i64 v4
          v6 = iadd.i64 memory_base, v5
          v7 = heap_load.i32 [v6+4]
          jump block2(v7)
        block2(v8: i32):
          v9 = heap_load.i32 [v3+8]
          v10 = iadd.i32 v9, v8
          return v10
        """,
    )


def test_values_of_one_arm_are_not_used_after_it() -> None:
    product = w.get(0) + w.get(1) + MUL
    body = w.get(0) + w.if_(product + b"\x24\0") + product
    globals = [w.I32 + b"\1" + w.i32(0) + w.END]
    function = w.compile_function(w.module(body, [w.I32, w.I32], [w.I32], globals=globals))
    assert operations(function).count(op.IMUL) == 2


def test_values_made_after_an_inner_branch_are_not_used_past_it() -> None:
    """A branch out of the inner block skips what stands behind that block: it is not known after the outer one.

    The log has three entries at that branch, is cut to none after the inner block, and grows to three again.
    """

    def values(*opcodes: bytes) -> bytes:
        return b"".join([w.get(0) + w.get(1) + opcode + b"\x24\0" for opcode in opcodes])

    inner = w.get(0) + w.br_if(0) + values(MUL, SUB, b"\x71") + w.get(1) + w.br_if(1)
    behind = values(b"\x72", b"\x73", ADD)
    body = w.block(w.block(inner), behind) + w.get(0) + w.get(1) + b"\x72"
    globals = [w.I32 + b"\1" + w.i32(0) + w.END]
    function = w.compile_function(w.module(body, [w.I32, w.I32], [w.I32], globals=globals))
    assert operations(function).count(op.OR) == 2


def test_br_table_shares_repeated_targets() -> None:
    body = w.block(
        w.block(w.i32(1), w.get(0), w.br_table(0, 1, 0, 1, 0), result=w.I32),
        w.i32(3),
        ADD,
        result=w.I32,
    )
    function = w.compile_function(w.module(body, [w.I32], [w.I32]))
    branch = function.blocks[0].terminator
    assert branch is not None and branch.op == op.BR_TABLE
    targets = [edge.block.id for edge in function.blocks[0].successors()]
    assert targets == [targets[0], targets[1]] * 2 + [targets[0]]
    assert all(not edge.args for edge in function.blocks[0].successors())


def test_br_table_without_values_goes_straight_to_its_targets() -> None:
    body = w.block(w.block(w.get(0), w.br_table(0, 1, 0, 1, 0)), w.UNREACHABLE)
    check(
        w.module(body, [w.I32]),
        """
        block0(v0: i32):
          br_table v0, block1, block2, block1, block2, block1
        block1:
          trap unreachable
        block2:
          return
        """,
    )


def test_constant_addresses() -> None:
    body = w.i32(16) + LOAD + w.unsigned(4)
    check(w.module(body, [], [w.I32]), "block0:\n  v0 = heap_load.i32 [memory_base+20]\n  return v0")
    # The sum does not fit: address and offset stay apart.
    body = w.i32(-1) + LOAD + w.unsigned(0xFFFFFFFF)
    text = w.text_of(w.module(body, [], [w.I32]))
    assert "iadd.i64 memory_base, 4294967295:i64" in text
    assert "+4294967295]" in text


def test_explicit_bounds() -> None:
    source = w.module(w.get(0) + LOAD + w.unsigned(4), [w.I32], [w.I32])
    check(
        source,
        f"""
        block0(v0: i32):
          v1 = extend_u.i64 v0
          v2 = iadd.i64 v1, 8:i64
          v3 = load_invariant.i64 [vmctx+{ContextLayout(decode(source)).memories}]
          v4 = load.i64 [v3+8]
          v5 = icmp.i64 gt_u v2, v4
          trap_if v5, memory_out_of_bounds
          v6 = iadd.i64 memory_base, v1
          v7 = heap_load.i32 [v6+4]
          return v7
        """,
        explicit_bounds=True,
    )


def test_globals_of_the_instance() -> None:
    globals = [w.I32 + b"\1" + w.i32(1) + w.END, w.I64 + b"\0" + w.i64(2) + w.END]
    body = b"\x23\0" + w.i32(1) + ADD + b"\x24\0" + b"\x23\1" + b"\x23\1" + b"\x7c"
    text = w.text_of(w.module(body, [], [w.I64], globals=globals))
    assert [text.count(name) for name in (" load.i32", "store.i32", "load_invariant.i64")] == [1, 1, 1]


def test_call_indirect_checks_in_order() -> None:
    source = w.module(w.i32(1) + w.get(0) + b"\x11\0\0", [w.I32], [])
    found = w.compile_function(source)
    checks = [inst.imm for inst in found.blocks[0].insts if inst.op == op.TRAP_IF]
    assert checks == [4, 5, 6]  # undefined, uninitialized, wrong type
    loads = [inst for inst in found.blocks[0].insts if inst.op == op.LOAD and inst.args[0].op == op.LOAD]
    null_check = [inst for inst in found.blocks[0].insts if inst.op == op.TRAP_IF][1]
    assert all(found.blocks[0].insts.index(load) > found.blocks[0].insts.index(null_check) for load in loads)


def test_growing_checks_for_exceptions_in_a_block_at_the_end() -> None:
    function = w.compile_function(w.module(w.get(0) + b"\x40\0", [w.I32], [w.I32]))
    last = function.blocks[-1].terminator
    assert last is not None and last.op == op.UNWIND and last.offset != 0
    branch = function.blocks[0].terminator
    assert branch is not None and branch.op == op.BRIF


def test_offsets_of_what_can_trap() -> None:
    body = (
        w.get(0)
        + w.get(1)
        + b"\x6d"
        + w.get(0)
        + LOAD
        + w.unsigned(0)
        + ADD
        + w.get(0)
        + LOAD
        + w.unsigned(4)
        + b"\x6e"
    )
    source = w.module(body, [w.I32, w.I32], [w.I32])
    function = w.compile_function(source)
    start = source.index(body)
    expected = [4, 7, 13, 16]
    traps = [inst for inst in function.blocks[0].insts if op.PROPERTIES[inst.op] & op.TRAPS]
    assert [inst.offset - start for inst in traps] == expected
    assert [source[inst.offset] for inst in traps] == [0x6D, 0x28, 0x28, 0x6E]


def test_listener_sees_parameters_and_results() -> None:
    body = w.get(0) + w.if_(w.i32(1) + w.RETURN) + w.get(0)
    function = w.compile_function(w.module(body, [w.I32], [w.I32]), listener=True)
    numbers = [inst.args[2].imm for block in function.blocks for inst in block.insts if inst.op == op.CALL_NATIVE]
    assert numbers == [2, 3]  # before; after, in the one place where all returns meet
    assert sum(block.terminator is not None and block.terminator.op == op.RETURN for block in function.blocks) == 1


def test_unreachable_code_leaves_nothing() -> None:
    dead = (
        w.block(w.get(0), w.br_table(0, 0), w.loop(w.br(0))) + w.get(0) + w.if_(w.i32(1) + w.DROP, w.i64(-300) + w.DROP)
    )
    # Immediates that look like `end` and `else`.
    dead += b"\x44" + w.END * 8 + w.DROP + b"\x43" + w.END * 3 + w.ELSE + w.DROP
    check(w.module(w.get(0) + w.RETURN + dead + w.UNREACHABLE, [w.I32], [w.I32]), "block0(v0: i32):\n  return v0")


def test_multiple_values() -> None:
    pair = w.func_type([w.I32, w.I32], [w.I32, w.I32])
    swap = w.put(0) + w.put(1) + w.get(0) + w.get(1)
    check(
        w.module(w.get(0) + w.get(1) + b"\x02\x01" + swap + w.END + SUB, [w.I32, w.I32], [w.I32], more_types=[pair]),
        """
        block0(v0: i32, v1: i32):
          v2 = isub.i32 v1, v0
          return v2
        """,
    )
    check(
        w.module(
            w.get(0) + w.get(1) + b"\x03\x01" + swap + w.get(0) + w.br_if(0) + w.END + SUB,
            [w.I32, w.I32],
            [w.I32],
            more_types=[pair],
        ),
        """
        block0(v0: i32, v1: i32):
          jump block1(v0, v1)
        block1(v2: i32, v3: i32):  ; loop, depth 1
          brif v3, block2, block5(v3, v2)
        block2:
          brif v2, block3, block5(v2, v3)
        block3:
          brif v3, block4, block5(v3, v2)
        block4:
          poll
          brif v2, block1(v2, v3), block5(v2, v3)
        block5(v4: i32, v5: i32):
          v6 = isub.i32 v4, v5
          return v6
        """,
    )
    both = w.DROP + w.get(0)
    check(
        w.module(
            w.get(0) + w.get(1) + w.get(0) + b"\x04\x01" + both + w.ELSE + w.END + SUB,
            [w.I32, w.I32],
            [w.I32],
            more_types=[pair],
        ),
        """
        block0(v0: i32, v1: i32):
          brif v0, block1, block2
        block1:
          jump block3(v0)
        block2:
          jump block3(v1)
        block3(v2: i32):
          v3 = isub.i32 v0, v2
          return v3
        """,
    )


def test_backends_without_vectors_get_none() -> None:
    load = b"\xfd\0\0\0"
    used = w.i32(0) + load + b"\xfd\x53"
    source = w.module(used, [], [w.I32])
    w.compile_function(source)
    with pytest.raises(CompileError, match="SIMD execution is not supported") as caught:
        w.compile_function(source, vectors=False)
    assert caught.value.offset == source.index(load)
    for source in (w.module(b"", [b"\x7b"]), w.module(w.UNREACHABLE, [], [b"\x7b"])):
        with pytest.raises(CompileError, match="SIMD execution is not supported"):
            w.compile_function(source, vectors=False)
    # What is never run, or whose result nobody wants, needs none.
    constant = b"\xfd\x0c" + bytes(16) + w.DROP
    for body in (constant, w.UNREACHABLE + used + w.DROP):
        w.compile_function(w.module(body, locals=[(1, b"\x7b")]), vectors=False)


def test_vectors_in_unreachable_code_are_passed_over() -> None:
    """Every kind of immediate, the number of the instruction in more bytes than it needs, and two bytes of it."""
    body = b"".join(
        [
            w.UNREACHABLE,
            *(b"\xfd\x0c" + bytes([0x0B] * 16), b"\xfd\x8c\x80\0" + bytes([0x0B] * 16)),
            *(b"\xfd\x0d" + bytes([0x0B] * 16), b"\xfd\x15\x0b", b"\xfd\0\0\x0b", b"\xfd\x54\0\x0b\x0b"),
            *(b"\xfd\xae\x01", b"\xfd\x8e\x81\0", w.DROP),
        ]
    )
    check(w.module(w.block(body)), "block0:\n  trap unreachable")


# Programs.


@pytest.mark.parametrize("explicit", [False, True])
@pytest.mark.parametrize("program", ["quicksort", "base64", "bz2", "rust-json"])
def test_corpus_is_well_formed(program: str, explicit: bool) -> None:
    module = decode(w.shared("corpus", program, "program.wasm").read_bytes())
    layout = ContextLayout(module)
    options = FrontendOptions(explicit_bounds=explicit, listener=explicit)
    for index in range(module.imported_functions, len(module.function_types)):
        function = translate(module, index, layout, validate_body(module, index), options)
        verify(function)
        assert format_function(function, offsets=True)


def test_spec_modules_are_well_formed() -> None:
    checked = 0
    for path in sorted(w.shared("spec", "2.0", "core").glob("*.wasm")):
        try:
            module = decode(path.read_bytes())
            validate_module(module)
            bodies = range(module.imported_functions, len(module.function_types))
            facts = [(index, validate_body(module, index)) for index in bodies]
        except CompileError:
            continue
        layout = ContextLayout(module)
        for index, fact in facts:
            try:
                function = translate(module, index, layout, fact, FrontendOptions())
            except CompileError as error:
                assert error.message == "SIMD execution is not supported"
                continue
            verify(function)
            checked += 1
    assert checked > 4000


# Hostile functions: time and memory must stay in proportion.


#: Seconds that are told apart: Windows counts processor time in ticks, 64 a second.
_TICK = 1 / 64 if sys.platform == "win32" else 0.002


def hostile(body: bytes, locals: int = 0) -> tuple[Function, float, int]:
    """The function, the seconds that translation took, and the number of instructions.

    Without the garbage collector, whose share depends on what else is alive.
    """
    module = decode(w.module(body, [w.I32], [w.I32], [(locals, w.I32)] if locals else []))
    facts = validate_body(module, 0)
    layout = ContextLayout(module)
    gc.disable()
    try:
        start = time.process_time()
        function = translate(module, 0, layout, facts, FrontendOptions())
        seconds = time.process_time() - start
    finally:
        gc.enable()
    return function, seconds, facts.instruction_count


def nest(opener: bytes, depth: int, inside: bytes = b"") -> bytes:
    return opener * depth + inside + w.END * depth + w.get(0)


def reversed_branches(depth: int) -> bytes:
    """Branches from the outermost target to the innermost, all of which carry the same local."""
    branches = b"".join([w.get(0) + w.br_if(depth - 1 - i) for i in range(depth)])
    return nest(b"\x02\x40", depth, w.get(0) + w.put(1) + branches) + w.get(1) + ADD


def many_way(count: int) -> bytes:
    table = w.get(0) + w.br_table(*range(count), count - 1)
    arms = (w.END + w.get(0) + w.i32(1) + ADD + w.put(0)) * count
    return b"\x02\x40" * count + table + arms + w.get(0)


@pytest.mark.parametrize(
    ("name", "make"),
    [
        ("blocks", lambda n: nest(b"\x02\x40", n)),
        ("loops", lambda n: nest(b"\x03\x40", n)),
        ("ifs", lambda n: nest(w.get(0) + b"\x04\x40", n)),
        ("unreachable", lambda n: w.UNREACHABLE + nest(b"\x02\x40", n)),
        ("branch out of all", lambda n: nest(b"\x02\x40", n, w.get(0) + w.br_if(n - 1))),
        ("reversed branches", lambda n: reversed_branches(n // 4)),
        ("br_table", lambda n: many_way(n // 8)),
        ("loops that end", lambda n: b"\x03\x40" * (n // 4) + (w.get(0) + w.br_if(0) + w.END) * (n // 4) + w.get(0)),
        ("chain", lambda n: w.get(0) + (w.i32(1) + ADD + w.i32(3) + b"\x73") * (n // 4)),
    ],
)
def test_time_is_in_proportion(name: str, make: object) -> None:
    """Eight times the size must not take anything like sixty-four times as long."""
    assert callable(make)
    small = min(hostile(make(5_000), 1)[1] for _ in range(3))
    large = min(hostile(make(40_000), 1)[1] for _ in range(2))
    assert large < 28 * max(small, _TICK), name


def test_the_deepest_nest() -> None:
    function, _, count = hostile(nest(b"\x02\x40", 100_000, w.get(0) + w.br_if(99_999)))
    assert count > 200_000
    verify(function)


def test_the_widest_table() -> None:
    function, _, _ = hostile(many_way(10_000))
    verify(function)
    assert len(function.blocks[0].successors()) == 10_001


def test_too_many_locals_are_kept_in_memory() -> None:
    """50,000 locals, all of them assigned, and a branch after every one."""
    count = 49_998
    body = b"".join([w.get(0) + w.put(i) + w.get(0) + w.br_if(0) for i in range(1, count, 5)])
    body = w.block(body) + b"".join([w.get(i) + w.DROP for i in range(1, count)]) + w.get(count)
    function, _, _ = hostile(body, count)
    assert function.stack_slots
    assert sum(len(edge.args) for block in function.blocks for edge in block.successors()) < 10_000
    verify(function)


def test_many_locals_in_a_loop_stay_values() -> None:
    count = 20_000
    body = w.loop(b"".join([w.get(i) + w.i32(1) + ADD + w.put(i) for i in range(1, count)]) + w.get(0) + w.br_if(0))
    function, _, _ = hostile(body + w.get(count - 1), count)
    assert not function.stack_slots
    verify(function)
