"""Machine instructions: tables of operations on registers and immediates, loads and stores."""

from __future__ import annotations

from typing import Final

from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.encodings import Access
from wasm_backend_arm64.forms import Constant, FloatConstant, Load, Rm, Rr, Rrr, Rrrr, SlotAddress, Store
from wasm_ir import opcodes as op
from wasm_ir import types

_I32, _I64, _F32, _F64 = types.I32, types.I64, types.F32, types.F64

CONSTANT: Final = Constant()
FLOAT_CONSTANT: Final = {
    _F32: FloatConstant("const.f32", _F32),
    _F64: FloatConstant("const.f64", _F64),
}
SLOT_ADDRESS: Final = SlotAddress()


def _name(operation: int, value_type: int, form: str) -> str:
    return f"{op.NAMES[operation]}.{types.NAMES[value_type]}.{form}"


_RRR = {
    op.IADD: (e.ADD_RRR32, e.ADD_RRR64),
    op.ISUB: (e.SUB_RRR32, e.SUB_RRR64),
    op.AND: (e.AND_RRR32, e.AND_RRR64),
    op.OR: (e.ORR_RRR32, e.ORR_RRR64),
    op.XOR: (e.EOR_RRR32, e.EOR_RRR64),
    op.SHL: (e.LSLV_RRR32, e.LSLV_RRR64),
    op.SHR_S: (e.ASRV_RRR32, e.ASRV_RRR64),
    op.SHR_U: (e.LSRV_RRR32, e.LSRV_RRR64),
    op.ROTR: (e.RORV_RRR32, e.RORV_RRR64),
}
_FLOAT_RRR = {
    op.FADD: (e.FADD_RRR32, e.FADD_RRR64),
    op.FSUB: (e.FSUB_RRR32, e.FSUB_RRR64),
    op.FMUL: (e.FMUL_RRR32, e.FMUL_RRR64),
    op.FDIV: (e.FDIV_RRR32, e.FDIV_RRR64),
    # NaN if either operand is one, and -0 < +0, as WebAssembly has it (DDI 0487, FPMin).
    op.FMIN: (e.FMIN_RRR32, e.FMIN_RRR64),
    op.FMAX: (e.FMAX_RRR32, e.FMAX_RRR64),
}

#: Operation << 3 | type -> the form on registers.
BINARY: Final = {
    code << 3 | t: Rrr(_name(code, t, "rr"), word)
    for rows, kinds in ((_RRR, (_I32, _I64)), (_FLOAT_RRR, (_F32, _F64)))
    for code, row in rows.items()
    for t, word in zip(kinds, row)
}
#: The same with the second register extended.
BINARY_EXTENDED: Final = {
    op.IADD << 3 | _I32: Rrr("add.i32.rx", e.ADD_RRX32),
    op.IADD << 3 | _I64: Rrr("add.i64.rx", e.ADD_RRX64),
    op.ISUB << 3 | _I32: Rrr("sub.i32.rx", e.SUB_RRX32),
    op.ISUB << 3 | _I64: Rrr("sub.i64.rx", e.SUB_RRX64),
}
#: The same with the second register complemented.
BINARY_NOT: Final = {
    op.AND << 3 | _I32: Rrr("bic.i32", e.BIC_RRR32),
    op.AND << 3 | _I64: Rrr("bic.i64", e.BIC_RRR64),
    op.OR << 3 | _I32: Rrr("orn.i32", e.ORN_RRR32),
    op.OR << 3 | _I64: Rrr("orn.i64", e.ORN_RRR64),
    op.XOR << 3 | _I32: Rrr("eon.i32", e.EON_RRR32),
    op.XOR << 3 | _I64: Rrr("eon.i64", e.EON_RRR64),
}
ADD_IMM: Final = {_I32: Rr("add.i32.ri", e.ADD_RRI32), _I64: Rr("add.i64.ri", e.ADD_RRI64)}
SUB_IMM: Final = {_I32: Rr("sub.i32.ri", e.SUB_RRI32), _I64: Rr("sub.i64.ri", e.SUB_RRI64)}
#: Operation << 3 | type -> the form with a bitmask immediate.
LOGICAL_IMM: Final = {
    code << 3 | t: Rr(_name(code, t, "ri"), word)
    for code, row in (
        (op.AND, (e.AND_RRL32, e.AND_RRL64)),
        (op.OR, (e.ORR_RRL32, e.ORR_RRL64)),
        (op.XOR, (e.EOR_RRL32, e.EOR_RRL64)),
    )
    for t, word in zip((_I32, _I64), row)
}
NEGATE: Final = {_I32: Rm("neg.i32", e.SUB_RRR32), _I64: Rm("neg.i64", e.SUB_RRR64)}
NOT: Final = {_I32: Rm("mvn.i32", e.ORN_RRR32), _I64: Rm("mvn.i64", e.ORN_RRR64)}
#: The low 32 bits, zero-extended.
MOVE_LOW: Final = Rm("mov.low", e.ORR_RRR32)
#: Unsigned and signed bit fields; imm is immr << 16 | imms << 10.
UNSIGNED_FIELD: Final = {_I32: Rr("ubfm.i32", e.UBFM_RRB32), _I64: Rr("ubfm.i64", e.UBFM_RRB64)}
SIGNED_FIELD: Final = {_I32: Rr("sbfm.i32", e.SBFM_RRB32), _I64: Rr("sbfm.i64", e.SBFM_RRB64)}
#: Bits of two registers together, from number imm >> 10 on.
EXTRACT: Final = {_I32: Rrr("extr.i32", e.EXTR_RRRI32), _I64: Rrr("extr.i64", e.EXTR_RRRI64)}
MULTIPLY_ADD: Final = {_I32: Rrrr("madd.i32", e.MADD_RRRR32), _I64: Rrrr("madd.i64", e.MADD_RRRR64)}
MULTIPLY_SUBTRACT: Final = {_I32: Rrrr("msub.i32", e.MSUB_RRRR32), _I64: Rrrr("msub.i64", e.MSUB_RRRR64)}
#: i64 from two i32.
MULTIPLY_ADD_WIDE: Final = Rrrr("smaddl", e.SMADDL_RRRR)
MULTIPLY_SUBTRACT_WIDE: Final = Rrrr("smsubl", e.SMSUBL_RRRR)
#: High halves of products, by operation.
MULTIPLY_HIGH: Final = {op.MULHI_S: Rrr("smulh", e.SMULH_RRR64), op.MULHI_U: Rrr("umulh", e.UMULH_RRR64)}
COUNT_LEADING: Final = {_I32: Rr("clz.i32", e.CLZ_RR32), _I64: Rr("clz.i64", e.CLZ_RR64)}
REVERSE_BITS: Final = {_I32: Rr("rbit.i32", e.RBIT_RR32), _I64: Rr("rbit.i64", e.RBIT_RR64)}


