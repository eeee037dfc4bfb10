"""What a host function can learn about the instance that calls it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from types import FunctionType, MethodType
from typing import TYPE_CHECKING

from wasm_core.errors import WasmError

if TYPE_CHECKING:
    from wasmetal.instance import Exports, Instance
    from wasmetal.memory import Memory
    from wasmetal.store.instance_core import InstanceCore


class Caller:
    """The calling instance. A host function whose first parameter is annotated with this class gets one there.

    All properties raise WasmError when the host function was called from Python.
    """

    __slots__ = ("_core",)

    def __init__(self, core: InstanceCore | None) -> None:
        self._core = core

    def _instance(self) -> InstanceCore:
        if self._core is None:
            raise WasmError("the host function was not called by an instance")
        return self._core

    @property
    def instance(self) -> Instance:
        """The instance whose code called the host function."""
        return self._instance().as_instance()

    @property
    def exports(self) -> Exports:
        """What the calling instance exports."""
        return self._instance().exports

    @property
    def memory(self) -> Memory:
        """The first memory of the calling instance, exported or not. Raises WasmError when it has none."""
        memory = self._instance().memory0
        if memory is None:
            raise WasmError("the calling instance has no memory")
        return memory

    def __repr__(self) -> str:
        return f"<wasmetal.Caller {self._core!r}>"


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
    return annotation is Caller
