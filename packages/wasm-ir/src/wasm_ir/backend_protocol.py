"""The protocol `Backend`; it is known as `wasm_ir.Backend`."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from wasm_ir.backend import CompiledCode, HostSupport, Relocation, StubEnvironment, Stubs
from wasm_ir.ir import Function


@runtime_checkable
class Backend(Protocol):
    """Compiles IR functions to machine code of one architecture.

    The registry calls `host_support` on the class and makes one instance per engine.

    A backend may have these attributes besides, as if they were false or empty where they are missing: `vectors`,
    `exceptions`, `tail_calls`, `symbols` (bool) and `c_convention` (str). docs/backends.md has what each says.
    """

    #: Short name, as in Config(backend=...).
    name: str
    #: Names of the CPU features that generated code makes use of, sorted (part of cache keys).
    cpu_features: tuple[str, ...]
    #: `wasm_ir.vmcontext.LAYOUT` of the wasm-ir that it was made for.
    layout: int

    @classmethod
    def host_support(cls) -> HostSupport:
        """Whether code of this backend runs in this process."""
        ...

    def compile(self, function: Function) -> CompiledCode:
        """Compile one function. The function is consumed: its IR may be changed.

        Raises CompileError when the function needs what the backend does not have.
        """
        ...

    def relocate(self, code: bytearray, address: int, relocations: list[Relocation], slots: int) -> None:
        """Apply relocations in place for code that will run at `address`; `slots` is the module's array of slots."""
        ...

    def stubs(self, environment: StubEnvironment) -> Stubs:
        """The stubs for this process (position-independent but for what the environment says)."""
        ...

    def disassemble(self, code: bytes, address: int) -> list[tuple[int, bytes, str]] | None:
        """(address, bytes, text) per instruction, or None when no disassembler is installed."""
        ...
