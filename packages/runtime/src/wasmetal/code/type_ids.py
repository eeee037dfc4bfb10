"""Numbers for function types, which `call_indirect` compares (core specification, section "Function Instances")."""

from __future__ import annotations

import itertools
import weakref

from wasm_core.types import FuncType, ValueType


class TypeId:
    """The number, never 0, that stands for a type in this process, as long as this object is alive.

    Whatever has the number in its memory (a module's VMContexts, FUNCREFs) holds the object. A number is never used
    again: what has an old one matches nothing.
    """

    __slots__ = ("__weakref__", "number")

    def __init__(self, number: int) -> None:
        self.number = number


class _TypeReference(weakref.ref[TypeId]):
    """An entry of the table of types."""

    __slots__ = ("key",)

    key: tuple[tuple[ValueType, ...], tuple[ValueType, ...]]


#: Live types, by parameters and results (tuples of strings: looking one up runs no Python code in between).
_type_ids: dict[tuple[tuple[ValueType, ...], tuple[ValueType, ...]], _TypeReference] = {}
_next_type_id = itertools.count(1)


# Bound at definition, because module globals may be gone when the interpreter shuts down.
def _forget_type(reference: weakref.ref[TypeId], _type_ids=_type_ids) -> None:  # type: ignore[no-untyped-def]
    key = reference.key  # type: ignore[attr-defined]
    # No call stands between these two, so the GIL stays here.
    if key in _type_ids and _type_ids[key] is reference:
        del _type_ids[key]


def function_type_id(type: FuncType) -> TypeId:
    """What stands for a type in this process: equal types have the same one, as long as anybody holds it."""
    key = (type.params, type.results)
    while True:
        reference = _type_ids.get(key)
        if reference is None:
            made = TypeId(next(_next_type_id))
            fresh = _TypeReference(made, _forget_type)
            fresh.key = key
            # Another thread, or a finalizer, may have been here since.
            if _type_ids.setdefault(key, fresh) is fresh:
                return made
        else:
            found = reference()
            if found is not None:
                return found
            _forget_type(reference)
