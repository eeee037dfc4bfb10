"""Calling conventions: where arguments and results travel, worked out from lists of registers."""

from __future__ import annotations

from wasm_ir import types
from wasm_ir.codegen.machinst import IN_ARG, OUT_ARG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_TO_INCOMING: Final = IN_ARG - OUT_ARG


class Assignment:
    """Locations of a list of values: in each of the two lists a register or a stack word (see machinst.py)."""

    __slots__ = ("incoming", "outgoing", "words")

    def __init__(self, outgoing: list[int], words: int) -> None:
        #: As the caller sees them (stack words are OUT_ARG words).
        self.outgoing = outgoing
        #: As the callee sees them (stack words are IN_ARG words).
        self.incoming = [place + _TO_INCOMING if place < 0 else place for place in outgoing]
        #: How many 8-byte stack words they take.
        self.words = words


class Convention:
    """A calling convention: registers for arguments and results, per class and in order; the rest go to the stack."""

    def __init__(
        self,
        int_arguments: tuple[int, ...],
        float_arguments: tuple[int, ...],
        int_results: tuple[int, ...],
        float_results: tuple[int, ...],
        clobbers: int,
        shadow_words: int = 0,
    ) -> None:
        """`shadow_words`: not zero where an argument's place in the list says which register of either class it gets,
        and the caller leaves the callee that many stack words, for the arguments in registers."""
        self._argument_registers = (int_arguments, float_arguments)
        self._result_registers = (int_results, float_results)
        self._arguments: dict[tuple[int, ...], Assignment] = {}
        self._results: dict[tuple[int, ...], Assignment] = {}
        #: Bit mask of the registers that a call destroys.
        self.clobbers = clobbers
        self.shadow_words = shadow_words

    def arguments(self, value_types: tuple[int, ...]) -> Assignment:
        """Where arguments of these types go."""
        found = self._arguments.get(value_types)
        if found is None:
            if self.shadow_words:
                found = _assign_by_position(value_types, self._argument_registers, self.shadow_words)
            else:
                found = assign(value_types, self._argument_registers)
            self._arguments[value_types] = found
        return found

    def results(self, value_types: tuple[int, ...]) -> Assignment:
        """Where results of these types go."""
        found = self._results.get(value_types)
        if found is None:
            found = self._results[value_types] = assign(value_types, self._result_registers)
        return found


def _assign_by_position(
    value_types: tuple[int, ...], registers: tuple[tuple[int, ...], tuple[int, ...]], shadow_words: int
) -> Assignment:
    """Give each value the register of its class at its own position, or the stack word there; no vectors."""
    places: list[int] = []
    for position, value_type in enumerate(value_types):
        of_class = registers[types.CLASS[value_type]]
        places.append(of_class[position] if position < len(of_class) else OUT_ARG - position)
    return Assignment(places, max(shadow_words, len(value_types)))


def assign(value_types: tuple[int, ...], registers: tuple[tuple[int, ...], tuple[int, ...]]) -> Assignment:
    """Give each value, in order, the next register of its class, or the next stack word when there is none left.

    A v128 takes two words, the first of which has an even number.
    """
    taken = [0, 0]
    words = 0
    places: list[int] = []
    for value_type in value_types:
        register_class = types.CLASS[value_type]
        number = taken[register_class]
        if number < len(registers[register_class]):
            places.append(registers[register_class][number])
            taken[register_class] = number + 1
        else:
            if value_type == types.V128:
                words += words & 1
            places.append(OUT_ARG - words)
            words += types.BYTES[value_type] + 7 >> 3
    return Assignment(places, words)
