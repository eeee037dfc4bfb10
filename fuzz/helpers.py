"""Modules of the tests that fuzzers share."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType


def test_module(package: str, name: str) -> ModuleType:
    """The module `name` among the tests of a package."""
    path = Path(__file__).parents[1] / "packages" / package / "tests" / f"{name}.py"
    specification = importlib.util.spec_from_file_location(f"fuzz_{package.replace('-', '_')}_{name}", path)
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module
