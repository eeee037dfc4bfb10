"""What the profile for compiling the compiler is taken of: it compiles the examples."""

from __future__ import annotations

from pathlib import Path

from wasm_backend_amd64 import Amd64Backend
from wasm_backend_arm64 import Arm64Backend
from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_ir.backend import Backend
from wasm_ir.frontend import translate
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.vmcontext import ContextLayout

EXAMPLES = Path(__file__).parent.parent / "examples"


def compile_all(path: Path, backend: Backend, options: FrontendOptions) -> None:
    """Compile every function of a module."""
    module = decode(path.read_bytes())
    layout = ContextLayout(module)
    for index in range(module.imported_functions, len(module.function_types)):
        facts = validate_body(module, index)
        backend.compile(translate(module, index, layout, facts, options))


def main() -> None:
    """Compile for both architectures, with guard pages and with explicit checks."""
    for path in sorted(EXAMPLES.glob("*/*.wasm")):
        for explicit in (False, True):
            for backend in (Amd64Backend(), Arm64Backend()):
                compile_all(path, backend, FrontendOptions(explicit_bounds=explicit, listener=False))


if __name__ == "__main__":
    main()
