"""Fixtures of the tests: the writer of binary modules, and the shared test data."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import pytest

from wasm_core.testing import binary


@pytest.fixture(scope="session")
def wasm() -> ModuleType:
    """The writer of the binary format: modules from their parts, right or wrong."""
    return binary


@pytest.fixture(scope="session")
def shared() -> Path:
    """The shared test data; tests that want it are skipped without it."""
    path = Path(os.environ.get("WASMETAL_SHARED") or Path(__file__).resolve().parents[4] / "shared")
    if not path.is_dir():
        pytest.skip(f"no shared test data in {path.name}; set WASMETAL_SHARED")
    return path


@pytest.fixture(scope="session")
def corpus(shared: Path) -> dict[str, bytes]:
    """Real programs by name."""
    return {p.parent.name: p.read_bytes() for p in sorted(shared.glob("corpus/*/program.wasm"))}
