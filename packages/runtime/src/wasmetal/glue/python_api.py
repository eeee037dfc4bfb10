"""Building blocks of glue: IR that calls CPython's C API, boxes and unboxes values, and calls Python objects."""

from __future__ import annotations

from collections.abc import Sequence

from wasm_core.types import FuncType, ValueType
from wasm_ir import opcodes
from wasm_ir.builder import Builder
from wasm_ir.ir import SYMBOL_BASE, SYMBOL_SHIFT, Block, Function, Inst, Signature
from wasm_ir.types import F32, F64, I32, I64, V128
from wasmetal.cpython import layouts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: The IR type of each value type.
IR_TYPE: Final[dict[ValueType, int]] = {
    ValueType.I32: I32,
    ValueType.I64: I64,
    ValueType.F32: F32,
    ValueType.F64: F64,
    ValueType.V128: V128,
    ValueType.FUNCREF: I64,
    ValueType.EXTERNREF: I64,
    ValueType.EXNREF: I64,
    ValueType.reference("exn", nullable=False): I64,
}

_NATIVE_SIGNATURES: Final = tuple(Signature((I64,) * count, (I64,)) for count in range(7))
_FROM_DOUBLE: Final = Signature((F64,), (I64,))
_AS_DOUBLE: Final = Signature((I64,), (F64,))


def ir_signature(type: FuncType) -> Signature:
    """The IR signature of functions of a WebAssembly type."""
    return Signature(tuple([ir_type(t) for t in type.params]), tuple([ir_type(t) for t in type.results]))


def ir_type(type: ValueType) -> int:
    """The IR type of a value; of references, I64."""
    found = IR_TYPE.get(type)
    return I64 if found is None else found


