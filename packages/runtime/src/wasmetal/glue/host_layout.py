"""Layout of what host-call thunks and the runtime share."""

from __future__ import annotations

from wasm_ir.vmcontext import Layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: What FUNCREF.host points to: PyObject pointers, kept alive by the Func.
HOST: Final = Layout(
    "callable",  # the Python function
    "core",  # its HostFunction
)
