"""A base type whose instances are called through machine code: each holds its own vectorcall pointer (PEP 590)."""

from __future__ import annotations

import ctypes
import struct

from wasmetal.cpython import layouts

#: Offsets of an instance's fields.
ENTRY: Final = layouts.HEAD
FUNCREF: Final = layouts.HEAD + 8
SLOW: Final = layouts.HEAD + 16

# Include/descrobject.h, Include/object.h, Include/typeslots.h
_T_ULONGLONG, _T_PYSSIZET, _READONLY = 18, 19, 1
_PY_TP_CALL, _PY_TP_DOC, _PY_TP_MEMBERS, _PY_TP_GETSET = 50, 56, 72, 73
_TPFLAGS_BASETYPE, _TPFLAGS_HAVE_VECTORCALL, _TPFLAGS_HAVE_VERSION_TAG = 1 << 10, 1 << 11, 1 << 18

#: Offset of `tp_flags` in a type object.
_TP_FLAGS: Final = layouts.HEAD + 152

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final

    class NativeCallable:
        """An object that machine code runs when it is called."""

        __slots__ = ("_entry", "_funcref", "_slow")

        #: Address of the code: `PyObject *(*)(PyObject *self, PyObject *const *args, size_t nargsf, PyObject
        #: *kwnames)`.
        _entry: int
        #: Address of the FUNCREF that the code calls.
        _funcref: int
        #: Address of the Python callable that does what the code cannot; the owner keeps it alive.
        _slow: int

        def __call__(self, *args: Any, **kwargs: Any) -> Any: ...
        @property
        def __qualname__(self) -> str:
            """The same as `__name__`, which a derived class has."""

else:
    #: What the type and its description point to, so it lives as long as the module.
    _kept = []

    def _structure(format: str, *values: object) -> int:
        """Address of C structures (`struct` pads as C does), or of a string."""
        _kept.append(ctypes.create_string_buffer(struct.pack(format, *values)))
        return ctypes.addressof(_kept[-1])

    def _string(text: bytes) -> int:
        return _structure(f"{len(text) + 1}s", text)

    # PyMemberDef: name, type, offset, flags, doc. An empty one ends the list.
    _members = _structure(
        "@" + 5 * "PiniP",
        *(_string(b"__vectorcalloffset__"), _T_PYSSIZET, ENTRY, _READONLY, 0),
        *(_string(b"_entry"), _T_ULONGLONG, ENTRY, 0, 0),
        *(_string(b"_funcref"), _T_ULONGLONG, FUNCREF, 0, 0),
        *(_string(b"_slow"), _T_ULONGLONG, SLOW, 0, 0),
        *5 * (0,),
    )
    # A class statement takes `__qualname__` for the name of the class, so no Python class can have this attribute for
    # its instances. What a getter is called with, the object and the closure, is what PyObject_GetAttr takes.
    _NAME = "__name__"
    # PyGetSetDef: name, get, set, doc, closure.
    _getset = _structure("@10P", _string(b"__qualname__"), layouts.api("PyObject_GetAttr"), 0, 0, id(_NAME), *5 * (0,))
    # PyType_Slot: number, value.
    _slots = _structure(
        "@" + 5 * "iP",
        *(_PY_TP_CALL, layouts.api("PyVectorcall_Call")),
        *(_PY_TP_DOC, _string(b"An object that machine code runs when it is called.")),
        *(_PY_TP_MEMBERS, _members),
        *(_PY_TP_GETSET, _getset),
        *2 * (0,),
    )
    # PyType_Spec: name, basicsize, itemsize, flags, slots.
    _spec = _structure(
        "@PiiIP",
        *(_string(b"wasmetal.cpython.native_callable.NativeCallable"), SLOW + 8, 0),
        *(_TPFLAGS_BASETYPE | _TPFLAGS_HAVE_VECTORCALL | _TPFLAGS_HAVE_VERSION_TAG, _slots),
    )
    _type_from_spec = ctypes.PYFUNCTYPE(ctypes.py_object, ctypes.c_void_p)(layouts.api("PyType_FromSpec"))
    NativeCallable = _type_from_spec(_spec)


def inherit_vectorcall(cls: type) -> None:
    """Let the interpreter call instances of `cls`, a Python class derived from NativeCallable, by vectorcall.

    Since CPython 3.12 classes inherit that by themselves. Before, calls would go through `tp_call`, which makes a tuple
    of the arguments first; should the type object not look as expected, it stays at that: slower, but as right.
    """
    if cls.__flags__ & _TPFLAGS_HAVE_VECTORCALL:
        return
    flags = ctypes.c_ulong.from_address(id(cls) + _TP_FLAGS)
    if flags.value == cls.__flags__:
        flags.value |= _TPFLAGS_HAVE_VECTORCALL
