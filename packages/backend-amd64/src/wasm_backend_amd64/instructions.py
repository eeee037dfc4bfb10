"""Machine instructions: tables of integer and SSE operations on registers, memory, immediates and constants."""

from __future__ import annotations

from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.forms import (
    Add,
    AddImm,
    Constant,
    FloatConstant,
    LeaSlot,
    on_constant,
    on_memory,
    on_registers,
)
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.tables import by_operation, by_type, forms

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

CONSTANT: Final = Constant()
FLOAT_CONSTANT: Final = {
    types.F32: FloatConstant(e.MOVSS_RM),
    types.F64: FloatConstant(e.MOVSD_RM),
    types.V128: FloatConstant(e.MOVAPS_RM),
}
LEA_SLOT: Final = LeaSlot()


_RR = {
    op.IADD: (e.ADD_RR32, e.ADD_RR64),
    op.ISUB: (e.SUB_RR32, e.SUB_RR64),
    op.IMUL: (e.IMUL_RR32, e.IMUL_RR64),
    op.AND: (e.AND_RR32, e.AND_RR64),
    op.OR: (e.OR_RR32, e.OR_RR64),
    op.XOR: (e.XOR_RR32, e.XOR_RR64),
}


#: Operation << 3 | type -> the form on two registers, with memory, with a pool constant, with an immediate.
BINARY: Final = forms(on_registers, by_operation(_RR))
BINARY_LOAD: Final = forms(on_memory, by_operation(_RR))
BINARY_CONSTANT: Final = forms(on_constant, by_operation(_RR))
BINARY_IMM: Final = forms(
    on_registers,
    by_operation(
        {
            op.AND: (e.AND_RI32, e.AND_RI64),
            op.OR: (e.OR_RI32, e.OR_RI64),
            op.XOR: (e.XOR_RI32, e.XOR_RI64),
            op.SHL: (e.SHL_RI32, e.SHL_RI64),
            op.SHR_S: (e.SAR_RI32, e.SAR_RI64),
            op.SHR_U: (e.SHR_RI32, e.SHR_RI64),
            op.ROTL: (e.ROL_RI32, e.ROL_RI64),
            op.ROTR: (e.ROR_RI32, e.ROR_RI64),
        }
    ),
)

ADD: Final = {
    types.I32: Add("add.i32", e.ADD_RR32, e.LEA_RM32, e.MOV_RR32),
    types.I64: Add("add.i64", e.ADD_RR64, e.LEA_RM64, e.MOV_RR64),
}
ADD_IMM: Final = {
    types.I32: AddImm("add.i32.ri", e.ADD_RI32, e.SUB_RI32, e.LEA_RM32, e.MOV_RM32),
    types.I64: AddImm("add.i64.ri", e.ADD_RI64, e.SUB_RI64, e.LEA_RM64, e.MOV_RM64),
}
LEA: Final = forms(on_memory, by_type((e.LEA_RM32, e.LEA_RM64)))
IMUL_IMM: Final = forms(on_registers, by_type((e.IMUL_RRI32, e.IMUL_RRI64)))
IMUL_IMM_LOAD: Final = forms(on_memory, by_type((e.IMUL_RMI32, e.IMUL_RMI64)))
NEG: Final = forms(on_registers, by_type((e.NEG_R32, e.NEG_R64)))
NOT: Final = forms(on_registers, by_type((e.NOT_R32, e.NOT_R64)))
ANDN: Final = forms(on_registers, by_type((e.ANDN_RRR32, e.ANDN_RRR64)))
#: Shifts of BMI2, by operation << 3 | type.
SHIFT_VEX: Final = forms(
    on_registers,
    by_operation(
        {
            op.SHL: (e.SHLX_RRR32, e.SHLX_RRR64),
            op.SHR_S: (e.SARX_RRR32, e.SARX_RRR64),
            op.SHR_U: (e.SHRX_RRR32, e.SHRX_RRR64),
        }
    ),
)
RORX: Final = forms(on_registers, by_type((e.RORX_RRI32, e.RORX_RRI64)))

