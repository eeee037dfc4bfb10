"""Emission: labels, out-of-line traps, pc table, constant pool, relocations, frame layout."""

from __future__ import annotations

import pytest
from toy_target import BYTE, CALL, POOL, TRAP_IF, ToyTarget, machine_function

from wasm_ir.backend import CompiledCode
from wasm_ir.codegen.emission import Emitter, emit
from wasm_ir.codegen.frame import Frame
from wasm_ir.codegen.machinst import MFunction, MInst, MOp
from wasm_ir.ir import Function, Signature


def compiled(machine: MFunction) -> CompiledCode:
    return emit(Function("test", Signature((), ())), machine, Frame(0, 0, [], [], 0), ToyTarget(machine))


def test_blocks_and_labels() -> None:
    machine = machine_function({0: [2, 1], 1: [3], 2: [3], 3: []}, {2: [MInst(BYTE, [], [], 0x42)]})
    code = compiled(machine)
    assert code.entry == 1
    # prologue; b -> block 2; block 1: j -> block 3; block 2 falls through to block 3
    assert code.code == b"EP" + b"b\x06" + b"j\x07" + b"\x42" + b"r"


def test_backward_reference() -> None:
    machine = machine_function({0: [1], 1: [1, 2], 2: []})
    assert compiled(machine).code == b"EPb\x02r"


def test_heads_of_tight_loops_are_aligned() -> None:
    # 1 heads a loop that contains another, which 2 heads; 5 heads one that stands alone.
    machine = machine_function({0: [1], 1: [2], 2: [2, 3], 3: [1, 4], 4: [5], 5: [5, 6], 6: []})
    for number in (2, 5):
        machine.blocks[number].is_tight_loop = True
    target = ToyTarget(machine)
    target.loop_alignment = 8
    code = emit(Function("test", Signature((), ())), machine, Frame(0, 0, [], [], 0), target)
    assert code.code == b"EP______" + b"b\x08" + b"b\x02" + b"____" + b"b\x10" + b"r"


def test_heads_that_dispatch_are_aligned_further() -> None:
    # 1 and 2 head loops and end with a jump of three ways; so does 3, which heads none.
    machine = machine_function({0: [1], 1: [1, 2, 3], 2: [1, 2, 3], 3: [4, 4, 4], 4: []})
    machine.blocks[2].is_tight_loop = True
    target = ToyTarget(machine)
    target.loop_alignment = 4
    target.dispatch_alignment = 16
    code = emit(Function("test", Signature((), ())), machine, Frame(0, 0, [], [], 0), target)
    heads = b"d\x10\x20\x24".ljust(16, b"_") + b"d\x10\x20\x24"
    assert code.code == b"EP".ljust(16, b"_") + heads + b"d\x28\x28\x28" + b"r"

    # A target that does not say so has its tight loops aligned, whatever they end with.
    target.dispatch_alignment = 1
    code = emit(Function("test", Signature((), ())), machine, Frame(0, 0, [], [], 0), target)
    assert code.code == b"EP" + b"d\x02\x08\x0c" + b"__" + b"d\x02\x08\x0c" + b"d\x10\x10\x10" + b"r"


def test_traps_are_out_of_line_and_the_pc_table_ascends() -> None:
    insts = [
        MInst(TRAP_IF, [], [], 5, offset=100),
        MInst(CALL, [], [], 9, offset=101),
        MInst(TRAP_IF, [], [], 6, offset=102),
        MInst(CALL, [], [], 8, offset=103),
    ]
    code = compiled(machine_function({0: []}, {0: insts}))
    assert code.code == b"EP" + b"t\x0b" + b"c\0" + b"t\x0d" + b"c\0" + b"r" + b"T\x05" + b"T\x06"
    assert list(zip(code.pcs, code.wasm_offsets)) == [(6, 101), (10, 103), (13, 100), (15, 102)]
    assert [(r.offset, r.kind, r.target) for r in code.relocations] == [(5, 1, 9), (9, 1, 8)]


def test_constants_are_shared() -> None:
    insts = [MInst(POOL, [], [], bits) for bits in (7, 8, 7)]
    assert compiled(machine_function({0: []}, {0: insts})).code == b"EPp\x09p\x0ap\x09r\x07\x08"


def test_unbound_label_is_refused() -> None:
    class Lose(MOp):
        def emit(self, emitter: Emitter, inst: MInst) -> None:
            emitter.buffer.refer(emitter.buffer.new_label(), 7)
            emitter.code.append(0xFF)

    with pytest.raises(AssertionError, match="never bound"):
        compiled(machine_function({0: []}, {0: [MInst(Lose("lose"), [], [], 0)]}))


def test_frame() -> None:
    frame = Frame(outgoing_words=3, spill_slots=2, stack_slots=[16, 48], saved_registers=[3, 12], extra_words=1)
    assert frame.spill(0) == 24
    assert frame.spill(1) == 32
    assert frame.stack_slot_offsets == [48, 64]
    assert frame.saved_offset == 112
    assert frame.size == 144
    assert Frame(0, 0, [], [], 0).size == 0
    # Spill slots of vectors are aligned.
    assert Frame(3, 4, [16], [], 0, align_spills=True).spill(0) == 32
    assert Frame(2, 4, [16], [], 0, align_spills=True).spill(2) == 32
    for spills in range(5):
        for words in range(3):
            frame = Frame(words, spills, [16], [1] * spills, words)
            assert frame.size % 16 == 0
            assert frame.stack_slot_offsets[0] % 16 == 0
            assert frame.stack_slot_offsets[0] >= frame.spill(spills)
            assert frame.size >= frame.saved_offset + 8 * (spills + words)
