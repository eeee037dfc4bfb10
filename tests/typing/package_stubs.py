"""Writes the `__init__.pyi` of packages whose names are imported lazily: python tests/typing/package_stubs.py.

Type checkers and editors cannot see what a module's `__getattr__` finds. So each of these packages has a stub beside
its `__init__.py`, made from the table of names there.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Final

ROOT: Final = Path(__file__).parent.parent.parent
#: Packages with a lazy `__init__`.
LAZY: Final = ("wasm_core", "wasm_wasi", "wasmetal")


def path_of(package: str) -> Path:
    """Where the stub of a package is."""
    (folder,) = ROOT.glob(f"packages/*/src/{package}")
    return folder / "__init__.pyi"


def _kind(name: str) -> int:
    """Sorts constants first, then classes, then functions, as ruff does."""
    return 0 if name.isupper() and len(name) > 1 else 1 if name[0].isupper() else 2


def _in_order(names: Iterable[str]) -> list[str]:
    return sorted(names, key=lambda name: (_kind(name), name))


def stub_of(package: ModuleType) -> str:
    """The stub of a package."""
    lines = [
        f'"""{package.__doc__}"""',
        "",
        "# Written by tests/typing/package_stubs.py (nox -s stubs) from the table in __init__.py.",
        "",
    ]
    for module in sorted(set(package._MODULES.values())):
        names = [name for name in package.__all__ if package._MODULES[name] == module]
        lines += [f"from {module} import {name} as {name}" for name in _in_order(names)]
    lines.append("")
    lines += ["__all__ = [", *(f'    "{name}",' for name in _in_order(package.__all__)), "]"]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Write all of them."""
    for name in LAZY:
        path_of(name).write_text(stub_of(importlib.import_module(name)))


if __name__ == "__main__":
    main()
