"""Machine instructions: tables of operations on registers and immediates, loads and stores."""

from __future__ import annotations

from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.forms import Constant, FloatConstant, Load, SlotAddress, Store, on_registers
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.tables import by_operation, by_type, forms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_I32, _I64, _F32, _F64, _V128 = types.I32, types.I64, types.F32, types.F64, types.V128

CONSTANT: Final = Constant()
FLOAT_CONSTANT: Final = {
    _F32: FloatConstant("const.f32", _F32),
    _F64: FloatConstant("const.f64", _F64),
    _V128: FloatConstant("const.v128", _V128),
}
SLOT_ADDRESS: Final = SlotAddress()


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


#: Operation << 3 | type -> the form on registers.
BINARY: Final = forms(on_registers, by_operation(_RRR))
#: The same with the second register extended.
BINARY_EXTENDED: Final = forms(
    on_registers, by_operation({op.IADD: (e.ADD_RRX32, e.ADD_RRX64), op.ISUB: (e.SUB_RRX32, e.SUB_RRX64)})
)
#: The same with the second register complemented.
BINARY_NOT: Final = forms(
    on_registers,
    by_operation(
        {
            op.AND: (e.BIC_RRR32, e.BIC_RRR64),
            op.OR: (e.ORN_RRR32, e.ORN_RRR64),
            op.XOR: (e.EON_RRR32, e.EON_RRR64),
        }
    ),
)
ADD_IMM: Final = forms(on_registers, by_type((e.ADD_RRI32, e.ADD_RRI64)))
SUB_IMM: Final = forms(on_registers, by_type((e.SUB_RRI32, e.SUB_RRI64)))
#: Operation << 3 | type -> the form with a bitmask immediate.
LOGICAL_IMM: Final = forms(
    on_registers,
    by_operation(
        {
            op.AND: (e.AND_RRL32, e.AND_RRL64),
            op.OR: (e.ORR_RRL32, e.ORR_RRL64),
            op.XOR: (e.EOR_RRL32, e.EOR_RRL64),
        }
    ),
)
NEGATE: Final = forms(on_registers, by_type((e.NEG_RZR32, e.NEG_RZR64)))
NOT: Final = forms(on_registers, by_type((e.MVN_RZR32, e.MVN_RZR64)))
#: The low 32 bits, zero-extended.
MOVE_LOW: Final = on_registers(e.MOV_RZR32)
#: Unsigned and signed bit fields; imm is immr << 16 | imms << 10.
UNSIGNED_FIELD: Final = forms(on_registers, by_type((e.UBFM_RRB32, e.UBFM_RRB64)))
SIGNED_FIELD: Final = forms(on_registers, by_type((e.SBFM_RRB32, e.SBFM_RRB64)))
#: Bits of two registers together, from number imm >> 10 on.
EXTRACT: Final = forms(on_registers, by_type((e.EXTR_RRRI32, e.EXTR_RRRI64)))
MULTIPLY_ADD: Final = forms(on_registers, by_type((e.MADD_RRRR32, e.MADD_RRRR64)))
MULTIPLY_SUBTRACT: Final = forms(on_registers, by_type((e.MSUB_RRRR32, e.MSUB_RRRR64)))
#: i64 from two i32.
MULTIPLY_ADD_WIDE: Final = on_registers(e.SMADDL_RRRR)
MULTIPLY_SUBTRACT_WIDE: Final = on_registers(e.SMSUBL_RRRR)
#: High halves of products, by operation.
MULTIPLY_HIGH: Final = forms(on_registers, {op.MULHI_S: e.SMULH_RRR64, op.MULHI_U: e.UMULH_RRR64})
COUNT_LEADING: Final = forms(on_registers, by_type((e.CLZ_RR32, e.CLZ_RR64)))
REVERSE_BITS: Final = forms(on_registers, by_type((e.RBIT_RR32, e.RBIT_RR64)))


def field(immr: int, imms: int) -> int:
    """The imm of bit field instructions."""
    return immr << 16 | imms << 10


#: Loads by operation << 3 | type (the operation of those that cannot fault).
LOAD: Final = forms(
    Load,
    {
        op.LOAD << 3 | _I32: e.LDR_RM32,
        op.LOAD << 3 | _I64: e.LDR_RM64,
        op.LOAD << 3 | _F32: e.LDR_FM32,
        op.LOAD << 3 | _F64: e.LDR_FM64,
        op.LOAD << 3 | _V128: e.LDR_FM128,
        op.LOAD8_S << 3 | _I32: e.LDRSB_RM32,
        op.LOAD8_S << 3 | _I64: e.LDRSB_RM64,
        op.LOAD8_U << 3 | _I32: e.LDRB_RM32,
        op.LOAD8_U << 3 | _I64: e.LDRB_RM32,
        op.LOAD16_S << 3 | _I32: e.LDRSH_RM32,
        op.LOAD16_S << 3 | _I64: e.LDRSH_RM64,
        op.LOAD16_U << 3 | _I32: e.LDRH_RM32,
        op.LOAD16_U << 3 | _I64: e.LDRH_RM32,
        op.LOAD32_S << 3 | _I64: e.LDRSW_RM64,
        op.LOAD32_U << 3 | _I64: e.LDR_RM32,
    },
)


#: Rows of stores, by operation << 3 | type of the value (the operation of those that cannot fault).
STORE_ROWS: Final = {
    op.STORE8 << 3 | _I32: e.STRB_RM32,
    op.STORE8 << 3 | _I64: e.STRB_RM32,
    op.STORE16 << 3 | _I32: e.STRH_RM32,
    op.STORE16 << 3 | _I64: e.STRH_RM32,
    op.STORE32 << 3 | _I32: e.STR_RM32,
    op.STORE32 << 3 | _I64: e.STR_RM32,
    op.STORE << 3 | _I32: e.STR_RM32,
    op.STORE << 3 | _I64: e.STR_RM64,
    op.STORE << 3 | _F32: e.STR_FM32,
    op.STORE << 3 | _F64: e.STR_FM64,
    op.STORE << 3 | _V128: e.STR_FM128,
}
STORE: Final = forms(Store, STORE_ROWS)