#: The low 32 bits, zero-extended.
MOVE_LOW: Final = on_registers(e.MOV_RR32)
ZERO_EXTEND8: Final = on_registers(e.MOVZX8_RR32)
ZERO_EXTEND16: Final = on_registers(e.MOVZX16_RR32)
#: Sign extension by operation << 3 | type.
SIGN_EXTEND: Final = forms(
    on_registers,
    {
        **by_operation(
            {op.SEXT8: (e.MOVSX8_RR32, e.MOVSX8_RR64), op.SEXT16: (e.MOVSX16_RR32, e.MOVSX16_RR64)},
        ),
        op.SEXT32 << 3 | types.I64: e.MOVSXD_RR64,
        op.EXTEND_S << 3 | types.I64: e.MOVSXD_RR64,
    },
)
#: Bit counts, by operation << 3 | type.
COUNT_BITS: Final = forms(
    on_registers,
    by_operation(
        {
            op.CLZ: (e.LZCNT_RR32, e.LZCNT_RR64),
            op.CTZ: (e.TZCNT_RR32, e.TZCNT_RR64),
            op.POPCNT: (e.POPCNT_RR32, e.POPCNT_RR64),
        }
    ),
)

#: Loads by operation << 3 | type (the operation of those that cannot fault).
LOAD: Final = forms(
    on_memory,
    {
        op.LOAD << 3 | types.I32: e.MOV_RM32,
        op.LOAD << 3 | types.I64: e.MOV_RM64,
        op.LOAD << 3 | types.F32: e.MOVSS_RM,
        op.LOAD << 3 | types.F64: e.MOVSD_RM,
        op.LOAD << 3 | types.V128: e.MOVUPS_RM,
        op.LOAD8_S << 3 | types.I32: e.MOVSX8_RM32,
        op.LOAD8_S << 3 | types.I64: e.MOVSX8_RM64,
        op.LOAD8_U << 3 | types.I32: e.MOVZX8_RM32,
        op.LOAD8_U << 3 | types.I64: e.MOVZX8_RM32,
        op.LOAD16_S << 3 | types.I32: e.MOVSX16_RM32,
        op.LOAD16_S << 3 | types.I64: e.MOVSX16_RM64,
        op.LOAD16_U << 3 | types.I32: e.MOVZX16_RM32,
        op.LOAD16_U << 3 | types.I64: e.MOVZX16_RM32,
        op.LOAD32_S << 3 | types.I64: e.MOVSXD_RM64,
        op.LOAD32_U << 3 | types.I64: e.MOV_RM32,
    },
)
#: Rows of stores, by operation << 3 | type of the value (the operation of those that cannot fault).
STORE_ROWS: Final = {
    op.STORE << 3 | types.I32: e.MOV_MR32,
    op.STORE << 3 | types.I64: e.MOV_MR64,
    op.STORE << 3 | types.F32: e.MOVSS_MR,
    op.STORE << 3 | types.F64: e.MOVSD_MR,
    op.STORE << 3 | types.V128: e.MOVUPS_MR,
    op.STORE8 << 3 | types.I32: e.MOV_MR8,
    op.STORE8 << 3 | types.I64: e.MOV_MR8,
    op.STORE16 << 3 | types.I32: e.MOV_MR16,
    op.STORE16 << 3 | types.I64: e.MOV_MR16,
    op.STORE32 << 3 | types.I64: e.MOV_MR32,
}
STORE: Final = forms(on_memory, STORE_ROWS)
#: Stores of an immediate, by width in bytes.
STORE_IMM: Final = forms(
    on_memory,
    {
        1: e.MOV_MI8,
        2: e.MOV_MI16,
        4: e.MOV_MI32,
        8: e.MOV_MI64,
    },
)
#: Rows of read-modify-write, by operation << 3 | type.
MODIFY_ROWS: Final = by_operation(
    {
        op.IADD: (e.ADD_MR32, e.ADD_MR64),
        op.ISUB: (e.SUB_MR32, e.SUB_MR64),
        op.AND: (e.AND_MR32, e.AND_MR64),
        op.OR: (e.OR_MR32, e.OR_MR64),
        op.XOR: (e.XOR_MR32, e.XOR_MR64),
    }
)
MODIFY: Final = forms(on_memory, MODIFY_ROWS)
MODIFY_IMM: Final = forms(
    on_memory,
    by_operation(
        {
            op.IADD: (e.ADD_MI32, e.ADD_MI64),
            op.ISUB: (e.SUB_MI32, e.SUB_MI64),
            op.AND: (e.AND_MI32, e.AND_MI64),
            op.OR: (e.OR_MI32, e.OR_MI64),
            op.XOR: (e.XOR_MI32, e.XOR_MI64),
        }
    ),
)
