"""What stores, groups and functions ask of an instance."""

from __future__ import annotations

from array import array
from collections.abc import Sequence

from wasmetal.store.groups import Grouped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from wasm_core.defined_types import DefinedType
    from wasmetal.compiled.compiled_module import CompiledModule
    from wasmetal.glue.ticker import ContextLink
    from wasmetal.store.functions import FuncHandle
    from wasmetal.store.store import Store
    from wasmetal.store.tags import Tag
else:
    from wasm_core.lazy_typing import Protocol


class Memory(Protocol):
    """A memory; `linear_memory.LinearMemory` says what each of these is."""

    @property
    def _base(self) -> int: ...
    @property
    def size(self) -> int: ...
    def reaches(self, address: int) -> bool: ...


class Parts(Protocol):
    """Parts of an instance that are there while its store has a stack; `resting.RestingParts` says what these do."""

    def fill(self) -> None: ...
    def empty(self, store: array[int], owner: int) -> None: ...


class Instance(Grouped, Protocol):
    """An instance; `instance_core.InstanceCore` says what each of these is."""

    store: Store
    words: array[int]
    link: ContextLink | None
    functions: Sequence[FuncHandle]
    tags: Sequence[Tag]
    segments: Sequence[array[int]]
    code: CompiledModule
    context: int
    closed: bool
    life: object

    @property
    def resting(self) -> Parts | None: ...

    @property
    def memories(self) -> Sequence[Memory]: ...
    def has_funcref(self, address: int) -> bool: ...
    def function_at(self, address: int) -> FuncHandle: ...
    def defined_type(self, address: int) -> DefinedType: ...
    def function_index(self, address: int) -> int: ...
    def live_with(self, other: Instance) -> None: ...
