"""What the forms of vector instructions, and the target's moves and constants of vectors, emit: as text."""

from __future__ import annotations

import pytest

from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64 import vector_encodings as v
from wasm_backend_arm64.backend import Arm64Backend
from wasm_backend_arm64.forms import Element, Load, Store, on_registers, pack_offset
from wasm_backend_arm64.instructions import FLOAT_CONSTANT
from wasm_backend_arm64.target import Arm64Target
from wasm_backend_arm64.vector_constants import immediate
from wasm_ir import opcodes, types
from wasm_ir.codegen.emission import Emitter
from wasm_ir.codegen.frame import Frame
from wasm_ir.codegen.machinst import OUT_ARG, MBlock, MFunction, MInst, spill_slot
from wasm_ir.ir import ABI_WASM, Function, Inst, Signature

pytest.importorskip("capstone", reason="capstone is not installed")

TARGET = Arm64Target(frozenset(Arm64Backend(()).cpu_features))
V1, V2, V3, V4 = 33, 34, 35, 36


def emitter(far: int = 0, outgoing: int = 0) -> Emitter:
    machine = MFunction("test")
    machine.blocks = [MBlock(0)]
    function = Function("test", Signature((), ()), ABI_WASM)
    return Emitter(function, machine, Frame(outgoing, 4, [], [], 0), TARGET, far)


def text(work: Emitter) -> list[str]:
    lines = Arm64Backend(()).disassemble(bytes(work.code), 0)
    assert lines is not None
    return [line for _, _, line in lines]


def emitted(inst: MInst) -> list[str]:
    work = emitter()
    inst.op.emit(work, inst)
    return text(work)


@pytest.mark.parametrize(
    ("inst", "expected"),
    [
        (MInst(on_registers(v.MOVI_V4S), [V1], [], v.byte_immediate(200)), ["movi v1.4s, #0xc8"]),
        (MInst(on_registers(v.ORR_V8H), [V1], [V1], v.byte_immediate(7)), ["orr v1.8h, #7"]),
        (MInst(on_registers(v.BIC_V4S), [V1], [V2], v.byte_immediate(7)), ["mov v1.16b, v2.16b", "bic v1.4s, #7"]),
        (MInst(on_registers(v.CNT_VV[v.B]), [V1], [V2], 0), ["cnt v1.16b, v2.16b"]),
        (MInst(on_registers(v.SSHR_VV[v.H]), [V1], [V2], v.right(v.H, 3)), ["sshr v1.8h, v2.8h, #3"]),
        (MInst(on_registers(v.DUP_VX[v.D]), [V1], [9], 0), ["dup v1.2d, x9"]),
        (MInst(on_registers(v.UMOV_XE[v.H]), [9], [V1], v.lane(v.H, 5)), ["umov w9, v1.h[5]"]),
        (MInst(on_registers(v.SUB_VVV[v.S]), [V1], [V2, V3], 0), ["sub v1.4s, v2.4s, v3.4s"]),
        (MInst(on_registers(v.EXT_VVV), [V1], [V2, V3], 5 << 11), ["ext v1.16b, v2.16b, v3.16b, #5"]),
        (MInst(on_registers(v.XTNQ_VV[v.H]), [V1], [V1, V2], 0), ["xtn2 v1.8h, v2.4s"]),
        (MInst(on_registers(v.INS_VX[v.B]), [V1], [V2, 9], v.lane(v.B, 7)), ["mov v1.16b, v2.16b", "mov v1.b[7], w9"]),
        (MInst(on_registers(v.BSL_VVV), [V1], [V1, V2, V3], 0), ["bsl v1.16b, v2.16b, v3.16b"]),
        (
            MInst(on_registers(v.FMLA_VVV[v.D]), [V1], [V4, V2, V3], 0),
            ["mov v1.16b, v4.16b", "fmla v1.2d, v2.2d, v3.2d"],
        ),
        (MInst(Element(v.LD1R_VM[v.B]), [V1], [9], 0), ["ld1r {v1.16b}, [x9]"]),
        (
            MInst(Element(v.LD1_EM[v.S]), [V1], [V2, 9], v.memory_lane(v.S, 3)),
            ["mov v1.16b, v2.16b", "ld1 {v1.s}[3], [x9]"],
        ),
        (MInst(Element(v.LD1_EM[v.D]), [V1], [V1, 9], v.memory_lane(v.D, 1)), ["ld1 {v1.d}[1], [x9]"]),
        (MInst(Element(v.ST1_EM[v.B]), [], [V1, 9], v.memory_lane(v.B, 13)), ["st1 {v1.b}[0xd], [x9]"]),
        (MInst(Load(e.LDR_FM128), [V1], [9], pack_offset(e.LDR_FM128, 32)), ["ldr q1, [x9, #0x20]"]),
        (MInst(Store(e.STR_FM128), [], [V1, 9], pack_offset(e.STR_FM128, -16)), ["stur q1, [x9, #-0x10]"]),
        (MInst(FLOAT_CONSTANT[types.V128], [V1], [], 0), ["movi d1, #0000000000000000"]),
    ],
)
def test_forms(inst: MInst, expected: list[str]) -> None:
    assert emitted(inst) == expected


