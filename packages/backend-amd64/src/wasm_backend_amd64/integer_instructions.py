"""Integer instructions that take more than one encoding: division, shifts by cl, bit counts of old processors."""

from __future__ import annotations

from wasm_backend_amd64 import assembler as asm
from wasm_backend_amd64 import encodings as e
from wasm_backend_amd64.assembler import rr as _rr
from wasm_backend_amd64.encodings import CC_E, CC_NE, CC_O, Encoding
from wasm_backend_amd64.operands import branch, rm_constant, rm_frame
from wasm_backend_amd64.registers import RAX, RDX
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
    """rax, rdx = quotient and remainder of rax by uses[0] (which is in neither)."""

    __slots__ = ("operation", "value_type")

    def __init__(self, operation: int, value_type: int) -> None:
        super().__init__(f"{op.NAMES[operation]}.{types.NAMES[value_type]}", late=True)
        self.operation = operation
        self.value_type = value_type

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        divisor = inst.uses[0]
        code = emitter.code
        wide = self.value_type == _I64
        if inst.imm & CHECK_ZERO:
            _rr(code, e.TEST_RR64 if wide else e.TEST_RR32, divisor, divisor)
            branch(emitter, CC_E, emitter.trap_label(TrapCode.INTEGER_DIVIDE_BY_ZERO, inst.offset))
        if self.operation == op.DIV_U or self.operation == op.REM_U:
            _rr(code, e.XOR_RR32, RDX, RDX)
            asm.r(code, e.DIV_R64 if wide else e.DIV_R32, divisor)
            return
        done = -1
        if inst.imm & CHECK_MINUS_ONE:
            asm.ri(code, e.CMP_RI64 if wide else e.CMP_RI32, divisor, -1)
            usual = asm.jcc8(code, CC_NE)
            if self.operation == op.REM_S:
                _rr(code, e.XOR_RR32, RDX, RDX)
                done = asm.jmp8(code)
            else:
                # Subtracting one overflows for the smallest number alone.
                asm.ri(code, e.CMP_RI64 if wide else e.CMP_RI32, RAX, 1)
                branch(emitter, CC_O, emitter.trap_label(TrapCode.INTEGER_OVERFLOW, inst.offset))
            asm.patch_rel8(code, usual, len(code))
        code += e.CQO if wide else e.CDQ
        asm.r(code, e.IDIV_R64 if wide else e.IDIV_R32, divisor)
        if done >= 0:
            asm.patch_rel8(code, done, len(code))


class MultiplyHigh(MOp):
    """rdx = high half of rax * uses[0], which may be spilled, or without uses of rax * the constant imm of the pool."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: Encoding) -> None:
        super().__init__(name, stack_use=0)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        code = emitter.code
        if not inst.uses:
            rm_constant(emitter, self.encoding, self.encoding.digit, inst.imm, 8)
        elif inst.uses[0] >= 0:
            asm.r(code, self.encoding, inst.uses[0])
        else:
            rm_frame(emitter, self.encoding, self.encoding.digit, inst.uses[0])


class CompareExchange(MOp):
    """rax = memory, which becomes uses[0] if it was rax; then the base and perhaps the index (neither is rax)."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("compare_exchange")

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        uses = inst.uses
        index = uses[2] if len(uses) > 2 else -1
        asm.rm(emitter.code, e.LOCK_CMPXCHG_MR64, uses[0], uses[1], index, inst.imm & 3, inst.imm >> 2)


class ShiftByCl(MOp):
    """rax = rax shifted or rotated by cl."""

    __slots__ = ("encoding",)

    def __init__(self, name: str, encoding: Encoding) -> None:
        super().__init__(name)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        asm.r(emitter.code, self.encoding, RAX)


