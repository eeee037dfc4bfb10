"""Instruction selection, the part about operands that no architecture sees differently."""

from __future__ import annotations

from wasm_core.lazy_typing import mypyc_attr
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.lowering import Lowering
from wasm_ir.codegen.machinst import FIRST_VREG, MInst
from wasm_ir.codegen.vocabulary import Vocabulary
from wasm_ir.ir import Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_CONST: Final = op.CONST
_EXTEND_U: Final = op.EXTEND_U
_WRAP: Final = op.WRAP
_VMCTX: Final = op.VMCTX
_MEMORY_BASE: Final = op.MEMORY_BASE
_I32: Final = types.I32
_I64: Final = types.I64
_V128: Final = types.V128
_HEAP_LOAD: Final = op.HEAP_LOAD
_HEAP_LOAD_LAST: Final = op.HEAP_LOAD32_U
_FULL_LOADS: Final[tuple[int, ...]] = (op.LOAD, op.HEAP_LOAD)

#: Operations of which `use` does not simply take a register.
_ELSEWHERE: Final = [False] * op.COUNT
for _code in (_EXTEND_U, _CONST, _VMCTX, _MEMORY_BASE, _WRAP):
    _ELSEWHERE[_code] = True
#: Loads that may fault -> the same ones that may not.
PLAIN_LOADS: Final = {
    **{code: code for code in range(op.LOAD, op.LOAD_INVARIANT)},
    op.LOAD_INVARIANT: op.LOAD,
    **{code: code - op.HEAP_LOAD + op.LOAD for code in range(op.HEAP_LOAD, op.HEAP_LOAD32_U + 1)},
}
#: Width in bytes of store8, store16 and store32; `store` is as wide as its value.
NARROW_STORES: Final = {op.STORE8: 1, op.STORE16: 2, op.STORE32: 4}

#: i64 operations whose result has a clear upper half.
_ZERO_EXTENDED: Final = frozenset(
    (
        *(op.EXTEND_U, op.LOAD8_U, op.LOAD16_U, op.LOAD32_U),
        *(op.HEAP_LOAD8_U, op.HEAP_LOAD16_U, op.HEAP_LOAD32_U),
        *(op.CLZ, op.CTZ, op.POPCNT),
    )
)
#: Operations that do not change what a narrow store stores -> how many bits they keep.
_KEPT_BITS: Final = {
    op.WRAP: 32,
    op.EXTEND_U: 32,
    op.EXTEND_S: 32,
    op.SEXT8: 8,
    op.SEXT16: 16,
    op.SEXT32: 32,
}


def signed(value_type: int, bits: int) -> int:
    """The signed number with these bits."""
    if value_type == _I32:
        return (bits ^ 0x8000_0000) - 0x8000_0000
    return (bits ^ 0x8000_0000_0000_0000) - 0x8000_0000_0000_0000


