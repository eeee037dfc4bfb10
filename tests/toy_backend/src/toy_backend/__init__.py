"""The smallest third-party backend: leaves the work to the host's own, and notes what it compiles.

docs/backends.md shows the class.
"""

from __future__ import annotations

from importlib.metadata import entry_points

from wasm_ir.backend import (
    ENTRY_POINT_GROUP,
    Backend,
    CompiledCode,
    HostSupport,
    Relocation,
    StubEnvironment,
    Stubs,
)
from wasm_ir.ir import Function

#: Names of the functions that were compiled, in order.
compiled: list[str] = []


def host_backend() -> type[Backend] | None:
    """Another backend, which makes code for this machine."""
    for entry in entry_points(group=ENTRY_POINT_GROUP):
        if entry.name != ToyBackend.name:
            found: type[Backend] = entry.load()
            if found.host_support().supported:
                return found
    return None


class ToyBackend:
    """Implements wasm_ir.backend.Backend."""

    name = "toy"
    # As those that the work is left to.
    vectors = True
    exceptions = True
    tail_calls = True

    def __init__(self) -> None:
        real = host_backend()
        assert real is not None
        self._real: Backend = real()
        self.cpu_features = self._real.cpu_features
        self.layout = self._real.layout

    @classmethod
    def host_support(cls) -> HostSupport:
        return HostSupport(host_backend() is not None, "wherever another backend works")

    def compile(self, function: Function) -> CompiledCode:
        compiled.append(function.name)
        return self._real.compile(function)

    def relocate(self, code: bytearray, address: int, relocations: list[Relocation], slots: int) -> None:
        self._real.relocate(code, address, relocations, slots)

    def stubs(self, environment: StubEnvironment) -> Stubs:
        return self._real.stubs(environment)

    def disassemble(self, code: bytes, address: int) -> list[tuple[int, bytes, str]] | None:
        return self._real.disassemble(code, address)
