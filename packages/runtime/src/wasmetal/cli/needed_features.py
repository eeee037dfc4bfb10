"""Which features a module needs, by what it declares and by the instructions of its functions."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from wasm_core import opcodes
from wasm_core.disassembler import disassemble, read_local_groups
from wasm_core.errors import MalformedError
from wasm_core.features import Features
from wasm_core.instructions import IMM_BLOCK, IMM_BLOCK_CATCHES, find
from wasm_core.lazy_attrs import frozen
from wasm_core.module import ConstExpr, DecodedModule, ExternKind
from wasm_core.type_codes import V128
from wasm_core.types import PAGE_SIZE, FuncType, ValueType

#: Bytes of code that are read: it is about a second per megabyte.
MOST_CODE: Final = 8_000_000


@frozen
class Needed:
    """What was found."""

    #: Names of fields of `Features`, in their order.
    features: tuple[str, ...]
    #: What was not read, for people; "" if all was.
    unread: str


def all_features() -> Features:
    """Everything on: to decode whatever there is."""
    return Features(**dict.fromkeys(Features.__annotations__, True))


def needed(module: DecodedModule) -> Needed:
    """Look through a module, which was decoded with `all_features` and need not be valid."""
    found = {*_declared(module)}
    unread = ""
    size = 0
    for index in range(module.imported_functions, len(module.function_types)):
        start, end = module.body(index)
        size += end - start
        if size > MOST_CODE:
            unread = f"functions from {index} on (only the first {MOST_CODE:,} bytes of code are read)"
            break
        try:
            found.update(_of_body(module, index))
        except (MalformedError, IndexError) as error:
            unread = f"function {index}, which is malformed ({error})"
    if "throw" in found:
        # Tags and `throw` are the same in both encodings.
        found.remove("throw")
        if "legacy_exceptions" not in found:
            found.add("exceptions")
    return Needed(tuple([name for name in Features.__annotations__ if name in found]), unread)


def _of_body(module: DecodedModule, index: int) -> set[str]:
    """What the locals and instructions of a function need."""
    found: set[str] = set()
    start, end = module.body(index)
    groups, _ = read_local_groups(module.source, start, end)
    if any(code == V128 for _, code in groups):
        found.add("simd")
    for _, instruction, immediates in disassemble(module, index):
        if instruction.feature:
            found.add("throw" if instruction.opcode == opcodes.THROW else instruction.feature)
        elif instruction.immediate in (IMM_BLOCK, IMM_BLOCK_CATCHES) and immediates[0] >= 0:
            found.add("multi_value")
    return found


def _declared(module: DecodedModule) -> Iterable[str]:
    """What declarations need."""
    for entry in module.types:
        if not isinstance(entry, FuncType):
            yield "gc"
            continue
        if len(entry.results) > 1:
            yield "multi_value"
        yield from _of_types((*entry.params, *entry.results))
    if module.defined_types is not None:
        yield "gc"
    for memory in module.memories:
        yield from _if(memory64=memory.is64, threads=memory.shared, custom_page_sizes=memory.page_size != PAGE_SIZE)
    for table in module.tables:
        yield from _if(memory64=table.is64)
        yield from _of_types((table.element,))
    outside = {*range(module.imported_globals)}
    outside.update(export.index for export in module.exports if export.kind is ExternKind.GLOBAL)
    for number, type in enumerate(module.global_types):
        yield from _if(mutable_globals=type.mutable and number in outside)
        yield from _of_types((type.value_type,))
    yield from _if(
        multi_memory=len(module.memories) > 1,
        reference_types=len(module.tables) > 1,
        bulk_memory=module.data_count is not None or any(segment.offset is None for segment in module.data),
        function_references=any(init is not None for init in module.table_inits),
        throw=bool(module.tag_types),
    )
    for segment in module.elements:
        yield from _if(bulk_memory=segment.offset is None)
    for expression in _expressions(module):
        yield from _of_expression(expression)


def _expressions(module: DecodedModule) -> Iterable[ConstExpr]:
    yield from (own.init for own in module.globals)
    yield from (init for init in module.table_inits if init is not None)
    for data in module.data:
        if data.offset is not None:
            yield data.offset
    for segment in module.elements:
        if segment.offset is not None:
            yield segment.offset
        yield from segment.expressions or ()


def _of_expression(expression: ConstExpr) -> Iterable[str]:
    for opcode, _ in expression.instructions:
        instruction = find(opcode)
        if instruction is not None and instruction.feature:
            yield instruction.feature
        yield from _if(extended_const=opcode in _ARITHMETIC)


_ARITHMETIC: Final = frozenset(
    (opcodes.I32_ADD, opcodes.I32_SUB, opcodes.I32_MUL, opcodes.I64_ADD, opcodes.I64_SUB, opcodes.I64_MUL)
)


def _of_types(types: Iterable[ValueType]) -> Iterable[str]:
    for type in types:
        yield from _if(
            simd=type is ValueType.V128,
            reference_types=type is ValueType.EXTERNREF,
            function_references=str(type).startswith("("),
            exceptions=type in ("exnref", "nullexnref"),
            gc=type in _GC_TYPES,
        )


_GC_TYPES: Final = frozenset(
    ("anyref", "eqref", "i31ref", "structref", "arrayref", "nullref", "nullfuncref", "nullexternref")
)


def _if(**conditions: bool) -> Iterable[str]:
    return [name for name, holds in conditions.items() if holds]
