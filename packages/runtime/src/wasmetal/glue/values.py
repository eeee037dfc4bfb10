"""Conversion between Python objects and the bits of WebAssembly values.

The bits of a value are an unsigned int, 128 bits wide for v128 and at most 64 for all others. In the raw calling
interface values travel in slots of 64 bits, of which v128 takes two, the low half first.
"""

from __future__ import annotations

import operator
import struct
from collections.abc import Callable, Iterable, Sequence
from ctypes import c_double, c_float

from wasm_core.quoting import shown
from wasm_core.types import ValueType
from wasmetal.cpython.native_callable import NativeCallable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final, Protocol, TypeVar
else:
    from wasm_core.lazy_typing import Protocol


class References(Protocol):
    """What turns references into bits and back: the store. Null never gets here."""

    def extern_handle(self, value: object) -> int:
        """The handle (not 0) of an externref."""

    def extern_object(self, handle: int) -> object:
        """The object whose handle this is."""

    def funcref_of(self, function: Any) -> int:
        """Address of the function's FUNCREF, which stays valid as long as the store may use it."""

    def func_at(self, address: int) -> object:
        """The Func whose FUNCREF is at `address`."""

    def exn_handle(self, value: Any) -> int:
        """The address (not 0) of the exception that an ExnRef refers to. Raises TypeError for everything else."""

    def exn_object(self, address: int) -> object:
        """The ExnRef for the exception at `address`."""


_I32_MASK: Final = (1 << 32) - 1
_I64_MASK: Final = (1 << 64) - 1

#: Characters of a type that messages show.
_MAX_TYPE: Final = 400

#: References to exceptions that are not null.
_EXN: Final = ValueType.reference("exn", nullable=False)

_F32 = struct.Struct("<f")
_U32 = struct.Struct("<I")
_F64 = struct.Struct("<d")
_U64 = struct.Struct("<Q")


def _int_to_bits(value: Any, width: int) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"i{width} takes an int, not {type(value).__name__}") from None
    if not -(1 << (width - 1)) <= number < 1 << width:
        raise OverflowError(f"{number} is out of range for i{width}")
    return number & ((1 << width) - 1)


def _i32_to_bits(value: Any, references: References | None) -> int:
    return _int_to_bits(value, 32)


def _i64_to_bits(value: Any, references: References | None) -> int:
    return _int_to_bits(value, 64)


def _to_double(value: Any, name: str) -> float:
    # What the C API takes for a double: floats, and objects with __float__ or __index__. The float constructor would
    # read strings as well.
    if type(value) is float:
        return value
    if not hasattr(type(value), "__float__") and not hasattr(type(value), "__index__"):
        raise TypeError(f"{name} takes a float, not {type(value).__name__}")
    return c_double(value).value


def _f32_to_bits(value: Any, references: References | None) -> int:
    # c_float rounds to nearest and gives infinity for what is too large, as f32.demote_f64 does.
    bits: int = _U32.unpack(_F32.pack(c_float(_to_double(value, "f32")).value))[0]
    return bits


def _f64_to_bits(value: Any, references: References | None) -> int:
    bits: int = _U64.unpack(_F64.pack(_to_double(value, "f64")))[0]
    return bits


def _v128_to_bits(value: Any, references: References | None) -> int:
    try:
        data = memoryview(value).tobytes()
    except TypeError:
        raise TypeError(f"v128 takes bytes of length 16, not {type(value).__name__}") from None
    if len(data) != 16:
        raise TypeError(f"v128 takes bytes of length 16, not of length {len(data)}")
    return int.from_bytes(data, "little")


def _store_of(references: References | None, name: str) -> References:
    if references is None:
        raise TypeError(f"{name} values other than None exist only in a store")
    return references


def _funcref_to_bits(value: Any, references: References | None) -> int:
    if value is None:
        return 0
    _check_function(value, "funcref takes a wasmetal.Func or None")
    return _store_of(references, "funcref").funcref_of(value)


