"""SSA intermediate representation, WebAssembly front end, and the machine-independent half of the code generator.

What a backend implements is `Backend`; the rest is in the modules.
"""

from wasm_ir import backend
from wasm_ir.backend import CompiledCode, HostSupport, Relocation, StubEnvironment, Stubs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from wasm_ir.backend import Backend

__all__ = ["Backend", "CompiledCode", "HostSupport", "Relocation", "StubEnvironment", "Stubs"]


def __getattr__(name: str) -> object:
    # (`Backend`: see there)
    if name != "Backend":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return backend.__getattr__(name)