def field(immr: int, imms: int) -> int:
    """The imm of bit field instructions."""
    return immr << 16 | imms << 10


_LDRB = Load(e.LDRB_RM32)
_LDRH = Load(e.LDRH_RM32)
_LDR32 = Load(e.LDR_RM32, ".i32")
#: Loads by operation << 3 | type (the operation of those that cannot fault).
LOAD: Final = {
    op.LOAD << 3 | _I32: _LDR32,
    op.LOAD << 3 | _I64: Load(e.LDR_RM64, ".i64"),
    op.LOAD << 3 | _F32: Load(e.LDR_FM32, ".f32"),
    op.LOAD << 3 | _F64: Load(e.LDR_FM64, ".f64"),
    op.LOAD8_S << 3 | _I32: Load(e.LDRSB_RM32, ".i32"),
    op.LOAD8_S << 3 | _I64: Load(e.LDRSB_RM64, ".i64"),
    op.LOAD8_U << 3 | _I32: _LDRB,
    op.LOAD8_U << 3 | _I64: _LDRB,
    op.LOAD16_S << 3 | _I32: Load(e.LDRSH_RM32, ".i32"),
    op.LOAD16_S << 3 | _I64: Load(e.LDRSH_RM64, ".i64"),
    op.LOAD16_U << 3 | _I32: _LDRH,
    op.LOAD16_U << 3 | _I64: _LDRH,
    op.LOAD32_S << 3 | _I64: Load(e.LDRSW_RM64),
    op.LOAD32_U << 3 | _I64: _LDR32,
}


def _stores(operation: int, access: Access) -> dict[int, Store]:
    store = Store(access, ".i32" if access is e.STR_RM32 else "")
    return {operation << 3 | _I32: store, operation << 3 | _I64: store}


#: Stores by operation << 3 | type of the value (the operation of those that cannot fault).
STORE: Final = {
    **_stores(op.STORE8, e.STRB_RM32),
    **_stores(op.STORE16, e.STRH_RM32),
    **_stores(op.STORE32, e.STR_RM32),
    op.STORE << 3 | _I32: Store(e.STR_RM32, ".i32"),
    op.STORE << 3 | _I64: Store(e.STR_RM64, ".i64"),
    op.STORE << 3 | _F32: Store(e.STR_FM32, ".f32"),
    op.STORE << 3 | _F64: Store(e.STR_FM64, ".f64"),
}
