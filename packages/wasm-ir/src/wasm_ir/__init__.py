"""SSA intermediate representation, WebAssembly front end, and the machine-independent half of the code generator.

What a backend implements is `Backend`; the rest is in the modules.
"""

from wasm_ir.backend import Backend, CompiledCode, HostSupport, Relocation, StubEnvironment, Stubs

__all__ = ["Backend", "CompiledCode", "HostSupport", "Relocation", "StubEnvironment", "Stubs"]