def test_operands_that_are_read_and_written_are_tied() -> None:
    """The allocator must know: else the operand's register could belong to another value."""
    for value in vars(v).values():
        for row in value.values() if isinstance(value, dict) else (value,):
            if isinstance(row, e.Encoding) and row.operands:
                form = Element(row) if row.operands[-1] == "a" else on_registers(row)
                assert form.tied == (row.operands[0] == "m")
                assert form.feature == row.feature


def test_accesses_that_may_fault_are_marked() -> None:
    work = emitter()
    inst = MInst(Element(v.LD1_EM[v.H]), [V1], [V2, 9], 0, 77)
    inst.op.emit(work, inst)
    # At the load, not at the move in front of it.
    assert (list(work.buffer.pcs), list(work.buffer.wasm_offsets)) == ([4], [77])


def test_moves() -> None:
    work = emitter()
    TARGET.emit_move(work, V1, V2, types.V128)
    TARGET.emit_move(work, spill_slot(2), V2, types.V128)
    TARGET.emit_move(work, V1, spill_slot(0), types.V128)
    # The words of x29 and x30 are below the slots of a small frame.
    assert text(work) == ["mov v1.16b, v2.16b", "str q2, [sp, #0x20]", "ldr q1, [sp, #0x10]"]
    work = emitter(outgoing=4)
    TARGET.emit_move(work, OUT_ARG - 2, V1, types.V128)
    TARGET.emit_move(work, spill_slot(2), V1, types.V128)
    assert text(work) == ["str q1, [sp, #0x10]", "str q1, [sp, #0x30]"]


def constant(bits: int) -> Inst:
    return Inst(opcodes.CONST, types.V128, [], bits, 0, 0)


def test_constants() -> None:
    """In the lower half alone: what gives a float. Others from the pool, or far away from that by halves."""
    work = emitter()
    TARGET.emit_constant(work, V1, constant(0))
    TARGET.emit_constant(work, V1, constant(0x3FF0 << 48))
    TARGET.emit_constant(work, V1, constant(0x1234))
    TARGET.emit_constant(work, V1, constant(0x1234 << 48))
    TARGET.emit_constant(work, spill_slot(0), constant(0))
    assert text(work) == [
        *("movi d1, #0000000000000000", "fmov d1, #1.00000000", "mov w16, #0x1234", "fmov s1, w16"),
        *("mov x16, #0x1234000000000000", "fmov d1, x16"),
        *("movi d31, #0000000000000000", "str q31, [sp, #0x10]"),
    ]
    assert not work.constants
    TARGET.emit_constant(work, V1, constant(0x1234_5678_9ABC_DEF0))
    assert list(work.constants) == [(0x1234_5678_9ABC_DEF0, 8)]
    bits = 0x1111 << 64 | 0x2222
    work = emitter()
    TARGET.emit_constant(work, V1, constant(bits))
    assert list(work.constants) == [(bits, 16)]
    assert text(work)[0].startswith("ldr q1, #")
    work = emitter(far=2)
    TARGET.emit_constant(work, V1, constant(bits))
    assert text(work) == ["mov w16, #0x2222", "fmov d1, x16", "mov w16, #0x1111", "mov v1.d[1], x16"]


