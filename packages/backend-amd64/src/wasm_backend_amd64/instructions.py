"""Machine instructions: tables of integer and SSE operations on registers, memory, immediates and constants."""

from __future__ import annotations

from typing import Final

from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.encodings import Encoding
from wasm_backend_amd64.forms import (
    Add,
    AddImm,
    Binary,
    BinaryConstant,
    BinaryImm,
    BinaryLoad,
    Constant,
    FloatConstant,
    Lea,
    LeaSlot,
    Load,
    LoadImm,
    Rorx,
    Store,
    StoreImm,
    Unary,
    UnaryImm,
    UnaryTied,
    Vex,
)
from wasm_ir import opcodes as op
from wasm_ir import types

# Tables are indexed by type where there is a number in the name of the encoding: (void, i32, i64, f32, f64).

MOVE: Final[tuple[Encoding, ...]] = (e.MOV_RR32, e.MOV_RR32, e.MOV_RR64, e.MOVAPS_RR, e.MOVAPS_RR)

CONSTANT: Final = Constant()
FLOAT_CONSTANT: Final = {
    types.F32: FloatConstant("const.f32", e.MOVSS_RM, 4),
    types.F64: FloatConstant("const.f64", e.MOVSD_RM, 8),
    types.V128: FloatConstant("const.v", e.MOVUPS_RM, 16),
}
LEA_SLOT: Final = LeaSlot()


def _by_width(operation32: Encoding, operation64: Encoding) -> dict[int, Encoding]:
    return {types.I32: operation32, types.I64: operation64}


_RR = {
    op.IADD: _by_width(e.ADD_RR32, e.ADD_RR64),
    op.ISUB: _by_width(e.SUB_RR32, e.SUB_RR64),
    op.IMUL: _by_width(e.IMUL_RR32, e.IMUL_RR64),
    op.AND: _by_width(e.AND_RR32, e.AND_RR64),
    op.OR: _by_width(e.OR_RR32, e.OR_RR64),
    op.XOR: _by_width(e.XOR_RR32, e.XOR_RR64),
    op.FADD: {types.F32: e.ADDSS_RR, types.F64: e.ADDSD_RR},
    op.FSUB: {types.F32: e.SUBSS_RR, types.F64: e.SUBSD_RR},
    op.FMUL: {types.F32: e.MULSS_RR, types.F64: e.MULSD_RR},
    op.FDIV: {types.F32: e.DIVSS_RR, types.F64: e.DIVSD_RR},
}
_RI = {
    op.AND: _by_width(e.AND_RI32, e.AND_RI64),
    op.OR: _by_width(e.OR_RI32, e.OR_RI64),
    op.XOR: _by_width(e.XOR_RI32, e.XOR_RI64),
    op.SHL: _by_width(e.SHL_RI32, e.SHL_RI64),
    op.SHR_S: _by_width(e.SAR_RI32, e.SAR_RI64),
    op.SHR_U: _by_width(e.SHR_RI32, e.SHR_RI64),
    op.ROTL: _by_width(e.ROL_RI32, e.ROL_RI64),
    op.ROTR: _by_width(e.ROR_RI32, e.ROR_RI64),
}


def _name(operation: int, value_type: int, form: str) -> str:
    return f"{op.NAMES[operation]}.{types.NAMES[value_type]}.{form}"


#: Operation << 3 | type -> the form on two registers, with an immediate, with memory, with a pool constant.
BINARY: Final = {
    code << 3 | t: Binary(_name(code, t, "rr"), enc, MOVE[t], bool(op.PROPERTIES[code] & op.COMMUTATIVE))
    for code, row in _RR.items()
    for t, enc in row.items()
}
BINARY_LOAD: Final = {
    code << 3 | t: BinaryLoad(_name(code, t, "rm"), enc, MOVE[t]) for code, row in _RR.items() for t, enc in row.items()
}
BINARY_IMM: Final = {
    code << 3 | t: BinaryImm(_name(code, t, "ri"), enc, MOVE[t]) for code, row in _RI.items() for t, enc in row.items()
}
BINARY_CONSTANT: Final = {
    code << 3 | t: BinaryConstant(_name(code, t, "rc"), enc, MOVE[t], types.BYTES[t])
    for code, row in _RR.items()
    for t, enc in row.items()
    if t != types.I32
}