def _check_function(value: Any, wanted: str) -> None:
    # NativeCallable: the only class derived from it is Func, which needs this module. One that was never initialized is
    # no function.
    # Not isinstance, which believes what objects say of themselves (`unittest.mock`).
    if not issubclass(type(value), NativeCallable) or not value._funcref:
        raise TypeError(f"{wanted}, not {type(value).__name__}")


def _externref_to_bits(value: Any, references: References | None) -> int:
    return 0 if value is None else _store_of(references, "externref").extern_handle(value)


def _exnref_to_bits(value: Any, references: References | None) -> int:
    if value is None:
        return 0
    return _store_of(references, "exnref").exn_handle(value)


def _exn_to_bits(value: Any, references: References | None) -> int:
    if value is None:
        raise TypeError("(ref exn) takes a wasmetal.ExnRef, not None")
    return _exnref_to_bits(value, references)


def _i32_from_bits(bits: int, references: References | None) -> object:
    return bits - (bits >> 31 << 32)


def _i64_from_bits(bits: int, references: References | None) -> object:
    return bits - (bits >> 63 << 64)


def _f32_from_bits(bits: int, references: References | None) -> object:
    return _F32.unpack(_U32.pack(bits))[0]


def _f64_from_bits(bits: int, references: References | None) -> object:
    return _F64.unpack(_U64.pack(bits))[0]


def _v128_from_bits(bits: int, references: References | None) -> object:
    return bits.to_bytes(16, "little")


def _funcref_from_bits(bits: int, references: References | None) -> object:
    return _store_of(references, "funcref").func_at(bits) if bits else None


def _externref_from_bits(bits: int, references: References | None) -> object:
    return _store_of(references, "externref").extern_object(bits) if bits else None


def _exnref_from_bits(bits: int, references: References | None) -> object:
    return _store_of(references, "exnref").exn_object(bits) if bits else None


if TYPE_CHECKING:
    _Convert = TypeVar("_Convert")


class _Converters(dict[ValueType, "_Convert"]):
    """Converters by type. Those of references that are not listed are made when they are asked for, and not kept: types
    that modules define come and go."""

    def __init__(self, known: dict[ValueType, _Convert], make: Callable[[ValueType], _Convert]) -> None:
        super().__init__(known)
        self._make = make

    def __missing__(self, type: ValueType) -> _Convert:
        return self._make(type)


def _reference_to_bits(type: ValueType) -> Callable[[Any, References | None], int]:
    """What makes bits of Python objects as references of a type that has no name of one word, or of null alone."""
    convert = _funcref_to_bits if type.is_function_reference else _externref_to_bits

    def to_bits(value: Any, references: References | None) -> int:
        check_reference(type, value)
        return convert(value, references)

    return to_bits


def check_reference(type: ValueType, value: Any) -> None:
    """Check that a Python object can be a reference of the type.

    Raises:
        TypeError: It cannot.
    """
    if value is None:
        if not type.nullable:
            raise TypeError(f"{_wanted(type)}, not None")
        return
    heap_type = type.heap_type
    if heap_type == "nofunc" or (heap_type not in ("extern", "exn") and not type.is_function_reference):
        # Of the types of null there are no objects; those of the garbage collector cannot be made yet.
        raise TypeError(f"{type} takes nothing but None")
    if type.is_function_reference:
        _check_function(value, _wanted(type))
        defined = type.defined_type
        if defined is not None and not value._core.defined_type().matches(defined):
            raise TypeError(f"{_wanted(type)}, not of {shown(str(value._core.type), _MAX_TYPE)}")


def _wanted(type: ValueType) -> str:
    """What values of a type are, for messages."""
    if not type.is_function_reference:
        return f"{type} takes an object"
    defined = type.defined_type
    of_type = "" if defined is None else f" of type {shown(str(defined.composite), _MAX_TYPE)}"
    return f"{type} takes a wasmetal.Func{of_type}{' or None' if type.nullable else ''}"


