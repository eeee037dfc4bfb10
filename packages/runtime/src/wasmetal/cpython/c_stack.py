"""How deep calls may nest on a thread's own stack, which host functions and the C library run on.

A thread's limit is in thread-specific data (pthread_getspecific(3), TlsGetValue): inverted, so that 0 is a thread whose
limit nobody has asked for, and on which an entry thunk lets nothing through.
"""

from __future__ import annotations

import ctypes

from wasm_core.errors import Trap, TrapCode
from wasm_ir.vmcontext import Layout
from wasmetal.system.hold import FREE_THREADED, exclusive
from wasmetal.system.host import host

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Bytes below the limit, of large stacks (of small ones it is the half): for host functions and what they call in C.
RESERVE: Final = 1 << 18

#: What entry thunks read.
C_STACK: Final = Layout("thread_value", "key")

_INVERT: Final = (1 << 64) - 1
_KEY: Final = host.new_thread_key()
_words: Final = (ctypes.c_uint64 * (C_STACK.size // 8))(host.address_of(host.THREAD_VALUE), _KEY)
ADDRESS: Final = ctypes.addressof(_words)
# Finalizers may call functions until the very end, when modules have been cleared.
ctypes.pythonapi.Py_IncRef(ctypes.py_object(_words))


def learn() -> bool:
    """Set the calling thread's limit. Returns whether it had none."""
    if host.thread_value(_KEY):
        return False
    stack, limit = _look()
    _set_limit(limit if stack else 0)
    return True


def make_room(address: int) -> None:
    """Let the calling thread go on at `address`, a place on its stack where an entry thunk refused to.

    Raises:
        Trap: "call stack exhausted".
    """
    if FREE_THREADED:
        # It may have refused because of somebody who has taken the store there.
        with exclusive():
            pass
    stack, limit = _look()
    # Elsewhere: a coroutine of C code, with a stack that we know nothing about.
    known = address in stack
    _set_limit(limit if known else 0)
    if known and address < limit:
        raise Trap(TrapCode.CALL_STACK_EXHAUSTED)


def _look() -> tuple[range, int]:
    """Where the calling thread's stack is (nowhere if the system does not tell: without /proc), and its limit."""
    try:
        lowest, size = host.thread_stack()
    except OSError:
        lowest, size = 0, 0
    return range(lowest, lowest + size), lowest + min(RESERVE, size // 2)


def _set_limit(limit: int) -> None:
    """Set the calling thread's limit; 0: it is not checked."""
    host.set_thread_value(_KEY, limit ^ _INVERT)
