"""Named opcodes of instructions; the numbers are those of the table in `instructions`.

Those on vectors and atomic ones are in `vector_opcodes`: most programs have none.

A single-byte instruction is its byte. A prefixed instruction is `(prefix << 12) | number`: memory.copy, which is 0xFC
10 in the binary, is 0xFC00A.
"""

from __future__ import annotations

# These are enough for most programs whose code is in a cache.
# isort: off
from wasm_core.constant_opcodes import (
    END as END,
    F32_CONST as F32_CONST,
    F64_CONST as F64_CONST,
    GLOBAL_GET as GLOBAL_GET,
    I32_ADD as I32_ADD,
    I32_CONST as I32_CONST,
    I32_MUL as I32_MUL,
    I32_SUB as I32_SUB,
    I64_ADD as I64_ADD,
    I64_CONST as I64_CONST,
    I64_MUL as I64_MUL,
    I64_SUB as I64_SUB,
    REF_FUNC as REF_FUNC,
    REF_NULL as REF_NULL,
    V128_CONST as V128_CONST,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final
# isort: on

UNREACHABLE: Final = 0x00
NOP: Final = 0x01
BLOCK: Final = 0x02
LOOP: Final = 0x03
IF: Final = 0x04
ELSE: Final = 0x05
TRY: Final = 0x06
CATCH: Final = 0x07
THROW: Final = 0x08
RETHROW: Final = 0x09
THROW_REF: Final = 0x0A
BR: Final = 0x0C
BR_IF: Final = 0x0D
BR_TABLE: Final = 0x0E
RETURN: Final = 0x0F
CALL: Final = 0x10
CALL_INDIRECT: Final = 0x11
RETURN_CALL: Final = 0x12
RETURN_CALL_INDIRECT: Final = 0x13
CALL_REF: Final = 0x14
RETURN_CALL_REF: Final = 0x15
DELEGATE: Final = 0x18
CATCH_ALL: Final = 0x19
DROP: Final = 0x1A
SELECT: Final = 0x1B
SELECT_T: Final = 0x1C
TRY_TABLE: Final = 0x1F
LOCAL_GET: Final = 0x20
LOCAL_SET: Final = 0x21
LOCAL_TEE: Final = 0x22
GLOBAL_SET: Final = 0x24
TABLE_GET: Final = 0x25
TABLE_SET: Final = 0x26
I32_LOAD: Final = 0x28
I64_LOAD: Final = 0x29
F32_LOAD: Final = 0x2A
F64_LOAD: Final = 0x2B
I32_LOAD8_S: Final = 0x2C
I32_LOAD8_U: Final = 0x2D
I32_LOAD16_S: Final = 0x2E
I32_LOAD16_U: Final = 0x2F
I64_LOAD8_S: Final = 0x30
I64_LOAD8_U: Final = 0x31
I64_LOAD16_S: Final = 0x32
I64_LOAD16_U: Final = 0x33
I64_LOAD32_S: Final = 0x34
I64_LOAD32_U: Final = 0x35
I32_STORE: Final = 0x36
I64_STORE: Final = 0x37
F32_STORE: Final = 0x38
F64_STORE: Final = 0x39
I32_STORE8: Final = 0x3A
I32_STORE16: Final = 0x3B
I64_STORE8: Final = 0x3C
I64_STORE16: Final = 0x3D
I64_STORE32: Final = 0x3E
MEMORY_SIZE: Final = 0x3F
MEMORY_GROW: Final = 0x40
I32_EQZ: Final = 0x45
I32_EQ: Final = 0x46
I32_NE: Final = 0x47
I32_LT_S: Final = 0x48
I32_LT_U: Final = 0x49
I32_GT_S: Final = 0x4A
I32_GT_U: Final = 0x4B
I32_LE_S: Final = 0x4C
I32_LE_U: Final = 0x4D
I32_GE_S: Final = 0x4E
I32_GE_U: Final = 0x4F
I64_EQZ: Final = 0x50
I64_EQ: Final = 0x51
I64_NE: Final = 0x52
I64_LT_S: Final = 0x53
I64_LT_U: Final = 0x54
I64_GT_S: Final = 0x55
I64_GT_U: Final = 0x56
I64_LE_S: Final = 0x57
I64_LE_U: Final = 0x58
I64_GE_S: Final = 0x59
I64_GE_U: Final = 0x5A
F32_EQ: Final = 0x5B
F32_NE: Final = 0x5C
F32_LT: Final = 0x5D
F32_GT: Final = 0x5E
F32_LE: Final = 0x5F
F32_GE: Final = 0x60
F64_EQ: Final = 0x61
F64_NE: Final = 0x62
F64_LT: Final = 0x63
F64_GT: Final = 0x64
F64_LE: Final = 0x65
F64_GE: Final = 0x66
I32_CLZ: Final = 0x67
I32_CTZ: Final = 0x68
I32_POPCNT: Final = 0x69
I32_DIV_S: Final = 0x6D
I32_DIV_U: Final = 0x6E
I32_REM_S: Final = 0x6F
I32_REM_U: Final = 0x70
I32_AND: Final = 0x71
I32_OR: Final = 0x72
I32_XOR: Final = 0x73
I32_SHL: Final = 0x74
I32_SHR_S: Final = 0x75
I32_SHR_U: Final = 0x76
I32_ROTL: Final = 0x77
I32_ROTR: Final = 0x78
I64_CLZ: Final = 0x79
I64_CTZ: Final = 0x7A
I64_POPCNT: Final = 0x7B
I64_DIV_S: Final = 0x7F
I64_DIV_U: Final = 0x80
I64_REM_S: Final = 0x81
I64_REM_U: Final = 0x82
I64_AND: Final = 0x83
I64_OR: Final = 0x84
I64_XOR: Final = 0x85
I64_SHL: Final = 0x86
I64_SHR_S: Final = 0x87
I64_SHR_U: Final = 0x88
I64_ROTL: Final = 0x89
I64_ROTR: Final = 0x8A
F32_ABS: Final = 0x8B
F32_NEG: Final = 0x8C
F32_CEIL: Final = 0x8D
F32_FLOOR: Final = 0x8E
F32_TRUNC: Final = 0x8F
F32_NEAREST: Final = 0x90
F32_SQRT: Final = 0x91
F32_ADD: Final = 0x92
F32_SUB: Final = 0x93
F32_MUL: Final = 0x94
F32_DIV: Final = 0x95
F32_MIN: Final = 0x96
F32_MAX: Final = 0x97
F32_COPYSIGN: Final = 0x98
F64_ABS: Final = 0x99
F64_NEG: Final = 0x9A
F64_CEIL: Final = 0x9B
F64_FLOOR: Final = 0x9C
F64_TRUNC: Final = 0x9D
F64_NEAREST: Final = 0x9E
F64_SQRT: Final = 0x9F
F64_ADD: Final = 0xA0
F64_SUB: Final = 0xA1
F64_MUL: Final = 0xA2
F64_DIV: Final = 0xA3
F64_MIN: Final = 0xA4
F64_MAX: Final = 0xA5
F64_COPYSIGN: Final = 0xA6
I32_WRAP_I64: Final = 0xA7
I32_TRUNC_F32_S: Final = 0xA8
I32_TRUNC_F32_U: Final = 0xA9
I32_TRUNC_F64_S: Final = 0xAA
I32_TRUNC_F64_U: Final = 0xAB
I64_EXTEND_I32_S: Final = 0xAC
I64_EXTEND_I32_U: Final = 0xAD
I64_TRUNC_F32_S: Final = 0xAE
I64_TRUNC_F32_U: Final = 0xAF
I64_TRUNC_F64_S: Final = 0xB0
I64_TRUNC_F64_U: Final = 0xB1
F32_CONVERT_I32_S: Final = 0xB2
F32_CONVERT_I32_U: Final = 0xB3
F32_CONVERT_I64_S: Final = 0xB4
F32_CONVERT_I64_U: Final = 0xB5
F32_DEMOTE_F64: Final = 0xB6
F64_CONVERT_I32_S: Final = 0xB7
F64_CONVERT_I32_U: Final = 0xB8
F64_CONVERT_I64_S: Final = 0xB9
F64_CONVERT_I64_U: Final = 0xBA
F64_PROMOTE_F32: Final = 0xBB
I32_REINTERPRET_F32: Final = 0xBC
I64_REINTERPRET_F64: Final = 0xBD
F32_REINTERPRET_I32: Final = 0xBE
F64_REINTERPRET_I64: Final = 0xBF
I32_EXTEND8_S: Final = 0xC0
I32_EXTEND16_S: Final = 0xC1
I64_EXTEND8_S: Final = 0xC2
I64_EXTEND16_S: Final = 0xC3
I64_EXTEND32_S: Final = 0xC4
REF_IS_NULL: Final = 0xD1
REF_EQ: Final = 0xD3
REF_AS_NON_NULL: Final = 0xD4
BR_ON_NULL: Final = 0xD5
BR_ON_NON_NULL: Final = 0xD6
STRUCT_NEW: Final = 0xFB000
STRUCT_NEW_DEFAULT: Final = 0xFB001
STRUCT_GET: Final = 0xFB002
STRUCT_GET_S: Final = 0xFB003
STRUCT_GET_U: Final = 0xFB004
STRUCT_SET: Final = 0xFB005
ARRAY_NEW: Final = 0xFB006
ARRAY_NEW_DEFAULT: Final = 0xFB007
ARRAY_NEW_FIXED: Final = 0xFB008
ARRAY_NEW_DATA: Final = 0xFB009
ARRAY_NEW_ELEM: Final = 0xFB00A
ARRAY_GET: Final = 0xFB00B
ARRAY_GET_S: Final = 0xFB00C
ARRAY_GET_U: Final = 0xFB00D
ARRAY_SET: Final = 0xFB00E
ARRAY_LEN: Final = 0xFB00F
ARRAY_FILL: Final = 0xFB010
ARRAY_COPY: Final = 0xFB011
ARRAY_INIT_DATA: Final = 0xFB012
ARRAY_INIT_ELEM: Final = 0xFB013
REF_TEST: Final = 0xFB014
REF_TEST_NULL: Final = 0xFB015
REF_CAST: Final = 0xFB016
REF_CAST_NULL: Final = 0xFB017
BR_ON_CAST: Final = 0xFB018
BR_ON_CAST_FAIL: Final = 0xFB019
ANY_CONVERT_EXTERN: Final = 0xFB01A
EXTERN_CONVERT_ANY: Final = 0xFB01B
REF_I31: Final = 0xFB01C
I31_GET_S: Final = 0xFB01D
I31_GET_U: Final = 0xFB01E
I32_TRUNC_SAT_F32_S: Final = 0xFC000
I32_TRUNC_SAT_F32_U: Final = 0xFC001
I32_TRUNC_SAT_F64_S: Final = 0xFC002
I32_TRUNC_SAT_F64_U: Final = 0xFC003
I64_TRUNC_SAT_F32_S: Final = 0xFC004
I64_TRUNC_SAT_F32_U: Final = 0xFC005
I64_TRUNC_SAT_F64_S: Final = 0xFC006
I64_TRUNC_SAT_F64_U: Final = 0xFC007
MEMORY_INIT: Final = 0xFC008
DATA_DROP: Final = 0xFC009
MEMORY_COPY: Final = 0xFC00A
MEMORY_FILL: Final = 0xFC00B
TABLE_INIT: Final = 0xFC00C
ELEM_DROP: Final = 0xFC00D
TABLE_COPY: Final = 0xFC00E
TABLE_GROW: Final = 0xFC00F
TABLE_SIZE: Final = 0xFC010
TABLE_FILL: Final = 0xFC011
I64_ADD128: Final = 0xFC013
I64_SUB128: Final = 0xFC014
I64_MUL_WIDE_S: Final = 0xFC015
I64_MUL_WIDE_U: Final = 0xFC016
