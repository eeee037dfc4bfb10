"""Instruction selection: the class that has all handlers."""

from __future__ import annotations

from wasm_backend_arm64.lower_conditions import ConditionLowering
from wasm_ir import opcodes as op
from wasm_ir.codegen.selection import handlers
from wasm_ir.ir import Function

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: By operation.
_HANDLERS: Final = handlers(
    ConditionLowering,
    {
        "lower_float": (
            *(op.FADD, op.FSUB, op.FMUL, op.FDIV, op.FMIN, op.FMAX, op.FCOPYSIGN, op.FABS, op.FNEG),
            *(op.FSQRT, op.DEMOTE, op.PROMOTE, op.FCEIL, op.FFLOOR, op.FTRUNC, op.FNEAREST),
            *(op.FTOI_S, op.FTOI_U, op.FTOI_SAT_S, op.FTOI_SAT_U, op.ITOF_S, op.ITOF_U, op.BITCAST),
        ),
        "lower_vector": (*range(op.V_SPLAT, op.V_PROMOTE + 1),),
    },
)


class Arm64Lowering(ConditionLowering):
    """Lowers one function."""

    def __init__(self, function: Function, features: frozenset[str]) -> None:
        super().__init__(function, features)
        self.handlers = _HANDLERS
