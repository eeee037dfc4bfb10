"""Calls, direct and indirect, and funcrefs."""

from __future__ import annotations

from wasm_core.errors import TrapCode
from wasm_core.leb128 import read_u32
from wasm_core.reader import read_heap_type
from wasm_ir import opcodes as ir
from wasm_ir.frontend.known_tables import known_table
from wasm_ir.frontend.skipping import skip_unreachable
from wasm_ir.frontend.state import FEW_VALUES, State
from wasm_ir.frontend.tables import table_element
from wasm_ir.ir import Call, Inst, Signature
from wasm_ir.types import I32, I64, POINTER
from wasm_ir.vmcontext import FUNCREF

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

#: Size of the largest function whose calls may be inlined, in bytes.
SMALL: Final = 48

_UNDEFINED: Final = TrapCode.UNDEFINED_ELEMENT.value
_UNINITIALIZED: Final = TrapCode.UNINITIALIZED_ELEMENT.value
_MISMATCH: Final = TrapCode.INDIRECT_CALL_TYPE_MISMATCH.value
_NULL_REFERENCE: Final = TrapCode.NULL_REFERENCE.value
_NULL_FUNCTION: Final = TrapCode.NULL_FUNCTION.value


def pop_arguments(s: State, signature: Signature) -> list[Inst]:
    count = len(signature.params)
    if count == 0:
        return []
    stack = s.stack
    arguments = stack[-count:]
    del stack[-count:]
    return arguments


def _called(s: State, call: Call, signature: Signature) -> None:
    """Go on behind a call."""
    if s.handlers:
        s.land()
    if s.fuel is not None:
        from wasm_ir.frontend.fuel import reload

        reload(s)
    count = len(signature.params) + len(signature.results)
    if count > FEW_VALUES:
        s.passes(count)
    if signature.results:
        s.stack.append(call)
        s.stack.extend(call.results)


def call(s: State, pos: int) -> int:
    index = s.source[pos]
    if index > 0x7F:
        index, pos = read_u32(s.source, pos, s.end)
    else:
        pos += 1
    builder = s.builder
    module = s.module
    signature = s.signature(module.function_types[index])
    arguments = pop_arguments(s, signature)
    if index < module.imported_functions:
        result = builder.call_ref(s.context_pointer(s.layout.imports + 8 * index), signature, arguments)
    else:
        own = index - module.imported_functions
        if module.body_ends[own] - module.body_starts[own] <= SMALL:
            # Most programs call none.
            from wasm_ir.frontend.inlining import inline, small_function

            facts = small_function(s, index)
            if facts is not None:
                inline(s, index, facts, signature, arguments)
                return pos if s.reachable else skip_unreachable(s.source, pos)
        result = builder.call(index, signature, arguments)
    _called(s, result, signature)
    return pos


def indirect_callee(s: State, pos: int) -> tuple[Inst, Signature, bool, int]:
    """What `call_indirect` and its like call: a funcref that is checked, its signature, whether it must be one of the
    instance's own functions; the position behind."""
    type_index, pos = read_u32(s.source, pos, s.end)
    table, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    signature = s.signature(type_index)
    funcref = table_element(s, table, s.stack.pop(), _UNDEFINED)
    builder.trap_if(builder.icmp(ir.EQ, funcref, builder.const(I64, 0)), _UNINITIALIZED)
    known = known_table(s.layout, s.module, table)
    if known is None or not known.all_have(type_index):
        _check_type(s, funcref, type_index)
    return funcref, signature, known is not None and not known.has_imports, pos


def _check_type(s: State, funcref: Inst, type_index: int) -> None:
    """Trap if a function does not have a type."""
    builder = s.builder
    defined = s.module.defined_types
    # Not invariant loads: they must stay behind the checks.
    if defined is None or defined[type_index].final:
        actual = builder.load(ir.LOAD, I64, funcref, FUNCREF["type_id"])
    else:
        depth = len(defined[type_index].lineage())
        lineage = builder.load(ir.LOAD, I64, funcref, FUNCREF["lineage"])
        builder.trap_if(builder.icmp(ir.EQ, lineage, builder.const(I64, 0)), _MISMATCH)
        length = builder.load(ir.LOAD, I64, lineage, 0)
        builder.trap_if(builder.icmp(ir.LT_U, length, builder.const(I64, depth)), _MISMATCH)
        actual = builder.load(ir.LOAD, I64, lineage, 8 * depth)
    wanted = builder.load(ir.LOAD_INVARIANT, I64, builder.vmctx(), s.layout.types + 8 * type_index)
    builder.trap_if(builder.icmp(ir.NE, actual, wanted), _MISMATCH)


def call_indirect(s: State, pos: int) -> int:
    funcref, signature, own, pos = indirect_callee(s, pos)
    _call_through(s, funcref, signature, own)
    return pos


def _call_through(s: State, funcref: Inst, signature: Signature, own: bool = False) -> None:
    result = s.builder.call_ref(funcref, signature, pop_arguments(s, signature), own)
    _called(s, result, signature)


def referred_callee(s: State, pos: int) -> tuple[Inst, Signature, int]:
    """What `call_ref` and its like call."""
    type_index, pos = read_u32(s.source, pos, s.end)
    funcref = s.stack.pop()
    s.builder.trap_if(is_null(s, funcref), _NULL_FUNCTION)
    return funcref, s.signature(type_index), pos


def call_ref(s: State, pos: int) -> int:
    funcref, signature, pos = referred_callee(s, pos)
    _call_through(s, funcref, signature)
    return pos


def ref_func(s: State, pos: int) -> int:
    index, pos = read_u32(s.source, pos, s.end)
    builder = s.builder
    if index < s.module.imported_functions:
        reference = s.context_pointer(s.layout.imports + 8 * index)
    else:
        reference = builder.binary(ir.IADD, POINTER, builder.vmctx(), builder.const(I64, s.layout.funcref(index)))
    s.stack.append(reference)
    return pos


def ref_null(s: State, pos: int) -> int:
    _, pos = read_heap_type(s.source, pos, s.end)
    s.stack.append(s.builder.const(POINTER, 0))
    return pos


def ref_is_null(s: State, pos: int) -> int:
    s.stack[-1] = is_null(s, s.stack[-1])
    return pos


def ref_as_non_null(s: State, pos: int) -> int:
    s.builder.trap_if(is_null(s, s.stack[-1]), _NULL_REFERENCE)
    return pos


def is_null(s: State, reference: Inst) -> Inst:
    """Whether the reference that the current instruction looks at is null: a condition, 0 where its type says so."""
    builder = s.builder
    never_null = s.facts.never_null
    if never_null is not None and s.where in never_null:
        return builder.const(I32, 0)
    return builder.icmp(ir.EQ, reference, builder.const(POINTER, 0))
