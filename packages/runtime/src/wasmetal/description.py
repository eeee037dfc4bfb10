"""Functions as Python describes callables: signatures with Python's types, and documentation."""

from __future__ import annotations

import inspect
import keyword
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

from wasm_core.quoting import MAX_QUOTED, shown
from wasm_core.types import FuncType, ValueType
from wasmetal.function import Func
from wasmetal.store.functions import FunctionCore, HostFunction, WasmFunction

#: Types of Python by the value type; references that are not listed can be any object.
PYTHON_TYPES: Final[Mapping[str, Any]] = {
    "i32": int,
    "i64": int,
    "f32": float,
    "f64": float,
    "v128": bytes,
    "funcref": Func | None,
}
#: Characters of a type that documentation shows.
_MAX_TYPE: Final = 400


def python_type(type: ValueType) -> Any:
    """What values of a type are in Python."""
    found = PYTHON_TYPES.get(type.value)
    if found is None:
        if not type.is_function_reference:
            return object
        return Func | None if type.nullable else Func
    return found


def parameter_names(count: int, known: Mapping[int, str]) -> list[str]:
    """Names for parameters: those that are known, where Python can have them, else arg0, arg1, ..."""
    names: list[str] = []
    for number in range(count):
        name = known.get(number, "")
        usable = name.isidentifier() and not keyword.iskeyword(name) and len(name) <= MAX_QUOTED and name not in names
        names.append(name if usable else f"arg{number}")
    # (a name of the module's may be one of ours)
    return names if len({*names}) == count else [f"arg{number}" for number in range(count)]


def make_signature(type: FuncType, known: Mapping[int, str]) -> inspect.Signature:
    """The signature of a function whose parameters have these names, where they are known."""
    parameters = [
        inspect.Parameter(name, inspect.Parameter.POSITIONAL_ONLY, annotation=python_type(param))
        for name, param in zip(parameter_names(len(type.params), known), type.params)
    ]
    results = [python_type(result) for result in type.results]
    returned = None if not results else results[0] if len(results) == 1 else tuple[tuple(results)]  # type: ignore[misc]
    return inspect.Signature(parameters, return_annotation=returned)


def _wasm_names(core: WasmFunction) -> Mapping[int, str]:
    """The name section's names of a function's locals; parameters come first."""
    instance = core.instance
    if instance.closed:
        return {}
    return instance.code.names.local_names(instance.function_index(core.funcref))


def _host_names(core: HostFunction) -> Mapping[int, str]:
    """The parameters of a Python callable, if there are as many as the type has."""
    with suppress(TypeError, ValueError):
        kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        names: Sequence[str] = [p.name for p in inspect.signature(core.callable).parameters.values() if p.kind in kinds]
        names = names[core.wants_caller :]
        if len(names) == len(core.type.params):
            return dict(enumerate(names))
    return {}


def signature(core: FunctionCore) -> inspect.Signature:
    """`inspect.signature` of a function."""
    if isinstance(core, WasmFunction):
        return make_signature(core.type, _wasm_names(core))
    assert isinstance(core, HostFunction)
    return make_signature(core.type, _host_names(core))


def documentation(core: FunctionCore) -> str:
    """`__doc__` of a function: a host function has its callable's."""
    if isinstance(core, HostFunction):
        own = getattr(core.callable, "__doc__", None)
        # (a class has documentation, but its instances that are called have not)
        if isinstance(own, str) and own != type(core.callable).__doc__:
            return own
    of_host = " of the host" if core.is_host else ""
    return f"WebAssembly function{of_host} {shown(core.name or '<unnamed>')}: {shown(str(core.type), _MAX_TYPE)}"
