"""Layout of what host-call thunks and the runtime share."""

from __future__ import annotations

from typing import Final

from wasm_ir.vmcontext import Layout

#: What FUNCREF.host points to: PyObject pointers, kept alive by the Func.
HOST: Final = Layout(
    "callable",  # the Python function
    "core",  # its HostFunction
)