ADD: Final = {
    types.I32: Add("add.i32", e.ADD_RR32, e.LEA_RM32, e.MOV_RR32),
    types.I64: Add("add.i64", e.ADD_RR64, e.LEA_RM64, e.MOV_RR64),
}
ADD_IMM: Final = {
    types.I32: AddImm("add.i32.ri", e.ADD_RI32, e.SUB_RI32, e.LEA_RM32, e.MOV_RM32),
    types.I64: AddImm("add.i64.ri", e.ADD_RI64, e.SUB_RI64, e.LEA_RM64, e.MOV_RM64),
}
LEA: Final = {types.I32: Lea("lea.i32", e.LEA_RM32), types.I64: Lea("lea.i64", e.LEA_RM64)}
IMUL_IMM: Final = {
    types.I32: UnaryImm("imul.i32.rri", e.IMUL_RRI32, False),
    types.I64: UnaryImm("imul.i64.rri", e.IMUL_RRI64, False),
}
IMUL_IMM_LOAD: Final = {
    types.I32: LoadImm("imul.i32.rmi", e.IMUL_RMI32, False),
    types.I64: LoadImm("imul.i64.rmi", e.IMUL_RMI64, False),
}
NEG: Final = {
    types.I32: UnaryTied("neg.i32", e.NEG_R32, e.MOV_RR32),
    types.I64: UnaryTied("neg.i64", e.NEG_R64, e.MOV_RR64),
}
NOT: Final = {
    types.I32: UnaryTied("not.i32", e.NOT_R32, e.MOV_RR32),
    types.I64: UnaryTied("not.i64", e.NOT_R64, e.MOV_RR64),
}
ANDN: Final = {types.I32: Vex("andn.i32", e.ANDN_RRR32), types.I64: Vex("andn.i64", e.ANDN_RRR64)}
#: Shifts of BMI2, by operation << 3 | type.
SHIFT_VEX: Final = {
    op.SHL << 3 | types.I32: Vex("shlx.i32", e.SHLX_RRR32),
    op.SHL << 3 | types.I64: Vex("shlx.i64", e.SHLX_RRR64),
    op.SHR_S << 3 | types.I32: Vex("sarx.i32", e.SARX_RRR32),
    op.SHR_S << 3 | types.I64: Vex("sarx.i64", e.SARX_RRR64),
    op.SHR_U << 3 | types.I32: Vex("shrx.i32", e.SHRX_RRR32),
    op.SHR_U << 3 | types.I64: Vex("shrx.i64", e.SHRX_RRR64),
}
RORX: Final = {types.I32: Rorx("rorx.i32", e.RORX_RRI32), types.I64: Rorx("rorx.i64", e.RORX_RRI64)}

#: The low 32 bits, zero-extended.
MOVE_LOW: Final = Unary("mov.low", e.MOV_RR32)
ZERO_EXTEND8: Final = Unary("movzx8", e.MOVZX8_RR32)
ZERO_EXTEND16: Final = Unary("movzx16", e.MOVZX16_RR32)
#: Sign extension by operation << 3 | type.
SIGN_EXTEND: Final = {
    op.SEXT8 << 3 | types.I32: Unary("movsx8.i32", e.MOVSX8_RR32),
    op.SEXT8 << 3 | types.I64: Unary("movsx8.i64", e.MOVSX8_RR64),
    op.SEXT16 << 3 | types.I32: Unary("movsx16.i32", e.MOVSX16_RR32),
    op.SEXT16 << 3 | types.I64: Unary("movsx16.i64", e.MOVSX16_RR64),
    op.SEXT32 << 3 | types.I64: Unary("movsxd", e.MOVSXD_RR64),
    op.EXTEND_S << 3 | types.I64: Unary("movsxd", e.MOVSXD_RR64),
}
#: Bit counts that need lzcnt, bmi1 and popcnt, by operation << 3 | type.
COUNT_BITS: Final = {
    op.CLZ << 3 | types.I32: Unary("lzcnt.i32", e.LZCNT_RR32),
    op.CLZ << 3 | types.I64: Unary("lzcnt.i64", e.LZCNT_RR64),
    op.CTZ << 3 | types.I32: Unary("tzcnt.i32", e.TZCNT_RR32),
    op.CTZ << 3 | types.I64: Unary("tzcnt.i64", e.TZCNT_RR64),
    op.POPCNT << 3 | types.I32: Unary("popcnt.i32", e.POPCNT_RR32),
    op.POPCNT << 3 | types.I64: Unary("popcnt.i64", e.POPCNT_RR64),
}

