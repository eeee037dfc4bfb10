"""What this room and `store` read of a configuration; `wasmetal.Config` says what each means."""

from __future__ import annotations

from typing import Protocol

from wasm_core.features import Features


class Settings(Protocol):
    """The settings of an engine."""

    @property
    def features(self) -> Features: ...
    @property
    def validation(self) -> str: ...
    @property
    def compile(self) -> str: ...
    @property
    def bounds_checks(self) -> str: ...
    @property
    def max_memory_pages(self) -> int: ...
    @property
    def max_table_elements(self) -> int: ...
    @property
    def max_stack_bytes(self) -> int: ...
    @property
    def max_instances(self) -> int: ...
    @property
    def hold_gil(self) -> bool: ...
