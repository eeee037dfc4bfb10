"""Integer instructions that take more than one encoding: division and counting bits."""

from __future__ import annotations

from wasm_backend_arm64 import assembler as asm
from wasm_backend_arm64 import encodings as e
from wasm_backend_arm64.conditions import COMPARE, Comparison, Registers
from wasm_backend_arm64.operands import branch, branch_zero
from wasm_backend_arm64.registers import FLOAT_SCRATCH, SCRATCH, SCRATCH2, ZR
from wasm_core.errors import TrapCode
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.machinst import MInst, MOp

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_ir.codegen.emission import Emitter

_I32, _I64 = types.I32, types.I64

# What a division must check (MInst.imm); divisors that are constants need less.
CHECK_ZERO: Final = 1
CHECK_MINUS_ONE: Final = 2


class Divide(MOp):
    """d = quotient or remainder of x by y. The instructions never trap: the checks are ours."""

    __slots__ = ("operation", "wide")

    def __init__(self, operation: int, value_type: int) -> None:
        super().__init__(f"{op.NAMES[operation]}.{types.NAMES[value_type]}")
        self.operation = operation
        self.wide = value_type == _I64

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        dividend, divisor = inst.uses
        code = emitter.code
        wide = self.wide
        operation = self.operation
        if inst.imm & CHECK_ZERO:
            label = emitter.trap_label(TrapCode.INTEGER_DIVIDE_BY_ZERO, inst.offset)
            branch_zero(emitter, e.CBZ_RL64 if wide else e.CBZ_RL32, divisor, label)
        if inst.imm & CHECK_MINUS_ONE and operation == op.DIV_S:
            # Overflow is when the divisor is -1 and subtracting one from the dividend overflows.
            asm.rri(code, e.ADDS_RRI64 if wide else e.ADDS_RRI32, ZR, divisor, 1)
            asm.ccmp(code, e.CCMP_RIC64 if wide else e.CCMP_RIC32, dividend, 1, 0, e.CC_EQ)
            branch(emitter, e.CC_VS, emitter.trap_label(TrapCode.INTEGER_OVERFLOW, inst.offset))
        if operation == op.DIV_S or operation == op.REM_S:
            divide = e.SDIV_RRR64 if wide else e.SDIV_RRR32
        else:
            divide = e.UDIV_RRR64 if wide else e.UDIV_RRR32
        if operation == op.DIV_S or operation == op.DIV_U:
            asm.rrr(code, divide, inst.defs[0], dividend, divisor)
        else:
            # INT_MIN / -1 gives INT_MIN, which makes the remainder 0, as it should be.
            asm.rrr(code, divide, SCRATCH, dividend, divisor)
            multiply = e.MSUB_RRRR64 if wide else e.MSUB_RRRR32
            asm.rrrr(code, multiply, inst.defs[0], SCRATCH, divisor, dividend)


class PopulationCount(MOp):
    """d = number of ones in s: there is an instruction for the bytes of a vector."""

    __slots__ = ("wide",)

    def __init__(self, name: str, wide: bool) -> None:
        super().__init__(name)
        self.wide = wide

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        asm.rr(code, e.FMOV_RX64 if self.wide else e.FMOV_RX32, FLOAT_SCRATCH, inst.uses[0])
        asm.rr(code, e.CNT_RR8B, FLOAT_SCRATCH, FLOAT_SCRATCH)
        asm.rr(code, e.ADDV_RR8B, FLOAT_SCRATCH, FLOAT_SCRATCH)
        asm.rr(code, e.FMOV_XR32, inst.defs[0], FLOAT_SCRATCH)


class CompareExchange(MOp):
    """d = memory at uses[0] + imm, which becomes uses[2] if it was uses[1]: tried until nobody came between."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("compare_exchange", late=True)

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        address, expected, replacement = inst.uses
        found = inst.defs[0]
        if inst.imm:
            asm.rri(code, e.ADD_RRI64, SCRATCH2, address, inst.imm)
            address = SCRATCH2
        again, done = emitter.buffer.new_label(), emitter.buffer.new_label()
        emitter.buffer.bind(again)
        asm.rr(code, e.LDAXR_RR64, found, address)
        asm.rrr(code, e.SUBS_RRR64, ZR, found, expected)
        branch(emitter, e.CC_NE, done)
        asm.rrr(code, e.STLXR_RRR64, replacement, address, SCRATCH)
        branch_zero(emitter, e.CBNZ_RL32, SCRATCH, again)
        emitter.buffer.bind(done)


class WithCarry(MOp):
    """d = uses[0] + uses[1] and 1 more when the sum of uses[2] and uses[3] has a carry; or uses[0] - uses[1] and 1 less
    when uses[2] is below uses[3]."""

    __slots__ = ("comparison", "word")

    def __init__(self, comparison: Comparison, encoding: e.Encoding) -> None:
        super().__init__(f"{encoding.name}.{comparison.name}")
        self.comparison = comparison
        self.word = encoding.word

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        self.comparison.emit(emitter, inst, 2, 0)
        uses = inst.uses
        emitter.code += asm.pack(self.word | inst.defs[0] & 31 | (uses[0] & 31) << 5 | (uses[1] & 31) << 16)


#: By operation << 3 | type.
DIVIDE: Final = {
    code << 3 | t: Divide(code, t) for code in (op.DIV_S, op.DIV_U, op.REM_S, op.REM_U) for t in (_I32, _I64)
}
COMPARE_EXCHANGE: Final = CompareExchange()
POPULATION_COUNT: Final = {
    _I32: PopulationCount("popcnt.i32", False),
    _I64: PopulationCount("popcnt.i64", True),
}
#: By operation, on i64.
WITH_CARRY: Final = {
    op.IADD: WithCarry(Registers("cmn.i64", e.ADDS_RRR64.word | ZR, 2), e.ADC_RRR64),
    op.ISUB: WithCarry(COMPARE[_I64], e.SBC_RRR64),
}
