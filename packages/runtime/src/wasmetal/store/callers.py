"""Whether a host function asks for its caller, and what it gets then."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType


class CallerHandle:
    """What a `wasmetal.Caller` is to this room."""

    __slots__ = ("_core",)

    def __init__(self, core: object) -> None:
        #: The `InstanceCore` that calls; None for a call from Python.
        self._core = core


#: The class of callers: who defines it puts it here.
caller_class: type[CallerHandle] = CallerHandle


def wants_caller(function: Callable[..., object]) -> bool:
    """Whether the first parameter of a host function is annotated with Caller, or with its name."""
    bound = type(function) is MethodType
    plain = function.__func__ if bound else function  # type: ignore[attr-defined]
    if type(plain) is FunctionType and not hasattr(plain, "__wrapped__"):
        # The usual case, without the cost of inspect.signature.
        annotations = plain.__annotations__
        if not annotations or plain.__code__.co_argcount <= bound:
            return False
        return _is_caller(annotations.get(plain.__code__.co_varnames[bound]))
    call = getattr(type(function), "__call__", None)  # noqa: B004 (looked up, not tested for)
    if not any(hasattr(part, "__annotations__") for part in (function, call)) and not isinstance(function, partial):
        return False  # builtins: to find their signature takes a millisecond
    import inspect

    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return False
    for parameter in parameters:
        return _is_caller(parameter.annotation)
    return False


def _is_caller(annotation: object) -> bool:
    if isinstance(annotation, str):
        return annotation.strip("\"'").rpartition(".")[2] == "Caller"
    return isinstance(annotation, type) and issubclass(annotation, CallerHandle)
