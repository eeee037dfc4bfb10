"""Defined types: recursion groups, interned for the whole process (core specification, "Recursive Types").

Equal groups, of whatever modules, are one `RecursionGroup` as long as anything has it, and its types have numbers that
no other type ever has: two defined types are equal if their numbers are. Equality is iso-recursive: groups are equal if
they say the same once references into the group itself are made relative to its start.

A group is held by what refers to it (modules, types, functions), and by nothing else.
"""

from __future__ import annotations

import _weakref
import itertools
import weakref
from collections.abc import Sequence

from wasm_core.type_codes import I8, I16, NON_NULL, abstract_type
from wasm_core.types import (
    ArrayType,
    CompositeType,
    FieldType,
    FuncType,
    PackedType,
    StorageType,
    StructType,
    ValueType,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

# The structure of a group is a sequence of integers, for each type:
#
#     form and finality, supertype, number of fields (of a function, of its parameters and of its results), fields
#
# A field is storage << 1 | mutable. Storage types are type codes, but for references to defined types, see below.

#: Forms of composite types, as in the binary format.
ARRAY: Final = 0x5E
STRUCT: Final = 0x5F
FUNC: Final = 0x60
#: What stands in front of composite types in the binary format: a subtype, a final one, a group.
SUB: Final = 0x50
SUB_FINAL: Final = 0x4F
REC: Final = 0x4E
#: Added to a form: the type may have subtypes.
OPEN: Final = 0x100

# References to defined types: number << _SHIFT | _OUTER, or place in the group << _SHIFT | _INNER; or with NON_NULL.
# The same without NON_NULL for supertypes, and NO_SUPERTYPE where there is none.
_OUTER: Final = 0x200
_INNER: Final = 0x400
_SHIFT: Final = 11
NO_SUPERTYPE: Final = 0

_PACKED: Final[dict[int, PackedType]] = {I8: PackedType.I8, I16: PackedType.I16}

#: Most supertypes above a type. Other engines have the same limit.
MAX_DEPTH: Final = 63


def outer_code(number: int, nullable: bool = True) -> int:
    """The code, in a group's structure, of a reference to a type of another group."""
    return number << _SHIFT | _OUTER | (0 if nullable else NON_NULL)


def inner_code(place: int, nullable: bool = True) -> int:
    """The code, in a group's structure, of a reference to a type of the group itself."""
    return place << _SHIFT | _INNER | (0 if nullable else NON_NULL)


class RecursionGroup:
    """A recursion group; equal ones are identical."""

    __slots__ = ("__weakref__", "_func", "_outer", "_starts", "_structure", "numbers")

    def __init__(
        self,
        func: FuncType | None,
        structure: tuple[int, ...],
        starts: Sequence[int],
        outer: dict[int, DefinedType],
    ) -> None:
        #: The only type of the group, if it is a plain function type; then the rest is empty.
        self._func: Final = func
        self._structure: Final = structure
        #: Where the types start in the structure.
        self._starts: Final = starts
        #: The types of other groups that occur in the structure, by number.
        self._outer: Final = outer
        #: The numbers of the types, none of them 0.
        self.numbers: Final = [next(_next_number) for _ in range(1 if func is not None else len(starts))]

    def __len__(self) -> int:
        return len(self.numbers)

    def defined(self, code: int) -> DefinedType:
        """The type that a code in the structure refers to."""
        if code & _INNER:
            return DefinedType(self, code >> _SHIFT)
        return self._outer[code >> _SHIFT]

    def form(self, place: int) -> int:
        """The form of a type, with OPEN if it may have subtypes."""
        return FUNC if self._func is not None else self._structure[self._starts[place]]

    def supertype(self, place: int) -> DefinedType | None:
        """The supertype of a type."""
        if self._func is not None:
            return None
        code = self._structure[self._starts[place] + 1]
        return None if code == NO_SUPERTYPE else self.defined(code)

    def composite(self, place: int) -> CompositeType:
        """The structure of a type."""
        if self._func is not None:
            return self._func
        structure = self._structure
        at = self._starts[place]
        form = structure[at] & ~OPEN
        if form == FUNC:
            middle = at + 4 + structure[at + 2]
            params = [self._value_type(code >> 1) for code in structure[at + 4 : middle]]
            results = [self._value_type(code >> 1) for code in structure[middle : middle + structure[at + 3]]]
            return FuncType(params, results)
        fields = structure[at + 3 : at + 3 + structure[at + 2]]
        made = [FieldType(self._storage(code >> 1), bool(code & 1)) for code in fields]
        return ArrayType(made[0]) if form == ARRAY else StructType(tuple(made))

    def _storage(self, code: int) -> StorageType:
        packed = _PACKED.get(code)
        return self._value_type(code) if packed is None else packed

    def _value_type(self, code: int) -> ValueType:
        if code & (_OUTER | _INNER):
            return ValueType.reference(self.defined(code), not code & NON_NULL)
        return abstract_type(code)

    def __reduce__(self) -> tuple[object, ...]:
        if self._func is not None:
            return _restore_function, (self._func,)
        return _restore_group, (self._structure, tuple(self._starts), tuple(self._outer.items()))


class DefinedType:
    """A type that a module defines: a place in a recursion group. Equal ones have equal numbers."""

    __slots__ = ("group", "number", "place")

    def __init__(self, group: RecursionGroup, place: int = 0) -> None:
        self.group: Final = group
        self.place: Final = place
        #: The number, never 0, of the type in this process; no other type has or will have it.
        self.number: Final = group.numbers[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, DefinedType) and self.number == other.number

    def __hash__(self) -> int:
        return hash(self.number)

    def __repr__(self) -> str:
        return f"<DefinedType {self.number}: {self.composite}>"

    def __reduce__(self) -> tuple[object, ...]:
        return DefinedType, (self.group, self.place)

    @property
    def composite(self) -> CompositeType:
        """What is defined: a function, structure or array type."""
        return self.group.composite(self.place)

    @property
    def form(self) -> int:
        """FUNC, STRUCT or ARRAY."""
        return self.group.form(self.place) & ~OPEN

    @property
    def final(self) -> bool:
        """Whether there can be no subtypes."""
        return not self.group.form(self.place) & OPEN

    @property
    def supertype(self) -> DefinedType | None:
        """The declared supertype."""
        return self.group.supertype(self.place)

    def lineage(self) -> list[int]:
        """The numbers of this type and of all its supertypes, the outermost first."""
        numbers: list[int] = []
        found: DefinedType | None = self
        while found is not None:
            numbers.append(found.number)
            found = found.supertype
        numbers.reverse()
        return numbers

    def matches(self, other: DefinedType) -> bool:
        """Whether this is `other` or one of its subtypes."""
        found: DefinedType | None = self
        while found is not None:
            if found.number == other.number:
                return True
            found = found.supertype
        return False


class _GroupReference(weakref.ref[RecursionGroup]):
    """An entry of the table of groups."""

    __slots__ = ("key", "numbers")

    key: tuple[object, ...]
    numbers: list[int]


#: Live groups, by structure, or for plain function types by parameters and results. The keys are tuples of integers and
#: of strings: looking one up runs no Python code in between.
_groups: dict[tuple[object, ...], _GroupReference] = {}
_next_number = itertools.count(1)


# Bound at definition, because module globals may be gone when the interpreter shuts down.
def _forget(  # type: ignore[no-untyped-def]
    reference: weakref.ref[RecursionGroup],
    _groups=_groups,
    _remove=_weakref._remove_dead_weakref,  # type: ignore
) -> None:
    # In one step, if what is there now is for a group that is gone: another thread may have put a new one there.
    _remove(_groups, reference.key)  # type: ignore[attr-defined]


def _intern(
    key: tuple[object, ...],
    func: FuncType | None,
    starts: Sequence[int],
    outer: dict[int, DefinedType],
) -> RecursionGroup:
    while True:
        reference = _groups.get(key)
        if reference is None:
            made = RecursionGroup(func, () if func is not None else key, starts, outer)  # type: ignore[arg-type]
            fresh = _GroupReference(made, _forget)
            fresh.key = key
            fresh.numbers = made.numbers
            # Another thread, or a finalizer, may have been here since.
            if _groups.setdefault(key, fresh) is fresh:
                return made
        else:
            found = reference()
            if found is not None:
                return found
            _forget(reference)


def function_type(func: FuncType) -> DefinedType:
    """The defined type that is a function type alone: final, without a supertype, in a group of its own.

    It does not refer to itself, so what it refers to is told by its parameters and results.
    """
    return DefinedType(_intern((func.params, func.results), func, (), {}))


def recursion_group(structure: tuple[int, ...], starts: Sequence[int], outer: dict[int, DefinedType]) -> RecursionGroup:
    """The group with a structure.

    Args:
        structure: As above. A group of one plain function type that does not refer to itself has none: see
            `function_type`.
        starts: Where in the structure the types start.
        outer: The types of other groups that the structure refers to, by their numbers.
    """
    return _intern(structure, None, starts, outer)


def live_type(number: int) -> DefinedType | None:
    """The type that has a number, if there still is one."""
    for reference in list(_groups.values()):
        if number in reference.numbers:
            group = reference()
            if group is not None:
                return DefinedType(group, group.numbers.index(number))
    return None


def _restore_function(func: FuncType) -> RecursionGroup:
    return function_type(func).group


def _restore_group(
    structure: tuple[int, ...], starts: tuple[int, ...], outer: tuple[tuple[int, DefinedType], ...]
) -> RecursionGroup:
    """The group with a structure that has the numbers of another process."""
    new = {old: defined.number for old, defined in outer}

    def renumbered(code: int) -> int:
        return outer_code(new[code >> _SHIFT], not code & NON_NULL) if code & _OUTER else code

    moved = list(structure)
    for number, at in enumerate(starts):
        end = starts[number + 1] if number + 1 < len(starts) else len(structure)
        moved[at + 1] = renumbered(moved[at + 1])
        for place in range(at + (4 if structure[at] & ~OPEN == FUNC else 3), end):
            moved[place] = renumbered(moved[place] >> 1) << 1 | moved[place] & 1
    return recursion_group(tuple(moved), starts, {defined.number: defined for _, defined in outer})
