"""The arm64 backend: implements wasm_ir.backend.Backend."""

from __future__ import annotations

from collections.abc import Iterable
from struct import Struct

from wasm_backend_arm64 import cpu
from wasm_core.errors import CompileError
from wasm_ir.backend import RELOCATION_FUNCTION_SLOT, CompiledCode, HostSupport, Relocation, StubEnvironment, Stubs
from wasm_ir.vmcontext import LAYOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

    from wasm_backend_arm64.target import Arm64Target
    from wasm_ir.ir import Function

#: Features that generated code cannot do without; every AArch64 Linux has them.
REQUIRED_FEATURES = frozenset({"asimd", "fp"})
#: Features that it makes use of where they are.
USED_FEATURES = REQUIRED_FEATURES | {"asimddp"}

#: Two instructions.
_PAIR: Final = Struct("<II")
#: Where an adrp has the number of pages to its target, and a load of 64 bits the offset, in units of 8.
_PAGES: Final = 0x60FF_FFE0
_OFFSET: Final = 0x3F_FC00


class Arm64Backend:
    """Compiles for AArch64.

    The compiler is imported when there is something to compile: what comes from a cache is only relocated.
    """

    name = "arm64"
    layout = LAYOUT
    #: Constants that stand for symbols are relocated (wasm_ir.backend.RELOCATION_SYMBOL).
    symbols = True
    #: Functions may have values of type v128.
    vectors = True
    #: Functions may throw and catch.
    exceptions = True
    #: Functions may make tail calls.
    tail_calls = True

    def __init__(self, features: Iterable[str] | None = None) -> None:
        """`features`: names of processor features (see cpu.py) that code may use; by default all of this machine."""
        available = frozenset(cpu.features() if features is None else features)
        chosen = available & USED_FEATURES | REQUIRED_FEATURES
        self.cpu_features = tuple(sorted(chosen))
        self._target: Arm64Target | None = None

    def __repr__(self) -> str:
        return f"<backend {self.name}, {', '.join(self.cpu_features) or 'no features'}>"

    @classmethod
    def host_support(cls) -> HostSupport:
        """Whether this process can run the code, and why (not)."""
        support = cpu.host_support()
        if support.supported:
            missing = REQUIRED_FEATURES.difference(cpu.features())
            if missing:
                return HostSupport(False, f"the processor lacks {', '.join(sorted(missing))}")
        return support

    def compile(self, function: Function) -> CompiledCode:
        """Compile one function, which is consumed. Raises CompileError for what the backend does not have.

        The code must be placed at a multiple of 16.
        """
        from wasm_ir.codegen.pipeline import compile_function

        return compile_function(function, self.target)

    @property
    def target(self) -> Arm64Target:
        """The shared code generator's view of this backend."""
        if self._target is None:
            from wasm_backend_arm64.target import Arm64Target

            self._target = Arm64Target(frozenset(self.cpu_features))
        return self._target

    def relocate(self, code: bytearray, address: int, relocations: list[Relocation], slots: int) -> None:
        """Make references to function slots relative to the place of the code: an adrp and the load behind it.

        Raises CompileError when the slots are further away than 4 GiB.
        """
        for relocation in relocations:
            if relocation.kind != RELOCATION_FUNCTION_SLOT:
                raise CompileError(f"unknown relocation {relocation.kind}")
            offset = relocation.offset
            slot = slots + 8 * relocation.target
            pages = (slot >> 12) - (address + offset >> 12)
            if not -(1 << 20) <= pages < 1 << 20:
                raise CompileError("function slots are out of reach of the code")
            adrp, load = _PAIR.unpack_from(code, offset)
            adrp = adrp & ~_PAGES | (pages & 3) << 29 | (pages >> 2 & 0x7_FFFF) << 5
            _PAIR.pack_into(code, offset, adrp, load & ~_OFFSET | (slot & 0xFFF) >> 3 << 10)

    def stubs(self, environment: StubEnvironment) -> Stubs:
        """The process's stubs. Raises CompileError when the operating system's signal frames are not known."""
        from wasm_backend_arm64.stubs import build_stubs

        return build_stubs(environment)

    def disassemble(self, code: bytes, address: int) -> list[tuple[int, bytes, str]] | None:
        """Instructions as (address, bytes, text); None without the disassembler."""
        from wasm_ir.disassembly import disassemble

        return disassemble(code, address, "CS_ARCH_ARM64", "CS_MODE_LITTLE_ENDIAN")