class PythonBuilder(Builder):
    """A builder with the operations that glue is made of. Pointers are i64."""

    def __init__(self, function: Function) -> None:
        super().__init__(function)
        #: Number of the stack slot for the overflow flag of PyLong_AsLongLongAndOverflow; -1 before there is one.
        self._overflow_slot = -1

    def start(self) -> list[Inst]:
        """Make the entry block and return the function's parameters."""
        entry = self.new_block()
        parameters = [self.append_param(entry, t) for t in self.function.signature.params]
        self.switch_to(entry)
        return parameters

    def pointer(self, address: int) -> Inst:
        """An address of this process, as a symbol."""
        symbols = self.function.symbols
        if address not in symbols:
            symbols.append(address)
        return self.const(I64, SYMBOL_BASE + (symbols.index(address) << SYMBOL_SHIFT))

    def get(self, pointer: Inst, offset: int) -> Inst:
        """Load a 64-bit word."""
        return self.load(opcodes.LOAD, I64, pointer, offset)

    def set(self, pointer: Inst, value: Inst, offset: int) -> None:
        """Store a 64-bit word."""
        self.store(opcodes.STORE, pointer, value, offset)

    def is_zero(self, word: Inst) -> Inst:
        return self.icmp(opcodes.EQ, word, self.const(word.type, 0))

    def native(self, address: int, *arguments: Inst) -> Inst:
        """Call a C function that takes and returns 64-bit words (of a C int, the upper half of the result is
        rubbish)."""
        return self.call_native(self.pointer(address), _NATIVE_SIGNATURES[len(arguments)], arguments)

    def api(self, name: str, *arguments: Inst) -> Inst:
        """The same for a function of CPython's C API."""
        return self.native(layouts.api(name), *arguments)

    def guard(self, failed: Inst, target: Block) -> None:
        """Go to `target`, which has no parameters, when `failed` is not zero; go on in a new block otherwise."""
        following = self.new_block()
        self.brif(failed, target, (), following, ())
        self.switch_to(following)

    def decref(self, object: Inst) -> None:
        self.api("Py_DecRef", object)

    # Boxing.

    def box(self, type: ValueType, value: Inst) -> Inst:
        """A new reference to the Python object for a numeric value; 0 with an exception set when there is no memory."""
        if type is ValueType.I32:
            return self.api("PyLong_FromLong", self.unary(opcodes.EXTEND_S, I64, value))
        if type is ValueType.I64:
            return self.api("PyLong_FromLongLong", value)
        if type is ValueType.F32:
            value = self.unary(opcodes.PROMOTE, F64, value)
        return self.call_native(self.pointer(layouts.api("PyFloat_FromDouble")), _FROM_DOUBLE, (value,))

    # Unboxing. Each of these leaves for `unusual` when the object is not of the exact type or out of range, without any
    # effect, and otherwise goes on in a new block with the value.

    def unbox(self, type: ValueType, object: Inst, unusual: Block) -> Inst:
        """The value of a Python object as a numeric type."""
        if type is ValueType.I32 or type is ValueType.I64:
            self._guard_type(object, int, unusual)
            return self._int_value(IR_TYPE[type], object, unusual)
        value = self._double_value(object, unusual)
        return self.unary(opcodes.DEMOTE, F32, value) if type is ValueType.F32 else value

    def _has_type(self, object: Inst, type: type) -> Inst:
        return self.icmp(opcodes.EQ, self.get(object, layouts.OB_TYPE), self.pointer(id(type)))

    def _guard_type(self, object: Inst, type: type, unusual: Block) -> None:
        following = self.new_block()
        self.brif(self._has_type(object, type), following, (), unusual, ())
        self.switch_to(following)

    def _compact_int(self, type: int, object: Inst) -> tuple[Inst, Inst]:
        """(whether an exact int has one digit, its value in that case)"""
        size = self.get(object, layouts.INT_SIZE)
        if layouts.INT_LAYOUT == layouts.INT_OB_SIZE:
            compact = self.icmp(
                opcodes.LE_U, self.binary(opcodes.IADD, I64, size, self.const(I64, 1)), self.const(I64, 2)
            )
        else:
            compact = self.icmp(opcodes.LT_U, size, self.const(I64, 16))
        sign = size if type == I64 else self.unary(opcodes.WRAP, I32, size)
        if layouts.INT_LAYOUT == layouts.INT_LV_TAG:
            sign = self.binary(opcodes.AND, type, sign, self.const(type, 3))
            sign = self.binary(opcodes.ISUB, type, self.const(type, 1), sign)
        # An int has room for a digit even when it is zero and has none.
        digit = self.load(opcodes.LOAD if type == I32 else opcodes.LOAD32_U, type, object, layouts.INT_DIGIT)
        return compact, self.binary(opcodes.IMUL, type, digit, sign)

    def _int_value(self, type: int, object: Inst, unusual: Block) -> Inst:
        following = self.new_block()
        value = self.append_param(following, type)
        if layouts.INT_LAYOUT != layouts.INT_UNKNOWN:
            compact, compact_value = self._compact_int(type, object)
            big = self.new_block()
            self.brif(compact, following, (compact_value,), big, ())
            self.switch_to(big)
        if self._overflow_slot < 0:
            overflow = self.stack_slot(16)
            self._overflow_slot = overflow.imm
        else:
            overflow = self._append(opcodes.STACK_SLOT, I64, [], self._overflow_slot)
        wide = self.api("PyLong_AsLongLongAndOverflow", object, overflow)
        out_of_range = self.load(opcodes.LOAD, I32, overflow, 0)
        if type == I32:
            self.guard(out_of_range, unusual)
            biased = self.binary(opcodes.IADD, I64, wide, self.const(I64, 1 << 31))
            out_of_range = self.icmp(opcodes.GE_U, biased, self.const(I64, (1 << 32) + (1 << 31)))
            wide = self.unary(opcodes.WRAP, I32, wide)
        self.brif(out_of_range, unusual, (), following, (wide,))
        self.switch_to(following)
        return value

    def _double_value(self, object: Inst, unusual: Block) -> Inst:
        following = self.new_block()
        value = self.append_param(following, F64)
        a_float = self.new_block()
        compact_ints = layouts.INT_LAYOUT != layouts.INT_UNKNOWN
        not_float = self.new_block() if compact_ints else unusual
        self.brif(self._has_type(object, float), a_float, (), not_float, ())
        self.switch_to(a_float)
        if layouts.FLOAT_VALUE is not None:
            exact = self.load(opcodes.LOAD, F64, object, layouts.FLOAT_VALUE)
        else:
            exact = self.call_native(self.pointer(layouts.api("PyFloat_AsDouble")), _AS_DOUBLE, (object,))
        self.jump(following, (exact,))
        if compact_ints:
            self.switch_to(not_float)
            self._guard_type(object, int, unusual)
            compact, number = self._compact_int(I64, object)
            self.brif(compact, following, (self.unary(opcodes.ITOF_S, F64, number),), unusual, ())
        self.switch_to(following)
        return value

    # Calls of Python objects.

    def call_object(self, callable: Inst, arguments: Sequence[Inst]) -> Inst:
        """Vectorcall with borrowed references: a new reference to the result, or 0 with an exception set."""
        # One word in front, that the callee may use for a moment to prepend `self`.
        array = self.stack_slot(8 * (len(arguments) + 1))
        for number, argument in enumerate(arguments):
            self.set(array, argument, 8 * (number + 1))
        first = self.binary(opcodes.IADD, I64, array, self.const(I64, 8))
        count = self.const(I64, len(arguments) | layouts.VECTORCALL_ARGUMENTS_OFFSET)
        return self.api("PyObject_Vectorcall", callable, first, count, self.const(I64, 0))

    def call_giving_up(self, callable: Inst, arguments: Sequence[Inst], owned: Sequence[Inst]) -> Inst:
        """Call an object and give up the references in `owned`, which are among the arguments: a new reference to the
        result, or 0 with an exception set when one of them could not be made (is 0) or the call fails."""
        if not owned:
            return self.call_object(callable, arguments)
        complete, called = self.new_block(), self.new_block()
        result = self.append_param(called, I64)
        missing = self.is_zero(owned[0])
        for argument in owned[1:]:
            missing = self.binary(opcodes.OR, I32, missing, self.is_zero(argument))
        self.brif(missing, called, (self.const(I64, 0),), complete, ())
        self.switch_to(complete)
        self.jump(called, (self.call_object(callable, arguments),))
        self.switch_to(called)
        for argument in owned:
            self.decref(argument)  # Py_DecRef ignores null
        return result

    def call_callback(self, callback: object, arguments: Sequence[Inst], owned: Sequence[Inst], failed: Block) -> Inst:
        """The same for an object at a constant address; leaves for `failed` with an exception set instead of 0."""
        result = self.call_giving_up(self.pointer(id(callback)), arguments, owned)
        self.guard(self.is_zero(result), failed)
        return result