def every(width: int, bits: int) -> int:
    return sum(bits << at for at in range(0, 128, width))


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (every(8, 0x55), "movi v1.16b, #0x55"),
        (every(8, 0xFF), "movi v1.16b, #0xff"),
        (every(16, 0x7F), "movi v1.8h, #0x7f"),
        (every(16, 0x7F00), "movi v1.8h, #0x7f, lsl #8"),
        (every(16, 0xFF7F), "mvni v1.8h, #0x80"),
        (every(32, 1), "movi v1.4s, #1"),
        (every(32, 0x80_0000), "movi v1.4s, #0x80, lsl #16"),
        (every(32, 0x7FFF_FFFF), "mvni v1.4s, #0x80, lsl #24"),
        (every(32, 0x12FF), "movi v1.4s, #0x12, msl #8"),
        (every(32, 0xFFEE_0000), "mvni v1.4s, #0x11, msl #16"),
        (every(32, 0x3F80_0000), "fmov v1.4s, #1.00000000"),
        (every(64, 0xFF), "movi v1.2d, #0x000000000000ff"),
        (every(64, 0xFF00_FF00_00FF_FFFF), "movi v1.2d, #0xff00ff0000ffffff"),
        (every(64, 0xBFF0 << 48), "fmov v1.2d, #-1.00000000"),
    ],
)
def test_constants_that_instructions_have_room_for(bits: int, expected: str) -> None:
    work = emitter()
    TARGET.emit_constant(work, V1, constant(bits))
    assert text(work) == [expected]


def test_every_immediate_is_what_the_instruction_makes_of_it() -> None:
    """Numbers that instructions have room for, and their neighbours, which most often they have not."""
    count = 0
    for width in (8, 16, 32, 64):
        for place in range(0, width, 8):
            for byte in range(256):
                for bits in (byte << place, ~(byte << place), byte << place | (1 << place) - 1, byte << place ^ 1):
                    wanted = every(width, bits & (1 << width) - 1)
                    found = immediate(wanted)
                    if found is not None:
                        count += 1
                        assert expanded(found[0], found[1]) == wanted, hex(wanted)
    assert count > 6000


def expanded(row: e.Encoding, imm: int) -> int:
    """AdvSIMDExpandImm of the manual."""
    number = imm >> 11 & 0xE0 | imm >> 5 & 31
    kind, _, arrangement = row.name.partition(".")
    if arrangement == "16b":
        return every(8, number)
    if kind == "fmov":
        table, width = (e.FLOAT_IMMEDIATES32, 32) if arrangement == "4s" else (e.FLOAT_IMMEDIATES64, 64)
        return every(width, next(bits for bits, encoded in table.items() if encoded >> 13 == number))
    if arrangement == "2d":
        return every(64, sum(0xFF << 8 * bit for bit in range(8) if number >> bit & 1))
    width = 16 if arrangement == "8h" else 32
    if row in (v.MOVI_V4S_ONES, v.MVNI_V4S_ONES):
        shift = 8 << (imm >> 12 & 1)
        lane = number << shift | (1 << shift) - 1
    else:
        lane = number << 8 * (imm >> 13 & 3)
    return every(width, lane ^ ((1 << width) - 1 if kind == "mvni" else 0))
