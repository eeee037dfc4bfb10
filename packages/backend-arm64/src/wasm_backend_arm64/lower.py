"""Instruction selection: the class that has all handlers."""

from __future__ import annotations

from typing import Final

from wasm_backend_arm64.lower_conditions import ConditionLowering
from wasm_ir.codegen.selection import handlers
from wasm_ir.ir import Function

#: By operation.
_HANDLERS: Final = handlers(
    ConditionLowering,
    {
        "lower_min_max": "lower_float_binary",
        "lower_sign_bits": "lower_float_unary",
        "lower_round": "lower_float_unary",
        "lower_from_signed": "lower_from_integer",
        "lower_from_unsigned": "lower_from_integer",
    },
)


class Arm64Lowering(ConditionLowering):
    """Lowers one function."""

    def __init__(self, function: Function, features: frozenset[str]) -> None:
        super().__init__(function, features)
        self.handlers = _HANDLERS
