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

#: What callbacks for host functions say when the result is to be waited for (0: it is there, 1: an exception is set).
SUSPEND: Final = 2

#: What a call that can be suspended has for its entries.
CALL: Final = Layout(
    "context",  # VMContext of the function's instance
    "state",  # CALL_*
    "store",  # StoreContext that it has run in
    "start",  # FUNCREF of `suspension.start`
    "function",  # FUNCREF of the function
    "slots",  # address of the slots for arguments and results
    "frames",  # PyObject* of a bytearray: the frames while it is suspended, `frames_size` bytes
    "frames_size",
    "outer",  # PyObject* of a bytearray: frames of others that were where its own are while it runs
    "outer_size",
)

CALL_NEW: Final = 0
CALL_RUNNING: Final = 1
CALL_SUSPENDED: Final = 2
CALL_ENDED: Final = 3
