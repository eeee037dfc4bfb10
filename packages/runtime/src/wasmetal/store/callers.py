"""Whether a host function asks for its caller, and what it gets then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType, UnionType

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Final


class CallerHandle:
    """What a `wasmetal.Caller` is to this room."""

    __slots__ = ("_core",)

    def __init__(self, core: object) -> None:
        #: The `InstanceCore` that calls; None for a call from Python.
        self._core = core


#: The class of callers: who defines it puts it here.
caller_class: type[CallerHandle] = CallerHandle

#: Annotations that are written most often, and need not be looked up.
_PLAIN: Final = frozenset({"int", "float", "bytes", "str", "bool", "object", "Any", "None", "memoryview"})

#: Callables one around the other that are looked into.
_MAX_WRAPPERS: Final = 100


def wants_caller(function: Callable[..., object]) -> bool:
    """Whether the first parameter of a host function is annotated with Caller, however that is written."""
    bound = type(function) is MethodType
    plain = function.__func__ if bound else function  # type: ignore[attr-defined]
    if type(plain) is FunctionType and not hasattr(plain, "__wrapped__"):
        # The usual case, without the cost of inspect.signature.
        annotations = plain.__annotations__
        if not annotations or plain.__code__.co_argcount <= bound:
            return False
        return _is_caller(annotations.get(plain.__code__.co_varnames[bound]), plain)
    call = getattr(type(function), "__call__", None)  # noqa: B004 (looked up, not tested for)
    if not any(hasattr(part, "__annotations__") for part in (function, call)) and not isinstance(function, partial):
        return False  # builtins: to find their signature takes a millisecond
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    for parameter in parameters:
        return _is_caller(parameter.annotation, function)
    return False


def _is_caller(annotation: object, function: object) -> bool:
    """Whether an annotation of a function's parameter means Caller, or Caller among others."""
    if isinstance(annotation, type):
        return issubclass(annotation, CallerHandle)
    if isinstance(annotation, str):
        if annotation in _PLAIN:
            return False
        try:
            meant = eval(annotation, _globals(function))
        except Exception:
            # It means something to type checkers only, or in the function around it.
            return "Caller" in "".join([c if c.isalnum() or c == "_" else " " for c in annotation]).split()
        return meant != annotation and _is_caller(meant, function)
    # It has been imported by whoever made the annotation. When programs start, there is none.
    from typing import Annotated, Union, get_args, get_origin

    origin = get_origin(annotation)
    if origin is Union or origin is UnionType or origin is Annotated:
        parts = get_args(annotation)
        return any(_is_caller(part, function) for part in (parts[:1] if origin is Annotated else parts))
    # An alias: `type Host = Caller`.
    return hasattr(annotation, "__value__") and _is_caller(annotation.__value__, function)


def _globals(function: Any) -> dict[str, Any]:
    """The names that are known where the function stands that is behind a callable."""
    for _ in range(_MAX_WRAPPERS):
        if isinstance(function, partial):
            function = function.func
        elif isinstance(function, MethodType):
            function = function.__func__
        elif isinstance(function, FunctionType) and not hasattr(function, "__wrapped__"):
            break
        elif hasattr(function, "__wrapped__"):
            function = function.__wrapped__
        else:
            function = getattr(type(function), "__call__", None)  # noqa: B004 (looked up, not tested for)
    found: dict[str, Any] = getattr(function, "__globals__", {})
    return found