@mypyc_attr(allow_interpreted_subclasses=True)
class OperandLowering(Lowering):
    """Finds operands in registers, which hold i32 zero-extended to 64 bits."""

    def __init__(self, function: Function, vocabulary: Vocabulary) -> None:
        super().__init__(function)
        self.vocabulary = vocabulary

    def use(self, value: Inst) -> int:
        """A register that holds `value`. Zero extension costs nothing: registers hold i32 zero-extended."""
        vreg = self.vregs[value.id]
        if vreg:
            return vreg
        if not _ELSEWHERE[value.op]:
            # What new_vreg does, without the call.
            vreg_types = self.machine.vreg_types
            vreg = self.vregs[value.id] = FIRST_VREG + len(vreg_types)
            vreg_types.append(value.type)
            return vreg
        operation = value.op
        while operation == _EXTEND_U:
            value = value.args[0]
            vreg = self.vregs[value.id]
            if vreg:
                return vreg
            operation = value.op
        if operation == _CONST:
            if value.type == _V128:
                return self.vector_constant(value.imm)
            vreg = self.machine.new_vreg(value.type)
            self.load_constant(vreg, value)
            return vreg
        if operation == _VMCTX:
            return self.vocabulary.context_register
        if operation == _MEMORY_BASE:
            return self.vocabulary.memory_register
        if operation == _WRAP and _is_zero_extended(value.args[0]):
            return self.use(value.args[0])
        vreg = self.vregs[value.id] = self.machine.new_vreg(value.type)
        return vreg

    def low(self, value: Inst) -> int:
        """A register whose low 32 bits are `value`, for instructions that look no further."""
        while value.op == _WRAP and self.vregs[value.id] == 0:
            value = value.args[0]
        return self.use(value)

    def is_inner(self, value: Inst) -> bool:
        """Whether an operand's work can be done by its only user."""
        return self.use_counts[value.id] == 1 and self.vregs[value.id] == 0

    def carry_operands(self, value: Inst) -> tuple[Inst, Inst] | None:
        """The i64 operands of a comparison that nobody else uses, when an operand is 1 if the first is below the second
        (without signs), else 0: a processor's carry or borrow."""
        if value.op != _EXTEND_U or not self.is_inner(value):
            return None
        condition = value.args[0]
        if condition.op != op.ICMP or not self.is_inner(condition):
            return None
        below, above = condition.args
        if condition.imm == op.GT_U:
            below, above = above, below
        elif condition.imm != op.LT_U:
            return None
        if below.type != _I64 or below.op == _CONST or above.op == _CONST:
            return None
        return below, above

    def register(self, value: Inst, value_type: int) -> int:
        """An operand of an instruction of type `value_type`."""
        return self.low(value) if value_type == _I32 else self.use(value)

    def pinned(self, value: Inst) -> int:
        operation = value.op
        if operation == _VMCTX:
            return self.vocabulary.context_register
        return self.vocabulary.memory_register if operation == _MEMORY_BASE else -1

    # Constants.

    def constant(self, value_type: int, bits: int) -> int:
        """A register that holds an integer constant."""
        vreg = self.machine.new_vreg(value_type)
        self.emit(MInst(self.vocabulary.constant, [vreg], [], bits))
        return vreg

    def load_constant(self, vreg: int, constant: Inst) -> None:
        vocabulary = self.vocabulary
        value_type = constant.type
        operation = vocabulary.constant if value_type <= _I64 else vocabulary.float_constants[value_type]
        self.emit(MInst(operation, [vreg], [], constant.imm))

    def vector_constant(self, bits: int) -> int:
        """A register that holds a vector: loaded here, or in front of the loop around this. Zeros cost nothing."""
        machine = self.machine
        vocabulary = self.vocabulary
        if bits and vocabulary.loop_registers:
            constants = self.loop_constants
            if constants is None:
                from wasm_ir.codegen.loop_constants import LoopConstants

                constants = self.loop_constants = LoopConstants(self.function, vocabulary.loop_registers)
            vreg = constants.find(self._block, bits)
            if vreg:
                return vreg
            vreg = machine.new_vreg(_V128)
            if constants.keep(self._block, bits, vreg):
                return vreg
        else:
            vreg = machine.new_vreg(_V128)
        self.emit(MInst(vocabulary.float_constants[_V128], [vreg], [], bits))
        return vreg

    def load_loop_constants(self, constants: list[tuple[int, int]]) -> None:
        operation = self.vocabulary.float_constants[_V128]
        for bits, vreg in constants:
            self.emit(MInst(operation, [vreg], [], bits))

    # Memory.

    def is_operand(self, value: Inst, value_type: int) -> bool:
        """Whether `value` is a load of exactly this type that the instruction being lowered can do itself."""
        return value.op in _FULL_LOADS and value.type == value_type and self.can_sink(value)

    def fault_offset(self, access: Inst) -> int:
        """For MInst.offset: where a load came from in the module if it can fault, else 0."""
        return access.offset if _HEAP_LOAD <= access.op <= _HEAP_LOAD_LAST else 0

    def stored_part(self, value: Inst, width: int) -> Inst:
        """What is left of a value of which only `width` bytes are stored."""
        bits = 8 * width
        while self.vregs[value.id] == 0:
            kept = _KEPT_BITS.get(value.op, 0)
            if kept < bits:
                if value.op != op.AND or value.args[1].op != _CONST:
                    break
                if ~value.args[1].imm & (1 << bits) - 1:
                    break
            value = value.args[0]
        return value


def _is_zero_extended(value: Inst) -> bool:
    operation = value.op
    if operation in _ZERO_EXTENDED:
        return True
    args = value.args
    if operation == op.SHR_U:
        return args[1].op == _CONST and args[1].imm & 63 >= 32
    return operation == op.AND and (args[1].op == _CONST and args[1].imm <= 0xFFFF_FFFF)
