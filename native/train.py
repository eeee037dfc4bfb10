"""What the profile for compiling the compiler is taken of: it compiles examples, tests' and benchmarks' modules."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

from build import BACKEND, import_name

from wasm_core.body_validator import validate_body
from wasm_core.decoder import decode
from wasm_core.validator import validate_module
from wasm_ir.backend import Backend
from wasm_ir.frontend import translate
from wasm_ir.frontend_options import FrontendOptions
from wasm_ir.vmcontext import ContextLayout
from wasm_text import assemble

ROOT = Path(__file__).parent.parent


def sources() -> Iterator[bytes]:
    """The modules: real programs, an even mix of instructions, and each instruction a few times."""
    sys.path.append(str(ROOT))
    from benchmarks.generate import functions_of

    for path in sorted((ROOT / "examples").glob("*/*.wasm")):
        yield path.read_bytes()
    yield functions_of(1_000, 5)
    for path in sorted((ROOT / "tests/filetests").glob("*.wat")):
        yield assemble(path.read_bytes())


def compile_all(source: bytes, backend: Backend, options: FrontendOptions) -> None:
    """Compile every function of a module."""
    module = decode(source)
    validate_module(module)
    layout = ContextLayout(module)
    for index in range(module.imported_functions, len(module.function_types)):
        facts = validate_body(module, index)
        backend.compile(translate(module, index, layout, facts, options))


def backend_of_this_machine() -> Backend:
    """The backend that is compiled; without one, the one for x86-64 will do, interpreted."""
    package = import_module(import_name(BACKEND or "backend-amd64"))
    (made,) = (getattr(package, name) for name in package.__all__ if name.endswith("Backend"))
    backend: Backend = made()
    return backend


def main() -> None:
    """Compile with guard pages and with explicit checks."""
    backend = backend_of_this_machine()
    for source in sources():
        for explicit in (False, True):
            compile_all(source, backend, FrontendOptions(explicit_bounds=explicit, listener=False))


if __name__ == "__main__":
    main()