def _reference_from_bits(type: ValueType) -> Callable[[int, References | None], object]:
    return _funcref_from_bits if type.is_function_reference else _externref_from_bits


_TO_BITS: Final[_Converters[Callable[[Any, References | None], int]]] = _Converters(
    {
        ValueType.I32: _i32_to_bits,
        ValueType.I64: _i64_to_bits,
        ValueType.F32: _f32_to_bits,
        ValueType.F64: _f64_to_bits,
        ValueType.V128: _v128_to_bits,
        ValueType.FUNCREF: _funcref_to_bits,
        ValueType.EXTERNREF: _externref_to_bits,
        ValueType.EXNREF: _exnref_to_bits,
        _EXN: _exn_to_bits,
    },
    _reference_to_bits,
)

_FROM_BITS: Final[_Converters[Callable[[int, References | None], object]]] = _Converters(
    {
        ValueType.I32: _i32_from_bits,
        ValueType.I64: _i64_from_bits,
        ValueType.F32: _f32_from_bits,
        ValueType.F64: _f64_from_bits,
        ValueType.V128: _v128_from_bits,
        ValueType.FUNCREF: _funcref_from_bits,
        ValueType.EXTERNREF: _externref_from_bits,
        ValueType.EXNREF: _exnref_from_bits,
        _EXN: _exnref_from_bits,
    },
    _reference_from_bits,
)


def to_bits(type: ValueType, value: object, references: References | None) -> int:
    """The bits of a Python object as a value of the type.

    Ints may be signed or unsigned; f32 and f64 take floats and ints (f32 rounds to nearest); v128 takes 16 bytes (any
    object with a buffer of that size); funcref a Func or None; externref any object, None being null.

    Raises:
        TypeError: the object is of the wrong type.
        OverflowError: an int is out of range.
    """
    return _TO_BITS[type](value, references)


def from_bits(type: ValueType, bits: int, references: References | None) -> object:
    """The Python object for a value of the type; ints are signed. `bits` must be in range."""
    return _FROM_BITS[type](bits, references)


def slot_count(types: Iterable[ValueType]) -> int:
    """How many slots values of these types take together."""
    return sum([t.slots for t in types])


def to_slots(
    types: Sequence[ValueType], values: Sequence[object], references: References | None, what: str = "argument"
) -> list[int]:
    """The slots of as many Python objects as there are types.

    Raises:
        TypeError: the number of objects, or the type of one, is wrong.
        OverflowError: an int is out of range.
        The message says which one, calling it a `what`.
    """
    if len(values) != len(types):
        raise TypeError(f"{len(types)} {what}{'s' if len(types) != 1 else ''} expected, got {len(values)}")
    slots = []
    for number, (value_type, value) in enumerate(zip(types, values)):
        try:
            bits = _TO_BITS[value_type](value, references)
        except TypeError as error:
            raise TypeError(f"{what} {number + 1}: {error}") from None
        except OverflowError as error:
            raise OverflowError(f"{what} {number + 1}: {error}") from None
        if value_type is ValueType.V128:
            slots.append(bits & _I64_MASK)
            slots.append(bits >> 64)
        else:
            slots.append(bits)
    return slots


def from_slots(types: Sequence[ValueType], slots: Sequence[int], references: References | None) -> list[object]:
    """The Python objects for as many slots as the types take. Upper halves of i32 and f32 slots are ignored."""
    values = []
    position = 0
    for value_type in types:
        bits = slots[position]
        position += 1
        if value_type is ValueType.V128:
            bits |= slots[position] << 64
            position += 1
        elif value_type is ValueType.I32 or value_type is ValueType.F32:
            bits &= _I32_MASK
        values.append(_FROM_BITS[value_type](bits, references))
    return values