class ScanBits(MOp):
    """clz and ctz by bsr and bsf, which leave their destination alone when the source is zero."""

    __slots__ = ("bits", "encoding", "forward")

    def __init__(self, name: str, encoding: Encoding, forward: bool, bits: int) -> None:
        super().__init__(name)
        self.encoding = encoding
        self.forward = forward
        self.bits = bits

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        code = emitter.code
        _rr(code, self.encoding, destination, inst.uses[0])
        found = asm.jcc8(code, CC_NE)
        asm.ri(code, e.MOV_RI32, destination, self.bits if self.forward else 2 * self.bits - 1)
        asm.patch_rel8(code, found, len(code))
        if not self.forward:
            asm.ri(code, e.XOR_RI32, destination, self.bits - 1)


class WithCarry(MOp):
    """d = uses[0] + uses[1] (or -), and 1 more (or less) when uses[2] is below uses[3], both unsigned i64."""

    __slots__ = ("encoding",)

    def __init__(self, encoding: Encoding) -> None:
        super().__init__(f"{encoding.name}.i64.rr", tied=True, stack_use=1)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, second, below, above = inst.uses
        code = emitter.code
        if destination != first:
            asm.rr(code, e.MOV_RR64, destination, first)
        asm.rr(code, e.CMP_RR64, below, above)
        if second >= 0:
            asm.rr(code, self.encoding, destination, second)
        else:
            rm_frame(emitter, self.encoding, destination, second)


class WithCarryImm(MOp):
    """The same with the immediate instead of uses[1]; uses[1] and uses[2] are compared."""

    __slots__ = ("encoding",)

    def __init__(self, encoding: Encoding) -> None:
        super().__init__(f"{encoding.name}.i64.ri", tied=True, stack_use=2)
        self.encoding = encoding

    def emit(self, emitter: Emitter, inst: MInst) -> None:
        destination = inst.defs[0]
        first, below, above = inst.uses
        code = emitter.code
        if destination != first:
            asm.rr(code, e.MOV_RR64, destination, first)
        if above >= 0:
            asm.rr(code, e.CMP_RR64, below, above)
        else:
            rm_frame(emitter, e.CMP_RM64, below, above)
        asm.ri(code, self.encoding, destination, inst.imm)


# Tables by operation << 3 | type.
DIVIDE: Final = {
    code << 3 | t: Divide(code, t) for code in (op.DIV_S, op.DIV_U, op.REM_S, op.REM_U) for t in (_I32, _I64)
}
#: By operation.
MULTIPLY_HIGH: Final = {
    op.MULHI_S: MultiplyHigh("imul.high", e.IMUL_R64),
    op.MULHI_U: MultiplyHigh("mul.high", e.MUL_R64),
}
COMPARE_EXCHANGE: Final = CompareExchange()
SHIFT_BY_CL: Final = {
    code << 3 | t: ShiftByCl(f"{op.NAMES[code]}.cl", encoding)
    for code, encodings in (
        (op.SHL, (e.SHL_R32, e.SHL_R64)),
        (op.SHR_S, (e.SAR_R32, e.SAR_R64)),
        (op.SHR_U, (e.SHR_R32, e.SHR_R64)),
        (op.ROTL, (e.ROL_R32, e.ROL_R64)),
        (op.ROTR, (e.ROR_R32, e.ROR_R64)),
    )
    for t, encoding in zip((_I32, _I64), encodings)
}
#: Bit counts without lzcnt and bmi1.
SCAN_BITS: Final[dict[int, MOp]] = {
    op.CLZ << 3 | _I32: ScanBits("clz.bsr.i32", e.BSR_RR32, False, 32),
    op.CLZ << 3 | _I64: ScanBits("clz.bsr.i64", e.BSR_RR64, False, 64),
    op.CTZ << 3 | _I32: ScanBits("ctz.bsf.i32", e.BSF_RR32, True, 32),
    op.CTZ << 3 | _I64: ScanBits("ctz.bsf.i64", e.BSF_RR64, True, 64),
}
#: By operation.
WITH_CARRY: Final = {op.IADD: WithCarry(e.ADC_RR64), op.ISUB: WithCarry(e.SBB_RR64)}
WITH_CARRY_IMM: Final = {op.IADD: WithCarryImm(e.ADC_RI64), op.ISUB: WithCarryImm(e.SBB_RI64)}
