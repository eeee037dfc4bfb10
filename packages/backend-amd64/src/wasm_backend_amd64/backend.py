"""The amd64 backend: implements wasm_ir.backend.Backend."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from struct import Struct

from wasm_backend_amd64 import cpu
from wasm_core.errors import CompileError
from wasm_ir.backend import RELOCATION_FUNCTION_SLOT, CompiledCode, HostSupport, Relocation, StubEnvironment, Stubs
from wasm_ir.vmcontext import LAYOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_backend_amd64.target import Amd64Target
    from wasm_ir.ir import Function

_I32 = Struct("<i")

#: Value of `Amd64Backend.c_convention`.
WINDOWS_CONVENTION = "windows"

#: Features that generated code cannot do without: those of x86-64-v2 (System V psABI for x86-64, 3.1.1), which
#: processors have had since 2009.
REQUIRED_FEATURES = frozenset({"popcnt", "sse3", "sse4_1", "sse4_2", "ssse3"})
#: Features that it makes use of where they are.
USED_FEATURES = frozenset({"avx", "avx2", "bmi1", "bmi2", "fma", "lzcnt"}) | REQUIRED_FEATURES
#: The same of AVX-512: used where all of the first set are there.
_AVX512 = frozenset({"avx512bw", "avx512dq", "avx512f", "avx512vl"})
_AVX512_EXTENSIONS = frozenset({"avx512bitalg", "avx512vbmi"})
#: Those whose instructions are made for processors that have AVX, too.
_AVX_FEATURES = frozenset({"avx2", "fma"})


class Amd64Backend:
    """Compiles for x86-64.

    The compiler is imported when there is something to compile: what comes from a cache is only relocated.
    """

    name = "amd64"
    layout = LAYOUT
    #: Constants that stand for symbols are relocated (wasm_ir.backend.RELOCATION_SYMBOL).
    symbols = True
    #: Functions may have values of type v128.
    vectors = True
    #: Functions may throw and catch.
    exceptions = True
    #: Functions may make tail calls.
    tail_calls = True

    def __init__(self, features: Iterable[str] | None = None, c_convention: str | None = None) -> None:
        """
        Args:
            features: Names of processor features (see cpu.py) that code may use; by default all of this machine.
            c_convention: How C functions are called: "" (System V) or "windows"; by default as in this process.
        """
        available = frozenset(cpu.features() if features is None else features)
        chosen = available & USED_FEATURES | REQUIRED_FEATURES
        if "avx" not in chosen:
            chosen -= _AVX_FEATURES
        elif "avx2" in chosen and available >= _AVX512:
            chosen |= _AVX512 | available & _AVX512_EXTENSIONS
        self.cpu_features = tuple(sorted(chosen))
        if c_convention is None:
            c_convention = WINDOWS_CONVENTION if sys.platform == "win32" else ""
        self.c_convention = c_convention
        self._target: Amd64Target | None = None

    def __repr__(self) -> str:
        return f"<backend {self.name}, {', '.join(self.cpu_features) or 'no features'}>"

    @classmethod
    def host_support(cls) -> HostSupport:
        """Whether this process can run the code, and why (not)."""
        support = cpu.host_support()
        if support.supported:
            missing = REQUIRED_FEATURES.difference(cpu.features())
            if missing:
                reason = f"the processor lacks {', '.join(sorted(missing))}: code is made for x86-64-v2 and later"
                return HostSupport(False, reason)
        return support

    def compile(self, function: Function) -> CompiledCode:
        """Compile one function, which is consumed. Raises CompileError for what the backend does not have.

        The code must be placed at a multiple of 16.
        """
        from wasm_ir.codegen.pipeline import compile_function

        return compile_function(function, self.target)

    @property
    def target(self) -> Amd64Target:
        """The shared code generator's view of this backend."""
        if self._target is None:
            from wasm_backend_amd64.target import Amd64Target

            self._target = Amd64Target(frozenset(self.cpu_features), self.c_convention == WINDOWS_CONVENTION)
        return self._target

    def relocate(self, code: bytearray, address: int, relocations: list[Relocation], slots: int) -> None:
        """Make references to function slots relative to the place of the code.

        Raises CompileError when the slots are further away than 2 GiB.
        """
        for relocation in relocations:
            if relocation.kind != RELOCATION_FUNCTION_SLOT:
                raise CompileError(f"unknown relocation {relocation.kind}")
            distance = slots + 8 * relocation.target - (address + relocation.offset + 4)
            if not -(1 << 31) <= distance < 1 << 31:
                raise CompileError("function slots are out of reach of the code")
            _I32.pack_into(code, relocation.offset, distance)

    def stubs(self, environment: StubEnvironment) -> Stubs:
        """The process's stubs. Raises CompileError when the operating system's signal frames are not known."""
        from wasm_backend_amd64.stubs import build_stubs

        return build_stubs(environment, self.c_convention == WINDOWS_CONVENTION)

    def disassemble(self, code: bytes, address: int) -> list[tuple[int, bytes, str]] | None:
        """Instructions as (address, bytes, text in Intel syntax); None without the disassembler."""
        from wasm_ir.disassembly import disassemble

        return disassemble(code, address, "CS_ARCH_X86", "CS_MODE_64")
