"""What instantiation copies: everything about a VMContext that is the same in every instance of a module."""

from __future__ import annotations

import ctypes
import operator
from array import array
from collections.abc import Callable, Sequence

from wasm_core import constant_opcodes as op
from wasm_core.lazy_attrs import field, frozen
from wasm_core.module import ConstExpr, DecodedModule, ElementSegment, SegmentMode
from wasm_ir.vmcontext import CONTEXT, FUNCREF, GLOBAL_SIZE, SEGMENT, ContextLayout, lineage_words, not_yet
from wasmetal.system.hold import serialized
from wasmetal.system.host import host
from wasmetal.system.lifetime import anchor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Final

    from wasm_core.defined_types import DefinedType
    from wasmetal.code.signals import StubAddresses
    from wasmetal.glue.glue import Glue

#: A constant expression: its instructions, with 0 for the immediate of ref.null and of those that have none.
Constant = tuple[tuple[int, int], ...]

_LEAVES: Final = frozenset(
    {
        *(op.I32_CONST, op.I64_CONST, op.F32_CONST, op.F64_CONST, op.V128_CONST),
        *(op.GLOBAL_GET, op.REF_NULL, op.REF_FUNC),
    }
)
#: Arithmetic, with the bits of the result that count.
_ARITHMETIC: Final[dict[int, tuple[Callable[[int, int], int], int]]] = {
    op.I32_ADD: (operator.add, 0xFFFF_FFFF),
    op.I32_SUB: (operator.sub, 0xFFFF_FFFF),
    op.I32_MUL: (operator.mul, 0xFFFF_FFFF),
    op.I64_ADD: (operator.add, (1 << 64) - 1),
    op.I64_SUB: (operator.sub, (1 << 64) - 1),
    op.I64_MUL: (operator.mul, (1 << 64) - 1),
}


def evaluate(constant: Constant, read_global: Callable[[int], int], funcref: Callable[[int], int]) -> int:
    """The bits of a constant expression, or an integer with these bits.

    Args:
        constant: The expression.
        read_global: Gives the bits of a global.
        funcref: Gives the address of a function's FUNCREF.
    """
    stack: list[int] = []
    for opcode, immediate in constant:
        if opcode == op.GLOBAL_GET:
            stack.append(read_global(immediate))
        elif opcode == op.REF_FUNC:
            stack.append(funcref(immediate))
        elif opcode in _LEAVES:
            stack.append(immediate)
        else:
            operation, mask = _ARITHMETIC[opcode]
            right = stack.pop()
            stack.append(operation(stack.pop(), right) & mask)
    return stack.pop()


def _no_index(index: int) -> int:
    raise AssertionError("only for what does not depend on the instance")


#: So many instances are made whole.
_WHOLE: Final = 4

#: Words of a FUNCREF structure.
FUNCREF_WORDS: Final = FUNCREF.size // 8
FUNCREF_CONTEXT: Final = FUNCREF["context"] // 8
_FUNCREF_CODE: Final = FUNCREF["code"] // 8
_FUNCREF_TYPE: Final = FUNCREF["type_id"] // 8
_FUNCREF_LINEAGE: Final = FUNCREF["lineage"] // 8
_SEGMENT_WORDS: Final = SEGMENT.size // 8
_SEGMENT_LENGTH: Final = SEGMENT["length"] // 8
_GLOBAL_WORDS: Final = GLOBAL_SIZE // 8
_MASK: Final = (1 << 64) - 1


@frozen
class ElementPlan:
    """How to make the references of an element segment."""

    table: int
    #: For active segments: where to put them in the table; and as a number, if it is the same in each instance.
    offset: Constant
    at: int | None
    count: int
    #: As one integer, 64 bits per element: offset of the FUNCREF in the VMContext, and 1, for functions of the module's
    #: own; 0 for others. `offsets + context * ones` makes all references at once.
    offsets: int
    ones: int
    #: (element, its value) for the others that are not null: imported functions and globals.
    others: tuple[tuple[int, Constant], ...]
    #: The last VMContext, and from its second time on what `words` made for it: instances that are made and dropped one
    #: after the other are in one place.
    _made: dict[int, array[int] | None] = field(factory=dict, eq=False, repr=False)

    def words(self, context: int) -> array[int]:
        """The references, those in `others` still null."""
        found = self._made.get(context)
        if found is not None:
            return found[:]
        found = array("Q", (self.offsets + context * self.ones).to_bytes(8 * self.count, "little"))
        if context in self._made:
            self._made[context] = found[:]
        else:
            self._made.clear()
            self._made[context] = None
        return found


@frozen
class DataPlan:
    """An active data segment: bytes that go to a memory."""

    memory: int
    #: Where to; and as a number, if it is the same in each instance.
    offset: Constant
    at: int | None
    #: Address and length of the bytes, in the module's binary.
    address: int
    count: int


