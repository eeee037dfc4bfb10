"""Backends without vectors: functions that use some are refused before they get there."""

from __future__ import annotations

from wasm_core.errors import CompileError
from wasm_ir.ir import Call, Function
from wasm_ir.types import V128


def refuse_vectors(function: Function) -> None:
    """Raises CompileError if the function uses vectors, with the byte offset of the first instruction that does."""
    signature = function.signature
    if V128 in signature.params or V128 in signature.results:
        _refuse(0)
    for block in function.blocks:
        for param in block.params:
            if param.type == V128:
                _refuse(0)
        for inst in block.insts:
            if inst.type == V128:
                _refuse(inst.offset)
            for arg in inst.args:
                if arg.type == V128:
                    _refuse(inst.offset)
            if isinstance(inst, Call) and (V128 in inst.signature.params or V128 in inst.signature.results):
                _refuse(inst.offset)
        terminator = block.terminator
        if terminator is not None:
            for arg in terminator.args:
                if arg.type == V128:
                    _refuse(terminator.offset)


def _refuse(offset: int) -> None:
    raise CompileError("SIMD execution is not supported", offset or None)
