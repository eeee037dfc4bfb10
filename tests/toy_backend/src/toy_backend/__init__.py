"""The smallest third-party backend: it lets another one generate the code and keeps a record of what was compiled."""

from __future__ import annotations

from wasm_backend_amd64 import Amd64Backend
from wasm_ir import CompiledCode
from wasm_ir.ir import Function

#: Names of the functions that were compiled, in order.
compiled: list[str] = []


class ToyBackend(Amd64Backend):
    """x86-64 code under another name."""

    name = "toy"

    def compile(self, function: Function) -> CompiledCode:
        compiled.append(function.name)
        return super().compile(function)
