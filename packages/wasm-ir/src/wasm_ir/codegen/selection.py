"""Instruction selection: which handler of a backend lowers which operation, and what the processor may be asked for."""

from __future__ import annotations

from collections.abc import Callable

from wasm_core.errors import CompileError
from wasm_core.lazy_typing import mypyc_attr
from wasm_ir import opcodes as op
from wasm_ir import types
from wasm_ir.codegen.call_lowering import CallLowering
from wasm_ir.codegen.machinst import MOp
from wasm_ir.codegen.vocabulary import Vocabulary
from wasm_ir.ir import Function, Inst

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

Handler = Callable[["Selection", Inst], None]

#: Method of a backend's class -> the operations that it lowers.
_METHODS: Final[dict[str, tuple[int, ...]]] = {
    "lower_callee": (op.CALLEE,),
    "lower_result": (op.RESULT,),
    "lower_stack_slot": (op.STACK_SLOT,),
    "lower_load": (*range(op.LOAD, op.LOAD_INVARIANT + 1), *range(op.HEAP_LOAD, op.HEAP_LOAD32_U + 1)),
    "lower_store": (*range(op.STORE, op.STORE32 + 1), *range(op.HEAP_STORE, op.HEAP_STORE32 + 1)),
    "lower_compare_exchange": (op.COMPARE_EXCHANGE,),
    "lower_iadd": (op.IADD,),
    "lower_isub": (op.ISUB,),
    "lower_imul": (op.IMUL,),
    "lower_multiply_high": (op.MULHI_S, op.MULHI_U),
    "lower_divide": (op.DIV_S, op.DIV_U, op.REM_S, op.REM_U),
    "lower_and": (op.AND,),
    "lower_or": (op.OR,),
    "lower_xor": (op.XOR,),
    "lower_shift": (op.SHL, op.SHR_S, op.SHR_U),
    "lower_rotate": (op.ROTL, op.ROTR),
    "lower_count_bits": (op.CLZ, op.CTZ, op.POPCNT),
    "lower_sign_extension": (op.SEXT8, op.SEXT16, op.SEXT32, op.EXTEND_S),
    "lower_wrap": (op.WRAP,),
    "lower_set": (op.ICMP, op.FCMP),
    "lower_select": (op.SELECT,),
    "lower_float_binary": (op.FADD, op.FSUB, op.FMUL, op.FDIV),
    "lower_min_max": (op.FMIN, op.FMAX),
    "lower_copysign": (op.FCOPYSIGN,),
    "lower_sign_bits": (op.FABS, op.FNEG),
    "lower_float_unary": (op.FSQRT, op.DEMOTE, op.PROMOTE),
    "lower_round": (op.FCEIL, op.FFLOOR, op.FTRUNC, op.FNEAREST),
    "lower_to_integer": (op.FTOI_S, op.FTOI_U, op.FTOI_SAT_S, op.FTOI_SAT_U),
    "lower_from_signed": (op.ITOF_S,),
    "lower_from_unsigned": (op.ITOF_U,),
    "lower_bitcast": (op.BITCAST,),
    "lower_call": (op.CALL,),
    "lower_call_ref": (op.CALL_REF,),
    "lower_call_native": (op.CALL_NATIVE,),
    "lower_enter": (op.ENTER,),
    "lower_poll": (op.POLL,),
    "lower_trap_if": (op.TRAP_IF,),
    "lower_jump_inst": (op.JUMP,),
    "lower_brif": (op.BRIF,),
    "lower_br_table": (op.BR_TABLE,),
    "lower_return": (op.RETURN,),
    "lower_trap": (op.TRAP,),
    "lower_unwind": (op.UNWIND,),
    "lower_invoke": (op.INVOKE,),
    "lower_throw": (op.THROW,),
    "lower_return_call": (op.RETURN_CALL,),
    "lower_return_call_ref": (op.RETURN_CALL_REF,),
}


def handlers(lowering: type[Selection], own: dict[str, tuple[int, ...]] | None = None) -> list[Handler | None]:
    """By operation: the handler that a class has for it. `own`: what it lowers by other methods than those above."""
    table: list[Handler | None] = [None] * op.COUNT
    for methods in (_METHODS, own or {}):
        for name, operations in methods.items():
            handler = getattr(lowering, name, None)
            for operation in operations:
                table[operation] = handler
    return table


@mypyc_attr(allow_interpreted_subclasses=True)
class Selection(CallLowering):
    """Finds the handler of each instruction. A backend's classes have the methods named above and `handlers`."""

    def __init__(self, function: Function, vocabulary: Vocabulary, features: frozenset[str]) -> None:
        """`features`: names of the processor features that code may use."""
        super().__init__(function, vocabulary)
        self.features = features
        self.handlers: list[Handler | None] = []

    def has(self, operation: MOp) -> bool:
        """Whether the processor has this instruction."""
        return operation.feature == "" or operation.feature in self.features

    def lower_inst(self, inst: Inst) -> None:
        """Raises CompileError for what the backend does not have."""
        handler = self.handlers[inst.op]
        if handler is None or (inst.type == types.V128 and not self.vocabulary.vectors):
            raise CompileError(
                f"the {self.vocabulary.name} backend has no {types.NAMES[inst.type]} {op.NAMES[inst.op]}"
            )
        handler(self, inst)