def _lineages(types: Sequence[DefinedType], wanted: Iterable[int]) -> dict[int, array[int]]:
    """`lineage_words` of a module's types, for those with these indices that have some."""
    numbers: dict[int, list[int]] = {}
    for defined in types:
        # Supertypes stand in front of their subtypes.
        above = defined.supertype
        numbers[defined.number] = [*(() if above is None else numbers[above.number]), defined.number]
    found = {}
    for index in set(wanted):
        lineage = lineage_words(types[index], numbers[types[index].number])
        if lineage is not None:
            found[index] = lineage
    return found


@serialized
class Template:
    """The words of a VMContext, and how to fill in what depends on the instance."""

    __slots__ = (
        "_last",
        "_layout",
        "_made",
        "_types_anchor",
        "active_elements",
        "data",
        "funcref_words",
        "funcrefs",
        "globals",
        "named",
        "passive_elements",
        "reference_globals",
        "resting",
        "table_inits",
        "version",
        "whole",
        "words",
    )

    def __init__(
        self, module: DecodedModule, layout: ContextLayout, stubs: StubAddresses, glue: Glue, fuel: int
    ) -> None:
        self._layout = layout
        self.words: array[int] = array("Q", bytes(layout.size))
        words = self.words
        words[CONTEXT["trap_exit"] // 8] = stubs.trap_exit
        words[CONTEXT["poll_exit"] // 8] = stubs.poll_exit
        words[CONTEXT["throw_exit"] // 8] = stubs.throw_exit
        words[CONTEXT["tail_return"] // 8] = stubs.tail_return
        words[CONTEXT["lazy_slot"] // 8] = stubs.lazy_slot
        words[CONTEXT["lazy_tail"] // 8] = stubs.lazy_tail
        words[CONTEXT["builtin"] // 8] = glue.builtin
        words[layout.fuel // 8] = fuel
        for name in ("memmove", "memset"):
            words[CONTEXT[name] // 8] = host.address_of(name)
        #: Index of a table and what its elements start as, where that is not null.
        self.table_inits = [
            (index, _constant(init))
            for index, init in enumerate(module.table_inits, module.imported_tables)
            if init is not None
        ]
        held = [module.defined_type(index) for index in range(len(module.types))]
        slots = layout.funcref_slots
        lineages = _lineages(held, [module.function_types[index] for index in slots]) if module.defined_types else {}
        # For the instances too, which have the module. Finalizers that run together with theirs may still call them.
        self._types_anchor = anchor((held, lineages))
        numbers = [defined.number for defined in held]
        first = layout.types // 8
        words[first : first + len(numbers)] = array("Q", numbers)
        #: Word and value of the globals whose initial values depend on the instance, in the order of the globals.
        self.globals: list[tuple[int, Constant]] = []
        self._set_globals(module)
        #: Indices of the module's own globals of reference types.
        self.reference_globals = [
            index
            for index, global_type in enumerate(module.global_types)
            if index >= module.imported_globals and global_type.value_type.is_reference
        ]
        self._set_data(module)
        #: How many funcrefs there are; indices of their context words, as a slice.
        self.funcrefs = len(slots)
        start = layout.funcrefs // 8
        for index, number in slots.items():
            at = start + FUNCREF_WORDS * number
            words[at + _FUNCREF_CODE] = stubs.lazy_funcref
            words[at + _FUNCREF_TYPE] = numbers[module.function_types[index]]
            lineage = lineages.get(module.function_types[index])
            if lineage is not None:
                words[at + _FUNCREF_LINEAGE] = lineage.buffer_info()[0]
        self.funcref_words = slice(start + FUNCREF_CONTEXT, start + FUNCREF_WORDS * len(slots), FUNCREF_WORDS)
        #: How many funcrefs come first that must be there at any time, and the word behind them.
        self.named = layout.named_funcrefs, start + FUNCREF_WORDS * layout.named_funcrefs
        #: Grows with each function that is compiled.
        self.version = 1
        #: A `store.resting.RestingPlan` for instances to come, if there is to be one when so many have been made.
        self.resting: Any = None
        self.whole = _WHOLE
        #: An address, and the words of a VMContext there; 0 for `words` themselves.
        self._made = (0, words)
        #: Where the last VMContext was that was not at that address.
        self._last = 0
        #: Active element segments in their order; passive ones that are not empty, with the word of their SEGMENT.
        self.active_elements: list[ElementPlan] = []
        self.passive_elements: list[tuple[int, ElementPlan]] = []
        for number, segment in enumerate(module.elements):
            plan = _element_plan(module, layout, segment)
            if segment.mode is SegmentMode.ACTIVE:
                self.active_elements.append(plan)
            elif segment.mode is SegmentMode.PASSIVE and plan.count:
                self.passive_elements.append((layout.elements // 8 + _SEGMENT_WORDS * number, plan))

    def _set_globals(self, module: DecodedModule) -> None:
        at = self._layout.globals // 8 + _GLOBAL_WORDS * module.imported_globals
        for own in module.globals:
            constant = _constant(own.init)
            opcode, immediate = constant[0]
            if len(constant) > 1 or opcode in (op.GLOBAL_GET, op.REF_FUNC):
                self.globals.append((at, constant))
            elif opcode == op.I32_CONST:
                self.words[at] = immediate & 0xFFFF_FFFF
            else:
                self.words[at] = immediate & _MASK
                self.words[at + 1] = immediate >> 64 if opcode == op.V128_CONST else 0
            at += _GLOBAL_WORDS

    def _set_data(self, module: DecodedModule) -> None:
        # Passive segments point into the binary, which the module keeps. Active ones are dropped once they have been
        # written, before any code runs: theirs stay empty.
        source = ctypes.cast(ctypes.c_char_p(module.source), ctypes.c_void_p).value or 0
        at = self._layout.data // 8
        #: Active data segments in their order.
        self.data: list[DataPlan] = []
        for segment in module.data:
            address, count = source + segment.start, segment.end - segment.start
            if segment.mode is SegmentMode.PASSIVE:
                self.words[at] = address
                self.words[at + _SEGMENT_LENGTH] = count
            elif segment.offset is not None:
                is64 = module.memories[segment.memory].is64
                offset = _constant(segment.offset)
                self.data.append(DataPlan(segment.memory, offset, _index(offset, is64), address, count))
            at += _SEGMENT_WORDS

    def compiled(self, index: int, address: int) -> None:
        """Let instances that are made from now on have the code of a function that has been compiled."""
        number = self._layout.funcref_slots.get(index)
        if number is not None:
            self.words[self._layout.funcrefs // 8 + FUNCREF_WORDS * number + _FUNCREF_CODE] = address
            self.version += 1
            self._made = (0, self.words)

    def context_words(self) -> array[int]:
        """The words of a new VMContext; its functions know it."""
        made = self._made
        address, source = made
        words = source[:]
        context = words.buffer_info()[0]
        if context != address and self.funcrefs:
            words[self.funcref_words] = array("Q", (context,)) * self.funcrefs
            if context == self._last:
                # Instances that are made and dropped one after the other are in one place.
                copied = words[:]
                # (a function may have been compiled meanwhile; no call stands between these)
                if self._made is made:
                    self._made = (context, copied)
            self._last = context
        return words


def _constant(expression: ConstExpr | None) -> Constant:
    """A constant expression as it is evaluated.

    Raises:
        Unsupported: It makes objects.
    """
    assert expression is not None
    found = []
    has_globals = False
    for opcode, immediate in expression.instructions:
        if opcode not in _LEAVES and opcode not in _ARITHMETIC:
            raise not_yet("a constant expression", "gc", expression.offset)
        has_globals = has_globals or opcode == op.GLOBAL_GET
        found.append((opcode, immediate if isinstance(immediate, int) else 0))
    if len(found) > 1 and not has_globals:
        # Of these there is only arithmetic.
        first = op.I64_CONST if found[0][0] == op.I64_CONST else op.I32_CONST
        return ((first, evaluate(tuple(found), _no_index, _no_index)),)
    return tuple(found)


def _index(offset: Constant, is64: bool) -> int | None:
    """What an offset is in each instance; None if it depends on that."""
    opcode, immediate = offset[0]
    if len(offset) > 1 or opcode == op.GLOBAL_GET:
        return None
    return immediate & (_MASK if is64 else 0xFFFF_FFFF)


def _element_plan(module: DecodedModule, layout: ContextLayout, segment: ElementSegment) -> ElementPlan:
    items: Sequence[tuple[int, int]]
    if segment.functions is not None:
        items = [(op.REF_FUNC, index) for index in segment.functions]
    else:
        # References are made by single instructions, but for objects.
        items = [_constant(expression)[0] for expression in segment.expressions or ()]
    offsets: array[int] = array("Q", bytes(8 * len(items)))
    ones: array[int] = array("Q", bytes(8 * len(items)))
    others = []
    first = module.imported_functions
    for number, (opcode, immediate) in enumerate(items):
        if opcode == op.REF_FUNC and immediate >= first:
            offsets[number] = layout.funcref(immediate)
            ones[number] = 1
        elif opcode != op.REF_NULL:
            others.append((number, ((opcode, immediate),)))
    active = segment.mode is SegmentMode.ACTIVE
    offset = _constant(segment.offset) if active else ()
    return ElementPlan(
        table=segment.table,
        offset=offset,
        at=_index(offset, module.tables[segment.table].is64) if active else None,
        count=len(items),
        offsets=int.from_bytes(offsets.tobytes(), "little"),
        ones=int.from_bytes(ones.tobytes(), "little"),
        others=tuple(others),
    )
