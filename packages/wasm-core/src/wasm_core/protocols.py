"""Protocols that embedders type against, so that code which is given an engine need not import one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable

from wasm_core.types import ExportType, FuncType, ImportType


@runtime_checkable
class FunctionDefinition(Protocol):
    """A function of a module, as a listener sees it."""

    @property
    def index(self) -> int:
        """Index in the module's function index space."""

    @property
    def name(self) -> str | None:
        """Name from the name section or an export."""

    @property
    def module_name(self) -> str | None:
        """Name of the module from its name section."""

    @property
    def type(self) -> FuncType:
        """The function's type."""


@runtime_checkable
class Listener(Protocol):
    """Sees every call of the functions of the modules that are compiled with it."""

    def before(self, definition: FunctionDefinition, params: tuple[object, ...]) -> None:
        """A function is about to run with these arguments."""

    def after(self, definition: FunctionDefinition, results: tuple[object, ...]) -> None:
        """A function returned these results."""


@runtime_checkable
class Instance(Protocol):
    """An instantiated module."""

    @property
    def exports(self) -> Mapping[str, object]:
        """Functions, memories, tables and globals by name."""

    def close(self) -> None:
        """Release what the instance holds; using it afterwards raises."""


@runtime_checkable
class Module(Protocol):
    """A compiled module."""

    @property
    def imports(self) -> tuple[ImportType, ...]:
        """What the module needs, in order."""

    @property
    def exports(self) -> tuple[ExportType, ...]:
        """What its instances offer, in order."""

    def instantiate(self, imports: Mapping[str, Mapping[str, object]] | None = None) -> Instance:
        """Make an instance.

        Args:
            imports: Values by module name and name.

        Raises:
            LinkError: An import is missing or has the wrong type.
            Trap: A segment is out of bounds, or the start function trapped.
        """


@runtime_checkable
class Engine(Protocol):
    """Compiles modules and owns their code."""

    @property
    def compiled_module_count(self) -> int:
        """How many compiled modules the engine holds."""

    def compile(self, source: bytes, *, listener: Listener | None = None) -> Module:
        """Compile a binary module.

        Args:
            source: The module.
            listener: Is told of every call of the module's functions.

        Raises:
            CompileError: The module is malformed, invalid, or needs what the engine does not have.
        """

    def delete_compiled_module(self, module: Module) -> None:
        """Give up a module's code once no instance uses it; no error if it was given up before."""
