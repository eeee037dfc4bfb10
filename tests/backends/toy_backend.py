"""The smallest backend: leaves the work to the host's, and notes what it compiles. See docs/backends.md."""

from __future__ import annotations

from native_code import host_backend

from wasm_ir.backend import Backend, CompiledCode, HostSupport, Relocation, StubEnvironment, Stubs
from wasm_ir.ir import Function

#: Name and size in bytes of every function that was compiled.
compiled: list[tuple[str, int]] = []


class ToyBackend:
    """Implements wasm_ir.backend.Backend."""

    name = "toy"

    def __init__(self) -> None:
        real = host_backend()
        assert real is not None
        self._real: Backend = real()
        self.cpu_features = self._real.cpu_features

    @classmethod
    def host_support(cls) -> HostSupport:
        return HostSupport(host_backend() is not None, "wherever another backend works")

    def compile(self, function: Function) -> CompiledCode:
        made = self._real.compile(function)
        compiled.append((function.name, len(made.code)))
        return made

    def relocate(self, code: bytearray, address: int, relocations: list[Relocation], slots: int) -> None:
        self._real.relocate(code, address, relocations, slots)

    def stubs(self, environment: StubEnvironment) -> Stubs:
        return self._real.stubs(environment)

    def disassemble(self, code: bytes, address: int) -> list[tuple[int, bytes, str]] | None:
        return self._real.disassemble(code, address)
