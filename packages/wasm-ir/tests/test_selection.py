"""The table of handlers: the shared part, what a class does by methods of its own, and what it does not have."""

from __future__ import annotations

from wasm_ir import opcodes as op
from wasm_ir.codegen.selection import Selection, handlers
from wasm_ir.ir import Inst


class Some(Selection):
    """A backend's class with a few handlers."""

    def lower_iadd(self, inst: Inst) -> None: ...

    def lower_shift(self, inst: Inst) -> None: ...

    def lower_float_unary(self, inst: Inst) -> None: ...

    def lower_vector(self, inst: Inst) -> None: ...


def test_handlers() -> None:
    table = handlers(Some, {"lower_float_unary": (op.FABS,), "lower_vector": (op.V_ADD, op.V_SUB)})
    assert len(table) == op.COUNT
    assert table[op.IADD] is Some.lower_iadd
    assert table[op.SHL] is table[op.SHR_U] is Some.lower_shift
    assert table[op.FABS] is table[op.FSQRT] is Some.lower_float_unary
    assert table[op.V_ADD] is table[op.V_SUB] is Some.lower_vector
    # Inherited ones count, missing ones are missing: their operations are refused when they are met.
    assert table[op.CALL] is Selection.lower_call
    assert table[op.ISUB] is table[op.FNEG] is None


def test_tables_of_different_classes_are_different() -> None:
    assert handlers(Some)[op.FABS] is None
    assert handlers(Some)[op.V_ADD] is None