_MOV32 = Load("mov.i32", e.MOV_RM32)
_MOV64 = Load("mov.i64", e.MOV_RM64)
_MOVZX8 = Load("movzx8", e.MOVZX8_RM32)
_MOVZX16 = Load("movzx16", e.MOVZX16_RM32)
_MOVSXD = Load("movsxd", e.MOVSXD_RM64)
#: Loads by operation << 3 | type (the operation of those that cannot fault).
LOAD: Final = {
    op.LOAD << 3 | types.I32: _MOV32,
    op.LOAD << 3 | types.I64: _MOV64,
    op.LOAD << 3 | types.F32: Load("movss", e.MOVSS_RM),
    op.LOAD << 3 | types.F64: Load("movsd", e.MOVSD_RM),
    op.LOAD << 3 | types.V128: Load("movups", e.MOVUPS_RM),
    op.LOAD8_S << 3 | types.I32: Load("movsx8.i32", e.MOVSX8_RM32),
    op.LOAD8_S << 3 | types.I64: Load("movsx8.i64", e.MOVSX8_RM64),
    op.LOAD8_U << 3 | types.I32: _MOVZX8,
    op.LOAD8_U << 3 | types.I64: _MOVZX8,
    op.LOAD16_S << 3 | types.I32: Load("movsx16.i32", e.MOVSX16_RM32),
    op.LOAD16_S << 3 | types.I64: Load("movsx16.i64", e.MOVSX16_RM64),
    op.LOAD16_U << 3 | types.I32: _MOVZX16,
    op.LOAD16_U << 3 | types.I64: _MOVZX16,
    op.LOAD32_S << 3 | types.I64: _MOVSXD,
    op.LOAD32_U << 3 | types.I64: _MOV32,
}
_MR32 = Store("mov.i32.mr", e.MOV_MR32)
_MR16 = Store("mov.i16.mr", e.MOV_MR16)
_MR8 = Store("mov.i8.mr", e.MOV_MR8)
#: Stores by operation << 3 | type of the value (the operation of those that cannot fault).
STORE: Final = {
    op.STORE << 3 | types.I32: _MR32,
    op.STORE << 3 | types.I64: Store("mov.i64.mr", e.MOV_MR64),
    op.STORE << 3 | types.F32: Store("movss.mr", e.MOVSS_MR),
    op.STORE << 3 | types.F64: Store("movsd.mr", e.MOVSD_MR),
    op.STORE << 3 | types.V128: Store("movups.mr", e.MOVUPS_MR),
    op.STORE8 << 3 | types.I32: _MR8,
    op.STORE8 << 3 | types.I64: _MR8,
    op.STORE16 << 3 | types.I32: _MR16,
    op.STORE16 << 3 | types.I64: _MR16,
    op.STORE32 << 3 | types.I64: _MR32,
}
#: Stores of an immediate, by width in bytes.
STORE_IMM: Final = {
    1: StoreImm("mov.i8.mi", e.MOV_MI8),
    2: StoreImm("mov.i16.mi", e.MOV_MI16),
    4: StoreImm("mov.i32.mi", e.MOV_MI32),
    8: StoreImm("mov.i64.mi", e.MOV_MI64),
}
#: Read-modify-write, by operation << 3 | type.
MODIFY: Final = {
    code << 3 | t: Store(_name(code, t, "mr"), enc)
    for code, row in (
        (op.IADD, _by_width(e.ADD_MR32, e.ADD_MR64)),
        (op.ISUB, _by_width(e.SUB_MR32, e.SUB_MR64)),
        (op.AND, _by_width(e.AND_MR32, e.AND_MR64)),
        (op.OR, _by_width(e.OR_MR32, e.OR_MR64)),
        (op.XOR, _by_width(e.XOR_MR32, e.XOR_MR64)),
    )
    for t, enc in row.items()
}
MODIFY_IMM: Final = {
    code << 3 | t: StoreImm(_name(code, t, "mi"), enc)
    for code, row in (
        (op.IADD, _by_width(e.ADD_MI32, e.ADD_MI64)),
        (op.ISUB, _by_width(e.SUB_MI32, e.SUB_MI64)),
        (op.AND, _by_width(e.AND_MI32, e.AND_MI64)),
        (op.OR, _by_width(e.OR_MI32, e.OR_MI64)),
        (op.XOR, _by_width(e.XOR_MI32, e.XOR_MI64)),
    )
    for t, enc in row.items()
}
