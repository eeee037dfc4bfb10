"""Names of functions for the shell to complete with."""

from __future__ import annotations

from wasm_core.decoder import decode
from wasm_core.errors import WasmError
from wasm_core.module import ExternKind
from wasm_core.names import NameSection


def function_names(file: str) -> list[str]:
    """The functions of a module that have a name and code, sorted; none if it cannot be read."""
    try:
        with open(file, "rb") as source:
            module = decode(source.read())
    except (OSError, WasmError):
        return []
    first = module.imported_functions
    names = {export.name for export in module.exports if export.kind is ExternKind.FUNC and export.index >= first}
    section = NameSection.of(module)
    for index in range(first, len(module.function_types)):
        names.add(section.function_name(index) or "")
    return sorted(name for name in names if name and name.isprintable())
