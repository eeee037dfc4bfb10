"""Checks that every module that `build` compiles is loaded from an extension module: python native/check.py."""

from __future__ import annotations

import importlib
import sys
from importlib.machinery import EXTENSION_SUFFIXES

from build import PACKAGES, compiled_modules, module_name


def main() -> None:
    """Import all of them; the exit status says whether there are others."""
    names = [module_name(path) for package in PACKAGES for path in compiled_modules(package)]
    interpreted = [
        name for name in names if not str(importlib.import_module(name).__file__).endswith(tuple(EXTENSION_SUFFIXES))
    ]
    print(f"{len(names) - len(interpreted)} of {len(names)} modules are native")
    if interpreted:
        sys.exit(f"not native: {', '.join(interpreted)}")


if __name__ == "__main__":
    main()
