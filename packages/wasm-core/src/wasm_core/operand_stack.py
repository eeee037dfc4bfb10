"""The operand stack of validation: a list of type codes with a marker at the base of every control frame.

The marker of a frame is FLOOR, or POLYMORPHIC once the rest of the frame cannot be reached, where operands of any type
can be popped (core specification, appendix "Validation Algorithm"). A marker equals no type, so the hot loop compares
the top of the stack with the type that it wants, and comes here only when they differ.
"""

from __future__ import annotations

from wasm_core.errors import InvalidError
from wasm_core.type_codes import UNKNOWN, type_name
from wasm_core.validation_context import ValidationContext

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

FLOOR: Final = -1
POLYMORPHIC: Final = -2


def mismatch(expected: int, found: int, at: int) -> InvalidError:
    """The error for an operand of another type than expected."""
    what = "nothing" if found == FLOOR else type_name(found)
    return InvalidError(f"type mismatch: expected {type_name(expected)}, found {what}", at)


def pop(context: ValidationContext, stack: list[int], expected: int, at: int) -> None:
    """Pop one operand of type `expected`; `at` is the offset for the error."""
    found = stack[-1]
    if found == POLYMORPHIC:
        return
    if found != expected and found != UNKNOWN and not context.matches(found, expected):
        raise mismatch(expected, found, at)
    stack.pop()


def pop_any(stack: list[int], at: int) -> int:
    """Pop one operand of any type and return its type, UNKNOWN in unreachable code."""
    found = stack[-1]
    if found == POLYMORPHIC:
        return UNKNOWN
    if found == FLOOR:
        raise InvalidError("type mismatch: expected an operand, found nothing", at)
    return stack.pop()


def check(context: ValidationContext, stack: list[int], types: list[int], at: int) -> int:
    """Check that operands of these types are on top; return the length of the stack without them."""
    top = len(stack)
    for expected in reversed(types):
        found = stack[top - 1]
        if found == POLYMORPHIC:
            return top
        if found != expected and found != UNKNOWN and not context.matches(found, expected):
            raise mismatch(expected, found, at)
        top -= 1
    return top


def pop_all(context: ValidationContext, stack: list[int], types: list[int], at: int) -> None:
    """Pop operands of these types, the last one first."""
    del stack[check(context, stack, types, at) :]
