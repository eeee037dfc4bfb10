"""What is public: the names that the packages export, and the members of their classes, found by looking."""

from __future__ import annotations

import enum
from types import ModuleType
from typing import Final

import wasm_core
import wasm_wasi
import wasmetal
from wasmetal import interruption

#: Packages whose `__all__` says what is public.
PACKAGES: Final[tuple[ModuleType, ...]] = (wasmetal, wasm_wasi, wasm_core)
#: Functions of a module without `__all__`. (`poll`, `wait` and `sleep` wait for as long as they are told.)
_MORE: Final = (interruption.check, interruption.remaining)

#: Members that are not called: they change a class or an object behind the back of its own methods, which Python lets
#: nobody prevent, or end a block that was never begun.
_LEFT_OUT: Final = frozenset(
    (
        *("__class__", "__class_getitem__", "__init_subclass__", "__subclasshook__", "__abstractmethods__"),
        *("__getattribute__", "__getstate__", "__setstate__", "__setattr__", "__delattr__", "__attrs_post_init__"),
        *("__dict__", "__slots__", "__weakref__", "__annotations__", "__attrs_attrs__", "__match_args__"),
        *("__doc__", "__module__", "__qualname__", "__name__", "__orig_bases__", "__parameters__", "__members__"),
        *("__vectorcalloffset__", "__new__", "__set_name__"),
    )
)


def is_description(cls: type) -> bool:
    """Whether objects of a class cannot change: calling `__init__` again would get around that."""
    return hasattr(cls, "__attrs_attrs__") or issubclass(cls, enum.Enum)


def members_of(cls: type) -> tuple[str, ...]:
    """Names of the methods and attributes that anybody may use."""
    special = {name for base in cls.__mro__[:-1] for name in vars(base) if name.startswith("__")}
    special |= {"__repr__", "__str__", "__eq__", "__hash__", "__reduce_ex__", "__format__", "__dir__", "__sizeof__"}
    plain = {name for name in dir(cls) if not name.startswith("_")}
    left_out = _LEFT_OUT | ({"__init__"} if is_description(cls) else set())
    if issubclass(cls, enum.Enum):
        # Arithmetic with huge numbers and long strings is Python's own, and takes for ever.
        left_out |= {*dir(int), *dir(str)}
    return tuple(sorted(plain | special - left_out))


def _public() -> tuple[dict[str, type], dict[str, object]]:
    classes: dict[str, type] = {}
    functions: dict[str, object] = {f"interruption.{function.__name__}": function for function in _MORE}
    for package in PACKAGES:
        for name in package.__all__:
            found = getattr(package, name)
            full = f"{package.__name__}.{name}"
            if isinstance(found, type):
                # wasmetal exports much of wasm_core.
                if found not in classes.values():
                    classes[full] = found
            elif callable(found) and found not in functions.values():
                functions[full] = found
    return classes, functions


#: Classes and functions by name.
CLASSES, FUNCTIONS = _public()
#: The members of each class.
MEMBERS: Final = {name: members_of(cls) for name, cls in CLASSES.items()}
