"""What machine code has to know about CPython: addresses of its C functions, and where objects keep what.

Layouts of ints and floats are not part of the stable ABI, so each is checked on known objects at import; where a
check fails, generated code asks the C API instead.
"""

from __future__ import annotations

import ctypes
import os
import sys

from wasm_core.errors import WasmError
from wasmetal.system.hold import FREE_THREADED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

if sys.implementation.name != "cpython":
    raise WasmError(
        f"wasmetal needs CPython: its calls are built on CPython's C API (this is {sys.implementation.name})"
    )
# PEP 703. 3.13's builds were an experiment: where the stack gets scarce they put off deallocating what releases locks
# (`system.hold`), and threads wait for ever. Other processors do not keep the order of stores to memory, which
# structures that threads share rely on.
_machine: Final = os.uname()[::4] if FREE_THREADED and hasattr(os, "uname") else ()
if FREE_THREADED and not (sys.version_info >= (3, 14) and _machine == ("Linux", "x86_64")):
    raise WasmError(
        "wasmetal supports free-threaded builds of CPython from 3.14 on, on Linux and x86-64; use a build with the GIL"
    )


def _interpreter(name: str) -> int | None:
    get = ctypes.pythonapi[name]  # not the attribute, which is everybody's
    get.restype = ctypes.c_void_p
    state: int | None = get()
    return state


# Signal handlers, the ticker's thread and the code that both run are there once for the process, and would be gone with
# the interpreter that made them.
if _interpreter("PyInterpreterState_Get") != _interpreter("PyInterpreterState_Main"):
    raise WasmError("wasmetal runs in the main interpreter of a process, not in subinterpreters (PEP 734)")

#: Size of the header that every object has; its last word is the type.
HEAD: Final = object.__basicsize__
OB_TYPE: Final = HEAD - 8
#: Offset of the first item of a tuple.
TUPLE_ITEMS: Final = tuple.__basicsize__

#: Bit of vectorcall's `nargsf`: the callee may change args[-1] for the time of the call (PEP 590).
VECTORCALL_ARGUMENTS_OFFSET: Final = 1 << 63

# Ways in which an int of one digit ("compact") is laid out; in both, the digit (4 bytes, unsigned) follows 8 bytes that
# tell sign and number of digits.
#: Not known: use the C API.
INT_UNKNOWN: Final = 0
#: CPython 3.11: `ob_size`, the number of digits, negative for negative ints. Compact: -1, 0 or 1.
INT_OB_SIZE: Final = 1
#: CPython 3.12 and later: `lv_tag`, the number of digits << 3 | sign; sign is 0 for positive ints, 1 for zero, 2 for
#: negative ones. Compact: less than 16.
INT_LV_TAG: Final = 2

INT_SIZE: Final = HEAD
INT_DIGIT: Final = HEAD + 8

_CHECKED_INTS: Final = (0, 1, -1, 2, 256, 257, -5, -6, 123456789, -123456789, (1 << 30) - 1, 1 - (1 << 30))
_CHECKED_BIG_INTS: Final = (1 << 30, -(1 << 30), (1 << 31) - 1, -(1 << 31), (1 << 60) - 1, 1 << 60, 1 << 64, -(1 << 90))


def decode_compact_int(layout: int, value: int) -> int | None:
    """Read an int from its memory in the way generated code does: None when it is not compact in this layout."""
    size = ctypes.c_int64.from_address(id(value) + INT_SIZE).value
    digit = ctypes.c_uint32.from_address(id(value) + INT_DIGIT).value
    if layout == INT_OB_SIZE:
        return digit * size if -1 <= size <= 1 else None
    return digit * (1 - (size & 3)) if 0 <= size < 16 else None


def _int_layout() -> int:
    layout = INT_LV_TAG if sys.version_info >= (3, 12) else INT_OB_SIZE
    right = all(decode_compact_int(layout, value) == value for value in _CHECKED_INTS) and all(
        decode_compact_int(layout, value) is None for value in _CHECKED_BIG_INTS
    )
    return layout if right and int.__basicsize__ == INT_DIGIT else INT_UNKNOWN


def _float_value() -> int | None:
    if float.__basicsize__ != HEAD + 8:
        return None
    known = (0.0, 1.5, -2.25, 1e300, float("inf"))
    right = all(ctypes.c_double.from_address(id(value) + HEAD).value == value for value in known)
    return HEAD if right else None


#: One of INT_*.
INT_LAYOUT: Final = _int_layout()
#: Offset of a float's double; None when not known: use the C API.
FLOAT_VALUE: Final = _float_value()

#: Since 3.12 an exception that is set is one object (PyErr_GetRaisedException), before it was three.
ONE_RAISED_EXCEPTION: Final = sys.version_info >= (3, 12)


def description() -> tuple[object, ...]:
    """All that machine code is told about objects, and what else it takes of CPython for granted."""
    return getattr(sys, "abiflags", ""), HEAD, TUPLE_ITEMS, INT_LAYOUT, FLOAT_VALUE, int(ONE_RAISED_EXCEPTION)


_api: dict[str, int] = {}


def api(name: str) -> int:
    """Address of a function of the C API.

    Raises:
        AttributeError: this Python has no such function.
    """
    address = _api.get(name)
    if address is None:
        address = ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value
        assert address is not None
        _api[name] = address
    return address


def known_api() -> dict[str, int]:
    """The functions of the C API that `api` has been asked for, and their addresses."""
    return _api
